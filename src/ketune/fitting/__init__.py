"""Fitting a cell to tuning curves: escape-rate readout, count law, gradients, correction to the spiking cell."""

from ketune.fitting._effort import EFFORTS, Effort, effort_named
from ketune.fitting._fit import KEPT_WITHIN, Fit, Fitter, KeptSet, most_different
from ketune.fitting._observed import DirectionCounts
from ketune.fitting._parameters import NAMES, PARAMETERS, FitParameter, drive_at, synapse_overrides
from ketune.fitting._readout import Hazard
from ketune.fitting._spiking import SpikeCounts, simulate_counts
from ketune.fitting._spontaneous import SpontaneousRate
from ketune.fitting._step_size import BOUND, StepChoice, StepError, StepSizes, measure_steps

__all__ = [
    "BOUND",
    "EFFORTS",
    "KEPT_WITHIN",
    "NAMES",
    "PARAMETERS",
    "DirectionCounts",
    "Effort",
    "Fit",
    "FitParameter",
    "Fitter",
    "Hazard",
    "KeptSet",
    "SpikeCounts",
    "SpontaneousRate",
    "StepChoice",
    "StepError",
    "StepSizes",
    "drive_at",
    "effort_named",
    "measure_steps",
    "most_different",
    "simulate_counts",
    "synapse_overrides",
]
