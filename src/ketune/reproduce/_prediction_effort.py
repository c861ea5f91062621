"""How much is simulated for the predictions, and for which neurons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ketune.population import VirtualNeuron


@dataclass(frozen=True)
class PredictionEffort:
    """Neurons and trials of each experiment; ``*_neurons`` are spread over disparity.

    Attributes
    ----------
    tuning_trials
        Of each of eight orientations, all neurons; with NMDA receptors lost for ``loss_neurons`` (T11).
    block_trials
        At the preferred orientation and of the blank, all neurons (T8).
    subthreshold_neurons, subthreshold_trials
        Of the silent cell (T9).
    ablation_neurons, ablation_trials
        With dendrites removed, twelve orientations (T10).
    contrast_neurons, contrast_trials
        Of each of seven contrasts (T12).
    exposure_draws
        Of the drug's uncertain numbers (T6).
    """

    tuning_trials: int = 12
    block_trials: int = 8
    loss_neurons: int = 24
    subthreshold_neurons: int = 12
    subthreshold_trials: int = 8
    ablation_neurons: int = 12
    ablation_trials: int = 16
    contrast_neurons: int = 12
    contrast_trials: int = 16
    exposure_draws: int = 16

    @classmethod
    def of(cls, neurons: int) -> PredictionEffort:
        """The default; for eight neurons or fewer a quick look, whose intervals are wide."""
        return cls() if neurons > 8 else QUICK


QUICK = PredictionEffort(
    tuning_trials=6,
    block_trials=4,
    loss_neurons=3,
    subthreshold_neurons=3,
    subthreshold_trials=3,
    ablation_neurons=3,
    ablation_trials=3,
    contrast_neurons=3,
    contrast_trials=4,
    exposure_draws=3,
)


def spread_over_disparity(neurons: Sequence[VirtualNeuron], most: int) -> tuple[int, ...]:
    """Places of at most so many neurons, evenly spaced in the order of their absolute disparity."""
    order = np.argsort([abs(n.disparity_deg) for n in neurons], kind="stable")
    if len(order) > most:
        order = order[np.round(np.linspace(0, len(order) - 1, most)).astype(int)]
    return tuple(sorted(int(i) for i in order))
