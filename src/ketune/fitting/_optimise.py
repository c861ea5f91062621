"""Maximum likelihood by damped scoring: exact gradients, and the scores' own outer product as curvature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ketune.fitting._parameters import PARAMETERS

_IS_ANGLE = np.array([p.scale == "orientation" for p in PARAMETERS])
# Longest step of one iteration: in logistic coordinates, and in degrees.
_LONGEST_STEP = np.where(_IS_ANGLE, 15.0, 0.8)
# Beyond this a logistic coordinate is at its bound for every purpose.
_LARGEST_COORDINATE = 6.0


@dataclass(frozen=True, eq=False)
class Objective:
    """Log-likelihood with its gradient and, where asked for, the information matrix, in the coordinates.

    Attributes
    ----------
    disagreement
        Largest difference between the gradient and that of finite differences, relative to the largest component;
        known where the information was computed.
    """

    log_likelihood: float
    bias_correction: float
    gradient: np.ndarray
    information: np.ndarray | None
    disagreement: float | None


class Evaluate(Protocol):
    """Log-likelihood at coordinates; ``information`` asks for the curvature too, which costs more."""

    def __call__(self, coordinates: np.ndarray, *, information: bool) -> Objective: ...


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
    disagreement: float


def ascend(
    evaluate: Evaluate,
    start: np.ndarray,
    *,
    iterations: int,
    tolerance: float = 0.5,
    information: np.ndarray | None = None,
    refresh: int = 3,
    on_iteration: Callable[[int, Objective], None] | None = None,
) -> Ascent:
    """Climb from ``start``: Levenberg's damping of the scoring step (Berndt, Hall, Hall and Hausman 1974).

    Parameters
    ----------
    evaluate
        Log-likelihood with derivatives at coordinates.
    tolerance
        In units of log-likelihood; half a unit is well inside sampling error.
    information
        Information matrix near ``start``; computed there if not given.
    refresh
        Accepted steps between evaluations of the information matrix.
    """
    u = np.array(start, float)
    best = evaluate(u, information=information is None)
    information = best.information if information is None else information
    disagreement = best.disagreement or 0.0
    damping, status, done, accepted = 1e-2, "stopped", 0, 0
    history = [best.log_likelihood]
    for done in range(1, iterations + 1):
        candidate = np.clip(
            u + _limited(_scoring_step(best.gradient, information, damping)),
            np.where(_IS_ANGLE, -np.inf, -_LARGEST_COORDINATE),
            np.where(_IS_ANGLE, np.inf, _LARGEST_COORDINATE),
        )
        new = evaluate(candidate, information=(accepted + 1) % refresh == 0)
        gain = new.log_likelihood - best.log_likelihood
        if on_iteration is not None:
            on_iteration(done, new)
        if gain > 0:
            u, best, damping, accepted = candidate, new, max(damping / 5, 1e-4), accepted + 1
            information = information if new.information is None else new.information
            disagreement = max(disagreement, new.disagreement or 0.0)
        else:
            damping *= 8
        history.append(best.log_likelihood)
        if 0 <= gain < tolerance or damping > 1e4:
            status = "converged"
            break
    return Ascent(u, best.log_likelihood, information, status, done, tuple(history), disagreement)


def _scoring_step(gradient: np.ndarray, information: np.ndarray, damping: float) -> np.ndarray:
    diagonal = np.diag(information)
    scale = np.maximum(diagonal, 1e-3 * diagonal.max() + 1e-12)
    return np.linalg.solve(information + damping * np.diag(scale), gradient)


def _limited(step: np.ndarray) -> np.ndarray:
    return step / max(1.0, float(np.max(np.abs(step) / _LONGEST_STEP)))
