"""A whole run: which hypotheses are sufficient for the reported changes together, from drug draws to the document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import ketune
from ketune.cell import Cell
from ketune.cell_model import build_cell, default_cell
from ketune.engines import create, describe
from ketune.morphology import SMALL_MORPHOLOGY, read_morphology
from ketune.progress import NullProgress, Progress
from ketune.provenance import provenance
from ketune.reproduce._arms import Arm
from ketune.reproduce._discriminate import meeting, proposed_experiments
from ketune.reproduce._document import FORMAT, sufficient
from ketune.reproduce._drug_draws import drug_draws
from ketune.reproduce._fewest import fewest_actions, fewest_of
from ketune.reproduce._folder import KIND, PAGE, VERDICTS, Document, RunFolder, run_folder
from ketune.reproduce._hypotheses import Hypothesis
from ketune.reproduce._hypothesis_run import STABLE_SHARE, SpikingBench, Study, examine, wilson
from ketune.reproduce._members import Members, members_of
from ketune.reproduce._pass_rules import JUDGED, PassRules
from ketune.reproduce._predictions import population_predictions
from ketune.reproduce._settings import ReproduceSettings
from ketune.storage import jsonable, result_directory, write_json
from ketune.surface import Surface, acting_surface, surface_key, surface_of

_DT_MS = 0.05
HELD_OUT, SECOND = "held-out", "second-morphology"
"""Names of the populations that are simulated with spikes."""


def reproduce(
    settings: ReproduceSettings,
    directory: Path,
    *,
    engine: str = "auto",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Document:
    """Examine hypotheses and write verdicts and the page.

    Parts are written the moment they are known: the same call goes on where an interrupted one stopped, with the
    same result.

    Parameters
    ----------
    directory
        Where parts, verdicts and page go.
    overwrite
        Begin anew if a run of another configuration is there.

    Returns
    -------
    dict
        The document that ``verdicts.json`` holds, see docs/reproduce.md.

    Raises
    ------
    InputError
        Too few neurons or draws, rules that counts cannot decide, or a directory that cannot be used.
    """
    progress = progress or NullProgress()
    rules = PassRules.of(settings.table)
    cell, second = default_cell(), build_cell(morphology=read_morphology(SMALL_MORPHOLOGY))
    second = replace(second, name=SMALL_MORPHOLOGY.stem)
    keys = {
        "cell": surface_key(cell),
        "second_cell": surface_key(second),
        "response_surface": acting_surface(cell).sha256,
    }
    with run_folder(directory, settings.document(keys), overwrite=overwrite) as folder:
        surface, acting = surface_of(cell, engine=engine, progress=progress), acting_surface(cell)
        other = surface_of(second, engine=engine, progress=progress)
        spiking = create(cell, engine, dt_ms=_DT_MS, dtype=np.float32)
        small = create(second, engine, dt_ms=_DT_MS, dtype=np.float32)
        populations = _populations(settings, cell, surface, acting, progress)
        with progress.task(f"drawing {settings.neurons} neurons of the second morphology"):
            smaller = members_of(
                settings.population,
                settings.neurons,
                settings.spiking_seed,
                second,
                other,
                trials=settings.trials,
            )
        study = Study(
            folder,
            populations,
            (
                SpikingBench(HELD_OUT, spiking, populations[settings.spiking_seed]),
                SpikingBench(SECOND, small, smaller),
            ),
            rules,
            settings.seed,
            progress,
        )
        drug = _drug(settings, folder, cell, populations[settings.seed], progress)
        found: dict[str, Document] = {}
        arms = {h.name: Arm.of(h, drug, seed=settings.seed) for h in settings.hypotheses}
        for arm in arms.values():
            found[arm.hypothesis.name] = examine(study, arm)
        for arm in _fewer(study, arms, found, drug):
            arms[arm.hypothesis.name] = arm
            found[arm.hypothesis.name] = examine(study, arm)
        made = provenance(seed=settings.seed, engine=describe(spiking))
        hypotheses = [_entry(arm, found[name], study) for name, arm in arms.items()]
        document = {
            "ketune": ketune.__version__,
            "command": made["command"],
            "provenance": made,
            "population": settings.population,
            "neurons": settings.neurons,
            "trials": settings.trials,
            "window_s": smaller.population.window_s,
            "orientation_deg": smaller.stimuli_deg,
            "cell": {"name": cell.name, "compartments": cell.table.n},
            "second_morphology": {"name": second.name, "compartments": second.table.n},
            "population_seeds": settings.population_seeds,
            "spiking_seed": settings.spiking_seed,
            "dose": {
                "solution": settings.dose.solution,
                "time_min": settings.dose.time_min,
                "draws": settings.draws,
            },
            "control_check": _control_check(settings, populations[settings.seed]),
            "emulator": acting.made.get("check"),
            "hypotheses": hypotheses,
            "smallest_sufficient": smallest_sufficient([a.hypothesis for a in arms.values()], hypotheses),
            **_predictions(settings, study, cell, engine),
            "experiments": _experiments(populations[settings.seed], arms, found, hypotheses),
            "evidence": _evidence(settings),
            "seconds": round(folder.seconds(), 1),
        }
        kept: Document = {"format": FORMAT, **jsonable(document)}
        _write(directory, kept)
    return kept


def _populations(
    settings: ReproduceSettings, cell: Cell, surface: Surface, acting: Surface, progress: Progress
) -> dict[int, Members]:
    found = {}
    with progress.task(
        f"drawing {len(settings.population_seeds)} populations", len(settings.population_seeds)
    ) as task:
        for seed in settings.population_seeds:
            found[seed] = members_of(
                settings.population, settings.neurons, seed, cell, surface, acting, trials=settings.trials
            )
            task.advance(1)
    return found


def _drug(
    settings: ReproduceSettings, folder: RunFolder, cell: Cell, members: Members, progress: Progress
) -> dict[str, np.ndarray]:
    return folder.arrays(
        "drug-draws",
        lambda: drug_draws(
            cell,
            members.layouts[0],
            settings.draws,
            seed=settings.seed,
            dose=settings.dose,
            progress=progress,
        ),
    )


def _fewer(
    study: Study, arms: Mapping[str, Arm], found: Mapping[str, Document], drug: Mapping[str, np.ndarray]
) -> list[Arm]:
    """Hypotheses of fewer actions, made from those that are sufficient and that no smaller one of ours improves on."""
    entries = [_entry(arm, found[name], study) for name, arm in arms.items()]
    members = study.populations[min(study.populations)]
    made = []
    for name in smallest_sufficient([a.hypothesis for a in arms.values()], entries):

        def actions(name: str = name) -> Document:
            values = found[name]["fit"]["values"]
            smaller = fewest_actions(
                arms[name], members, values, study.rules, seed=study.seed, progress=study.progress
            )
            return {"actions": smaller}

        kept = study.folder.document(f"{name}/fewest", actions)["actions"]
        if kept is not None and frozenset(kept) not in {frozenset(a.draws) for a in arms.values()}:
            made.append(Arm.of(fewest_of(arms[name].hypothesis, kept), drug, seed=study.seed))
    return made


def _entry(arm: Arm, found: Document, study: Study) -> Document:
    hypothesis = arm.hypothesis
    share, predicted, spiking = found["share"], found["predicted"], found["spiking"]
    first = predicted[str(min(study.populations))]
    held, second = spiking[HELD_OUT], spiking[SECOND]
    shown = held or first
    n = len(share["T5"])
    seeds = [row["targets"] for row in predicted.values()]
    others = [row["T5"]["met"] for row in seeds[1:]]
    return {
        "name": hypothesis.name,
        "words": hypothesis.words,
        "control": hypothesis.control,
        "counterfactual": hypothesis.counterfactual,
        "actions": tuple(arm.draws),
        "parameters": found["fit"]["parameters"],
        "loss": found["fit"]["loss"],
        "gradients": found["fit"]["gradients"],
        "prior_share_meeting_T5": float(share["T5"].mean()),
        "prior_share_interval": wilson(int(share["T5"].sum()), n),
        "prior_share_by_target": {name: float(share[name].mean()) for name in JUDGED if name != "T5"},
        "prior_response_left": dict(
            zip(
                ("low", "median", "high"),
                np.nanquantile(share["response_left"], (0.05, 0.5, 0.95)),
                strict=True,
            )
        ),
        "targets": shown["targets"],
        "targets_from": "predicted" if held is None else "spiking",
        "spontaneous_margins": shown["margins"],
        "predicted_targets": first["targets"],
        "stable": {
            name: {"met": sum(row[name]["met"] for row in seeds), "of": len(seeds)} for name in JUDGED
        },
        "together": first["targets"]["T5"]["met"],
        "held_out_together": sum(others) >= STABLE_SHARE * len(others),
        "spiking_together": None if held is None else held["targets"]["T5"]["met"],
        "second_morphology_together": None if second is None else second["targets"]["T5"]["met"],
        "second_morphology_targets": None if second is None else second["targets"],
        "fails": [name for name in study.rules.together if not shown["targets"][name]["met"]],
        "shifts": None if held is None else held["neurons"],
    }


def smallest_sufficient(hypotheses: Sequence[Hypothesis], entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the sufficient hypotheses none of whose proper subsets among them is sufficient."""
    actions = {h.name: frozenset(h.actions) for h in hypotheses}
    found = [entry["name"] for entry in entries if sufficient(entry)]
    return [name for name in found if not any(actions[other] < actions[name] for other in found)]


def _control_check(settings: ReproduceSettings, members: Members) -> Document:
    check = members.population.control_check(next((t for t in settings.table.target if t.id == "T0"), None))
    return {"met": check.met, "rows": [{**jsonable(row), "met": row.met} for row in check.rows]}


def _predictions(settings: ReproduceSettings, study: Study, cell: Cell, engine: str) -> Document:
    if not settings.predictions:
        return {"predictions": [], "conflict": None}
    members = study.populations[settings.spiking_seed]
    return study.folder.document(
        "predictions",
        lambda: population_predictions(
            cell,
            members.population.neurons,
            members.layouts,
            table=settings.table,
            engine=engine,
            dose=settings.dose,
            seed=settings.seed,
            progress=study.progress,
        ).document(),
    )


def _experiments(
    members: Members,
    arms: Mapping[str, Arm],
    found: Mapping[str, Document],
    entries: Sequence[Mapping[str, Any]],
) -> list[Any]:
    """Between the sufficient hypotheses; where fewer than two are, between those that some of their prior is."""
    named = [e["name"] for e in entries if sufficient(e)]
    if len(named) < 2:
        named = [e["name"] for e in entries if not e["control"]]
    return proposed_experiments(
        members, {name: meeting(arms[name].draws, found[name]["share"]["T5"]) for name in named}
    )


def _evidence(settings: ReproduceSettings) -> Document:
    ours = [
        f"{target.id}: {window.words}"
        for target in settings.table.target
        if target.id in (*JUDGED, "T0", "T8", "T9", "T10", "T11", "T12")
        for window in target.window
        if window.ours
    ]
    return {"windows_of_ours": ours}


def _write(directory: Path, document: Document) -> None:
    from ketune.report import write_reproduction

    with result_directory(directory, KIND, overwrite=True) as staging:
        write_json(staging / VERDICTS, {k: v for k, v in document.items() if k != "format"}, FORMAT)
        write_reproduction(document, staging / PAGE)
