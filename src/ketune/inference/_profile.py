"""Profile likelihood: how far a parameter can be moved when all others follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from ketune.inference._coordinates import ANGLE_UNIT_DEG, coordinate_of, value_at
from ketune.inference._model import JointModel
from ketune.inference._starts import climb

_MOST_STEPS = 12
_FURTHEST_DEG = 90.0
# Beyond this a logistic coordinate is at its bound for every purpose.
_LARGEST_COORDINATE = 6.0
_STEPS_OF_ASCENT = 60


@dataclass(frozen=True, eq=False)
class Profile:
    """Profile of one parameter.

    Attributes
    ----------
    values
        Of the parameter, increasing, the estimate among them; orientations may lie outside 0 to 180.
    log_likelihood
        What is lost there against the best, all other parameters refitted: the other parameters with their priors,
        this one without.
    gradients
        Used.
    """

    name: str
    values: np.ndarray
    log_likelihood: np.ndarray
    gradients: int


def profiles(
    model: JointModel,
    best: np.ndarray,
    covariance: np.ndarray,
    *,
    names: Sequence[str] | None = None,
    level: float = 0.9,
    on_done: Callable[[], None] | None = None,
) -> tuple[Profile, ...]:
    """Profiles of parameters around the optimum.

    Parameters
    ----------
    best
        Coordinates of the optimum.
    covariance
        Of the coordinates, from the curvature: sets the first steps, and makes the ascents short.
    level
        The profile is followed until it has fallen below what this level of confidence needs.
    """
    threshold = float(stats.chi2.ppf(level, 1) / 2)
    found = []
    for i, parameter in enumerate(model.parameters):
        if names is None or parameter.name in names:
            found.append(_profile(model, best, i, covariance, threshold))
            if on_done is not None:
                on_done()
    return tuple(found)


def _profile(
    model: JointModel, best: np.ndarray, i: int, covariance: np.ndarray, threshold: float
) -> Profile:
    sd = float(np.sqrt(covariance[i, i]))
    lowest, highest = _limits(model, best, i)
    # How the others follow this one, and how they vary with it held.
    follow = covariance[:, i] / covariance[i, i]
    held = covariance - np.outer(covariance[:, i], follow)
    held[i, i] = 1.0
    spread = np.linalg.cholesky(held + 1e-10 * np.eye(len(best)))

    def own(x: np.ndarray, value: float) -> float:
        return value - float(model.prior_terms(x)[i])

    at = {float(best[i]): own(best, model.value_and_gradient(best)[0])}
    used = 1
    for direction in (-1.0, 1.0):
        x, step = best, float(np.clip(0.8 * sd, 0.02, 1.0))
        limit = highest if direction > 0 else lowest
        for _ in range(_MOST_STEPS):
            target = float(x[i]) + direction * step
            target = min(target, limit) if direction > 0 else max(target, limit)
            if abs(target - x[i]) < 1e-9:
                break
            guess = x + follow * (target - x[i])
            guess[i] = target
            result = climb(model, guess, _STEPS_OF_ASCENT, spread=spread, fixed=i)
            fallen = at[float(x[i])] - own(result.x, result.fun)
            x, used = result.x, used + result.nfev
            at[target] = own(x, result.fun)
            if at[float(best[i])] - at[target] > 1.3 * threshold:
                break
            # Steps that cost about half of the threshold resolve the profile without wasting ascents.
            step *= float(np.clip(0.5 * threshold / max(fallen, 1e-3), 0.5, 2.5))
    coordinate = np.array(sorted(at))
    height = np.array([at[c] for c in coordinate])
    parameter = model.parameters[i]
    values = np.array([value_at(parameter, c) for c in coordinate])
    return Profile(parameter.name, values, height - height.max(), used)


def _limits(model: JointModel, best: np.ndarray, i: int) -> tuple[float, float]:
    """How far a profile goes: a quarter turn, or to the parameter's bounds."""
    parameter = model.parameters[i]
    if parameter.scale == "orientation":
        reach = _FURTHEST_DEG / ANGLE_UNIT_DEG
        return float(best[i]) - reach, float(best[i]) + reach
    if parameter.scale == "log":
        return coordinate_of(parameter, parameter.low), coordinate_of(parameter, parameter.high)
    return -_LARGEST_COORDINATE, _LARGEST_COORDINATE
