"""Experiments that would tell hypotheses apart: what each predicts, over the draws of its prior that meet T5."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from ketune.reproduce._members import Members
from ketune.reproduce._predicted import PopulationMoments

FloatArray = np.ndarray

FEWEST_DRAWS = 5
"""Of the draws that meet T5, for a hypothesis to be compared."""
_MOST_DRAWS, _MOST_EXPERIMENTS = 40, 3
_LEAST_COUNT = 0.05
# What is known apart cannot be known better: beyond so many standard deviations nothing is gained.
_APART = 3.0
_INTERVAL = (0.05, 0.95)


@dataclass(frozen=True)
class Manipulation:
    """Something done to the neuron before the drug, which then holds in both conditions.

    Attributes
    ----------
    held
        Actions that have this value with and without the drug.
    """

    words: str
    held: Mapping[str, float]


MANIPULATIONS = (
    Manipulation("topical ketamine", {}),
    Manipulation(
        "topical ketamine, the recorded cell's NMDA receptors blocked beforehand (MK-801 in the pipette)",
        {"nmda_basal": 0.05, "nmda_apical": 0.05},
    ),
    Manipulation(
        "topical ketamine, PV and SST cells without NMDA receptors (deletion as in Picard et al. 2019)",
        {"pv": 1.0, "sst": 1.0},
    ),
    Manipulation(
        "topical ketamine, HCN channels blocked beforehand (ZD7288)", {"hcn_block": 0.85, "hcn_shift_mV": 0.0}
    ),
)


@dataclass(frozen=True)
class Observable:
    """Something that is measured in both conditions: one number for each neuron."""

    words: str
    unit: str
    of: Callable[[FloatArray, PopulationMoments, PopulationMoments], FloatArray]


def _best(before: PopulationMoments, n_gratings: int) -> tuple[np.ndarray, np.ndarray]:
    rows = np.arange(len(before.mean))
    return rows, np.argmax(np.asarray(before.mean)[:, :n_gratings], axis=1)


def _ratio_at(turn_deg: float) -> Callable[..., FloatArray]:
    def ratio(angle: FloatArray, before: PopulationMoments, after: PopulationMoments) -> FloatArray:
        rows, best = _best(before, len(angle))
        away = np.abs((angle[None] - angle[best][:, None] - turn_deg + 90.0) % 180.0 - 90.0)
        at = np.argmin(away, axis=1)
        return np.asarray(after.mean)[rows, at] / np.maximum(np.asarray(before.mean)[rows, at], _LEAST_COUNT)

    return ratio


def _vector(angle: FloatArray, moments: PopulationMoments) -> FloatArray:
    mean = np.asarray(moments.mean)[:, : len(angle)]
    return (mean * np.exp(2j * np.deg2rad(angle))).sum(axis=1) / mean.sum(axis=1)


def _selectivity(angle: FloatArray, before: PopulationMoments, after: PopulationMoments) -> FloatArray:
    return np.abs(_vector(angle, after)) / np.abs(_vector(angle, before))


def _moved(angle: FloatArray, before: PopulationMoments, after: PopulationMoments) -> FloatArray:
    turned = _vector(angle, after) * np.conj(_vector(angle, before))
    return np.abs(np.rad2deg(np.angle(turned)) / 2.0)


def _noise(angle: FloatArray, before: PopulationMoments, after: PopulationMoments) -> FloatArray:
    rows, best = _best(before, len(angle))
    return np.asarray(after.fano)[rows, best] / np.asarray(before.fano)[rows, best]


OBSERVABLES = (
    Observable("rate at the preferred orientation, drug over control", "1", _ratio_at(0.0)),
    Observable("rate at the orthogonal orientation, drug over control", "1", _ratio_at(90.0)),
    Observable("selectivity (1 - circular variance), drug over control", "1", _selectivity),
    Observable("shift of the preferred orientation, absolute", "deg", _moved),
    Observable("Fano factor at the preferred orientation, drug over control", "1", _noise),
)


@dataclass(frozen=True)
class Prediction:
    """What one hypothesis predicts of an experiment.

    Attributes
    ----------
    value, interval
        Median over neurons: mean over draws, and the range of 90 % of them.
    sd
        Over draws and, as a standard error, over neurons.
    """

    hypothesis: str
    value: float
    interval: tuple[float, float]
    sd: float


@dataclass(frozen=True)
class ProposedExperiment:
    """An experiment with what each hypothesis predicts.

    Attributes
    ----------
    separation
        Difference of the two hypotheses furthest apart in their standard deviations.
    """

    manipulation: str
    observable: str
    unit: str
    words: str
    predicted: tuple[Prediction, ...]
    separation: float


def proposed_experiments(
    members: Members, draws: Mapping[str, Iterable[Mapping[str, float]]]
) -> list[ProposedExperiment]:
    """The few experiments that tell most pairs of hypotheses apart.

    Parameters
    ----------
    draws
        By hypothesis: actions of those draws of its prior that meet T5.
    """
    kept = {name: list(rows)[:_MOST_DRAWS] for name, rows in draws.items()}
    kept = {name: rows for name, rows in kept.items() if len(rows) >= FEWEST_DRAWS}
    if len(kept) < 2:
        return []
    every = [
        experiment for manipulation in MANIPULATIONS for experiment in _under(manipulation, members, kept)
    ]
    apart = np.array([_separations(e.predicted) for e in every])
    chosen: list[ProposedExperiment] = []
    reached = np.zeros(apart.shape[1])
    for _ in range(_MOST_EXPERIMENTS):
        gain = np.minimum(np.maximum(apart, reached), _APART).mean(axis=1)
        best = int(np.argmax(gain))
        if chosen and gain[best] <= np.minimum(reached, _APART).mean() + 0.02:
            break
        chosen.append(every[best])
        reached = np.maximum(reached, apart[best])
    return chosen


def _under(
    manipulation: Manipulation, members: Members, draws: Mapping[str, list[Mapping[str, float]]]
) -> list[ProposedExperiment]:
    angle = members.stimuli_deg[np.isfinite(members.stimuli_deg)]
    before = members.prediction.moments(manipulation.held)
    found: dict[str, list[list[FloatArray]]] = {}
    for name, rows in draws.items():
        after = [members.prediction.moments({**row, **manipulation.held}) for row in rows]
        found[name] = [[o.of(angle, before, a) for a in after] for o in OBSERVABLES]
    return [
        _experiment(manipulation, observable, {name: np.array(x[i]) for name, x in found.items()})
        for i, observable in enumerate(OBSERVABLES)
    ]


def _experiment(
    manipulation: Manipulation, observable: Observable, values: Mapping[str, FloatArray]
) -> ProposedExperiment:
    """From values ``(draws, neurons)`` of each hypothesis."""
    predicted = tuple(_prediction(name, x) for name, x in values.items())
    low, high = min(predicted, key=lambda p: p.value), max(predicted, key=lambda p: p.value)
    unit = "" if observable.unit == "1" else f" {observable.unit}"
    ends = f"{low.value:.2g}{unit} if {low.hypothesis}, {high.value:.2g}{unit} if {high.hypothesis}"
    words = f"{observable.words}: {ends}"
    return ProposedExperiment(
        manipulation.words,
        observable.words,
        observable.unit,
        words,
        predicted,
        float(np.max(_separations(predicted))),
    )


def _prediction(name: str, values: FloatArray) -> Prediction:
    median = np.median(values, axis=1)
    n = values.shape[1]
    # Standard error of a median of a normal sample.
    error = 1.2533 * float(np.mean(values.std(axis=1, ddof=1))) / np.sqrt(n)
    low, high = np.quantile(median, _INTERVAL)
    return Prediction(
        name, float(median.mean()), (float(low), float(high)), float(np.hypot(median.std(ddof=1), error))
    )


def _separations(predicted: tuple[Prediction, ...]) -> list[float]:
    return [
        float(abs(a.value - b.value) / max(np.hypot(a.sd, b.sd), 1e-9)) for a, b in combinations(predicted, 2)
    ]


def meeting(draws: Mapping[str, FloatArray], met: FloatArray) -> list[dict[str, Any]]:
    """Draws that met T5, one dictionary each."""
    return [{name: float(x[i]) for name, x in draws.items()} for i in np.flatnonzero(met)]
