"""The control "no true shift": every neuron keeps its preferred orientation and only responds weaker and broader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ketune.population._control import expected_fit
from ketune.reproduce._actions import Action
from ketune.reproduce._experiment import Counts
from ketune.tuning import CurveFit, sample_counts, shape

BROADENING: dict[str, Action] = {
    a.name: a
    for a in (
        Action("response_left", 1.0, "1", "evoked response that is left"),
        Action("width", 1.0, "1", "factor on the width of tuning"),
        Action("excess_noise_left", 1.0, "1", "share left of what the Fano factor exceeds 1 by"),
    )
}
"""What may happen to a neuron's tuning curve."""
BROADENING_RANGES = {"response_left": (0.45, 1.0), "width": (1.0, 1.6), "excess_noise_left": (0.3, 1.0)}
"""Ours; the lowest response is that under block of NMDA receptors (Sato et al. 1999)."""


def broadened_draws(n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draws, uniform over the ranges."""
    return {name: rng.uniform(low, high, n) for name, (low, high) in BROADENING_RANGES.items()}


@dataclass(frozen=True, eq=False)
class ControlCurves:
    """Expected control responses.

    Attributes
    ----------
    stimuli_deg
        ``(stimuli,)``, NaN for a blank.
    mean, fano
        ``(neurons, stimuli)``.
    fits
        Gaussian curve through each neuron's expected counts.
    """

    stimuli_deg: np.ndarray
    mean: np.ndarray
    fano: np.ndarray
    fits: tuple[CurveFit, ...]

    @classmethod
    def of(cls, stimuli_deg: np.ndarray, mean: np.ndarray, fano: np.ndarray, *, trials: int) -> ControlCurves:
        """Fit the curves."""
        shown = np.isfinite(stimuli_deg)
        fits = (
            expected_fit(stimuli_deg[shown], m[shown], f[shown], trials=trials)
            for m, f in zip(mean, fano, strict=True)
        )
        return cls(stimuli_deg, mean, fano, tuple(fits))


def broadened_counts(
    control: ControlCurves, values: Mapping[str, float], trials: int, rng: np.random.Generator
) -> Counts:
    """Counts ``(neurons, stimuli, trials)``: curves around the fitted preferred orientation; blanks as they were."""
    shown, mean = np.isfinite(control.stimuli_deg), control.mean.copy()
    for row, fit in zip(mean, control.fits, strict=True):
        away = control.stimuli_deg[shown] - fit.preferred_deg
        tuned = shape("gaussian", away, np.array(fit.sigma_deg * values["width"]))
        row[shown] = fit.baseline + values["response_left"] * fit.amplitude * np.ravel(tuned)
    excess = np.maximum(control.fano - 1.0, 0.0) * values["excess_noise_left"]
    fano = np.where(control.fano > 1.0, 1.0 + excess, control.fano)
    return np.moveaxis(sample_counts(np.maximum(mean, 1e-6), fano, trials, rng), 0, -1)
