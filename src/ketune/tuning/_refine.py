"""Damped Gauss-Newton refinement of many tuning curves at once.

Amplitude and baseline are eliminated (variable projection, with Kaufman's 1975 approximation of its Jacobian, BIT
15:49), so the steps are in preferred orientation and the logarithm of sigma. Arrays are (m, k), curves last: loops
over curves are the long ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ketune.tuning._shapes import (
    SIGMA_MAX_DEG,
    FloatArray,
    Model,
    shape,
    shape_with_slopes,
    smallest_sigma_deg,
    wrap_180,
)

_CHUNK = 1000
_TINY = 1e-300
_SMALL_STEP = np.array([[1e-3], [1e-5]])  # degrees, logarithm of sigma
_LARGEST_STEP = np.array([[15.0], [0.7]])
_DAMPING, _LIGHT_DAMPING, _LARGEST_DAMPING = 1e-3, 1e-1, 1e8


@dataclass(frozen=True)
class _Point:
    """Where each curve is: parameters (2, k), loss, gradient (2, k) and curvature (3, k: pp, ps, ss)."""

    at: FloatArray
    loss: FloatArray
    amplitude: FloatArray
    baseline: FloatArray
    downhill: FloatArray
    curvature: FloatArray


def refined(
    orientation_deg: FloatArray,
    mean: FloatArray,
    sem: FloatArray,
    preferred_deg: FloatArray,
    sigma_deg: FloatArray,
    *,
    model: Model,
    most_steps: int,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """The local minima of weighted least squares next to the given starts.

    Args:
        orientation_deg: (m,); mean, sem: (k, m); preferred_deg, sigma_deg: (k,) starts; most_steps: at most.

    Returns:
        preferred_deg in [0, 180), amplitude, baseline, sigma_deg: each (k,).
    """
    k = mean.shape[0]
    found = np.empty((4, k))
    bounds = np.log([smallest_sigma_deg(orientation_deg), SIGMA_MAX_DEG[model]])
    for start in range(0, k, _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, k))
        y, weight = mean[rows].T.copy(), (1.0 / sem[rows] ** 2).T.copy()
        point = _evaluate(
            orientation_deg, y, weight, np.stack([preferred_deg[rows], np.log(sigma_deg[rows])]), model
        )
        damping = np.full(rows.size, _DAMPING)
        for _ in range(most_steps):
            step = _step(point, damping, bounds)
            trial = point.at + step
            trial[1] = np.clip(trial[1], *bounds)
            moved = np.abs(trial - point.at)
            expected, before = _expected_gain(point, trial - point.at), point.loss
            tried = _evaluate(orientation_deg, y, weight, trial, model)
            better = tried.loss <= point.loss
            small = (moved < _SMALL_STEP).all(axis=0) & (damping < _LIGHT_DAMPING)  # not short by damping
            done = (better & small) | (damping > _LARGEST_DAMPING)
            point = _chosen(better, tried, point)
            # By how well the quadratic model foretold the gain, so that overshooting steps shrink (Nielsen 1999,
            # IMM-REP-1999-05).
            gain = np.clip((before - tried.loss) / np.maximum(expected, _TINY), -1.0, 2.0)
            damping *= np.where(better, np.clip(1.0 - (2.0 * gain - 1.0) ** 3, 0.1, 2.0), 8.0)
            if done.any():
                _store(found, rows, point, done)
                left = ~done
                rows, y, weight, damping = rows[left], y[:, left], weight[:, left], damping[left]
                point = _only(point, left)
            if rows.size == 0:
                break
        _store(found, rows, point, np.ones(rows.size, dtype=bool))
    return wrap_180(found[0]), found[1], found[2], np.exp(found[3])


def preferred_errors_deg(
    orientation_deg: FloatArray,
    sem: FloatArray,
    preferred_deg: FloatArray,
    amplitude: FloatArray,
    baseline: FloatArray,
    sigma_deg: FloatArray,
    *,
    model: Model = "gaussian",
) -> FloatArray:
    """Standard errors of preferred orientations that known curves would be fitted with, from the curvature.

    Args:
        orientation_deg: (m,); sem: (k, m) standard errors of the mean responses; the others: (k,) of the curves.

    Returns:
        (k,) degrees, infinite for a flat curve.
    """
    form = shape(model, orientation_deg - preferred_deg[:, None], sigma_deg[:, None])
    expected = (baseline[:, None] + amplitude[:, None] * form).T
    at = np.stack([preferred_deg, np.log(sigma_deg)])
    pp, ps, ss = _evaluate(orientation_deg, expected, (1.0 / sem**2).T, at, model).curvature
    # The bounds of a fit know something of sigma too: as much as a uniform law between them.
    lowest, highest = np.log([smallest_sigma_deg(orientation_deg), SIGMA_MAX_DEG[model]])
    information = pp - ps**2 / (ss + 12.0 / (highest - lowest) ** 2)
    return np.where(information > 0, 1.0 / np.sqrt(np.maximum(information, _TINY)), np.inf)


def _evaluate(theta: FloatArray, y: FloatArray, weight: FloatArray, at: FloatArray, model: Model) -> _Point:
    g, by_difference, by_width = shape_with_slopes(model, theta[:, None] - at[0], np.exp(at[1]))
    wg, wy, wp, ws = (weight * x for x in (g, y, by_difference, by_width))

    def dot(a: FloatArray, b: FloatArray) -> FloatArray:
        return np.einsum("mk,mk->k", a, b)

    total, sum_g, sum_y, gg, gy = weight.sum(0), wg.sum(0), wy.sum(0), dot(wg, g), dot(wg, y)
    determinant = np.maximum(total * gg - sum_g**2, _TINY)
    amplitude = (total * gy - sum_g * sum_y) / determinant
    baseline = (sum_y - amplitude * sum_g) / total
    floor = baseline < 0
    amplitude = np.where(floor, gy / np.maximum(gg, _TINY), amplitude)
    baseline = np.where(floor, 0.0, baseline)
    flat = amplitude < 0
    amplitude, baseline = np.where(flat, 0.0, amplitude), np.where(flat, sum_y / total, baseline)
    residual = y - amplitude * g - baseline
    loss = dot(weight * residual, residual)
    # Columns of the Jacobian with their part along the linear parameters' columns (1 and g, or g alone where the
    # baseline is 0) taken out.
    sums = np.stack([wp.sum(0), ws.sum(0)])
    along = np.stack([dot(wp, g), dot(ws, g)])
    raw = np.stack([dot(wp, by_difference), dot(wp, by_width), dot(ws, by_width)])
    first, second = sums[[0, 0, 1]], sums[[0, 1, 1]]
    along_first, along_second = along[[0, 0, 1]], along[[0, 1, 1]]
    both = (
        first * gg * second
        - sum_g * (first * along_second + along_first * second)
        + along_first * total * along_second
    ) / determinant
    only_g = along_first * along_second / np.maximum(gg, _TINY)
    projected = raw - np.where(floor, only_g, both)
    downhill = amplitude * np.stack([dot(wp, residual), dot(ws, residual)])
    signs = np.array([[-1.0], [1.0]])  # the curve's derivative by the preferred orientation
    return _Point(
        at,
        loss,
        amplitude,
        baseline,
        signs * downhill,
        amplitude**2 * np.array([[1.0], [-1.0], [1.0]]) * projected,
    )


def _step(point: _Point, damping: FloatArray, bounds: FloatArray) -> FloatArray:
    """Levenberg's step; sigma stays where it is at a bound that the step would cross."""
    pp, ps, ss = point.curvature
    down_p, down_s = point.downhill
    log_sigma = point.at[1]
    held = ((log_sigma <= bounds[0]) & (down_s < 0)) | ((log_sigma >= bounds[1]) & (down_s > 0))
    ps, down_s = np.where(held, 0.0, ps), np.where(held, 0.0, down_s)
    pp, ss = np.maximum(pp, _TINY) * (1.0 + damping), np.maximum(ss, _TINY) * (1.0 + damping)
    determinant = np.maximum(pp * ss - ps**2, 1e-9 * pp * ss + _TINY)
    step = np.stack([ss * down_p - ps * down_s, pp * down_s - ps * down_p]) / determinant
    return np.clip(step, -_LARGEST_STEP, _LARGEST_STEP)


def _expected_gain(point: _Point, step: FloatArray) -> FloatArray:
    pp, ps, ss = point.curvature
    curved = pp * step[0] ** 2 + 2.0 * ps * step[0] * step[1] + ss * step[1] ** 2
    return 2.0 * (point.downhill * step).sum(axis=0) - curved


def _chosen(better: np.ndarray, tried: _Point, before: _Point) -> _Point:
    return _Point(
        *(np.where(better, getattr(tried, n), getattr(before, n)) for n in _Point.__dataclass_fields__)
    )


def _only(point: _Point, kept: np.ndarray) -> _Point:
    return _Point(*(getattr(point, n)[..., kept] for n in _Point.__dataclass_fields__))


def _store(found: FloatArray, rows: np.ndarray, point: _Point, done: np.ndarray) -> None:
    found[:, rows[done]] = np.stack([point.at[0], point.amplitude, point.baseline, point.at[1]])[:, done]
