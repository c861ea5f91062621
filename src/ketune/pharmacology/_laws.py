"""Concentration to block, shift and gain: the laws of every target, in NumPy or JAX.

``p`` holds a drug's numbers by dotted name (:meth:`ketune.pharmacology.Drug.values`), which may be traced by JAX: every
law is differentiable in them and in the concentration. Equations and sources: docs/pharmacology.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ketune.pharmacology._schema import SUBUNITS

Numbers = Mapping[str, Any]


def hill_block(concentration_uM: Any, ic50_uM: Any, hill: Any = 1.0, xp: Any = np) -> Any:
    """C^n / (C^n + IC50^n), zero at zero concentration."""
    present = concentration_uM > 0
    # Where there is no drug the logarithm is taken of 1, so that no derivative is infinite.
    powered = (xp.where(present, concentration_uM, 1.0) / ic50_uM) ** hill
    return xp.where(present, powered / (1.0 + powered), 0.0)


def open_channel_ic50_uM(
    subunit: str, v_mV: Any, p: Numbers, reference_mV: float, thermal_mV: float, xp: Any
) -> Any:
    """Half block of a blocker that binds the Mg-free open pore only: K(V) (1 + Mg / K_Mg(V))."""
    above = v_mV - reference_mV
    k_mg = p[f"nmda.k_mg_{subunit}"] * xp.exp(p["nmda.mg_slope"] * above)
    k_drug = p["nmda.affinity_scale"] * p[f"nmda.k_{subunit}"] * xp.exp(p["nmda.delta"] * above / thermal_mV)
    return k_drug * (1.0 + p["nmda.mg"] / k_mg)


def known_shares(shares: Mapping[str, Any], p: Numbers, key: str) -> dict[str, Any]:
    """The shares of those subtypes whose affinity (``key``: ``k`` or ``ic50``) is known, scaled to sum to 1.

    A subtype without a number is left out rather than given another's: it then counts as the average of the known.
    """
    known = {s: f for s, f in shares.items() if f"nmda.{key}_{s}" in p}
    total = sum(known.values())
    return {s: f / total for s, f in known.items()}


def subunit_shares(cell_class: str, p: Numbers) -> dict[str, Any]:
    """Shares of the NMDA subtypes of a ``pyramid`` or an ``interneuron``; they sum to 1."""
    f_2a = p["pyramid.fraction_2A"]
    if cell_class == "pyramid":
        return {"2A": f_2a, "2B": 1.0 - f_2a}
    f_2d = p["interneuron.fraction_2D"]
    return {"2A": f_2a * (1.0 - f_2d), "2B": (1.0 - f_2a) * (1.0 - f_2d), "2D": f_2d}


def interneuron_drive(share: Any, nmda_block: Any, ampa_block: Any, p: Numbers) -> Any:
    """Firing of an interneuron that has lost part of its excitation, over its firing without drug.

    drive = (1 - share B_nmda - (1 - share) B_ampa)^exponent. No such law has been measured: share and exponent are
    assumptions with ranges, to be swept.
    """
    left = 1.0 - share * nmda_block - (1.0 - share) * ampa_block
    return left ** p["interneuron.drive_exponent"]


def simple_block(group: str, concentration_uM: Any, p: Numbers, xp: Any) -> Any:
    """``block_max`` times the Hill law of a group's ``ic50`` (or ``ec50``) and ``hill``."""
    half = p[f"{group}.ic50"] if f"{group}.ic50" in p else p[f"{group}.ec50"]
    return p[f"{group}.block_max"] * hill_block(concentration_uM, half, p[f"{group}.hill"], xp)


def gain(group: str, law: str, concentration_uM: Any, p: Numbers, xp: Any) -> Any:
    """Factor on a GABA-A conductance: below 1 for a blocker, above 1 for a modulator."""
    if law == "block":
        return 1.0 - simple_block(group, concentration_uM, p, xp)
    if law == "linear":
        return 1.0 + p[f"{group}.gain_per_100uM"] * xp.minimum(concentration_uM, 100.0) / 100.0
    return 1.0 + p[f"{group}.gain_max"] * hill_block(
        concentration_uM, p[f"{group}.ec50"], p[f"{group}.hill"], xp
    )


def check_subunits(shares: Mapping[str, float]) -> str:
    """What is wrong with shares given by hand; empty if nothing."""
    if unknown := sorted(set(shares) - set(SUBUNITS)):
        return f"unknown NMDA subunit '{unknown[0]}'; known: {', '.join(SUBUNITS)}"
    if abs(sum(shares.values()) - 1.0) > 1e-9 or min(shares.values(), default=0.0) < 0:
        return f"NMDA subunit shares {dict(shares)} must be zero or more and sum to 1"
    return ""
