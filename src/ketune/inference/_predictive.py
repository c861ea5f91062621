"""Posterior predictive checks: would the fitted model record what was recorded?

The model is recorded again and again, each time with the parameters of one posterior draw and with the recorded numbers
of trials, and every statistic of those replicates is compared with that of the data (Gelman, Meng & Stern 1996, Stat
Sinica 6:733). The same data shaped the posterior, so tail probabilities lean towards 1: a small one speaks against the
model, a large one is no proof for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ketune.errors import InputError
from ketune.inference._verdict import FloatArray, circular_mean, wrap
from ketune.tuning import fit_counts_many, vector_sum

PERIOD_DEG = 180.0
SURPRISING = 0.05

_FEWEST_FOR_A_CURVE = 4
_CHUNK = 250  # draws fitted together: bounds the memory of the search


@dataclass(frozen=True, eq=False)
class IndexCheck:
    """One number of the recording against its predictive distribution.

    Attributes
    ----------
    name
        ``osi_fit``, ``gosi``, ``preferred_deg``, ``shift_deg`` or ``spontaneous_rate_hz``.
    condition
        For a shift the later of the two.
    recorded
        NaN where the recording does not define it.
    predicted
        ``(draws,)``, NaN where a replicate does not define it.
    p_value
        Two-sided tail probability, see :func:`tail_probability`.
    period
        180 for orientations and their differences, which are compared on the circle around the predicted mean.
    """

    name: str
    condition: str
    recorded: float
    predicted: FloatArray
    p_value: float
    period: float | None = None

    @property
    def n_undefined(self) -> int:
        """Replicates that do not define the number."""
        return int(np.isnan(self.predicted).sum())

    def band(self, level: float) -> tuple[float, float]:
        """Equal-tailed predictive interval; on the circle it may leave [0, period)."""
        known = self.predicted[np.isfinite(self.predicted)]
        if known.size == 0:
            return float("nan"), float("nan")
        centre = 0.0 if self.period is None else circular_mean(known, self.period)
        around = known if self.period is None else wrap(known - centre, self.period)
        low, high = np.quantile(around, [(1 - level) / 2, (1 + level) / 2])
        return float(centre + low), float(centre + high)


@dataclass(frozen=True, eq=False)
class CurveCheck:
    """Mean counts or Fano factors of one condition against their predictive distributions.

    Attributes
    ----------
    name
        ``mean`` or ``fano``.
    orientation_deg
        ``(m,)``; NaN is the blank.
    recorded
        ``(m,)``; NaN where undefined (a Fano factor without spikes or of one trial).
    predicted
        ``(draws, m)``.
    p_value
        ``(m,)`` two-sided tail probabilities.
    """

    name: str
    condition: str
    orientation_deg: FloatArray
    recorded: FloatArray
    predicted: FloatArray
    p_value: FloatArray

    def band(self, level: float) -> tuple[FloatArray, FloatArray]:
        """Equal-tailed predictive interval at each orientation, ``(m,)`` each; NaN where no replicate defines one."""
        band = np.full((2, self.recorded.size), np.nan)
        for i, column in enumerate(self.predicted.T):
            known = column[np.isfinite(column)]
            if known.size:
                band[:, i] = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
        return band[0], band[1]


@dataclass(frozen=True, eq=False)
class PredictiveCheck:
    """All checks of one fit: curves by condition, then the indices."""

    curves: tuple[CurveCheck, ...]
    indices: tuple[IndexCheck, ...]

    @property
    def words(self) -> str:
        """How many of the statistics surprise, against how many would by chance."""
        p = np.concatenate([*(c.p_value for c in self.curves), [i.p_value for i in self.indices]])
        p = p[np.isfinite(p)]
        n = int(np.sum(p < SURPRISING))
        expected = SURPRISING * p.size
        return (
            f"{n} of {p.size} recorded statistics have a tail probability below {SURPRISING:g} "
            f"(at most {expected:.1f} expected from a model that is true)"
        )


def check_predictive(
    replicated: Mapping[str, npt.ArrayLike],
    recorded: Mapping[str, Sequence[npt.ArrayLike]],
    orientation_deg: npt.ArrayLike,
    *,
    window_s: float,
) -> PredictiveCheck:
    """Compare replicated with recorded counts.

    OSI and preferred orientation are those of the fitted curve, gOSI that of the vector sum, as everywhere in ketune.
    With fewer than four orientations no curve is fitted and what needs it is NaN.

    Parameters
    ----------
    replicated
        By condition, ``int (draws, m, trials)``: spikes of as many trials as were recorded, or more (the first count).
        Draw ``i`` has the same parameters in all conditions.
    recorded
        By condition, in the order of the recording (shifts are against the first): for each of ``m`` orientations the
        spikes of its trials, ``(n_k,)``.
    orientation_deg
        ``(m,)`` degrees in [0, 180), the same for all conditions; NaN for the blank.
    window_s
        Counting window.

    Raises
    ------
    InputError
        Shapes that do not fit together.
    """
    theta = np.asarray(orientation_deg, np.float64)
    shared = {np.shape(replicated[c])[0] for c in recorded if c in replicated}
    if set(replicated) != set(recorded) or len(shared) != 1:
        raise InputError(
            "predictive check: replicated and recorded need the same conditions and one number of draws"
        )
    curves: list[CurveCheck] = []
    indices: list[IndexCheck] = []
    reference: tuple[float, FloatArray] | None = None
    for condition, counts in recorded.items():
        data, replicates, n = _moments_of(condition, counts, replicated[condition], theta.size)
        for name, x, y in (("mean", data[0], replicates[0]), ("fano", _fano(*data), _fano(*replicates))):
            p = np.array([tail_probability(y[:, i], x[0, i]) for i in range(theta.size)])
            curves.append(CurveCheck(name, condition, theta, x[0], y, p))
        found, predicted = (_indices(theta, *moments, n, window_s) for moments in (data, replicates))
        indices += [_index_check(k, condition, float(found[k][0]), predicted[k]) for k in found]
        preferred = float(found["preferred_deg"][0]), predicted["preferred_deg"]
        if reference is None:
            reference = preferred
        else:
            shift = wrap(preferred[1] - reference[1], PERIOD_DEG)
            moved = float(wrap(preferred[0] - reference[0], PERIOD_DEG))
            indices.append(_index_check("shift_deg", condition, moved, shift))
    return PredictiveCheck(tuple(curves), tuple(indices))


def tail_probability(predicted: npt.ArrayLike, recorded: float) -> float:
    """Two-sided tail probability of a recorded value among predicted ones: twice the smaller tail, at most 1.

    Counts are whole numbers and few, so ties are common. They count in *both* tails, and the recorded value counts
    as one of the predicted, so the probability of p <= a is at most a under the model also for discrete
    statistics and few draws; it is never below 2 / (draws + 1). Values within 1e-9 of each other are ties.

    NaN predictions are left out; NaN where nothing can be compared.
    """
    x = np.asarray(predicted, np.float64)
    x = x[np.isfinite(x)]
    if x.size == 0 or not np.isfinite(recorded):
        return float("nan")
    tie = 1e-9 * max(1.0, abs(recorded))
    below, above = np.sum(x <= recorded + tie), np.sum(x >= recorded - tie)
    return float(min(1.0, 2.0 * (1 + min(below, above)) / (1 + x.size)))


_Moments = tuple[FloatArray, FloatArray]


def _moments_of(
    condition: str, counts: Sequence[npt.ArrayLike], replicated: npt.ArrayLike, m: int
) -> tuple[_Moments, _Moments, npt.NDArray[np.int64]]:
    """Mean and variance ``(draws, m)`` of the data (one draw) and of the replicates, and numbers of trials ``(m,)``."""
    rows = [np.asarray(c, np.float64).ravel() for c in counts]
    n = np.array([row.size for row in rows], dtype=np.int64)
    again = np.asarray(replicated, np.float64)
    if (
        again.ndim != 3
        or again.shape[1] != m
        or n.size != m
        or n.min(initial=1) < 1
        or n.max() > again.shape[2]
    ):
        raise InputError(
            f"predictive check: condition {condition!r} has replicates of shape {again.shape} for {n.tolist()} "
            f"recorded trials at {m} orientations; give (draws, orientations, trials)"
        )
    data = np.zeros((1, m, int(n.max())))
    for i, row in enumerate(rows):
        data[0, i, : row.size] = row
    return _moments(data, n), _moments(again[:, :, : int(n.max())], n), n


def _moments(counts: FloatArray, n: npt.NDArray[np.int64]) -> _Moments:
    used = np.arange(counts.shape[2]) < n[:, None]
    mean = np.sum(counts, axis=2, where=used) / n
    squares = np.sum((counts - mean[..., None]) ** 2, axis=2, where=used)
    return mean, np.divide(
        squares, n - 1.0, out=np.full_like(mean, np.nan), where=np.broadcast_to(n > 1, mean.shape)
    )


def _fano(mean: FloatArray, variance: FloatArray) -> FloatArray:
    return np.divide(variance, mean, out=np.full_like(mean, np.nan), where=mean > 0)


def _indices(
    theta: FloatArray, mean: FloatArray, variance: FloatArray, n: npt.NDArray[np.int64], window_s: float
) -> dict[str, FloatArray]:
    """Selectivity, preference and spontaneous rate of each draw, ``(draws,)`` each."""
    shown = ~np.isnan(theta)
    order = np.flatnonzero(shown)[np.argsort(theta[shown])]
    theta, blank = theta[order], mean[:, ~shown]
    rates, variance, n = mean[:, order], variance[:, order], n[order]
    osi, preferred = np.full(len(mean), np.nan), np.full(len(mean), np.nan)
    active = np.flatnonzero(rates.sum(axis=1) > 0)
    if theta.size >= _FEWEST_FOR_A_CURVE:
        for start in range(0, active.size, _CHUNK):
            rows = active[start : start + _CHUNK]
            best, amplitude, baseline, _ = fit_counts_many(theta, rates[rows], variance[rows], n)
            osi[rows] = amplitude / (amplitude + 2.0 * baseline)
            preferred[rows] = np.where(amplitude > 1e-9, best, np.nan)
    gosi = np.array([vector_sum(theta, rate)[1] for rate in rates])
    found = {"osi_fit": osi, "gosi": gosi, "preferred_deg": preferred}
    return {**found, "spontaneous_rate_hz": blank[:, 0] / window_s} if blank.size else found


def _index_check(name: str, condition: str, recorded: float, predicted: FloatArray) -> IndexCheck:
    if not name.endswith("_deg"):
        return IndexCheck(name, condition, recorded, predicted, tail_probability(predicted, recorded))
    known = predicted[np.isfinite(predicted)]
    if known.size == 0:
        return IndexCheck(name, condition, recorded, predicted, float("nan"), PERIOD_DEG)
    centre = circular_mean(known, PERIOD_DEG)
    p = tail_probability(wrap(predicted - centre, PERIOD_DEG), float(wrap(recorded - centre, PERIOD_DEG)))
    return IndexCheck(name, condition, recorded, predicted, p, PERIOD_DEG)
