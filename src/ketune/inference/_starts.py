"""The most probable parameters, sought from many starting points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize

from ketune.errors import InputError
from ketune.fitting._observed import preferred_deg
from ketune.inference._coordinates import ANGLE_UNIT_DEG
from ketune.inference._model import JointModel

# Ascents that are this far below the best after their first steps will not catch up.
_HOPELESS = 20.0
_FIRST_STEPS, _ALL_STEPS = 30, 200
_NEAR_DEG = 20.0
# Starts within this of the best count as having found it.
SAME_PLACE = 0.5
FOLLOWED = ("converged", "stopped")
_TREES = (("preferred_basal_deg", "preferred_apical_deg"), ("spread_basal_deg", "spread_apical_deg"))


@dataclass(frozen=True, eq=False)
class Start:
    """What became of one starting point.

    Attributes
    ----------
    number
        Its place in the sequence that the seed fixes.
    first, last
        Log-density at the start and where it ended.
    status
        ``"screened out"`` (others began better), ``"discarded"`` (hopeless after the first steps), ``"converged"`` or
        ``"stopped"`` (steps used up).
    evaluations
        Gradients used.
    """

    number: int
    first: float
    last: float
    status: str
    evaluations: int
    coordinates: np.ndarray


@dataclass(frozen=True, eq=False)
class Optimum:
    """Best of several ascents, with all of them."""

    coordinates: np.ndarray
    log_density: float
    status: str
    starts: tuple[Start, ...]
    angles: np.ndarray

    @property
    def gradients(self) -> int:
        """Gradients that all ascents used together."""
        return sum(s.evaluations for s in self.starts)

    @property
    def modes(self) -> tuple[np.ndarray, ...]:
        """Ends of ascents that differ in an orientation by more than 20 degrees, the best first."""
        ends = sorted((s for s in self.starts if s.status in FOLLOWED), key=lambda s: -s.last)
        found: list[np.ndarray] = []
        for end in ends:
            if all(_apart(end.coordinates, other, self.angles) > 1.0 for other in found):
                found.append(end.coordinates)
        return tuple(found)

    @property
    def agreeing(self) -> int:
        """Ascents that ended at the best place, or as high."""
        return sum(s.status == "converged" and s.last > self.log_density - SAME_PLACE for s in self.starts)


def find_optimum(
    model: JointModel,
    *,
    seed: int,
    screened: int = 256,
    followed: int = 8,
    start: np.ndarray | None = None,
) -> Optimum:
    """Screen random starts, follow the best, discard the hopeless early.

    Parameters
    ----------
    screened, followed
        Starting points drawn from the prior, and how many of them an ascent follows (L-BFGS, SciPy).
    start
        Coordinates of one more start, always followed.

    Raises
    ------
    InputError
        The prior excludes ``start``, or no start gives the recording a finite probability.
    """
    rng = np.random.default_rng([seed, 21])
    x = _drawn(model, screened, rng)
    if start is not None:
        own = np.asarray(start, float)
        if not np.isfinite(model.value_and_gradient(own)[0]):
            raise InputError(
                "the starting point has probability zero under the priors; widen them or move the start"
            )
        x = np.concatenate([own[None], x])
    value = model.log_densities(x)
    value = np.where(np.isfinite(value), value, -np.inf)
    if not np.isfinite(value).any():
        raise InputError("no starting point gives the recording a finite probability; widen the priors")
    order = np.argsort(-value, kind="stable")
    chosen = list(order[:followed])
    if start is not None and 0 not in chosen:
        chosen[-1] = 0
    early = {i: climb(model, x[i], _FIRST_STEPS) for i in chosen}
    best = max(r.fun for r in early.values())
    starts = []
    for i in range(len(x)):
        if i not in early:
            starts.append(Start(i, float(value[i]), float(value[i]), "screened out", 1, x[i]))
            continue
        result = early[i]
        used, status = result.nfev, "discarded"
        if result.fun > best - _HOPELESS:
            result = refine(model, result.x, _ALL_STEPS)
            used, status = used + result.nfev, "converged" if result.success else "stopped"
        starts.append(Start(i, float(value[i]), float(result.fun), status, int(used), result.x))
    starts.append(
        _swapped(model, max(starts, key=lambda s: s.last if s.status in FOLLOWED else -np.inf), len(x))
    )
    top = max((s for s in starts if s.status in FOLLOWED), key=lambda s: s.last)
    return Optimum(top.coordinates, top.last, top.status, tuple(starts), np.flatnonzero(model.is_angle))


def _swapped(model: JointModel, best: Start, number: int) -> Start:
    """One more ascent, from the best place with what basal and apical afferents prefer exchanged.

    Two peaks of a tuning curve say which orientations the trees prefer, but hardly which tree prefers which.
    """
    x = best.coordinates.copy()
    for a, b in _TREES:
        i, j = model.names.index(a), model.names.index(b)
        x[i], x[j] = best.coordinates[j], best.coordinates[i]
    first = model.value_and_gradient(x)[0]
    result = climb(model, x, _FIRST_STEPS)
    used = result.nfev
    result = refine(model, result.x, _ALL_STEPS)
    status = "converged" if result.success else "stopped"
    return Start(number, float(first), float(result.fun), status, int(used + result.nfev), result.x)


def _apart(a: np.ndarray, b: np.ndarray, angles: np.ndarray) -> float:
    half = 90.0 / ANGLE_UNIT_DEG
    return float(np.max(np.abs(np.mod(a[angles] - b[angles] + half, 2 * half) - half)))


def climb(
    model: JointModel,
    x: np.ndarray,
    steps: int,
    *,
    spread: np.ndarray | None = None,
    fixed: int | None = None,
) -> optimize.OptimizeResult:
    """Ascend by L-BFGS from ``x``; ``fun`` of the result is the log density reached.

    Parameters
    ----------
    spread
        Matrix whose columns the ascent moves along; the coordinates themselves where not given. The factor of a
        covariance makes the ascent short.
    fixed
        Index of a coordinate that stays where it is.
    """
    x = np.array(x, float)
    basis = np.eye(len(x)) if spread is None else spread
    if fixed is not None:
        basis = basis.copy()
        basis[fixed] = 0.0

    def cost(y: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = model.value_and_gradient(x + basis @ y)
        if not np.isfinite(value):
            return 1e12, np.zeros(len(y))
        return -value, -basis.T @ slope

    result = optimize.minimize(
        cost,
        np.zeros(basis.shape[1]),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": steps, "ftol": 1e-8, "gtol": 1e-2},
    )
    result.x, result.fun = x + basis @ result.x, -result.fun
    return result


def refine(model: JointModel, x: np.ndarray, steps: int) -> optimize.OptimizeResult:
    """:func:`climb` from a place near an optimum, along the axes of the curvature there."""
    return climb(model, x, steps, spread=np.linalg.cholesky(curvature(model, x)))


def curvature(model: JointModel, best: np.ndarray) -> np.ndarray:
    """Covariance of the coordinates from the second derivative at the optimum; open directions keep a finite width."""
    information = -model.hessian(best)
    values, vectors = np.linalg.eigh((information + information.T) / 2)
    return (vectors / np.maximum(np.abs(values), 0.05)) @ vectors.T


def _drawn(model: JointModel, n: int, rng: np.random.Generator) -> np.ndarray:
    """Prior draws, half of them with both trees near the recorded preferred orientation."""
    x = model.prior_draws(n, rng)
    near = rng.random(n) < 0.5
    centre = preferred_deg(model.orientation_deg, model.conditions[0].counts) / ANGLE_UNIT_DEG
    at = np.flatnonzero(model.is_angle)
    x[np.ix_(near, at)] = rng.normal(centre, _NEAR_DEG / ANGLE_UNIT_DEG, (int(near.sum()), len(at)))
    return x
