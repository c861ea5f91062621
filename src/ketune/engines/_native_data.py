"""What printing a cell gives: the C++ source, and the numbers that its functions read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Sums:
    """What the adjoint collects for a placement.

    Attributes
    ----------
    to_parameters
        Sums of currents and states, ``(rows, sums, lanes)``, and of the events' jumps, ``(rows, states, lanes)``, to
        the derivatives with respect to the parameters (given and derived) asked for, ``(rows, 1 or lanes)``.
    """

    to_parameters: Callable[[Sequence[np.ndarray]], dict[str, np.ndarray]]


@dataclass(frozen=True, eq=False)
class FunctionData:
    """Numbers that one printed function reads at each row of its placement.

    Attributes
    ----------
    constants, by_lane
        ``(rows, constants)``, and ``(rows, constants, lanes)`` of those that differ between lanes.
    table_of
        Where its tables begin, ``(rows, 1)``; ``(rows, 0)`` without tables.
    n_sums
        How many sums it collects.
    """

    constants: np.ndarray
    by_lane: np.ndarray
    table_of: np.ndarray
    n_sums: int


@dataclass(frozen=True, eq=False)
class PlacementData:
    """Numbers of one placement, rows in the order of the nodes.

    Attributes
    ----------
    label
        Of the placement; "ions" for the ions that vary, which come first.
    compartments
        The compartment of each row.
    state, state_names
        At the start of a run, ``(rows, states, 1 or lanes)``.
    jump
        What an event of weight 1 adds to each state, in the same shape.
    functions
        By name: "currents", "states", and "currents_adjoint" and "states_adjoint" where there is an adjoint.
    """

    label: str
    compartments: np.ndarray
    state: np.ndarray
    state_names: tuple[str, ...]
    jump: np.ndarray
    functions: dict[str, FunctionData]


@dataclass(frozen=True, eq=False)
class CellSource:
    """Source and data of a cell; cells that differ in numbers only share the source.

    Attributes
    ----------
    tables
        Coefficients of all rate tables.
    sums
        By label, what the adjoint collects.
    """

    text: str
    placements: tuple[PlacementData, ...]
    tables: np.ndarray
    sums: Mapping[str, Sums]

    def number(self, label: str) -> int:
        """Of a placement, in the order of the kernel."""
        return next(k for k, p in enumerate(self.placements) if p.label == label)


def stacked(arrays: Sequence[Any], rows: int) -> np.ndarray:
    """Arrays ``(rows, 1)`` or ``(rows, lanes)`` side by side, ``(rows, arrays, 1 or lanes)``."""
    lanes = max([np.shape(x)[1] for x in arrays if np.ndim(x) == 2], default=1)
    if not arrays:
        return np.empty((rows, 0, 1))
    return np.stack([np.broadcast_to(np.asarray(x), (rows, lanes)) for x in arrays], axis=1)
