"""The cell without one of its dendrites, under the same events."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ketune.biology._reference import Reference
from ketune.cell import Cell
from ketune.events import Events
from ketune.morphology import Morphology, Section, default_morphology


@dataclass(frozen=True, eq=False)
class Ablation:
    """A cell that lost a dendrite with all that branches from it, and the synapses on it.

    Attributes
    ----------
    label
        For people: "apical tree", "basal dendrite 1".
    region
        "apical" or "basal".
    cell
        What is left.
    compartment
        ``int (n intact,)``: a compartment's index in ``cell``, -1 where it was removed.
    """

    label: str
    region: str
    cell: Cell
    compartment: np.ndarray

    def events(self, events: Events) -> Events:
        """The intact cell's events without those on the removed dendrite: common random numbers."""
        now = self.compartment[events.compartment]
        kept = events.take(np.flatnonzero(now >= 0))
        return replace(kept, compartment=now[now >= 0].astype(np.int32))


def ablations(reference: Reference, intact: Cell) -> tuple[Ablation, ...]:
    """Every dendrite on the soma in turn: the apical tree, then each basal dendrite."""
    morphology = default_morphology()
    stems = [s.index for s in morphology.sections if s.parent == 0 and s.region in ("apical", "basal")]
    stems.sort(key=lambda stem: (morphology.sections[stem].region != "apical", stem))
    found: list[Ablation] = []
    for stem in stems:
        region = morphology.sections[stem].region
        n = sum(a.region == region for a in found) + 1
        label = "apical tree" if region == "apical" else f"basal dendrite {n}"
        cell = reference.cell(without(morphology, stem))
        found.append(Ablation(label, region, cell, _moved(morphology, stem, intact)))
    return tuple(found)


def subtree(morphology: Morphology, stem: int) -> set[int]:
    """A section and all sections that branch from it."""
    removed = {stem}
    for section in morphology.sections[stem + 1 :]:
        if section.parent in removed:
            removed.add(section.index)
    return removed


def without(morphology: Morphology, stem: int) -> Morphology:
    """The morphology without a subtree, its sections renumbered."""
    removed = subtree(morphology, stem)
    kept = [s for s in morphology.sections if s.index not in removed]
    index = {s.index: k for k, s in enumerate(kept)} | {-1: -1}
    sections = tuple(Section(index[s.index], s.region, index[s.parent], s.xyz_um, s.diam_um) for s in kept)
    return replace(morphology, name=f"{morphology.name} without section {stem}", sections=sections)


def _moved(morphology: Morphology, stem: int, intact: Cell) -> np.ndarray:
    """Compartments of the intact cell in the one without the subtree."""
    table = intact.table
    # The compartment table has a soma and a synthetic axon of two sections, then the dendrites in their order.
    dendrites = [s.index for s in morphology.sections[1:] if s.region != "axon"]
    first_dendrite = len(table.section_parent) - len(dendrites)
    removed = subtree(morphology, stem)
    gone = [first_dendrite + k for k, index in enumerate(dendrites) if index in removed]
    kept = ~np.isin(table.section, gone)
    return np.where(kept, np.cumsum(kept) - 1, -1)
