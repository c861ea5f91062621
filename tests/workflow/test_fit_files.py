"""What a fit leaves in its directory can be read back."""

from pathlib import Path

import numpy as np
import pytest

from ketune.errors import InputError
from ketune.tuning import read_recording
from ketune.workflow import recording_of

DIRECTIONS = "orientation_deg,trial,spikes,neuron\n" + "".join(
    f"{d},{t},{d // 45 + t},{n}\n" for n in ("a", "b") for d in range(0, 360, 45) for t in (1, 2)
)


def fit_of(recording, reading) -> dict:
    orientations = recording.orientations().tolist()
    return {
        "recording": {
            "orientation_deg": orientations,
            "n_trials": [len(recording.counts(o)) for o in orientations],
        },
        "settings": {"reading": reading, "condition": None},
    }


def test_a_recording_is_read_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "recording.csv").write_text(DIRECTIONS)
    reading = {"fold": True, "neuron": "b", "window": "200 ms"}
    recording = read_recording(tmp_path / "recording.csv", **reading)
    again = recording_of(tmp_path, fit_of(recording, reading))
    np.testing.assert_array_equal(again.spikes, recording.spikes)
    np.testing.assert_array_equal(again.direction_deg, recording.direction_deg)
    assert (again.name, again.window_s) == ("b", 0.2)


def test_a_recording_that_was_not_a_file(tmp_path: Path) -> None:
    (tmp_path / "first.csv").write_text(DIRECTIONS)
    recording = read_recording(tmp_path / "first.csv", neuron="a", fold=True, window="200 ms")
    recording.to_csv(tmp_path / "recording.csv")
    again = recording_of(tmp_path, fit_of(recording, {"fold": True}))
    np.testing.assert_array_equal(again.orientation_deg, recording.orientation_deg)
    np.testing.assert_array_equal(again.spikes, recording.spikes)


def test_trials_that_are_not_those_of_the_fit(tmp_path: Path) -> None:
    (tmp_path / "recording.csv").write_text(DIRECTIONS)
    reading = {"fold": True, "neuron": "b", "window": "200 ms"}
    fit = fit_of(read_recording(tmp_path / "recording.csv", **reading), reading)
    fit["recording"]["n_trials"][0] += 1
    with pytest.raises(InputError, match="not those of the fit"):
        recording_of(tmp_path, fit)
