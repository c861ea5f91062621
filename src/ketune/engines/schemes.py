"""How a step advances the voltage and the states.

``"backward_euler"`` solves for the voltage at the end of the step; its error falls with the step. ``"second_order"`` is
NEURON's `secondorder = 2`: it solves for the voltage in the middle of the step and goes as far again to the end (Crank
and Nicolson), and takes all states to be half a step ahead of the voltage (Hines 1984); its error falls with the step's
square. States that are not solved by cnexp are extrapolated from the middle in the same way. A mechanism's own current
is then the one at the beginning of the step, an ion's total current, which pools and pumps read, the one in the middle.
An event at the beginning of a step changes states that stand for its middle, so synaptic conductances come half a step
late, all alike; where the events' own times are rounded down to the step, they come in time on average.
"""

from __future__ import annotations

from typing import Literal

from ketune.cell import Cell
from ketune.errors import InputError
from ketune.mechanisms import Mechanism

Scheme = Literal["backward_euler", "second_order"]

_EXTRAPOLATED = frozenset(("sparse", "derivimplicit", "euler"))


def extrapolated(mechanism: Mechanism) -> bool:
    """Whether in the second-order scheme the states go to the middle of the step, and from there as far again.

    So does NEURON where a file has a block that is not solved by cnexp.
    """
    return bool(_EXTRAPOLATED.intersection(mechanism.methods))


def has_second_order(cell: Cell) -> bool:
    """Whether every mechanism of a cell has a second-order step."""
    return not any(_problem(p.mechanism) for p in cell.placements)


def check(cell: Cell, scheme: Scheme) -> None:
    """Refuse a cell that has no such step.

    Raises
    ------
    InputError
        One of its mechanisms has no second-order step.
    """
    if scheme == "backward_euler":
        return
    for placement in cell.placements:
        if problem := _problem(placement.mechanism):
            raise InputError(
                f"cell '{cell.name}': '{placement.label}' has no second-order step: "
                f"{placement.mechanism.path.name}: {problem}; take backward Euler, or solve all of its blocks by cnexp"
            )


def _problem(mechanism: Mechanism) -> str:
    """Why a mechanism has no second-order step; empty where it has.

    NEURON halves the step of a whole file where one block is to be extrapolated: one solved by cnexp beside it gets
    half a step, and one solved by runge goes the second half along the wrong rates.
    """
    methods = " with ".join(mechanism.methods)
    if "runge" in mechanism.methods or (extrapolated(mechanism) and "cnexp" in mechanism.methods):
        return f"NEURON's secondorder integrates METHOD {methods} wrongly"
    if extrapolated(mechanism) and mechanism.finishes:
        return f"what BREAKPOINT sets after METHOD {methods} is not translated"
    return ""
