"""Verdicts and sentences where the cell is silenced or cut (T9, T10), and on reversal (T6)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ketune.evidence import Target
from ketune.reproduce._drug_draws import TopicalDose
from ketune.reproduce._prediction_bench import HYPERPOLARISED_mV
from ketune.reproduce._prediction_rules import Measurement, PredictionRow, judged
from ketune.reproduce._prediction_words import (
    BLOCKED_SELECTIVITY,
    HYPERPOLARISED_SELECTIVITY,
    LOSS_RATIO,
    PREFERRED_CHANGE,
    TUNED_REFERENCE,
    WIDTH_CHANGE,
    Chosen,
    Outcome,
    median_words,
    row_of,
    unsettled_words,
    window_of,
)
from ketune.reproduce._predictions_cell import APICAL, BASAL, Cut, Subthreshold
from ketune.reproduce._reversal import Reversal

FloatArray = NDArray[np.float64]


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
        low=None, high=None, unit="min", ours=None, met=None, settled=None, n=len(known),
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


def depolarisation(
    target: Target, measured: Subthreshold, chosen: Chosen, trials: int, current_nA: float, seed: int
) -> Outcome:
    """T9."""
    m, at = measured, chosen.places
    differences = [
        Measurement(f"preferred minus orthogonal potential ({how} over control)", values, at)
        for how, values in (
            ("NMDA block of the cell", m.blocked_modulation),
            ("hyperpolarised", m.hyperpolarised_modulation),
        )
    ]
    judged_ones = {
        BLOCKED_SELECTIVITY: [Measurement(BLOCKED_SELECTIVITY, m.blocked_selectivity, at), differences[0]],
        LOSS_RATIO: [Measurement(LOSS_RATIO, m.loss_ratio, at)],
        HYPERPOLARISED_SELECTIVITY: [
            Measurement(HYPERPOLARISED_SELECTIVITY, m.hyperpolarised_selectivity, at),
            differences[1],
        ],
    }
    blank = Measurement(
        "potential on the blank, hyperpolarised minus control", m.blank_change_mV, at, unit="mV"
    )
    met, rows = judged(target, judged_ones, [blank], seed=seed)
    return Outcome(
        met,
        f"With the cell's NMDA receptors blocked subthreshold selectivity is "
        f"{median_words(row_of(rows, BLOCKED_SELECTIVITY))} of control and the difference between preferred and "
        f"orthogonal potential {median_words(row_of(rows, differences[0].quantity))}; hyperpolarised they are "
        f"{median_words(row_of(rows, HYPERPOLARISED_SELECTIVITY))} and "
        f"{median_words(row_of(rows, differences[1].quantity))}.",
        rows,
        f"{chosen.words}, {trials} trials; the cell without Na and fast K, mean somatic potential in the window. "
        f"Selectivity is the gOSI of the depolarisation above the condition's own rest without any input, because "
        f"inhibition can take the orthogonal response below the blank, where an index has no meaning. An index depends "
        f"on where its zero is, the difference of potentials does not: selectivity counts as fallen only if both fall. "
        f"Hyperpolarised by {current_nA:.3f} nA into the soma, which lowers the rest by {HYPERPOLARISED_mV:g} mV "
        f"(ours). {TUNED_REFERENCE} It had no check of hyperpolarisation.",
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
    window = window_of(target, PREFERRED_CHANGE)
    parts = []
    for what, cut in cuts.items():
        known = np.isfinite(cut.preferred_deg)
        if not known.any():
            parts.append(
                f"without {_the(what)} nothing measurable, for no neuron is tuned with and without it"
            )
            continue
        row = row_of(rows, f"absolute change of preferred orientation without {_the(what)}")
        part = f"without {_the(what)} {median_words(row)} deg"
        if window is not None:
            above = cut.preferred_deg - cut.preferred_sure > window.high
            below = cut.preferred_deg + cut.preferred_sure < window.low
            outside = (cut.preferred_deg > window.high) | (cut.preferred_deg < window.low)
            part += (
                f" (outside the window in {outside.sum()} of the {known.sum()} neurons that stay tuned, beyond the "
                f"noise of trials in {(above | below).sum()})"
            )
        parts.append(part)
    words = (
        "Preferred orientation changes by, in the median of absolute values, " + ", ".join(parts) + "."
        if parts
        else "The cell has no dendrite that could be removed: nothing can be said."
    )
    if missing and parts:
        words += f" The cell has no {' and no '.join(missing)} to remove, so the target is not fully tested."
    words += unsettled_words(rows)
    taken = sorted({d for cut in cuts.values() for d in cut.dendrite})
    return Outcome(
        met,
        words,
        rows,
        f"{chosen.words}, {trials} trials of twelve orientations; membrane, channels and synapses of the dendrite are "
        f"gone ({', '.join(taken) or 'none'}), events elsewhere are the same. The whole apical tree goes, because a "
        "tuft is not told from it; the basal dendrite is the one that carries most of the neuron's driven synapses. "
        "Neurons that are not tuned with or without the dendrite have no value. "
        f"{TUNED_REFERENCE} The disparity of the cat-like population was chosen with this target in mind.",
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


def _the(what: str) -> str:
    return f"the {what}" if what == APICAL else what
