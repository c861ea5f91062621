"""Tuning curves with a period of 180 deg, and their weighted least-squares fits.

Both curves are R(t) = Ro + Rp g(t - preferred), where g falls from 1 at the preferred orientation to 0 at the
orthogonal one, so Ro is the response orthogonal to the preferred orientation and Ro + Rp the response at it:

- "gaussian": g is a Gaussian of standard deviation sigma summed over its images 180 deg apart, scaled to that
  range. Up to sigma of about 30 deg this is Ro + Rp exp(-d^2 / (2 sigma^2)); for wide tuning it goes over
  into a cosine instead of having a kink at 90 deg.
- "von_mises": g is exp(kappa (cos 2d - 1)) scaled to that range, with kappa = 1 / (4 sigma^2) (sigma in
  radians), so that both curves have one width parameter and agree for narrow tuning (Swindale 1998, Biol
  Cybern 78:45).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from ketune.errors import InputError

FloatArray = npt.NDArray[np.float64]
Model = Literal["gaussian", "von_mises"]
Status = Literal["converged", "saturated", "at_bound", "flat", "underdetermined", "failed"]

MODELS: tuple[Model, ...] = ("gaussian", "von_mises")
N_PARAMETERS = 4
# Beyond this width both curves are cosines to within 1 % of their amplitude, so the width means nothing more.
SIGMA_MAX_DEG = 60.0
_IMAGES = np.arange(-3, 4) * 180.0
# Weight of "variance proportional to mean" against a sample variance, in degrees of freedom: see `count_sem`.
_PRIOR_FREEDOM = 10.0


def shape(model: Model, difference_deg: npt.ArrayLike, sigma_deg: npt.ArrayLike) -> FloatArray:
    """The curve's form g: 1 at a difference of 0, 0 at 90 deg, period 180; arguments broadcast."""
    difference = np.asarray(difference_deg, dtype=np.float64)
    sigma = np.asarray(sigma_deg, dtype=np.float64)
    if model == "gaussian":
        wrapped = (difference + 90.0) % 180.0 - 90.0
        value, top, bottom = (_images(d, sigma) for d in (wrapped, np.zeros(1), np.full(1, 90.0)))
        top, bottom = np.reshape(top, sigma.shape), np.reshape(bottom, sigma.shape)
        return (value - bottom) / (top - bottom)
    kappa = kappa_of(sigma)
    bottom = np.exp(-2.0 * kappa)
    return (np.exp(kappa * (np.cos(2.0 * np.deg2rad(difference)) - 1.0)) - bottom) / (1.0 - bottom)


def _images(difference: FloatArray, sigma: FloatArray) -> FloatArray:
    total = np.zeros(np.broadcast_shapes(difference.shape, sigma.shape))
    for image in _IMAGES:
        total = total + np.exp(-0.5 * ((difference + image) / sigma) ** 2)
    return total


def kappa_of(sigma_deg: npt.ArrayLike) -> FloatArray:
    """Von Mises concentration (of the doubled angle) that belongs to a width in degrees."""
    return 1.0 / (4.0 * np.deg2rad(np.asarray(sigma_deg, dtype=np.float64)) ** 2)


def half_width_deg(model: Model, sigma_deg: float) -> float:
    """Half width at half height, degrees: where the curve is midway between orthogonal and preferred
    response.

    For narrow tuning this is sqrt(2 ln 2) sigma = 1.177 sigma; it approaches 45 deg (a cosine) for wide
    tuning.
    """
    if not np.isfinite(sigma_deg):
        return float("nan")
    low, high = 0.0, 90.0
    for _ in range(60):  # g falls monotonically from 1 to 0
        middle = 0.5 * (low + high)
        low, high = (middle, high) if shape(model, middle, sigma_deg) > 0.5 else (low, middle)
    return 0.5 * (low + high)


@dataclass(frozen=True)
class CurveFit:
    """A fitted tuning curve R(t) = baseline + amplitude * g(t - preferred), in spikes per window.

    Attributes:
        model: "gaussian" or "von_mises".
        preferred_deg, amplitude, baseline, sigma_deg: the parameters (preferred, Rp, Ro, sigma); preferred in
            [0, 180).
        preferred_se_deg, amplitude_se, baseline_se, sigma_se_deg, osi_se: standard errors from the curvature;
            NaN where the data cannot give one (no errors known and no spare degree of freedom, or the
            parameter is at a bound).
        hwhm_deg: half width at half height.
        status: "converged"; "saturated" (as many orientations as parameters: the curve passes through the
            points); "at_bound" (sigma at half the sampling step or at 60 deg, or baseline 0); "flat" (no
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
    between two orientations) to 60 deg.

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
    sigma_min = smallest_sigma_deg(theta)

    def residual(p: FloatArray) -> FloatArray:
        return (p[2] + p[1] * shape(model, theta - p[0], p[3]) - y) / error

    bounds = ([-np.inf, 0.0, 0.0, sigma_min], [np.inf, np.inf, np.inf, SIGMA_MAX_DEG])
    best = None
    for start in _starts(theta, y, 1.0 / error**2, model):
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
            min(sigma - sigma_min, SIGMA_MAX_DEG - sigma) <= 1e-4 * sigma,
        ]
    )
    noise = 1.0 if sem is not None else (chi2 / freedom if freedom > 0 else np.nan)
    covariance = _covariance(best.jac, at_bound) * noise
    errors = np.sqrt(np.diag(covariance))
    total = amplitude + 2.0 * baseline
    slope = np.array([0.0, 2.0 * baseline, -2.0 * amplitude, 0.0]) / total**2
    free = ~at_bound
    status: Status = "converged" if best.status > 0 else "failed"
    if status == "converged" and at_bound.any():
        status = "at_bound"
    elif status == "converged" and freedom == 0:
        status = "saturated"
    return CurveFit(
        model=model,
        preferred_deg=preferred % 180.0,
        amplitude=amplitude,
        baseline=baseline,
        sigma_deg=sigma,
        preferred_se_deg=float(errors[0]),
        amplitude_se=float(errors[1]),
        baseline_se=float(errors[2]),
        sigma_se_deg=float(errors[3]),
        osi_se=float(np.sqrt(slope[free] @ covariance[np.ix_(free, free)] @ slope[free])),
        hwhm_deg=half_width_deg(model, sigma),
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


def smallest_sigma_deg(orientation_deg: FloatArray) -> float:
    """Half the (median) sampling step: the narrowest width that the fits allow."""
    tested = np.unique(np.mod(orientation_deg, 180.0))
    return min(0.5 * float(np.median(np.diff(np.append(tested, tested[0] + 180.0)))), 0.5 * SIGMA_MAX_DEG)


def count_sem(mean: npt.ArrayLike, variance: npt.ArrayLike, n_trials: npt.ArrayLike) -> FloatArray:
    """Standard error of mean counts, steadied for few trials.

    A sample variance of few trials is noisy, correlates with the mean, and is 0 where no spike was seen,
    which would give that point infinite weight. So it is combined with "variance proportional to mean" (the
    pooled Fano factor times the mean; Tolhurst, Movshon & Dean 1983, Vision Res 23:775), which counts as 10
    degrees of freedom.

    Args:
        mean, variance, n_trials: (..., m) of the counts at each orientation; a NaN variance (one trial) is
            left out.
    """
    mean_, variance_ = np.asarray(mean, dtype=np.float64), np.asarray(variance, dtype=np.float64)
    n = np.broadcast_to(np.asarray(n_trials, dtype=np.float64), mean_.shape)
    freedom = np.where(np.isnan(variance_), 0.0, np.maximum(n - 1.0, 0.0))
    seen = np.nan_to_num(variance_)
    spikes = np.sum(freedom * mean_, axis=-1, keepdims=True)
    pooled = np.sum(freedom * seen, axis=-1, keepdims=True)
    fano = np.where((spikes > 0) & (pooled > 0), pooled / np.where(spikes > 0, spikes, 1.0), 1.0)
    # Half a spike in all trials together: a mean of 0 is not known to be exactly 0.
    expected = fano * np.maximum(mean_, 0.5 / n)
    return np.sqrt((freedom * seen + _PRIOR_FREEDOM * expected) / (freedom + _PRIOR_FREEDOM) / n)


# -- many curves at once -------------------------------------------------------------------------------------


def _starts(theta: FloatArray, y: FloatArray, weight: FloatArray, model: Model) -> list[list[float]]:
    """Best grid point for a narrow, a middle and a wide curve: the loss can have one minimum for each."""
    preferred, sigma = _grid(theta)
    loss, amplitude, baseline = _linear(
        y[None], weight[None], shape(model, theta - preferred[:, None], sigma[:, None])
    )
    chosen = []
    edges = np.quantile(sigma, [0.0, 1 / 3, 2 / 3, 1.0])
    for low, high in pairwise(edges.tolist()):
        index = int(np.argmin(np.where((sigma >= low) & (sigma <= high), loss[0], np.inf)))
        chosen.append([preferred[index], amplitude[0, index] + 1e-9, baseline[0, index] + 1e-9, sigma[index]])
    inside = smallest_sigma_deg(theta) * 1.01, SIGMA_MAX_DEG * 0.99
    return [[p, a, b, float(np.clip(s, *inside))] for p, a, b, s in chosen]


def fit_many(
    orientation_deg: FloatArray, mean: FloatArray, sem: FloatArray, *, model: Model = "gaussian"
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Fit many curves measured at the same orientations; the same minimum as `fit_curve`, without errors.

    Amplitude and baseline are linear, so the search is over preferred orientation and sigma only: a global
    grid, then a grid around the best point that halves its step until it is below 0.002 deg.

    Args:
        orientation_deg: (m,) degrees; mean, sem: (k, m).

    Returns:
        preferred_deg in [0, 180), amplitude, baseline, sigma_deg: each (k,).
    """
    preferred, sigma = _grid(orientation_deg)
    weight = 1.0 / sem**2
    loss, _, _ = _linear(mean, weight, shape(model, orientation_deg - preferred[:, None], sigma[:, None]))
    index = np.argmin(loss, axis=1)
    centre, width = preferred[index], sigma[index]
    lowest = smallest_sigma_deg(orientation_deg)
    step = np.array([1.5, 0.08])  # degrees; logarithm of sigma
    stencil = np.array([(i, j) for i in range(-2, 3) for j in range(-2, 3)], dtype=np.float64)
    rows = np.arange(mean.shape[0])
    for _ in range(11):
        p = centre[:, None] + step[0] * stencil[:, 0]
        s = np.clip(width[:, None] * np.exp(step[1] * stencil[:, 1]), lowest, SIGMA_MAX_DEG)
        form = shape(model, orientation_deg - p[..., None], s[..., None])
        loss, amplitude, baseline = _linear(mean, weight, form)
        best = np.argmin(loss, axis=1)
        centre, width = p[rows, best], s[rows, best]
        step *= 0.5
    return centre % 180.0, amplitude[rows, best], baseline[rows, best], width


def _grid(theta: FloatArray) -> tuple[FloatArray, FloatArray]:
    sigma = np.geomspace(smallest_sigma_deg(theta), SIGMA_MAX_DEG, 12)
    preferred = np.arange(0.0, 180.0, 3.0)
    return np.repeat(preferred, sigma.size), np.tile(sigma, preferred.size)


def _linear(y: FloatArray, weight: FloatArray, form: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Best amplitude >= 0 and baseline >= 0 for given forms, in closed form.

    Args:
        y, weight: (k, m); form: (g, m) common to all k, or (k, g, m).

    Returns:
        loss, amplitude, baseline: (k, g).
    """
    if form.ndim == 2:
        total = weight.sum(axis=1, keepdims=True)
        wg, wgg, wgy = weight @ form.T, weight @ (form**2).T, (weight * y) @ form.T
    else:
        total = weight.sum(axis=1, keepdims=True)
        wg = np.einsum("km,kgm->kg", weight, form)
        wgg = np.einsum("km,kgm->kg", weight, form**2)
        wgy = np.einsum("km,kgm->kg", weight * y, form)
    wy = (weight * y).sum(axis=1, keepdims=True)
    wyy = (weight * y**2).sum(axis=1, keepdims=True)
    determinant = np.maximum(total * wgg - wg**2, 1e-300)
    amplitude = (total * wgy - wg * wy) / determinant
    baseline = (wy - amplitude * wg) / total
    # The constrained optimum of a convex quadratic in two variables lies on an edge if the free one is
    # outside.
    on_floor = baseline < 0
    amplitude = np.where(on_floor, wgy / np.maximum(wgg, 1e-300), amplitude)
    baseline = np.where(on_floor, 0.0, baseline)
    flat = amplitude < 0
    amplitude = np.where(flat, 0.0, amplitude)
    baseline = np.where(flat, wy / total, baseline)
    loss = wyy - 2.0 * (amplitude * wgy + baseline * wy)
    loss = loss + amplitude**2 * wgg + 2.0 * amplitude * baseline * wg + baseline**2 * total
    return loss, amplitude, baseline
