"""A fitted neuron under a drug over routes, doses and times: the numbers behind the report's sliders.

What the drug does is computed at every point of the grid; the spiking neuron is simulated at some of them, and one
emulator over all routes predicts the others (:mod:`ketune.workflow._emulated_neuron`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ketune import pharmacology
from ketune.cell import Cell
from ketune.engines import create, describe
from ketune.errors import InputError
from ketune.explorer import EXPLORER_FILE, EXPLORER_FORMAT, Explorer
from ketune.pharmacology import DrugEffect, NmdaDrive
from ketune.progress import NullProgress, Progress
from ketune.provenance import provenance
from ketune.storage import check_output_directory, jsonable, result_directory, write_json
from ketune.workflow import _apply_document as entries
from ketune.workflow._action_space import ActionReader
from ketune.workflow._dose_sweep import DoseSweep
from ketune.workflow._dosing import DrugRequest, Prepared, prepare
from ketune.workflow._emulated_neuron import EmulatedNeuron, Neuron, emulate, spanned
from ketune.workflow._emulator import Budget, Response
from ketune.workflow._explore_grid import RouteDoses, for_route, routes_of
from ketune.workflow._fit_files import APPLY_SEED, cell_from, check_same_cell, neuron_of, read_fit
from ketune.workflow._simulation import CONTROL, Condition, nmda_drive

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RouteEffects:
    """One route with what the drug does at each dose and time."""

    chosen: RouteDoses
    plan: Prepared
    effects: tuple[tuple[DrugEffect, ...], ...]


def explore(
    directory: str | Path,
    request: DrugRequest | None = None,
    *,
    routes: Sequence[str] = (),
    doses: Sequence[str] = (),
    seed: int | None = None,
    engine: str = "auto",
    budget: Budget | None = None,
    cell: Cell | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Predict a fitted neuron's tuning for every route, dose and time of a grid, and write ``explorer.json``.

    Of the fit's parameter sets the best is taken, of the drug's numbers the defaults, but for those in ``request``.
    :class:`ketune.explorer.Explorer` reads the file, and `ketune report` shows it with sliders.

    Parameters
    ----------
    directory
        A fit that :func:`ketune.workflow.fit_recording` wrote.
    request
        The drug, the times (``at``), where the neuron is and what the drug may do; its route and dose are not used.
    routes
        Topical, ip and bath if none is given, as far as the drug has their numbers.
    doses
        "ROUTE=DOSES": a range ("ip=1mg/kg:30mg/kg:log7") or list of doses in place of the default ones.
    seed
        The fit's if not given.
    engine
        What simulates spikes: see :func:`ketune.engines.create`.
    budget
        How much to simulate, and the error that is wanted.
    cell
        The fit's model neuron, where it has been built already.

    Raises
    ------
    InputError
        The directory holds no fit, or an argument cannot be used. Nothing is written then.
    """
    begun = time.monotonic()
    directory, request = Path(directory), request or DrugRequest()
    progress, budget = progress or NullProgress(), budget or Budget()
    fit = read_fit(directory)
    cell = cell or cell_from(fit["settings"]["cell"])
    grids = routes_of(pharmacology.load_drug(request.drug), routes, doses, request)
    plans = [prepare(for_route(request, chosen), cell) for chosen in grids]
    check_same_cell(directory, fit, cell)
    check_output_directory(directory, "explorer", overwrite=overwrite, onto="fit")

    seed = int(fit["settings"]["seed"]) if seed is None else seed
    run_seed = APPLY_SEED + seed
    simulator = create(cell, engine, dt_ms=fit["settings"]["effort"]["spiking_dt_ms"], dtype=np.float32)
    neuron = neuron_of(cell, fit, fit["kept_sets"][0], simulator)
    drive = nmda_drive(neuron, run_seed, progress)
    control = Condition(CONTROL.label, plans[0].dosing.control(drive))
    by_route = effects_by_route(grids, plans, drive, progress)
    document = {
        **explored(neuron, by_route, control, budget=budget, seed=run_seed, progress=progress),
        "choices": entries.choices(plans[0], request),
        "provenance": provenance(seed=seed, engine=describe(simulator)),
    }
    with result_directory(directory, "explorer", overwrite=overwrite, onto="fit") as folder:
        write_json(folder / EXPLORER_FILE, document, EXPLORER_FORMAT)
    accuracy = document["accuracy"]
    return {
        "status": "ok",
        "directory": str(directory),
        "file": str(directory / EXPLORER_FILE),
        "drug": document["drug"],
        "times_min": document["times_min"],
        "routes": [
            {"route": grid.route, "unit": grid.doses.unit, "doses": list(grid.doses.values)} for grid in grids
        ],
        "accuracy": accuracy,
        "within_tolerance": accuracy["error_of_peak"] <= accuracy["tolerance"],
        "seconds": round(time.monotonic() - begun, 1),
    }


def effects_by_route(
    grids: Sequence[RouteDoses], plans: Sequence[Prepared], drive: NmdaDrive, progress: Progress
) -> list[RouteEffects]:
    """What the drug does at every dose and time; ``plans`` are of one dose of each route."""
    found = []
    with progress.task("what the drug does, dose by dose", sum(len(g.texts) for g in grids)) as task:
        for chosen, plan in zip(grids, plans, strict=True):
            sweep = DoseSweep(plan, drive, plan.times_min[0])
            effects = []
            for dose in chosen.doses.values:
                effects.append(tuple(sweep.over_time(dose, plan.times_min)))
                task.advance()
            found.append(RouteEffects(chosen, plan, tuple(effects)))
    return found


def explored(
    neuron: Neuron,
    by_route: Sequence[RouteEffects],
    control: Condition,
    *,
    budget: Budget,
    seed: int,
    progress: Progress,
) -> dict[str, Any]:
    """The document of :class:`ketune.explorer.Explorer`, but for what is said of how it was made.

    Raises
    ------
    InputError
        No dose at any time changes anything that the cell has.
    """
    effects = [effect for one in by_route for row in one.effects for effect in row]
    reader = ActionReader(neuron)
    found = spanned(reader, control, [reader(effect) for effect in effects])
    points = found.points
    if not found.space.names:
        raise InputError(
            "--doses: none of these doses changes anything that this cell has; give higher doses or another drug"
        )
    emulated = emulate(
        neuron,
        points,
        effects.__getitem__,
        control=control,
        budget=budget,
        seed=seed,
        progress=progress,
        text="explorer",
    )
    response = emulated.grown.emulator(points)
    quantities = emulated.indices(response)
    shown = np.isfinite(emulated.orientation_deg)
    plan = by_route[0].plan
    document: dict[str, Any] = {
        "status": "ok",
        "drug": plan.drug.name,
        "orientation_deg": emulated.orientation_deg[shown],
        "window_s": emulated.window_s,
        "times_min": list(plan.times_min),
        "soma_depth_um": plan.soma_depth_um,
        "control": {
            "rate_hz": _brief(emulated.grown.pool.mean[shown] / emulated.window_s),
            "quantities": {name: _brief(value) for name, value in emulated.control.items()},
        },
        "routes": [],
        "accuracy": _accuracy(emulated, budget),
        "neuron": _tree(neuron.cell, plan.soma_depth_um),
        "cautions": list(plan.drug.cautions()),
    }
    first = 0
    for one in by_route:
        shape = (len(one.effects), len(one.effects[0]))
        part = slice(first, first + shape[0] * shape[1])
        first = part.stop
        document["routes"].append(
            {
                "route": one.chosen.route,
                "unit": one.chosen.doses.unit,
                "doses": list(one.chosen.doses.values),
                "dose_texts": list(one.chosen.texts),
                **_done(effects[part], reader, shape),
                **_answered(response, emulated, part, shape),
                "quantities": {
                    name: _brief(values[part].reshape(shape)) for name, values in quantities.items()
                },
            }
        )
    # Read back before it is written: what cannot be read must not be on disk.
    Explorer.model_validate(jsonable(document))
    return document


def _done(effects: Sequence[DrugEffect], reader: ActionReader, shape: tuple[int, int]) -> dict[str, Any]:
    """What the drug does, by dose and time."""
    found = {
        "concentration_uM": [e.concentration_uM[0] for e in effects],
        "nmda_block": [reader.nmda_block(e) for e in effects],
        "pv_drive": [e.pv_drive for e in effects],
        "sst_drive": [e.sst_drive for e in effects],
        "local_block": [e.nmda_block for e in effects],
    }
    return {
        name: _brief(np.reshape(values, (*shape, *np.shape(values)[1:]))) for name, values in found.items()
    }


def _answered(
    response: Response, emulated: EmulatedNeuron, part: slice, shape: tuple[int, int]
) -> dict[str, Any]:
    """What the neuron answers, by dose and time."""
    shown = np.isfinite(emulated.orientation_deg)
    return {
        name: _brief(values[part][:, shown].reshape(*shape, -1) / emulated.window_s)
        for name, values in (("rate_hz", response.mean), ("rate_error_hz", response.error))
    }


def _accuracy(emulated: EmulatedNeuron, budget: Budget) -> dict[str, Any]:
    grown, error = emulated.grown, emulated.grown.error
    return {
        "error_of_peak": error.rms,
        "largest_error_of_peak": error.largest,
        "direct_noise_of_peak": error.direct_noise,
        "tolerance": budget.tolerance,
        "quantity_error": emulated.quantity_error(),
        "checks": len(grown.checks),
        "design_points": len(grown.design),
        "trials": grown.simulated_trials,
    }


def _tree(cell: Cell, soma_depth_um: float) -> dict[str, Any]:
    table = cell.table
    return {
        "x_um": _brief(table.xyz_um[:, 0] - table.xyz_um[0, 0]),
        "depth_um": _brief(soma_depth_um - (table.xyz_um[:, 1] - table.xyz_um[0, 1])),
        "parent": table.parent,
        "diam_um": _brief(table.diam_um),
        "region": list(table.region),
    }


def _brief(values: Any) -> Any:
    """The same numbers with four significant digits, which is more than an emulator knows."""
    given = np.asarray(values, dtype=float)
    rounded = np.array([float(f"{value:.4g}") for value in given.ravel()]).reshape(given.shape)
    return rounded.tolist()
