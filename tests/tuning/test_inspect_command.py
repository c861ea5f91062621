"""`ketune inspect`: what it lists, the commands it proposes, and that `ketune fit` reads what these name."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import scipy.io
from pyarrow import parquet
from pynwb import NWBHDF5IO, NWBFile

from ketune import _console, cli
from ketune.recordings import Layout
from ketune.tuning import Recording, inspect_recording, read_recording, shipped_recording
from ketune.workflow import _fit
from ketune.workflow._fit_plan import FitPlan

DIRECTIONS = [0.0, 90.0, 180.0, 270.0]


def session(path: Path, *, longest: float = 1.0) -> Path:
    """Two units; four directions and a blank, control and a drug; contrast is not asked for."""
    nwb = NWBFile("a session", "id", datetime(2024, 1, 1, tzinfo=UTC))
    for name in ("direction", "drug", "contrast"):
        nwb.add_trial_column(name, "a column")
    shown = [*DIRECTIONS, float("nan")] * 4
    for index, direction in enumerate(shown):
        stop = 2.0 * index + (longest if index == 3 else 1.0)
        drug = "ketamine" if index >= 10 else "control"
        nwb.add_trial(
            start_time=2.0 * index, stop_time=stop, direction=direction, drug=drug, contrast=index % 2
        )
    nwb.add_unit(id=3, spike_times=np.arange(0.25, 40, 0.5))
    nwb.add_unit(id=12, spike_times=[0.5, 2.5])
    with NWBHDF5IO(str(path), "w") as io:
        io.write(nwb)
    return path


def inspect(capfd: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert _console.run(cli.app, ["inspect", *map(str, arguments), "--json"]) == 0
    return json.loads(capfd.readouterr().out)


class Read(Exception):
    """Stands in for the fit that would follow."""


def read_by_fit(monkeypatch: pytest.MonkeyPatch, command: str) -> Recording:
    """What `ketune fit` would fit."""
    found: list[Recording] = []

    def stop(plan: FitPlan, *arguments: object, **options: object) -> None:
        found.append(plan.recording)
        raise Read

    monkeypatch.setattr(_fit, "fit_to_directory", stop)
    program, *arguments = shlex.split(command)
    assert program == "ketune"
    assert _console.run(cli.app, arguments) == _console.BUG  # Read is no InputError
    return found[0]


def test_a_session_and_the_commands_that_fit_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = session(tmp_path / "a session.nwb")
    result = inspect(capfd, path, "--condition-column", "drug")
    assert result["format"] == "NWB"
    assert result["understood"]["orientation_deg"] == "column direction of trials"
    assert result["understood"]["spikes"].startswith("spike times of units")
    assert result["unused"] == {"contrast": 2}
    first, second = result["neurons"]
    assert (first["neuron"], first["spikes"], first["window_s"], first["directions"]) == ("3", 40, 1.0, True)
    assert (second["neuron"], second["spikes"]) == ("12", 2)
    control, drug = first["conditions"]
    assert control == {
        "condition": "control",
        "orientation_deg": [0.0, 90.0],
        "trials": [4, 4],
        "blank_trials": 2,
    }
    assert drug["condition"] == "ketamine"

    layout = Layout(condition="drug")
    for entry in (first, second):
        recording = read_by_fit(monkeypatch, entry["command"])
        assert recording.name == entry["neuron"]
        # Directions of several conditions are fitted one condition at a time.
        assert recording.conditions() == ("control",)
        whole = read_recording(path, neuron=entry["neuron"], fold=True, layout=layout)
        assert int(whole.spikes.sum()) == entry["spikes"]
        np.testing.assert_array_equal(recording.spikes, whole.spikes[whole.condition == "control"])


def test_the_same_for_people(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = session(tmp_path / "s.nwb")
    assert _console.run(cli.app, ["inspect", str(path), "--condition-column", "drug"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0] == f"{path}: NWB, 2 neurons"
    assert "    not used: contrast (2 values)" in lines
    assert "    control: deg (trials) 0 (4), 90 (4); blank trials: 2" in lines
    assert (
        f"    ketune fit {path} -o s-12 --neuron 12 --condition-column drug --fold --condition control"
        in lines
    )
    assert lines[-1] == "add --with ketamine to fit that condition together with control"


def test_trials_of_different_lengths_need_a_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = session(tmp_path / "s.nwb", longest=1.4)
    assert _console.run(cli.app, ["inspect", str(path)]) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err == (
        f"Error: {path}: table trials: trials last 1 to 1.4 s; "
        "pass --window '1 s' to count all in one window from their start\n"
    )
    result = inspect(capfd, path, "--window", "500 ms")
    recording = read_by_fit(monkeypatch, result["neurons"][0]["command"])
    assert recording.window_s == 0.5


def test_tables_of_the_other_formats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    example = shipped_recording("example")
    example.to_csv(tmp_path / "example.csv")
    table = {
        "orientation_deg": example.orientation_deg,
        "trial": example.trial,
        "spikes": example.spikes,
        "condition": example.condition.tolist(),
        "window_s": np.full(example.spikes.size, example.window_s),
    }
    parquet.write_table(pa.table(table), tmp_path / "example.parquet")
    scipy.io.savemat(
        tmp_path / "example.mat", table | {"condition": np.array(table["condition"], dtype=object)}
    )
    for suffix, kind in ((".csv", "CSV"), (".parquet", "Parquet"), (".mat", "MAT")):
        path = tmp_path / f"example{suffix}"
        result = inspect(capfd, path)
        (entry,) = result["neurons"]
        assert (result["format"], entry["problem"], entry["directions"]) == (kind, None, False)
        for listed, name in zip(entry["conditions"], example.conditions(), strict=True):
            moments = example.moments(name)
            assert listed["orientation_deg"] == moments.orientation_deg.tolist()
            assert listed["trials"] == moments.n_trials.tolist()
            assert listed["blank_trials"] == example.counts(None, name).size
        assert read_by_fit(monkeypatch, entry["command"]).conditions() == ("control",)
        recording = read_recording(path)
        for condition in example.conditions():
            np.testing.assert_array_equal(recording.mean(condition), example.mean(condition))
            np.testing.assert_array_equal(recording.variance(condition), example.variance(condition))


def test_a_window_or_radians_to_be_given_are_part_of_the_command(tmp_path: Path) -> None:
    path = tmp_path / "cell.csv"
    path.write_text("orientation_deg,trial,spikes,note\n0,0,3,a\n0.785,0,4,b\n1.571,0,2,c\n")
    result = inspect_recording(path)
    (entry,) = result["neurons"]
    assert entry["command"] == f"ketune fit {path} -o cell --window TIME --radians"
    assert (entry["window_s"], entry["radians"], result["unused"]) == (None, True, {"note": 3})


def test_one_neuron_that_cannot_be_fitted_does_not_hide_the_others(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cells.csv"
    path.write_text(
        "neuron,orientation_deg,trial,spikes,window_s\na,0,0,3,1\na,90,0,4,1\nb,0,0,3,1\nb,0,1,3,1\n"
    )
    assert _console.run(cli.app, ["inspect", str(path)]) == 0
    out = capfd.readouterr().out
    assert "neuron b cannot be fitted: " in out
    assert "--neuron a" in out
    assert "--neuron b" not in out


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("cell.csv", b"", "empty; it needs a header line"),
        ("cell.csv", b"orientation_deg,trial,spikes\n0,0,1\n0,1,2\n", "a single orientation"),
        ("cell.parquet", b"PAR1", "not a Parquet file"),
        ("cell.mat", b"MATLAB 5.0", "not a MAT file"),
        ("cell.nwb", b"\x89HDF\r\n\x1a\n", "the file cannot be read"),
        ("cell.abf", b"", ".abf is unknown"),
    ],
)
def test_files_that_cannot_be_used_are_refused_in_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    for command in (
        ["inspect", str(path)],
        ["fit", str(path), "--window", "1 s", "-o", str(tmp_path / "out")],
    ):
        assert _console.run(cli.app, command) == 2
        captured = capfd.readouterr()
        assert captured.out == ""
        assert captured.err.startswith(f"Error: {path}")
        assert captured.err.count("\n") == 1
        assert message in captured.err
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_fitted_is_kept_as_csv(tmp_path: Path) -> None:
    path = session(tmp_path / "s.nwb")
    recording = read_recording(path, neuron="3", fold=True)
    _fit._store_recording(tmp_path, recording, None)
    kept = read_recording(tmp_path / "recording.csv", fold=True)
    for name in ("orientation_deg", "direction_deg", "spikes", "condition", "window_s", "name"):
        np.testing.assert_array_equal(getattr(kept, name), getattr(recording, name))

    table = tmp_path / "cell.csv"
    table.write_text("# mine\norientation_deg,trial,spikes,window_s,note\n0,0,3,1,a\n90,0,4,1,b\n")
    _fit._store_recording(tmp_path, read_recording(table), table)
    assert (tmp_path / "recording.csv").read_bytes() == table.read_bytes()
