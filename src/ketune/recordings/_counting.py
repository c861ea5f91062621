"""Spike times to counts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ketune.errors import InputError

FloatArray = npt.NDArray[np.float64]

# Our choice: trials that a frame of the screen made longer or shorter count as equally long.
SAME_LENGTH = 0.05
# Times are stored with rounding errors, and pynapple puts 1 us between trials that touch: less than this means nothing.
TIME_RESOLUTION_S = 1e-5


def count_spikes(
    spike_times_s: npt.ArrayLike, start_s: npt.ArrayLike, window_s: float
) -> npt.NDArray[np.int64]:
    """Spikes in each window [start, start + window): a spike on the border of two belongs to the later one.

    Args:
        spike_times_s: (n,) seconds, in any order.
        start_s: (m,) starts of the windows, seconds.
        window_s: their length, seconds.

    Returns:
        (m,) counts.
    """
    times = np.sort(np.asarray(spike_times_s, dtype=np.float64))
    starts = np.asarray(start_s, dtype=np.float64)
    return np.searchsorted(times, starts + window_s, "left") - np.searchsorted(times, starts, "left")


def counting_window(
    what: str, start_s: FloatArray, stop_s: FloatArray, window_s: float | None, used: npt.NDArray[np.bool_]
) -> float:
    """The one window, in seconds, that all trials are counted in: `window_s`, or the length of the shortest trial.

    Args:
        what: file or object, for messages.
        start_s: (m,) starts of all trials, blank ones too.
        stop_s: (m,) their stops; NaN where they are not known.
        window_s: what the user asked for.
        used: (m,) which trials are counted.

    Raises:
        InputError: trials of different lengths without a window; a window that reaches into the next trial; times that
            are none.
    """
    timed = np.isfinite(start_s) | ~used
    if not timed.all():
        raise InputError(f"{what}: trial {int(np.argmin(timed)) + 1} has no start time; remove it")
    if window_s is None:
        lengths = np.where(used, stop_s - start_s, np.nan)
        ends = (lengths > 0) | ~used
        if not ends.all():
            raise InputError(
                f"{what}: trial {int(np.argmin(ends)) + 1} has no stop time after its start; "
                "pass --window '1 s' to count from the starts"
            )
        shortest, longest = float(np.nanmin(lengths)), float(np.nanmax(lengths))
        if longest > shortest * (1 + SAME_LENGTH):
            raise InputError(
                f"{what}: trials last {shortest:.4g} to {longest:.4g} s; "
                "pass --window '1 s' to count all in one window from their start"
            )
        window_s = round(shortest, 5)
    gaps = np.diff(np.sort(start_s[used]))
    if gaps.size and (gap := float(gaps.min())) < window_s - TIME_RESOLUTION_S:
        mend = "pass a shorter --window" if gap > 0 else "keep one of the two that start together"
        raise InputError(
            f"{what}: a window of {window_s:g} s reaches into the next trial, {gap:.4g} s later; {mend}"
        )
    return window_s
