"""What the checks compute from responses, and its Monte Carlo error. Nothing here simulates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import optimize

from ketune.tuning import wrap_orientation
from ketune.tuning._indices import vector_sum

Array = np.ndarray
_GROUPS = 8


def jackknife(statistic: Callable[..., float], *responses: Array) -> tuple[float, float]:
    """A statistic of trial means, and its standard error from leaving out one group of trials after another.

    Parameters
    ----------
    statistic
        Of as many arrays of means as there are ``responses``.
    responses
        ``(conditions, trials)`` each; trials of one number share their random events across all arrays, and are left
        out together.
    """
    n_trials = responses[0].shape[1]
    groups = np.array_split(np.arange(n_trials), min(_GROUPS, n_trials))
    g = len(groups)
    value = statistic(*(r.mean(axis=1) for r in responses))
    left_out = [statistic(*(np.delete(r, group, axis=1).mean(axis=1) for r in responses)) for group in groups]
    return float(value), float(np.sqrt((g - 1) / g * np.sum((np.array(left_out) - np.mean(left_out)) ** 2)))


def evoked_ratio(control: Array, blocked: Array) -> float:
    """Response above the blank that is left of the control's; each is (preferred, blank)."""
    evoked = float(control[0] - control[1])
    return float(blocked[0] - blocked[1]) / evoked if evoked > 0 else float("nan")


def gosi(orientation_deg: Array, response: Array) -> float:
    """``|sum R exp(2 i theta)| / sum R`` (Ringach, Shapley and Hawken 2002); ``nan`` without a response."""
    return vector_sum(orientation_deg, response)[1]


def preferred_shift_deg(orientation_deg: Array, before: Array, after: Array) -> float:
    """Change of the vector-sum preferred orientation, -90 to 90 degrees; ``nan`` where one does not respond."""
    change = vector_sum(orientation_deg, after)[0] - vector_sum(orientation_deg, before)[0]
    return float(wrap_orientation(change))


def naka_rushton(contrast: Array, largest: float, c50: float, exponent: float) -> Array:
    """``largest c^n / (c^n + c50^n)``."""
    raised = np.asarray(contrast, float) ** exponent
    return largest * raised / (raised + c50**exponent)


def fit_contrast(contrast: Array, response: Array) -> Array:
    """Largest response, semisaturation contrast and exponent of a contrast response.

    Least squares, each point weighted by the inverse of its response plus a twentieth of the largest: counts vary the
    more the larger they are.

    Parameters
    ----------
    response
        Above the blank.

    Returns
    -------
    ``(3,)``; ``nan`` where nothing responds or no fit is found.
    """
    top = float(np.max(response))
    if not top > 0:
        return np.full(3, np.nan)
    half = float(contrast[int(np.argmax(response >= top / 2))])
    bounds = ([0.0, 0.005, 0.2], [20 * top, 3.0, 15.0])
    try:
        return optimize.curve_fit(
            naka_rushton,
            contrast,
            response,
            p0=[1.05 * top, half, 3.0],
            sigma=np.sqrt(np.maximum(response, 0.0) + 0.05 * top),
            bounds=bounds,
            max_nfev=5000,
        )[0]
    except RuntimeError:
        return np.full(3, np.nan)
