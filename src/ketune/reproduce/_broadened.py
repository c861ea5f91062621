"""The control "no true shift": every neuron keeps its preferred orientation and only responds weaker and broader."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ketune.population import Population
from ketune.reproduce._actions import Action
from ketune.reproduce._experiment import Counts
from ketune.tuning import sample_counts, shape

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


def broadened_counts(
    population: Population,
    stimuli_deg: np.ndarray,
    values: Mapping[str, float],
    trials: int,
    rng: np.random.Generator,
) -> Counts:
    """Counts ``(neurons, stimuli, trials)``: curves around the fitted preferred orientation; blanks as they were."""
    statistics = population.statistics
    shown = np.isfinite(stimuli_deg)
    # Every further blank is like the one of the control statistics.
    at = np.where(shown, np.cumsum(shown) - 1, -1)
    mean, fano = statistics.mean[:, at], statistics.fano[:, at]
    for row, fit in zip(mean, statistics.fits, strict=True):
        away = stimuli_deg[shown] - fit.preferred_deg
        tuned = shape("gaussian", away, np.array(fit.sigma_deg * values["width"]))
        row[shown] = fit.baseline + values["response_left"] * fit.amplitude * np.ravel(tuned)
    mean = np.maximum(mean, 1e-6)
    excess = np.maximum(fano - 1.0, 0.0) * values["excess_noise_left"]
    fano = np.where(fano > 1.0, 1.0 + excess, fano)
    return np.moveaxis(sample_counts(mean, fano, trials, rng), 0, -1)
