"""Spike counts of a population under control and under the drug."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ketune.errors import InputError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

FEWEST_NEURONS, FEWEST_ORIENTATIONS, FEWEST_TRIALS = 3, 4, 2


@dataclass(frozen=True, eq=False)
class PopulationCounts:
    """Spike counts of the same neurons in two conditions, recorded independently.

    Attributes:
        control, drug: (neurons, stimuli, trials) spikes in the window; the last stimulus is the blank screen, or the
            last ones, if it was shown more often. The numbers of trials may differ between the two.
        orientation_deg: (stimuli,) degrees, NaN for a blank. Orientations 180 deg apart may both be tested; they
            are two stimuli of one orientation.
        window_s: counting window, seconds.

    Raises:
        InputError: shapes that do not fit, counts that are no counts, or fewer than 3 neurons, 4 distinct
            orientations or 2 trials.
    """

    control: IntArray
    drug: IntArray
    orientation_deg: FloatArray
    window_s: float

    def __post_init__(self) -> None:
        theta = np.asarray(self.orientation_deg, dtype=np.float64)
        n_gratings = int(np.isfinite(theta).sum())
        if theta.ndim != 1 or n_gratings == theta.size or not np.isfinite(theta[:n_gratings]).all():
            raise InputError(
                "population counts: orientation_deg must be degrees with NaN (the blank) last, once or more often"
            )
        distinct = np.unique(np.round(np.mod(theta[:n_gratings], 180.0), 3) % 180.0).size
        if distinct < FEWEST_ORIENTATIONS:
            raise InputError(
                f"population counts: orientation_deg has {distinct} distinct orientations; "
                f"a tuning curve needs at least {FEWEST_ORIENTATIONS}"
            )
        if not (np.isfinite(self.window_s) and self.window_s > 0):
            raise InputError(
                f"population counts: window_s is {self.window_s}; give a positive number of seconds"
            )
        control, drug = _checked("control", self.control, theta.size), _checked("drug", self.drug, theta.size)
        if control.shape[0] != drug.shape[0]:
            raise InputError(
                f"population counts: control has {control.shape[0]} neurons and drug {drug.shape[0]}; "
                "give the same neurons in the same order"
            )
        object.__setattr__(self, "control", control)
        object.__setattr__(self, "drug", drug)
        object.__setattr__(self, "orientation_deg", theta)

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return int(self.control.shape[0])

    @property
    def tested_deg(self) -> FloatArray:
        """Orientations of the gratings, (gratings,)."""
        return self.orientation_deg[np.isfinite(self.orientation_deg)]

    @property
    def gratings(self) -> tuple[IntArray, IntArray]:
        """Control and drug, (neurons, gratings, trials)."""
        n = self.tested_deg.size
        return self.control[:, :n], self.drug[:, :n]

    @property
    def blanks(self) -> tuple[IntArray, IntArray]:
        """Control and drug, (neurons, trials of all blanks)."""
        n = self.tested_deg.size
        control, drug = (x[:, n:].reshape(self.neurons, -1) for x in (self.control, self.drug))
        return control, drug


def _checked(name: str, counts: npt.ArrayLike, n_stimuli: int) -> IntArray:
    given = np.asarray(counts)
    if given.ndim != 3 or given.shape[1] != n_stimuli:
        raise InputError(
            f"population counts: {name} has shape {given.shape}; "
            f"give (neurons, stimuli, trials) with the {n_stimuli} stimuli of orientation_deg"
        )
    if given.shape[0] < FEWEST_NEURONS:
        raise InputError(
            f"population counts: {name} has {given.shape[0]} neurons; statistics over neurons need at least "
            f"{FEWEST_NEURONS}"
        )
    if given.shape[2] < FEWEST_TRIALS:
        raise InputError(
            f"population counts: {name} has {given.shape[2]} trials; a Fano factor needs at least {FEWEST_TRIALS}"
        )
    if not (np.issubdtype(given.dtype, np.integer) or np.issubdtype(given.dtype, np.floating)):
        raise InputError(f"population counts: {name} holds {given.dtype}; give whole numbers of spikes")
    wrong = ~np.isfinite(given) | (given < 0) | (given != np.floor(given))
    if wrong.any():
        neuron, stimulus, trial = (int(i) for i in np.argwhere(wrong)[0])
        raise InputError(
            f"population counts: {name}[{neuron}, {stimulus}, {trial}] is {given[neuron, stimulus, trial]}; "
            "give whole numbers of spikes, 0 or more"
        )
    return given.astype(np.int64)
