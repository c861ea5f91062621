"""Dendritic plateaus: how NMDA spikes are found in a simulation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ketune.compartments import CompartmentTable

THRESHOLD_mV = -40.0
MIN_DURATION_ms = 10.0
BEYOND_um = 60.0


@dataclass(frozen=True)
class Plateau:
    """One regenerative event in a stretch of dendrite.

    Attributes
    ----------
    compartments
        Where it was, increasing.
    start_ms, end_ms
        From the first compartment that rose to the last that fell.
    """

    compartments: tuple[int, ...]
    start_ms: float
    end_ms: float


def nmda_spikes(
    v_mV: np.ndarray, without_nmda_mV: np.ndarray, table: CompartmentTable, dt_ms: float
) -> list[Plateau]:
    """NMDA spikes of one simulation, ordered by their beginning.

    A dendritic compartment more than :data:`BEYOND_um` from the soma has an NMDA spike while it stays above
    :data:`THRESHOLD_mV` without a break, if it does so for at least :data:`MIN_DURATION_ms` longer than the same
    simulation without NMDA conductance: neither a backpropagating action potential nor a volley of AMPA conductance
    alone qualifies. Neighbouring compartments that do so at the same time share one, so a plateau that spreads along
    a branch counts once.

    Parameters
    ----------
    v_mV, without_nmda_mV
        Every compartment at every step with and without NMDA conductance, ``(n_steps + 1, table.n)``.
    """
    dendrite = np.isin(table.region, ("basal", "apical")) & (table.path_um > BEYOND_um)
    least = round(MIN_DURATION_ms / dt_ms)
    spans: list[tuple[int, int, int]] = []
    for compartment in np.flatnonzero(dendrite):
        up = v_mV[:, compartment] > THRESHOLD_mV
        extra = np.cumsum(np.r_[0, up & (without_nmda_mV[:, compartment] <= THRESHOLD_mV)])
        edges = np.diff(np.r_[0, up, 0].astype(np.int8))
        for start, stop in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
            if extra[stop] - extra[start] >= least:
                spans.append((int(compartment), int(start), int(stop)))
    return sorted(
        (
            Plateau(
                tuple(sorted({c for c, _, _ in group})),
                min(start for _, start, _ in group) * dt_ms,
                max(stop for _, _, stop in group) * dt_ms,
            )
            for group in _joined(spans, table)
        ),
        key=lambda plateau: plateau.start_ms,
    )


def _joined(spans: list[tuple[int, int, int]], table: CompartmentTable) -> list[list[tuple[int, int, int]]]:
    """Groups of spans (compartment, start, stop) that touch in space and overlap in time, directly or over others."""
    touching = _touching_compartments(table)
    groups: list[list[tuple[int, int, int]]] = []
    for span in spans:
        compartment, start, stop = span
        mine = [
            group
            for group in groups
            if any((compartment, c) in touching and start < e and s < stop for c, s, e in group)
        ]
        groups = [group for group in groups if group not in mine]
        groups.append([span, *(other for group in mine for other in group)])
    return groups


def _touching_compartments(table: CompartmentTable) -> set[tuple[int, int]]:
    """Pairs of compartments that touch, both ways round; the branches at one branch point touch each other."""
    around: dict[int, list[int]] = {}
    for node, parent in enumerate(table.node_parent.tolist()):
        if parent >= 0:
            around.setdefault(node, []).append(parent)
            around.setdefault(parent, []).append(node)
    pairs = set()
    for node, neighbours in around.items():
        here = [node] if node < table.n else neighbours
        for a in here:
            pairs |= {(a, b) for b in neighbours if b < table.n and a < table.n and a != b}
    return pairs | {(b, a) for a, b in pairs}
