"""A joint fit of control and drug on the default cell, from files to files, with as little work as possible."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ketune.errors import InputError
from ketune.inference import read_posterior
from ketune.workflow import write_report
from ketune.workflow._estimates import INFERENCE_EFFORTS
from ketune.workflow._fit import fit_recording

ORIENTATIONS = (0.0, 45.0, 90.0, 135.0)
MEANS = {"control": (2.0, 5.0, 12.0, 5.0, 0.5), "ketamine": (3.0, 6.0, 10.0, 6.0, 0.7)}


def write(path: Path, *, trials: int = 6, means=MEANS, orientations=ORIENTATIONS) -> Path:
    """Overdispersed counts round these means."""
    rng = np.random.default_rng(5)
    lines = ["orientation_deg,trial,spikes,condition,window_s"]
    for condition, every in means.items():
        for orientation, mean in zip((*orientations, ""), every, strict=True):
            counts = rng.poisson(mean * rng.gamma(5.0, 0.2, trials)) if mean else np.zeros(trials, int)
            lines += [f"{orientation},{t + 1},{n},{condition},0.3" for t, n in enumerate(counts)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def fitted(tmp_path_factory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("joint")
    answer = fit_recording(
        write(folder / "unit.csv"),
        folder / "fit",
        condition="control",
        joint=["ketamine"],
        seed=2,
        effort="quick",
        starts=2,
        correction_trials=[8],
        check_trials=8,
        replay_trials=1,
    )
    return folder / "fit", answer


@pytest.mark.slow
@pytest.mark.neuron
class TestJointFit:
    def test_every_parameter_is_called_something(self, fitted):
        _, answer = fitted
        names = {*answer["parameters"], "nmda_to_ampa", "tree_disparity_deg"}
        assert {"ketamine.nmda", "ketamine.pv", "ketamine.sst"} <= names
        assert set(answer["identifiability"]) == set(answer["intervals"]) == names
        for name, entry in answer["identifiability"].items():
            assert entry["verdict"] in ("identified", "one-sided", "unidentified", "at bound"), name
        for interval in answer["intervals"].values():
            assert interval["level"] == 0.9
            assert interval["low"] < interval["high"]
        assert answer["seconds"] > 0
        assert answer["gradients"] > 0

    def test_the_files_agree_with_the_answer(self, fitted):
        directory, answer = fitted
        document = json.loads((directory / "fit.json").read_text())
        assert [c["label"] for c in document["conditions"]] == ["control", "ketamine"]
        assert document["readout"]["estimator"] == "response surface"
        assert len(document["readout"]["starts"]) == INFERENCE_EFFORTS["quick"].screened + 1
        assert document["replay"]["identical"] is True
        for name, entry in answer["parameters"].items():
            assert document["parameters"][name]["value"] == pytest.approx(entry["value"])
        text = (directory / "summary.txt").read_text()
        assert all(name in text for name in answer["identifiability"])

    def test_the_posterior_file_has_its_groups(self, fitted):
        directory, answer = fitted
        tree = read_posterior(directory / "posterior.nc")
        assert {"posterior", "prior", "posterior_predictive", "observed_data"} <= set(tree.children)
        assert set(answer["identifiability"]) == set(tree["posterior"].data_vars)
        observed = tree["observed_data"]["spikes_control"].values
        assert observed.shape == (5, 6)
        assert tree["posterior_predictive"]["spikes_ketamine"].values.shape == (1, 400, 5, 6)

    def test_kept_sets_can_be_dosed_and_the_report_shows_the_verdicts(self, fitted, tmp_path):
        directory, _ = fitted
        document = json.loads((directory / "fit.json").read_text())
        assert all("ketamine.nmda" not in k["values"] for k in document["kept_sets"])
        page = Path(write_report([directory], output=tmp_path / "r.html")["report"]).read_text()
        assert "What the recording determines" in page
        assert "tree_disparity_deg" in page


class TestRefused:
    """One line, and nothing written."""

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"joint": ["saline"]}, "neither a condition"),
            ({"joint": ["ketamine"], "actions": "hcn1"}, "--actions"),
            ({"joint": ["ketamine"], "priors": ["ketamine.nmda=2..3"]}, "within its bounds"),
            ({"joint": ["ketamine"], "estimator": "silent"}, "--estimator silent"),
            ({"condition": "control", "compare": True}, "--with"),
            ({"condition": "control", "estimator": "magic"}, "--estimator"),
            (
                {"condition": "control", "priors": ["nmda_nS=0.3..0.4"], "start": ["nmda_nS=2.5"]},
                "excluded by its prior",
            ),
        ],
    )
    def test_options(self, tmp_path, options, words):
        with pytest.raises(InputError) as caught:
            fit_recording(write(tmp_path / "unit.csv"), tmp_path / "fit", **options)
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "fit").exists()

    def test_no_spike_anywhere(self, tmp_path):
        silent = write(tmp_path / "unit.csv", means={"control": (0, 0, 0, 0, 0)})
        with pytest.raises(InputError, match="no spike in any trial"):
            fit_recording(silent, tmp_path / "fit")
        assert not (tmp_path / "fit").exists()

    def test_one_trial_an_orientation(self, tmp_path):
        with pytest.raises(InputError, match="one trial at each orientation"):
            fit_recording(write(tmp_path / "unit.csv", trials=1), tmp_path / "fit", condition="control")
        assert not (tmp_path / "fit").exists()
