"""The tables of the report: rows of text, ready for the template."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ketune.evidence import EffectTable, ReportedEffect, reported_effects
from ketune.report import _verdict
from ketune.report import _words as w
from ketune.report._results import (
    Application,
    Change,
    Condition,
    Fit,
    Indices,
    Number,
    ParameterPart,
    Result,
    evoked,
    mean,
)

_REPORTED = ("K1", "K2", "K3", "K4")
_REGIONS = {"soma": "soma", "basal": "basal dendrites", "apical": "apical dendrites"}
_EFFECTS: tuple[tuple[str, str, str, bool], ...] = (
    # key, what the reader calls it, unit, shown as a percentage
    ("ampa_block", "AMPA conductance blocked", "", True),
    ("hcn_block", "HCN1 conductance lost", "", True),
    ("hcn_shift_mV", "HCN1 activation shifted to hyperpolarised potentials by", "mV", False),
    ("nav_block", "Na current blocked", "", True),
    ("kv_block", "delayed-rectifier K current blocked", "", True),
    ("kv_shift_mV", "its activation shifted to depolarised potentials by", "mV", False),
    ("cal_block", "L-type Ca current blocked", "", True),
    ("tonic_gaba_gain", "tonic GABA-A conductance, of control", "", True),
    ("gabaa_gain", "synaptic GABA-A conductance, of control", "", True),
    ("gabaa_decay", "its decay time, of control", "", True),
    ("pv_drive", "drive of PV interneurons, of control", "", True),
    ("sst_drive", "drive of SST interneurons, of control", "", True),
)
_NEUTRAL = dict.fromkeys(("tonic_gaba_gain", "gabaa_gain", "gabaa_decay", "pv_drive", "sst_drive"), 1.0)
TARGETS = {
    "hcn1": "HCN1 channels",
    "nav": "voltage-gated Na channels",
    "kv": "delayed-rectifier K channels",
    "cal": "L-type Ca channels",
    "gabatonic": "tonic GABA-A receptors",
    "nmda": "NMDA receptors",
    "ampa": "AMPA receptors",
    "gabaa": "synaptic GABA-A receptors",
    "sk": "SK channels",
    "pv": "PV interneurons",
    "sst": "SST interneurons",
    "vip": "VIP interneurons",
}
_NO_BLANK = "no blank condition"


@dataclass(frozen=True)
class Row:
    """One row of a table: a heading and a cell for every column."""

    name: str
    cells: list[str]


@dataclass(frozen=True)
class ParameterRow:
    """One fitted parameter, with places on its range in per cent for drawing."""

    name: str
    meaning: str
    value: str
    bounds: str
    kept: str
    flags: list[str]
    at: Number
    ticks: list[float]
    logarithmic: bool


@dataclass(frozen=True)
class ReportedRow:
    """A change in the model beside the reported direction."""

    quantity: str
    model: str
    spread: str
    reported: str
    size: str
    agreement: str
    mark: str
    source: str


# --- the fit ----------------------------------------------------------------------------------------------------------


def by_orientation(fit: Fit) -> list[Row]:
    """Every number of the two figures of the fit."""
    t, c = fit.tuning, fit.check
    of_check = [] if c is None else c.orientation_deg
    rows = []
    for theta in dict.fromkeys([*t.orientation_deg, *of_check]):
        i = _find(t.orientation_deg, theta)
        cells = [w.NOT_RECORDED, w.NOT_AVAILABLE] if i is None else [
            w.with_error(t.recorded_mean[i], t.recorded_sem[i]), w.number(t.fitted_mean[i]),
        ]  # fmt: skip
        fano = [w.NOT_RECORDED if i is None else w.with_error(t.recorded_fano[i], t.recorded_fano_se[i])]
        if c is not None:
            j = _find(c.orientation_deg, theta)
            cells += [w.NOT_AVAILABLE] * 2 if j is None else [
                w.with_error(c.test_mean[j], c.test_sem[j]), w.with_error(c.spiking_mean[j], c.spiking_sem[j]),
            ]  # fmt: skip
            fano += [w.NOT_AVAILABLE] * 2 if j is None else [
                w.with_error(c.test_fano[j], c.test_fano_se[j]), w.with_error(c.spiking_fano[j], c.spiking_fano_se[j]),
            ]  # fmt: skip
        rows.append(Row("blank" if theta is None else w.exact(theta, "deg"), cells + fano))
    return rows


def _find(orientation_deg: Sequence[Number], theta: Number) -> int | None:
    return next((k for k, other in enumerate(orientation_deg) if other == theta), None)


def index_rows(columns: dict[str, Indices]) -> list[Row]:
    def cells(name: str, unit: str = "", reason: str = "") -> list[str]:
        return [w.number(getattr(c, name), unit=unit, reason=reason) for c in columns.values()]

    return [
        Row("preferred orientation", cells("preferred_deg", "deg")),
        Row("OSI, fitted curve", cells("osi_fit")),
        Row("OSI, raw points", cells("osi_points")),
        Row("gOSI", cells("gosi")),
        Row("half width at half height", cells("hwhm_deg", "deg")),
        Row("rate at the preferred orientation", cells("peak_rate_hz", "Hz")),
        Row("rate at the orthogonal orientation", cells("orthogonal_rate_hz", "Hz")),
        Row("spontaneous rate", cells("spontaneous_rate_hz", "Hz", _NO_BLANK)),
    ]


def parameter(name: str, p: ParameterPart, fit: Fit) -> ParameterRow:
    kept = [k.values[name] for k in fit.kept_sets if k.values.get(name) is not None]
    logarithmic = p.low is not None and p.high is not None and p.low > 0 and p.high / p.low > 10
    flags = (["at its bound"] if p.at_bound else []) + ([] if p.determined else ["not determined"])
    return ParameterRow(
        name=name,
        meaning=p.meaning,
        value=w.with_error(p.value, p.se, p.unit),
        bounds="any" if p.circular else f"{w.exact(p.low)} to {w.exact(p.high, p.unit)}",
        kept=w.kept_span(p, kept) + ("°" if p.unit == "deg" and kept else ""),
        flags=flags,
        at=_position(p.value, p, logarithmic),
        ticks=[x for value in kept if (x := _position(value, p, logarithmic)) is not None],
        logarithmic=logarithmic,
    )


def _position(value: Number, p: ParameterPart, logarithmic: bool) -> Number:
    if value is None or p.low is None or p.high is None or p.high <= p.low:
        return None
    scale: Callable[[float], float] = math.log if logarithmic else float
    inside = min(max(value, p.low), p.high)
    return round(100 * (scale(inside) - scale(p.low)) / (scale(p.high) - scale(p.low)), 1)


def open_direction(combination: str, sd_log: Number) -> str:
    if sd_log is None:
        return combination
    factor = math.exp(min(sd_log, 50.0))
    size = "more than a thousand-fold" if factor > 1000 else f"a factor of {w.number(factor, 2)}"
    return f"{combination}: uncertain by {size} (one standard deviation)"


def readout(fit: Fit) -> str:
    r = fit.readout
    parts = [] if r.estimator == "silent twin" else [r.estimator]
    if r.correlation is not None:
        parts.append(f"correlation with the spike counts of the spiking neuron {w.number(r.correlation)}")
    if isinstance(r.dispersion, int | float):
        parts.append(f"dispersion of the counts given the input {w.number(r.dispersion)}")
    parts += [
        f"{_unit_last(name)} {w.number(value)}" for name, value in r.hazard.items() if value is not None
    ]
    if r.dt_ms is not None:
        parts.append(f"time step {w.number(r.dt_ms, unit='ms')}")
    if r.spiking_dt_ms is not None:
        parts.append(f"{w.number(r.spiking_dt_ms, unit='ms')} when spiking")
    parts += _chosen_steps(fit.provenance.get("time_steps"))
    return "; ".join(parts)


def _chosen_steps(steps: dict[str, Any] | None) -> list[str]:
    """What was measured where the time steps were chosen by their error."""
    if steps is None:
        return []
    told = []
    for cell in ("spiking", "silent"):
        key = f"{steps[cell]['dt_ms']:g} ms"
        error, se = (100 * steps[cell][name][key] for name in ("error", "standard_error"))
        told.append(f"{cell} {error:+.2f} ± {se:.2f} %")
    missed = (
        "" if all(steps[c]["within"] for c in ("spiking", "silent")) else ", missed by even the smallest step"
    )
    return [
        f"error of the expected count at these steps: {', '.join(told)} (bound {100 * steps['bound']:g} %{missed})"
    ]


def _unit_last(name: str) -> str:
    for ending, unit in (("_hz_per_mV", " (Hz/mV)"), ("_mV", " (mV)"), ("_ms", " (ms)")):
        if name.endswith(ending):
            return name.removesuffix(ending).replace("_", " ") + unit
    return name.replace("_", " ")


def replays(result: Result) -> list[Row]:
    named = [("fit", result.fit.replay), *((a.title, a.replay) for a in result.applications)]
    return [Row(name, [_verdict.replay_text(r) if r else "Not run."]) for name, r in named]


# --- the drug ---------------------------------------------------------------------------------------------------------


def column(condition: Condition) -> str:
    if condition.time_min is None or str(round(condition.time_min)) in condition.label:
        phase = condition.phase
        return condition.label if phase in (None, "control") else f"{condition.label}, {phase}"
    return f"{condition.label} ({w.number(condition.time_min, 2, 'min')})"


def tuning_rows(conditions: Sequence[Condition]) -> list[Row]:
    rows = index_rows({str(i): condition.summary for i, condition in enumerate(conditions)})
    fano = [mean(evoked(c.tuning.orientation_deg, c.tuning.fano)) for c in conditions]
    rows.append(Row("Fano factor, mean over orientations", [w.number(value) for value in fano]))
    rows.append(Row("shift of the preferred orientation", [_shift(c) for c in conditions]))
    return rows


def _shift(condition: Condition) -> str:
    shift = condition.shift
    if shift is None or shift.deg is None:
        return "reference" if condition.label == "before" else w.NOT_AVAILABLE
    text = w.signed(shift.deg, "deg")
    if shift.null_low is not None and shift.null_high is not None:
        text += f" (chance: {w.signed(shift.null_low)} to {w.signed(shift.null_high, 'deg')}, {w.p_value(shift.p)})"
    return text


def effect_rows(a: Application) -> list[Row]:
    rows = [
        Row(
            f"free {a.drug}, {where}",
            [w.number(c.concentration_uM.get(region), 2, "uM") for c in a.conditions],
        )
        for region, where in _REGIONS.items()
    ]
    rows += [
        Row(
            f"NMDA conductance blocked, {where}",
            [w.percent(c.effect_in(region, "nmda_block"), 3) for c in a.conditions],
        )
        for region, where in _REGIONS.items()
    ]
    for key, name, unit, as_percent in _EFFECTS:
        values = [c.effect.get(key) for c in a.conditions]
        if all(value in (None, _NEUTRAL.get(key, 0.0)) for value in values):
            continue  # what no condition changes
        missing = " (this cell has none)" if any(key.startswith(f"{word}_") for word in a.lacking) else ""
        rows.append(Row(name + missing, [_effect_cell(value, unit, as_percent) for value in values]))
    return rows


_LEVELS = {
    "naive": "always in use, C / (C + IC50)",
    "equilibrium": "equilibrium with activity",
    "kinetic": "building up (kinetic)",
    "markov": "receptor scheme (markov)",
}


def level_rows(a: Application) -> list[Row]:
    """NMDA block of this cell by each level, the one that was used first marked."""
    if a.levels is None:
        return []
    rows = []
    for name, words in _LEVELS.items():
        values = a.levels.mean_block.get(name)
        used = " (used)" if name == a.levels.used else ""
        cells = (
            ["rates not known"] * len(a.levels.labels)
            if values is None
            else [w.percent(v, 3) for v in values]
        )
        rows.append(Row(words + used, cells))
    return rows


def level_words(a: Application) -> str:
    """How far the levels lie apart, and what of the cell they took."""
    if a.levels is None:
        return ""
    apart = [
        f"{_LEVELS[d.one]} and {_LEVELS[d.other]} by up to {w.number(abs(d.largest), 2)}"
        + ("" if d.time_min is None else f" (at {w.number(d.time_min, 2, 'min')})")
        for d in a.levels.differences
        if d.largest is not None and {d.one, d.other} <= _LEVELS.keys()
    ]
    parts = [f"Largest difference of block in any compartment: {'; '.join(apart)}."] if apart else []
    for span, what, unit in (
        (a.levels.v_bar_mV, "mean potential of open receptors", "mV"),
        (a.levels.rate_hz, "events per synapse", "Hz"),
    ):
        if span is not None:
            low, middle, high = (w.number(x, 2) for x in span)
            parts.append(f"{what[:1].upper()}{what[1:]}: {middle} ({low} to {high}) {unit}.")
    return " ".join(parts)


def dose_words(a: Application) -> str:
    """What the dose-response rests on."""
    d = a.dose_response
    if d is None:
        return ""
    emulator = d["emulator"]
    error, tolerance = 100 * emulator["error_of_peak"], 100 * emulator["tolerance"]
    met = f"at most {tolerance:g} % was asked for" + ("" if emulator["within"] else " and was not reached")
    when, drawn = w.number(d.get("time_min"), 3, "min"), len(d.get("drawn", []))
    return (
        f"{len(d['doses'])} doses, {when} after application, and {d['n_samples'] - 1} draws of {drawn} uncertain "
        "numbers of the drug. Most points are emulated from direct simulations; on simulations that it had not seen "
        f"the emulator was off by {error:.1f} % of the peak (root mean square; {met}). The bands hold what is not "
        "known of the drug; what the recording leaves open about the neuron is in the kept sets above."
    )


def choice_words(a: Application) -> str:
    """What was switched on, off or set by hand, in a few sentences; empty where nothing was."""
    c, parts = a.choices, []
    if c.switched_off:
        acts, off = (w.listed([TARGETS.get(x, x) for x in names]) for names in (c.targets, c.switched_off))
        parts.append(f"The drug acted on {acts} only; switched off: {off}.")
    for b in c.baseline:
        how = "the recording was made under it" if b.recorded else "added to control and drug"
        parts.append(f"Present throughout: {b.drug}, {w.number(b.concentration_uM, 3, 'uM')} ({how}).")
    if c.also_given:
        parts.append(f"Also given: {w.listed(c.also_given)}.")
    if c.dopamine:
        parts.append("The dopamine layer is on: an extrapolation from prefrontal cortex.")
    if c.set:
        parts.append(f"Set by hand: {', '.join(f'{k} = {w.exact(v)}' for k, v in c.set.items())}.")
    return " ".join(parts)


def _effect_cell(value: Number | dict[str, Number], unit: str, as_percent: bool) -> str:
    known = [v for v in (value.values() if isinstance(value, dict) else [value]) if v is not None]
    if not known:
        return w.NOT_AVAILABLE
    ends = [w.percent(v) if as_percent else w.number(v, 2, unit) for v in (min(known), max(known))]
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def margins(a: Application) -> str:
    """What counts as no change, in one sentence."""
    m, parts = a.margins, []
    if m is not None and m.equal is not None:
        parts.append(f"a ratio of {w.exact(m.equal[0])} to {w.exact(m.equal[1])} counts as no change")
    if m is not None and m.shift_deg is not None:
        parts.append(f"an angle up to {w.exact(m.shift_deg, 'deg')} as no shift")
    return f"The margins are ketune’s own: {w.listed(parts)}." if parts else ""


def reported_rows(a: Application) -> tuple[list[ReportedRow], list[str]]:
    """Changes beside the reported directions, and the sources in full, which the rows refer to by number.

    For ketamine K1 to K4 come first, also where nothing was computed that they could be compared with.
    """
    table = reported_effects()
    known = {effect.id: effect for effect in table.effect}
    expected = _REPORTED if a.compared else ()
    of_changes = [change.reported_id or "" for change in a.changes]
    references: list[str] = []
    rows: list[ReportedRow] = []
    for identifier in dict.fromkeys((*expected, *of_changes)):
        effect = known.get(identifier)
        changes = [change for change in a.changes if (change.reported_id or "") == identifier]
        rows += [_reported_row(change, effect, table, references) for change in changes]
        if effect is not None and not changes:
            rows.append(_reported_row(None, effect, table, references))
    return rows, references


def _reported_row(
    change: Change | None, effect: ReportedEffect | None, table: EffectTable, references: list[str]
) -> ReportedRow:
    if effect is not None:
        reported = f"{effect.direction} ({effect.id})"
        size = effect.size if effect.size_known else "no size retrieved"
        source = _reference(table.citation(effect), effect.source, references)
    else:
        direction = "unknown" if change is None else change.reported
        reported, size = direction, "no size retrieved"
        source = change.source if change is not None and change.source else "no report found"
    if change is None:
        none = "not computed"
        name = effect.quantity if effect else w.NOT_AVAILABLE
        return ReportedRow(name, none, none, reported, size, f"no verdict: {none}", "open", source)
    agreement, mark = _agreement(change)
    return ReportedRow(
        quantity=w.quantity(change.quantity),
        model=w.change_size(change),
        spread=w.change_range(change),
        reported=reported,
        size=size,
        agreement=agreement,
        mark=mark,
        source=source,
    )


def _agreement(change: Change) -> tuple[str, str]:
    if change.agrees_with_report is not None:
        return w.against_report(change), "yes" if change.agrees_with_report else "no"
    if change.reported == "unknown":
        return "no verdict: nothing reported", "open"
    if change.best is None:
        return f"no verdict: {w.NOT_AVAILABLE} in this result", "open"
    return "no verdict: not determined by these data", "open"


def _reference(citation: str, identifier: str, references: list[str]) -> str:
    """Short name and number of a source, which is added to the list at its first use."""
    if citation not in references:
        references.append(citation)
    return (
        f"{re.sub(r'(?<=[a-z])(?=[0-9])', ' ', identifier).capitalize()} [{references.index(citation) + 1}]"
    )


# --- where it comes from ----------------------------------------------------------------------------------------------


def provenance(result: Result) -> list[tuple[str, list[tuple[str, str]]]]:
    parts = [("Fit", flat(result.fit.provenance))]
    parts += [(f"Drug: {a.title}", flat(a.provenance)) for a in result.applications]
    return [(title, rows) for title, rows in parts if rows]


def commands(result: Result) -> tuple[list[str], list[str]]:
    """What was typed, fit first: commands of ketune, and other programs that called it."""
    parts = (result.fit.provenance, *(a.provenance for a in result.applications))
    known = list(dict.fromkeys(str(part["command"]) for part in parts if part.get("command")))
    if (result.directory / "job.json").exists():  # a job of a batch, whose own process names no command
        return [f"ketune rerun {Path('jobs') / result.directory.name}"], []
    own = [command for command in known if command.startswith("ketune ")]
    return own, [command for command in known if command not in own]


def flat(document: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested values as lines: small groups of plain values on one line, the rest one line a value."""
    rows: list[tuple[str, str]] = []
    for key, value in document.items():
        name = f"{prefix}{key.replace('_', ' ')}"
        if isinstance(value, dict):
            if value and all(not isinstance(v, dict | list) for v in value.values()):
                rows.append(
                    (name, ", ".join(f"{k.replace('_', ' ')} {_plain_value(v)}" for k, v in value.items()))
                )
            else:
                rows += flat(value, f"{name}: ")
        elif isinstance(value, list):
            rows.append((name, ", ".join(_plain_value(v) for v in value) or "none"))
        else:
            rows.append((name, _plain_value(value)))
    return rows


def _plain_value(value: Any) -> str:
    if value is None:
        return w.NOT_AVAILABLE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return w.exact(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
