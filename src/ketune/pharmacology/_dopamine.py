"""The dopamine layer: what a drug's rise of dopamine, or a loss of its axons, does to the cell. Off by default.

Its sizes are assumptions and its directions come from prefrontal and entorhinal cortex: a result that needs it is an
extrapolation to visual cortex.

    DA  = tone rho_TH^share (1 + gain C / (C + EC50))
    O_i = DA / (DA + K_i),  D_i = (O_i - O_i0) / (1 - O_i0),  O_i0 at the tone alone
    D1: NMDA, Ih, synaptic GABA-A x (1 + m D_1), SK x (1 - m D_1)
    D2: apical NMDA x (1 - m D_2), PV drive x (1 + m D_2)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ketune.pharmacology import _laws as laws
from ketune.pharmacology._effect import DrugEffect


def dopamine_nM(p: Mapping[str, Any], concentration_uM: Any, xp: Any = np) -> Any:
    """Extracellular dopamine at a concentration of the drug."""
    tone = p["dopamine.tone"] * p["dopamine.rho_th"] ** p["dopamine.dopamine_share"]
    return tone * (
        1.0 + p["dopamine.acute_gain"] * laws.hill_block(concentration_uM, p["dopamine.ec50"], xp=xp)
    )


def dopamine_gains(p: Mapping[str, Any], concentration_uM: Any, apical: Any, xp: Any = np) -> dict[str, Any]:
    """Factors on the targets of dopamine, by field of :class:`DrugEffect`; differentiable with ``jax.numpy``.

    Parameters
    ----------
    concentration_uM
        ``(n,)`` drug at each compartment, soma first.
    apical
        ``bool (n,)``.
    """
    level = dopamine_nM(p, concentration_uM, xp)
    change = {}
    for receptor in ("d1", "d2"):
        k = p[f"dopamine.k_{receptor}"]
        base = p["dopamine.tone"] / (p["dopamine.tone"] + k)
        change[receptor] = (level / (level + k) - base) / (1.0 - base)
    m = p["dopamine.modulation"]
    raised, lowered = 1.0 + m * change["d1"], 1.0 - m * change["d1"]
    return {
        "nmda_gain": raised * xp.where(apical, 1.0 - m * change["d2"], 1.0),
        "hcn_gain": raised,
        "gabaa_gain": raised,
        "sk_gain": lowered,
        "pv_drive": 1.0 + m * change["d2"][0],
    }


def with_dopamine(effect: DrugEffect, p: Mapping[str, float], apical: np.ndarray) -> DrugEffect:
    """An effect with what dopamine adds to it."""
    gains = dopamine_gains(p, effect.concentration_uM, apical)
    return replace(effect, **{name: getattr(effect, name) * factor for name, factor in gains.items()})
