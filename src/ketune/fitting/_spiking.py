"""Spike counts of the full spiking cell over orientations and trials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ketune.afferents import Drive, Grating, SynapseLayout, hard_events
from ketune.cell import Overrides
from ketune.engines.jax_engine import JaxEngine
from ketune.events import Events

# Events of so many lanes are drawn at a time: they are what takes memory.
_LANES_AT_A_TIME = 256
# Between the numbers of trials of two stimuli, where each has its own.
_TRIALS_APART = 1_000_000


@dataclass(frozen=True, eq=False)
class SpikeCounts:
    """Counts of simulated trials.

    Attributes
    ----------
    orientation_deg
        ``(k,)``; ``nan`` for a blank.
    counts
        ``int (k, n_trials)``.
    """

    orientation_deg: np.ndarray
    counts: np.ndarray

    @property
    def n_trials(self) -> int:
        """Trials of each orientation."""
        return self.counts.shape[1]

    @property
    def mean(self) -> np.ndarray:
        """Mean count of each orientation."""
        return self.counts.mean(axis=1)

    @property
    def sem(self) -> np.ndarray:
        """Standard error of the mean."""
        return self.counts.std(axis=1, ddof=1) / np.sqrt(self.n_trials)

    @property
    def variance(self) -> np.ndarray:
        """Variance of the counts (n - 1)."""
        return self.counts.var(axis=1, ddof=1)

    @property
    def fano(self) -> np.ndarray:
        """Variance over mean; ``nan`` where no spike was fired."""
        return np.divide(self.variance, self.mean, out=np.full(len(self.mean), np.nan), where=self.mean > 0)

    @property
    def fano_se(self) -> np.ndarray:
        """Standard error of the Fano factor by the delta method on the counts' own moments."""
        return fano_standard_error(self.counts)

    def only(self, keep: np.ndarray) -> SpikeCounts:
        """Some of the orientations."""
        return SpikeCounts(self.orientation_deg[keep], self.counts[keep])


def fano_standard_error(counts: np.ndarray) -> np.ndarray:
    """Delta-method standard error of variance over mean along the last axis."""
    n = counts.shape[-1]
    mean = counts.mean(axis=-1, keepdims=True)
    deviation = counts - mean
    safe = np.where(mean > 0, mean, np.nan)
    variance = np.mean(deviation**2, axis=-1, keepdims=True)
    influence = (deviation**2 - variance) / safe - variance / safe**2 * deviation
    return np.sqrt(np.mean(influence**2, axis=-1) / n)


def _one_by_one(grating: Grating) -> list[Grating]:
    return [
        replace(grating, orientation_deg=(orientation,), contrast=float(contrast))
        for orientation, contrast in zip(grating.orientation_deg, grating.contrasts, strict=True)
    ]


def simulate_counts(
    engine: JaxEngine,
    layout: SynapseLayout,
    grating: Grating,
    drive: Drive,
    overrides: Overrides,
    *,
    n_trials: int,
    seed: int,
    first_trial: int = 0,
    gain: np.ndarray | None = None,
    own_trials: bool = False,
    on_advance: Callable[[float], None] | None = None,
) -> SpikeCounts:
    """Simulate every orientation of ``grating`` for ``n_trials`` trials of the spiking cell.

    Parameters
    ----------
    overrides
        Synaptic strengths and drug effects.
    seed, first_trial
        Trials ``first_trial ...`` of this seed: the same seed and number mean the same afferent spikes whatever the
        condition.
    gain
        Gain deviate of each trial; drawn from the seed where not given.
    own_trials
        Every stimulus is shown in trials of its own, as in an experiment. Otherwise a trial's gain and afferent noise
        are the same for all stimuli, which are then compared more precisely than they could be measured.
    on_advance
        Called with simulated seconds as they accrue.
    """
    k = len(grating.orientation_deg)
    stimuli = _one_by_one(grating) if own_trials else [grating]
    counts = np.empty((k, n_trials), int)
    # Batches of one size, since each size is compiled anew.
    n_batches = -(-n_trials * k // _LANES_AT_A_TIME)
    batches = np.array_split(np.arange(n_trials), min(n_batches, n_trials))

    for batch in batches:
        parts = [
            hard_events(
                layout,
                stimulus,
                drive,
                trials=batch + first_trial + number * _TRIALS_APART,
                seed=seed,
                dt_ms=engine.twin.dt_ms,
                gain=None if gain is None else gain[batch],
            )
            for number, stimulus in enumerate(stimuli)
        ]
        events = Events.stack(parts) if own_trials else parts[0]
        run = engine.run(events, overrides=overrides, keep_voltage=False, on_advance=on_advance)
        counts[:, batch] = run.counts(from_ms=grating.warm_up_ms).reshape(k, len(batch))
    return SpikeCounts(np.asarray(grating.orientation_deg, float), counts)
