"""How often re-measuring unchanged preferred orientations shows a shift: the null of T2.

The null keeps what the drug did to rate, width, baseline and variability, and takes away only the shift: every neuron's
fitted control curve, and its fitted drug curve moved to the control's preferred orientation, are recorded and fitted
again, each with its own Fano factor. Neurons are independent, so the number of neurons beyond the threshold in a
population follows from the neurons' chances.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ketune.reproduce._measure import TUNED_ALPHA, Measured, measure
from ketune.tuning import count_sem, preferred_errors_deg, sample_counts, wrap_orientation

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

# Recordings (populations times neurons) drawn together.
_CHUNK = 1000
# Estimated from few spikes; a count more regular than this is not drawn.
_LEAST_FANO = 0.05
# Fits of drawn counts scatter by this much more than the curvature at the true curve says (measured: see
# docs/reproduce.md).
_EXCESS_SCATTER = 1.03
# Chances of fitted curves are too low, the more so the larger (see `simulated_chances`): measured over designs with
# known curves, docs/reproduce.md.
_BIAS = 0.3


def beyond(control: Measured, drug: Measured, threshold_deg: float) -> BoolArray:
    """Neurons with a preferred orientation in both conditions that differs by more than the threshold, (k,)."""
    difference = np.abs(wrap_orientation(drug.preferred_deg - control.preferred_deg))
    return control.tuned & drug.tuned & (difference > threshold_deg)


def simulated_chances(
    control: Measured, drug: Measured, threshold_deg: float, n_null: int, generator: np.random.Generator
) -> FloatArray:
    """Each neuron's chance to be `beyond` without a shift, from populations that are recorded again, (k,).

    Of n_null populations in which c times a neuron was beyond, its chance is taken as (c + 1/2) / (n_null + 1), so that
    what never happened in the draws is not impossible. A curve fitted to few spikes looks better tuned than the neuron
    is, since the fit follows noise; how much that lowers a neuron's chance is seen in the draws, whose true curve is
    known, and is added (the bootstrap's correction of bias; Efron & Tibshirani 1993, An Introduction to the Bootstrap,
    chapter 10). Neurons silent in a condition have no chance.
    """
    theta = control.orientation_deg
    expected, fano, active = _null(control, drug)
    n = int(active.sum())
    count, apparent = np.zeros(n), np.zeros(n)
    step = max(1, _CHUNK // max(n, 1))
    for start in range(0, n_null if n else 0, step):
        size = min(step, n_null - start)
        again: list[Measured] = []
        for mean, dispersion, trials in zip(expected, fano, (control.n_trials, drug.n_trials), strict=True):
            # Trials come first so that one call draws all neurons of all populations.
            counts = sample_counts(mean, dispersion[:, None], (size, trials), generator)
            rows = np.moveaxis(counts, 1, -1).reshape(size * n, theta.size, trials)
            again.append(measure(theta, rows))
        count += beyond(again[0], again[1], threshold_deg).reshape(size, n).sum(axis=0)
        apparent += implied_chances(again[0], again[1], threshold_deg).reshape(size, n).sum(axis=0)
    least = 0.5 / (n_null + 1.0)
    bias = apparent / n_null - implied_chances(control, drug, threshold_deg)[active]
    chance = np.zeros(active.size)
    chance[active] = np.clip((count + 0.5) / (n_null + 1.0) - bias, least, 1.0 - least)
    return chance


def estimated_chances(control: Measured, drug: Measured, threshold_deg: float) -> FloatArray:
    """As `simulated_chances`, from standard errors and a measured correction instead of draws, (k,)."""
    implied = implied_chances(control, drug, threshold_deg)
    return np.minimum(implied * (1.0 + _BIAS * implied), 1.0)


def implied_chances(control: Measured, drug: Measured, threshold_deg: float) -> FloatArray:
    """Each neuron's chance by the standard errors of its fitted curves, not corrected for bias, (k,)."""
    from scipy.special import erfc

    theta = control.orientation_deg
    expected, fano, active = _null(control, drug)
    variance, tuned = np.zeros(int(active.sum())), np.ones(int(active.sum()))
    for mean, dispersion, x in zip(expected, fano, (control, drug), strict=True):
        sem = count_sem(mean, dispersion[:, None] * mean, x.n_trials)
        rows = [v[active] for v in (control.preferred_deg, x.amplitude, x.baseline, x.sigma_deg)]
        variance += preferred_errors_deg(theta, sem, *rows) ** 2
        tuned *= _chance_of_tuning(mean, dispersion, x.n_trials)
    chance = np.zeros(active.size)
    chance[active] = tuned * erfc(threshold_deg / (_EXCESS_SCATTER * np.sqrt(2.0 * variance)))
    return chance


def tail(chances: FloatArray, observed: int) -> float:
    """Probability of at least `observed` neurons, each counted with its own chance (Poisson-binomial law)."""
    law = np.ones(1)
    for p in chances:
        law = np.convolve(law, [1.0 - p, p])
    return float(min(1.0, law[observed:].sum()))


def _null(control: Measured, drug: Measured) -> tuple[list[FloatArray], list[FloatArray], BoolArray]:
    """Mean counts and Fano factors of both conditions, drug at the control's preferred orientation."""
    active = np.isfinite(control.fano) & np.isfinite(drug.fano)
    expected = [x.curve(control.preferred_deg)[active] for x in (control, drug)]
    return expected, [np.maximum(x.fano[active], _LEAST_FANO) for x in (control, drug)], active


def _chance_of_tuning(mean: FloatArray, fano: FloatArray, n_trials: int) -> FloatArray:
    """Power of the analysis of variance in `Measured.tuned`, (k,)."""
    from scipy.special import fdtri, ncfdtr

    m = mean.shape[1]
    degrees = m - 1, m * (n_trials - 1)
    within = np.maximum(fano * mean.mean(axis=1), 1e-300)
    noncentrality = n_trials * (m - 1) * mean.var(axis=1, ddof=1) / within
    # The series fails far out, where the power is 1.
    power = 1.0 - ncfdtr(
        *degrees, np.minimum(noncentrality, 200.0), float(fdtri(*degrees, 1.0 - TUNED_ALPHA))
    )
    return np.asarray(np.clip(np.nan_to_num(power, nan=1.0), TUNED_ALPHA, 1.0))
