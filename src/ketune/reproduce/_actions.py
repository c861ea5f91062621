"""What a hypothesis may change in every neuron of a population, as a few shared numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ketune.surface import ACTIONS


@dataclass(frozen=True)
class Action:
    """One number that a hypothesis sets.

    Attributes
    ----------
    none
        Its value without the drug.
    unit, meaning
        For people.
    """

    name: str
    none: float
    unit: str
    meaning: str


POPULATION_ACTIONS: dict[str, Action] = {
    a.name: a
    for a in (
        Action("nmda_basal", 1.0, "1", "NMDA conductance of basal synapses that is left"),
        Action("nmda_apical", 1.0, "1", "NMDA conductance of apical synapses that is left"),
        Action("pv", 1.0, "1", "firing of PV cells that is left"),
        Action("sst", 1.0, "1", "firing of SST cells that is left"),
        Action("hcn_shift_mV", 0.0, "mV", "hyperpolarising shift of HCN1's activation"),
        Action("hcn_block", 0.0, "1", "share of HCN1 conductance lost"),
        Action("nav_block", 0.0, "1", "share of Na conductance lost"),
        Action("kv_block", 0.0, "1", "share of delayed-rectifier conductance lost"),
        Action("kv_shift_mV", 0.0, "mV", "depolarising shift of Kv activation"),
        Action("tonic_gaba_gain", 1.0, "1", "factor on tonic GABA-A conductance"),
        Action("recurrent_drive", 1.0, "1", "factor on the rate that a grating evokes in the afferents"),
        Action(
            "retuning_deg",
            0.0,
            "deg",
            "SD over neurons of a turn of the apical afferents' preference",
        ),
        Action("gain_noise", 1.0, "1", "factor on the standard deviation of the shared gain"),
    )
}
"""By name. Those before ``recurrent_drive`` are the drug's on this neuron and its inhibition; the rest are changes of
what reaches it."""


def completed(actions: Mapping[str, Any]) -> dict[str, Any]:
    """All actions, those that are missing at no drug."""
    return {name: actions.get(name, a.none) for name, a in POPULATION_ACTIONS.items()}


def on_the_cell(actions: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs of a response surface that follow from actions: see :data:`ketune.surface.ACTIONS`."""
    every = completed(actions)
    tilt = every["nmda_apical"] / every["nmda_basal"]
    return {name: tilt if name == "nmda_tilt" else every[name] for name in ACTIONS}
