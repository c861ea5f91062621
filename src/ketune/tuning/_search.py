"""Search over preferred orientation and width, for many tuning curves at once.

Amplitude and baseline enter the curve linearly, so for a given preferred orientation and width their best
values have a closed form (variable projection, Golub & Pereyra 1973, SIAM J Numer Anal 10:413) and the search
has two dimensions only.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ketune.tuning._shapes import SIGMA_MAX_DEG, FloatArray, Model, shape, smallest_sigma_deg, wrap_180

_STEP_DEG = 3.0
_N_WIDTHS = 12


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
    halvings: int = 11,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Fit many curves measured at the same orientations; the same minimum as `fit_curve`, without errors.

    A global grid, then a grid around the best point that halves its step, with 11 halvings below 0.002 deg.
    A draw without any tuning has amplitude 0 and an arbitrary preferred orientation.

    Args:
        orientation_deg: (m,) degrees; mean, sem: (k, m); halvings: at least 1.

    Returns:
        preferred_deg in [0, 180), amplitude, baseline, sigma_deg: each (k,).
    """
    preferred, sigma = _grid(orientation_deg, model)
    weight = 1.0 / sem**2
    loss, _, _ = _linear(mean, weight, shape(model, orientation_deg - preferred[:, None], sigma[:, None]))
    index = np.argmin(loss, axis=1)
    centre, width = preferred[index], sigma[index]
    lowest, highest = smallest_sigma_deg(orientation_deg), SIGMA_MAX_DEG[model]
    # Degrees, and the logarithm of sigma: two steps of the stencil span one of the grid.
    step = 0.5 * np.array([_STEP_DEG, np.log(highest / lowest) / (_N_WIDTHS - 1)])
    stencil = np.array([(i, j) for i in range(-2, 3) for j in range(-2, 3)], dtype=np.float64)
    rows = np.arange(mean.shape[0])
    for _ in range(halvings):
        p = centre[:, None] + step[0] * stencil[:, 0]
        s = np.clip(width[:, None] * np.exp(step[1] * stencil[:, 1]), lowest, highest)
        form = shape(model, orientation_deg - p[..., None], s[..., None])
        loss, amplitude, baseline = _linear(mean, weight, form)
        best = np.argmin(loss, axis=1)
        centre, width = p[rows, best], s[rows, best]
        step *= 0.5
    return wrap_180(centre), amplitude[rows, best], baseline[rows, best], width


def _grid(theta: FloatArray, model: Model) -> tuple[FloatArray, FloatArray]:
    sigma = np.geomspace(smallest_sigma_deg(theta), SIGMA_MAX_DEG[model], _N_WIDTHS)
    preferred = np.arange(0.0, 180.0, _STEP_DEG)
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
