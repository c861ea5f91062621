"""Shift of the preferred orientation, against what re-measuring an unchanged neuron would show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ketune.errors import InputError
from ketune.tuning._curves import count_sem, fit_counts
from ketune.tuning._recording import OrientationCounts, Recording
from ketune.tuning._search import fit_many
from ketune.tuning._shapes import Model, shape, wrap_orientation
from ketune.tuning._variability import pooled_fano, sample_counts

FloatArray = npt.NDArray[np.float64]

# Draws fitted together: bounds the memory of the search.
_CHUNK = 250


def remeasure(
    orientation_deg: npt.ArrayLike,
    mean: npt.ArrayLike,
    fano: float,
    n_trials: npt.ArrayLike,
    n_draws: int,
    generator: np.random.Generator,
    *,
    model: Model = "gaussian",
) -> tuple[FloatArray, FloatArray]:
    """Record a neuron again and again: draw counts, fit a curve to each draw.

    Args:
        orientation_deg: (m,) tested orientations.
        mean: (m,) true mean counts.
        fano: Fano factor of the counts, the same at every orientation.
        n_trials: (m,) or one number, trials at each orientation.
        n_draws: recordings to draw.

    Returns:
        Preferred orientation in [0, 180) and OSI of the fitted curve, each (n_draws,). A draw without tuning
        has an OSI of 0 and a preferred orientation at random.
    """
    theta, expected = np.asarray(orientation_deg, dtype=np.float64), np.asarray(mean, dtype=np.float64)
    n = np.broadcast_to(np.asarray(n_trials, dtype=np.int64), theta.shape)
    preferred, osi = np.empty(n_draws), np.empty(n_draws)
    most = int(n.max())
    recorded = np.arange(most)[:, None] < n
    for start in range(0, n_draws, _CHUNK):
        size = min(_CHUNK, n_draws - start)
        counts = sample_counts(expected, fano, (size, most), generator)
        average = counts.sum(axis=1, where=recorded) / n
        squares = np.sum((counts - average[:, None]) ** 2, axis=1, where=recorded)
        variance = np.divide(squares, n - 1.0, out=np.full_like(average, np.nan), where=n > 1)
        po, amplitude, baseline, _ = fit_counts_many(theta, average, variance, n, model)
        rows = slice(start, start + size)
        untuned = amplitude <= 1e-9
        preferred[rows] = np.where(untuned, generator.uniform(0.0, 180.0, size), po)
        osi[rows] = np.where(untuned, 0.0, amplitude / np.where(untuned, 1.0, amplitude + 2.0 * baseline))
    return preferred, osi


@dataclass(frozen=True, eq=False)
class Shift:
    """Change of preferred orientation between two conditions.

    Attributes:
        shift_deg: post minus pre on [-90, 90); NaN where a curve has no preferred orientation.
        preferred_pre_deg, preferred_post_deg: of the fitted curves.
        osi_change: OSI of the fitted curves, post minus pre.
        null_deg: (n_null,) shifts that re-measuring gives although the preferred orientation is unchanged.
        null_sd_deg: their standard deviation.
        null_osi_change: (n_null,) change of OSI in the same draws: what the changed rate and width do, and
            noise.
        p_value: share of null shifts at least as large as the one found, two-sided, (1 + count) / (1 +
            n_null).
        threshold_deg, chance_above_threshold: share of null shifts larger than the threshold.
        status: "ok", or "undefined" where a fit has no preferred orientation or the variability is unknown.
    """

    shift_deg: float
    preferred_pre_deg: float
    preferred_post_deg: float
    osi_change: float
    null_deg: FloatArray
    null_sd_deg: float
    null_osi_change: FloatArray
    p_value: float
    threshold_deg: float
    chance_above_threshold: float
    status: Literal["ok", "undefined"]


def shift(
    pre: Recording | OrientationCounts,
    post: Recording | OrientationCounts,
    *,
    seed: int,
    n_null: int = 2000,
    threshold_deg: float = 5.0,
    model: Model = "gaussian",
) -> Shift:
    """Shift of the preferred orientation from one condition to another, with a re-measure null distribution.

    A weaker or broader response alone scatters the estimated orientation more, so the null takes each
    condition as it was found (rate, width, baseline, Fano factor, orientations, numbers of trials) but gives
    the second one the preferred orientation of the first. Counts are drawn (`sample_counts`) and fitted as
    the data are. It covers counting noise
    only: drift over hours and errors of the curve's form come on top.

    Args:
        pre, post: a recording with one condition (or its "control"), or `Recording.moments(condition)`.
        seed: of the random numbers.
        n_null: draws.
        threshold_deg: for `chance_above_threshold`.
        model: curve to fit.
    """
    if n_null < 1:
        raise InputError(f"shift: n_null is {n_null}; draw at least one")
    tables = [x.moments() if isinstance(x, Recording) else x for x in (pre, post)]
    fits = [fit_counts(t.orientation_deg, t.mean, t.variance, t.n_trials, model=model) for t in tables]
    difference = float(wrap_orientation(fits[1].preferred_deg - fits[0].preferred_deg))
    osi_change = fits[1].osi - fits[0].osi
    fano = [pooled_fano(table) for table in tables]
    if not np.isfinite(difference) or not all(np.isfinite(f) and f > 0 for f in fano):
        nan = float("nan")
        unknown = np.full(n_null, nan)
        pre_deg, post_deg = fits[0].preferred_deg, fits[1].preferred_deg
        return Shift(
            difference,
            pre_deg,
            post_deg,
            osi_change,
            unknown,
            nan,
            unknown,
            nan,
            threshold_deg,
            nan,
            "undefined",
        )

    generator = np.random.default_rng(seed)
    drawn = []
    for table, fit, dispersion in zip(tables, fits, fano, strict=True):
        form = shape(model, table.orientation_deg - fits[0].preferred_deg, fit.sigma_deg)
        expected = fit.baseline + fit.amplitude * form
        drawn.append(
            remeasure(
                table.orientation_deg, expected, dispersion, table.n_trials, n_null, generator, model=model
            )
        )
    null = wrap_orientation(drawn[1][0] - drawn[0][0])
    return Shift(
        shift_deg=difference,
        preferred_pre_deg=fits[0].preferred_deg,
        preferred_post_deg=fits[1].preferred_deg,
        osi_change=osi_change,
        null_deg=null,
        null_sd_deg=float(null.std(ddof=1)) if n_null > 1 else float("nan"),
        null_osi_change=drawn[1][1] - drawn[0][1],
        p_value=float((1 + np.count_nonzero(np.abs(null) >= abs(difference))) / (1 + n_null)),
        threshold_deg=threshold_deg,
        chance_above_threshold=float(np.mean(np.abs(null) > threshold_deg)),
        status="ok",
    )


def fit_counts_many(
    theta: FloatArray,
    mean: FloatArray,
    variance: FloatArray,
    n: npt.NDArray[np.int64],
    model: Model = "gaussian",
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """`fit_counts` for many recordings of the same orientations, without errors and status.

    Args:
        theta: (m,) orientations, degrees; mean, variance: (k, m) of the counts; n: (m,) trials.

    Returns:
        Preferred orientation in [0, 180), amplitude, baseline and sigma, each (k,). A recording without tuning has
        amplitude 0 and an arbitrary preferred orientation.
    """
    # The first fit only sets the weights of the second, which hardly depend on its last digits.
    first = fit_many(theta, mean, count_sem(mean, variance, n), model=model, most_steps=3)
    preferred, amplitude, baseline, sigma = (x[:, None] for x in first)
    expected = baseline + amplitude * shape(model, theta - preferred, sigma)
    return fit_many(theta, mean, count_sem(expected, variance, n), model=model)
