"""Recordings from spike times in memory, against the counts of pynapple."""

from __future__ import annotations

import numpy as np
import pynapple as nap
import pytest

from ketune.errors import InputError
from ketune.tuning import recording_from_spikes

START = 3.0 * np.arange(20)
STOP = START + 1.5
ORIENTATION = np.tile([0.0, 45.0, 90.0, 135.0, np.nan], 4)
TIMES = np.sort(np.random.default_rng(9).uniform(0, 60, 300))


def test_counts_are_those_of_pynapple() -> None:
    trials = nap.IntervalSet(START, STOP)
    spikes = nap.Ts(TIMES)
    recording = recording_from_spikes(spikes, trials, ORIENTATION)
    assert recording.spikes.tolist() == np.asarray(spikes.count(ep=trials).values).tolist()
    assert recording.window_s == 1.5
    assert recording.counts(None).size == 4
    short = recording_from_spikes(spikes, trials, ORIENTATION, window="500 ms")
    expected = spikes.count(ep=nap.IntervalSet(START, START + 0.5)).values
    assert short.spikes.tolist() == np.asarray(expected).tolist()


def test_arrays_groups_and_conditions_give_the_same() -> None:
    trials = np.stack([START, STOP], axis=1)
    condition = ["control"] * 10 + ["drug"] * 10
    expected = recording_from_spikes(TIMES, trials, ORIENTATION, condition=condition)
    assert expected.conditions() == ("control", "drug")
    group = nap.TsGroup({3: nap.Ts(TIMES), 4: nap.Ts(TIMES + 1)})
    amplitudes = nap.Tsd(TIMES, np.ones(TIMES.size))
    for spikes, neuron in ((group, 3), (group, "3"), ({"3": TIMES, "4": []}, "3"), (amplitudes, 3)):
        recording = recording_from_spikes(spikes, trials, ORIENTATION, neuron=neuron, condition=condition)
        assert recording.name == "3"
        np.testing.assert_array_equal(recording.spikes, expected.spikes)
        np.testing.assert_array_equal(recording.condition, expected.condition)
    with pytest.raises(InputError, match=r"2 neurons \(3, 4\); choose one with neuron="):
        recording_from_spikes(group, trials, ORIENTATION)
    with pytest.raises(InputError, match="no neuron 5; there are 3, 4"):
        recording_from_spikes(group, trials, ORIENTATION, neuron=5)


def test_a_silent_neuron_before_its_first_spike_counts_zero() -> None:
    """pynapple's time support begins at the first spike: those trials were recorded all the same."""
    late = nap.Ts(TIMES[TIMES > 30])
    recording = recording_from_spikes(late, nap.IntervalSet(START, STOP), ORIENTATION)
    assert recording.spikes[:10].sum() == 0
    assert recording.spikes.size == 20


def test_trials_that_touch_keep_their_length() -> None:
    """pynapple takes a microsecond from trials that touch."""
    with pytest.warns(UserWarning, match="1 microsecond"):
        trials = nap.IntervalSet(3.0 * np.arange(20), 3.0 * np.arange(1, 21))
    recording = recording_from_spikes(TIMES, trials, ORIENTATION)
    assert recording.window_s == 3.0
    assert recording.spikes.tolist() == np.histogram(TIMES, bins=3.0 * np.arange(21))[0].tolist()


def test_directions_are_folded_on_request() -> None:
    directions = np.tile([0.0, 90.0, 180.0, 270.0], 5)
    trials = np.stack([START, STOP], axis=1)
    with pytest.raises(InputError, match="drift directions"):
        recording_from_spikes(TIMES, trials, directions)
    recording = recording_from_spikes(TIMES, trials, directions, fold=True)
    assert recording.orientations().tolist() == [0, 90]


def test_tuning_curves_and_binned_counts_are_refused() -> None:
    trials = nap.IntervalSet(START, STOP)
    group = nap.TsGroup({3: nap.Ts(TIMES)})
    angle = nap.Tsd(np.arange(0, 60, 0.1), np.linspace(0, 180, 600))
    curve = nap.compute_tuning_curves(group, angle, bins=8)
    binned = nap.Ts(TIMES).count(0.1)
    for spikes, message in (
        (curve, "a DataArray: a tuning curve or binned counts, which do not hold the spikes"),
        (curve.to_pandas(), "a DataFrame: a tuning curve"),
        (group.count(0.1), "a TsdFrame: a tuning curve or binned counts"),
        (binned, "follow each other evenly, like bins"),
        ("words", "is a str; give finite spike times"),
        ([1.0, np.nan], "give finite spike times"),
        (None, "give finite spike times"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            recording_from_spikes(spikes, trials, ORIENTATION)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("trials", "orientation", "options", "message"),
    [
        (START, ORIENTATION, {}, r"give an \(n, 2\) array"),
        ([], ORIENTATION, {}, r"give an \(n, 2\) array"),
        (
            np.stack([START, STOP], 1),
            ORIENTATION[:5],
            {},
            "orientation_deg has 5 values and there are 20 trials",
        ),
        (np.stack([START, STOP], 1), ORIENTATION, {"condition": ["a"]}, "condition has 1 values"),
        (np.stack([START, STOP], 1), ORIENTATION, {"window": "4 s"}, "reaches into the next trial"),
        (np.stack([START, STOP], 1), ORIENTATION * 0, {}, "single orientation"),
    ],
)
def test_trials_that_cannot_be_counted_are_refused(
    trials: object, orientation: np.ndarray, options: dict, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        recording_from_spikes(TIMES, trials, orientation, **options)
    assert "\n" not in str(caught.value)
