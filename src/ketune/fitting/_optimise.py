"""Maximum likelihood by damped scoring: exact gradients, and the scores' own outer product as curvature."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ketune.fitting._counts import mixture_likelihood
from ketune.fitting._parameters import PARAMETERS

_IS_ANGLE = np.array([p.scale == "orientation" for p in PARAMETERS])
# Longest step of one iteration: in logistic coordinates, and in degrees.
_LONGEST_STEP = np.where(_IS_ANGLE, 15.0, 0.8)
# Beyond this a logistic coordinate is at its bound for every purpose.
_LARGEST_COORDINATE = 6.0


@dataclass(frozen=True, eq=False)
class Correction:
    """How the spiking cell's counts relate to the silent twin's expected counts, per orientation.

    Attributes
    ----------
    ratio
        Spiking mean over expected mean, ``(orientations,)``.
    dispersion
        Conditional variance over mean that gives the mixture the spiking cell's variance, ``(orientations,)``.
    """

    ratio: np.ndarray
    dispersion: np.ndarray


@dataclass(frozen=True, eq=False)
class Objective:
    """Log-likelihood with gradient and information ``(parameters, parameters)`` in the coordinates."""

    log_likelihood: float
    bias_correction: float
    gradient: np.ndarray
    information: np.ndarray


def objective(
    counts: Sequence[np.ndarray], expected: np.ndarray, jacobian: np.ndarray | None, correction: Correction
) -> Objective:
    """Log-likelihood of the recorded counts.

    Parameters
    ----------
    counts
        Recorded spikes of each orientation.
    expected, jacobian
        Of the silent twin: ``(lanes,)`` and ``(lanes, parameters)``, orientation by orientation.
    """
    n_trials = len(expected) // len(counts)
    n = len(PARAMETERS)
    total, bias, gradient, information = 0.0, 0.0, np.zeros(n), np.zeros((n, n))
    for k, observed in enumerate(counts):
        lanes = slice(k * n_trials, (k + 1) * n_trials)
        law = mixture_likelihood(
            observed, correction.ratio[k] * expected[lanes], float(correction.dispersion[k])
        )
        total += law.log_likelihood
        bias += law.bias_correction
        if jacobian is not None:
            score = law.score @ (correction.ratio[k] * jacobian[lanes])
            gradient += law.multiplicity @ score
            information += (score * law.multiplicity[:, None]).T @ score
    return Objective(total, bias, gradient, information)


@dataclass(frozen=True, eq=False)
class Ascent:
    """Result of :func:`ascend`.

    ``status`` is ``"converged"`` when the last accepted step raised the log-likelihood by less than the tolerance, and
    ``"stopped"`` when the iterations were used up.
    """

    coordinates: np.ndarray
    objective: Objective
    status: str
    iterations: int
    history: tuple[float, ...]


def ascend(
    evaluate: Callable[[np.ndarray], Objective],
    start: np.ndarray,
    *,
    iterations: int,
    tolerance: float = 0.5,
    on_iteration: Callable[[int, Objective], None] | None = None,
) -> Ascent:
    """Climb from ``start``: Levenberg's damping of the scoring step (Berndt, Hall, Hall and Hausman 1974).

    Parameters
    ----------
    evaluate
        Log-likelihood with derivatives at coordinates.
    tolerance
        In units of log-likelihood; half a unit is well inside sampling error.
    """
    u, best, damping = np.array(start, float), evaluate(np.asarray(start, float)), 1e-2
    history, status, done = [best.log_likelihood], "stopped", 0
    for done in range(1, iterations + 1):
        candidate = np.clip(
            u + _limited(_scoring_step(best, damping)),
            np.where(_IS_ANGLE, -np.inf, -_LARGEST_COORDINATE),
            np.where(_IS_ANGLE, np.inf, _LARGEST_COORDINATE),
        )
        new = evaluate(candidate)
        gain = new.log_likelihood - best.log_likelihood
        if on_iteration is not None:
            on_iteration(done, new)
        if gain > 0:
            u, best, damping = candidate, new, max(damping / 5, 1e-4)
        else:
            damping *= 8
        history.append(best.log_likelihood)
        if 0 <= gain < tolerance or damping > 1e4:
            status = "converged"
            break
    return Ascent(u, best, status, done, tuple(history))


def _scoring_step(at: Objective, damping: float) -> np.ndarray:
    scale = np.maximum(np.diag(at.information), 1e-3 * np.diag(at.information).max() + 1e-12)
    return np.linalg.solve(at.information + damping * np.diag(scale), at.gradient)


def _limited(step: np.ndarray) -> np.ndarray:
    return step / max(1.0, float(np.max(np.abs(step) / _LONGEST_STEP)))
