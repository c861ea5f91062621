"""Verdicts and sentences where the recorded cell's receptors are blocked: T8, T11, T12."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ketune.evidence import Target
from ketune.population import VirtualNeuron
from ketune.reproduce._prediction_rules import Measurement, inside, judged
from ketune.reproduce._prediction_words import (
    AMPA_LEFT,
    C50_CHANGE,
    CALIBRATED_BLOCK,
    EXPONENT_CHANGE,
    GAIN_RATIO,
    NMDA_LEFT,
    SELECTIVITY_RATIO,
    TUNED_REFERENCE,
    Chosen,
    Outcome,
    median_words,
    plain_median,
    row_of,
    sentence,
    unsettled_words,
    window_of,
)
from ketune.reproduce._predictions_block import Blocked, ContrastChange

FloatArray = NDArray[np.float64]


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
    if not np.isfinite(blocked.no_nmda).any():
        words = "No neuron responds at its preferred orientation above the blank: nothing can be said."
    else:
        words = (
            f"Without NMDA {median_words(row_of(rows, NMDA_LEFT))} of the response at the preferred orientation is "
            f"left, without AMPA {median_words(row_of(rows, AMPA_LEFT))}; "
        )
        words += (
            "more than half is left without any NMDA conductance."
            if blocked.halving_loss is None
            else f"half of the response is gone once {blocked.halving_loss:.0%} of the NMDA conductance is."
        )
    return Outcome(
        met,
        words + unsettled_words(rows),
        rows,
        f"All {len(blocked.no_nmda)} neurons, {trials} trials of the preferred orientation and of a blank, the cell's "
        f"own receptors blocked, its inhibition and afferents as they were; spikes above the blank. "
        f"{TUNED_REFERENCE} {CALIBRATED_BLOCK}",
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
    window = window_of(target, SELECTIVITY_RATIO)
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
            part += (
                f", and in {within.sum()} of them the 95 % interval over their trials lies within {window.low:g} to "
                f"{window.high:g}"
            )
        parts.append(part + (f" ({_region(neurons, np.array(at)[within])})" if within.any() else ""))
    undecided = "; at complete loss nothing can be said about selectivity" if met is None else ""
    return Outcome(
        met,
        sentence("; ".join(parts) + undecided),
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
        top = plain_median(r.largest)
        part = f"with {loss:.0%} of the NMDA conductance lost the largest response is {top} of control"
        part += (
            f", the semisaturation contrast changes by {plain_median(r.c50)} and the exponent by "
            f"{plain_median(r.exponent)} of itself ({fitted} of {len(at)} neurons)"
            if fitted
            else ", and no contrast response is left to fit"
        )
        parts.append(part)
    return Outcome(
        met,
        sentence("; ".join(parts)) + unsettled_words(rows),
        rows,
        f"{chosen.words}, {trials} trials of seven contrasts at the preferred orientation, fitted by R c^n / (c^n + "
        f"C50^n); medians. Neurons whose C50 lies beyond full contrast have no value. How contrast drives the "
        "afferents is assumed. The verdict is that of complete block; the partial one halves the population's "
        f"response. {TUNED_REFERENCE}",
    )


def _region(neurons: Sequence[VirtualNeuron], places: NDArray[np.int64]) -> str:
    """Where in parameter space neurons lie."""
    ratio = [neurons[i].values["nmda_nS"] / neurons[i].values["ampa_nS"] for i in places]
    disparity = [abs(neurons[i].disparity_deg) for i in places]
    return f"NMDA over AMPA conductance {min(ratio):.2f} to {max(ratio):.2f}, disparity up to {max(disparity):.0f} deg"
