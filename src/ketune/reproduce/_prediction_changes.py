"""Changes of a neuron's tuning between two conditions of the same afferent spikes, and what its trials leave open."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ketune.reproduce._measure import Measured, measure_pair
from ketune.reproduce._resampling import student
from ketune.tuning import wrap_orientation

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Change = Callable[[Measured, Measured], FloatArray]

FEWEST_SPIKES = 10
"""Below which, over all trials of a curve, its index says nothing: one spike alone has an index of 1."""
_GROUPS, _LEVEL = 8, 0.95


def selectivity_ratio(before: Measured, after: Measured) -> FloatArray:
    """OSI after over before; NaN for neurons with too few spikes in either."""
    enough = (_spikes(before) >= FEWEST_SPIKES) & (_spikes(after) >= FEWEST_SPIKES) & (before.osi > 0)
    return np.divide(after.osi, before.osi, out=np.full(enough.shape, np.nan), where=enough)


def preferred_change_deg(before: Measured, after: Measured) -> FloatArray:
    """Change of the fitted preferred orientation; NaN where one curve is not tuned."""
    change = np.asarray(wrap_orientation(after.preferred_deg - before.preferred_deg), float)
    return np.where(before.tuned & after.tuned, change, np.nan)


def width_change(before: Measured, after: Measured) -> FloatArray:
    """Relative change of the fitted width; NaN where one curve is not tuned."""
    return np.where(before.tuned & after.tuned, after.sigma_deg / before.sigma_deg - 1.0, np.nan)


def peak_ratio(before: Measured, after: Measured) -> FloatArray:
    """Largest mean response after over before; NaN for a neuron that was silent."""
    top = before.mean.max(axis=1)
    return np.divide(after.mean.max(axis=1), top, out=np.full(top.shape, np.nan), where=top > 0)


def changes(
    orientation_deg: FloatArray, before: IntArray, after: IntArray, statistics: tuple[Change, ...]
) -> list[tuple[FloatArray, FloatArray]]:
    """Of each statistic its values (n,), and half their 95 % interval from leaving out groups of trials.

    Parameters
    ----------
    before, after
        ``(n, m, trials)``; trials of one number share their afferent spikes and are left out together.
    """
    trials = before.shape[2]
    groups = np.array_split(np.arange(trials), min(_GROUPS, trials))
    g = len(groups)
    whole = measure_pair(orientation_deg, before, after)
    parts = [
        measure_pair(orientation_deg, np.delete(before, group, axis=2), np.delete(after, group, axis=2))
        for group in groups
        if trials - len(group) >= 2
    ]
    found = []
    for statistic in statistics:
        value = statistic(*whole)
        # A neuron that has no value without one group of its trials is not sure of it at all.
        left_out = np.array([statistic(*part) for part in parts])
        deviation = left_out - left_out.mean(axis=0) if len(parts) else np.full((1, len(value)), np.inf)
        half = student(max(g, 2), _LEVEL) * np.sqrt((g - 1) / g * np.sum(deviation**2, axis=0))
        found.append((value, np.where(np.isfinite(half), half, np.inf)))
    return found


def _spikes(measured: Measured) -> FloatArray:
    return np.asarray(measured.mean.sum(axis=1) * measured.n_trials, float)
