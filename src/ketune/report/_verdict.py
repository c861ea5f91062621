"""The result in sentences: what was fitted, whether it may be used, what the drug did, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ketune.report import _words as w
from ketune.report._origin import UNDER_DRUG, Origin
from ketune.report._results import Application, Change, Check, Fit, Number, Replay, Result

Mark = Literal["yes", "no", "open", "plain"]


@dataclass(frozen=True)
class Sentence:
    """One statement of the verdict: what it is about, the statement, whether it is good, bad or open, and what it is
    taken from."""

    about: str
    text: str
    mark: Mark = "plain"
    origin: tuple[Origin, ...] = ("fit",)


@dataclass(frozen=True)
class Score:
    """One number of the check with spikes, against what is required of it."""

    name: str
    value: str
    required: str
    met: bool | None


def scores(check: Check) -> list[Score]:
    """The check with spikes as a table."""
    r, e, f = check.correlation, check.rmse_fraction_of_range, check.fano_ratio_median
    required = check.required
    least, largest = 1 / required.fano_ratio, required.fano_ratio
    return [
        Score(
            "correlation of the mean counts",
            w.with_error(r, check.correlation_se),
            f"at least {required.correlation:g}",
            None if r is None else r >= required.correlation,
        ),
        Score(
            "root-mean-square error",
            w.with_error(_hundredfold(e), _hundredfold(check.rmse_se), "% of range"),
            f"at most {100 * required.rmse_fraction_of_range:g} % of range",
            None if e is None else e <= required.rmse_fraction_of_range,
        ),
        Score(
            "median Fano ratio, model over recording",
            w.with_error(f, check.fano_ratio_se),
            f"{least:.2f} to {largest:.2f}",
            None if f is None else least <= f <= largest,
        ),
    ]


def _hundredfold(fraction: Number) -> Number:
    return None if fraction is None else 100 * fraction


def verdict(result: Result) -> list[Sentence]:
    """The verdict on one fit and on what was applied to it."""
    fit = result.fit
    sentences = [Sentence("Fitted", _fitted(fit), origin=_fitted_from(fit)), usable(fit)]
    if not result.applications:
        sentences.append(Sentence("Drug", "No drug was applied to this fit."))
    for application in result.applications:
        sentences.append(Sentence(_name(application), _drug(application, fit), origin=UNDER_DRUG))
        sentences.append(_certainty(application))
        sentences.append(_reports(application))
    sentences.append(replayed(result))
    return sentences


def _fitted_from(fit: Fit) -> tuple[Origin, ...]:
    assumed = fit.recording.assumed_degrees or (
        fit.spontaneous is not None and fit.spontaneous.source == "assumed"
    )
    return ("data", "assumption") if assumed else ("data",)


def _fitted(fit: Fit) -> str:
    recording = fit.recording
    evoked = [
        n for theta, n in zip(recording.orientation_deg, recording.n_trials, strict=True) if theta is not None
    ]
    what = (
        "Half of the trials were fitted, the other half kept for the check."
        if recording.split == "half"
        else "All trials were fitted, so none was kept for a check."
    )
    blank = "with" if recording.has_blank else "without"
    return (
        f"A model neuron with dendrites and synapses was fitted to the recording {recording.name}: "
        f"{w.counted(len(evoked), 'orientation')}, {w.trials(evoked)} trials each, {blank} a blank condition, "
        f"spikes counted in {w.number(recording.window_s, unit='s')}. {what}"
        + (
            " The orientations in degrees are assumed: the source does not state them."
            if recording.assumed_degrees
            else ""
        )
        + _blank(fit)
    )


def _blank(fit: Fit) -> str:
    rate = fit.spontaneous
    if rate is None or rate.source == "recorded":
        return ""
    hz = w.number(rate.assumed_hz, 2, "Hz")
    told = (
        f"it was given as {hz}"
        if rate.source == "given"
        else f"the fit assumes at most {hz}, the smallest mean response"
    )
    return (
        f" The spontaneous rate was not recorded: {told}. "
        f"The fitted neuron has {w.number(rate.spiking_hz, 2, 'Hz')}."
    )


def usable(fit: Fit) -> Sentence:
    """Whether the fit may be used, and why."""
    about = "May it be used?"
    reason = f" ({fit.message.rstrip('.')})" if fit.message else ""
    if fit.check is None and fit.status == "converged":
        return Sentence(
            about, "Not yet. The fit converged, but it was not checked with spiking simulations.", "open"
        )
    if fit.usable and fit.check is not None:
        found = "; ".join(f"{score.name} {score.value}" for score in scores(fit.check))
        independent = "" if fit.recording.split == "half" else " That is no independent test."
        return Sentence(
            about,
            f"Yes. {_compared(fit, fit.check, 'matches')}: {found}.{independent}",
            "yes",
            ("data", "fit"),
        )
    if fit.status == "out_of_reach":
        why = f"No. This recording is out of reach of this class of model neuron{reason}."
    elif fit.status != "converged":
        why = f"No. The fit stopped before it converged{reason}."
    else:
        why = "No."
    missed = [s for s in scores(fit.check) if s.met is not True] if fit.check else []
    if missed and fit.check:
        found = "; ".join(f"{score.name} {score.value}, required {score.required}" for score in missed)
        why += f" {_compared(fit, fit.check, 'misses')}: {found}."
    return Sentence(about, why, "no", ("data", "fit"))


def _compared(fit: Fit, check: Check, verb: str) -> str:
    which = "the held-out half of the recording" if fit.recording.split == "half" else "the fitted trials"
    return f"In {w.counted(check.n_trials, 'fresh spiking trial')} per orientation the model {verb} {which}"


def _name(application: Application) -> str:
    return f"{application.drug.capitalize()} in the model"


def _drug(application: Application, fit: Fit) -> str:
    main, named = application.main, {change.quantity: change for change in application.changes}
    block = main.effect.get("nmda_block")
    at = "" if main.time_min is None else f" after {w.number(main.time_min, 2, 'min')}"
    dose = ", ".join(part for part in (application.route, application.dose) if part)
    text = f"{application.drug.capitalize()} ({dose}){at}" if dose else f"{application.drug.capitalize()}{at}"
    if isinstance(block, dict) and (known := [v for v in block.values() if v is not None]):
        low, high = 100 * min(known), 100 * max(known)
        span = w.number(low, 3, "%") if high - low < 0.5 else w.span(low, high, 3, "%")
        text += f" blocks {span} of the neuron's NMDA conductance."
    else:
        text += "."
    order = [
        q for q in ("gosi", "osi_fit", "fano", "preferred_deg", "peak_rate", "spontaneous") if q in named
    ]
    chosen = [q for q in order if q != "osi_fit" or "gosi" not in named]
    known_changes = [named[q] for q in chosen if named[q].best is not None]
    parts = [f"{w.quantity(c.quantity)} {w.change_in_words(c)}" for c in known_changes]
    if parts:
        text += f" Against before: {'; '.join(parts)}. In brackets: the range over all kept parameter sets."
    if not fit.usable:
        text += " Because the fit may not be used, read this as an illustration."
    return text


def _certainty(application: Application) -> Sentence:
    n = len(application.kept)
    open_ = [w.quantity(c.quantity) for c in application.changes if not c.determined and c.best is not None]
    if n < 2:
        return Sentence(
            "How sure?",
            "One parameter set only: its spread, and so what the data leave open, is unknown.",
            "open",
        )
    text = f"The drug was applied to all {n} parameter sets that describe the recording about equally well. "
    if open_:
        return Sentence(
            "How sure?",
            text + f"They do not agree on {w.listed(open_)}: not determined by these data.",
            "open",
        )
    sided = not any(w.to_either_side(c) for c in application.changes if c.best is not None)
    agreed = (
        "on the direction of every change above"
        if sided
        else "that each change above is one, but not on the side"
    )
    return Sentence("How sure?", f"{text}They agree {agreed}.", "yes" if sided else "open")


def _reports(application: Application) -> Sentence:
    about = "Against reports"
    rows = [c for c in application.changes if c.reported_id and c.reported != "unknown"]
    if not rows:
        return Sentence(about, "This result has no change that a report could be compared with.")
    groups: dict[str, list[Change]] = {}
    for c in sorted(rows, key=lambda c: (True, False, None).index(c.agrees_with_report)):
        groups.setdefault(w.against_report(c), []).append(c)
    parts = [f"{name}: {w.listed(map(_labelled, members))}" for name, members in groups.items()]
    text = f"{'; '.join(parts)}. Only directions were reported; no published size was retrieved."
    against = any(c.agrees_with_report is False for c in rows)
    undecided = any(c.agrees_with_report is None for c in rows)
    mark: Mark = "no" if against else "open" if undecided else "yes"
    return Sentence(about, text[0].upper() + text[1:], mark, ("fit", "literature"))


def _labelled(change: Change) -> str:
    return f"{w.short(change.quantity)} ({change.reported_id})"


def replayed(result: Result) -> Sentence:
    """What NEURON said of the same events."""
    about = "Checked in NEURON"
    replays = [r for r in (result.fit.replay, *(a.replay for a in result.applications)) if r is not None]
    if not replays:
        return Sentence(about, "No trial was run again in NEURON.", "open")
    return Sentence(about, replay_text(_sum(replays)), _replay_mark(replays))


def _sum(replays: list[Replay]) -> Replay:
    differences = [r.largest_count_difference for r in replays if r.largest_count_difference is not None]
    return Replay(
        n=sum(r.n for r in replays),
        identical=all(r.identical for r in replays if r.n > 0),
        largest_count_difference=max(differences, default=None),
        problems=[problem for r in replays for problem in r.problems],
    )


def _replay_mark(replays: list[Replay]) -> Mark:
    if sum(r.n for r in replays) == 0:
        return "open"
    return "yes" if all(r.identical for r in replays if r.n > 0) else "no"


def replay_text(replay: Replay) -> str:
    """What the replay in NEURON found, in one sentence."""
    problems = f" ({'; '.join(replay.problems)})" if replay.problems else ""
    if replay.n == 0:
        return f"No trial was run again in NEURON{problems}."
    ran = f"{w.counted(replay.n, 'trial')} run again in NEURON with the same synaptic events"
    if replay.identical:
        return f"{ran}: identical spike counts."
    worst = replay.largest_count_difference
    found = "spike counts differ" if worst is None else f"spike counts differ by up to {w.exact(worst)}"
    return f"{ran}: {found}{problems}."


def summary_lines(results: list[Result]) -> list[str]:
    """About ten plain lines for the terminal: fewer for each fit where there are many."""
    brief = len(results) > 2
    lines: list[str] = []
    for result in results:
        lines.append(_headline(result.fit))
        for application in result.applications:
            lines.append("  " + _drug_line(application))
            if brief:
                continue
            changes = [c for c in application.changes if c.best is not None]
            shown = [
                f"{w.short(c.quantity)} {w.change_size(c)}" + ("" if c.determined else " (not determined)")
                for c in changes
            ]
            if shown:
                lines.append(f"  during / before: {', '.join(shown)}")
            lines.append("  reports: " + _reports(application).text)
        if not brief:
            lines.append("  NEURON: " + replayed(result).text)
    return [w.plain(line) for line in lines]


def _headline(fit: Fit) -> str:
    usable = "may be used" if fit.usable else "may not be used"
    check = fit.check
    if check is None:
        return f"{fit.recording.name}: {fit.status}, {usable}; not checked with spikes"
    return (
        f"{fit.recording.name}: {fit.status}, {usable}; correlation {w.number(check.correlation)}, "
        f"error {w.percent(check.rmse_fraction_of_range)} of the range, Fano ratio {w.number(check.fano_ratio_median)}"
    )


def _drug_line(application: Application) -> str:
    soma = application.main.concentration_uM.get("soma")
    at = f"at {application.main_condition}"
    kept = w.counted(len(application.kept), "kept parameter set")
    return f"{application.title}, {at}: {w.number(soma, 2, 'uM')} at the soma; {kept}"
