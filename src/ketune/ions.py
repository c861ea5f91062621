"""Ions of a cell: concentrations, reversal potentials, and who reads and writes them where.

The rules are NEURON's (its `ion_style`): where a mechanism reads or writes a concentration, the reversal potential
follows from the concentrations by Nernst's equation, unless a mechanism writes the reversal potential itself. It is
computed at the start, and where a concentration is written again at the beginning of each step.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ketune.cell import Cell, Placement
from ketune.errors import InputError
from ketune.mechanisms import Ion, loading_order

# CODATA 2018, as NEURON has them.
_GAS_J_PER_MOL_K = float.fromhex("0x1.0a1013e8990bep+3")
_FARADAY_C_PER_MOL = float.fromhex("0x1.78e555060882cp+16")

DEFAULT_CONCENTRATION_mM = {"nai": 10.0, "nao": 140.0, "ki": 54.4, "ko": 2.5, "cai": 5e-5, "cao": 2.0}
"""NEURON's; other ions start at 1 mM on both sides."""
DEFAULT_REVERSAL_mV = {"ena": 50.0, "ek": -77.0, "eca": 132.4579341637009}
"""NEURON's; other ions have 0 mV."""


def nernst(inside_mM: Any, outside_mM: Any, valence: float, celsius: Any, log: Any = np.log) -> Any:
    """Reversal potential in mV; ``log`` chooses between NumPy and JAX."""
    if valence == 0:
        return 0.0 * inside_mM
    thermal = 1e3 * _GAS_J_PER_MOL_K * (celsius + 273.15) / _FARADAY_C_PER_MOL
    return thermal / valence * log(outside_mM / inside_mM)


@dataclass(frozen=True, eq=False)
class IonUse:
    """One ion on one cell.

    Attributes
    ----------
    ion
        Its names and charge.
    present
        ``bool (n,)``: compartments with a mechanism that uses the ion.
    nernst_at, advance_at
        ``bool (n,)``: compartments whose reversal potential is computed at the start, and at every step.
    start
        Concentrations and reversal potential by name, ``float (n,)``, before INITIAL.
    varying
        Variables that change during a run, or that depend on the others' order: they are kept as states.
    """

    ion: Ion
    present: np.ndarray
    nernst_at: np.ndarray
    advance_at: np.ndarray
    start: dict[str, np.ndarray]
    varying: frozenset[str]


def ion_uses(cell: Cell) -> tuple[IonUse, ...]:
    """Every ion that the cell's mechanisms use.

    Raises
    ------
    InputError
        Two mechanisms state different charges for an ion, or a computed reversal potential lacks one.
    """
    found: dict[str, list[tuple[Placement, Ion]]] = {}
    for placement in cell.placements:
        for ion in placement.mechanism.ions:
            found.setdefault(ion.name, []).append((placement, ion))
    return tuple(_use(cell, name, users) for name, users in found.items())


def _use(cell: Cell, name: str, users: list[tuple[Placement, Ion]]) -> IonUse:
    valences = {ion.valence for _, ion in users if ion.valence is not None}
    if len(valences) > 1:
        raise InputError(
            f"cell '{cell.name}': ion {name} has different charges in its mechanisms: {sorted(valences)}"
        )
    ion = Ion(name, (), (), next(iter(valences), None))
    n = cell.table.n

    def at(variables: Iterable[str], *, writes_only: bool) -> np.ndarray:
        mask = np.zeros(n, bool)
        wanted = set(variables)
        for placement, used in users:
            if wanted & {*used.writes, *(() if writes_only else used.reads)}:
                mask[placement.compartments] = True
        return mask

    concentrations = at(ion.concentrations, writes_only=False)
    written = at(ion.concentrations, writes_only=True)
    reversal_written = at((ion.reversal,), writes_only=True)
    computed = concentrations & ~reversal_written
    if computed.any() and ion.valence is None:
        raise InputError(
            f"cell '{cell.name}': no mechanism states the charge of ion {name}: write USEION {name} ... VALENCE z"
        )
    start = {
        x: np.full(n, cell.concentration_mM.get(x, DEFAULT_CONCENTRATION_mM.get(x, 1.0)))
        for x in ion.concentrations
    }
    inside, outside = (start[x] for x in ion.concentrations)
    given = cell.reversal_mV.get(ion.reversal, DEFAULT_REVERSAL_mV.get(ion.reversal, 0.0))
    nernstian = nernst(inside, outside, ion.valence or 0.0, cell.celsius)
    start[ion.reversal] = np.where(computed, nernstian, given)
    varying = {w for _, used in users for w in used.writes if w != ion.current}
    if (computed & written).any():
        varying |= {ion.reversal, *ion.concentrations}
    if any(ion.current in used.reads for _, used in users):
        varying.add(ion.current)
    present = np.zeros(n, bool)
    for placement, _ in users:
        present[placement.compartments] = True
    return IonUse(ion, present, computed, computed & written, start, frozenset(varying))


def total_currents(cell: Cell) -> frozenset[str]:
    """The names of the ions' total currents (`ica`) on a cell."""
    return frozenset(ion.current for p in cell.placements for ion in p.mechanism.ions)


def in_neurons_order(placements: Iterable[Placement]) -> tuple[Placement, ...]:
    """Placements in the order in which NEURON computes them: those that write concentrations first.

    Among these, what was loaded last comes first (NEURON's `nrn_writes_conc`).
    """
    ordered = sorted(placements, key=lambda p: loading_order(p.mechanism.path))
    writers = [p for p in ordered if _writes_concentration(p)]
    return (*reversed(writers), *(p for p in ordered if not _writes_concentration(p)))


def _writes_concentration(placement: Placement) -> bool:
    return any(w in ion.concentrations for ion in placement.mechanism.ions for w in ion.writes)
