"""The population's change of the Fano factor, raw (T3a) and at matched rates (T3b)."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, nan

import numpy as np
import numpy.typing as npt

from ketune.reproduce._measure import Measured
from ketune.reproduce._resampling import expanded_interval, jackknife_error, neuron_weights, student

FloatArray = npt.NDArray[np.float64]

LEVEL = 0.95
# Below this mean count a Fano factor is near 1 whatever the neuron does, and its estimate is biased towards 1.
LEAST_MEAN_COUNT = 1.0
FEWEST_NEURONS = 3
# Of the bins of mean counts, relative: as `ketune.tuning.rate_matched_fano`.
_BIN_WIDTH = 0.15


@dataclass(frozen=True)
class Ratio:
    """Drug over control, with its interval over neurons; NaN where undecided."""

    value: float
    low: float
    high: float
    neurons: int


_UNDECIDED = Ratio(nan, nan, nan, 0)


def raw_ratio(
    control: Measured, drug: Measured, n_boot: int | None, generator: np.random.Generator | None
) -> Ratio:
    """Geometric mean over neurons of the change of a neuron's Fano factor.

    A neuron's Fano factor is the mean over the orientations that evoke at least `LEAST_MEAN_COUNT` spikes in both
    conditions: averaging before the logarithm is taken keeps variances of 0 and the bias of the logarithm out. Over
    neurons the mean is geometric, so that ratios of 1/2 and 2 cancel, every neuron counts alike, and exchanging the
    conditions inverts the result.

    Args:
        n_boot: bootstrap samples of neurons; None gives Student's interval of the logarithms.
    """
    kept = (control.mean >= LEAST_MEAN_COUNT) & (drug.mean >= LEAST_MEAN_COUNT)
    n_kept = kept.sum(axis=1)
    factor = [
        np.sum(np.divide(x.variance, x.mean, out=np.zeros_like(x.mean), where=kept), axis=1)
        for x in (control, drug)
    ]
    usable = (n_kept > 0) & (factor[0] > 0) & (factor[1] > 0)
    n = int(usable.sum())
    if n < FEWEST_NEURONS:
        return _UNDECIDED
    change = np.log(factor[1][usable] / factor[0][usable])
    centre = float(change.mean())
    if n_boot is None or generator is None:
        half = student(n, LEVEL) * float(change.std(ddof=1)) / n**0.5
        low, high = centre - half, centre + half
    else:
        low, high = expanded_interval(neuron_weights(n, n_boot, generator) @ change / n, n, LEVEL)
    return Ratio(exp(centre), exp(low), exp(high), n)


def matched_ratio(
    control: Measured, drug: Measured, n_boot: int | None, generator: np.random.Generator | None
) -> Ratio:
    """Ratio of Fano factors at equal mean counts, with an interval over neurons.

    The ratio of `ketune.tuning.rate_matched_fano` (Churchland et al. 2010, Nat Neurosci 13:369) with its random
    dropping of points replaced by what it is on average: in every bin of mean counts each point weighs by the share
    that would be kept. Points (a neuron at an orientation) need `LEAST_MEAN_COUNT` spikes in their condition.

    Args:
        n_boot: bootstrap samples of neurons; None gives an interval by the jackknife over neurons.
    """
    tables = _binned(control, drug)
    if tables is None:
        return _UNDECIDED
    present, summed = tables
    n = present.shape[1]
    value = float(_matched(np.ones((1, n)), present, summed)[0])
    if not np.isfinite(value):
        return _UNDECIDED
    if n_boot is None or generator is None:
        left_out = _matched(np.ones((n, n)) - np.eye(n), present, summed)
        if not np.isfinite(left_out).all():
            return _UNDECIDED
        half = student(n, LEVEL) * jackknife_error(left_out)
        low, high = value - half, value + half
    else:
        samples = _matched(neuron_weights(n, n_boot, generator), present, summed)
        if np.isnan(samples).mean() > 0.5 * (1.0 - LEVEL):
            return _UNDECIDED
        low, high = expanded_interval(samples[~np.isnan(samples)], n, LEVEL)
    return Ratio(value, low, high, n)


def _binned(control: Measured, drug: Measured) -> tuple[FloatArray, FloatArray] | None:
    """Points in every bin and their summed Fano factors, (2, neurons, bins); neurons without a point left out."""
    kept = [x.mean >= LEAST_MEAN_COUNT for x in (control, drug)]
    if not (kept[0].any() and kept[1].any()):
        return None
    lowest = min(float(x.mean[k].min()) for x, k in zip((control, drug), kept, strict=True))
    index = [
        np.floor(np.log(np.where(k, x.mean, lowest) / lowest) / np.log1p(_BIN_WIDTH)).astype(np.int64)
        for x, k in zip((control, drug), kept, strict=True)
    ]
    n_bins = 1 + max(int(i.max()) for i in index)
    n = control.mean.shape[0]
    present, summed = np.zeros((2, n, n_bins)), np.zeros((2, n, n_bins))
    for side, (x, k, i) in enumerate(zip((control, drug), kept, index, strict=True)):
        rows = np.broadcast_to(np.arange(n)[:, None], k.shape)[k]
        np.add.at(present[side], (rows, i[k]), 1.0)
        np.add.at(summed[side], (rows, i[k]), x.variance[k] / x.mean[k])
    used = present.sum(axis=(0, 2)) > 0
    if used.sum() < FEWEST_NEURONS:
        return None
    return present[:, used], summed[:, used]


def _matched(weights: FloatArray, present: FloatArray, summed: FloatArray) -> FloatArray:
    """Matched ratio of each weighting (b, neurons) of the neurons, (b,); NaN where nothing can be matched."""
    points = [weights @ present[side] for side in (0, 1)]
    common = np.minimum(*points)
    slopes = [
        np.sum(common * (weights @ summed[side]) / np.maximum(points[side], 1e-300), axis=1)
        for side in (0, 1)
    ]
    return np.divide(slopes[1], slopes[0], out=np.full(len(weights), np.nan), where=slopes[0] > 0)
