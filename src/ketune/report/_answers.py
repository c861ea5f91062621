"""The first screen of a fit: does it fit, what changed under the drug, can it be trusted; a figure for each."""

from __future__ import annotations

from dataclasses import dataclass

from ketune.report import _drug_figures, _fit_figures, _verdict
from ketune.report import _style as s
from ketune.report import _words as w
from ketune.report._origin import UNDER_DRUG, Origin
from ketune.report._results import Application, Fit, Result

_SIZE = (3.9, 3.0)
"""Inches of a figure: three abreast on a desk."""


@dataclass(frozen=True)
class Answer:
    """A question that a reader comes with, its answer in a sentence, and the figure that shows it."""

    question: str
    text: str
    mark: _verdict.Mark
    origin: tuple[Origin, ...]
    picture: s.Picture | None = None


def answers(result: Result) -> list[Answer]:
    """Of a fit and of what was applied to it first; within :func:`ketune.report._style.style`."""
    fit = result.fit
    if not result.applications:
        return [_fits(fit), _varies(fit), _trusted_without_drug(result)]
    application = result.applications[0]
    return [_fits(fit), _changed(result, application), _trusted(result, application)]


def _fits(fit: Fit) -> Answer:
    verdict = _verdict.usable(fit)
    picture = _fit_figures.tuning_picture(fit, name="in-short-fit", size=_SIZE, predicted=False)
    return Answer("Does it fit?", verdict.text, verdict.mark, ("data", "fit"), picture)


def _varies(fit: Fit) -> Answer:
    """In place of a drug's answer: the other half of what is fitted."""
    check = fit.check
    mark: _verdict.Mark = "open"
    text = "Not checked with spiking simulations."
    if check is not None:
        *_, score = _verdict.scores(check)
        mark = "open" if score.met is None else "yes" if score.met else "no"
        said = {"yes": "Yes", "no": "No", "open": "Not known"}[mark]
        text = f"{said}. {score.name.capitalize()}: {score.value}; required: {score.required}."
    return Answer(
        "Does it vary as recorded?",
        text + " No drug was applied to this fit.",
        mark,
        ("data", "fit"),
        _fit_figures.fano_picture(fit, name="in-short-fano", size=_SIZE),
    )


def _changed(result: Result, application: Application) -> Answer:
    main, others = application.main, len(result.applications) - 1
    known = [c for c in application.changes if c.best is not None]
    sure = [f"{w.quantity(c.quantity)} {w.change_in_words(c)}" for c in known if c.determined]
    unsure = [w.quantity(c.quantity) for c in known if not c.determined]
    parts = [w.listed(sure)] if sure else []
    if unsure:
        parts.append(f"the recording leaves open what happens to {w.listed(unsure)}")
    text = f"{_given(application)}: {'; '.join(parts) or 'nothing that could be measured'}."
    if others:
        text += f" {w.counted(others, 'further application')} below."
    fig = s.figure(*_SIZE)
    axes = fig.subplots()
    _drug_figures.draw_conditions(axes, application, [application.before, main], lambda t: (t.mean, t.sem))
    axes.set_ylabel(f"spikes in {w.number(result.fit.recording.window_s, unit='s')}")
    s.legend_above(axes)
    n = ", ".join(f"{c.label} {w.trials(c.tuning.n_trials)}" for c in (application.before, main))
    return Answer(
        f"What changed under {application.drug}?",
        text,
        "plain",
        UNDER_DRUG,
        s.picture(
            fig,
            name="in-short-drug",
            alt=f"Mean spike count against orientation before {application.drug} and at {main.label}.",
            caption=f"Spiking model, best parameter set: mean spikes per trial ± SEM; n (trials per orientation): {n}.",
            origin=UNDER_DRUG,
        ),
    )


def _given(application: Application) -> str:
    at = (
        "" if application.main.time_min is None else f" {w.number(application.main.time_min, 2, 'min')} after"
    )
    how = ", ".join(part for part in (application.route, application.dose) if part)
    return f"In the model,{at} {application.drug}" + (f" ({how})" if how else "")


def _trusted(result: Result, application: Application) -> Answer:
    known = [c for c in application.changes if c.best is not None]
    n, sure = len(application.kept), sum(c.determined for c in known)
    parts = [
        f"all {n} kept parameter sets agree on {sure} of {w.counted(len(known), 'change')}"
        if n > 1
        else "one parameter set only, so what the data leave open is unknown"
    ]
    if application.doubtful:
        parts.append(w.doubtful(application.doubtful))
    replayed = _verdict.replayed(result)
    parts.append(_within(replayed.text))
    mark, text = _sound(result.fit, replayed.mark)
    if mark == "yes" and not (known and n > 1 and sure == len(known)):
        mark, text = "open", "In part" if sure and n > 1 else "Not yet"
    elif mark == "yes" and application.doubtful:
        # The kept sets know nothing of what is uncertain about the drug.
        mark, text = "open", "As far as the drug’s numbers are right"
    picture = _drug_figures.changes_picture(
        application, name="in-short-changes", width=_SIZE[0], against_reports=False
    )
    return Answer("Can it be trusted?", f"{text}: {'; '.join(parts)}.", mark, ("fit", "assumption"), picture)


def _trusted_without_drug(result: Result) -> Answer:
    fit = result.fit
    found = [e.verdict for e in fit.identifiability.values()]
    parts = []
    if found:
        parts.append(
            f"the recording identifies {found.count('identified')} of {w.counted(len(found), 'quantity', 'quantities')}"
        )
    elif fit.undetermined:
        parts.append(f"{w.counted(len(fit.undetermined), 'combination')} of parameters not determined")
    replayed = _verdict.replayed(result)
    parts.append(_within(replayed.text))
    mark, text = _sound(fit, replayed.mark)
    return Answer("Can it be trusted?", f"{text}: {'; '.join(parts)}.", mark, ("fit",))


def _sound(fit: Fit, replayed: _verdict.Mark) -> tuple[_verdict.Mark, str]:
    """Whether the fitted neuron itself may be trusted: used, tested on trials of its own, and the same in NEURON."""
    usable = _verdict.usable(fit).mark
    if usable == "no":
        return "no", "No. The fit may not be used, so this is an illustration"
    if replayed == "no":
        return "no", "No"
    if usable == "open":
        return "open", "Not yet. The fit was not checked"
    if fit.recording.split != "half":
        return "open", "In part. No trial was kept for a check"
    return ("yes", "Yes") if replayed == "yes" else ("open", "In part")


def _within(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:].rstrip(".")
