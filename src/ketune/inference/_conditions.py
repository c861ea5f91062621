"""The recorded conditions of one neuron, as the joint model takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ketune.errors import InputError
from ketune.fitting import DirectionCounts, FitParameter, SpontaneousRate
from ketune.fitting._observed import Observed

ACTIONS = ("nmda", "pv", "sst")
"""What a drug may change in the joint model, each by a factor: NMDA conductance, the firing of PV and of SST cells."""

_ACTION_MEANING = {
    "nmda": "factor on NMDA conductance",
    "pv": "factor on the firing of PV cells",
    "sst": "factor on the firing of SST cells",
}
# No effect lies inside, so that an interval can contain it; the largest factor leaves room for a drug that excites.
_FACTOR = (0.0, 1.25)


@dataclass(frozen=True, eq=False)
class ConditionCounts:
    """Spike counts of one condition.

    Attributes
    ----------
    label
        ``"control"``, ``"ketamine"``, ...
    counts
        By stimulus, in the order of the joint model's: counts of its trials, apart for each drift direction where the
        recording was folded, or what is assumed of a blank.
    actions
        Which of :data:`ACTIONS` the condition has of its own; none for the control.
    """

    label: str
    counts: tuple[Observed, ...]
    actions: tuple[str, ...] = ()

    def parameters(self) -> tuple[FitParameter, ...]:
        """The factors that are fitted for this condition."""
        return tuple(
            FitParameter(
                f"{self.label}.{name}", "", *_FACTOR, "linear", f"{self.label}: {_ACTION_MEANING[name]}"
            )
            for name in self.actions
        )


def factors_of(values: Mapping[str, Any], label: str) -> dict[str, Any]:
    """Factor of each of :data:`ACTIONS` in a condition; 1 where the condition has none of its own."""
    return {name: values.get(f"{label}.{name}", 1.0) for name in ACTIONS}


@dataclass(frozen=True, eq=False)
class Rows:
    """Counts of all conditions as rectangular arrays.

    Attributes
    ----------
    at
        ``int (rows, 2)``: condition and stimulus of each row.
    share
        ``(rows,)``: factor of a drift direction on the mean of its orientation, 1 where directions were not told apart.
    counts, times
        ``(rows, u)``: each count that occurred, and how often (0 fills up).
    """

    at: np.ndarray
    share: np.ndarray
    counts: np.ndarray
    times: np.ndarray

    def summed(self, of_rows: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """Sum over the rows of each condition and stimulus."""
        total = np.zeros(shape)
        np.add.at(total, tuple(self.at.T), of_rows)
        return total


def rows_of(conditions: Sequence[ConditionCounts]) -> Rows:
    """Recorded counts as arrays; assumed blanks are left out."""
    at, share, found = [], [], []
    for c, condition in enumerate(conditions):
        for k, observed in enumerate(condition.counts):
            if isinstance(observed, SpontaneousRate):
                continue
            groups = observed.counts if isinstance(observed, DirectionCounts) else (observed,)
            mean = float(observed.mean())
            for group in groups:
                at.append((c, k))
                share.append(group.mean() / mean if mean > 0 and len(groups) > 1 else 1.0)
                found.append(np.unique(group, return_counts=True))
    size = max(len(values) for values, _ in found)
    counts, times = np.zeros((len(found), size)), np.zeros((len(found), size))
    for row, (values, multiplicity) in enumerate(found):
        counts[row, : len(values)], times[row, : len(values)] = values, multiplicity
    return Rows(np.array(at), np.array(share), counts, times)


def check_conditions(conditions: Sequence[ConditionCounts], source: str) -> None:
    """Refuse what nothing can be learnt from.

    Raises
    ------
    InputError
        No spike in any trial, a stimulus with one trial only, or a label that is used twice.
    """
    labels = [c.label for c in conditions]
    for label in labels:
        if labels.count(label) > 1:
            raise InputError(f"{source}: condition '{label}' is given twice; name each once")
    for condition in conditions:
        recorded = [o for o in condition.counts if not isinstance(o, SpontaneousRate)]
        if not any(o.mean() > 0 for o in recorded):
            raise InputError(
                f"{source}: no spike in any trial of condition '{condition.label}'; nothing can be fitted to it"
            )
        if max(len(o) for o in recorded) < 2:
            raise InputError(
                f"{source}: condition '{condition.label}' has one trial at each orientation, which says nothing of "
                "variability; at least two are needed, and 10 or more to learn something"
            )
