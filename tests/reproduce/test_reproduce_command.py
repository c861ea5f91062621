"""`ketune reproduce` end to end, small: what it writes, how it goes on, and one line for bad input."""

import json

import numpy as np
import pytest

from ketune import _console, cli
from ketune.reproduce import _hypothesis_run, _run

SMALL = ("--neurons", "3", "--trials", "2", "--draws", "16", "--no-predictions", "--seed", "3")
HYPOTHESES = ("--hypothesis", "nmda", "--hypothesis", "no-shift")


def run(*arguments):
    return _console.run(cli.app, ["reproduce", *map(str, arguments)])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    directory = tmp_path_factory.mktemp("reproduce") / "run"
    assert run("-o", directory, *SMALL, *HYPOTHESES) == 0
    return directory


def verdicts(directory):
    return json.loads((directory / "verdicts.json").read_text())


def comparable(directory):
    document = verdicts(directory)
    return {k: v for k, v in document.items() if k not in ("seconds", "command", "provenance")}


pytestmark = pytest.mark.slow


def test_the_document_has_what_was_promised(finished):
    document = verdicts(finished)
    assert (document["population"], document["neurons"], document["population_seeds"]) == (
        "cat",
        3,
        [3, 4, 5, 6, 7],
    )
    assert document["seconds"] > 0
    assert [h["name"] for h in document["hypotheses"]] == ["nmda", "no-shift"]
    nmda, control = document["hypotheses"]
    assert set(nmda["parameters"]) == {"nmda_basal", "nmda_apical"}
    assert 0 <= nmda["prior_share_meeting_T5"] <= 1
    assert set(nmda["targets"]) == {"T1", "T2", "T3a", "T3b", "T4", "T5"}
    assert set(nmda["targets"]["T4"]) >= {"met", "value", "interval", "window_is_ours"}
    assert nmda["targets_from"] == "spiking"
    assert nmda["together"] in (True, False)
    assert nmda["spiking_together"] in (True, False)
    assert nmda["second_morphology_together"] in (True, False)
    assert control["control"]
    assert control["targets_from"] == "predicted"
    assert control["spiking_together"] is control["second_morphology_together"] is None
    assert document["smallest_sufficient"] == []
    assert document["predictions"] == []
    assert (finished / "report.html").stat().st_size > 10_000


def test_control_and_drug_never_share_trials(finished):
    """With the same trials, most counts of a weakly dosed neuron would be equal."""
    parts = finished / "parts"
    control, drug = (np.load(parts / c / "held-out-counts.npz")["counts"] for c in ("control", "nmda"))
    assert control.shape == drug.shape == (3, 12, 2)
    assert np.any(control[:, 9:] != control[:, 9:10])  # blanks have trials of their own
    assert control.sum() > 0


def test_json_is_the_document_and_a_finished_run_costs_nothing(finished, capfd, monkeypatch):
    def never(*_, **__):
        raise AssertionError("simulated again")

    monkeypatch.setattr(_hypothesis_run, "spiking_counts", never)
    capfd.readouterr()
    assert run("-o", finished, *SMALL, *HYPOTHESES, "--json") == 0
    shown = json.loads(capfd.readouterr().out)
    assert shown["hypotheses"] == verdicts(finished)["hypotheses"]


def test_a_run_that_was_stopped_goes_on_with_the_same_result(finished, tmp_path, monkeypatch, capfd):
    stopped, real = tmp_path / "stopped", _hypothesis_run.spiking_counts
    calls = []

    def interrupted(*arguments, **options):
        calls.append(1)
        if len(calls) == 5:  # control is whole, the drug's arm is not
            raise KeyboardInterrupt
        return real(*arguments, **options)

    monkeypatch.setattr(_hypothesis_run, "spiking_counts", interrupted)
    assert run("-o", stopped, *SMALL, *HYPOTHESES) == 130
    assert (stopped / "parts" / "control" / "held-out-counts.npz").exists()
    assert not (stopped / "parts" / "nmda" / "held-out-counts.npz").exists()
    assert not (stopped / "verdicts.json").exists()
    monkeypatch.setattr(_hypothesis_run, "spiking_counts", real)
    assert run("-o", stopped, *SMALL, *HYPOTHESES) == 0
    assert comparable(stopped) == comparable(finished)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--hypothesis", "nmda+pw"), "--hypothesis 'nmda+pw': not known; did you mean 'nmda+pv'?"),
        (("--neurons", "0"), "--neurons 0: verdicts over a population need at least 3; 48 is usual"),
        (("--trials", "1"), "--trials 1: a Fano factor needs at least 2; 25 is usual"),
        (("--draws", "4"), "--draws 4: a share of the prior needs at least 16"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(tmp_path, capfd, arguments, message):
    assert run("-o", tmp_path / "run", *arguments) == 2
    shown = capfd.readouterr()
    assert message in shown.err
    assert len(shown.err.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_rows_without_a_pass_rule_are_refused(tmp_path, capfd):
    rows = tmp_path / "rows.toml"
    rows.write_text(
        '[[source]]\nid = "s"\ncitation = "S"\ndoi = ""\nread = "abstract"\n\n'
        '[[target]]\nid = "T1"\nstatement = "x"\nlevel = "A"\neffects = ["K2"]\npass_rule = "y"\nsource = "s"\n'
    )
    assert run("-o", tmp_path / "run", "--evidence", rows) == 2
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert "rows.toml" in line
    assert "give it a pass rule" in line
    assert not (tmp_path / "run").exists()


def test_a_directory_of_another_configuration(finished, capfd):
    assert run("-o", finished, *SMALL[:-1], "4", *HYPOTHESES) == 2
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert "holds a run of another configuration (seed: 3 there, 4 now)" in line


def test_fewer_actions_of_a_sufficient_hypothesis_are_examined_too(finished, tmp_path, monkeypatch):
    """Verdicts are made up here: real ones of three neurons are never sufficient."""
    import shutil

    directory = tmp_path / "run"
    shutil.copytree(finished, directory)
    monkeypatch.setattr(_run, "fewest_actions", lambda *_, **__: ("nmda_apical",))
    for kind in ("predicted", "held-out"):
        file = directory / "parts" / "nmda" / f"{kind}.json"
        document = json.loads(file.read_text())
        for row in document.values() if kind == "predicted" else [document]:
            if isinstance(row, dict) and "targets" in row:
                row["targets"]["T5"]["met"] = True
        file.write_text(json.dumps(document))
    assert run("-o", directory, *SMALL, *HYPOTHESES) == 0
    document = verdicts(directory)
    assert document["hypotheses"][-1]["name"] == "fewest of nmda"
    assert document["hypotheses"][-1]["actions"] == ["nmda_apical"]
