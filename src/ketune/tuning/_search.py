"""Search over preferred orientation and width, for many tuning curves at once.

Amplitude and baseline enter the curve linearly, so for a given preferred orientation and width their best
values have a closed form (variable projection, Golub & Pereyra 1973, SIAM J Numer Anal 10:413) and the search
has two dimensions only.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ketune.tuning._refine import refined
from ketune.tuning._shapes import SIGMA_MAX_DEG, FloatArray, Model, shape, smallest_sigma_deg

_STEP_DEG = 3.0
_N_WIDTHS = 12
_CHUNK = 16  # curves searched together: larger arrays take longer to come by than to fill


def starts(theta: FloatArray, y: FloatArray, weight: FloatArray, model: Model) -> list[list[float]]:
    """Best grid point for a narrow, a middle and a wide curve: the loss can have one minimum for each."""
    preferred, sigma = _grid(theta, model)
    loss, amplitude, baseline = _linear(
        y[None], weight[None], shape(model, theta - preferred[:, None], sigma[:, None])
    )
    chosen = []
    edges = np.quantile(sigma, [0.0, 1 / 3, 2 / 3, 1.0])
    for low, high in pairwise(edges.tolist()):
        index = int(np.argmin(np.where((sigma >= low) & (sigma <= high), loss[0], np.inf)))
        chosen.append([preferred[index], amplitude[0, index] + 1e-9, baseline[0, index] + 1e-9, sigma[index]])
    inside = smallest_sigma_deg(theta) * 1.01, SIGMA_MAX_DEG[model] * 0.99
    return [[p, a, b, float(np.clip(s, *inside))] for p, a, b, s in chosen]


def fit_many(
    orientation_deg: FloatArray,
    mean: FloatArray,
    sem: FloatArray,
    *,
    model: Model = "gaussian",
    most_steps: int = 40,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Fit many curves measured at the same orientations; the same minimum as `fit_curve`, without errors.

    A global grid, then damped Gauss-Newton steps (Kaufman 1975, BIT 15:49) from its best point until one is below
    0.001 deg. A draw without any tuning has amplitude 0 and an arbitrary preferred orientation.

    Args:
        orientation_deg: (m,) degrees; mean, sem: (k, m); most_steps: of the refinement.

    Returns:
        preferred_deg in [0, 180), amplitude, baseline, sigma_deg: each (k,).
    """
    preferred, sigma = _grid(orientation_deg, model)
    form = shape(model, orientation_deg - preferred[:, None], sigma[:, None])
    best = np.empty(mean.shape[0], dtype=np.int64)
    for start in range(0, mean.shape[0], _CHUNK):
        rows = slice(start, start + _CHUNK)
        best[rows] = np.argmin(_linear(mean[rows], 1.0 / sem[rows] ** 2, form)[0], axis=1)
    return refined(
        orientation_deg, mean, sem, preferred[best], sigma[best], model=model, most_steps=most_steps
    )


def _grid(theta: FloatArray, model: Model) -> tuple[FloatArray, FloatArray]:
    sigma = np.geomspace(smallest_sigma_deg(theta), SIGMA_MAX_DEG[model], _N_WIDTHS)
    preferred = np.arange(0.0, 180.0, _STEP_DEG)
    return np.repeat(preferred, sigma.size), np.tile(sigma, preferred.size)


def _linear(y: FloatArray, weight: FloatArray, form: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Best amplitude >= 0 and baseline >= 0 for given forms, in closed form.

    Args:
        y, weight: (k, m); form: (g, m), common to all k.

    Returns:
        loss, amplitude, baseline: (k, g).
    """
    # A transposed operand with so few columns can take a hundred times as long to multiply.
    columns = np.ascontiguousarray(form.T)
    total, wy, wyy = (x.sum(axis=1, keepdims=True) for x in (weight, weight * y, weight * y**2))
    wg, wgg, wgy = weight @ columns, weight @ columns**2, (weight * y) @ columns
    covariance = wgy - wg * (wy / total)
    amplitude = covariance / np.maximum(wgg - wg**2 / total, 1e-300)
    baseline = (wy - amplitude * wg) / total
    without = wyy - wy**2 / total  # loss of a flat curve
    loss = without - amplitude * covariance
    # The constrained optimum of a convex quadratic in two variables lies on an edge if the free one is
    # outside.
    on_floor = baseline < 0
    alone = wgy / np.maximum(wgg, 1e-300)
    loss = np.where(on_floor, wyy - alone * wgy, loss)
    amplitude = np.where(on_floor, alone, amplitude)
    flat = amplitude < 0
    loss = np.where(flat, without, loss)
    baseline = np.where(flat, wy / total, np.maximum(baseline, 0.0))
    return loss, np.maximum(amplitude, 0.0), baseline
