"""What the spike count of a trial depends on: mean event rates on each tree, conductances, and the window.

Synapses of one kind sit at random along the dendrites whatever their preferred orientation, so the superposition of
their Poisson processes on a tree has, over placements, one number that matters: its mean rate per synapse. An
orientation, a preference, a contrast or a drug on interneurons therefore acts through these few inputs alone, and one
response surface serves every orientation and condition of a cell.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ketune.afferents import Drive, SynapseLayout, rate_hz
from ketune.surface._actions import ACTIONS

INPUTS = (
    "basal_hz", "apical_hz", "background_hz", "pv_hz", "sst_hz", "ampa_nS", "nmda_nS", "pv_nS", "sst_nS", "window_s",
)  # fmt: skip
"""Inputs of a response surface, which takes their logarithms.

``basal_hz`` and ``apical_hz`` are mean rates per excitatory synapse of a tree while the grating is shown, background
included; ``background_hz`` is what they were before. Rates include the trial's shared gain.
"""
INPUTS_AND_ACTIONS = (*INPUTS[:-1], *ACTIONS, INPUTS[-1])
"""Inputs of a response surface that knows a drug's actions on the cell, see :class:`ketune.surface.CellActions`."""
_DRIVEN, _BACKGROUND, _PV, _SST = range(4)


def tree_share(layout: SynapseLayout, apical: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of excitatory synapses on the basal and the apical tree, and of driven ones.

    Parameters
    ----------
    apical
        ``bool (compartments,)``: which compartments are apical.
    """
    on_apical = apical[layout.compartment["exc"]]
    n_all = np.array([np.sum(~on_apical), np.sum(on_apical)])
    n_driven = np.array([np.sum(layout.tree == 0), np.sum(layout.tree == 1)])
    return n_all, n_driven


def trial_inputs(
    drive: Drive,
    layout: SynapseLayout,
    apical: np.ndarray,
    *,
    orientation_deg: float,
    gain_deviate: float,
) -> np.ndarray:
    """The five rates of one trial, exact for this placement: ``(5,)`` in the order of :data:`INPUTS`."""
    shown = bool(np.isfinite(orientation_deg))
    n_all, _ = tree_share(layout, apical)
    driven = np.zeros(2)
    if shown:
        rate = rate_hz(
            drive,
            _DRIVEN,
            gain_deviate=gain_deviate,
            orientation_deg=orientation_deg,
            tree=layout.tree,
            deviate=layout.deviate,
        )
        driven = np.array([rate[layout.tree == t].sum() for t in (0, 1)]) / np.maximum(n_all, 1)
    background, pv, sst = other_rates(drive, gain_deviate, shown)
    return np.array([driven[0] + background, driven[1] + background, background, pv, sst])


def other_rates(drive: Drive, gain_deviate: Any, shown: Any, xp: Any = np) -> tuple[Any, Any, Any]:
    """Rates of background, PV and SST synapses in a trial."""
    course = xp.where(shown, 1.0, 0.0)
    background, pv, sst = (
        rate_hz(drive, stream, gain_deviate=gain_deviate, time_course=course, xp=xp)
        for stream in (_BACKGROUND, _PV, _SST)
    )
    return background, pv, sst
