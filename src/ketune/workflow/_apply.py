"""Apply a drug to a fitted neuron and write what changes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ketune import pharmacology
from ketune.cell import Cell
from ketune.engines import create, describe
from ketune.errors import InputError
from ketune.fitting import SpikeCounts
from ketune.pharmacology import NmdaDrive
from ketune.progress import NullProgress, Progress
from ketune.provenance import provenance
from ketune.storage import check_output_directory, result_directory, slug, write_json
from ketune.workflow import _apply_document as entries
from ketune.workflow._changes import MARGINS, changes
from ketune.workflow._dose_sweep import MIN_SAMPLES, DoseSweep, with_middle_dose
from ketune.workflow._dosing import DrugRequest, Prepared, prepare
from ketune.workflow._fit_files import (
    APPLY_FORMAT,
    APPLY_SEED,
    cell_from,
    check_same_cell,
    morphology_file,
    neuron_of,
    read_fit,
)
from ketune.workflow._simulation import CONTROL, Condition, FittedNeuron, nmda_drive, summary_fields

_MAIN_TIME_MIN = 30.0


@dataclass(frozen=True, eq=False)
class _Measured:
    """Counts of a condition, and of the control with the same stimuli."""

    condition: Condition
    counts: SpikeCounts
    before: SpikeCounts
    neuron: FittedNeuron


def apply_drug(
    directory: str | Path,
    request: DrugRequest | None = None,
    *,
    name: str | None = None,
    trials: int = 50,
    doses: str | None = None,
    samples: int = 200,
    seed: int | None = None,
    engine: str = "auto",
    cell: Cell | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    **asked: Any,
) -> dict[str, Any]:
    """Dose a fitted neuron, simulate its tuning at each time, and write ``apply-<name>.json`` beside the fit.

    The drug is applied to the best parameter set with ``trials`` trials per orientation at every time, and to every
    other kept parameter set before the drug and at the main time (the one nearest to 30 min).

    Parameters
    ----------
    directory
        A fit that :func:`ketune.workflow.fit_recording` wrote.
    request, asked
        What is given and when: a :class:`DrugRequest`, or its fields (``drug="ketamine", dose="10 mg/ml",
        at=["30 min"]``).
    name
        Of the result; drug, route and what is switched off if not given.
    doses
        A range ("0.1uM:1mM:log12") or list of doses: the response to each at the main time, with bands over ``samples``
        draws of the drug's uncertain numbers, in the best parameter set. Without a ``dose`` its middle one is applied,
        in a bath unless a route is given.
    samples
        How many draws.
    seed
        The fit's if not given.
    engine
        What simulates spikes: see :func:`ketune.engines.create`.
    cell
        The fit's model neuron, where it has been built already.

    Raises
    ------
    InputError
        The directory holds no fit, or an argument cannot be used. Nothing is written then.
    """
    directory = Path(directory)
    progress = progress or NullProgress()
    request = request or _request(asked)
    fit = read_fit(directory)
    if trials < 2:
        raise InputError(f"--trials {trials}: at least 2 trials are needed for a Fano factor")
    if doses is not None:
        if samples < MIN_SAMPLES:
            raise InputError(f"--samples {samples}: at least {MIN_SAMPLES} are needed for bands")
        request = with_middle_dose(request, doses)
    cell = cell or cell_from(fit["settings"]["cell"])
    plan = prepare(request, cell)
    check_same_cell(directory, fit, cell)
    stem = f"apply-{slug(name or _default_name(request, plan))}"
    check_output_directory(directory, stem, overwrite=overwrite, onto="fit")

    seed = int(fit["settings"]["seed"]) if seed is None else seed
    run_seed = APPLY_SEED + seed
    sets = fit["kept_sets"]
    simulator = create(cell, engine, dt_ms=fit["settings"]["effort"]["spiking_dt_ms"], dtype=np.float32)
    neurons = [neuron_of(cell, fit, kept, simulator) for kept in sets]
    best = neurons[0]
    drive = nmda_drive(best, run_seed, progress)
    main = 1 + int(np.argmin(np.abs(np.array(plan.times_min) - _MAIN_TIME_MIN)))
    sweep = None if doses is None else DoseSweep(plan, drive, plan.times_min[main - 1])
    wanted = None if sweep is None or doses is None else sweep.range(doses)
    effects = plan.dosing.effects(plan.times_min, drive, plan.labels)
    control = _control(plan, drive)
    conditions = [control, *(Condition(e.label, e) for e in effects)]
    measured = _measure(best, plan, conditions, trials, run_seed, progress)
    kept = _kept(neurons, sets, measured[0], measured[main], trials, run_seed, progress)
    replay_trials = int(fit["settings"]["effort"]["replay_trials"])
    replays = [
        m.neuron.replay(m.condition, trials=replay_trials, seed=run_seed, progress=progress)
        for m in measured[1:]
    ]
    response = (
        None
        if sweep is None or wanted is None
        else sweep.respond(best, wanted, request, samples=samples, seed=run_seed, progress=progress)
    )
    preferred = best.summary(measured[0].counts).preferred_deg
    rows = changes(kept, reported=_is_reported(plan))
    main_effect = effects[main - 1]
    document: dict[str, Any] = {
        "status": "ok",
        "name": stem.removeprefix("apply-"),
        "drug": plan.drug.name,
        "route": plan.route,
        "dose": plan.dose,
        "at": list(plan.labels),
        "window_s": fit["recording"]["window_s"],
        "cautions": list(plan.drug.cautions()),
        "exposure": entries.exposure(plan),
        "choices": entries.choices(plan, request),
        "levels": entries.levels(plan, drive),
        "assay": entries.assays(plan),
        "dose_response": response,
        "map": entries.depth_map(plan),
        "conditions": [
            entries.condition(m.neuron, m.condition, m.counts, t, phase, m.before, run_seed, cell)
            for m, t, phase in zip(measured, [None, *plan.times_min], [None, *plan.phases], strict=True)
        ],
        "lacking": list(pharmacology.apply_effect(cell, main_effect)[1]),
        "kept": kept,
        "main_condition": conditions[main].label,
        "changes": rows,
        "margins": MARGINS,
        "replay": entries.joined(replays),
        "traces": [
            best.traces(c, orientation_deg=preferred, seed=run_seed)
            for c in (conditions[0], conditions[main])
        ],
        "neuron": entries.picture(cell, best, main_effect, plan.soma_depth_um, morphology_file(fit)),
        "summary": entries.sentences(plan.drug.name, conditions[main].label, rows, len(kept)),
        "provenance": provenance(seed=seed, engine=describe(simulator)),
    }
    with result_directory(directory, stem, overwrite=overwrite, onto="fit") as folder:
        write_json(folder / f"{stem}.json", document, APPLY_FORMAT)
    return {
        "status": "ok",
        "directory": str(directory),
        "file": str(directory / f"{stem}.json"),
        "summary": document["summary"],
        "changes": rows,
        **entries.printed(plan, document),
        "replay": document["replay"],
    }


def _request(asked: dict[str, Any]) -> DrugRequest:
    for key in ("at", "settings", "baseline"):
        if isinstance(asked.get(key), list):
            asked[key] = tuple(asked[key])
    try:
        return DrugRequest(**asked)
    except TypeError as error:
        raise InputError(f"apply_drug: {error}") from None


def _default_name(request: DrugRequest, plan: Prepared) -> str:
    parts = [plan.drug.name, plan.route]
    if request.block_model != "equilibrium":
        parts.append(request.block_model)
    if request.targets is not None:
        parts += ["only", request.targets]
    if request.without is not None:
        parts += ["without", request.without]
    if request.dopamine:
        parts.append("dopamine")
    return "-".join(parts)


def _is_reported(plan: Prepared) -> bool:
    """Whether it is what the reports of tuning under a drug are about: ketamine on the cortex."""
    topical = all(entry.route.startswith("topical") for entry in plan.protocol.dose)
    return topical and plan.drug.name.startswith("ketamine")


def _control(plan: Prepared, drive: NmdaDrive) -> Condition:
    return Condition(CONTROL.label, plan.dosing.control(drive))


def _measure(
    neuron: FittedNeuron,
    plan: Prepared,
    conditions: list[Condition],
    trials: int,
    seed: int,
    progress: Progress,
) -> list[_Measured]:
    """Counts of every condition, control first; a look with stimuli of its own gets a control with the same."""

    def counts(who: FittedNeuron, condition: Condition, n: int) -> SpikeCounts:
        return who.counts(
            condition,
            trials=n,
            seed=seed,
            progress=progress,
            text=f"tuning {condition.label}",
            stratified=True,
        )

    before = counts(neuron, conditions[0], trials)
    found = [_Measured(conditions[0], before, before, neuron)]
    for look, condition in zip(plan.looks, conditions[1:], strict=True):
        who, n = neuron.shown(look.orientation_deg, look.contrast), look.trials or trials
        own = before if who is neuron and n == trials else counts(who, conditions[0], n)
        found.append(_Measured(condition, counts(who, condition, n), own, who))
    return found


def _kept(
    neurons: list[FittedNeuron],
    sets: list[dict[str, Any]],
    control: _Measured,
    main: _Measured,
    trials: int,
    seed: int,
    progress: Progress,
) -> list[dict[str, Any]]:
    """Before and during in every kept parameter set, with the stimuli of the recording."""
    fewer = min(trials, max(8, trials // 4))
    found = [_kept_entry(main.neuron, sets[0], main.before, main.counts)]
    for i, (neuron, entry) in enumerate(zip(neurons[1:], sets[1:], strict=True)):
        text = f"parameter set {i + 2} of {len(sets)}"
        before, during = (
            neuron.counts(c, trials=fewer, seed=seed + 1 + i, progress=progress, text=text, stratified=True)
            for c in (control.condition, main.condition)
        )
        found.append(_kept_entry(neuron, entry, before, during))
    return found


def _kept_entry(
    neuron: FittedNeuron, entry: dict[str, Any], before: SpikeCounts, during: SpikeCounts
) -> dict[str, Any]:
    return {
        "placement_seed": entry["placement_seed"],
        "log_likelihood_difference": entry["log_likelihood_difference"],
        "n_trials": before.n_trials,
        "before": {**summary_fields(neuron.summary(before)), "fano": entries.mean_fano(before)},
        "during": {**summary_fields(neuron.summary(during)), "fano": entries.mean_fano(during)},
    }
