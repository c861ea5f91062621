"""Spike times to counts, against counting one spike at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketune.errors import InputError
from ketune.recordings import count_spikes, counting_window

# Multiples of 1/64 s: exact in binary, so that spikes do fall on the borders of windows.
ticks = st.integers(-128, 640).map(lambda k: k / 64)


@given(times=st.lists(ticks, max_size=60), starts=st.lists(ticks, max_size=20), window=st.integers(1, 200))
def test_counts_are_those_of_counting_one_by_one(
    times: list[float], starts: list[float], window: int
) -> None:
    window_s = window / 64
    expected = [sum(start <= time < start + window_s for time in times) for start in starts]
    assert count_spikes(times, starts, window_s).tolist() == expected


@given(times=st.lists(ticks, max_size=60), n=st.integers(1, 30), window=st.integers(1, 64))
def test_windows_that_follow_each_other_lose_no_spike_and_count_none_twice(
    times: list[float], n: int, window: int
) -> None:
    starts = np.arange(n) * window / 64
    counted = count_spikes(times, starts, window / 64).sum()
    assert counted == np.histogram(times, bins=[0, np.nextafter(n * window / 64, -1)])[0].sum()


def windows(
    start: list[float], stop: list[float], window_s: float | None, used: list[bool] | None = None
) -> float:
    n = len(start)
    return counting_window("file", np.array(start), np.array(stop), window_s, np.array(used or [True] * n))


def test_the_shortest_trial_is_the_window_where_they_are_alike() -> None:
    assert windows([0, 2, 4], [1.0, 3.0167, 5.0], None) == pytest.approx(1.0)
    assert windows([0, 2, 4], [1.0, 3.0, 4.6], 0.5) == 0.5
    # What is not counted has no say.
    assert windows([0, 2, 3.5], [1.0, 3.0, 30.0], None, [True, True, False]) == 1.0


@pytest.mark.parametrize(
    ("start", "stop", "window_s", "message"),
    [
        ([0, 2], [1.0, 3.5], None, r"file: trials last 1 to 1\.5 s; pass --window"),
        ([0, np.nan], [1.0, 3.0], None, "trial 2 has no start time"),
        ([0, 2], [1.0, np.nan], None, "trial 2 has no stop time after its start; pass --window"),
        ([0, 2], [1.0, 2.0], None, "trial 2 has no stop time after its start"),
        ([0, 2], [1.0, 3.0], 2.5, r"2\.5 s reaches into the next trial, 2 s later; pass a shorter --window"),
        ([0, 2, 2], [1.0, 3.0, 3.0], None, "0 s later; keep one of the two"),
    ],
)
def test_windows_that_mean_nothing_are_refused(
    start: list[float], stop: list[float], window_s: float | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        windows(start, stop, window_s)
