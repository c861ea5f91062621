"""A cell without one of its dendrites: membrane, channels and synapses gone."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from ketune.cell import Cell, Placement
from ketune.compartments import CompartmentTable
from ketune.events import Events

_PER_SECTION = ("section_parent", "section_region", "section_first", "section_count")
_PER_NODE = ("node_parent", "node_g_uS")


@dataclass(frozen=True, eq=False)
class Remaining:
    """What is left of a cell.

    Attributes
    ----------
    label
        What was removed, for people: "apical tree", "basal dendrite 1".
    compartment
        ``int (n intact,)``: a compartment's index in ``cell``, -1 where it was removed.
    """

    label: str
    cell: Cell
    compartment: NDArray[np.int64]

    def events(self, events: Events) -> Events:
        """The intact cell's events without those on what was removed."""
        now = self.compartment[events.compartment]
        kept = events.take(np.flatnonzero(now >= 0))
        return replace(kept, compartment=now[now >= 0].astype(np.int32))


def dendrites(cell: Cell) -> dict[str, tuple[int, ...]]:
    """Sections of every dendrite that can be removed, by its label.

    Everything apical on the soma is one tree; basal dendrites on the soma are numbered in the order of the file.
    """
    table = cell.table
    on_soma = [int(s) for s in np.flatnonzero(table.section_parent == 0)]
    apical = [s for s in on_soma if table.section_region[s] == "apical"]
    basal = [s for s in on_soma if table.section_region[s] == "basal"]
    found = {"apical tree": tuple(apical)} if apical else {}
    found |= {f"basal dendrite {i}": (s,) for i, s in enumerate(basal, start=1)}
    return {label: _with_branches(table, stems) for label, stems in found.items()}


def without(cell: Cell, label: str) -> Remaining:
    """The cell without the dendrite of that label (:func:`dendrites`)."""
    table = cell.table
    gone = np.isin(table.section, dendrites(cell)[label])
    moved = np.where(gone, -1, np.cumsum(~gone) - 1)
    placements = tuple(p for p in (_kept(p, moved) for p in cell.placements) if len(p.compartments))
    labels = {p.label for p in placements}
    ports = {port: tuple(x for x in own if x in labels) for port, own in cell.ports.items()}
    left = replace(
        cell,
        name=f"{cell.name} without {label}",
        table=_table(table, gone, moved),
        placements=placements,
        ports=ports,
    )
    return Remaining(label, left, moved)


def _with_branches(table: CompartmentTable, stems: tuple[int, ...]) -> tuple[int, ...]:
    removed = set(stems)
    # Parents come before children.
    for section, parent in enumerate(table.section_parent):
        if int(parent) in removed:
            removed.add(section)
    return tuple(sorted(removed))


def _kept(placement: Placement, moved: NDArray[np.int64]) -> Placement:
    now = moved[placement.compartments]
    keep = now >= 0
    parameters = {name: values[keep] for name, values in placement.parameters.items()}
    return replace(placement, compartments=now[keep], parameters=parameters)


def _table(table: CompartmentTable, gone: NDArray[np.bool_], moved: NDArray[np.int64]) -> CompartmentTable:
    """The table without whole dendrites on the soma: nothing else is joined differently."""
    n = table.n
    sections = ~np.isin(np.arange(len(table.section_parent)), table.section[gone])
    new_section = np.cumsum(sections) - 1
    # A branch point goes with the compartment that it ends.
    nodes = np.concatenate([~gone, ~gone[table.node_parent[n:]]])
    new_node = np.cumsum(nodes) - 1
    parts = {}
    for field in fields(CompartmentTable):
        keep = sections if field.name in _PER_SECTION else nodes if field.name in _PER_NODE else ~gone
        parts[field.name] = getattr(table, field.name)[keep]
    for name, renumbered in (("section_parent", new_section), ("node_parent", new_node)):
        parent = parts[name]
        parts[name] = np.where(parent < 0, -1, renumbered[parent]).astype(np.int32)
    parts["section"] = new_section[parts["section"]].astype(np.int32)
    parts["section_first"] = moved[parts["section_first"]].astype(np.int32)
    return CompartmentTable(**parts)
