"""Trial-to-trial variability of spike counts: the Fano factor, matched for rate, and counts drawn to a given
one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ketune.errors import InputError
from ketune.tuning._recording import OrientationCounts, Recording

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class FanoFactor:
    """Variance over mean of spike counts in a fixed window.

    Attributes:
        value: NaN where no spike was seen or one trial was recorded.
        se: standard error by the jackknife (Efron & Stein 1981, Ann Stat 9:586); NaN where one trial decides
            alone.
        n_trials: trials.
    """

    value: float
    se: float
    n_trials: int


def fano_factor(counts: npt.ArrayLike, group: npt.ArrayLike | None = None) -> FanoFactor:
    """Fano factor of counts under one stimulus, with its standard error.

    Args:
        counts: (n,) spikes in each trial.
        group: (n,) label of each trial where several stimuli are pooled; differences between their means do
            not count as variability.
    """
    n = np.asarray(counts, dtype=np.float64)
    _, label = np.unique(np.zeros(n.size) if group is None else np.asarray(group), return_inverse=True)
    size = np.bincount(label)
    freedom = n.size - size.size
    total = float(n.sum())
    if freedom < 1 or total == 0:
        return FanoFactor(float("nan"), float("nan"), n.size)
    residual = n - (np.bincount(label, n) / size)[label]
    squares = float(np.sum(residual**2))
    fano = squares / freedom / (total / n.size)
    if freedom < 2 or np.any(total == n):
        return FanoFactor(fano, float("nan"), n.size)
    # Leaving out trial i takes residual_i^2 n_g / (n_g - 1) from the squares of its group of n_g trials; a
    # trial that is its own group takes nothing, not even a degree of freedom.
    alone = size[label] == 1
    share = size[label] / np.where(alone, 1, size[label] - 1)
    left_out = (squares - residual**2 * share) / (freedom - 1 + alone) / ((total - n) / (n.size - 1))
    spread = np.sum((left_out - left_out.mean()) ** 2)
    return FanoFactor(fano, float(np.sqrt(spread * (n.size - 1) / n.size)), n.size)


def fano_by_orientation(recording: Recording, condition: str | None = None) -> tuple[FanoFactor, ...]:
    """Fano factor at each of `recording.orientations(condition)`; within directions in a folded recording."""
    factors = []
    for orientation in recording.orientations(condition):
        rows = recording.rows(float(orientation), condition)
        directions = None if recording.direction_deg is None else recording.direction_deg[rows]
        factors.append(fano_factor(recording.spikes[rows], directions))
    return tuple(factors)


def pooled_fano(moments: OrientationCounts) -> float:
    """One Fano factor for all orientations: summed variance over summed mean, weighted by trials."""
    known = ~np.isnan(moments.variance)
    freedom = moments.n_trials[known] - 1.0
    spikes = float(freedom @ moments.mean[known])
    return float(freedom @ moments.variance[known]) / spikes if spikes > 0 else float("nan")


def sample_counts(
    mean: npt.ArrayLike, fano: npt.ArrayLike, size: int | tuple[int, ...], generator: np.random.Generator
) -> IntArray:
    """Draw spike counts with given means and Fano factors.

    Negative binomial above 1, Poisson at 1, binomial below 1. A binomial with a small mean cannot be much
    more regular than Poisson (its Fano factor is at least 1 - mean for means below 1); there it comes as near
    as it can.

    Args:
        mean: (..., m) expected counts.
        fano: variance over mean, positive; one number, or an array that broadcasts against the means.
        size: leading shape of the draws.

    Returns:
        Counts of shape (*size, ..., m).
    """
    dispersion = np.asarray(fano, dtype=np.float64)
    if not (np.isfinite(dispersion) & (dispersion > 0)).all():
        raise InputError(f"sample_counts: fano is {dispersion.min():g}; give a positive number")
    expected = np.asarray(mean, dtype=np.float64)
    leading = (size,) if isinstance(size, int) else size
    if dispersion.ndim == 0:
        return _draw(expected, float(dispersion), leading, generator)
    expected, dispersion = np.broadcast_arrays(expected, dispersion)
    counts = np.empty((*leading, *expected.shape), dtype=np.int64)
    for law in (-1, 0, 1):
        rows = _law(dispersion) == law
        if rows.any():
            counts[..., rows] = _draw(expected[rows], dispersion[rows], leading, generator)
    return counts


def _law(fano: FloatArray) -> npt.NDArray[np.float64]:
    """1 where counts vary more than Poisson, 0 where they vary as much, -1 below."""
    return np.where(np.abs(fano - 1.0) < 1e-6, 0.0, np.sign(fano - 1.0))


def _draw(
    expected: FloatArray, fano: float | FloatArray, leading: tuple[int, ...], generator: np.random.Generator
) -> IntArray:
    """Counts by one law, that of the first Fano factor."""
    shape = (*leading, *expected.shape)
    law = _law(np.asarray(fano)).flat[0]
    if law == 0:
        return generator.poisson(expected, shape)
    if law > 0:
        # Poisson with a gamma-distributed rate: mean m, variance m + m^2 / shape = F m for shape = m / (F -
        # 1).
        gamma = generator.gamma(np.maximum(expected, 1e-300) / (fano - 1.0), fano - 1.0, shape)
        return generator.poisson(np.where(expected > 0, gamma, 0.0))
    trials = np.ceil(expected / (1.0 - fano)).astype(np.int64)
    return generator.binomial(trials, expected / np.maximum(trials, 1), shape)


@dataclass(frozen=True)
class RateMatchedFano:
    """Fano factors of two conditions over points of equal mean count.

    Attributes:
        first, second: rate-matched Fano factors, averaged over the random matches.
        ratio: second over first; ratio_low, ratio_high its 95 % bootstrap interval.
        raw_first, raw_second: without matching.
        n_matched: points kept in each condition; with 0 everything matched is NaN.
    """

    first: float
    second: float
    ratio: float
    ratio_low: float
    ratio_high: float
    raw_first: float
    raw_second: float
    n_matched: int


def rate_matched_fano(
    first: OrientationCounts | list[OrientationCounts],
    second: OrientationCounts | list[OrientationCounts],
    *,
    bin_width: float = 0.15,
    n_resamples: int = 1000,
    seed: int,
) -> RateMatchedFano:
    """Compare the Fano factors of two conditions at equal mean counts.

    A lower rate alone changes the Fano factor, so the conditions are compared where their means overlap,
    after Churchland et al. 2010 (Nat Neurosci 13:369): every neuron and orientation is one point (mean,
    variance); the means are binned (on a logarithmic scale); in each bin points are dropped at random from
    the condition that has more, so that both keep the same distribution of means; the Fano factor is the
    slope of variance on mean through the origin. The slope is weighted by degrees of freedom over mean^2, for
    a sample variance's error grows with the variance.

    Args:
        first, second: moments of one or many neurons (`Recording.moments`), counted in the same window.
        bin_width: of the bins, relative to the mean. Wider bins keep more points and match rates less
            closely.
        n_resamples: random matches, and bootstrap samples of the points for the interval.
        seed: of the random numbers.

    Raises:
        InputError: windows that differ, or nothing but silent orientations.
    """
    tables = [x if isinstance(x, list) else [x] for x in (first, second)]
    windows = {moments.window_s for table in tables for moments in table}
    if len(windows) > 1:
        raise InputError("rate_matched_fano: counting windows differ; the Fano factor depends on the window")
    points = [_points(table) for table in tables]
    if any(p.shape[1] == 0 for p in points):
        raise InputError("rate_matched_fano: a condition has no orientation with spikes and two trials")
    means = np.concatenate([p[0] for p in points])
    bins = [np.floor(np.log(p[0] / means.min()) / np.log1p(bin_width)).astype(np.int64) for p in points]
    generator = np.random.default_rng(seed)

    pairs = np.full((n_resamples, 2), np.nan)
    boot = np.full(n_resamples, np.nan)
    n_matched = 0
    for draw in range(n_resamples):
        matched = _match(bins[0], bins[1], generator)
        n_matched = matched[0].size
        if n_matched == 0:
            break
        pairs[draw] = [_slope(p[:, rows]) for p, rows in zip(points, matched, strict=True)]
        again = [generator.integers(0, b.size, b.size) for b in bins]
        rows_a, rows_b = _match(bins[0][again[0]], bins[1][again[1]], generator)
        if rows_a.size:
            low = _slope(points[0][:, again[0][rows_a]])
            boot[draw] = _slope(points[1][:, again[1][rows_b]]) / low if low > 0 else np.nan
    value = pairs.mean(axis=0)
    kept = boot[np.isfinite(boot)]
    interval = np.percentile(kept, [2.5, 97.5]) if kept.size > 1 else np.full(2, np.nan)
    return RateMatchedFano(
        first=float(value[0]),
        second=float(value[1]),
        ratio=float(value[1] / value[0]) if value[0] > 0 else float("nan"),
        ratio_low=float(interval[0]),
        ratio_high=float(interval[1]),
        raw_first=_slope(points[0]),
        raw_second=_slope(points[1]),
        n_matched=n_matched,
    )


def _points(tables: list[OrientationCounts]) -> FloatArray:
    """Rows mean, variance, degrees of freedom; columns the orientations with spikes and two trials or more."""
    mean = np.concatenate([t.mean for t in tables])
    variance = np.concatenate([t.variance for t in tables])
    freedom = np.concatenate([t.n_trials for t in tables]) - 1.0
    return np.stack([mean, variance, freedom])[:, (mean > 0) & ~np.isnan(variance)]


def _slope(points: FloatArray) -> float:
    mean, variance, freedom = points
    return float(freedom @ (variance / mean) / freedom.sum())


def _match(first: IntArray, second: IntArray, generator: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Random rows of both such that every bin holds equally many."""
    kept: tuple[list[IntArray], list[IntArray]] = ([], [])
    for value in np.intersect1d(first, second):
        rows = np.flatnonzero(first == value), np.flatnonzero(second == value)
        n = min(rows[0].size, rows[1].size)
        for side in (0, 1):
            kept[side].append(generator.permutation(rows[side])[:n])
    empty = np.empty(0, dtype=np.int64)
    return np.concatenate([empty, *kept[0]]), np.concatenate([empty, *kept[1]])
