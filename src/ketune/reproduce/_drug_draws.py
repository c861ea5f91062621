"""What topical ketamine may do to a neuron: its actions at draws of the drug's uncertain numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ketune import pharmacology
from ketune.afferents import SynapseLayout
from ketune.cell import Cell
from ketune.pharmacology import Drug, DrugEffect
from ketune.progress import NullProgress, Progress

Array = NDArray[np.float64]


@dataclass(frozen=True)
class TopicalDose:
    """The default topical exposure, as in Ouelhazi et al. 2019: a paper with 10 mg/ml beside the electrode.

    Attributes
    ----------
    solution
        What the paper was soaked in.
    time_min
        After application. The report gives no time: half an hour is ours.
    """

    solution: str = "10 mg/ml"
    time_min: float = 30.0


class MeanActions:
    """Reduces a drug's effect on every compartment to one number for each action.

    Synaptic actions are averaged over synapses, those on channels over membrane area times density, so that each
    channel counts where it is.
    """

    def __init__(self, cell: Cell, layout: SynapseLayout) -> None:
        n = cell.table.n
        synapses = np.bincount(layout.compartment["exc"], minlength=n).astype(float)
        apical = cell.table.region == "apical"
        self._basal, self._apical = synapses * ~apical, synapses * apical
        self._membrane = {}
        for target, density in (("hcn1", "gbar"), ("nav", "gbar"), ("kv", "gbar"), ("gabatonic", "g")):
            placement = cell.placement(target)
            weight = np.zeros(n)
            rows = np.asarray(placement.compartments)
            weight[rows] = cell.table.area_um2[rows] * placement.parameters.get(density, np.ones(len(rows)))
            self._membrane[target] = weight

    def __call__(self, effect: DrugEffect) -> dict[str, float]:
        """Values by the names of :data:`ketune.reproduce.POPULATION_ACTIONS`."""

        def over(target: str, values: Array) -> float:
            return float(np.average(values, weights=self._membrane[target]))

        left = (1.0 - effect.nmda_block) * effect.nmda_gain
        return {
            "nmda_basal": float(np.average(left, weights=self._basal)),
            "nmda_apical": float(np.average(left, weights=self._apical)),
            "pv": effect.pv_drive,
            "sst": effect.sst_drive,
            "hcn_shift_mV": over("hcn1", effect.hcn_shift_mV),
            "hcn_block": over("hcn1", effect.hcn_block),
            "nav_block": over("nav", effect.nav_block),
            "kv_block": over("kv", effect.kv_block),
            "kv_shift_mV": over("kv", effect.kv_shift_mV),
            "tonic_gaba_gain": over("gabatonic", effect.tonic_gaba_gain),
        }


def drug_draws(
    cell: Cell,
    layout: SynapseLayout,
    n: int,
    *,
    seed: int,
    dose: TopicalDose | None = None,
    drug: Drug | None = None,
    progress: Progress | None = None,
) -> dict[str, Array]:
    """Actions at ``n`` draws of all the drug's uncertain numbers, exposure included: ``(n,)`` by name.

    The draws keep what belongs together: where little drug arrives, every action is weak.
    """
    dose, drug = dose or TopicalDose(), drug or pharmacology.load_drug("ketamine")
    progress, reduced = progress or NullProgress(), MeanActions(cell, layout)
    xyz, rows = cell.table.xyz_um, []
    with progress.task("what topical ketamine may do", n) as task:
        for own in pharmacology.sample_parameters(drug, n, seed):
            depth = pharmacology.depth_below_pia(xyz[:, 1], xyz[0, 1], drug.values(own)["topical.soma_depth"])
            exposure = pharmacology.make_exposure(drug, "topical", dose.solution, overrides=own)
            c = pharmacology.concentration(exposure, depth, [dose.time_min])[0]
            rows.append(reduced(pharmacology.effect(drug, c, overrides=own, time_min=dose.time_min)))
            task.advance(1)
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}
