"""The page itself: what goes into the template, and the file on disk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ketune.report import (
    _dose_figures,
    _drug_figures,
    _explorer,
    _fit_figures,
    _inference_figures,
    _neuron_figures,
    _orientation_circle,
    _tables,
    _verdict,
)
from ketune.report import _words as w
from ketune.report._answers import answers
from ketune.report._origin import MEANINGS, UNDER_DRUG, Origin, of_confidence
from ketune.report._rendering import rendered, write_whole
from ketune.report._results import Application, Change, DrugNumber, Fit, Result, load
from ketune.report._style import style


@dataclass
class DrugModel:
    """Numbers of a drug that several applications may share, shown once."""

    title: str
    rows: list[tuple[str, str, str, Origin, str, str]]
    cautions: list[str]
    used_by: list[str] = field(default_factory=list)


def write_page(directories: Sequence[Path], output: Path) -> Path:
    """See `ketune.report.write`."""
    return write_whole(output, render(load(directories)))


def render(results: Sequence[Result]) -> str:
    """The page as text."""
    models: dict[str, DrugModel] = {}
    with style():
        sections = [section(result, i, models) for i, result in enumerate(results)]
    return rendered(
        "report.html.j2",
        sections=sections,
        overview=[_overview(part["id"], result) for part, result in zip(sections, results, strict=True)],
        drug_models=list(models.values()),
        any_drug=bool(models),
        origins=MEANINGS,
        under_drug=UNDER_DRUG,
        explorers=_explorer.page_parts() if any(part["explorer"] for part in sections) else None,
    )


def section(result: Result, index: int = 0, models: dict[str, DrugModel] | None = None) -> dict[str, Any]:
    """What the template shows of one fit; within :func:`ketune.report._style.style`.

    ``models`` collects the drugs' numbers, which fits share.
    """
    fit, models = result.fit, {} if models is None else models
    identifier = f"fit-{index + 1}"
    commands, programs = _tables.commands(result)
    applications = [
        _application(f"{identifier}-drug-{i + 1}", a, fit, models) for i, a in enumerate(result.applications)
    ]
    return {
        "id": identifier,
        "name": fit.recording.name,
        "directory": str(result.directory),
        "usable": fit.usable,
        "answers": [vars(answer) for answer in answers(result)],
        "verdict": _verdict.verdict(result),
        "recording": fit.recording,
        "pictures": [_fit_figures.tuning_picture(fit), _fit_figures.fano_picture(fit)],
        "scores": _verdict.scores(fit.check) if fit.check else [],
        "fit": fit,
        "by_orientation": _tables.by_orientation(fit),
        "indices": _tables.index_rows(
            {"recorded": fit.summary.recorded, "model, spiking": fit.summary.spiking}
        )
        if fit.summary
        else [],
        "explorer": _explorer.explorer_section(result.directory, identifier),
        "applications": applications,
        "traces": None if any(a["traces"] for a in applications) else _fit_figures.traces_picture(fit.traces),
        "synapses": _neuron_figures.synapses_picture(result.applications),
        "parameters": [_tables.parameter(name, p, fit) for name, p in fit.parameters.items()],
        "open": [_tables.open_direction(d.combination, d.sd_log) for d in fit.undetermined],
        "readout": _tables.readout(fit),
        "inference": _inference_figures.inference_section(fit, result.directory),
        "replays": _tables.replays(result),
        "commands": commands,
        "programs": programs,
        "settings": _tables.flat(fit.settings),
        "provenance": _tables.provenance(result),
    }


def _application(identifier: str, a: Application, fit: Fit, models: dict[str, DrugModel]) -> dict[str, Any]:
    traces = [*([] if any(t.condition == a.before.label for t in a.traces) else fit.traces), *a.traces]
    reported, references = _tables.reported_rows(a)
    _remember(a, fit.recording.name, models)
    return {
        "id": identifier,
        "title": a.title[:1].upper() + a.title[1:],
        "route": a.route,
        "main": a.main_condition,
        "pictures": [_drug_figures.tuning_picture(a, fit.recording.window_s), _drug_figures.fano_picture(a)],
        "spread": [
            p
            for p in (
                _drug_figures.changes_picture(a),
                _drug_figures.kept_picture(a),
                _orientation_circle.circle_picture(a),
            )
            if p
        ],
        "tissue": [p for p in (_neuron_figures.block_picture(a), *_drug_figures.map_pictures(a)) if p],
        "traces": _fit_figures.traces_picture(traces) if a.traces else None,
        "columns": [_tables.column(c) for c in a.conditions],
        "tuning_rows": _tables.tuning_rows(a.conditions),
        "effect_rows": _tables.effect_rows(a),
        "compared": a.compared,
        "choices": _tables.choice_words(a),
        "assay": a.assay,
        "dose_figures": _dose_figures.pictures(a.dose_response, a.drug) if a.dose_response else [],
        "dose_words": _tables.dose_words(a),
        "level_columns": [] if a.levels is None else a.levels.labels,
        "level_rows": _tables.level_rows(a),
        "level_words": _tables.level_words(a),
        "reported": reported,
        "references": references,
        "exposure": a.exposure,
        "doubtful": a.doubtful,
        "margins": _tables.margins(a),
        "lacking": [_tables.TARGETS.get(word, word) for word in a.lacking],
    }


# --- overview ---------------------------------------------------------------------------------------------------------


def _overview(identifier: str, result: Result) -> dict[str, Any]:
    fit, check = result.fit, result.fit.check
    drugs = []
    for a in result.applications:
        named = {c.quantity: c for c in a.changes}
        drugs.append(
            {
                "title": f"{a.title}, at {a.main_condition}",
                "selectivity": _brief(named.get("gosi") or named.get("osi_fit")),
                "fano": _brief(named.get("fano")),
                "shift": _brief(named.get("preferred_deg")),
            }
        )
    scores = [score.value for score in _verdict.scores(check)] if check else ["not checked"] * 3
    return {
        "id": identifier,
        "name": fit.recording.name,
        "usable": fit.usable,
        "status": fit.status.replace("_", " "),
        "scores": scores,
        "drugs": drugs,
    }


def _brief(change: Change | None) -> str:
    if change is None or change.best is None:
        return w.NOT_AVAILABLE
    if not change.determined:
        return f"not determined ({w.change_range(change)})"
    return f"{w.change_size(change)} ({w.change_range(change)})"


def _known(name: str, number: DrugNumber, a: Application) -> tuple[Origin, str]:
    """Where a number of the drug comes from, and how sure it is."""
    if name in a.choices.set:
        return "assumption", "set by hand"
    if any(found.source and found.source in number.source for found in a.assay):
        return "data", number.confidence
    return of_confidence(number.confidence, number.source), number.confidence


def _remember(a: Application, name: str, models: dict[str, DrugModel]) -> None:
    numbers = a.exposure.parameters
    given = [a.drug, a.cautions, sorted(a.choices.set), {k: v.model_dump() for k, v in numbers.items()}]
    key = json.dumps(given, sort_keys=True)
    model = models.setdefault(
        key,
        DrugModel(
            title=a.drug,
            rows=[
                (
                    k,
                    w.number(v.value, 3, v.unit),
                    w.span(v.low, v.high, 3, v.unit),
                    *_known(k, v, a),
                    v.source,
                )
                for k, v in numbers.items()
            ],
            cautions=a.cautions,
        ),
    )
    used = f"{name} ({a.title})"
    if used not in model.used_by:
        model.used_by.append(used)
