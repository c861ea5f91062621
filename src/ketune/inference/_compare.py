"""Which hypothesis predicts trials that it has not seen: expected log predictive density by cross-validation.

After Vehtari, Gelman & Gabry 2017 (Stat Comput 27:1413). Hypotheses are compared on the *same* held-out trials, so the
standard error of a difference is that of the paired differences, usually far below those of the two sums. Where the
difference is below 4, the hypotheses predict alike, and its standard error is itself unreliable (Sivula, Magnusson &
Vehtari 2020, arXiv:2008.10296).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ketune.errors import InputError

SMALL_DIFFERENCE = 4.0
"""Differences of elpd below this are not told apart, whatever their standard error (Sivula et al. 2020)."""

_TOLD_APART_FROM = 2.0
_FEWEST_TRIALS = 2
_FEW_TRIALS = 100


@dataclass(frozen=True)
class Hypothesis:
    """How well one hypothesis predicts.

    Attributes
    ----------
    elpd, se
        Sum over trials of the log predictive density, and its standard error over trials.
    difference, difference_se
        To the best hypothesis (zero or negative), and the standard error of the paired sum; both 0 for the best.
    words
        A sentence for the user.
    """

    name: str
    elpd: float
    se: float
    difference: float
    difference_se: float
    words: str


def compare(pointwise: Mapping[str, npt.ArrayLike]) -> tuple[Hypothesis, ...]:
    """Rank hypotheses by their predictions, best first.

    Parameters
    ----------
    pointwise
        By hypothesis, the log predictive density of each held-out trial, ``(trials,)``; the same trials in the same
        order.

    Raises
    ------
    InputError
        No hypothesis, fewer than two trials, different numbers of trials, or a density that is not finite.
    """
    table = {name: np.asarray(values, np.float64) for name, values in pointwise.items()}
    if not table:
        raise InputError("comparison: no hypothesis given")
    if len({x.shape for x in table.values()}) != 1 or next(iter(table.values())).ndim != 1:
        raise InputError(
            "comparison: hypotheses predict different trials; give each the same held-out trials"
        )
    for name, x in table.items():
        if not np.isfinite(x).all():
            raise InputError(
                f"comparison: hypothesis {name!r} gives {np.sum(~np.isfinite(x))} trials no finite log density; "
                "leave it out or mend its predictions"
            )
    n = next(iter(table.values())).size
    if n < _FEWEST_TRIALS:
        raise InputError(f"comparison: {n} held-out trials; a standard error needs at least two")
    order = sorted(table, key=lambda name: -table[name].sum())
    best = table[order[0]]
    rows = []
    for name in order:
        difference, error = float(np.sum(table[name] - best)), _standard_error(table[name] - best)
        words = _words(difference, error, order[0], n) if name != order[0] else _best_words(table, order)
        rows.append(
            Hypothesis(name, float(table[name].sum()), _standard_error(table[name]), difference, error, words)
        )
    return tuple(rows)


def stratified_folds(
    counts: Mapping[str, Sequence[npt.ArrayLike]], k: int, seed: int
) -> dict[str, tuple[npt.NDArray[np.int64], ...]]:
    """Divide trials into folds, each with its share of every condition and orientation.

    Parameters
    ----------
    counts
        By condition, the spikes of each trial at each orientation: a sequence of ``(trials,)``. Only lengths are used.
    k
        Number of folds.
    seed
        Of the random numbers.

    Returns
    -------
    By condition and orientation the fold, 0 to ``k - 1``, of each trial. Within an orientation the sizes of two folds
    differ by at most one trial, and so they do in total.

    Raises
    ------
    InputError
        Fewer than two folds, more folds than trials, or an orientation with a single trial: without it the orientation
        would be missing from what is fitted.
    """
    sizes = {condition: [np.size(c) for c in per] for condition, per in counts.items()}
    total = sum(map(sum, sizes.values()))
    if not 2 <= k <= total:
        raise InputError(f"cross-validation: {k} folds of {total} trials; give between 2 and {total}")
    generator = np.random.default_rng(seed)
    folds = {}
    dealt = 0
    for condition, per in sizes.items():
        of_condition = []
        for i, n in enumerate(per):
            if n < _FEWEST_TRIALS:
                raise InputError(
                    f"cross-validation: orientation number {i + 1} of condition {condition!r} has {n} trials; "
                    "it needs at least two"
                )
            # Dealt like cards, round and round: the next orientation goes on where this one ended.
            fold = np.empty(n, dtype=np.int64)
            fold[generator.permutation(n)] = (dealt + np.arange(n)) % k
            dealt += n
            of_condition.append(fold)
        folds[condition] = tuple(of_condition)
    return folds


def _standard_error(x: np.ndarray) -> float:
    return float(np.sqrt(x.size * x.var(ddof=1)))


def _words(difference: float, error: float, best: str, n: int) -> str:
    size = f"elpd {difference:.1f} +/- {error:.1f}"
    if -difference < SMALL_DIFFERENCE:
        return f"cannot be told apart from {best}: a difference below {SMALL_DIFFERENCE:g} is small ({size})"
    if -difference < _TOLD_APART_FROM * error:
        return f"cannot be told apart from {best}: the difference is within two standard errors ({size})"
    few = f"; with {n} trials its error is optimistic" if n < _FEW_TRIALS else ""
    return f"predicts worse than {best} ({size}{few})"


def _best_words(table: Mapping[str, np.ndarray], order: Sequence[str]) -> str:
    if len(order) == 1:
        return "the only hypothesis"
    gaps = [(name, table[order[0]] - table[name]) for name in order[1:]]
    equal = [
        name
        for name, gap in gaps
        if gap.sum() < max(SMALL_DIFFERENCE, _TOLD_APART_FROM * _standard_error(gap))
    ]
    if equal:
        return f"predicts best, but cannot be told apart from {', '.join(equal)}"
    gap = gaps[0][1]
    return (
        f"predicts best: better by {gap.sum():.1f} +/- {_standard_error(gap):.1f} than the next, {order[1]}"
    )
