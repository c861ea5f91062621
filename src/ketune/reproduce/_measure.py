"""What is measured of every neuron in one condition; data and re-measured draws go through the same function."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from ketune.tuning import fit_counts_many, shape

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

# A neuron is tuned where equal mean counts at all orientations are rejected at this level.
TUNED_ALPHA = 0.05


@dataclass(frozen=True, eq=False)
class Measured:
    """Tuning of many neurons in one condition. Arrays are (k,) but for mean and variance, (k, m).

    Attributes:
        orientation_deg: (m,) of the stimuli.
        mean, variance: of the counts over trials, in spikes per window.
        n_trials: trials of every stimulus.
        preferred_deg, amplitude, baseline, sigma_deg: of the fitted Gaussian curve (`ketune.tuning`); the preferred
            orientation is arbitrary where there is no amplitude.
        osi: (R(preferred) - R(orthogonal)) / (R(preferred) + R(orthogonal)) of the fitted curve; 0 for a flat one,
            NaN for a silent neuron.
        tuned: the counts differ between orientations (one-way analysis of variance, p < 0.05). Only these neurons
            have a preferred orientation.
        fano: pooled over orientations (summed variance over summed mean); NaN for a silent neuron.
    """

    orientation_deg: FloatArray
    mean: FloatArray
    variance: FloatArray
    n_trials: int
    preferred_deg: FloatArray
    amplitude: FloatArray
    baseline: FloatArray
    sigma_deg: FloatArray
    osi: FloatArray
    tuned: BoolArray
    fano: FloatArray

    def rows(self, kept: slice) -> Measured:
        """Some of the neurons."""
        common = ("orientation_deg", "n_trials")
        return replace(
            self, **{f.name: getattr(self, f.name)[kept] for f in fields(self) if f.name not in common}
        )

    def curve(self, preferred_deg: FloatArray) -> FloatArray:
        """Mean counts (k, m) of the fitted curves, moved to other preferred orientations (k,)."""
        form = shape("gaussian", self.orientation_deg - preferred_deg[:, None], self.sigma_deg[:, None])
        return self.baseline[:, None] + self.amplitude[:, None] * form


def measure(orientation_deg: FloatArray, counts: npt.NDArray[np.int64]) -> Measured:
    """Fit every neuron.

    Args:
        orientation_deg: (m,); counts: (k, m, trials).
    """
    n_trials = counts.shape[2]
    total = counts.sum(axis=2, dtype=np.float64)
    mean = total / n_trials
    squares = np.einsum("kmt,kmt->km", counts, counts, dtype=np.float64)
    variance = np.maximum(squares - total * mean, 0.0) / (n_trials - 1)
    fires = mean.sum(axis=1) > 0
    # A silent neuron goes through the fit as a flat one.
    y, spread = np.where(fires[:, None], mean, 1.0), np.where(fires[:, None], variance, 1.0)
    trials = np.full(orientation_deg.size, n_trials, dtype=np.int64)
    preferred, amplitude, baseline, sigma = fit_counts_many(orientation_deg, y, spread, trials)
    amplitude, baseline = (np.where(fires, x, 0.0) for x in (amplitude, baseline))
    amplitude = np.where(amplitude <= 1e-9, 0.0, amplitude)
    height = amplitude + 2.0 * baseline
    spikes = mean.sum(axis=1)
    return Measured(
        orientation_deg=orientation_deg,
        mean=mean,
        variance=variance,
        n_trials=n_trials,
        preferred_deg=preferred,
        amplitude=amplitude,
        baseline=baseline,
        sigma_deg=sigma,
        osi=np.divide(amplitude, height, out=np.full(height.shape, np.nan), where=height > 0),
        tuned=(amplitude > 0) & differ(mean, variance, n_trials),
        fano=np.divide(variance.sum(axis=1), spikes, out=np.full(spikes.shape, np.nan), where=fires),
    )


def measure_pair(
    orientation_deg: FloatArray, control: npt.NDArray[np.int64], drug: npt.NDArray[np.int64]
) -> tuple[Measured, Measured]:
    """`measure` of both conditions, (k, m, trials) each, fitted together if their numbers of trials agree."""
    if control.shape[2] != drug.shape[2]:
        return measure(orientation_deg, control), measure(orientation_deg, drug)
    both = measure(orientation_deg, np.concatenate([control, drug]))
    k = control.shape[0]
    return both.rows(slice(0, k)), both.rows(slice(k, 2 * k))


def differ(mean: FloatArray, variance: FloatArray, n_trials: int) -> BoolArray:
    """Whether mean counts differ between stimuli: one-way analysis of variance at `TUNED_ALPHA`, (k,)."""
    from scipy.special import fdtri

    m = mean.shape[1]
    between = n_trials * mean.var(axis=1, ddof=1)
    critical = float(fdtri(m - 1, m * (n_trials - 1), 1.0 - TUNED_ALPHA))
    return between > critical * variance.mean(axis=1)
