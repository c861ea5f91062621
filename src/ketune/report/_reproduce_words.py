"""What a run of `ketune reproduce` says, in words: values of targets, the answer, and whether to trust it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ketune.report import _words as w
from ketune.reproduce._document import (
    SAME_VERDICT_SHARE,
    TARGETS,
    HypothesisPart,
    Interval,
    Number,
    Reproduction,
    State,
    VerdictPart,
    n_met,
    state,
)

_PERCENT = "\N{NO-BREAK SPACE}%"

Mark = Literal["yes", "no", "open"]
MARKS: dict[State, Mark] = {"met": "yes", "not met": "no", "undecided": "open"}
TOGETHER = ("T1", "T2", "T3a", "T4")
"""What T5 takes together."""
TARGET_WORDS = {
    "T1": "orientation selectivity falls",
    "T2": "preferred orientation moves",
    "T3a": "Fano factor falls",
    "T3b": "Fano factor falls at matched rates",
    "T4": "spontaneous rate does not change",
    "T5": "all of T1, T2, T3a and T4 together",
}
_ACTIONS = {
    "nmda_basal": "NMDA receptors of the basal tree",
    "nmda_apical": "NMDA receptors of the apical tree",
    "pv": "firing of PV cells",
    "sst": "firing of SST cells",
    "hcn_shift_mV": "activation of HCN1",
    "hcn_block": "HCN1 conductance",
    "nav_block": "Na conductance",
    "kv_block": "Kv conductance",
    "kv_shift_mV": "activation of Kv",
    "tonic_gaba_gain": "tonic GABA",
    "recurrent_drive": "drive by the network",
    "retuning_deg": "preference of the apical afferents",
    "gain_noise": "shared gain noise",
    "response_left": "size of the response",
    "width": "width of tuning",
    "excess_noise_left": "excess noise",
}


@dataclass(frozen=True)
class Said:
    """A sentence of the first screen, with what it is about."""

    about: str
    text: str
    mark: Mark


@dataclass(frozen=True)
class Check:
    """One reason to trust or distrust the answer; `holds` is None where it was not looked at."""

    name: str
    holds: bool | None
    words: str

    @property
    def mark(self) -> Mark:
        """For the eye, beside the word."""
        return MARKS[state(self.holds)]

    @property
    def word(self) -> str:
        """For the reader."""
        return "not run" if self.holds is None else "holds" if self.holds else "does not hold"


# --- numbers ----------------------------------------------------------------------------------------------------------


def percent(fraction: Number) -> str:
    """A fraction as a percentage: one decimal below ten, where small shares are told apart."""
    return w.NOT_AVAILABLE if fraction is None else f"{_hundredths(fraction)}{_PERCENT}"


def percent_span(low: Number, high: Number) -> str:
    """8.1 to 17 %."""
    if low is None or high is None:
        return w.NOT_AVAILABLE
    return f"{_hundredths(low)} to {_hundredths(high)}{_PERCENT}"


def share(value: Number, interval: Interval) -> str:
    """12 % (8.1 to 17 %)."""
    return percent(value) + ("" if not known(interval) else f" ({percent_span(*ends(interval))})")


def known(interval: Interval) -> bool:
    """Whether both ends are there."""
    return interval is not None and None not in interval


def ends(interval: Interval) -> tuple[Number, Number]:
    """Both ends, None where there are none."""
    return (None, None) if interval is None else interval


def value(target: str, verdict: VerdictPart) -> str:
    """The number that a verdict rests on."""
    found = verdict.value
    if found is None:
        return w.NOT_AVAILABLE
    if target == "T1":
        return f"{'+' if found > 0 else ''}{percent(found)}"
    if target == "T2":
        return percent(found)
    return f"{found:.0f} of {len(TOGETHER)}" if target == "T5" else f"×{found:.2f}"


def interval(target: str, verdict: VerdictPart) -> str:
    """Its interval; empty where none belongs to it."""
    low, high = ends(verdict.interval)
    if low is None or high is None or target == "T5":
        return ""
    return percent_span(low, high) if target in ("T1", "T2") else f"{low:.2f} to {high:.2f}"


def window(target: str, verdict: VerdictPart) -> str:
    """Whose margin decides, or in whose range that decides nothing the value lies."""
    whose = "our" if verdict.window_is_ours else "a source’s"
    if target == "T4":
        return f"{whose} margin decides"
    if target == "T5" or verdict.in_window is None or verdict.value is None:
        return ""
    return f"{'in' if verdict.in_window else 'outside'} {whose} range"


def size(number: Number, interval: Interval, unit: str) -> str:
    """A predicted number with its interval, to the second digit of the interval's width."""
    low, high = ends(interval)
    if number is None or low is None or high is None or not high > low:
        return w.number(number, 3, unit)
    places = max(1 - math.floor(math.log10(high - low) + 1e-9), 0)
    shown = [f"{x:.{places}f}".replace("-", "−") for x in (number, low, high)]
    return f"{shown[0]}{w.unit(unit)} ({shown[1]} to {shown[2]})"


def _hundredths(fraction: float) -> str:
    text = (
        f"{100 * fraction:.0f}"
        if abs(fraction) >= 0.0995 or abs(fraction) < 1e-6
        else f"{100 * fraction:.1f}"
    )
    return text.replace("-", "−")


# --- hypotheses -------------------------------------------------------------------------------------------------------


def actions(names: Iterable[str]) -> str:
    """What a hypothesis acts on: NMDA receptors, firing of PV cells."""
    left = list(names)
    said = []
    if {"nmda_basal", "nmda_apical"} <= set(left):
        said.append("NMDA receptors of both trees")
        left = [name for name in left if not name.startswith("nmda_")]
    said += list(dict.fromkeys(_ACTIONS.get(name, name.replace("_", " ")) for name in left))
    return w.listed(said) or "nothing"


def kind(h: HypothesisPart) -> str:
    """What has to be said beside its name, if anything."""
    if h.control:
        return "control: must not be called sufficient"
    return "counterfactual: no dose does this alone" if h.counterfactual else ""


def fails(h: HypothesisPart) -> str:
    """T2 (preferred orientation moves) and T4 (spontaneous rate does not change)."""
    return w.listed(f"{name} ({TARGET_WORDS.get(name, name)})" for name in h.fails) or "nothing"


def shown(run: Reproduction, most: int = 3) -> list[HypothesisPart]:
    """Hypotheses whose populations are drawn: the smallest sufficient, or the nearest one."""
    return (run.smallest or [run.nearest])[:most]


# --- the answer -------------------------------------------------------------------------------------------------------


def answer(run: Reproduction) -> list[Said]:
    """Three sentences: what is sufficient, over which share of the prior, and whether to trust that."""
    return [_sufficient(run), _share(run), _trust(checks(run))]


def _sufficient(run: Reproduction) -> Said:
    about = "What is sufficient?"
    n = len(run.examined)
    of = f"Of {n} sets of actions examined" if n > 1 else "Of the one set of actions examined"
    what = "sufficient in this model family for all four reported changes together"
    if run.smallest:
        named = w.listed(f"“{h.name}” ({actions(h.actions)}{_only_counterfactual(h)})" for h in run.smallest)
        rest = ", and no smaller one among them is" if n > 1 else ""
        verb = "is" if len(run.smallest) == 1 else "are each"
        return Said(about, f"{of}, {named} {verb} {what}{rest}.", "yes")
    if n == 0:
        return Said(about, "Only controls were examined, so that nothing can be called sufficient.", "open")
    near = run.nearest
    none = (
        f"{of}, none is {what}" if n > 1 else f"“{near.name}”, the one set of actions examined, is not {what}"
    )
    who = f"“{near.name}” comes nearest and" if n > 1 else "it"
    rest = f"{who} meets {n_met(near):.0f} of {len(TOGETHER)}, but "
    rest += f"fails {fails(near)}" if near.fails else "not in enough of the held-out populations"
    return Said(about, f"{none}: {rest}.", "no")


def _only_counterfactual(h: HypothesisPart) -> str:
    return "; a counterfactual: no dose does this alone" if h.counterfactual else ""


def _share(run: Reproduction) -> Said:
    about = "Over how much of the drug’s prior?"
    draws = w.counted(run.dose.draws, "draw")
    if run.smallest:
        each = w.listed(
            f"{share(h.prior_share_meeting_T5, h.prior_share_interval)} of the prior range of “{h.name}”"
            for h in run.smallest
        )
        return Said(about, f"All four hold together over {each} ({draws}, 95 % interval).", "yes")
    examined = run.examined or run.hypotheses
    most = max(examined, key=lambda h: h.prior_share_meeting_T5 or 0.0)
    if not most.prior_share_meeting_T5:
        _, high = ends(most.prior_share_interval)
        upper = "" if high is None else f", at most {percent(high)} by its 95 % interval"
        which = f"of “{most.name}”" if len(examined) == 1 else "of any set"
        return Said(about, f"All four hold together in none of {draws} {which}{upper}.", "no")
    found = share(most.prior_share_meeting_T5, most.prior_share_interval)
    if len(examined) == 1:
        text = f"All four hold together over {found} of the prior range of “{most.name}” ({draws}, 95 % interval)"
    else:
        names = [f"“{h.name}”" for h in examined if h.prior_share_meeting_T5 == most.prior_share_meeting_T5]
        nowhere = sum(not h.prior_share_meeting_T5 for h in examined)
        text = (
            f"The largest share over which all four hold together is {found}, of the prior range of {w.listed(names)} "
            f"({draws}, 95 % interval)"
        )
        text += f"; {nowhere} of {len(examined)} sets meet them nowhere" if nowhere else ""
    return Said(about, f"{text}.", "no")


def _trust(found: Sequence[Check]) -> Said:
    about = "Is it to be trusted?"
    holding, failing, absent = (
        [c.name for c in found if c.holds is wanted] for wanted in (True, False, None)
    )
    text = f"{len(holding)} of {len(found)} checks hold"
    text += f" ({w.listed(holding)})" if holding else ""
    text += f"; fails: {w.listed(failing)}" if failing else ""
    text += f"; not run: {w.listed(absent)}" if absent else ""
    return Said(about, f"{text}.", "no" if failing else "open" if absent else "yes")


def checks(run: Reproduction) -> list[Check]:
    """Whether what was found by the search holds where nothing was fitted.

    For sufficient sets each check has to say so too; where none is, each has to find none.
    """
    looked_at = run.smallest or run.examined
    wanted = bool(run.smallest)

    def agree(name: str, met: Mapping[str, bool | None], how: str) -> Check:
        against = [h for h, x in met.items() if x is not None and x != wanted]
        missing = [h for h, x in met.items() if x is None]
        if against:
            return Check(
                name, False, f"{how}, {'does not find' if wanted else 'finds'} {w.listed(against)} sufficient"
            )
        if missing or not met:
            return Check(name, None, f"{how}: not run" + (f" for {w.listed(missing)}" if missing else ""))
        found = w.listed(met) if wanted else f"none of {w.counted(len(met), 'set')}"
        return Check(name, True, f"{how}, finds {found} sufficient")

    seed = "" if run.spiking_seed is None else f" (population seed {run.spiking_seed})"
    held_out = w.counted(max(len(run.population_seeds) - 1, 0), "held-out population")
    second = "a second morphology"
    if run.second_morphology is not None:
        second += f" ({run.second_morphology.name}, {run.second_morphology.compartments} compartments)"
    return [
        agree(
            "spikes",
            {h.name: h.spiking_together for h in looked_at},
            f"direct spiking simulation of a held-out population{seed}",
        ),
        agree(
            "held-out populations",
            {h.name: h.held_out_together for h in looked_at},
            f"the response surface, without refitting in {held_out}",
        ),
        agree(
            "second morphology",
            {h.name: h.second_morphology_together for h in looked_at},
            f"spiking simulation of {second}",
        ),
        _stability(run, looked_at, TARGETS if wanted else ("T5",)),
        _controls(run),
        _control_population(run),
        _emulator(run),
    ]


def _stability(run: Reproduction, looked_at: Sequence[HypothesisPart], targets: Sequence[str]) -> Check:
    name = "stability over population seeds"
    rows = {(h.name, t): h.stable[t] for h in looked_at if h.stable for t in targets if t in h.stable}
    every = [s for h in run.hypotheses if h.stable for s in h.stable.values()]
    if not rows:
        return Check(name, None, "not run")
    changing = [f"{t} of {h}" for (h, t), s in rows.items() if not s.same]
    least = f"{SAME_VERDICT_SHARE:.0%} of the populations".replace("%", " %")
    words = f"{sum(s.same for s in every)} of all {len(every)} verdicts are the same in at least {least}"
    return Check(name, not changing, words + (f"; not {w.listed(changing)}" if changing else ""))


def _controls(run: Reproduction) -> Check:
    name = "controls that must fail"
    if not run.controls:
        return Check(name, None, "no control was run")
    passing = [
        h.name
        for h in run.controls
        if h.spiking_together or h.held_out_together or ("T5" in h.targets and h.targets["T5"].met)
    ]
    if passing:
        return Check(name, False, f"{w.listed(passing)} meets all targets together, which it must not")
    shares = w.listed(f"{h.name} over {percent(h.prior_share_meeting_T5)}" for h in run.controls)
    return Check(name, True, f"none meets all targets together (share of its prior: {shares})")


def _control_population(run: Reproduction) -> Check:
    name = "control tuning (T0)"
    if run.control_check is None:
        return Check(name, None, "not looked at")
    outside = [r.quantity for r in run.control_check.rows if r.judged and not r.met]
    words = (
        f"outside its range: {w.listed(outside)}" if outside else "every judged quantity lies in its range"
    )
    return Check(name, run.control_check.met, words)


def _emulator(run: Reproduction) -> Check:
    name = "error of the response surface"
    if run.emulator is None or not run.emulator.rows:
        return Check(name, None, "its error was not measured")
    above = [r.quantity for r in run.emulator.rows if r.met is False]
    unknown = [r.quantity for r in run.emulator.rows if r.met is None]
    if above:
        return Check(name, False, f"error above what is asked: {w.listed(above)}")
    if unknown:
        return Check(name, None, f"not judged: {w.listed(unknown)}")
    return Check(name, True, "every error is within what is asked")


def finite(values: Iterable[Number]) -> list[float]:
    """The numbers that there are."""
    return [v for v in values if v is not None and math.isfinite(v)]
