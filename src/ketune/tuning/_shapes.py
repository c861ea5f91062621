"""Forms of tuning curves with a period of 180 deg.

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

from typing import Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Model = Literal["gaussian", "von_mises"]

# Beyond these widths the curves are cosines to within 1 % of their amplitude, so the width means nothing
# more.
SIGMA_MAX_DEG: dict[Model, float] = {"gaussian": 60.0, "von_mises": 180.0}
# No cortical tuning is narrower, however fine the sampling.
_SIGMA_MIN_DEG = 3.0
_IMAGES = np.arange(-2, 3) * 180.0  # the next image adds less than 1e-12 even at the largest width


def shape(model: Model, difference_deg: npt.ArrayLike, sigma_deg: npt.ArrayLike) -> FloatArray:
    """The curve's form g: 1 at a difference of 0, 0 at 90 deg, period 180; arguments broadcast."""
    difference = np.asarray(difference_deg, dtype=np.float64)
    sigma = np.asarray(sigma_deg, dtype=np.float64)
    if model == "gaussian":
        wrapped = wrap_orientation(difference)
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


def shape_with_slopes(
    model: Model, difference_deg: FloatArray, sigma_deg: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """`shape` with its derivatives: by the difference (1/deg) and by the logarithm of sigma."""
    if model == "gaussian":
        wrapped = wrap_orientation(difference_deg)
        inverse = 1.0 / sigma_deg
        value, by_difference, by_width = _images_with_slopes(wrapped, inverse)
        top, _, top_by_width = _images_with_slopes(np.zeros(1), inverse)
        bottom, _, bottom_by_width = _images_with_slopes(np.full(1, 90.0), inverse)
        span = 1.0 / (top - bottom)
        form = (value - bottom) * span
        narrowing = by_width - bottom_by_width - form * (top_by_width - bottom_by_width)
        return form, by_difference * span, narrowing * span
    kappa = kappa_of(sigma_deg)
    angle = 2.0 * np.deg2rad(difference_deg)
    bottom, below = np.exp(-2.0 * kappa), np.cos(angle) - 1.0
    value = np.exp(kappa * below)
    form = (value - bottom) / (1.0 - bottom)
    by_kappa = (below * value + 2.0 * bottom * (1.0 - form)) / (1.0 - bottom)
    by_difference = -np.deg2rad(2.0) * kappa * np.sin(angle) * value / (1.0 - bottom)
    return form, by_difference, -2.0 * kappa * by_kappa


def _images_with_slopes(
    difference: FloatArray, inverse_sigma: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    total, by_difference, by_width = (
        np.zeros(np.broadcast_shapes(difference.shape, inverse_sigma.shape)) for _ in range(3)
    )
    for image in _IMAGES:
        z = (difference + image) * inverse_sigma
        value = np.exp(-0.5 * z * z)
        total += value
        value *= z
        by_difference -= value
        by_width += value * z
    return total, by_difference * inverse_sigma, by_width


def kappa_of(sigma_deg: npt.ArrayLike) -> FloatArray:
    """Von Mises concentration (of the doubled angle) that belongs to a width in degrees."""
    return 1.0 / (4.0 * np.deg2rad(np.asarray(sigma_deg, dtype=np.float64)) ** 2)


def wrap_180(orientation_deg: FloatArray) -> FloatArray:
    """Orientations in [0, 180): a tiny negative remainder must not become 180."""
    wrapped = np.mod(orientation_deg, 180.0)
    return np.where(wrapped == 180.0, 0.0, wrapped)


def wrap_orientation(difference_deg: npt.ArrayLike) -> FloatArray:
    """Differences of orientation on [-90, 90) degrees."""
    return (np.asarray(difference_deg, dtype=np.float64) + 90.0) % 180.0 - 90.0


def half_width_deg(model: Model, sigma_deg: npt.ArrayLike) -> FloatArray:
    """Half width at half height in degrees, midway between the orthogonal and the preferred response.

    For narrow tuning this is sqrt(2 ln 2) sigma = 1.177 sigma; it approaches 45 deg (a cosine) for wide
    tuning. NaN where sigma is.
    """
    sigma = np.asarray(sigma_deg, dtype=np.float64)
    known = np.where(np.isfinite(sigma), sigma, 1.0)
    low, high = np.zeros(sigma.shape), np.full(sigma.shape, 90.0)
    for _ in range(60):  # g falls monotonically from 1 to 0
        middle = 0.5 * (low + high)
        above = shape(model, middle, known) > 0.5
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(np.isfinite(sigma), 0.5 * (low + high), np.nan)


def smallest_sigma_deg(orientation_deg: FloatArray) -> float:
    """Narrowest width that the fits allow: half the (median) sampling step, within 3 and 30 deg."""
    tested = np.unique(np.mod(orientation_deg, 180.0))
    step = float(np.median(np.diff(np.append(tested, tested[0] + 180.0))))
    return float(np.clip(0.5 * step, _SIGMA_MIN_DEG, 30.0))
