"""Verdicts on the targets T1 to T5 from the counts of one population."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from types import MappingProxyType

import numpy as np

from ketune.errors import InputError
from ketune.reproduce._chance import estimated_chances, simulated_chances
from ketune.reproduce._counts import PopulationCounts
from ketune.reproduce._fano import LEAST_MEAN_COUNT, Ratio, matched_ratio, raw_ratio
from ketune.reproduce._measure import Measured, measure_pair
from ketune.reproduce._pass_rules import Margin, PassRules, Window, shipped_rules
from ketune.reproduce._spontaneous import Equivalence, blank_ratio
from ketune.reproduce._tuning_changes import (
    PreferredShift,
    SelectivityChange,
    preferred_shift,
    selectivity_change,
)

# Of the control-tuned cells: with this share lost, "loss of all tuning" fails T1.
MOST_LOST = 0.5
N_NULL, N_BOOT = 200, 1000


@dataclass(frozen=True)
class TargetVerdict:
    """One target.

    Attributes:
        id: "T1", "T2", "T3a", "T3b", "T4" or "T5".
        met: whether the rule is met; False where it could not be decided.
        decided: False where the counts cannot tell (too few spikes); `words` says why.
        value: T1 median relative change of the OSI; T2 share of neurons shifted; T3a, T3b ratio of Fano factors; T4
            ratio of spontaneous rates; T5 how many of T1, T2, T3a and T4 are met. NaN if undefined.
        interval: of the value: 95 %, T4 90 %; None for T5.
        level: of the evidence, "A" or "C".
        words: the verdict in a sentence.
        window_is_ours: a range or margin that no source gives was compared.
        window_decides: that margin decides the verdict (T4, and T5 through it); elsewhere it is only reported.
        in_window: whether the value lies in the window (T2: in both windows); None for T5.
        numbers: what else was computed.
    """

    id: str
    met: bool
    decided: bool
    value: float
    interval: tuple[float, float] | None
    level: str
    words: str
    window_is_ours: bool
    window_decides: bool
    in_window: bool | None
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdicts:
    """All targets of one population.

    Attributes:
        targets: "T1", "T2", "T3a", "T3b", "T4" (by the first margin) and "T5" to their verdicts.
        spontaneous: T4 by every margin, in the order given.
        screening: by `screen`, whose intervals and null are approximations.
    """

    targets: Mapping[str, TargetVerdict]
    spontaneous: tuple[tuple[Margin, TargetVerdict], ...]
    screening: bool

    def __getitem__(self, target: str) -> TargetVerdict:
        return self.targets[target]

    @property
    def together(self) -> bool:
        """Whether T5 is met."""
        return self.targets["T5"].met


def judge(
    counts: PopulationCounts,
    *,
    seed: int,
    rules: PassRules | None = None,
    n_null: int = N_NULL,
    n_boot: int = N_BOOT,
) -> Verdicts:
    """Verdicts with bootstrap intervals over neurons and a simulated re-measure null.

    Args:
        counts: of the population.
        seed: of the random numbers; the same seed gives the same verdicts.
        rules: of the shipped table of reported effects unless given.
        n_null: re-measured populations for T2.
        n_boot: bootstrap samples.

    Raises:
        InputError: fewer than 100 bootstrap samples or 20 populations of the null.
    """
    if n_null < 20 or n_boot < 100:
        raise InputError(f"judge: n_null is {n_null} and n_boot {n_boot}; give at least 20 and 100")
    rules, generators = rules or shipped_rules(), np.random.default_rng(seed).spawn(5)
    control, drug = _measured(counts)
    threshold = rules.moves.threshold_deg
    return _verdicts(
        selectivity_change(control, drug, n_boot, generators[0]),
        preferred_shift(
            control,
            drug,
            simulated_chances(control, drug, threshold, n_null, generators[1]),
            threshold,
        ),
        raw_ratio(control, drug, n_boot, generators[2]),
        matched_ratio(control, drug, n_boot, generators[3]),
        blank_ratio(*counts.blanks, n_boot, generators[4]),
        rules,
        screening=False,
    )


def screen(counts: PopulationCounts, *, rules: PassRules | None = None) -> Verdicts:
    """The same rules without random numbers, some fifty times as fast: for shares over many populations.

    Fits, tests and values are those of `judge`. Its bootstrap intervals are replaced by Student's, the jackknife's and
    the delta method's, and the chances of T2 by those that standard errors of the fits imply.
    """
    rules = rules or shipped_rules()
    control, drug = _measured(counts)
    threshold = rules.moves.threshold_deg
    return _verdicts(
        selectivity_change(control, drug, None, None),
        preferred_shift(control, drug, estimated_chances(control, drug, threshold), threshold),
        raw_ratio(control, drug, None, None),
        matched_ratio(control, drug, None, None),
        blank_ratio(*counts.blanks, None, None),
        rules,
        screening=True,
    )


def _measured(counts: PopulationCounts) -> tuple[Measured, Measured]:
    return measure_pair(counts.tested_deg, *counts.gratings)


def _verdicts(
    selectivity: SelectivityChange,
    preferred: PreferredShift,
    raw: Ratio,
    matched: Ratio,
    blank: Equivalence,
    rules: PassRules,
    *,
    screening: bool,
) -> Verdicts:
    spontaneous = tuple((margin, _spontaneous(blank, margin, rules)) for margin in rules.margins)
    targets = {
        "T1": _selectivity(selectivity, rules),
        "T2": _preferred(preferred, rules),
        "T3a": _fano("T3a", rules, "raw Fano factor", raw, rules.raw_fano),
        "T3b": _fano("T3b", rules, "Fano factor at matched rates", matched, rules.matched_fano),
        "T4": spontaneous[0][1],
    }
    targets["T5"] = _together([targets[i] for i in rules.together], rules)
    return Verdicts(MappingProxyType(targets), spontaneous, screening)


def _selectivity(found: SelectivityChange, rules: PassRules) -> TargetVerdict:
    decided = isfinite(found.median_change) and isfinite(found.share_lost)
    lost = decided and rules.falls.lost_tuning_fails and found.share_lost >= MOST_LOST
    falls = decided and found.p_value < rules.falls.alpha and found.share_down > rules.falls.least_share
    if not decided:
        words = "undecided: too few neurons have an OSI in both conditions or are tuned under control"
    elif lost:
        words = f"not met: {found.share_lost:.0%} of the tuned neurons lose their tuning"
    else:
        words = (
            f"{'met' if falls else 'not met'}: OSI {found.median_change:+.0%} in the median, "
            f"{found.share_down:.0%} of cells down, p = {found.p_value:.2g}"
        )
    return TargetVerdict(
        id="T1",
        met=bool(falls and not lost),
        decided=decided,
        value=found.median_change,
        interval=(found.low, found.high),
        level=rules.levels["T1"],
        words=words,
        window_is_ours=rules.osi_change.ours,
        window_decides=False,
        in_window=rules.osi_change.holds(found.median_change),
        numbers={
            "p_value": found.p_value,
            "share_down": found.share_down,
            "share_lost": found.share_lost,
            "median_osi_control": found.median_control,
            "median_osi_drug": found.median_drug,
            "neurons": found.neurons,
        },
    )


def _preferred(found: PreferredShift, rules: PassRules) -> TargetVerdict:
    decided = found.neurons > 0
    met = decided and found.p_value < rules.moves.alpha
    inside = rules.median_shift_deg.holds(found.median_abs_deg)
    centred = rules.mean_shift_deg.holds(found.mean_signed_deg)
    if decided:
        words = (
            f"{'met' if met else 'not met'}: {found.share:.0%} of cells shift by more than "
            f"{rules.moves.threshold_deg:g} deg, "
            f"{found.chance:.0%} by chance, p = {found.p_value:.2g}"
        )
        if found.untuned_drug:
            words += (
                f"; {found.untuned_drug} without a preferred orientation under the drug count as not shifted"
            )
    else:
        words = "undecided: no neuron has a preferred orientation in both conditions"
    return TargetVerdict(
        id="T2",
        met=met,
        decided=decided,
        value=found.share,
        interval=(found.low, found.high),
        level=rules.levels["T2"],
        words=words,
        window_is_ours=rules.median_shift_deg.ours or rules.mean_shift_deg.ours,
        window_decides=False,
        in_window=inside and centred,
        numbers={
            "p_value": found.p_value,
            "chance_share": found.chance,
            "median_abs_shift_deg": found.median_abs_deg,
            "mean_signed_shift_deg": found.mean_signed_deg,
            "neurons": found.neurons,
            "untuned_drug": found.untuned_drug,
        },
    )


def _fano(target: str, rules: PassRules, name: str, found: Ratio, window: Window) -> TargetVerdict:
    decided = isfinite(found.value)
    met = decided and found.high < 1.0
    if decided:
        words = (
            f"{'met' if met else 'not met'}: {name} x {found.value:.2f} ({found.low:.2f} to {found.high:.2f})"
        )
    else:
        words = f"undecided: too few orientations with {LEAST_MEAN_COUNT:g} spike or more in both conditions"
    return TargetVerdict(
        id=target,
        met=met,
        decided=decided,
        value=found.value,
        interval=(found.low, found.high),
        level=rules.levels[target],
        words=words,
        window_is_ours=window.ours,
        window_decides=False,
        in_window=window.holds(found.value),
        numbers={"neurons": found.neurons},
    )


def _spontaneous(found: Equivalence, margin: Margin, rules: PassRules) -> TargetVerdict:
    decided = isfinite(found.ratio)
    met = found.inside(margin)
    low, high = margin
    control, drug = found.spikes
    if decided:
        verdict = "met" if met else "not met"
        words = (
            f"{verdict}: spontaneous rate x {found.ratio:.2f} ({found.low:.2f} to {found.high:.2f}), "
            f"margin {low:g} to {high:g}"
        )
        if not met and found.high >= high and found.low <= low:
            words += f"; {control} and {drug} spikes are too few for this margin"
    elif control == drug:
        words = "undecided: no spike in any blank trial"
    else:
        words = f"undecided: {control} spikes under control and {drug} under the drug in the blank trials"
    return TargetVerdict(
        id="T4",
        met=met,
        decided=decided,
        value=found.ratio,
        interval=(found.low, found.high),
        level=rules.levels["T4"],
        words=words,
        window_is_ours=rules.margin_is_ours or margin != rules.margins[0],
        window_decides=True,
        in_window=bool(low <= found.ratio <= high),
        numbers={"spikes_control": control, "spikes_drug": drug, "margin_low": low, "margin_high": high},
    )


def _together(parts: list[TargetVerdict], rules: PassRules) -> TargetVerdict:
    failed = [p.id for p in parts if p.decided and not p.met]
    open_ = [p.id for p in parts if not p.decided]
    if failed:
        words = f"not met: fails {', '.join(failed)}"
    elif open_:
        words = f"undecided: {', '.join(open_)}"
    else:
        words = f"met: {', '.join(rules.together[:-1])} and {rules.together[-1]} together"
    return TargetVerdict(
        id="T5",
        met=not failed and not open_,
        decided=bool(failed) or not open_,
        value=float(sum(p.met for p in parts)),
        interval=None,
        level=rules.levels["T5"],
        words=words,
        window_is_ours=any(p.window_is_ours and p.window_decides for p in parts),
        window_decides=True,
        in_window=None,
    )
