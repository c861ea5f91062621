"""What a drug does to a neuron, as a few numbers: the coordinates in which a dose-response is emulated.

A drug sets parameters of every compartment. Along one dose-response these patterns hardly change their shape, so each
parameter is reduced to its mean over the synapses or the membrane that carry it, excitatory synapses for the basal and
the apical tree apart. What the reduction loses is part of the emulator's error, because that is measured against runs
with the full pattern.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ketune.fitting import synapse_overrides
from ketune.pharmacology import DrugEffect
from ketune.workflow._simulation import CONTROL, Condition

Array = NDArray[np.float64]
Actions = dict[str, float]

# Relative spread below which a number counts as one that no sample changes.
_STILL = 1e-9
# Two numbers that go up and down together this closely are one coordinate.
_COLLINEAR = 0.99999


class ActionReader:
    """Reads the numbers that stand for an effect on one fitted neuron.

    Synaptic parameters are averaged over the neuron's synapses, those of channels over membrane area times
    conductance density, so that sodium block is weighed by where the channels are.
    """

    def __init__(self, neuron: Any) -> None:
        self._neuron = neuron
        cell = neuron.cell.with_parameters(synapse_overrides(neuron.values))
        self._placements = cell.by_label
        table = neuron.cell.table
        synapses = {
            port: np.bincount(rows, minlength=table.n).astype(float)
            for port, rows in neuron.layout.compartment.items()
        }
        self._excitatory = synapses["exc"] / synapses["exc"].sum()
        self._parts: dict[str, list[tuple[str, Array]]] = {}
        for label, placement in self._placements.items():
            rows = np.asarray(placement.compartments)
            port = next((p for p, labels in cell.ports.items() if label in labels), None)
            if port is None:
                density = next(
                    (placement.parameters[p] for p in ("gbar", "g") if p in placement.parameters), 1.0
                )
                weights = [("", table.area_um2[rows] * np.asarray(density, float))]
            elif port == "exc":
                weights = [
                    (f" {tree}", synapses[port][rows] * (table.region[rows] == tree))
                    for tree in ("basal", "apical")
                ]
            else:
                weights = [("", synapses[port][rows])]
            self._parts[label] = [(part, w / w.sum()) for part, w in weights if w.sum() > 0]

    def __call__(self, effect: DrugEffect | None) -> Actions:
        """The numbers of an effect, or of no drug; parameters that the drug leaves alone may be missing."""
        condition = CONTROL if effect is None else Condition(effect.label, effect)
        drive = self._neuron.drive(condition)
        found = {"PV drive": float(drive.pv_drive), "SST drive": float(drive.sst_drive)}
        for (label, parameter), values in self._neuron.overrides(condition).items():
            found |= self._means(label, parameter, values)
        return found

    def completed(self, rows: Sequence[Actions]) -> list[Actions]:
        """The same numbers in every row: those that an effect left alone get the cell's own."""
        names = {name for row in rows for name in row}
        own: Actions = {}
        for label, placement in self._placements.items():
            for parameter, values in placement.parameters.items():
                if any(f"{label}.{parameter}{part}" in names for part, _ in self._parts[label]):
                    own |= self._means(label, parameter, values)
        return [own | row for row in rows]

    def nmda_block(self, effect: DrugEffect) -> float:
        """Share of NMDA conductance blocked, mean over excitatory synapses."""
        return float(self._excitatory @ effect.nmda_block)

    def _means(self, label: str, parameter: str, values: Any) -> Actions:
        at = np.broadcast_to(np.asarray(values, float), np.shape(self._placements[label].compartments))
        return {f"{label}.{parameter}{part}": float(weight @ at) for part, weight in self._parts[label]}


@dataclass(frozen=True, eq=False)
class ActionSpace:
    """The numbers that vary over a set of effects, measured from the control in units of their spread.

    Attributes
    ----------
    names
        Of the coordinates, such as "nmda.block basal" or "PV drive".
    control, spread
        ``(d,)`` value without the drug, and standard deviation over the effects.
    """

    names: tuple[str, ...]
    control: Array
    spread: Array

    @classmethod
    def spanned_by(cls, rows: Sequence[Mapping[str, float]], control: Mapping[str, float]) -> ActionSpace:
        """Coordinates that differ among complete ``rows``; of several that are the same up to scale, the first."""
        names = tuple(sorted(control))
        values = np.array([[row[name] for name in names] for row in [control, *rows]])
        spread = values.std(axis=0)
        varying = np.flatnonzero(spread > _STILL * np.maximum(np.abs(values).max(axis=0), 1e-300))
        kept: list[int] = []
        for i in varying.tolist():
            if not any(abs(np.corrcoef(values[:, i], values[:, j])[0, 1]) > _COLLINEAR for j in kept):
                kept.append(i)
        return cls(tuple(names[i] for i in kept), values[0, kept], spread[kept])

    def points(self, rows: Sequence[Mapping[str, float]]) -> Array:
        """``(n, d)`` coordinates of complete rows; the control is the origin."""
        values = np.array([[row[name] for name in self.names] for row in rows]).reshape(
            len(rows), len(self.names)
        )
        return (values - self.control) / self.spread
