"""Equivalence of the spontaneous rate (T4)."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, log, nan, sqrt

import numpy as np
import numpy.typing as npt

from ketune.reproduce._resampling import expanded_interval, neuron_weights, student

FloatArray = npt.NDArray[np.float64]

# Two one-sided tests at 95 % are passed where the 90 % interval lies inside the margin (Schuirmann 1987, J
# Pharmacokinet Biopharm 15:657).
ONE_SIDED_LEVEL = 0.95
LEVEL = 0.90


@dataclass(frozen=True)
class Equivalence:
    """Ratio of summed blank counts, drug over control, and its 90 % interval.

    Attributes:
        ratio, low, high: ratio of rates; all NaN where one condition has no spike in any blank.
        spikes: in the blanks of control and drug.
    """

    ratio: float
    low: float
    high: float
    spikes: tuple[int, int]

    def inside(self, margin: tuple[float, float]) -> bool:
        """Whether the interval lies within the margin; False where undecided."""
        return bool(margin[0] < self.low and self.high < margin[1])


def blank_ratio(
    control: npt.NDArray[np.int64],
    drug: npt.NDArray[np.int64],
    n_boot: int | None,
    generator: np.random.Generator | None,
) -> Equivalence:
    """Ratio of the population's blank counts.

    Its uncertainty has two sides: other neurons, and other trials of these neurons. The first is all there is where
    many neurons fire, but misses the noise of counts where few do (one neuron with 5 spikes in both conditions has a
    ratio of 1 in every resample), so the interval is the hull of both.

    Args:
        control, drug: (neurons, trials) counts under the blank screen; the numbers of trials may differ.
        n_boot: bootstrap samples of neurons and of trials; None gives intervals by the delta method.
    """
    totals = np.stack([control.sum(axis=1), drug.sum(axis=1)]).astype(np.float64)
    spikes = (int(totals[0].sum()), int(totals[1].sum()))
    if min(spikes) == 0:
        return Equivalence(nan, nan, nan, spikes)
    exposure = control.shape[1] / drug.shape[1]
    ratio = exposure * spikes[1] / spikes[0]
    n = control.shape[0]
    if n_boot is None or generator is None:
        relative = totals[1] / spikes[1] - totals[0] / spikes[0]
        over_neurons = student(n, LEVEL) * sqrt(n / (n - 1) * float(relative @ relative))
        variance = sum(
            x.shape[1] * float(x.var(axis=1, ddof=1).sum()) / s**2
            for x, s in zip((control, drug), spikes, strict=True)
        )
        half = max(over_neurons, student(10_000, LEVEL) * sqrt(variance))
        return Equivalence(ratio, exp(log(ratio) - half), exp(log(ratio) + half), spikes)
    drawn = neuron_weights(n, n_boot, generator) @ totals.T
    between = _interval(drawn[:, 0], drawn[:, 1], exposure, n)
    counted = [_resampled_trials(x, n_boot, generator) for x in (control, drug)]
    within = _interval(counted[0], counted[1], exposure, n * min(control.shape[1], drug.shape[1]))
    return Equivalence(ratio, min(between[0], within[0]), max(between[1], within[1]), spikes)


def _resampled_trials(
    counts: npt.NDArray[np.int64], n_boot: int, generator: np.random.Generator
) -> FloatArray:
    """Population totals when every neuron's trials are drawn again, (n_boot,)."""
    trials = counts.shape[1]
    totals = np.zeros(n_boot)
    for neuron in np.flatnonzero(counts.any(axis=1)):
        totals += counts[neuron][generator.integers(0, trials, (n_boot, trials))].sum(axis=1)
    return totals


def _interval(control: FloatArray, drug: FloatArray, exposure: float, n: int) -> tuple[float, float]:
    """Interval of the ratio; a resample without any spike could have any ratio and widens both ends."""
    empty = (control == 0) & (drug == 0)
    ratio = np.divide(exposure * drug, control, out=np.full(control.shape, inf), where=control > 0)
    # Large instead of infinite: quantiles interpolate.
    low = expanded_interval(np.where(empty, 0.0, np.minimum(ratio, 1e9)), n, LEVEL)[0]
    high = expanded_interval(np.where(empty, 1e9, np.minimum(ratio, 1e9)), n, LEVEL)[1]
    return low, high
