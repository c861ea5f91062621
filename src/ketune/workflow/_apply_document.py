"""The parts of the document that `ketune apply` writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ketune import pharmacology, tuning
from ketune.cell import Cell
from ketune.fitting import SpikeCounts
from ketune.morphology import read_morphology
from ketune.outline import outline
from ketune.pharmacology import DrugEffect, NmdaDrive
from ketune.workflow._dosing import DrugRequest, Prepared
from ketune.workflow._simulation import Condition, FittedNeuron, counts_fields, summary_fields

_MAP_DEPTHS_UM = np.arange(0.0, 1001.0, 25.0)
_MAP_POINTS = 49
_LEVEL_POINTS = 40


def exposure(plan: Prepared) -> dict[str, Any]:
    """Where the neuron is, and every number of the drug as it was used."""
    used = plan.numbers()
    return {
        "soma_depth_um": plan.soma_depth_um,
        "lateral_distance_um": used[
            "focal.lateral_distance"
            if plan.protocol.dose[0].route.startswith("focal")
            else "topical.lateral_distance"
        ],
        "parameters": {
            name: {**q.model_dump(), "value": used[name]} for name, q in plan.drug.parameters.items()
        },
    }


def choices(plan: Prepared, request: DrugRequest) -> dict[str, Any]:
    """What was switched on and off."""
    dosing = plan.dosing
    acts = dosing.drug.targets
    by_hand = {text.partition("=")[0].strip() for text in request.settings}
    return {
        "block_model": dosing.block_model,
        "targets": sorted(acts if dosing.targets is None else dosing.targets & acts),
        "switched_off": [] if dosing.targets is None else sorted(acts - dosing.targets),
        "baseline": [
            {
                "drug": b.drug.name,
                "concentration_uM": b.concentration_uM,
                "recorded": dosing.baseline_recorded,
            }
            for b in dosing.baseline
        ],
        "dopamine": dosing.apical is not None,
        "set": {
            name: value
            for name, value in dosing.overrides.get(dosing.drug.name, {}).items()
            # A pipette is at the neuron unless told otherwise, whatever the route.
            if name != "focal.depth" or name in by_hand
        },
        "also_given": sorted({a.drug.name for a in dosing.administrations} - {dosing.drug.name}),
        "protocol": None if request.protocol is None else str(request.protocol),
    }


def assays(plan: Prepared) -> list[dict[str, Any]]:
    """What the user's own measurements say."""
    return [
        {
            "target": found.target,
            "source": found.source,
            "n_rows": found.n_rows,
            "status": found.status,
            "text": found.describe(),
            "ic50_uM": list(found.ic50()),
            "cautions": list(found.cautions),
            "conditions": [c._asdict() for c in found.conditions],
        }
        for found in plan.assays
    ]


def levels(plan: Prepared, drive: NmdaDrive) -> dict[str, Any] | None:
    """The three levels of NMDA block for this cell at each time, and how far they differ."""
    dosing = plan.dosing
    first = min(a.start_min for a in dosing.administrations)
    last = max(*plan.times_min, first + 1.0)
    spread = first + np.concatenate([[-1e-3, 1e-3], np.geomspace(0.05, last - first, _LEVEL_POINTS)])
    times = np.unique([*spread, *plan.times_min])
    found = pharmacology.pyramid_levels(
        plan.drug, plan.numbers(), times, dosing.given(times)[plan.drug.name][1], drive
    )
    if found is None:
        return None
    rows = np.searchsorted(times, plan.times_min)
    looked: dict[str, Any] = {
        name: None if getattr(found, name) is None else getattr(found, name)[rows]
        for name in ("naive", *pharmacology.BLOCK_MODELS, "conductance")
    }
    found = replace(found, times_min=times[rows], **looked)
    by_model = {
        name: None if block is None else block.mean(axis=1)
        for name, block in looked.items()
        if name != "conductance"
    }
    return {
        "used": dosing.block_model,
        "labels": list(plan.labels),
        "mean_block": by_model,
        "differences": found.summary()["differences"],
        "v_bar_mV": [
            float(np.min(drive.v_bar_mV)),
            float(np.mean(drive.v_bar_mV)),
            float(np.max(drive.v_bar_mV)),
        ],
        "rate_hz": [
            float(np.min(drive.rate_hz)),
            float(np.mean(drive.rate_hz)),
            float(np.max(drive.rate_hz)),
        ],
    }


def depth_map(plan: Prepared) -> dict[str, Any]:
    """Free drug and NMDA block over time and depth; the block in equilibrium with assumed activity."""
    grid = np.linspace(0.0, max(60.0, 1.1 * max(plan.times_min)), _MAP_POINTS)
    given, numbers = _over_depth(plan, grid), plan.numbers()
    block = pharmacology.nmda_block(
        given, numbers["pyramid.v_bar"], plan.drug, overrides=numbers, rate_hz=numbers["pyramid.event_rate"]
    )
    return {"time_min": grid, "depth_um": _MAP_DEPTHS_UM, "concentration_uM": given, "nmda_block": block}


def _over_depth(plan: Prepared, times_min: Sequence[float] | np.ndarray) -> np.ndarray:
    """Free drug at the depths of the map, ``(t, depths)`` uM."""
    return replace(plan.dosing, depth_um=_MAP_DEPTHS_UM).given(times_min)[plan.drug.name][1]


def condition(
    neuron: FittedNeuron,
    condition: Condition,
    counts: SpikeCounts,
    time_min: float | None,
    phase: str | None,
    before: SpikeCounts,
    seed: int,
    cell: Cell,
) -> dict[str, Any]:
    """One condition: what the drug does, the tuning, and its shift from the control."""
    effect = condition.effect or pharmacology.no_effect(cell.table.n)
    scalars = effect.summary()
    return {
        "label": condition.label,
        "time_min": time_min,
        "phase": phase,
        "contrast": neuron.grating.contrast,
        "concentration_uM": by_region(cell, effect.concentration_uM),
        "effect": {
            "nmda_block": by_region(cell, effect.nmda_block),
            **{
                k: v
                for k, v in scalars.items()
                if k not in ("label", "time_min", "concentration_uM", "nmda_block")
            },
        },
        # What `ketune export` simulates again: None without any drug.
        "by_compartment": None if condition.effect is None else pharmacology.effect_record(condition.effect),
        "tuning": counts_fields(counts),
        "summary": summary_fields(neuron.summary(counts)),
        "shift": None if time_min is None else _shift(before, counts, neuron.grating.window_ms * 1e-3, seed),
    }


def printed(plan: Prepared, document: dict[str, Any]) -> dict[str, Any]:
    """What `ketune apply --json` prints of it besides the changes."""
    window_s, response = document["window_s"], document["dose_response"]
    tuned = []
    for entry in document["conditions"]:
        tuning_, summary = entry["tuning"], entry["summary"]
        shown = np.isfinite(np.asarray(tuning_["orientation_deg"], dtype=float))
        fano = np.asarray(tuning_["fano"], dtype=float)[shown]
        tuned.append(
            {
                "condition": entry["label"],
                "phase": entry["phase"],
                "orientation_deg": np.asarray(tuning_["orientation_deg"], dtype=float)[shown],
                "mean_rate_hz": np.asarray(tuning_["mean"], dtype=float)[shown] / window_s,
                "osi": summary["osi_fit"],
                "gosi": summary["gosi"],
                "hwhm_deg": summary["hwhm_deg"],
                "preferred_deg": summary["preferred_deg"],
                "fano": float(np.nanmean(fano)) if np.isfinite(fano).any() else None,
                "fano_by_orientation": fano,
                "spontaneous_hz": summary["spontaneous_rate_hz"],
            }
        )
    c, targets = _over_depth(plan, plan.times_min), plan.dosing.targets
    rows = [
        pharmacology.effect(
            plan.drug,
            row,
            targets=pharmacology.TARGETS if targets is None else targets,
            overrides=plan.dosing.overrides.get(plan.drug.name),
        )
        for row in c
    ]
    fields = (
        "nmda_block",
        "ampa_block",
        "hcn_block",
        "hcn_shift_mV",
        "nav_block",
        "kv_block",
        "cal_block",
        "tonic_gaba_gain",
        "gabaa_gain",
    )
    return {
        "times_min": list(plan.times_min),
        "doses_uM": [] if response is None else response["doses"],
        "depth_um": _MAP_DEPTHS_UM,
        "concentration_uM": c,
        "block": {name: [getattr(e, name) for e in rows] for name in fields},
        "levels": document["levels"],
        "choices": document["choices"],
        "tuning": tuned,
        "bands": {} if response is None else response["bands"],
        "dose_response": response,
        "assay": document["assay"],
        "conditions": [
            {"label": c["label"], "time_min": c["time_min"], **c["summary"]} for c in document["conditions"]
        ],
    }


def mean_fano(counts: SpikeCounts) -> float:
    """Mean over the orientations at which the neuron fired; NaN where it was silent."""
    fano = counts.fano[np.isfinite(counts.orientation_deg)]
    return float(fano[np.isfinite(fano)].mean()) if np.isfinite(fano).any() else float("nan")


def by_region(cell: Cell, values: np.ndarray) -> dict[str, float]:
    """Mean over the compartments of each region."""
    return {
        region: float(values[cell.table.region == region].mean())
        for region in ("soma", "basal", "apical")
        if np.any(cell.table.region == region)
    }


def _shift(before: SpikeCounts, after: SpikeCounts, window_s: float, seed: int) -> dict[str, float] | None:
    tables = []
    for c in (before, after):
        shown = np.isfinite(c.orientation_deg)
        if not np.all(c.mean[shown] > 0):
            return None
        tables.append(
            tuning.OrientationCounts(
                orientation_deg=c.orientation_deg[shown],
                mean=c.mean[shown],
                variance=c.variance[shown],
                n_trials=np.full(int(shown.sum()), c.n_trials),
                window_s=window_s,
                blank_mean=float(c.mean[~shown][0]) if np.any(~shown) else None,
            )
        )
    result = tuning.shift(*tables, seed=seed, n_null=500)
    low, high = np.nanquantile(result.null_deg, [0.025, 0.975])
    return {"deg": result.shift_deg, "null_low": float(low), "null_high": float(high), "p": result.p_value}


def joined(replays: list[dict[str, Any]]) -> dict[str, Any]:
    """The replays of all conditions together."""
    differences = [
        r["largest_count_difference"] for r in replays if r["largest_count_difference"] is not None
    ]
    return {
        "n": sum(r["n"] for r in replays),
        "identical": all(r["identical"] for r in replays) if differences else None,
        "largest_count_difference": max(differences, default=None),
        "problems": [p for r in replays for p in r["problems"]],
    }


def picture(
    cell: Cell, neuron: FittedNeuron, effect: DrugEffect, depth: float, morphology: Path
) -> dict[str, Any]:
    """The neuron with its synapses and the block of each compartment."""
    table, layout = cell.table, neuron.layout
    traced = outline(read_morphology(morphology), table)
    return {
        "outline": None
        if traced is None
        else {
            "section": traced.section,
            **{k: np.round(getattr(traced, k), 2) for k in ("x_um", "y_um", "diam_um")},
            "compartment": traced.compartment,
        },
        "x_um": table.xyz_um[:, 0],
        "y_um": table.xyz_um[:, 1],
        "z_um": table.xyz_um[:, 2],
        "parent": table.parent,
        "diam_um": table.diam_um,
        "region": list(table.region),
        "nmda_block_during": effect.nmda_block,
        "concentration_um_during": effect.concentration_uM,
        "synapses": {
            "exc_driven": layout.compartment["exc"][layout.driven],
            "pv": layout.compartment["pv"],
            "sst": layout.compartment["sst"],
        },
        "soma_depth_um": depth,
    }


def sentences(drug: str, when: str, rows: list[dict[str, Any]], n_sets: int) -> list[str]:
    """A few lines for the terminal."""
    lines = [f"{drug}, {when} after application, in {n_sets} kept parameter set{'s' if n_sets > 1 else ''}:"]
    for row in rows:
        if row["best"] is None or not np.isfinite(row["best"]):
            lines.append(f"  {row['quantity']}: not available (too few spikes)")
            continue
        unit = " deg" if row["unit"] == "deg" else " x control"
        spread = "" if row["determined"] else "; not determined by these data"
        lines.append(
            f"  {row['quantity']}: {row['best']:.2f}{unit} (kept sets {row['low']:.2f} to {row['high']:.2f}){spread}"
        )
    return lines
