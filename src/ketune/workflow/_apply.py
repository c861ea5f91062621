"""Apply a drug to a fitted neuron and write what changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ketune import pharmacology, tuning, units
from ketune.afferents import Drive
from ketune.cell import Cell
from ketune.engines import create, describe
from ketune.engines.jax_engine import JaxEngine
from ketune.errors import InputError
from ketune.fitting import SpikeCounts
from ketune.pharmacology import DrugEffect
from ketune.progress import NullProgress, Progress
from ketune.provenance import provenance
from ketune.storage import check_output_directory, read_json, result_directory, write_json
from ketune.workflow._changes import MARGINS, changes
from ketune.workflow._fit import FORMAT as FIT_FORMAT
from ketune.workflow._fit import cell_from
from ketune.workflow._simulation import CONTROL, Condition, FittedNeuron, counts_fields, summary_fields

FORMAT = "ketune-apply/1"
_MAIN_TIME_MIN = 30.0
_APPLY_SEED = 800_001
_MAP_DEPTHS_UM = np.arange(0.0, 1001.0, 25.0)
_MAP_POINTS = 49


def apply_drug(
    directory: str | Path,
    *,
    drug: str = "ketamine",
    route: str = "topical",
    dose: str = "10 mg/ml",
    at: list[str] | None = None,
    soma_depth: str | None = None,
    lateral_distance: str | None = None,
    trials: int = 50,
    seed: int | None = None,
    engine: str = "auto",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Dose a fitted neuron, simulate its tuning at each time, and write ``apply-<drug>-<route>.json`` beside the fit.

    The drug is applied to the best parameter set with ``trials`` trials per orientation at every time, and to every
    other kept parameter set before the drug and at the main time (30 min if asked for, else the first).

    Parameters
    ----------
    directory
        A fit that :func:`ketune.workflow.fit_recording` wrote.
    drug, route, dose
        A drug of :func:`ketune.pharmacology.known_drugs`, how it is given, and how much ("10 mg/ml", "5 uM").
    at
        Times after application ("30 min").
    soma_depth, lateral_distance
        Of the neuron below the pia and beside the paper ("300 um"); the drug file's defaults if not given.
    seed
        The fit's if not given.
    engine
        What simulates spikes: see :func:`ketune.engines.create`.

    Raises
    ------
    InputError
        The directory holds no fit, or an argument cannot be used. Nothing is written then.
    """
    directory = Path(directory)
    progress = progress or NullProgress()
    fit = read_json(directory / "fit.json", FIT_FORMAT)
    check_output_directory(directory, "apply", overwrite=overwrite, onto="fit")
    if "drive" not in fit["settings"]:
        raise InputError(f"{directory / 'fit.json'}: written by an older ketune; fit again with --overwrite")
    if trials < 2:
        raise InputError(f"--trials {trials}: at least 2 trials are needed for a Fano factor")
    times = [units.parse(text, "min", "--at") for text in (at or ["30 min"])]
    if not times:
        raise InputError("--at: give at least one time, such as '30 min'")
    loaded = pharmacology.load_drug(drug)
    placement: dict[str, float] = {}
    if lateral_distance is not None:
        placement["topical.lateral_distance"] = units.parse(lateral_distance, "um", "--lateral-distance")
    depth = (
        loaded.values()["topical.soma_depth"]
        if soma_depth is None
        else units.parse(soma_depth, "um", "--soma-depth")
    )
    exposure = pharmacology.make_exposure(loaded, route, dose, overrides=placement)
    cell = cell_from(fit["settings"]["cell"])
    if cell.table.sha256() != fit["settings"]["compartments_sha256"]:
        raise InputError(
            f"{directory / 'fit.json'}: its cell has changed since the fit; fit again with --overwrite"
        )
    xyz = cell.table.xyz_um
    depths = pharmacology.depth_below_pia(xyz[:, 1], xyz[0, 1], depth)
    concentration = pharmacology.concentration(exposure, depths, times)

    seed = int(fit["settings"]["seed"]) if seed is None else seed
    run_seed = _APPLY_SEED + seed
    sets = fit["kept_sets"]
    simulator = create(cell, engine, dt_ms=fit["settings"]["effort"]["spiking_dt_ms"], dtype=np.float32)
    neurons = _neurons(cell, fit, sets, simulator)
    best = neurons[0]
    with progress.task("mean potential of open NMDA receptors", None):
        v_bar = best.mean_open_potential(seed=run_seed)
    effects = [
        pharmacology.effect(loaded, c, v_bar, label=_label(t), time_min=t)
        for t, c in zip(times, concentration, strict=True)
    ]
    conditions = [CONTROL, *(Condition(e.label, e) for e in effects)]
    counts = [
        best.counts(c, trials=trials, seed=run_seed, progress=progress, text=f"tuning {c.label}")
        for c in conditions
    ]
    main = 1 + int(np.argmin(np.abs(np.array(times) - _MAIN_TIME_MIN)))
    fewer = max(8, trials // 4)
    kept = [_kept_entry(best, sets[0], counts[0], counts[main])]
    for i, (neuron, entry) in enumerate(zip(neurons[1:], sets[1:], strict=True)):
        text = f"parameter set {i + 2} of {len(sets)}"
        before, during = (
            neuron.counts(c, trials=fewer, seed=run_seed + 1 + i, progress=progress, text=text)
            for c in (CONTROL, conditions[main])
        )
        kept.append(_kept_entry(neuron, entry, before, during))
    replay_trials = int(fit["settings"]["effort"]["replay_trials"])
    replays = [best.replay(c, trials=replay_trials, seed=run_seed, progress=progress) for c in conditions[1:]]
    preferred = best.summary(counts[0]).preferred_deg
    rows, given = changes(kept), loaded.values(placement)
    document: dict[str, Any] = {
        "status": "ok",
        "drug": loaded.name,
        "route": route,
        "dose": dose,
        "at": [_label(t) for t in times],
        "cautions": list(loaded.cautions()),
        "exposure": {
            "soma_depth_um": depth,
            "lateral_distance_um": given["topical.lateral_distance"],
            "parameters": {
                name: {**q.model_dump(), "value": loaded.values(placement)[name]}
                for name, q in loaded.parameters.items()
            },
        },
        "map": _map(loaded, exposure, times),
        "conditions": [
            _condition_entry(best, c, n, e, t, counts[0], run_seed, cell)
            for c, n, e, t in zip(conditions, counts, [None, *effects], [None, *times], strict=True)
        ],
        "lacking": list(pharmacology.apply_effect(cell, effects[main - 1])[1]),
        "kept": kept,
        "main_condition": conditions[main].label,
        "changes": rows,
        "margins": MARGINS,
        "replay": _joined(replays),
        "traces": [
            best.traces(c, orientation_deg=preferred, seed=run_seed)
            for c in (conditions[0], conditions[main])
        ],
        "neuron": _picture(cell, best, effects[main - 1], depth),
        "summary": _sentences(loaded.name, conditions[main].label, rows, len(kept)),
        "provenance": provenance(seed=seed, engine=describe(simulator)),
    }
    name = f"apply-{loaded.name}-{route}.json".lower().replace(" ", "-")
    with result_directory(directory, "apply", overwrite=overwrite, onto="fit") as folder:
        write_json(folder / name, document, FORMAT)
    return {
        "status": "ok",
        "directory": str(directory),
        "file": str(directory / name),
        "summary": document["summary"],
        "changes": rows,
        "conditions": [
            {"label": c["label"], "time_min": c["time_min"], **c["summary"]} for c in document["conditions"]
        ],
        "replay": document["replay"],
    }


def _neurons(
    cell: Cell, fit: dict[str, Any], sets: list[dict[str, Any]], engine: JaxEngine
) -> list[FittedNeuron]:
    return [
        FittedNeuron(
            cell,
            entry["values"],
            placement_seed=int(entry["placement_seed"]),
            orientation_deg=tuple(fit["recording"]["orientation_deg"]),
            window_ms=fit["recording"]["window_s"] * 1e3,
            engine=engine,
            drive=Drive(**fit["settings"]["drive"]),
        )
        for entry in sets
    ]


def _label(time_min: float) -> str:
    return f"{time_min:g} min"


def _mean_fano(counts: SpikeCounts) -> float:
    shown = np.isfinite(counts.orientation_deg)
    return float(np.nanmean(counts.fano[shown]))


def _kept_entry(
    neuron: FittedNeuron, entry: dict[str, Any], before: SpikeCounts, during: SpikeCounts
) -> dict[str, Any]:
    return {
        "placement_seed": entry["placement_seed"],
        "log_likelihood_difference": entry["log_likelihood_difference"],
        "n_trials": before.n_trials,
        "before": {**summary_fields(neuron.summary(before)), "fano": _mean_fano(before)},
        "during": {**summary_fields(neuron.summary(during)), "fano": _mean_fano(during)},
    }


def _by_region(cell: Cell, values: np.ndarray) -> dict[str, float]:
    return {
        region: float(values[cell.table.region == region].mean())
        for region in ("soma", "basal", "apical")
        if np.any(cell.table.region == region)
    }


def _condition_entry(
    neuron: FittedNeuron,
    condition: Condition,
    counts: SpikeCounts,
    effect: DrugEffect | None,
    time_min: float | None,
    before: SpikeCounts,
    seed: int,
    cell: Cell,
) -> dict[str, Any]:
    effect = effect or pharmacology.no_effect(cell.table.n)
    scalars = effect.summary()
    return {
        "label": condition.label,
        "time_min": time_min,
        "concentration_uM": _by_region(cell, effect.concentration_uM),
        "effect": {
            "nmda_block": _by_region(cell, effect.nmda_block),
            **{
                k: v
                for k, v in scalars.items()
                if k not in ("label", "time_min", "concentration_uM", "nmda_block")
            },
        },
        "tuning": counts_fields(counts),
        "summary": summary_fields(neuron.summary(counts)),
        "shift": None if time_min is None else _shift(before, counts, neuron.grating.window_ms * 1e-3, seed),
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


def _map(drug: pharmacology.Drug, exposure: pharmacology.Exposure, times: list[float]) -> dict[str, Any]:
    grid = np.linspace(0.0, max(60.0, 1.1 * max(times)), _MAP_POINTS)
    concentration = pharmacology.concentration(exposure, _MAP_DEPTHS_UM, grid)
    v_bar = drug.values()["pyramid.v_bar"]
    return {
        "time_min": grid,
        "depth_um": _MAP_DEPTHS_UM,
        "concentration_uM": concentration,
        "nmda_block": pharmacology.nmda_block(concentration, v_bar, drug, "pyramid"),
    }


def _joined(replays: list[dict[str, Any]]) -> dict[str, Any]:
    differences = [
        r["largest_count_difference"] for r in replays if r["largest_count_difference"] is not None
    ]
    return {
        "n": sum(r["n"] for r in replays),
        "identical": all(r["identical"] for r in replays) if differences else None,
        "largest_count_difference": max(differences, default=None),
        "problems": [p for r in replays for p in r["problems"]],
    }


def _picture(cell: Cell, neuron: FittedNeuron, effect: DrugEffect, depth: float) -> dict[str, Any]:
    table, layout = cell.table, neuron.layout
    first = table.section_first[table.section]
    parent_section = table.section_parent[table.section]
    parent = np.arange(table.n) - 1
    at_start = np.arange(table.n) == first
    last_of_parent = np.where(
        parent_section >= 0, table.section_first[parent_section] + table.section_count[parent_section] - 1, -1
    )
    parent[at_start] = last_of_parent[at_start]
    return {
        "x_um": table.xyz_um[:, 0],
        "y_um": table.xyz_um[:, 1],
        "z_um": table.xyz_um[:, 2],
        "parent": parent,
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


def _sentences(drug: str, when: str, rows: list[dict[str, Any]], n_sets: int) -> list[str]:
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
