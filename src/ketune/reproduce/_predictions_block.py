"""Block of the recorded cell's receptors: response (T8), spiking selectivity (T11), contrast response (T12)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ketune.biology import fit_contrast
from ketune.reproduce._measure import measure
from ketune.reproduce._prediction_bench import CONTROL, NO_AMPA, NO_NMDA, Condition, PredictionBench, gratings
from ketune.reproduce._prediction_changes import changes, selectivity_ratio
from ketune.reproduce._prediction_rules import Measurement

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

ORIENTATION_DEG = tuple(float(x) for x in np.arange(0.0, 180.0, 22.5))
CONTRAST = (0.06, 0.1, 0.16, 0.25, 0.4, 0.63, 1.0)
PARTIAL_LOSSES = (0.1, 0.2, 0.5)
"""Shares of NMDA conductance that are taken besides all of it."""
# A semisaturation beyond the largest contrast is an extrapolation.
_LARGEST_C50 = 1.0
_TUNING = "tuning"


@dataclass(frozen=True, eq=False)
class Tuned:
    """Control tuning: fitted preferred orientation (n,), and counts ``(n, orientations, trials)``."""

    preferred_deg: FloatArray
    counts: IntArray


@dataclass(frozen=True, eq=False)
class Blocked:
    """What T8 measures.

    Attributes
    ----------
    no_nmda, no_ampa
        Spikes above the blank at the preferred orientation, over control, ``(n,)``; NaN without a response.
    partial
        The same with a share of the NMDA conductance lost, by that share.
    halving_loss
        Share at which the median over neurons is a half; None where more than half is left without any NMDA.
    """

    no_nmda: FloatArray
    no_ampa: FloatArray
    partial: dict[float, FloatArray]
    halving_loss: float | None


def control_tuning(bench: PredictionBench, trials: int) -> Tuned:
    """Tuning of all neurons without anything done to them."""
    everyone = range(len(bench.neurons))
    counts = bench.counts(everyone, _TUNING, [gratings(ORIENTATION_DEG)] * len(everyone), (CONTROL,), trials)[
        0
    ]
    return Tuned(measure(np.array(ORIENTATION_DEG), counts).preferred_deg, counts)


def receptor_block(bench: PredictionBench, tuned: Tuned, trials: int) -> Blocked:
    """Responses at the preferred orientation, on other afferent spikes than those that it was found with."""
    conditions = (CONTROL, NO_AMPA, NO_NMDA, *(Condition(nmda=1 - loss) for loss in PARTIAL_LOSSES))
    stimuli = [gratings((preferred, np.nan)) for preferred in tuned.preferred_deg]
    mean = bench.counts(range(len(stimuli)), "block", stimuli, conditions, trials).mean(axis=3)
    evoked = mean[..., 0] - mean[..., 1]
    responds = np.broadcast_to(evoked[0] > 0, evoked[1:].shape)
    left = np.divide(evoked[1:], evoked[0], out=np.full(responds.shape, np.nan), where=responds)
    no_ampa, no_nmda, *partial = left
    by_loss = dict(zip(PARTIAL_LOSSES, partial, strict=True))
    return Blocked(no_nmda, no_ampa, by_loss, halving_loss({**by_loss, 1.0: no_nmda}))


def halving_loss(by_loss: dict[float, FloatArray]) -> float | None:
    """Where the median response first falls to a half, straight between the losses that were tried."""
    loss, median = [0.0], [1.0]
    for share, values in sorted(by_loss.items()):
        known = values[np.isfinite(values)]
        if not known.size:
            return None
        loss.append(share)
        median.append(float(np.median(known)))
        if median[-1] <= 0.5:
            return float(np.interp(-0.5, -np.array(median[-2:]), loss[-2:]))
    return None


def losses_tried(blocked: Blocked) -> tuple[float, ...]:
    """Complete, and the partial one that halves the response."""
    return (1.0,) if blocked.halving_loss is None else (1.0, blocked.halving_loss)


def selectivity_under_loss(
    bench: PredictionBench, tuned: Tuned, chosen: Sequence[int], losses: Sequence[float]
) -> list[tuple[FloatArray, FloatArray]]:
    """Ratio of OSI with a loss over control and half its interval, ``(chosen,)`` each, by loss."""
    conditions = [Condition(nmda=1 - loss) for loss in losses]
    # The same trials of the same experiment as the control: the same afferent spikes.
    trials = tuned.counts.shape[2]
    lost = bench.counts(chosen, _TUNING, [gratings(ORIENTATION_DEG)] * len(chosen), conditions, trials)
    control = tuned.counts[list(chosen)]
    theta = np.array(ORIENTATION_DEG)
    return [changes(theta, control, after, (selectivity_ratio,))[0] for after in lost]


@dataclass(frozen=True, eq=False)
class ContrastChange:
    """Block over control of the fitted contrast response, ``(chosen,)`` each; NaN where no fit is determined.

    ``largest`` and ``slope`` (at semisaturation, per unit of contrast) are ratios, 0 without a response; ``c50`` and
    ``exponent`` relative changes.
    """

    largest: FloatArray
    slope: FloatArray
    c50: FloatArray
    exponent: FloatArray


def contrast_responses(
    bench: PredictionBench, tuned: Tuned, chosen: Sequence[int], losses: Sequence[float], trials: int
) -> list[ContrastChange]:
    """By loss, at the preferred orientation."""
    conditions = (CONTROL, *(Condition(nmda=1 - loss) for loss in losses))
    stimuli = [
        gratings((*[tuned.preferred_deg[i]] * len(CONTRAST), np.nan), (*CONTRAST, 1.0)) for i in chosen
    ]
    mean = bench.counts(chosen, "contrast", stimuli, conditions, trials).mean(axis=3)
    fitted = np.array([[_contrast_fit(m[:-1] - m[-1]) for m in rows] for rows in np.moveaxis(mean, 1, 0)])
    control = fitted[:, 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = fitted[:, 1:] / control[:, None]
    return [ContrastChange(r[:, 0], r[:, 1], r[:, 2] - 1, r[:, 3] - 1) for r in np.moveaxis(ratio, 1, 0)]


def _contrast_fit(above_blank: FloatArray) -> FloatArray:
    """Largest response, slope, C50, exponent; the first two are 0, the others unknown, without a response."""
    if not above_blank.max() > 0:
        return np.array([0.0, 0.0, np.nan, np.nan])
    largest, c50, exponent = fit_contrast(np.array(CONTRAST), above_blank)
    if not c50 <= _LARGEST_C50:
        return np.full(4, np.nan)
    return np.array([largest, largest * exponent / (4 * c50), c50, exponent])


def measurement(
    quantity: str, values: FloatArray, neurons: Sequence[int], note: str = "", window: str | None = None
) -> Measurement:
    """A ratio or relative change."""
    return Measurement(quantity, values, neurons, "1", note, window=window)
