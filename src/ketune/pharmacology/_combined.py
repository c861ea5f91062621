"""Two drugs at once, and what one adds to another that was there before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ketune.pharmacology._effect import NEUTRAL, DrugEffect

_PORE = ("nmda_block", "pv_nmda_block", "sst_nmda_block", "vip_nmda_block")


def combined(one: DrugEffect, other: DrugEffect, *, same_site: bool) -> DrugEffect:
    """Two drugs at once; label, time and concentration are those of the first.

    Blocks are independent, 1 - (1 - a)(1 - b), shifts add and gains multiply. Two blockers of the NMDA pore compete
    for one site: with Hill coefficients of 1 the odds of being blocked add (``same_site``).
    """
    values: dict[str, Any] = {}
    for name, neutral in NEUTRAL.items():
        a, b = getattr(one, name), getattr(other, name)
        if name == "concentration_uM":
            continue
        if same_site and name in _PORE:
            odds = a / np.maximum(1.0 - a, 1e-12) + b / np.maximum(1.0 - b, 1e-12)
            values[name] = odds / (1.0 + odds)
        elif name.endswith("_mV"):
            values[name] = a + b
        else:
            values[name] = a * b if neutral == 1.0 else 1.0 - (1.0 - a) * (1.0 - b)
    return replace(one, **values)


def relative(total: DrugEffect, base: DrugEffect) -> DrugEffect:
    """What ``total`` adds where ``base`` is already in the recorded control: blocks and gains of what was left.

    A receptor that ``base`` blocks by b and ``total`` by t loses 1 - (1 - t)/(1 - b) of the conductance that the fit
    found.
    """
    values: dict[str, Any] = {}
    for name, neutral in NEUTRAL.items():
        t, b = getattr(total, name), getattr(base, name)
        if name == "concentration_uM":
            continue
        if name.endswith("_mV"):
            values[name] = t - b
        elif neutral == 1.0:
            values[name] = t / b
        else:
            values[name] = 1.0 - (1.0 - t) / np.maximum(1.0 - b, 1e-12)
    return replace(total, **values)
