"""Weighted least-squares fits of tuning curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ketune.errors import InputError
from ketune.tuning._search import starts
from ketune.tuning._shapes import (
    SIGMA_MAX_DEG,
    FloatArray,
    Model,
    half_width_deg,
    kappa_of,
    shape,
    smallest_sigma_deg,
    wrap_180,
)

Status = Literal["converged", "saturated", "at_bound", "flat", "underdetermined", "failed"]

N_PARAMETERS = 4
# Degrees of freedom of "variance proportional to mean" against those of a sample variance: see `count_sem`.
# In simulated recordings (25 trials, Fano 1.5 to 3) 10 left twice the bias of the OSI, and more gained
# nothing.
_PRIOR_FREEDOM = 100.0


@dataclass(frozen=True)
class CurveFit:
    """A fitted tuning curve R(t) = baseline + amplitude * g(t - preferred), in spikes per window.

    Attributes:
        model: "gaussian" or "von_mises".
        preferred_deg, amplitude, baseline, sigma_deg: the parameters (preferred, Rp, Ro, sigma); preferred in
            [0, 180).
        preferred_se_deg, amplitude_se, baseline_se, sigma_se_deg, osi_se: standard errors from the curvature,
            enlarged by sqrt(chi2 / freedom) where the curve misses the points by more than their errors; NaN
            where the data cannot give one (no errors known and no spare degree of freedom, or the parameter
            is at a bound).
        hwhm_deg: half width at half height.
        status: "converged"; "saturated" (as many orientations as parameters: the curve passes through the
            points); "at_bound" (sigma at its smallest or largest value, or baseline 0); "flat" (no
            orientation responds more than the others, the preferred orientation is NaN); "underdetermined"
            (fewer than four orientations, nothing fitted); "failed" (the optimiser did not converge).
        residual_rms: root-mean-square residual, spikes per window.
        chi2: sum of squared residuals in units of the standard errors of the means; NaN if those are unknown.
        freedom: orientations minus parameters.
    """

    model: Model
    preferred_deg: float
    amplitude: float
    baseline: float
    sigma_deg: float
    preferred_se_deg: float
    amplitude_se: float
    baseline_se: float
    sigma_se_deg: float
    osi_se: float
    hwhm_deg: float
    status: Status
    residual_rms: float
    chi2: float
    freedom: int

    @property
    def osi(self) -> float:
        """(R(preferred) - R(orthogonal)) / (R(preferred) + R(orthogonal)) of the fitted curve."""
        total = self.amplitude + 2.0 * self.baseline
        return self.amplitude / total if total > 0 else float("nan")

    @property
    def kappa(self) -> float:
        """Von Mises concentration that belongs to sigma."""
        return float(kappa_of(self.sigma_deg))

    def __call__(self, orientation_deg: npt.ArrayLike) -> FloatArray:
        """Spikes per window at orientations (degrees); NaN where nothing was fitted."""
        orientation = np.asarray(orientation_deg, dtype=np.float64)
        if self.status == "flat":
            return np.full(orientation.shape, self.baseline)
        form = shape(self.model, orientation - self.preferred_deg, self.sigma_deg)
        return self.baseline + self.amplitude * form


def fit_curve(
    orientation_deg: npt.ArrayLike,
    mean: npt.ArrayLike,
    sem: npt.ArrayLike | None = None,
    *,
    model: Model = "gaussian",
) -> CurveFit:
    """Fit a tuning curve by weighted least squares (SciPy, bounded, several starts).

    Bounds: baseline and amplitude not negative; sigma from half the sampling step (below it a curve can hide
    between two orientations) to 60 deg (Gaussian) or 180 deg (von Mises), where the curves are cosines.

    Args:
        orientation_deg: (m,) distinct orientations, degrees.
        mean: (m,) mean response, spikes per window.
        sem: (m,) standard errors of the means (see `count_sem`); None weighs all alike and takes the size of
            the errors from the residuals.
        model: "gaussian" or "von_mises".

    Raises:
        InputError: values that are not finite, or standard errors that are not positive.
    """
    from scipy.optimize import least_squares

    theta = np.asarray(orientation_deg, dtype=np.float64)
    y = np.asarray(mean, dtype=np.float64)
    error = np.ones_like(y) if sem is None else np.asarray(sem, dtype=np.float64)
    if theta.ndim != 1 or not theta.shape == y.shape == error.shape:
        raise InputError("tuning curve: give one mean (and one standard error) for each orientation")
    if not (np.isfinite(theta).all() and np.isfinite(y).all() and np.isfinite(error).all()):
        raise InputError(
            "tuning curve: orientations, means and errors must be finite; drop what was not measured"
        )
    if np.any(error <= 0):
        raise InputError("tuning curve: standard errors must be positive; use count_sem, which bounds them")
    freedom = theta.size - N_PARAMETERS
    if freedom < 0:
        return _unfitted(model, "underdetermined", float("nan"), float("nan"), float("nan"), freedom)

    scale = max(float(np.abs(y).max()), 1e-12)
    if np.ptp(y) <= 1e-9 * scale:
        return _unfitted(
            model, "flat", float(y.mean()), 0.0, 0.0 if sem is not None else float("nan"), freedom
        )
    sigma_min, sigma_max = smallest_sigma_deg(theta), SIGMA_MAX_DEG[model]

    def residual(p: FloatArray) -> FloatArray:
        return (p[2] + p[1] * shape(model, theta - p[0], p[3]) - y) / error

    bounds = ([-np.inf, 0.0, 0.0, sigma_min], [np.inf, np.inf, np.inf, sigma_max])
    best = None
    for start in starts(theta, y, 1.0 / error**2, model):
        found = least_squares(
            residual,
            start,
            bounds=bounds,
            x_scale=[10.0, scale, scale, 10.0],
            xtol=1e-12,
            ftol=1e-12,
            gtol=1e-12,
        )
        if best is None or found.cost < best.cost:
            best = found
    assert best is not None
    preferred, amplitude, baseline, sigma = (float(v) for v in best.x)
    chi2 = float(2.0 * best.cost)
    rms = float(np.sqrt(np.mean((best.fun * error) ** 2)))
    if amplitude <= 1e-6 * scale:
        return _unfitted(model, "flat", baseline, rms, chi2 if sem is not None else float("nan"), freedom)

    at_bound = np.array(
        [
            False,
            False,
            baseline <= 1e-6 * scale,
            min(sigma - sigma_min, sigma_max - sigma) <= 1e-4 * sigma,
        ]
    )
    # Known errors are enlarged where the curve misses the points by more than they allow
    # (Birge 1932, Phys Rev 40:207).
    misfit = chi2 / freedom if freedom > 0 else np.nan
    noise = np.fmax(1.0, misfit) if sem is not None else misfit
    covariance = _covariance(best.jac, at_bound) * noise
    errors = np.sqrt(np.diag(covariance))
    total = amplitude + 2.0 * baseline
    slope = np.array([0.0, 2.0 * baseline, -2.0 * amplitude, 0.0]) / total**2
    free = ~at_bound
    variance_osi = slope[free] @ covariance[np.ix_(free, free)] @ slope[free]
    status: Status = "converged" if best.status > 0 else "failed"
    if status == "converged" and at_bound.any():
        status = "at_bound"
    elif status == "converged" and freedom == 0:
        status = "saturated"
    return CurveFit(
        model=model,
        preferred_deg=float(wrap_180(np.asarray(preferred))),
        amplitude=amplitude,
        baseline=baseline,
        sigma_deg=sigma,
        preferred_se_deg=float(errors[0]),
        amplitude_se=float(errors[1]),
        baseline_se=float(errors[2]),
        sigma_se_deg=float(errors[3]),
        osi_se=float("nan") if at_bound[2] else float(np.sqrt(variance_osi)),
        hwhm_deg=float(half_width_deg(model, sigma)),
        status=status,
        residual_rms=rms,
        chi2=chi2 if sem is not None else float("nan"),
        freedom=freedom,
    )


def _unfitted(
    model: Model, status: Status, baseline: float, rms: float, chi2: float, freedom: int
) -> CurveFit:
    nan = float("nan")
    amplitude = 0.0 if status == "flat" else nan
    return CurveFit(
        model, nan, amplitude, baseline, nan, nan, nan, nan, nan, nan, nan, status, rms, chi2, max(freedom, 0)
    )


def _covariance(jacobian: FloatArray, at_bound: npt.NDArray[np.bool_]) -> FloatArray:
    """Covariance of the parameters off their bounds; NaN for those at a bound."""
    covariance = np.full((N_PARAMETERS, N_PARAMETERS), np.nan)
    free = np.flatnonzero(~at_bound)
    covariance[np.ix_(free, free)] = np.linalg.pinv(jacobian[:, free].T @ jacobian[:, free])
    return covariance


def fit_counts(
    orientation_deg: npt.ArrayLike,
    mean: npt.ArrayLike,
    variance: npt.ArrayLike,
    n_trials: npt.ArrayLike,
    *,
    model: Model = "gaussian",
) -> CurveFit:
    """Fit a tuning curve to mean counts with weights from their variability.

    Two fits: the second takes its weights (`count_sem`) at the curve of the first. Weights at the measured
    means would favour the points that came out low by chance and so overestimate selectivity, the more so the
    lower the rate.

    Args:
        orientation_deg, mean, variance: (m,); n_trials: (m,) or one number.
    """
    theta, y = np.asarray(orientation_deg, dtype=np.float64), np.asarray(mean, dtype=np.float64)
    first = fit_curve(theta, y, count_sem(y, variance, n_trials), model=model)
    if first.status == "underdetermined":
        return first
    return fit_curve(theta, y, count_sem(first(theta), variance, n_trials), model=model)


def count_sem(expected: npt.ArrayLike, variance: npt.ArrayLike, n_trials: npt.ArrayLike) -> FloatArray:
    """Standard error of mean counts, steadied for few trials.

    A sample variance of few trials is noisy, correlates with the mean, and is 0 where no spike was seen,
    which would give that point infinite weight. So it is combined with a variance proportional to the mean
    (the pooled Fano factor times the mean; Tolhurst, Movshon & Dean 1983, Vision Res 23:775), which counts as
    much as 100 trials.

    Args:
        expected: (..., m) expected or measured mean counts.
        variance: (..., m) sample variances; NaN (one trial) is left out.
        n_trials: (m,) or one number.
    """
    mean, variance_ = np.asarray(expected, dtype=np.float64), np.asarray(variance, dtype=np.float64)
    n = np.broadcast_to(np.asarray(n_trials, dtype=np.float64), mean.shape)
    freedom = np.where(np.isnan(variance_), 0.0, np.maximum(n - 1.0, 0.0))
    seen = np.nan_to_num(variance_)
    spikes = np.sum(freedom * mean, axis=-1, keepdims=True)
    pooled = np.sum(freedom * seen, axis=-1, keepdims=True)
    fano = np.where((spikes > 0) & (pooled > 0), pooled / np.where(spikes > 0, spikes, 1.0), 1.0)
    # Half a spike in all trials together: a mean of 0 is not known to be exactly 0.
    modelled = fano * np.maximum(mean, 0.5 / n)
    return np.sqrt((freedom * seen + _PRIOR_FREEDOM * modelled) / (freedom + _PRIOR_FREEDOM) / n)
