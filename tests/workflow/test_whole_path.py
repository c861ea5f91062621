"""Fit, dose and report a small neuron from the command line, as a user does."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_inputs import Inputs

from ketune.fitting import KEPT_WITHIN, NAMES, PARAMETERS

pytestmark = [pytest.mark.slow, pytest.mark.neuron]

ORIENTATIONS = [0.0, 45.0, 90.0, 135.0]
APPLY = ("--dose", "10 mg/ml", "--at", "30 min", "--trials", "8")


def ketune(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ketune", *map(str, arguments)], capture_output=True, text=True, timeout=1500
    )


def numbers(value: Any, path: str = "") -> Iterator[tuple[str, float | None]]:
    """Every number in a document, and every null, with its place."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from numbers(item, f"{path}/{key}")
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from numbers(item, f"{path}/{i}")
    elif value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        yield path, value


def nulls(document: Any) -> set[str]:
    return {path for path, value in numbers(document) if value is None}


def state(directory: Path) -> dict[str, tuple[bytes, int]]:
    return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in directory.iterdir()}


@pytest.fixture(scope="module")
def fit(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], int]:
    """A fit directory, what the command printed, and its exit code."""
    directory = tmp_path_factory.mktemp("whole") / "fit"
    done = ketune(
        "fit", *inputs.arguments(), "-o", directory, "--effort", "quick", "--starts", 1, "--seed", 3, "--json"
    )
    assert done.returncode in (0, 1), done.stderr
    return directory, json.loads(done.stdout), done.returncode


@pytest.fixture(scope="module")
def application(fit: tuple[Path, dict[str, Any], int]) -> tuple[Path, dict[str, Any]]:
    done = ketune("apply", fit[0], *APPLY, "--at", "120 min", "--json")
    assert done.returncode == 0, done.stderr
    return fit[0], json.loads(done.stdout)


@pytest.fixture(scope="module")
def document(fit: tuple[Path, dict[str, Any], int]) -> dict[str, Any]:
    return json.loads((fit[0] / "fit.json").read_text())


class TestFit:
    def test_prints_what_it_promises(self, fit: tuple[Path, dict[str, Any], int]) -> None:
        directory, printed, code = fit
        assert printed["status"] in ("converged", "stopped", "out_of_reach")
        assert code == (0 if printed["status"] == "converged" else 1)
        assert printed["directory"] == str(directory)
        assert list(printed["parameters"]) == list(NAMES)
        for parameter in PARAMETERS:
            entry = printed["parameters"][parameter.name]
            assert math.isfinite(entry["value"])
            assert entry["se"] > 0
            assert entry["unit"] == parameter.unit
            assert isinstance(entry["at_bound"], bool)
            assert parameter.low <= entry["value"] <= parameter.high
        assert printed["tuning"]["orientation_deg"] == [*ORIENTATIONS, None]
        for key in ("recorded_mean", "fitted_mean"):
            assert len(printed["tuning"][key]) == 5
        assert nulls(printed) == {"/tuning/orientation_deg/4"}

    def test_writes_a_fit_and_a_copy_of_the_recording(
        self, fit: tuple[Path, dict[str, Any], int], document: dict[str, Any], inputs: Inputs
    ) -> None:
        directory, printed, _ = fit
        assert {"fit.json", "recording.csv", "ketune.json"} <= {p.name for p in directory.iterdir()}
        assert (directory / "recording.csv").read_bytes() == inputs.recording.read_bytes()
        assert document["format"] == "ketune-fit/1"
        assert document["status"] == printed["status"]
        recording = document["recording"]
        assert (recording["window_s"], recording["has_blank"], recording["split"]) == (0.2, True, "half")
        assert recording["n_trials"] == [24, 26, 24, 25]

    def test_the_document_is_complete(self, document: dict[str, Any]) -> None:
        assert {
            "status", "message", "recording", "parameters", "undetermined", "kept_within", "kept_sets", "tuning",
            "check", "replay", "readout", "summary", "traces", "history", "settings", "provenance",
        } <= set(document)  # fmt: skip
        allowed = {
            "/check/orientation_deg/4", "/check/prediction_mean/4", "/check/test_mean/4", "/check/test_sem/4",
            "/check/test_fano/4", "/check/test_fano_se/4", "/tuning/orientation_deg/4", "/settings/condition",
            "/summary/recorded/direction_index", "/summary/spiking/direction_index",
            # The neuron may be silent while the screen is blank.
            "/check/spiking_fano/4", "/check/spiking_fano_se/4",
            # Nothing is assumed of a blank that was recorded.
            "/spontaneous/assumed_hz",
        }  # fmt: skip
        unexpected = {p for p in nulls(document) - allowed if not p.startswith("/provenance")}
        assert unexpected == set()

    def test_half_of_the_trials_is_fitted_and_the_other_half_tests(
        self, document: dict[str, Any], inputs: Inputs
    ) -> None:
        spikes: dict[str, list[int]] = {}
        for line in inputs.recording.read_text().splitlines()[1:]:
            orientation, _, count = line.split(",")
            spikes.setdefault(orientation, []).append(int(count))
        tuning, check = document["tuning"], document["check"]
        for i, orientation in enumerate(("0", "45", "90", "135")):
            n, total = len(spikes[orientation]), sum(spikes[orientation])
            half = n // 2
            sums = {
                tuning["recorded_mean"][i] * a + check["test_mean"][i] * (n - a) for a in (half, n - half)
            }
            assert any(s == pytest.approx(total) for s in sums)

    def test_the_fit_follows_the_recording(self, document: dict[str, Any]) -> None:
        recorded, fitted = (document["tuning"][k] for k in ("recorded_mean", "fitted_mean"))
        assert fitted[2] == max(fitted)
        assert fitted[2] == pytest.approx(recorded[2], rel=0.4)
        assert fitted[4] < 0.4 * fitted[2]
        assert document["check"]["correlation"] > 0.8
        assert document["check"]["n_trials"] >= 50

    def test_kept_sets_begin_with_the_best(self, document: dict[str, Any]) -> None:
        best, *others = document["kept_sets"]
        assert best["values"] == {n: document["parameters"][n]["value"] for n in NAMES}
        assert (best["log_likelihood_difference"], best["placement_seed"]) == (0.0, 3)
        assert document["kept_within"] == KEPT_WITHIN
        assert all(k["log_likelihood_difference"] >= -KEPT_WITHIN for k in others)

    def test_neuron_replays_the_same_spike_counts(self, document: dict[str, Any]) -> None:
        replay = document["replay"]
        assert replay["n"] >= len(ORIENTATIONS)
        assert replay["identical"] is True
        assert replay["largest_count_difference"] == 0
        assert replay["problems"] == []

    def test_the_history_ends_above_its_beginning(self, document: dict[str, Any]) -> None:
        first = [h["log_likelihood"] for h in document["history"] if h["stage"] == "start 1"]
        assert first[-1] >= first[0]
        assert {"screening", "start 1", "round 1"} <= {h["stage"] for h in document["history"]}

    def test_provenance_says_how_it_was_made(self, document: dict[str, Any], inputs: Inputs) -> None:
        assert document["provenance"]["seed"] == 3
        engine = document["provenance"]["engine"]
        assert (engine["precision"], engine["dt_ms"]) == ("float32", document["readout"]["spiking_dt_ms"])
        assert engine["name"] in ("native", "xla")
        assert document["settings"]["cell"] == {
            "model": str(inputs.model.resolve()),
            "morphology": str(inputs.morphology.resolve()),
        }

    def test_a_second_run_leaves_it_alone(
        self, fit: tuple[Path, dict[str, Any], int], inputs: Inputs
    ) -> None:
        directory = fit[0]
        before = state(directory)
        done = ketune("fit", *inputs.arguments(), "-o", directory, "--effort", "quick", "--json")
        assert done.returncode == 2
        assert "--overwrite" in json.loads(done.stdout)["error"]
        assert state(directory) == before


class TestApply:
    def test_prints_what_changed(self, application: tuple[Path, dict[str, Any]]) -> None:
        directory, printed = application
        assert printed["status"] == "ok"
        assert Path(printed["file"]) == directory / "apply-ketamine-topical.json"
        assert [c["label"] for c in printed["conditions"]] == ["before", "30 min", "120 min"]
        assert [c["quantity"] for c in printed["changes"]][:2] == ["preferred_deg", "osi_fit"]
        assert len(printed["summary"]) >= 5

    def test_the_document_is_complete(self, application: tuple[Path, dict[str, Any]]) -> None:
        d = json.loads((application[0] / "apply-ketamine-topical.json").read_text())
        assert d["format"] == "ketune-apply/1"
        before, during, recovery = d["conditions"]
        assert before["time_min"] is None
        assert before["effect"]["nmda_block"] == {"soma": 0.0, "basal": 0.0, "apical": 0.0}
        assert (before["effect"]["pv_drive"], before["shift"]) == (1.0, None)
        assert during["concentration_uM"]["apical"] > during["concentration_uM"]["basal"] > 0
        assert 0 < recovery["effect"]["nmda_block"]["soma"] < during["effect"]["nmda_block"]["soma"] < 1
        for condition in d["conditions"]:
            assert condition["tuning"]["orientation_deg"] == [*ORIENTATIONS, None]
            assert condition["tuning"]["n_trials"] == 8
            assert all(m is not None and m >= 0 for m in condition["tuning"]["mean"])
        assert d["main_condition"] == "30 min"
        times, depths = d["map"]["time_min"], d["map"]["depth_um"]
        assert len(d["map"]["concentration_uM"]) == len(times)
        assert {len(row) for row in d["map"]["nmda_block"]} == {len(depths)}
        fit = json.loads((application[0] / "fit.json").read_text())
        assert [k["placement_seed"] for k in d["kept"]] == [k["placement_seed"] for k in fit["kept_sets"]]
        assert {r["found"] for r in d["changes"]} <= {None, "decrease", "increase", "no change", "shifts"}
        n = len(d["neuron"]["x_um"])
        assert n == fit["settings"]["compartments"]
        assert all(-1 <= p < i for i, p in enumerate(d["neuron"]["parent"]))
        assert max(d["neuron"]["synapses"]["exc_driven"]) < n

    def test_neuron_replays_the_dosed_neuron_too(self, application: tuple[Path, dict[str, Any]]) -> None:
        replay = application[1]["replay"]
        assert (replay["identical"], replay["problems"]) == (True, [])
        assert replay["n"] >= 2 * len(ORIENTATIONS)

    def test_the_fit_stays_as_it_was_and_a_second_application_asks(
        self, application: tuple[Path, dict[str, Any]], document: dict[str, Any]
    ) -> None:
        directory = application[0]
        before = state(directory)
        assert json.loads(before["fit.json"][0]) == document
        done = ketune("apply", directory, *APPLY, "--json")
        assert done.returncode == 2
        assert "--overwrite" in json.loads(done.stdout)["error"]
        assert state(directory) == before


PROTOCOL = """
name = "two looks"
[[dose]]
route = "ip"
dose = "30 mg/kg"
[[look]]
at = "10 min"
name = "injected"
[[look]]
at = "15 min"
name = "faint"
contrast = 0.2
orientation_deg = [0.0, 90.0]
"""
HYPOTHESIS = (
    "--targets", "nmda,pv", "--block-model", "kinetic", "--baseline", "isoflurane 0.2 mM", "--baseline-added",
    "--set", "pv.nmda_share=0.9", "--trials", "4", "--name", "hypothesis", "--json",
)  # fmt: skip
DOSES = ("--doses", "1uM:100uM:log4", "--samples", "24", "--trials", "4", "--name", "curve", "--json")


class TestOptions:
    @pytest.fixture(scope="class")
    def hypothesis(
        self, application: tuple[Path, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
    ) -> dict[str, Any]:
        file = tmp_path_factory.mktemp("protocol") / "protocol.toml"
        file.write_text(PROTOCOL)
        done = ketune("apply", application[0], "--protocol", file, *HYPOTHESIS)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def test_stands_beside_the_other_result(
        self, hypothesis: dict[str, Any], application: tuple[Path, dict[str, Any]]
    ) -> None:
        assert Path(hypothesis["file"]).name == "apply-hypothesis.json"
        assert {"apply-hypothesis.json", "apply-ketamine-topical.json"} <= {
            p.name for p in application[0].iterdir()
        }

    def test_says_what_was_on(self, hypothesis: dict[str, Any]) -> None:
        choices = hypothesis["choices"]
        assert choices["targets"] == ["nmda", "pv"]
        assert "hcn1" in choices["switched_off"]
        assert choices["baseline"] == [{"drug": "isoflurane", "concentration_uM": 200.0, "recorded": False}]
        assert choices["set"]["pv.nmda_share"] == 0.9
        assert hypothesis["levels"]["used"] == "kinetic"

    def test_looks_have_their_own_stimuli_and_the_baseline_is_in_the_control(
        self, hypothesis: dict[str, Any]
    ) -> None:
        document = json.loads(Path(hypothesis["file"]).read_text())
        before, injected, faint = document["conditions"]
        assert [c["label"] for c in document["conditions"]] == ["before", "injected", "faint"]
        assert (injected["contrast"], faint["contrast"]) == (1.0, 0.2)
        assert faint["tuning"]["orientation_deg"] == [0.0, 90.0, None]
        assert 0 < before["effect"]["nmda_block"]["soma"] < injected["effect"]["nmda_block"]["soma"]
        assert before["effect"]["gabaa_decay"] > 1
        assert injected["effect"]["pv_drive"] < before["effect"]["pv_drive"]
        assert injected["effect"]["hcn_block"] == before["effect"]["hcn_block"]
        # Nothing was reported about injected ketamine with two targets, so nothing is compared.
        assert {row["reported"] for row in document["changes"]} == {"unknown"}

    def test_json_has_what_is_promised(self, hypothesis: dict[str, Any]) -> None:
        assert hypothesis["times_min"] == [10.0, 15.0]
        n = len(hypothesis["depth_um"])
        assert [len(row) for row in hypothesis["block"]["nmda_block"]] == [n, n]
        assert list(hypothesis["tuning"][1]) == [
            "condition", "phase", "orientation_deg", "mean_rate_hz", "osi", "gosi", "hwhm_deg", "preferred_deg", "fano",
            "fano_by_orientation", "spontaneous_hz",
        ]  # fmt: skip
        assert (hypothesis["doses_uM"], hypothesis["bands"]) == ([], {})

    def test_dose_response(self, application: tuple[Path, dict[str, Any]]) -> None:
        done = ketune("apply", application[0], *DOSES)
        assert done.returncode == 0, done.stderr
        printed = json.loads(done.stdout)
        assert printed["doses_uM"] == pytest.approx([1.0, 4.641588834, 21.5443469, 100.0])
        response = printed["dose_response"]
        assert response["dose_unit"] == "uM"
        assert response["concentration_uM"]["default"] == pytest.approx(printed["doses_uM"])
        block = response["nmda_block"]
        assert block["q05"][0] < block["q50"][0] < block["q95"][0]
        assert block["default"] == sorted(block["default"])
        assert set(printed["bands"]) == {
            "peak_rate_hz", "orthogonal_rate_hz", "spontaneous_rate_hz", "osi", "gosi", "hwhm_deg",
            "preferred_shift_deg", "fano",
        }  # fmt: skip
        assert isinstance(response["emulator"]["within"], bool)
        assert response["emulator"]["error_of_peak"] < 0.2
        shares = response["attribution"]["shares"]["peak_rate_hz"]
        assert shares[0]["total"] >= shares[-1]["total"]
        assert "nmda.affinity_scale" in response["drawn"]
        assert not {"pyramid.v_bar", "topical.diffusion", "dopamine.tone"} & set(response["drawn"])
        page = ketune("report", application[0], "--json")
        assert page.returncode == 0, page.stderr
        text = Path(json.loads(page.stdout)["report"]).read_text(encoding="utf-8")
        for words in (
            "dose and response",
            "NMDA block of this cell by each level",
            "Present throughout: isoflurane",
        ):
            assert words in text


class TestExport:
    """The directories that `ketune fit` and `apply` really write."""

    def test_a_bundle_for_neuron_has_the_counts_of_the_replay(
        self, application: tuple[Path, dict[str, Any]], tmp_path: Path
    ) -> None:
        done = ketune(
            "export",
            application[0],
            "--apply",
            "ketamine-topical",
            "--trials",
            1,
            "-o",
            tmp_path / "out",
            "--json",
        )
        assert done.returncode == 0, done.stderr
        printed = json.loads(done.stdout)
        assert printed["conditions"] == ["before", "30 min", "120 min"]
        assert printed["trials"] == 3 * (len(ORIENTATIONS) + 1)
        counts = (tmp_path / "out" / "expected_counts.csv").read_text().splitlines()[1:]
        assert len(counts) == printed["trials"]
        assert any(int(line.rpartition(",")[2]) > 0 for line in counts)
        assert (tmp_path / "out" / "parameters" / "30-min" / "nmda.csv").exists()

    def test_tables_hold_the_recording(
        self, fit: tuple[Path, dict[str, Any], int], inputs: Inputs, tmp_path: Path
    ) -> None:
        done = ketune("export", fit[0], "--to", "petab", "-o", tmp_path / "out", "--json")
        assert done.returncode == 0, done.stderr
        rows = (tmp_path / "out" / "measurements.tsv").read_text().splitlines()[1:]
        recorded = inputs.recording.read_text().splitlines()[1:]
        assert sorted(int(row.split("\t")[2]) for row in rows) == sorted(
            int(row.rpartition(",")[2]) for row in recorded
        )


def test_report_of_a_fit_and_its_application(application: tuple[Path, dict[str, Any]]) -> None:
    done = ketune("report", application[0], "--json")
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    page = Path(printed["report"])
    assert page == application[0] / "report.html"
    text = page.read_text(encoding="utf-8")
    assert "<html" in text
    assert "30 min" in text
    assert 'src="http' not in text
    assert len(printed["summary"]) >= 3
