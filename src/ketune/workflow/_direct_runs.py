"""What a run of some trials says about the response over a larger pool of trials: control variates and their errors.

Every condition gets the same afferent events trial by trial, so most of what differs between trials is seen in the
control as well. The control is run on the whole pool, a drugged condition on a part of it, and its mean is corrected
by how far the control's mean over that part lies from the control's mean over the pool (control variates; Lavenberg &
Welch 1981, Management Science 27:322).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pool:
    """Counts of the control over all trials, ``(k, trials)``, a blank last where ``k > n_shown``.

    Attributes
    ----------
    n_shown
        Conditions with a grating.
    """

    counts: NDArray[np.int_]
    n_shown: int

    @property
    def mean(self) -> Array:
        """``(k,)`` mean count of the control."""
        return self.counts.mean(axis=1)

    @property
    def fano(self) -> float:
        """Fano factor of the control, mean over orientations."""
        return float(_mean_fano(self.counts[None].astype(float), self.n_shown)[0])

    @property
    def peak(self) -> float:
        """Largest mean count over orientations."""
        return float(self.mean[: self.n_shown].max())

    @property
    def peak_error(self) -> float:
        """Standard error of the mean count at that orientation: the Monte Carlo error of the whole response."""
        best = int(np.argmax(self.mean[: self.n_shown]))
        return float(self.counts[best].std(ddof=1) / np.sqrt(self.counts.shape[1]))


@dataclass(frozen=True, eq=False)
class Estimate:
    """Response of one condition over the pool, from a part of its trials.

    Attributes
    ----------
    mean, mean_error
        ``(k,)`` mean count, and its standard error apart from the pool's own.
    log_fano, log_fano_error
        Logarithm of the Fano factor (mean over orientations) over the control's; NaN without spikes.
    n_trials
        Trials that were run.
    """

    mean: Array
    mean_error: Array
    log_fano: float
    log_fano_error: float
    n_trials: int


def estimate(counts: NDArray[np.int_], trials: NDArray[np.int_], pool: Pool) -> Estimate:
    """The response over the pool from counts ``(k, t)`` of some of its trials; errors by the jackknife over trials."""
    drugged, control = counts.astype(float), pool.counts[:, trials].astype(float)
    t = counts.shape[1]
    without = np.array([np.delete(np.arange(t), i) for i in range(t)])
    root, log_fano = _adjusted(drugged[None], control[None], pool)
    roots, log_fanos = _adjusted(
        drugged[:, without].transpose(1, 0, 2), control[:, without].transpose(1, 0, 2), pool
    )
    scale = np.sqrt(t - 1)
    error = scale * roots.std(axis=0)
    # Roots of counts of one Fano factor have one error, and all orientations tell it better than each its own.
    shown = slice(0, pool.n_shown)
    error[shown] = np.sqrt(np.mean(error[shown] ** 2))
    # Without a spike no scatter shows an error: half a spike in all trials together.
    mean_error = np.where(root[0] > 0, 2.0 * root[0] * error, 0.5 / t)
    return Estimate(root[0] ** 2, mean_error, float(log_fano[0]), float(scale * log_fanos.std()), t)


def _adjusted(drugged: Array, control: Array, pool: Pool) -> tuple[Array, Array]:
    """Root of the mean and log Fano ratio over the pool, each ``(sets, ...)``, from counts ``(sets, k, t)``."""
    mean_d, mean_c = drugged.mean(axis=2), control.mean(axis=2)
    # One slope for all conditions, of relative deviations: a drug scales what an event does more than it adds to it.
    ratio = np.divide(mean_d, mean_c, out=np.zeros_like(mean_d), where=mean_c > 0)
    x = (control - mean_c[..., None]) * ratio[..., None]
    y = drugged - mean_d[..., None]
    weight = 1.0 / np.maximum(mean_d, 1e-9)[..., None]
    xx, xy = (weight * x * x).sum(axis=(1, 2)), (weight * x * y).sum(axis=(1, 2))
    slope = np.clip(np.divide(xy, xx, out=np.zeros_like(xy), where=xx > 0), 0.0, 1.5)
    mean = mean_d - slope[:, None] * ratio * (mean_c - pool.mean)
    log_fano = np.log(_mean_fano(drugged, pool.n_shown)) - np.log(_mean_fano(control, pool.n_shown))
    return np.sqrt(np.maximum(mean, 0.0)), log_fano


def _mean_fano(counts: Array, n_shown: int) -> Array:
    """Variance over mean, averaged over the orientations that fired; NaN where none did."""
    shown = counts[:, :n_shown]
    mean, variance = shown.mean(axis=2), shown.var(axis=2, ddof=1)
    fired = mean > 0
    ratio = np.divide(variance, mean, out=np.zeros_like(mean), where=fired & (variance > 0))
    n = (fired & (variance > 0)).sum(axis=1)
    return np.divide(ratio.sum(axis=1), n, out=np.full(len(n), np.nan), where=n > 0)
