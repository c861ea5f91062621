"""The verdicts of a run as lines for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from ketune.reproduce._document import (
    TARGETS,
    HypothesisPart,
    Interval,
    Number,
    Reproduction,
    State,
    read_document,
    state,
)

_MARKS: dict[State, str] = {"met": "+", "not met": "-", "undecided": "?"}
_NOT_RUN = "."
_WIDTH = 110


def describe(document: Mapping[str, Any]) -> Iterator[str]:
    """The document of a run in lines: one for each hypothesis, then what is sufficient, predictions and experiments.

    Raises
    ------
    InputError
        The document is of another format or damaged.
    """
    run = read_document(document)
    yield (
        f"{run.population}-like population, {run.neurons} neurons, {run.trials} trials of {run.window_s:g} s, "
        f"seeds {', '.join(map(str, run.population_seeds))}; {run.dose.solution}, {run.dose.draws} draws"
    )
    yield ""
    yield from _table(run)
    yield "+ met, - not met, ? undecided, . not run; share: of the prior's draws that meet T5, with 95 % interval;"
    yield "held: response surface, held-out populations; spikes: one held-out population; 2nd: second morphology"
    yield ""
    yield from _wrapped(_answer(run))
    if run.predictions:
        yield ""
        yield "Predictions that nothing was fitted to"
        for p in run.predictions:
            yield from _wrapped(
                f"{p.target:<4} {'open' if p.met is None else state(p.met):<7}  {p.words or p.statement}",
                " " * 14,
            )
    if run.experiments:
        yield ""
        yield "Experiments that would tell hypotheses apart"
        for i, e in enumerate(run.experiments, 1):
            yield from _wrapped(f"{i}. {e.manipulation}: {e.words or e.observable}", "   ")


def _table(run: Reproduction) -> Iterator[str]:
    width = max(len("hypothesis"), *(len(_name(h)) for h in run.hypotheses))
    marks = "".join(f"{target:<5}" for target in TARGETS)
    yield f"{'hypothesis':<{width}}  {marks} {'share of prior':<19} held  spikes  2nd"
    for h in run.hypotheses:
        cells = "".join(f"{_mark(h, target):<5}" for target in TARGETS)
        checks = (h.held_out_together, h.spiking_together, h.second_morphology_together)
        held, spikes, second = (_NOT_RUN if x is None else _MARKS[state(x)] for x in checks)
        yield f"{_name(h):<{width}}  {cells} {_share(h):<19} {held:<5} {spikes:<7} {second}"
    yield ""


def _name(h: HypothesisPart) -> str:
    kind = " (control)" if h.control else " (counterfactual)" if h.counterfactual else ""
    return h.name + kind


def _mark(h: HypothesisPart, target: str) -> str:
    found = h.targets.get(target)
    return _NOT_RUN if found is None else _MARKS[found.state]


def _share(h: HypothesisPart) -> str:
    return f"{_percent(h.prior_share_meeting_T5)}{_between(h.prior_share_interval)}"


def _percent(share: Number) -> str:
    return "not available" if share is None else f"{_hundredths(share)} %"


def _between(interval: Interval) -> str:
    if interval is None or interval[0] is None or interval[1] is None:
        return ""
    return f" ({_hundredths(interval[0])} to {_hundredths(interval[1])} %)"


def _hundredths(share: float) -> str:
    """Small shares are the interesting ones: 0.4 is not 0."""
    return f"{100 * share:.1f}" if 0 < share < 0.1 else f"{100 * share:.0f}"


def _answer(run: Reproduction) -> str:
    if run.smallest:
        named = "; ".join(f"{_name(h)}, over {_share(h)} of its prior" for h in run.smallest)
        return f"Sufficient in this model family, none of them with fewer of these actions: {named}"
    if not run.examined:
        return "Only controls were examined, so that nothing can be called sufficient"
    near = run.nearest
    fails = f", fails {', '.join(near.fails)}" if near.fails else ""
    return (
        "Nothing that was examined is sufficient in this model family for all reported changes together. "
        f"Nearest: {_name(near)}{fails}, {_share(near)} of its prior"
    )


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, _WIDTH, subsequent_indent=indent, break_on_hyphens=False)
