"""Posterior of a potency and a Hill coefficient from block measurements, by sums over grids.

    y_ij = A f(C_i; x + b_j, n) + e_ij,    e ~ N(0, sigma^2),    b_j ~ N(0, tau^2) for each preparation j

x is the logarithm of the potency. b_j is integrated on a grid of its own, sigma and tau on theirs; the nuisances
(Mg affinity, electrical distance, largest block) are drawn from their laws and weighted by the data, with draws that
move to where the weight is (adaptive importance sampling; Cappe et al. 2004). Each axis starts at its prior and
shrinks to where the posterior is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ketune.pharmacology._assay_file import AssayRow
from ketune.pharmacology._assay_law import Law, rows_law

Array = NDArray[np.float64]

# The priors, all weak and all ours; docs/assay.md states them.
SPAN = 100.0
"""IC50: uniform in its logarithm from the lowest concentration over this factor to the highest times it."""
HILL_95 = 2.5
"""Hill coefficient: lognormal about 1 with 95 % between 1 / this and this."""
NOISE_MEDIAN, NOISE_95 = 0.05, 5.0
"""SD of a measurement of block: lognormal with this median and 95 % within this factor of it."""
BETWEEN = 0.5
"""SD of ln IC50 between preparations: half-normal with this scale (95 % below a factor of 2.7)."""

_Z95 = 1.959963984540054
_NEGLIGIBLE = 1e-5


class Draws(NamedTuple):
    """Draws from the posterior, (s,) each, and what is known of the fit.

    ``in_assay`` is ln of the IC50 in the mean condition of the rows, whose prior is uniform over ``span``.
    """

    ln_potency: Array
    ln_hill: Array
    in_assay: Array
    nuisance: dict[str, Array]
    span: tuple[float, float]
    noise_sd: float
    between_sd: float
    effective_draws: float


@dataclass
class _Axes:
    """Nodes of potency x, ln Hill, ln sigma, ln tau, and of a preparation's own potency."""

    x: Array
    hill: Array
    sigma: Array
    tau: Array
    own: Array


class _Slice(NamedTuple):
    """The log posterior under one draw of the nuisances: over (x, hill), and its marginals of sigma and tau."""

    log: Array
    sigma: Array
    tau: Array
    own: Array  # where any preparation's likelihood is not negligible


def posterior(
    law: Law,
    rows: Sequence[AssayRow],
    *,
    preparations: bool,
    seed: int,
    n_draws: int,
    n_nuisance: int = 128,
) -> Draws:
    """Draws of potency and Hill coefficient.

    Args:
        law: how block depends on them.
        rows: the measurements; at least one with a concentration above zero.
        preparations: whether rows of one ``preparation`` share a deviation of their own.
        seed: seed of the nuisances and the draws.
        n_draws: number of draws.
        n_nuisance: draws of the nuisances in the end; fewer while their region is sought.
    """
    from scipy.special import logsumexp, ndtr

    rng = np.random.default_rng(seed)
    y = np.array([row.block for row in rows])
    names = [row.preparation for row in rows]
    groups = [np.array([n == name for n in names]) for name in dict.fromkeys(names)] if preparations else []
    tested = [row.concentration_uM for row in rows if row.concentration_uM > 0]
    span = (math.log(min(tested) / SPAN), math.log(max(tested) * SPAN))
    d = len(law.nuisances)
    sizes = tuple(n_nuisance // k for k in ((8, 8, 4, 3, 1) if preparations else (4, 4, 2, 2, 1)))
    axes = _start(span, preparations)
    proposal = _Proposal(d)
    # Two rounds find the region of the potency, the third those of the noise and the nuisances, the last is finer.
    for n_round in range(5):
        last = n_round == 4
        m = sizes[n_round] if d else 1
        z = proposal.draw(rng, m)
        nuisance = law.draws(ndtr(z))
        mean, block = rows_law(law, rows, nuisance, m)
        if last:
            # Finer, since draws are spread over their cells; coarser again where there are many slices.
            fine_x, fine_hill = (161, 65) if not d else (49, 25) if preparations else (65, 33)
            axes.x = np.linspace(axes.x[0], axes.x[-1], fine_x)
            axes.hill = np.linspace(axes.hill[0], axes.hill[-1], fine_hill)
        kernels = _kernels(axes) if preparations else None
        slices = [_slice(partial(block, k), y, groups, axes, kernels) for k in range(m)]
        evidence = np.array([logsumexp(s.log) for s in slices]) + proposal.log_weight(z)
        weight = np.exp(evidence - evidence.max())
        weight /= weight.sum()
        if not last:
            _shrink(axes, slices, weight if n_round > 1 else (evidence > evidence.max() - 20.0), n_round > 1)
            if n_round > 1:
                proposal.move(z, weight)
    mass = np.stack([np.exp(s.log - logsumexp(s.log)) for s in slices]) * weight[:, None, None]
    # Systematic: as even as draws can be.
    ladder = np.cumsum(mass.ravel())
    chosen = np.searchsorted(ladder / ladder[-1], (np.arange(n_draws) + rng.random()) / n_draws)
    draw, i, j = np.unravel_index(np.minimum(chosen, mass.size - 1), mass.shape)
    jitter = rng.random((2, n_draws)) - 0.5
    in_assay = np.clip(axes.x[i] + jitter[0] * (axes.x[1] - axes.x[0]), *span)
    return Draws(
        ln_potency=in_assay - mean[draw],
        ln_hill=axes.hill[j] + jitter[1] * (axes.hill[1] - axes.hill[0]),
        in_assay=in_assay,
        nuisance={name: values[draw] for name, values in nuisance.items()},
        span=span,
        noise_sd=_median(axes.sigma, sum(w * s.sigma for w, s in zip(weight, slices, strict=True))),
        between_sd=_median(axes.tau, sum(w * s.tau for w, s in zip(weight, slices, strict=True)))
        if preparations
        else math.nan,
        effective_draws=float(1.0 / np.sum(weight**2)),
    )


def _start(span: tuple[float, float], preparations: bool) -> _Axes:
    noise = math.log(NOISE_95) / _Z95
    return _Axes(
        x=np.linspace(*span, 41 if preparations else 97),
        hill=np.linspace(-1, 1, 17) * 4.0 * math.log(HILL_95) / _Z95,
        sigma=math.log(NOISE_MEDIAN) + np.linspace(-4.0, 4.0, 9) * noise,
        tau=np.log(np.geomspace(0.01, 4.0 * BETWEEN, 8)),
        own=np.linspace(*span, 161),
    )


def _log_priors(axes: _Axes) -> tuple[Array, Array, Array]:
    hill = -0.5 * (axes.hill * _Z95 / math.log(HILL_95)) ** 2
    sigma = -0.5 * ((axes.sigma - math.log(NOISE_MEDIAN)) * _Z95 / math.log(NOISE_95)) ** 2
    tau = -0.5 * np.exp(2.0 * axes.tau) / BETWEEN**2 + axes.tau
    return hill, sigma, tau


def _kernels(axes: _Axes) -> NDArray[np.float32]:
    """Probability that a preparation's potency lies in a cell of its grid: (pieces, rows, own), where pieces and rows
    together are (tau, x).
    """
    from scipy.special import ndtr

    step = axes.own[1] - axes.own[0]
    edges = np.append(axes.own - 0.5 * step, axes.own[-1] + 0.5 * step)
    away = (edges - axes.x[:, None]) / np.exp(axes.tau)[:, None, None]
    share = np.diff(ndtr(away), axis=2).astype(np.float32)
    return np.where(share > 1e-12, share, np.float32(0.0)).reshape(-1, len(axes.tau) // 2, len(axes.own))


def _slice(
    block: Callable[[Array, Array], Array],
    y: Array,
    groups: list[Array],
    axes: _Axes,
    kernels: NDArray[np.float32] | None,
) -> _Slice:
    hill, sigma, tau = _log_priors(axes)
    precision = np.exp(-2.0 * axes.sigma)

    def log_likelihood(squares: Array, n: int) -> Array:
        return -0.5 * squares[..., None] * precision - n * axes.sigma

    if kernels is None:
        squares = np.sum((y[:, None, None] - block(axes.x, axes.hill)) ** 2, axis=0)
        full = (log_likelihood(squares, len(y)) + hill[:, None] + sigma)[None]
        own = np.ones(len(axes.own), bool)
    else:
        residual = (y[:, None, None] - block(axes.own, axes.hill)) ** 2
        full = np.zeros((len(tau), len(axes.x), len(hill), len(sigma)))
        own = np.zeros(len(axes.own), bool)
        for group in groups:
            log = log_likelihood(residual[group].sum(axis=0), int(group.sum()))
            highest = log.max(axis=0)
            # In single precision without denormal numbers and in small pieces: denormals, and threads that wait for
            # one another on a busy machine, would each make this product many times as slow.
            scaled = np.exp(np.maximum(log - highest, -60.0).astype(np.float32)).reshape(len(axes.own), -1)
            seen = (kernels @ scaled).reshape(full.shape)
            full += np.log(np.maximum(seen, 1e-30)) + highest
            profile = log.max(axis=(1, 2))
            own |= profile > profile.max() + math.log(_NEGLIGIBLE)
        full += tau[:, None, None, None] + hill[:, None] + sigma
    highest_of_all = full.max()
    density = np.exp(full - highest_of_all)
    return _Slice(
        log=np.log(np.maximum(density.sum(axis=(0, 3)), 1e-300)) + highest_of_all,
        sigma=density.sum(axis=(0, 1, 2)) / density.sum(),
        tau=density.sum(axis=(1, 2, 3)) / density.sum(),
        own=own,
    )


def _shrink(axes: _Axes, slices: list[_Slice], weight: Array, noise_too: bool) -> None:
    x, hill, sigma, tau = (np.zeros(len(a)) for a in (axes.x, axes.hill, axes.sigma, axes.tau))
    own = np.zeros(len(axes.own), bool)
    for w, s in zip(weight, slices, strict=True):
        if w > _NEGLIGIBLE:
            density = np.exp(s.log - s.log.max())
            # The union over draws, so that none that matters is cut.
            x = np.maximum(x, w * density.sum(axis=1) / density.sum(axis=1).max())
            hill = np.maximum(hill, w * density.sum(axis=0) / density.sum(axis=0).max())
            sigma, tau = sigma + w * s.sigma, tau + w * s.tau
            own |= s.own
    axes.x = _region(axes.x, x > _NEGLIGIBLE * x.max())
    axes.hill = _region(axes.hill, hill > _NEGLIGIBLE * hill.max())
    if noise_too:
        axes.sigma = _region(axes.sigma, sigma > _NEGLIGIBLE * sigma.max(), margin=1)
        axes.tau = _region(axes.tau, tau > _NEGLIGIBLE * tau.max(), margin=1)
    reach = 4.0 * math.exp(axes.tau[-1])
    own &= (axes.own >= axes.x[0] - reach) & (axes.own <= axes.x[-1] + reach)
    axes.own = _region(axes.own, own)


def _region(nodes: Array, keep: NDArray[np.bool_], margin: int = 2) -> Array:
    """As many nodes over what is kept and a margin of nodes on either side."""
    where = np.flatnonzero(keep)
    if not where.size:
        return nodes
    first, last = max(where[0] - margin, 0), min(where[-1] + margin, len(nodes) - 1)
    return np.linspace(nodes[first], nodes[last], len(nodes))


def _median(nodes: Array, probability: Array) -> float:
    cumulative = np.cumsum(probability)
    return float(np.exp(np.interp(0.5, cumulative / cumulative[-1] - 0.5 * probability, nodes)))


class _Proposal:
    """Draws of the nuisances as standard normal numbers: the prior first, then a normal law about the weight."""

    def __init__(self, d: int) -> None:
        self.d = d
        self.mean: Array | None = None
        self.root: Array = np.eye(d)

    def draw(self, rng: np.random.Generator, m: int) -> Array:
        from scipy.special import ndtri

        strata = (np.array([rng.permutation(m) for _ in range(self.d)]).reshape(self.d, m).T + 0.5) / m
        z: Array = np.asarray(ndtri(strata))
        if self.mean is not None:
            # A fifth stays with the prior, which bounds the weights.
            moved = rng.permutation(m) >= m // 5
            z[moved] = self.mean + z[moved] @ self.root.T
        return z

    def log_weight(self, z: Array) -> Array:
        """ln of prior over proposal, up to a constant."""
        if self.mean is None:
            return np.zeros(len(z))
        away = np.linalg.solve(self.root, (z - self.mean).T)
        determinant = np.log(np.abs(np.diag(self.root))).sum()
        log_moved = -0.5 * np.sum(away**2, axis=0) - determinant
        log_prior = -0.5 * np.sum(z**2, axis=1)
        return log_prior - np.logaddexp(np.log(0.8) + log_moved, np.log(0.2) + log_prior)

    def move(self, z: Array, weight: Array) -> None:
        """Follow the weighted draws, a little wider than they are."""
        if not self.d:
            return
        self.mean = mean = weight @ z
        covariance = ((z - mean).T * weight) @ (z - mean)
        self.root = np.asarray(np.linalg.cholesky(1.5**2 * covariance + 0.1**2 * np.eye(self.d)))
