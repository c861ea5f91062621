"""What a virtual neuron does without a drug, from the response surface of its cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ketune.afferents import place_synapses
from ketune.cell import Cell
from ketune.fitting._prior import WORKING_RANGE
from ketune.inference import ConditionCounts, JointModel, Moments, Trees
from ketune.population._table import Experiment
from ketune.surface import Surface
from ketune.tuning import CurveFit, count_sem, fit_curve

_GRID = 33


@dataclass(frozen=True)
class ControlCurve:
    """Expected spike counts of one neuron.

    Attributes
    ----------
    mean, fano
        ``(stimuli,)``: expected count in the window and its Fano factor over trials, the blank last.
    fit
        Gaussian curve through the expected counts of the distinct orientations, weighted as those of a recording.
    """

    mean: np.ndarray
    fano: np.ndarray
    fit: CurveFit


class Control:
    """Control responses of neurons of one cell, each with synapses of its own.

    Parameters
    ----------
    surface
        Response surface of the cell.
    cell
        Where the synapses are placed.
    experiment
        Stimuli and window.
    """

    def __init__(self, surface: Surface, cell: Cell, experiment: Experiment) -> None:
        self.surface, self.cell, self.experiment = surface, cell, experiment
        self.apical = cell.table.region == "apical"

    def placed(self, placement_seed: int) -> JointModel:
        """Model of the neurons whose synapses are those of one placement."""
        layout = place_synapses(self.cell, seed=placement_seed)
        stimuli = self.experiment.stimuli_deg
        nothing = ConditionCounts("control", tuple(np.zeros(1, int) for _ in stimuli))
        return JointModel(
            self.surface,
            (nothing,),
            stimuli,
            self.experiment.window_s,
            Trees.of([layout], self.apical),
            layout=layout,
            apical=self.apical,
        )

    def driven(
        self, model: JointModel, values: Mapping[str, float], *, peak_hz: float, spontaneous_hz: float
    ) -> dict[str, float] | None:
        """The values with the afferent rates at which the neuron fires at these rates.

        The background is found first, for it alone decides the blank. Both are sought upwards from the lower end of
        the working range and are the first to reach the rate: the response falls again where the cell is blocked by
        depolarisation. None where no rate within the working range does.
        """
        window_s = self.experiment.window_s
        found = {**values, "peak_rate_hz": WORKING_RANGE["peak_rate_hz"][0]}
        for name, wanted_hz in (("background_rate_hz", spontaneous_hz), ("peak_rate_hz", peak_hz)):
            rates = np.geomspace(*WORKING_RANGE[name], _GRID)
            points = [model.coordinates({**found, name: rate}) for rate in rates]
            count = model.many_moments(np.array(points)).mean[:, 0]
            reached = count[:, -1] if name == "background_rate_hz" else count[:, :-1].max(axis=1)
            rate = first_crossing(rates, np.asarray(reached) / window_s, wanted_hz)
            if rate is None:
                return None
            found[name] = rate
        return found

    def curve(self, model: JointModel, values: Mapping[str, float]) -> ControlCurve:
        """Expected counts at parameter values."""
        predicted: Moments = model.moments(model.coordinates(values))
        mean, fano = np.asarray(predicted.mean[0]), np.asarray(predicted.fano[0])
        angle = np.array(self.experiment.orientation_deg)
        return ControlCurve(
            mean, fano, expected_fit(angle, mean[:-1], fano[:-1], trials=self.experiment.trials)
        )


def expected_fit(orientation_deg: np.ndarray, mean: np.ndarray, fano: np.ndarray, *, trials: int) -> CurveFit:
    """Gaussian curve through expected counts of gratings, weighted as those of a recording of so many trials."""
    angle, first, times = np.unique(np.mod(orientation_deg, 180.0), return_index=True, return_counts=True)
    mean, variance = mean[first], (fano * mean)[first]
    return fit_curve(angle, mean, count_sem(mean, variance, times * trials))


def first_crossing(x: np.ndarray, y: np.ndarray, wanted: float) -> float | None:
    """Where ``y`` first rises to ``wanted``, straight between points in logarithms; None where it does not."""
    at = int(np.argmax(y >= wanted))
    if at == 0:  # reached at the lower end already, or nowhere
        return None
    below, above = np.log(np.maximum(y[at - 1 : at + 1], 1e-12))
    share = (np.log(wanted) - below) / (above - below)
    return float(x[at - 1] * (x[at] / x[at - 1]) ** share)
