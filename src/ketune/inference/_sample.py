"""Draws from the posterior by the No-U-Turn sampler."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Array

from ketune._jax import jax, jnp
from ketune.inference._coordinates import ANGLE_UNIT_DEG
from ketune.inference._density import Data, Structure, log_density
from ketune.inference._model import JointModel
from ketune.inference._starts import curvature

# An orientation is the angle of a point in the plane that is kept near the unit circle: no seam at 0 and 180 degrees.
_RADIUS_SD = 0.15
_TURN = 2.0 * np.deg2rad(ANGLE_UNIT_DEG)
_TARGET_ACCEPTANCE = 0.85
_LARGEST_DEPTH = 8
# Starts lie this many standard deviations out, so that chains that agree have found the same place.
_DISPERSION = 1.5
_FIRST_STEP = 0.5
_SMALLEST_SHARE, _FURTHER_CHAINS = 0.02, 2
_PAIRS = (("ampa_nS", "nmda_nS"), ("pv_nS", "sst_nS"))
_SLOPE_RANGE = (0.1, 10.0)


@dataclass(frozen=True, eq=False)
class Draws:
    """Posterior draws.

    Attributes
    ----------
    coordinates
        ``(chains, draws, parameters)``; orientations in [0, 9) units of 20 degrees.
    log_density, diverging, acceptance, steps
        ``(chains, draws)`` each: of the sampler.
    """

    coordinates: np.ndarray
    log_density: np.ndarray
    diverging: np.ndarray
    acceptance: np.ndarray
    steps: np.ndarray

    @property
    def gradients(self) -> int:
        """Gradients that the kept draws took."""
        return int(self.steps.sum())


def sample_modes(
    model: JointModel,
    modes: Sequence[np.ndarray],
    *,
    seed: int,
    chains: int = 4,
    warm_up: int = 120,
    draws: int = 250,
    on_chain: Callable[[], None] | None = None,
) -> Draws:
    """Sample around each mode of the posterior, and mix the draws by the modes' evidence.

    A chain cannot pass between modes that are far apart. The share of a mode is that of its Gaussian approximation
    (Laplace); modes with less than 2 % are left out.

    Parameters
    ----------
    modes
        Coordinates, the best first: :attr:`Optimum.modes`.
    """
    covariances = [curvature(model, x) for x in modes]
    log_share = np.array(
        [
            model.value_and_gradient(x)[0] + 0.5 * np.linalg.slogdet(c)[1]
            for x, c in zip(modes, covariances, strict=True)
        ]
    )
    share = np.exp(log_share - log_share.max())
    share = np.where(share / share.sum() < _SMALLEST_SHARE, 0.0, share)
    share /= share.sum()
    found: dict[int, Draws] = {}
    best = int(np.argmax(share))
    for i in np.flatnonzero(share).tolist():
        found[i] = sample(
            model,
            modes[i],
            covariances[i],
            seed=seed + i,
            chains=chains if i == best else _FURTHER_CHAINS,
            warm_up=warm_up,
            draws=draws,
            on_chain=on_chain,
        )
    main = found.pop(best)
    if not found:
        return main
    rng = np.random.default_rng([seed, 33])
    whose = rng.choice(len(modes), size=main.log_density.shape, p=share)
    columns = {f.name: getattr(main, f.name).copy() for f in fields(Draws)}
    for i, other in found.items():
        here = whose == i
        pick = rng.choice(other.log_density.size, size=int(here.sum()))
        for name, column in columns.items():
            values = getattr(other, name)
            column[here] = values.reshape(-1, *values.shape[2:])[pick]
    return Draws(**columns)


def sample(
    model: JointModel,
    best: np.ndarray,
    covariance: np.ndarray,
    *,
    seed: int,
    chains: int = 4,
    warm_up: int = 120,
    draws: int = 250,
    on_chain: Callable[[], None] | None = None,
) -> Draws:
    """Sample the posterior from over-dispersed starts around the optimum.

    Parameters
    ----------
    covariance
        From :func:`curvature`: the sampler moves in coordinates in which it is the identity.
    warm_up, draws
        Of each chain.
    """
    from blackjax.adaptation.step_size import dual_averaging_adaptation

    plane = Plane(model.structure)
    weights = plane.weights(best, covariance)
    centre, spread = plane.lifted(best, weights), plane.lifted_covariance(best, covariance, weights)
    rng = np.random.default_rng([seed, 31])
    keys = np.random.default_rng([seed, 32]).integers(2**31, size=(chains, 2 * warm_up + draws))
    begin, adapt, settled = dual_averaging_adaptation(_TARGET_ACCEPTANCE)
    size = len(centre)
    at = _DISPERSION * rng.standard_normal((chains, size))
    at = centre + at @ np.linalg.cholesky(spread).T

    def walk(
        chain: int, start: np.ndarray, lower: np.ndarray, first: int, n: int, step_size: float | None
    ) -> tuple[list[Any], float]:
        """``n`` draws of a chain in the coordinates that ``lower`` whitens; adapts the step where none is given."""
        space = (model.data, jnp.asarray(weights), jnp.asarray(centre), jnp.asarray(lower))
        state = _begun(model.structure, space, jnp.asarray(np.linalg.solve(lower, start - centre)))
        tuned = begin(_FIRST_STEP) if step_size is None else None
        found = []
        for i in range(n):
            size_now = float(jnp.exp(tuned.log_step_size)) if tuned is not None else step_size
            state, info = _stepped(model.structure, space, state, keys[chain, first + i], size_now)
            found.append(
                (
                    centre + lower @ np.asarray(state.position),
                    float(state.logdensity),
                    bool(info.is_divergent),
                    float(info.acceptance_rate),
                    int(info.num_integration_steps),
                )
            )
            if tuned is not None:
                tuned = adapt(tuned, info.acceptance_rate)
        return found, float(settled(tuned)) if tuned is not None else float(step_size or 0.0)

    def positions(walks: list[list[Any]], last: int) -> np.ndarray:
        return np.array([row[0] for found in walks for row in found[-last:]])

    half = warm_up // 2
    lower = np.linalg.cholesky(spread)
    early = [walk(c, at[c], lower, 0, warm_up, None)[0] for c in range(chains)]
    seen = positions(early, half)
    # The chains' own covariance, shrunk towards the curvature's by as many draws as there are coordinates.
    share = len(seen) / (len(seen) + 10.0 * size)
    lower = np.linalg.cholesky(share * np.cov(seen.T) + (1 - share) * spread)
    kept = []
    for c in range(chains):
        tuning, step_size = walk(c, early[c][-1][0], lower, warm_up, half, None)
        kept.append(walk(c, tuning[-1][0], lower, warm_up + half, draws, step_size)[0])
        if on_chain is not None:
            on_chain()
    y, value, diverging, acceptance, steps = (
        np.array([[row[k] for row in found] for found in kept]) for k in range(5)
    )
    return Draws(plane.lowered(y, weights), value, diverging, acceptance, steps)


Space = tuple[Data, Array, Array, Array]
"""Data, weights of the pairs, centre and whitening matrix."""


@partial(jax.jit, static_argnums=0)
def _begun(structure: Structure, space: Space, start: Array) -> Any:
    import blackjax

    return blackjax.nuts.init(start, _whitened(structure, space))


@partial(jax.jit, static_argnums=0)
def _stepped(structure: Structure, space: Space, state: Any, seed: Any, step_size: Any) -> Any:
    import blackjax

    return blackjax.nuts.build_kernel()(
        jax.random.PRNGKey(seed),
        state,
        _whitened(structure, space),
        step_size,
        jnp.ones(len(space[2])),
        _LARGEST_DEPTH,
    )


def _whitened(structure: Structure, space: Space) -> Callable[[Array], Array]:
    data, weights, centre, lower = space
    plane = Plane(structure)
    return lambda y: plane.log_density(data, weights, centre + lower @ y)


class Plane:
    """The sampler's coordinates, in which the posterior is straighter than in the model's.

    Orientations are two numbers each. Counts determine the sum of two conductances of one sign much better than each:
    the logarithms of such a pair become the logarithm of their weighted sum and of their ratio, a change of volume one.
    """

    def __init__(self, structure: Structure) -> None:
        self.structure = structure
        names = [p.name for p in structure.parameters]
        self.angles = np.flatnonzero([p.scale == "orientation" for p in structure.parameters])
        self.others = np.setdiff1d(np.arange(len(names)), self.angles)
        place = {int(k): i for i, k in enumerate(self.others)}
        self.pairs = tuple(tuple(place[names.index(n)] for n in pair) for pair in _PAIRS)

    def weights(self, best: np.ndarray, covariance: np.ndarray) -> np.ndarray:
        """Weight of the second conductance of each pair, from the direction that the data determine best."""
        stiff = np.linalg.eigh(covariance)[1][:, 0][self.others]
        found = []
        for a, b in self.pairs:
            slope = stiff[b] / stiff[a] if stiff[a] != 0 else 1.0
            share = np.clip(slope, *_SLOPE_RANGE)
            found.append(share * np.exp(best[self.others[a]] - best[self.others[b]]))
        return np.array(found)

    def lifted(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The sampler's coordinates of the model's ``x``."""
        own, turn = x[self.others].copy(), x[self.angles] * _TURN
        for (a, b), w in zip(self.pairs, weights, strict=True):
            own[a], own[b] = np.logaddexp(own[a], np.log(w) + own[b]), own[b] - own[a]
        return np.concatenate([own, np.cos(turn), np.sin(turn)])

    def lifted_covariance(self, best: np.ndarray, covariance: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Covariance of the sampler's coordinates, the distance from the circle included."""
        step = 1e-5
        jacobian = np.stack(
            [
                (self.lifted(best + step * e, weights) - self.lifted(best - step * e, weights)) / (2 * step)
                for e in np.eye(len(best))
            ],
            axis=1,
        )
        spread = jacobian @ covariance @ jacobian.T
        m, a = len(self.others), len(self.angles)
        turn = best[self.angles] * _TURN
        for i in range(a):
            radial = np.zeros(m + 2 * a)
            radial[m + i], radial[m + a + i] = np.cos(turn[i]), np.sin(turn[i])
            spread += _RADIUS_SD**2 * np.outer(radial, radial)
        return spread + 1e-10 * np.eye(m + 2 * a)

    def lowered(self, y: Any, weights: Any, xp: Any = np) -> Any:
        """The model's coordinates of ``y (..., size)``."""
        m, a = len(self.others), len(self.angles)
        columns = [y[..., i] for i in range(m)]
        for k, (i, j) in enumerate(self.pairs):
            total, ratio = columns[i], columns[j]
            columns[i] = total - xp.logaddexp(0.0, xp.log(weights[k]) + ratio)
            columns[j] = columns[i] + ratio
        turns = xp.arctan2(y[..., m + a :], y[..., m : m + a]) / _TURN
        every: list[Any] = [None] * (m + a)
        for k, column in zip(self.others, columns, strict=True):
            every[int(k)] = column
        for i, k in enumerate(self.angles.tolist()):
            every[k] = xp.mod(turns[..., i], 180.0 / ANGLE_UNIT_DEG)
        return xp.stack(every, axis=-1)

    def log_density(self, data: Data, weights: Array, y: Array) -> Array:
        m, a = len(self.others), len(self.angles)
        radius = jnp.hypot(y[m : m + a], y[m + a :])
        # The Jacobian of polar coordinates keeps the orientation uniform.
        ring = -0.5 * ((radius - 1.0) / _RADIUS_SD) ** 2 - jnp.log(radius)
        return log_density(self.structure, data, self.lowered(y, weights, jnp)) + ring.sum()
