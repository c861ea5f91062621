"""The page of `ketune reproduce`: what goes into its template."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ketune.report import _reproduce_figures as figures
from ketune.report import _reproduce_words as rw
from ketune.report import _tables
from ketune.report import _words as w
from ketune.report._rendering import rendered, write_whole
from ketune.report._reproduce_neurons import neuron_table
from ketune.report._row_table import row_script
from ketune.report._style import style
from ketune.reproduce._document import (
    TARGETS,
    HypothesisPart,
    Number,
    ParameterPart,
    PredictionRow,
    Reproduction,
    VerdictPart,
    read_document,
    state,
)

_NONE = "–"
_NOT_RUN = "not run"


def write_page(document: Mapping[str, Any], output: Path) -> Path:
    """See `ketune.report.write_reproduction`."""
    return write_whole(output, render(read_document(document)))


def render(run: Reproduction) -> str:
    """The page as text."""
    with style():
        pictures = figures.answer_pictures(run)
        by_target = [figures.by_target_picture(run)]
        populations = [
            p for p in (figures.population_picture(run, h) for h in rw.shown(run)) if p is not None
        ]
        conflict = [figures.conflict_picture(run, run.conflict)] if run.conflict else []
        experiments = [figures.experiment_picture(run, i, e) for i, e in enumerate(run.experiments, 1)]
    targets = _targets(run)
    margins = list(dict.fromkeys((m.low, m.high) for h in run.hypotheses for m in h.spontaneous_margins))
    return rendered(
        "reproduce.html.j2",
        **verdict_parts(run),
        answer=rw.answer(run),
        pictures=pictures,
        by_target=by_target,
        populations=populations,
        neurons=neuron_table(run),
        script=row_script(),
        conflict=conflict,
        experiments=experiments,
        checks=rw.checks(run),
        margins=[f"{w.exact(low)} to {w.exact(high)}" for low, high in margins],
        margin_rows=[_margin_row(h, margins) for h in run.hypotheses],
        share_rows=[_share_row(h, targets, run.dose.draws) for h in run.hypotheses],
        failed=_failed(run),
        fail_rows=[_fail_row(h) for h in run.hypotheses],
        details=[_details(h, targets, run) for h in run.hypotheses],
        predictions=[_prediction(p) for p in run.predictions],
        size_rows=[
            {"name": f"{i}: {p.hypothesis}", "cells": [e.observable, rw.size(p.value, p.interval, e.unit)]}
            for i, e in enumerate(run.experiments, 1)
            for p in e.predicted
        ],
        between=_between(run),
        control_rows=[] if run.control_check is None else [_control_row(r) for r in run.control_check.rows],
        emulator_rows=[] if run.emulator is None else [_emulator_row(r) for r in run.emulator.rows],
        our_ranges=_our_ranges(run),
        repeat=_repeat(run),
        provenance=_tables.flat(run.provenance),
    )


def verdict_parts(run: Reproduction) -> dict[str, Any]:
    """What the tables of verdicts show (`verdicts.html.j2`), on whatever page."""
    targets = _targets(run)
    return {
        "run": run,
        "targets": [(t, rw.TARGET_WORDS[t]) for t in targets],
        "verdicts": [_verdict_row(h, targets) for h in run.hypotheses],
    }


def _targets(run: Reproduction) -> list[str]:
    return [t for t in TARGETS if any(t in h.targets for h in run.hypotheses)]


# --- verdicts ---------------------------------------------------------------------------------------------------------


def _cell(target: str, verdict: VerdictPart | None) -> dict[str, Any]:
    if verdict is None:
        return {"mark": "", "word": _NOT_RUN, "value": "", "interval": "", "window": ""}
    return {
        "mark": rw.MARKS[verdict.state],
        "word": verdict.state,
        "value": rw.value(target, verdict),
        "interval": rw.interval(target, verdict),
        "window": rw.window(target, verdict),
    }


def _met(met: bool | None) -> dict[str, Any]:
    return {
        "mark": "" if met is None else rw.MARKS[state(met)],
        "word": _NOT_RUN if met is None else state(met),
    }


def _verdict_row(h: HypothesisPart, targets: list[str]) -> dict[str, Any]:
    return {
        "name": h.name,
        "kind": rw.kind(h),
        "predicted": h.targets_from == "predicted",
        "cells": [_cell(t, h.targets.get(t)) for t in targets],
        "together": [
            _met(x) for x in (h.spiking_together, h.held_out_together, h.second_morphology_together)
        ],
    }


def _margin_row(h: HypothesisPart, margins: list[tuple[float, float]]) -> dict[str, Any]:
    found = {(m.low, m.high): m.met for m in h.spontaneous_margins}
    t4 = h.targets.get("T4")
    ratio = "" if t4 is None else f"{rw.value('T4', t4)} ({rw.interval('T4', t4) or w.NOT_AVAILABLE})"
    return {
        "name": h.name,
        "ratio": ratio,
        "cells": [
            {"mark": rw.MARKS[state(found[m])], "word": state(found[m])}
            if m in found
            else {"mark": "", "word": _NOT_RUN}
            for m in margins
        ],
    }


def _share_row(h: HypothesisPart, targets: list[str], draws: int) -> dict[str, Any]:
    cells = [rw.share(h.prior_share_meeting_T5, h.prior_share_interval)]
    for target in targets:
        if target != "T5":
            found = h.prior_share_by_target.get(target)
            cells.append(rw.share(found, figures.wilson(found, draws)))
    left = h.prior_response_left
    cells.append(w.NOT_AVAILABLE if left is None else rw.share(left.median, (left.low, left.high)))
    return {"name": h.name, "cells": cells}


def _failed(run: Reproduction) -> str:
    """Which target is failed by how many."""
    n = len(run.examined)
    counts = {t: sum(t in h.fails for h in run.examined) for t in rw.TOGETHER}
    said = w.listed(f"{t} ({rw.TARGET_WORDS[t]}) by {count}" for t, count in counts.items() if count)
    if not n:
        return "Only controls were examined."
    of = w.counted(n, "set of actions", "sets of actions")
    return (
        f"Of {of}, failed: {said}."
        if said
        else f"None of {of} fails a target in the spikes of the held-out population."
    )


def _fail_row(h: HypothesisPart) -> dict[str, Any]:
    said = {t: h.targets[t] for t in h.fails if t in h.targets}
    return {
        "name": h.name,
        "acts": rw.actions(h.actions),
        "fails": w.listed(h.fails) or "nothing",
        "words": [
            f"{t} {v.state}: {v.words.removeprefix(f'{v.state}: ')}" for t, v in said.items() if v.words
        ],
    }


# --- one hypothesis in full -------------------------------------------------------------------------------------------


def _details(h: HypothesisPart, targets: list[str], run: Reproduction) -> dict[str, Any]:
    return {
        "name": h.name,
        "kind": rw.kind(h),
        "words": h.words[:1].upper() + h.words[1:],
        "open": h in rw.shown(run),
        "sufficient": h.sufficient,
        "loss": w.number(h.loss, reason="it has no gradient" if not h.gradients else ""),
        "gradients": h.gradients,
        "parameters": [_parameter(name, p) for name, p in h.parameters.items()],
        "targets": [_target_row(t, h) for t in targets],
        "numbers": [
            (f"{t}: {name.replace('_', ' ')}", w.number(number, 4))
            for t, verdict in h.targets.items()
            for name, number in verdict.numbers.items()
        ],
    }


def _target_row(target: str, h: HypothesisPart) -> dict[str, Any]:
    def said(where: Mapping[str, VerdictPart] | None) -> str:
        verdict = None if where is None else where.get(target)
        return _NOT_RUN if verdict is None else verdict.words or verdict.state

    stable = (h.stable or {}).get(target)
    level = h.targets[target].level if target in h.targets else ""
    return {
        "name": target,
        "cells": [
            level or _NONE,
            said(h.targets),
            said(h.predicted_targets),
            _NOT_RUN if stable is None else f"met in {stable.met} of {stable.of}",
            said(h.second_morphology_targets),
        ],
    }


def _parameter(name: str, p: ParameterPart) -> dict[str, Any]:
    flags = ["at the end of its range"] if p.at_bound else []
    if p.range_is_ours:
        flags.append("range is ours")
    at = _place(p.value, p)
    none = _place(p.none, p)
    return {
        "name": name,
        "meaning": p.meaning or name,
        "value": _compact(p.value, p.unit),
        "none": w.exact(p.none, p.unit),
        "range": _range(_rounded(p.low), _rounded(p.high), p.unit),
        "at": at,
        "ticks": [] if none is None else [none],
        "flags": flags,
    }


def _rounded(value: Number) -> Number:
    return None if value is None else float(f"{value:.3g}")


def _compact(value: Number, unit: str) -> str:
    """Three digits without trailing zeros, as ranges are written."""
    return w.exact(_rounded(value), unit)


def _place(value: Number, p: ParameterPart) -> float | None:
    """From 0 to 100 between the ends of the range; at its end if beyond it."""
    if value is None or p.low is None or p.high is None or not p.high > p.low:
        return None
    return round(100 * min(max((value - p.low) / (p.high - p.low), 0.0), 1.0), 1)


# --- predictions, experiments, checks ---------------------------------------------------------------------------------


def _prediction(p: Any) -> dict[str, Any]:
    return {
        "target": p.target,
        "statement": p.statement,
        "level": p.level,
        **_judged(p.met),
        "words": p.words,
        "note": p.note,
        "rows": [_prediction_row(r) for r in p.rows],
    }


def _prediction_row(r: PredictionRow) -> dict[str, Any]:
    return {
        "quantity": r.quantity,
        "value": rw.size(r.value, r.interval, r.unit),
        "range": _range(r.low, r.high, r.unit),
        "whose": _NONE if r.ours is None else "ours" if r.ours else "a source’s",
        "n": _NONE if r.n is None else str(r.n),
        "note": r.note,
        "unsettled": r.settled is False,
        **_judged(r.met),
    }


def _judged(met: bool | None) -> dict[str, str]:
    return {"mark": rw.MARKS[state(met)], "word": "no verdict" if met is None else state(met)}


def _range(low: Number, high: Number, unit: str) -> str:
    if low is None and high is None:
        return _NONE
    if low is None:
        return f"at most {w.exact(high, unit)}"
    return f"at least {w.exact(low, unit)}" if high is None else f"{w.exact(low)} to {w.exact(high, unit)}"


def _between(run: Reproduction) -> str:
    """Which hypotheses the experiments tell apart."""
    if not run.experiments:
        return "No experiment is proposed: that takes two hypotheses that meet T5 somewhere in their prior ranges."
    named = list(dict.fromkeys(p.hypothesis for e in run.experiments for p in e.predicted))
    sufficient = {h.name for h in run.hypotheses if h.sufficient}
    if sufficient >= set(named):
        return f"Between the sufficient hypotheses: {w.listed(named)}."
    return (
        f"Between {w.listed(named)}. Not all of them are sufficient: they are compared over those draws of their "
        "prior that meet T5 by the response surface."
    )


def _control_row(r: Any) -> dict[str, Any]:
    return {
        "name": r.quantity,
        "value": w.number(r.value, 3, r.unit),
        "range": _range(r.low, r.high, r.unit),
        "by": "ours" if r.given_by == "ours" else r.given_by,
        "judged": r.judged,
        "on": ", ".join(x for x in (r.selection, "" if r.n is None else f"n = {r.n}") if x) or _NONE,
        "note": r.note,
        **_judged(r.met),
    }


def _emulator_row(r: Any) -> dict[str, Any]:
    asked = "" if r.asked is None else f"at most {w.exact(r.asked, r.unit)}"
    return {
        "name": r.quantity,
        "error": w.number(r.error, 3, r.unit),
        "asked": asked or _NONE,
        **_judged(r.met),
    }


def _our_ranges(run: Reproduction) -> list[str]:
    """Prior ranges that no pharmacology limits, each once."""
    found: dict[str, str] = {}
    for h in run.hypotheses:
        for name, p in h.parameters.items():
            if p.range_is_ours:
                found.setdefault(
                    name, f"{p.meaning or name} ({name}): {_range(_rounded(p.low), _rounded(p.high), p.unit)}"
                )
    return list(found.values())


def _repeat(run: Reproduction) -> list[tuple[str, str]]:
    cell = run.cell and f"{run.cell.name}, {run.cell.compartments} compartments"
    second = run.second_morphology and (
        f"{run.second_morphology.name}, {run.second_morphology.compartments} compartments"
        + ("" if run.second_morphology.neurons is None else f", {run.second_morphology.neurons} neurons")
    )
    angles = w.listed("blank" if a is None else w.exact(a, "deg") for a in run.orientation_deg)
    time = "" if run.dose.time_min is None else f", {w.exact(run.dose.time_min, 'min')} after it was applied"
    seeds = [str(seed) for seed in run.population_seeds]
    rows = [
        ("command", run.command),
        ("ketune", run.ketune),
        ("population", f"{run.population}-like, {run.neurons} neurons in each"),
        (
            "population seeds",
            f"{w.listed(seeds[:1])} (fitted); held out: {w.listed(seeds[1:]) or 'none'}"
            + ("" if run.spiking_seed is None else f"; simulated with spikes: {run.spiking_seed}"),
        ),
        (
            "stimuli",
            f"{angles or w.NOT_AVAILABLE}; {run.trials} trials of {w.exact(run.window_s, 's')} in each condition",
        ),
        ("cell", cell or w.NOT_AVAILABLE),
        ("second morphology", second or _NOT_RUN),
        (
            "drug",
            f"topical ketamine, {run.dose.solution}{time}; {run.dose.draws} draws of its uncertain numbers",
        ),
        ("rows of reported effects", w.listed(["those of ketune", *run.evidence.files])),
        ("time taken", w.number(run.seconds, 3, "s")),
    ]
    return [(name, text or w.NOT_AVAILABLE) for name, text in rows]
