"""What ketamine does to the resting potential with synapses silent, with HCN1 channels and without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ketune.cell import Cell
from ketune.engines import create
from ketune.events import Events
from ketune.pharmacology import apply_effect, effect, load_drug

BATH_uM = 10.0
SATURATING_uM = 1e6
_DT_ms = 0.1
_SETTLED_ms = 1500.0


def hcn_null(cell: Cell) -> Cell:
    """The cell without HCN1 conductance, at the same resting potential."""
    return cell.with_parameters({("hcn1", "gbar"): np.zeros(1)}).rest_balanced()


def rest_changes(cell: Cell, engine: str = "auto") -> dict[str, float]:
    """Change of the somatic resting potential (mV) by ketamine, in the wild type and the HCN1 null.

    Returns
    -------
    dict
        ``wild_type_*`` and ``null_*``, each ``bath`` (:data:`BATH_uM`, every target), ``bath_hcn`` (HCN1 alone) and
        ``saturating_hcn`` (HCN1 alone, channels saturated).
    """
    drug = load_drug("ketamine")
    ways: dict[str, tuple[float, dict[str, Any]]] = {
        "bath": (BATH_uM, {}),
        "bath_hcn": (BATH_uM, {"targets": {"hcn1"}}),
        "saturating_hcn": (SATURATING_uM, {"targets": {"hcn1"}}),
    }
    names, settings = [], []
    for genotype, own in (("wild_type", cell), ("null", hcn_null(cell))):
        base = {("hcn1", "gbar"): own.placement("hcn1").parameters["gbar"]}
        base[("leak", "e")] = own.placement("leak").parameters["e"]
        names.append(genotype)
        settings.append(base)
        for way, (concentration_uM, options) in ways.items():
            dosed = effect(drug, np.full(cell.table.n, concentration_uM), **options)
            names.append(f"{genotype}_{way}")
            settings.append(base | apply_effect(own, dosed)[0])
    v = dict(zip(names, _rest_mV(cell, settings, engine), strict=True))
    return {
        f"{genotype}_{way}": float(v[f"{genotype}_{way}"] - v[genotype])
        for genotype in ("wild_type", "null")
        for way in ways
    }


def _rest_mV(cell: Cell, settings: Sequence[Mapping[tuple[str, str], Any]], engine: str) -> np.ndarray:
    """Somatic potential at rest, one lane for each setting of parameters."""
    keys = {key for one in settings for key in one}
    overrides = {}
    for label, name in keys:
        own = cell.placement(label).parameters[name]
        columns = [np.broadcast_to(one.get((label, name), own), own.shape) for one in settings]
        overrides[label, name] = np.stack(columns, axis=1)
    silence = Events.none(
        n_lanes=len(settings), n_steps=round(_SETTLED_ms / _DT_ms), dt_ms=_DT_ms, port_names=tuple(cell.ports)
    )
    run = create(cell, engine, dt_ms=_DT_ms, dtype=np.float64).run(
        silence, overrides=overrides, stride=silence.n_steps
    )
    return run.v_mV[-1, 0]
