"""How long topical ketamine acts on a neuron after the paper is gone (T6), from the exposure model alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ketune import pharmacology
from ketune.afferents import SynapseLayout
from ketune.cell import Cell
from ketune.reproduce._drug_draws import TopicalDose

FloatArray = NDArray[np.float64]

_TIMES_MIN = np.arange(2.0, 301.0, 4.0)
_TIMES_AT_ONCE = 64


@dataclass(frozen=True)
class Reversal:
    """Minutes after the paper was laid.

    Attributes
    ----------
    removed_min
        When it is taken off, with the drug's default numbers.
    half_min
        When the mean NMDA block over the neuron's synapses has fallen below half of its largest, with the default
        numbers; None where it has not by the latest time.
    drawn_min
        The same at draws of all the drug's uncertain numbers, NaN where it has not.
    latest_min
        Latest time looked at.
    """

    removed_min: float
    half_min: float | None
    drawn_min: FloatArray
    latest_min: float = float(_TIMES_MIN[-1])


def reversal(cell: Cell, layout: SynapseLayout, dose: TopicalDose, draws: int, seed: int) -> Reversal:
    """Time until half of the action on NMDA receptors is gone."""
    drug = pharmacology.load_drug("ketamine")
    synapses = np.bincount(layout.compartment["exc"], minlength=cell.table.n).astype(float)
    xyz = cell.table.xyz_um

    def half_min(own: dict[str, float]) -> float:
        depth = pharmacology.depth_below_pia(xyz[:, 1], xyz[0, 1], drug.values(own)["topical.soma_depth"])
        exposure = pharmacology.make_exposure(drug, "topical", dose.solution, overrides=own)
        batches = np.split(_TIMES_MIN, range(_TIMES_AT_ONCE, len(_TIMES_MIN), _TIMES_AT_ONCE))
        free = np.concatenate([pharmacology.concentration(exposure, depth, t) for t in batches])
        block = []
        for minutes, c in zip(_TIMES_MIN, free, strict=True):
            e = pharmacology.effect(drug, c, overrides=own, time_min=float(minutes))
            block.append(np.average(1.0 - (1.0 - e.nmda_block) * e.nmda_gain, weights=synapses))
        gone = np.array(block) < 0.5 * max(block)
        gone[: int(np.argmax(block))] = False
        return float(_TIMES_MIN[gone][0]) if gone.any() else np.nan

    default = half_min({})
    drawn = np.array([half_min(own) for own in pharmacology.sample_parameters(drug, draws, seed)])
    removed = float(drug.values({})["topical.paper_minutes"])
    return Reversal(removed, default if np.isfinite(default) else None, drawn)
