"""A forward run that can be differentiated: what every engine's tape holds, and what it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ketune.cell import Cell, Overrides
from ketune.errors import InputError

Key = tuple[str, str]
"""A placement's label and the name of one of its parameters."""


@dataclass(frozen=True, eq=False)
class Gradient:
    """The derivative of one number in what went into a run.

    Attributes
    ----------
    parameters
        For each parameter asked for, in the shape of its override where one was given, else ``(k,)``: one value for
        each compartment of the placement.
    weight
        ``(n_events,)``, with respect to ``events.weight``.
    """

    parameters: dict[Key, np.ndarray]
    weight: np.ndarray


@dataclass(frozen=True, eq=False)
class Tape:
    """A run with what its engine needs to differentiate it.

    Attributes
    ----------
    v_mV
        Voltage of the recorded compartments, ``(n_steps + 1, rows, n_lanes)``, every step from time 0.
    pull_back
        The engine's own way from a cotangent of ``v_mV`` to the gradient; it may be called again and again.
    """

    v_mV: np.ndarray
    pull_back: Callable[[np.ndarray], Gradient]

    def gradient(self, cotangent: np.ndarray) -> Gradient:
        """Derivative of ``sum(cotangent * v_mV)``.

        So the cotangent of a readout is its derivative in each voltage.
        """
        cotangent = np.asarray(cotangent)
        if cotangent.shape != self.v_mV.shape:
            raise ValueError(
                f"the cotangent has the shape {cotangent.shape}, the voltages have {self.v_mV.shape}"
            )
        return self.pull_back(cotangent)


def differentiated(cell: Cell, wrt: Sequence[Key], overrides: Overrides) -> dict[Key, np.ndarray]:
    """The values at which a run is differentiated: the override's, or the cell's own.

    Raises
    ------
    InputError
        A parameter is unknown, or the cell has synapses through which no gradient goes.
    """
    for placement in cell.placements:
        plastic = placement.mechanism.merging == "plastic" and cell.tells_connections_apart
        if plastic or placement.mechanism.merging == "separate":
            raise InputError(
                f"cell '{cell.name}': {placement.label} tells its connections apart; gradients need synapses whose "
                "events add up, without short-term plasticity or states of their own"
            )
    values = {}
    for label, name in wrt:
        placement = cell.placement(label)
        if name not in placement.parameters:
            known = ", ".join(placement.parameters)
            raise InputError(
                f"cell '{cell.name}': {label} has no parameter '{name}' to differentiate in; it has {known}"
            )
        values[label, name] = np.asarray(overrides.get((label, name), placement.parameters[name]), float)
    return values
