"""What the simulated experiments say about each target: figures, verdict and words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ketune.evidence import Target, Window
from ketune.population import VirtualNeuron
from ketune.reproduce._drug_draws import TopicalDose
from ketune.reproduce._prediction_bench import HYPERPOLARISED_mV
from ketune.reproduce._prediction_rules import Measurement, PredictionRow, applicable, inside, judged
from ketune.reproduce._predictions_block import Blocked, ContrastChange
from ketune.reproduce._predictions_cell import APICAL, BASAL, Cut, Subthreshold
from ketune.reproduce._reversal import Reversal

FloatArray = NDArray[np.float64]

NMDA_LEFT, AMPA_LEFT = "response under NMDA block over control", "response under AMPA block over control"
BLOCKED_SELECTIVITY = "subthreshold selectivity (NMDA block of the cell over control)"
LOSS_RATIO = "share left of the preferred over share left of the orthogonal response (NMDA block of the cell)"
HYPERPOLARISED_SELECTIVITY = "subthreshold selectivity (hyperpolarised over control)"
PREFERRED_CHANGE = "change of preferred orientation (tuft or one basal dendrite removed)"
WIDTH_CHANGE = "relative change of width (tuft or one basal dendrite removed)"
SELECTIVITY_RATIO = "ratio of spiking selectivity indices under loss of NMDA"
GAIN_RATIO = "slope or largest response under NMDA block over control"
C50_CHANGE, EXPONENT_CHANGE = (
    "relative change of the semisaturation contrast",
    "relative change of the exponent",
)
QUANTITIES: dict[str, tuple[str, ...]] = {
    "T6": (),
    "T8": (NMDA_LEFT, AMPA_LEFT),
    "T9": (BLOCKED_SELECTIVITY, LOSS_RATIO, HYPERPOLARISED_SELECTIVITY),
    "T10": (PREFERRED_CHANGE, WIDTH_CHANGE),
    "T11": (SELECTIVITY_RATIO,),
    "T12": (GAIN_RATIO, C50_CHANGE, EXPONENT_CHANGE),
}
"""What is measured for each target, by the names that rules use."""

_TUNED_REFERENCE = (
    "The cell of `ketune verify --biology` was tuned until a check of this kind held in it, so there it is none. "
    "The population is that cell model with its shipped channels and strengths of its own, which were chosen for "
    "control tuning alone: what it says was not fitted."
)


@dataclass(frozen=True)
class Outcome:
    """Verdict, sentence, figures and note of a target."""

    met: bool | None
    words: str
    rows: list[PredictionRow]
    note: str


@dataclass(frozen=True)
class Chosen:
    """Places of the neurons that an experiment was done on, of ``of`` in all."""

    places: tuple[int, ...]
    of: int

    @property
    def words(self) -> str:
        """For the note."""
        if len(self.places) == self.of:
            return f"All {self.of} neurons"
        return f"{len(self.places)} of {self.of} neurons, evenly spaced in the order of absolute disparity"


def check_rules(targets: Iterable[Target]) -> None:
    """Refuse rules that could not be applied after all is simulated.

    Raises
    ------
    InputError
        See :func:`ketune.reproduce._prediction_rules.applicable`.
    """
    for target in targets:
        applicable(target, QUANTITIES[target.id])


def reverses(target: Target, gone: Reversal, dose: TopicalDose) -> Outcome:
    """T6: no memory in the model; how long the drug stays."""
    met, _ = judged(target, {}, [], seed=0)
    known = gone.drawn_min[np.isfinite(gone.drawn_min)]
    whole = len(known) > 0 and len(known) == len(gone.drawn_min)
    spread = (float(known.min()), float(known.max())) if whole else None
    row = PredictionRow(
        quantity="time from laying the paper until NMDA block has fallen below half of its largest",
        value=gone.half_min,
        interval=spread,
        low=None, high=None, unit="min", ours=None, met=None, n=len(known),
        note=f"range of {len(gone.drawn_min)} draws of the drug's uncertain numbers, not over neurons; "
        "n counts draws",
        neurons=(),
        values=tuple(float(x) if np.isfinite(x) else None for x in gone.drawn_min),
    )  # fmt: skip
    if gone.half_min is None:
        when = f"more than half of the largest NMDA block is still there after {gone.latest_min:g} min"
    else:
        when = (
            f"NMDA block falls below half of its largest {gone.half_min:.0f} min after the paper is laid "
            f"({gone.half_min - gone.removed_min:+.0f} min from its removal)"
        )
        when += (
            f", {spread[0]:.0f} to {spread[1]:.0f} min over the drug's uncertain numbers" if spread else ""
        )
    return Outcome(
        met,
        f"Every action follows the local concentration without memory, so tuning returns exactly; with "
        f"{dose.solution} {when}.",
        [row],
        "True by construction and no prediction: nothing in the model outlasts the drug. The time is that of the "
        "exposure model (when the paper is removed and rinsed is our assumption); no time constant was reported.",
    )


def block(target: Target, blocked: Blocked, trials: int, seed: int) -> Outcome:
    """T8."""
    everyone = range(len(blocked.no_nmda))
    measured = {
        NMDA_LEFT: [Measurement(NMDA_LEFT, blocked.no_nmda, everyone)],
        AMPA_LEFT: [Measurement(AMPA_LEFT, blocked.no_ampa, everyone)],
    }
    beside = [
        Measurement(f"response with {loss:.0%} of NMDA conductance lost over control", left, everyone, window=NMDA_LEFT)
        for loss, left in blocked.partial.items()
    ]  # fmt: skip
    met, rows = judged(target, measured, beside, seed=seed)
    nmda, ampa = rows[0], _of(rows, AMPA_LEFT)
    half = (
        "more than half is left without any NMDA conductance"
        if blocked.halving_loss is None
        else f"half of the response is gone once {blocked.halving_loss:.0%} of the NMDA conductance is"
    )
    return Outcome(
        met,
        f"Without NMDA {_median(_of(rows, NMDA_LEFT) or nmda)} of the response at the preferred orientation is left, "
        f"without AMPA {_median(ampa)}; {half}.",
        rows,
        f"All {len(blocked.no_nmda)} neurons, {trials} trials of the preferred orientation and of a blank, the cell's "
        f"own receptors blocked, its inhibition and afferents as they were; spikes above the blank. {_TUNED_REFERENCE}",
    )


def depolarisation(
    target: Target, measured: Subthreshold, chosen: Chosen, trials: int, current_nA: float, seed: int
) -> Outcome:
    """T9."""
    m, at = measured, chosen.places
    judged_ones = {
        BLOCKED_SELECTIVITY: [Measurement(BLOCKED_SELECTIVITY, m.blocked_selectivity, at)],
        LOSS_RATIO: [Measurement(LOSS_RATIO, m.loss_ratio, at)],
        HYPERPOLARISED_SELECTIVITY: [Measurement(HYPERPOLARISED_SELECTIVITY, m.hyperpolarised_selectivity, at)],
    }  # fmt: skip
    blocked, lowered = (
        Measurement(f"preferred minus orthogonal potential ({how} over control)", values, at)
        for how, values in (
            ("NMDA block of the cell", m.blocked_modulation),
            ("hyperpolarised", m.hyperpolarised_modulation),
        )
    )
    blank = Measurement(
        "potential on the blank, hyperpolarised minus control", m.blank_change_mV, at, unit="mV"
    )
    met, rows = judged(target, judged_ones, [blocked, lowered, blank], seed=seed)
    by_name = {r.quantity: r for r in rows}
    hyper = by_name[lowered.quantity]
    return Outcome(
        met,
        f"Subthreshold selectivity is {_median(by_name.get(BLOCKED_SELECTIVITY))} of control with the cell's NMDA "
        f"receptors blocked and {_median(by_name.get(HYPERPOLARISED_SELECTIVITY))} when it is hyperpolarised; the "
        f"difference between preferred and orthogonal potential is {_median(by_name[blocked.quantity])} and "
        f"{_median(hyper)} of control.",
        rows,
        f"{chosen.words}, {trials} trials; the cell without Na and fast K, mean somatic potential in the window. "
        f"Selectivity is the gOSI of the depolarisation above the condition's own rest without any input, because "
        f"inhibition can take the orthogonal response below the blank, where an index has no meaning. The difference "
        f"of potentials needs no such rest. Hyperpolarised by {current_nA:.3f} nA into the soma, which lowers the rest "
        f"by {HYPERPOLARISED_mV:g} mV (ours). {_TUNED_REFERENCE}",
    )


def robustness(target: Target, cuts: dict[str, Cut], chosen: Chosen, trials: int, seed: int) -> Outcome:
    """T10."""
    at = chosen.places
    preferred, width, beside, missing = [], [], [], []
    for what in (APICAL, BASAL):
        cut = cuts.get(what)
        nothing = np.full(len(at), np.nan)
        note = "" if cut else f"not done: the cell has no {what} on its soma that could be removed"
        if cut is None:
            missing.append(what)
        preferred.append(
            Measurement(
                f"absolute change of preferred orientation without {_the(what)}",
                nothing if cut is None else cut.preferred_deg, at, "deg", note, of_absolute=True,
            )
        )  # fmt: skip
        width.append(
            Measurement(
                f"relative change of width without {_the(what)}", nothing if cut is None else cut.width, at, "1", note
            )
        )  # fmt: skip
        if cut is not None:
            finite = np.where(np.isfinite(cut.preferred_deg), cut.preferred_sure, np.nan)
            finite[~np.isfinite(finite)] = np.nan
            beside.append(
                Measurement(
                    f"half a neuron's own 95 % interval of that change without {_the(what)}", finite, at, "deg",
                    "over its trials: what re-measuring alone may give",
                )
            )  # fmt: skip
            beside.append(Measurement(f"peak response without {_the(what)} over control", cut.peak, at))
    met, rows = judged(target, {PREFERRED_CHANGE: preferred, WIDTH_CHANGE: width}, beside, seed=seed)
    window = _window(target, PREFERRED_CHANGE)
    parts = []
    for what, cut in cuts.items():
        known = np.isfinite(cut.preferred_deg)
        part = f"without {_the(what)} {_median(_of(rows, f'absolute change of preferred orientation without {_the(what)}'))} deg"
        if window is not None:
            beyond = known & (
                (cut.preferred_deg - cut.preferred_sure > window.high)
                | (cut.preferred_deg + cut.preferred_sure < window.low)
            )
            part += f" (outside its window beyond the noise of trials in {beyond.sum()} of {known.sum()} neurons that are still tuned)"
        parts.append(part)
    words = (
        "Preferred orientation changes by, in the median of absolute values, " + ", ".join(parts) + "."
        if parts
        else "The cell has no dendrite that could be removed: nothing can be said."
    )
    if missing and parts:
        words += f" The cell has no {' and no '.join(missing)} to remove, so the target is not fully tested."
    taken = sorted({d for cut in cuts.values() for d in cut.dendrite})
    return Outcome(
        met,
        words,
        rows,
        f"{chosen.words}, {trials} trials of twelve orientations; membrane, channels and synapses of the dendrite are "
        f"gone ({', '.join(taken) or 'none'}), events elsewhere are the same. The whole apical tree goes, because a "
        "tuft is not told from it; the basal dendrite is the one that carries most of the neuron's driven synapses. "
        "Neurons that are not tuned with or without the dendrite have no value. "
        f"{_TUNED_REFERENCE} The disparity of the cat-like population was chosen with this target in mind.",
    )


def against_disparity(
    cuts: dict[str, Cut], disparity_deg: Sequence[float]
) -> tuple[tuple[float | None, ...], str, str]:
    """The larger change of each neuron, what it is of, and its relation to disparity in words."""
    both = np.array([cut.preferred_deg for cut in cuts.values()])
    size = np.where(np.isfinite(both), np.abs(both), -1.0)
    larger = both[np.argmax(size, axis=0), np.arange(both.shape[1])]
    known = np.isfinite(larger)
    if known.sum() >= 4:
        from scipy.stats import spearmanr

        found = spearmanr(np.abs(np.array(disparity_deg)[known]), np.abs(larger[known]))
        words = (
            f"Absolute change and absolute disparity have a rank correlation of {found.statistic:.2f} "
            f"({known.sum()} neurons, p = {found.pvalue:.2g})"
        )
        words += (
            ": neurons whose trees disagree enough to shift under a drug (T2) are those that fail here (T10)."
            if found.pvalue < 0.05 and found.statistic > 0
            else ": no relation is shown."
        )
    else:
        words = f"Only {known.sum()} neurons are tuned with and without a dendrite: no relation can be shown."
    names = " or ".join(_the(what) for what in cuts)
    return (
        tuple(float(x) if np.isfinite(x) else None for x in larger),
        f"{names} removed{', whichever changes more' if len(cuts) > 1 else ''}",
        words,
    )


def selectivity(
    target: Target,
    ratios: Sequence[tuple[FloatArray, FloatArray]],
    losses: Sequence[float],
    chosen: Chosen,
    neurons: Sequence[VirtualNeuron],
    trials: int,
    seed: int,
) -> Outcome:
    """T11: judged at complete loss; a partial loss stands beside it."""
    at = chosen.places
    complete, sure = ratios[0]
    measured = {SELECTIVITY_RATIO: [Measurement(SELECTIVITY_RATIO, complete, at, sure=sure)]}
    beside = [
        Measurement(f"the same with {loss:.0%} of NMDA conductance lost", ratio, at, window=SELECTIVITY_RATIO)
        for loss, (ratio, _) in zip(losses[1:], ratios[1:], strict=True)
    ]
    met, rows = judged(target, measured, beside, seed=seed)
    window = _window(target, SELECTIVITY_RATIO)
    parts = []
    for loss, (ratio, half) in zip(losses, ratios, strict=True):
        fires = np.isfinite(ratio)
        if not fires.any():
            parts.append(
                f"with {loss:.0%} of the NMDA conductance lost no neuron fires enough to have an index"
            )
            continue
        within = inside(ratio, half, window) if window else fires
        part = f"with {loss:.0%} lost {fires.sum()} of {len(at)} neurons fire enough for an index"
        if window:
            part += f", of which {within.sum()} lie within {window.low:g} to {window.high:g} with the interval of their trials"
        parts.append(part + (f" ({_region(neurons, np.array(at)[within])})" if within.any() else ""))
    undecided = "; at complete loss nothing can be said about selectivity" if met is None else ""
    return Outcome(
        met,
        _sentence("; ".join(parts) + undecided),
        rows,
        f"{chosen.words}, {trials} trials of eight orientations, OSI of fitted curves, control and loss under the same "
        "afferent spikes; an index needs ten spikes. The verdict is that of complete loss; the partial loss is the one "
        "that halves the population's response. No check of `ketune verify --biology` is of this kind, and nothing was "
        "fitted to it.",
    )


def contrast(
    target: Target,
    responses: Sequence[ContrastChange],
    losses: Sequence[float],
    chosen: Chosen,
    trials: int,
    seed: int,
) -> Outcome:
    """T12: judged at complete block; a partial one stands beside it."""
    at = chosen.places
    complete = responses[0]
    measured = {
        GAIN_RATIO: [
            Measurement("largest response under NMDA block over control", complete.largest, at),
            Measurement("slope under NMDA block over control", complete.slope, at),
        ],
        C50_CHANGE: [Measurement(C50_CHANGE, complete.c50, at)],
        EXPONENT_CHANGE: [Measurement(EXPONENT_CHANGE, complete.exponent, at)],
    }
    beside = [
        Measurement(f"{what} with {loss:.0%} of NMDA conductance lost", values, at, window=window)
        for loss, r in zip(losses[1:], responses[1:], strict=True)
        for what, values, window in (
            ("largest response over control", r.largest, None),
            ("slope over control", r.slope, None),
            (C50_CHANGE, r.c50, C50_CHANGE),
            (EXPONENT_CHANGE, r.exponent, EXPONENT_CHANGE),
        )
    ]
    met, rows = judged(target, measured, beside, seed=seed)
    parts = []
    for loss, r in zip(losses, responses, strict=True):
        fitted = int(np.isfinite(r.c50).sum())
        top = _plain(r.largest)
        part = f"with {loss:.0%} of the NMDA conductance lost the largest response is {top} of control"
        part += (
            f", the semisaturation contrast changes by {_plain(r.c50)} and the exponent by {_plain(r.exponent)} of "
            f"itself ({fitted} of {len(at)} neurons)"
            if fitted
            else ", and no contrast response is left to fit"
        )
        parts.append(part)
    return Outcome(
        met,
        _sentence("; ".join(parts)),
        rows,
        f"{chosen.words}, {trials} trials of seven contrasts at the preferred orientation, fitted by R c^n / (c^n + "
        f"C50^n); medians. Neurons whose C50 lies beyond full contrast have no value. How contrast drives the afferents "
        f"is assumed. The verdict is that of complete block; the partial one halves the population's response. "
        f"{_TUNED_REFERENCE}",
    )


def _region(neurons: Sequence[VirtualNeuron], places: NDArray[np.int64]) -> str:
    """Where in parameter space neurons lie."""
    ratio = [neurons[i].values["nmda_nS"] / neurons[i].values["ampa_nS"] for i in places]
    disparity = [abs(neurons[i].disparity_deg) for i in places]
    return f"NMDA over AMPA conductance {min(ratio):.2f} to {max(ratio):.2f}, disparity up to {max(disparity):.0f} deg"


def _window(target: Target, quantity: str) -> Window | None:
    return next((w for w in target.window if w.quantity == quantity), None)


def _of(rows: Sequence[PredictionRow], quantity: str) -> PredictionRow | None:
    return next((r for r in rows if r.quantity == quantity), None)


def _the(what: str) -> str:
    return f"the {what}" if what == APICAL else what


def _median(row: PredictionRow | None) -> str:
    """Value and interval of a row."""
    if row is None or row.value is None:
        return "nothing measurable"
    if row.interval is None:
        return f"{row.value:.3g}"
    return f"{row.value:.3g} ({row.interval[0]:.3g} to {row.interval[1]:.3g})"


def _plain(values: FloatArray) -> str:
    known = values[np.isfinite(values)]
    return f"{np.median(known):.2g}" if known.size else "not known"


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:] + "."
