"""The traced neurites, thinned for drawing, with the compartment that each piece belongs to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ketune.compartments import CompartmentTable, with_synthetic_axon
from ketune.morphology import Morphology, Section

Array = NDArray[np.float64]

_STEP_um = 4.0


@dataclass(frozen=True, eq=False)
class Outline:
    """Points along every neurite, proximal to distal, section after section.

    Attributes
    ----------
    section
        ``(p,)`` section of each point, rising.
    x_um, y_um, diam_um
        ``(p,)`` place in the plane that the reconstruction was drawn in, and diameter.
    compartment
        ``(p,)`` compartment of the piece that ends at the point; of a section's first point that which begins there.
    """

    section: NDArray[np.int_]
    x_um: Array
    y_um: Array
    diam_um: Array
    compartment: NDArray[np.int_]


def outline(morphology: Morphology, table: CompartmentTable) -> Outline | None:
    """Points at most 4 um apart, and at every border of compartments; the soma is not among them.

    Returns
    -------
    None where the table was not cut from this morphology with the usual axon.
    """
    sections = with_synthetic_axon(morphology)
    length = np.bincount(table.section, table.length_um)
    if len(sections) != len(length) or not np.allclose([s.length_um for s in sections], length):
        return None
    parts = [
        _along(s, int(table.section_first[s.index]), int(table.section_count[s.index])) for s in sections[1:]
    ]
    section, x, y, diam, compartment = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Outline(section.astype(int), x, y, diam, compartment.astype(int))


def _along(section: Section, first: int, count: int) -> tuple[Array, ...]:
    arc, length = section.arc_um, section.length_um
    borders = np.linspace(0.0, length, count + 1)
    at = np.unique(np.concatenate([borders, np.linspace(0.0, length, int(np.ceil(length / _STEP_um)) + 1)]))
    x, y, _ = section.position_um(at).T
    middle = np.concatenate([at[:1], 0.5 * (at[1:] + at[:-1])])
    compartment = first + np.clip((middle / length * count).astype(int), 0, count - 1)
    return np.full(len(at), section.index), x, y, np.interp(at, arc, section.diam_um), compartment
