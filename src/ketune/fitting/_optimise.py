"""Maximum likelihood by damped Fisher scoring: exact gradients, and the information of the counts' moments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ketune.fitting._parameters import PARAMETERS

_IS_ANGLE = np.array([p.scale == "orientation" for p in PARAMETERS])
# Longest step of one iteration: in logistic coordinates, and in degrees.
_LONGEST_STEP = np.where(_IS_ANGLE, 20.0, 1.2)
# With this much damping a step is a few thousandths of the scoring step: if even that gains nothing, it is the end.
_LARGEST_DAMPING = 500.0
# Beyond this a logistic coordinate is at its bound for every purpose.
_LARGEST_COORDINATE = 6.0


@dataclass(frozen=True, eq=False)
class Derivatives:
    """Gradient of the log-likelihood and, where asked for, the information matrix, in the coordinates."""

    gradient: np.ndarray
    information: np.ndarray | None


class Likelihood(Protocol):
    """What :func:`ascend` climbs."""

    def log_likelihood(self, coordinates: np.ndarray) -> float:
        """Log-likelihood at coordinates."""

    def derivatives(self, coordinates: np.ndarray, *, information: bool) -> Derivatives:
        """Derivatives there; the information matrix costs more than the gradient alone."""


@dataclass(frozen=True, eq=False)
class Ascent:
    """Result of :func:`ascend`.

    ``status`` is ``"converged"`` when the last accepted step raised the log-likelihood by less than the tolerance, and
    ``"stopped"`` when the iterations were used up.
    """

    coordinates: np.ndarray
    log_likelihood: float
    information: np.ndarray
    status: str
    iterations: int
    history: tuple[float, ...]


def ascend(
    likelihood: Likelihood,
    start: np.ndarray,
    *,
    iterations: int,
    tolerance: float = 2.0,
    on_iteration: Callable[[int, float], None] | None = None,
) -> Ascent:
    """Climb from ``start`` by Fisher scoring with Levenberg's damping.

    Every other accepted step refreshes the information matrix; a rejected step costs one likelihood only.

    Parameters
    ----------
    tolerance
        In units of log-likelihood; two units are well inside sampling error.
    """
    u = np.array(start, float)
    value = likelihood.log_likelihood(u)
    at = likelihood.derivatives(u, information=True)
    assert at.information is not None
    information = at.information
    damping, status, done, accepted = 1e-2, "stopped", 0, 0
    history = [value]
    for done in range(1, iterations + 1):
        candidate = np.clip(
            u + _limited(_scoring_step(at.gradient, information, damping)),
            np.where(_IS_ANGLE, -np.inf, -_LARGEST_COORDINATE),
            np.where(_IS_ANGLE, np.inf, _LARGEST_COORDINATE),
        )
        new = likelihood.log_likelihood(candidate)
        gain = new - value
        if gain > 0:
            u, value, damping, accepted = candidate, new, max(damping / 5, 1e-4), accepted + 1
            if gain >= tolerance and done < iterations:
                at = likelihood.derivatives(u, information=accepted % 2 == 0)
                information = information if at.information is None else at.information
        else:
            damping *= 10
        history.append(value)
        if on_iteration is not None:
            on_iteration(done, value)
        if 0 <= gain < tolerance or damping > _LARGEST_DAMPING:
            status = "converged"
            break
    return Ascent(u, value, information, status, done, tuple(history))


def _scoring_step(gradient: np.ndarray, information: np.ndarray, damping: float) -> np.ndarray:
    diagonal = np.diag(information)
    scale = np.maximum(diagonal, 1e-3 * diagonal.max() + 1e-12)
    return np.linalg.solve(information + damping * np.diag(scale), gradient)


def _limited(step: np.ndarray) -> np.ndarray:
    return step / max(1.0, float(np.max(np.abs(step) / _LONGEST_STEP)))
