"""One tuning curve in numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ketune.errors import InputError
from ketune.tuning._curves import CurveFit, fit_counts, fit_curve
from ketune.tuning._indices import direction_selectivity, osi_points, vector_sum
from ketune.tuning._recording import Recording
from ketune.tuning._shapes import Model

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TuningSummary:
    """Orientation tuning in one condition. Counts are spikes per window, rates are in Hz.

    Attributes:
        orientation_deg: (m,) distinct orientations in [0, 180), sorted.
        mean: (m,) mean count.
        fano: (m,) variance over mean of the counts; NaN where unknown.
        window_s: counting window.
        fit: the fitted curve, with standard errors and status.
        preferred_deg: preferred orientation in [0, 180) from the fit; from the vector sum where nothing could
            be fitted; NaN for a flat curve.
        osi_fit, osi_points: orientation selectivity index from the fitted curve and from the raw points.
        gosi: length of the vector sum over the sum of the responses (1 - circular variance).
        hwhm_deg: half width at half height of the fitted curve.
        baseline, amplitude, sigma_deg: of the fitted curve; baseline is the response at the orthogonal
            orientation.
        peak_rate_hz, orthogonal_rate_hz: of the fitted curve.
        spontaneous_rate_hz: from blank trials, None without them.
        direction_index: direction selectivity index, None where only orientations are known.
    """

    orientation_deg: FloatArray
    mean: FloatArray
    fano: FloatArray
    window_s: float
    fit: CurveFit
    preferred_deg: float
    osi_fit: float
    osi_points: float
    gosi: float
    hwhm_deg: float
    baseline: float
    amplitude: float
    sigma_deg: float
    peak_rate_hz: float
    orthogonal_rate_hz: float
    spontaneous_rate_hz: float | None
    direction_index: float | None


def summarise(
    orientation_deg: npt.ArrayLike,
    mean: npt.ArrayLike,
    variance: npt.ArrayLike | None = None,
    *,
    blank: float | None = None,
    window_s: float,
    n_trials: npt.ArrayLike | None = None,
    model: Model = "gaussian",
) -> TuningSummary:
    """Fit a tuning curve and compute every index.

    Values of 180 deg and above are taken as drift directions: opposite directions are averaged into one
    orientation and direction selectivity is reported.

    Args:
        orientation_deg: (m,) degrees.
        mean: (m,) mean spikes per window.
        variance: (m,) variance of the counts over trials, for the Fano factor and the weights of the fit.
        blank: mean spikes per window without a stimulus.
        window_s: counting window, seconds.
        n_trials: (m,) or one number; with `variance` it gives the weights and standard errors of the fit.
            Without it all points weigh alike.
        model: "gaussian" or "von_mises".

    Raises:
        InputError: shapes that do not match, values that are not finite or negative, fewer than two
            orientations.
    """
    theta = np.asarray(orientation_deg, dtype=np.float64)
    y = np.asarray(mean, dtype=np.float64)
    v = np.full(y.shape, np.nan) if variance is None else np.asarray(variance, dtype=np.float64)
    if theta.ndim != 1 or not theta.shape == y.shape == v.shape:
        raise InputError(
            "tuning summary: orientation_deg, mean and variance must have one value an orientation"
        )
    if not (np.isfinite(theta).all() and np.isfinite(y).all()) or np.any(y < 0):
        raise InputError("tuning summary: orientations and means must be finite, means not negative")
    n = np.broadcast_to(np.asarray(1.0 if n_trials is None else n_trials, dtype=np.float64), y.shape)

    direction_index = direction_selectivity(theta % 360.0, y) if np.any(theta > 180.0) else None
    theta, y, v, n = _pool(np.round(theta % 180.0, 6) % 180.0, y, v, n)
    if theta.size < 2:
        raise InputError("tuning summary: a tuning curve needs at least two orientations")
    weighted = variance is not None and n_trials is not None
    fit = fit_counts(theta, y, v, n, model=model) if weighted else fit_curve(theta, y, model=model)
    vector_deg, gosi = vector_sum(theta, y)
    return TuningSummary(
        orientation_deg=theta,
        mean=y,
        fano=np.divide(v, y, out=np.full_like(y, np.nan), where=y > 0),
        window_s=window_s,
        fit=fit,
        preferred_deg=vector_deg if fit.status == "underdetermined" else fit.preferred_deg,
        osi_fit=fit.osi,
        osi_points=osi_points(theta, y),
        gosi=gosi,
        hwhm_deg=fit.hwhm_deg,
        baseline=fit.baseline,
        amplitude=fit.amplitude,
        sigma_deg=fit.sigma_deg,
        peak_rate_hz=(fit.baseline + fit.amplitude) / window_s,
        orthogonal_rate_hz=fit.baseline / window_s,
        spontaneous_rate_hz=None if blank is None else blank / window_s,
        direction_index=direction_index,
    )


def summarise_recording(
    recording: Recording, condition: str | None = None, *, model: Model = "gaussian"
) -> TuningSummary:
    """`summarise` for one condition of a recording, with weights from its trials."""
    moments = recording.moments(condition)
    summary = summarise(
        moments.orientation_deg,
        moments.mean,
        moments.variance,
        blank=moments.blank_mean,
        window_s=moments.window_s,
        n_trials=moments.n_trials,
        model=model,
    )
    directions = recording.direction_means(condition)
    return (
        summary
        if directions is None
        else replace(summary, direction_index=direction_selectivity(*directions))
    )


def _pool(
    theta: FloatArray, mean: FloatArray, variance: FloatArray, n: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Average values of one orientation (opposite directions, or 0 and 180 deg), weighted by their trials."""
    orientations = np.unique(theta)
    pooled = np.empty((3, orientations.size))
    for column, orientation in enumerate(orientations):
        rows = theta == orientation
        share = n[rows] / n[rows].sum()
        pooled[:, column] = share @ mean[rows], share @ variance[rows], n[rows].sum()
    return orientations, pooled[0], pooled[1], pooled[2]
