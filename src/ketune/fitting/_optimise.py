"""Maximum likelihood by damped Fisher scoring: exact gradients, and the information of the counts' moments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ketune.fitting._parameters import PARAMETERS

_IS_ANGLE = np.array([p.scale == "orientation" for p in PARAMETERS])
# Longest step of one iteration: in logistic coordinates, and in degrees.
_LONGEST_STEP = np.where(_IS_ANGLE, 20.0, 1.2)
# Steps of several lengths are tried at once: a derivative costs as much as eight of them.
_LADDER = np.array([0.1, 1.0, 10.0, 100.0])
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

    def log_likelihoods(self, coordinates: Sequence[np.ndarray]) -> np.ndarray:
        """Log-likelihood at each of several coordinates."""

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
    tolerance: float = 4.9,
    on_iteration: Callable[[int, float], None] | None = None,
) -> Ascent:
    """Climb from ``start`` by Fisher scoring with Levenberg's damping.

    Each iteration tries steps with several dampings and takes the best. Every other accepted step refreshes the
    information matrix; where no step gains, shorter ones follow without new derivatives.

    Parameters
    ----------
    tolerance
        In units of log-likelihood: half of what two parameter sets may differ by without being told apart by data.
    """
    u = np.array(start, float)
    value = float(likelihood.log_likelihoods([u])[0])
    at = likelihood.derivatives(u, information=True)
    assert at.information is not None
    information = at.information
    damping, status, done, accepted = 1e-2, "stopped", 0, 0
    history = [value]
    for done in range(1, iterations + 1):
        dampings = damping * _LADDER
        candidates = [_moved(u, _scoring_step(at.gradient, information, d)) for d in dampings]
        values = likelihood.log_likelihoods(candidates)
        best = int(np.argmax(np.where(np.isnan(values), -np.inf, values)))
        gain = float(values[best]) - value
        if gain > 0:
            u, value, accepted = candidates[best], float(values[best]), accepted + 1
            damping = max(dampings[best] / 2, 1e-4)
            if gain >= tolerance and done < iterations:
                at = likelihood.derivatives(u, information=accepted % 2 == 0)
                information = information if at.information is None else at.information
        else:
            damping = 10 * dampings[-1]
        history.append(value)
        if on_iteration is not None:
            on_iteration(done, value)
        if 0 <= gain < tolerance or (gain < 0 and dampings[-1] > _LARGEST_DAMPING):
            status = "converged"
            break
    return Ascent(u, value, information, status, done, tuple(history))


def _scoring_step(gradient: np.ndarray, information: np.ndarray, damping: float) -> np.ndarray:
    diagonal = np.diag(information)
    scale = np.maximum(diagonal, 1e-3 * diagonal.max() + 1e-12)
    return np.linalg.solve(information + damping * np.diag(scale), gradient)


def _moved(u: np.ndarray, step: np.ndarray) -> np.ndarray:
    """One step away, no longer than allowed and inside the bounds."""
    limited = step / max(1.0, float(np.max(np.abs(step) / _LONGEST_STEP)))
    furthest = np.where(_IS_ANGLE, np.inf, _LARGEST_COORDINATE)
    return np.clip(u + limited, -furthest, furthest)
