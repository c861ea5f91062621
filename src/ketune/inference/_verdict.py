"""What a posterior says about one parameter, in one word: identified, one-sided, unidentified or at bound.

Everything compares the posterior with the *prior*, for only what differs from it came from the data.

* **Contraction** is 1 - posterior variance / prior variance in the coordinate in which the prior is normal
  (Betancourt 2020, Towards a principled Bayesian workflow); on a circle the variance is the circular one.
* An end of the 90 % interval is **pushed in** where at least a fifth of the prior lies beyond it; a posterior equal to
  the prior leaves 5 % there. For a posterior in the middle of a normal prior this is a width of half the prior's.
* An end is **left to the prior** where, above (below) the posterior's median, the prior by itself would put less than
  twice the posterior's share beyond the end. A posterior that is the prior cut off somewhere has a ratio of exactly
  1 at the end that was not cut, however narrow it is, and however the parameter is written.

The verdicts, the first that holds:

1. ``at bound``: a quarter of the posterior lies within 2 % of the allowed range from a hard bound, and at least twice
   what the prior puts there. The bound decides the interval, not the data.
2. ``identified``: the contraction is at least 0.75 (the posterior is at most half as wide as the prior) and no end is
   left to the prior.
3. ``one-sided``: just one end is pushed in.
4. ``unidentified``: all else, also a posterior that is narrower than the prior but more than half as wide.

A circle has no sides: an orientation is identified where the contraction is at least 0.75 and its 90 % interval no
wider than a quarter of the circle (45 degrees), since half as wide as a flat prior would still say little; else it is
unidentified.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ketune.errors import InputError

FloatArray = npt.NDArray[np.float64]
Verdict = Literal["identified", "one-sided", "unidentified", "at bound"]
Method = Literal["posterior", "profile"]
Scale = Literal["linear", "log"]

SMALLEST_CONTRACTION = 0.75
WIDEST_SHARE_OF_CIRCLE = 0.25
FEWEST_DRAWS = 100

_RULE_LEVEL = 0.9
_PUSHED_IN_BEYOND = 0.2
_LEFT_TO_PRIOR_BELOW = 2.0
_NEAR_BOUND = 0.02
_PILED_UP_FROM = 0.25
_CONFLICT_BELOW = 0.005


@dataclass(frozen=True)
class Identifiability:
    """What is known of one parameter.

    Attributes
    ----------
    verdict
        One of the four words; see the module.
    contraction
        From the prior: 0 nothing learned, 1 known exactly; negative where the posterior is wider. NaN where it does
        not exist (a profile with an open end or without a prior).
    low, high
        Interval at ``level``, in the parameter's unit. Equal-tailed; for a profile where it lies within half the
        quantile of chi-squared, minus or plus infinity at an open end. On a circle ``low <= median <= high`` holds with
        the median in [0, period), so ``low`` may be negative and ``high`` above the period.
    method
        Where the interval comes from.
    median
        Of the posterior; of a profile its maximum.
    words
        The same as a sentence for the user, without the name.
    """

    name: str
    verdict: Verdict
    contraction: float
    low: float
    high: float
    level: float
    method: Method
    median: float
    words: str


def identify(
    name: str,
    posterior: npt.ArrayLike,
    prior: npt.ArrayLike,
    *,
    bounds: tuple[float, float] | None = None,
    scale: Scale = "linear",
    to_normal: Callable[[FloatArray], FloatArray] | None = None,
    period: float | None = None,
    level: float = 0.9,
    unit: str = "",
) -> Identifiability:
    """Compare draws of one parameter from the posterior with draws from its prior.

    Parameters
    ----------
    posterior, prior
        Draws in the parameter's unit, any shape (chains are pooled); at least 100 of each.
    bounds
        Hard bounds of the parameter, in its unit.
    scale
        How the distance to the bounds is measured: in the value or in its logarithm.
    to_normal
        Increasing function to the coordinate in which the prior is normal; None where it is normal as it stands.
    period
        Of an angle, 180 for an orientation in degrees; bounds, scale and ``to_normal`` then have no meaning.
    level
        Of the reported interval. The verdict always looks at 90 %.
    unit
        For the words.

    Raises
    ------
    InputError
        Too few draws, draws that are not finite, or a prior that does not vary.
    """
    after, before = _draws(name, posterior, "posterior"), _draws(name, prior, "prior")
    if np.ptp(before) == 0:
        raise InputError(
            f"{name}: all prior draws are {before[0]:g}; fix the parameter instead of inferring it"
        )
    if period is not None:
        return _identify_angle(name, after, before, period, level, unit)
    low, median, high = (float(q) for q in np.quantile(after, _tails(level)))
    at, prior_at = (after, before) if to_normal is None else (to_normal(after), to_normal(before))
    if not (np.isfinite(at).all() and np.isfinite(prior_at).all()):
        raise InputError(
            f"{name}: draws on or beyond a bound have no coordinate; keep draws inside the bounds"
        )
    contraction = 1.0 - float(at.var(ddof=1) / prior_at.var(ddof=1))
    piled_up = _piled_up(after, before, bounds, scale)
    rule_low, rule_median, rule_high = np.quantile(at, _tails(_RULE_LEVEL))
    pushed_in = (
        bool(np.mean(prior_at < rule_low) >= _PUSHED_IN_BEYOND),
        bool(np.mean(prior_at > rule_high) >= _PUSHED_IN_BEYOND),
    )
    open_end = (
        _left_to_prior(-prior_at, -rule_median, -rule_low),
        _left_to_prior(prior_at, rule_median, rule_high),
    )
    verdict: Verdict
    if any(piled_up):
        verdict = "at bound"
    elif contraction >= SMALLEST_CONTRACTION and not any(open_end):
        verdict = "identified"
    elif pushed_in[0] != pushed_in[1]:
        verdict = "one-sided"
    else:
        verdict = "unidentified"

    def say(value: float) -> str:
        return quantity(value, unit)

    confidence = f"{100 * (1 + level) / 2:.3g} %"
    interval = span(low, high, unit)
    width = float(np.sqrt(1.0 - contraction))
    if verdict == "at bound":
        assert bounds is not None
        words = _bound_words(piled_up, bounds, low, high, confidence, say)
    elif verdict == "identified":
        words = f"identified: {say(median)} ({interval}), {width:.2g} of the prior's width"
    elif verdict == "one-sided":
        limit = f"at least {say(low)}" if pushed_in[0] else f"at most {say(high)}"
        side = "above" if pushed_in[0] else "below"
        words = f"one-sided: {limit} ({confidence}); how far {side} that is left to the prior"
    else:
        words = f"unidentified: {_width_words(width)}; {interval} is not determined by the data"
    rank = float(np.mean(prior_at < rule_median))
    if min(rank, 1.0 - rank) < _CONFLICT_BELOW:
        words += "; it lies outside 99 % of the prior, so check the prior"
    return Identifiability(name, verdict, contraction, low, high, level, "posterior", median, words)


def quantity(value: float, unit: str) -> str:
    """Three significant digits and the unit."""
    return f"{value:.3g} {unit}".rstrip()


def span(low: float, high: float, unit: str) -> str:
    """From low to high."""
    return f"{low:.3g} to {quantity(high, unit)}"


def circular_mean(angle: FloatArray, period: float) -> float:
    """Mean direction in [0, period)."""
    turn = 2.0 * np.pi / period
    return reduced(float(np.angle(np.exp(1j * turn * angle).mean()) / turn), period)


def reduced(angle: float, period: float) -> float:
    """The angle in [0, period): a tiny negative one must not become the period itself."""
    return angle % period % period


def wrap(angle: npt.ArrayLike, period: float) -> FloatArray:
    """Angles on [-period / 2, period / 2)."""
    return (np.asarray(angle, float) + period / 2) % period - period / 2


def circular_variance(angle: FloatArray, period: float) -> float:
    """1 - length of the mean vector: 0 for one direction, 1 for none (Mardia & Jupp 2000, Directional Statistics)."""
    return 1.0 - float(np.abs(np.exp(2j * np.pi / period * angle).mean()))


def _identify_angle(
    name: str, after: FloatArray, before: FloatArray, period: float, level: float, unit: str
) -> Identifiability:
    contraction = 1.0 - circular_variance(after, period) / circular_variance(before, period)
    centre = circular_mean(after, period)
    around = wrap(after - centre, period)
    offset = float(np.median(around))
    median = reduced(centre + offset, period)
    low, high = (median + float(q) - offset for q in np.quantile(around, _tails(level))[[0, 2]])
    rule_low, _, rule_high = np.quantile(around, _tails(_RULE_LEVEL))
    narrow = rule_high - rule_low <= WIDEST_SHARE_OF_CIRCLE * period
    verdict: Verdict = "identified" if contraction >= SMALLEST_CONTRACTION and narrow else "unidentified"
    interval = span(low % period, high % period, unit)
    if verdict == "identified":
        words = f"identified: {quantity(median, unit)} ({interval})"
    else:
        words = (
            f"unidentified: its {100 * level:.3g} % interval spans {quantity(high - low, unit)} of {period:g}"
        )
    return Identifiability(name, verdict, contraction, low, high, level, "posterior", median, words)


def _draws(name: str, draws: npt.ArrayLike, what: str) -> FloatArray:
    values = np.asarray(draws, dtype=np.float64).ravel()
    if values.size < FEWEST_DRAWS:
        raise InputError(f"{name}: {values.size} {what} draws; a verdict needs at least {FEWEST_DRAWS}")
    if not np.isfinite(values).all():
        raise InputError(
            f"{name}: {np.sum(~np.isfinite(values))} {what} draws are not finite; mend the sampler"
        )
    return values


def _tails(level: float) -> list[float]:
    return [(1.0 - level) / 2, 0.5, (1.0 + level) / 2]


def _left_to_prior(prior: FloatArray, median: float, end: float) -> bool:
    """Whether the prior alone, above the posterior's median, explains where the posterior's upper end is."""
    from scipy import stats

    beyond_median = int(np.sum(prior > median))
    if beyond_median >= FEWEST_DRAWS:
        share = float(np.mean(prior[prior > median] > end))
    else:
        # Far out in the prior there are no draws left to count; its tail is that of the normal law.
        law = stats.norm(prior.mean(), prior.std(ddof=1))
        share = float(np.exp(law.logsf(end) - law.logsf(median)))
    return share / (1.0 - _RULE_LEVEL) < _LEFT_TO_PRIOR_BELOW


def _piled_up(
    after: FloatArray, before: FloatArray, bounds: tuple[float, float] | None, scale: Scale
) -> tuple[bool, bool]:
    """Whether the posterior piles up at the lower and at the upper bound."""
    if bounds is None:
        return False, False
    (posterior_low, posterior_high), (prior_low, prior_high) = (
        (float(np.mean(f < _NEAR_BOUND)), float(np.mean(f > 1 - _NEAR_BOUND)))
        for f in (share_of_range(after, bounds, scale), share_of_range(before, bounds, scale))
    )
    return (
        posterior_low >= max(_PILED_UP_FROM, 2 * prior_low),
        posterior_high >= max(_PILED_UP_FROM, 2 * prior_high),
    )


def share_of_range(values: npt.ArrayLike, bounds: tuple[float, float], scale: Scale) -> FloatArray:
    """Where values lie between the bounds: 0 at the lower, 1 at the upper."""
    edge = np.array(bounds, float)
    at = np.asarray(values, float)
    if scale == "log":
        edge, at = np.log(edge), np.log(at)
    return (at - edge[0]) / (edge[1] - edge[0])


def _bound_words(
    piled_up: tuple[bool, bool],
    bounds: tuple[float, float],
    low: float,
    high: float,
    confidence: str,
    say: Callable[[float], str],
) -> str:
    if all(piled_up):
        return f"at bound: piles up at both its bounds, {say(bounds[0])} and {say(bounds[1])}"
    if piled_up[0]:
        return f"at bound: piles up at its lower bound {say(bounds[0])}; at most {say(high)} ({confidence})"
    return f"at bound: piles up at its upper bound {say(bounds[1])}; at least {say(low)} ({confidence})"


def _width_words(width: float) -> str:
    if width > 0.95:
        return "the posterior is as wide as the prior"
    return f"the posterior keeps {width:.2g} of the prior's width"
