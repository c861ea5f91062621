"""The default calibrated cell: the shipped cell with one stated set of drive and synaptic strengths."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

import numpy as np

from ketune import _toml
from ketune.afferents import Drive
from ketune.cell import Cell, Overrides
from ketune.cell_model import default_cell
from ketune.fitting import synapse_overrides
from ketune.morphology import Morphology


@dataclass(frozen=True)
class Reference:
    """Parameters of the calibrated cell, from ``reference.toml``.

    Attributes
    ----------
    drive
        Afferent rates; both trees prefer ``drive.preferred_basal_deg``.
    strengths_nS
        Peak conductance of one synapse by kind (``ampa_nS``, ``nmda_nS``, ``pv_nS``, ``sst_nS``).
    nmda
        Parameters of the magnesium block.
    hcn1_density
        Factor on the HCN1 conductance of the shipped cell.
    placement_seed
        Of the synapses.
    """

    drive: Drive
    strengths_nS: dict[str, float]
    nmda: dict[str, float]
    hcn1_density: float
    placement_seed: int

    def cell(self, morphology: Morphology | None = None) -> Cell:
        """The cell, resting where the shipped one rests; ``morphology`` replaces the shipped one."""
        cell = default_cell(morphology=morphology)
        gbar = cell.placement("hcn1").parameters["gbar"] * self.hcn1_density
        return cell.with_parameters({("hcn1", "gbar"): gbar}).rest_balanced()

    @property
    def synapses(self) -> Overrides:
        """Strengths and magnesium block as parameter overrides."""
        block = {("nmda", name): np.array(value) for name, value in self.nmda.items()}
        strengths = {key: np.array(value) for key, value in synapse_overrides(self.strengths_nS).items()}
        return {**strengths, **block}

    def with_disparity(self, disparity_deg: float) -> Reference:
        """The same with the apical afferents' mean preference turned by ``disparity_deg``."""
        turned = self.drive.preferred_basal_deg + disparity_deg
        return replace(self, drive=replace(self.drive, preferred_apical_deg=turned))

    def as_dict(self) -> dict[str, Any]:
        """For a result file."""
        return {
            "drive": self.drive.as_dict(),
            "strengths_nS": self.strengths_nS,
            "nmda": self.nmda,
            "hcn1_density": self.hcn1_density,
            "placement_seed": self.placement_seed,
        }


def reference() -> Reference:
    """The shipped parameter set."""
    text = (resources.files("ketune") / "biology" / "reference.toml").read_text(encoding="utf-8")
    content = _toml.parse(text, "reference.toml")
    return Reference(
        drive=Drive(**content["drive"]),
        strengths_nS=content["strengths"],
        nmda=content["nmda"],
        hcn1_density=content["cell"]["hcn1_density"],
        placement_seed=content["placement_seed"],
    )
