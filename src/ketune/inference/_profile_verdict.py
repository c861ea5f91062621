"""The same words from a profile likelihood, and its interval.

A profile is the log-likelihood at its largest with one parameter held at each value of a grid. Where it lies within
half the chi-squared quantile of its maximum, the value is not excluded (Raue et al. 2009, Bioinformatics 25:1923): a
closed interval is practical identifiability, an end that stays within is none on that side, and a flat profile is
structural non-identifiability.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ketune.errors import InputError
from ketune.inference._verdict import (
    SMALLEST_CONTRACTION,
    WIDEST_SHARE_OF_CIRCLE,
    FloatArray,
    Identifiability,
    Scale,
    Verdict,
    circular_variance,
    quantity,
    reduced,
    share_of_range,
    span,
    wrap,
)

_NEAR_BOUND = 0.02
_FLAT_BELOW = 0.1


def identify_profile(
    name: str,
    values: npt.ArrayLike,
    log_likelihood: npt.ArrayLike,
    *,
    prior: npt.ArrayLike | None = None,
    bounds: tuple[float, float] | None = None,
    scale: Scale = "linear",
    to_normal: Callable[[FloatArray], FloatArray] | None = None,
    period: float | None = None,
    level: float = 0.9,
    unit: str = "",
) -> Identifiability:
    """Interval and verdict of one parameter from its profile.

    The maximum is that of the parabola through the three highest points; the signed root of twice the drop from it is
    interpolated linearly over the coordinate, which is exact for a parabola. Where a profile has several peaks the
    interval reaches to the outermost crossing. ``at bound``: the maximum lies within 2 % of the allowed range of a
    bound. With a prior, ``identified`` asks for the same contraction as from draws.

    Parameters
    ----------
    values
        Grid, ``(n,)``, at least three distinct values in the parameter's unit; any order.
    log_likelihood
        Profile, ``(n,)``, up to a constant; minus infinity where a value is impossible.
    prior
        Draws from the prior, for the contraction: that of the posterior of a normal prior with this likelihood.
    bounds, scale, to_normal, period, unit
        As for :func:`~ketune.inference.identify`. An open end on a bound ends at the bound, elsewhere at infinity.
    level
        Of the interval, and of the verdict.

    Raises
    ------
    InputError
        Fewer than three values, shapes that differ, or values that are not numbers.
    """
    from scipy import interpolate, stats

    grid, height = _checked(name, values, log_likelihood)
    origin = 0.0
    if period is not None:
        origin = float(grid[np.argmax(height)])
        grid = wrap(grid - origin, period)
    grid, first = np.unique(grid, return_index=True)
    height = height[first]
    if grid.size < 3:
        raise InputError(f"{name}: a profile needs at least three distinct values, it has {grid.size}")
    at = grid if to_normal is None or period is not None else to_normal(grid)
    best_at, top = _maximum(at, height)
    root = float(np.sqrt(stats.chi2.ppf(level, 1)))
    distance = np.sqrt(np.maximum(2.0 * (top - height), 0.0))
    right, left = at > best_at, at < best_at
    high_at = _crossing(np.r_[best_at, at[right]], np.r_[0.0, distance[right]], root)
    low_at = -_crossing(np.r_[-best_at, -at[left][::-1]], np.r_[0.0, distance[left][::-1]], root)
    value_at = interpolate.PchipInterpolator(at, grid)
    low, best, high = (float(value_at(np.clip(x, at[0], at[-1]))) for x in (low_at, best_at, high_at))
    closed = (bool(np.isfinite(low_at)), bool(np.isfinite(high_at)))
    spread = (high_at - low_at) / (2 * root)
    contraction = _contraction(spread, prior, to_normal, period)
    verdict = _verdict(closed, best, high - low, contraction, bounds, scale, period)
    flat = float(np.ptp(height)) < _FLAT_BELOW
    if not closed[0]:
        low = _open_end(grid[0], 0, bounds, scale, period)
    if not closed[1]:
        high = _open_end(grid[-1], 1, bounds, scale, period)
    if period is not None:
        shift = reduced(origin + best, period) - best
        low, best, high = low + shift, best + shift, high + shift
    words = _words(verdict, best, low, high, closed, flat, level, unit, period)
    return Identifiability(name, verdict, contraction, low, high, level, "profile", best, words)


def _checked(
    name: str, values: npt.ArrayLike, log_likelihood: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    grid, height = np.asarray(values, np.float64), np.asarray(log_likelihood, np.float64)
    if grid.ndim != 1 or grid.shape != height.shape:
        raise InputError(f"{name}: a profile needs one log-likelihood for each value of its grid")
    if not np.isfinite(grid).all() or np.isnan(height).any() or not np.isfinite(height.max(initial=-np.inf)):
        raise InputError(f"{name}: the profile holds values that are not numbers; mend the fits along it")
    return grid, height


def _maximum(at: FloatArray, height: FloatArray) -> tuple[float, float]:
    """Place and height of the maximum, by the parabola through the highest point and its neighbours."""
    k = int(np.argmax(height))
    if 0 < k < at.size - 1 and np.isfinite(height[k - 1 : k + 2]).all():
        a, b, c = np.polyfit(at[k - 1 : k + 2] - at[k], height[k - 1 : k + 2] - height[k], 2)
        if a < 0:
            return float(at[k] - b / (2 * a)), float(height[k] + c - b**2 / (4 * a))
    return float(at[k]), float(height[k])


def _crossing(at: FloatArray, distance: FloatArray, root: float) -> float:
    """Where the distance passes `root` for the last time on the way outwards; infinity if it never does."""
    inside = int(np.flatnonzero(distance <= root)[-1])
    if inside == at.size - 1:
        return float("inf")
    x0, x1, d0, d1 = at[inside], at[inside + 1], distance[inside], distance[inside + 1]
    return float(x1 if np.isinf(d1) else x0 + (x1 - x0) * (root - d0) / (d1 - d0))


def _contraction(
    spread: float,
    prior: npt.ArrayLike | None,
    to_normal: Callable[[FloatArray], FloatArray] | None,
    period: float | None,
) -> float:
    if prior is None or not np.isfinite(spread):
        return float("nan")
    before = np.asarray(prior, np.float64).ravel()
    if period is not None:
        variance = 1.0 - float(np.exp(-0.5 * (2 * np.pi / period * spread) ** 2))
        return 1.0 - variance / circular_variance(before, period)
    prior_at = before if to_normal is None else to_normal(before)
    ratio = float(prior_at.var(ddof=1)) / max(spread**2, 1e-300)
    return ratio / (1.0 + ratio)


def _verdict(
    closed: tuple[bool, bool],
    best: float,
    width: float,
    contraction: float,
    bounds: tuple[float, float] | None,
    scale: Scale,
    period: float | None,
) -> Verdict:
    weak = contraction < SMALLEST_CONTRACTION  # False where the contraction is not known
    if period is not None:
        narrow = all(closed) and width <= WIDEST_SHARE_OF_CIRCLE * period
        return "identified" if narrow and not weak else "unidentified"
    if bounds is not None and any(closed):
        place = float(share_of_range(best, bounds, scale))
        if min(place, 1.0 - place) < _NEAR_BOUND:
            return "at bound"
    if all(closed):
        return "unidentified" if weak else "identified"
    return "one-sided" if any(closed) else "unidentified"


def _open_end(
    edge: float, side: int, bounds: tuple[float, float] | None, scale: Scale, period: float | None
) -> float:
    """What stands for an end that the profile leaves open."""
    if period is not None:
        return (side - 0.5) * period
    if bounds is not None and abs(float(share_of_range(edge, bounds, scale)) - side) < _NEAR_BOUND:
        return float(bounds[side])
    return float("-inf") if side == 0 else float("inf")


def _words(
    verdict: Verdict,
    best: float,
    low: float,
    high: float,
    closed: tuple[bool, bool],
    flat: bool,
    level: float,
    unit: str,
    period: float | None,
) -> str:
    confidence = f"{100 * level:.3g} %"
    shown = (low, high) if period is None else (low % period, high % period)
    interval = span(*shown, unit)
    limit = f"at least {quantity(low, unit)}" if closed[0] else f"at most {quantity(high, unit)}"
    if verdict == "identified":
        return f"identified: {quantity(best, unit)} ({interval})"
    if verdict == "one-sided":
        side = "above" if closed[0] else "below"
        return f"one-sided: {limit} ({confidence} profile); nothing searched {side} that is excluded"
    if verdict == "at bound":
        ends = interval if all(closed) else limit
        return f"at bound: the likelihood is largest at the bound {quantity(best, unit)}; {ends} ({confidence} profile)"
    if flat:
        return "unidentified: the profile is flat, so other parameters make up for any change of this one"
    if all(closed):
        return f"unidentified: the profile closes at {interval}, too wide to determine it"
    return "unidentified: the profile excludes nothing on either side of its maximum"
