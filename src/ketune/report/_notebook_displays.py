"""What a notebook shows of recordings, cells, drugs, fits, applied drugs and batches: their `_repr_html_`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ketune._html import Card
from ketune.errors import InputError
from ketune.report import _words as w
from ketune.report._notebook_figures import default_soma_depth_um, draw_neuron, draw_tuning

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ketune.batch import BatchFolder
    from ketune.cell import Cell, Placement
    from ketune.pharmacology import Drug, Quantity
    from ketune.report._results import Application, Result
    from ketune.tuning import Recording

_NEURON_SIZE = (3.6, 3.8)
_MOST_FAILURES = 50


def recording_html(recording: Recording) -> str:
    """Trials and tuning of each condition, and the curves."""
    folded = recording.fold()
    facts = [
        ("source", recording.source or "not given"),
        ("trials", f"{recording.spikes.size}, {'some' if recording.has_blank else 'none'} of them blank"),
        ("counting window", w.exact(recording.window_s, "s")),
        ("SHA-256", recording.sha256),
    ]
    if folded is not recording:
        facts.append(("directions", "drift directions, shown folded onto orientations; fits need fold()"))
    return _with_figure(
        Card(
            title=f"Recording {recording.name}",
            facts=facts,
            columns=(
                "condition",
                "orientations",
                "trials each",
                "blank trials",
                "preferred",
                "OSI (fit)",
                "peak",
            ),
            rows=[_condition_row(folded, condition) for condition in folded.conditions()],
            alt=f"Mean spike count with standard errors against orientation for {recording.name}.",
        ),
        lambda axes: draw_tuning(axes, recording),
    )


def cell_html(cell: Cell) -> str:
    """Compartments by region, mechanisms and synapses, and the dendrite."""
    table = cell.table
    numbers = ", ".join(f"{name} {int(np.sum(table.region == name))}" for name in dict.fromkeys(table.region))
    dendritic = np.isin(table.region, ("basal", "apical"))
    synapses = sum(len(p.compartments) for p in cell.placements if p.mechanism.kind == "point")
    depth = default_soma_depth_um()
    return _with_figure(
        Card(
            title=f"Cell {cell.name}",
            facts=[
                ("compartments", f"{table.n} ({numbers})"),
                ("length of the dendrites", w.number(float(table.length_um[dendritic].sum()), 4, "um")),
                ("point processes", str(synapses)),
                (
                    "ports",
                    "; ".join(f"{port}: {w.listed(heard)}" for port, heard in cell.ports.items()) or "none",
                ),
                ("initial potential", w.exact(cell.v_init_mV, "mV")),
                ("temperature", w.exact(cell.celsius, "°C")),
            ],
            columns=("placement", "mechanism", "kind", "number", "regions"),
            rows=[_placement_row(cell, p) for p in cell.placements],
            notes=[
                f"Drawn with the soma {w.exact(depth, 'um')} below the pia, as in the shipped preparation (assumed)."
            ],
            alt=f"The morphology of {cell.name}, coloured by region.",
        ),
        lambda axes: draw_neuron(axes, cell),
        size=_NEURON_SIZE,
    )


def drug_html(drug: Drug) -> str:
    """Every number with unit, interval, source and how sure it is; those of the preparation come last."""
    own = drug.own()
    rows = [*own.items(), *((name, q) for name, q in drug.parameters.items() if name not in own)]
    return Card(
        title=f"Drug {drug.name}",
        facts=[
            ("description", drug.description),
            ("acts on", ", ".join(f"{group} ({law})" for group, law in drug.laws.items()) or "nothing known"),
            ("other names", ", ".join(drug.synonyms) or "none"),
            ("assumptions", f"{len(drug.assumptions())} of {w.counted(len(drug.parameters), 'number')}"),
        ],
        columns=("number", "value", "unit", "95 % interval", "assumption", "how known", "source", "of"),
        rows=[_quantity_row(name, q, "drug" if name in own else "preparation") for name, q in rows],
        notes=[f"Not known: {gap}" for gap in drug.gaps],
    ).html()


def fit_html(result: Result) -> str:
    """Whether the fit may be used, its parameters, and recorded against simulated tuning."""
    from ketune.report._tables import parameter
    from ketune.report._verdict import scores

    fit = result.fit
    rows = [parameter(name, p, fit) for name, p in fit.parameters.items()]
    return _with_figure(
        Card(
            title=f"Fit of {fit.recording.name}",
            facts=[
                ("directory", str(result.directory)),
                ("status", ": ".join(filter(None, (fit.status.replace("_", " "), fit.message)))),
                (
                    "may be used",
                    "yes" if fit.usable else "no: it has to converge and to predict held-out trials",
                ),
                *(
                    (score.name, f"{score.value} (required: {score.required})")
                    for score in (scores(fit.check) if fit.check else [])
                ),
                ("kept parameter sets", str(len(fit.kept_sets))),
                ("applied drugs", "; ".join(a.title for a in result.applications) or "none"),
            ],
            columns=("parameter", "value ± SE", "bounds", "kept sets", "remarks", "meaning"),
            rows=[(r.name, r.value, r.bounds, r.kept, ", ".join(r.flags), r.meaning) for r in rows],
            alt=f"Mean spike count against orientation for {fit.recording.name}: recorded and model.",
        ),
        lambda axes: draw_tuning(axes, result),
    )


def application_html(application: Application) -> str:
    """What changed, and the tuning in each condition."""
    return _with_figure(
        Card(
            title=application.title[:1].upper() + application.title[1:],
            facts=[
                ("conditions", ", ".join(c.label for c in application.conditions)),
                ("changes are judged at", application.main_condition),
                ("kept parameter sets", str(len(application.kept))),
            ],
            columns=("quantity", "change of the best set", "over the kept sets", "determined"),
            rows=[
                (w.quantity(c.quantity), w.change_size(c), w.change_range(c), "yes" if c.determined else "no")
                for c in application.changes
            ],
            notes=application.cautions,
            alt=f"Mean spike count against orientation for {application.title}.",
        ),
        lambda axes: draw_tuning(axes, application),
    )


def batch_html(folder: BatchFolder) -> str:
    """How far it is, and what failed."""
    from ketune.batch import batch_status

    try:
        status = batch_status(folder.root)
    except InputError as error:
        return Card(title="Batch", facts=[("directory", str(folder.root))], notes=[str(error)]).html()
    failed = status["failed"]
    more = len(failed) - _MOST_FAILURES
    return Card(
        title=f"Batch {status['name']}",
        facts=[
            ("directory", status["directory"]),
            *((name, str(status[name])) for name in ("jobs", "done", "running", "missing")),
            ("failed", str(len(failed))),
            *([("of an earlier configuration", str(status["others"]))] if status["others"] else []),
        ],
        columns=("failed job", "what", "kind", "reason", "attempts", "log"),
        rows=[
            [str(entry[key]) for key in ("job", "label", "kind", "reason", "attempts", "log")]
            for entry in failed[:_MOST_FAILURES]
        ],
        notes=[f"And {w.counted(more, 'more failed job')}."] if more > 0 else [],
    ).html()


def _with_figure(card: Card, draw: Callable[[Axes], Axes], size: tuple[float, float] | None = None) -> str:
    from dataclasses import replace

    from ketune.report import _style as s

    with s.style():
        figure = s.figure(*(size or s.PANEL))
        draw(figure.subplots())
        return replace(card, figure=figure).html()


def _condition_row(recording: Recording, condition: str) -> list[str]:
    from ketune.tuning import summarise_recording

    orientations = recording.orientations(condition)
    blank = recording.counts(None, condition).size if recording.has_blank_in(condition) else 0
    known = [
        condition,
        str(orientations.size),
        w.trials(recording.counts(o, condition).size for o in orientations),
        str(blank),
    ]
    try:
        summary = summarise_recording(recording, condition)
    except InputError:  # fewer than two orientations
        return [*known, *[w.NOT_AVAILABLE] * 3]
    return [
        *known,
        w.with_error(summary.preferred_deg, summary.fit.preferred_se_deg, "deg"),
        w.with_error(summary.osi_fit, summary.fit.osi_se),
        w.number(summary.peak_rate_hz, unit="Hz"),
    ]


def _placement_row(cell: Cell, placement: Placement) -> list[str]:
    n = len(placement.compartments)
    density = placement.mechanism.kind == "density"
    return [
        placement.label,
        placement.mechanism.name,
        "density" if density else "point process",
        w.counted(n, "compartment") if density else str(n),
        ", ".join(dict.fromkeys(str(r) for r in cell.table.region[placement.compartments])),
    ]


def _quantity_row(name: str, quantity: Quantity, of: str) -> list[str]:
    interval = (
        "fixed" if quantity.spread == "fixed" else f"{w.exact(quantity.low)} to {w.exact(quantity.high)}"
    )
    stress = "".join(f"; stress test {w.exact(value)}" for value in quantity.stress)
    return [
        name,
        w.exact(quantity.value),
        w.unit(quantity.unit).strip(),
        interval + stress,
        "yes" if quantity.assumed else "no",
        ", ".join(quantity.confidence)
        + ("; placeholder until the paper is opened" if quantity.placeholder else ""),
        quantity.source,
        of,
    ]
