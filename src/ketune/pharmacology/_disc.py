"""Diffusion from a disc of soaked paper into tissue, axisymmetric, with binding, clearance, removal and rinsing.

    R dC/dt = D_f (d2C/dr2 + 1/r dC/dr + d2C/dz2) - R k C       free concentration C(r, z, t), z below the pia
    V_res dC_res/dt = -(flux into the tissue below the paper)   well-stirred paper of radius a

C(r < a, 0, t) = C_res(t) while the paper lies there and no drug passes the surface beside it; from its removal on
the whole surface is rinsed, C(r, 0, t) = 0. The far ends are sealed.

Space is cut into finite volumes. Without the paper the radial and the vertical operator commute, and their
eigenvectors depend on the grid alone, so every implicit step is diagonal but for the unknown fluxes below the paper,
one for each ring of it. Time before removal is marched by Alexander's L-stable two-stage scheme (Alexander 1977,
SIAM J Numer Anal 14:1006) in steps that grow with time; after removal time is exact. All arithmetic is in terms of
``xp`` (NumPy or jax.numpy), so the solution can be differentiated in every number but the radius. Units: um, s.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ketune.pharmacology._diffusion import Medium

Array = NDArray[np.float64]

_FAR_UM = 8000.0
_STEPS = 240  # before removal; 0.1 % from the limit of short steps wherever there is more than 1 uM of 36 500
_FIRST_STEP = 1e-5  # share of the time marched
_EDGE_UM = 0.5
_GAMMA = 1.0 - 0.5 * np.sqrt(2.0)


@dataclass(frozen=True, eq=False)
class Disc:
    """The grid below a paper of one radius, and its eigenvectors; see ``disc``.

    ``r`` and ``z`` are cell centres, ``area`` the rings' areas, ``width`` the layers' thickness; ``covered`` is the
    number of rings below the paper. ``lateral`` belongs to the radial operator, ``sealed`` and ``rinsed`` to the
    vertical one with those boundary conditions at the surface: eigenvalues (1/um2) and orthonormal columns.
    """

    radius_um: float
    r: Array
    area: Array
    z: Array
    width: Array
    covered: int
    lateral: tuple[Array, Array]
    sealed: tuple[Array, Array]
    rinsed: tuple[Array, Array]


@lru_cache(maxsize=8)
def disc(radius_um: float) -> Disc:
    """Grid for a paper of that radius: 0.5 um cells at its edge, 1 um at the surface, some 10 um where drug goes."""
    inward = _widths(_EDGE_UM, 1.16, max(25.0, 0.04 * radius_um), radius_um)
    inward *= radius_um / inward.sum()
    outward = np.concatenate([_widths(_EDGE_UM, 1.16, 12.0, 700.0), _widths(12.0, 1.15, 1000.0, _FAR_UM)])
    r_face = np.concatenate([[0.0], np.cumsum(np.concatenate([inward[::-1], outward]))])
    width = np.concatenate([_widths(1.0, 1.05, 7.0, 800.0), _widths(7.0, 1.15, 1000.0, _FAR_UM)])
    z_face = np.concatenate([[0.0], np.cumsum(width)])
    r, z = 0.5 * (r_face[1:] + r_face[:-1]), 0.5 * (z_face[1:] + z_face[:-1])
    area = np.pi * np.diff(r_face**2)
    across = 2.0 * np.pi * r_face[1:-1] / np.diff(r)
    down = 1.0 / np.diff(z)
    top = 1.0 / z[0]
    return Disc(
        radius_um=radius_um,
        r=r,
        area=area,
        z=z,
        width=width,
        covered=inward.size,
        lateral=_modes(area, across, 0.0),
        sealed=_modes(width, down, 0.0),
        rinsed=_modes(width, down, top),
    )


def _widths(first: float, growth: float, largest: float, total: float) -> Array:
    out = [first]
    while sum(out) < total:
        out.append(min(out[-1] * growth, largest))
    return np.array(out)


def _modes(capacity: Array, conductance: Array, at_surface: float) -> tuple[Array, Array]:
    """Eigenvalues and vectors of W^-1/2 K W^-1/2, W the capacities and K the conductances between cells."""
    from scipy.linalg import eigh_tridiagonal

    diagonal = np.zeros(capacity.size)
    diagonal[:-1] += conductance
    diagonal[1:] += conductance
    diagonal[0] += at_surface
    root = np.sqrt(capacity)
    rate, vectors = eigh_tridiagonal(diagonal / capacity, -conductance / (root[:-1] * root[1:]))
    return np.maximum(rate, 0.0), vectors


@dataclass(frozen=True, eq=False)
class DiscProfile:
    """Solution for a paper that held concentration 1.

    ``free`` (t, r, z) is at the cells' centres with the surface as first z; the amounts (t,), in concentration
    times um3, sum to what the paper held.
    """

    free: Any
    reservoir: Any
    tissue: Any
    cleared: Any
    rinsed: Any


@dataclass(frozen=True)
class Soaked:
    """Tissue and paper in numbers, each of which may be traced by JAX.

    ``reservoir_um`` is the solution per area of paper, infinite where it is kept wet; ``paper_s`` when the paper is
    removed, infinite where it stays.
    """

    medium: Medium
    reservoir_um: Any
    paper_s: Any


def solve_disc(grid: Disc, paper: Soaked, times_s: Array, xp: Any = np) -> DiscProfile:
    """Free drug after a paper with concentration 1 is laid on at t = 0 and removed, with rinsing.

    Args:
        grid: of the paper's radius.
        paper: its numbers and the tissue's.
        times_s: (t,) zero or more, in any order.
        xp: NumPy or jax.numpy.
    """
    d_f, retention, k = paper.medium.diffusion_um2_s, paper.medium.retention, paper.medium.clearance_per_s
    times = np.asarray(times_s, dtype=np.float64)
    on_s = xp.minimum(paper.paper_s, float(times.max(initial=0.0)))
    x, reservoir, cleared = _march(grid, paper, times, on_s, xp)
    (lam, phi), (_, psi), (mu, psi_rinsed) = grid.lateral, grid.sealed, grid.rinsed
    lying = xp.asarray(times) <= paper.paper_s
    root_area, root_width = np.sqrt(grid.area), np.sqrt(grid.width)

    # After removal, from the last state with the paper: x[-1].
    after = xp.where(lying, 0.0, xp.asarray(times) - on_s)
    decay = k + d_f / retention * (lam[:, None] + mu[None, :])
    left = xp.exp(-decay * after[:, None, None])
    start = x[-1] @ (psi.T @ psi_rinsed)
    integral = start * (1.0 - left) / decay
    x_rinsed = start * left
    free = xp.where(lying[:, None, None], phi @ x[:-1] @ psi.T, phi @ x_rinsed @ psi_rinsed.T)
    free = free / (root_area[:, None] * root_width[None, :])
    amount = retention * ((root_area @ phi) @ integral @ (root_width @ psi_rinsed))
    through = d_f / (grid.z[0] * root_width[0]) * ((root_area @ phi) @ integral @ psi_rinsed[0])

    tissue = retention * xp.sum(free * (grid.area[:, None] * grid.width[None, :]), axis=(1, 2))
    under = np.arange(grid.r.size) < grid.covered
    surface = xp.where(under, reservoir[:-1, None], free[:, :, 0])
    surface = xp.where(lying[:, None], surface, 0.0)
    held = paper.reservoir_um * np.pi * grid.radius_um**2
    return DiscProfile(
        free=xp.maximum(xp.concatenate([surface[:, :, None], free], axis=2), 0.0),
        reservoir=xp.where(lying, held * reservoir[:-1], 0.0),
        tissue=tissue,
        cleared=xp.where(lying, cleared[:-1], cleared[-1] + k * amount),
        rinsed=xp.where(lying, 0.0, held * reservoir[-1] + through),
    )


def _march(grid: Disc, paper: Soaked, times: Array, on_s: Any, xp: Any) -> tuple[Any, Any, Any]:
    """Modal state, paper and cleared amount at ``times``, none later than ``on_s``, and last at ``on_s`` itself."""
    d_f, retention, k = paper.medium.diffusion_um2_s, paper.medium.retention, paper.medium.clearance_per_s
    (lam, phi), (mu, psi) = grid.lateral, grid.sealed
    p = grid.covered
    to_ring = phi[:p] / np.sqrt(grid.area[:p])[:, None]  # (ring, mode)
    to_top = psi[0] / np.sqrt(grid.width[0])  # (mode,)
    mass = np.outer(np.sqrt(grid.area) @ phi, np.sqrt(grid.width) @ psi)
    resistance = grid.z[0] / (d_f * grid.area[:p])
    per_held = 1.0 / (paper.reservoir_um * np.pi * grid.radius_um**2)
    decay = k + d_f / retention * (lam[:, None] + mu[None, :])

    def implicit(x: Any, held: Any, step: Any) -> tuple[Any, Any]:
        """Solve y = (x, held) + step f(y); the unknowns are the fluxes q through the rings below the paper."""
        damp = 1.0 / (1.0 + step * decay)
        free = damp * x
        response = (step / retention) * (to_ring * (damp @ to_top**2)) @ to_ring.T
        system = response + xp.diag(resistance) + step * per_held
        flux = xp.linalg.solve(system, held - to_ring @ (free @ to_top))
        y = free + (step / retention) * damp * ((to_ring.T @ flux)[:, None] * to_top)
        return y, held - step * per_held * xp.sum(flux)

    def step(state: tuple[Any, Any, Any], dt: Any) -> tuple[Any, Any, Any]:
        x, held, cleared = state
        x_1, held_1 = implicit(x, held, _GAMMA * dt)
        ahead = (1.0 - _GAMMA) / _GAMMA
        x_2, held_2 = implicit(x + ahead * (x_1 - x), held + ahead * (held_1 - held), _GAMMA * dt)
        tissue_1, tissue_2 = (retention * xp.sum(mass * y) for y in (x_1, x_2))
        return x_2, held_2, cleared + dt * k * ((1.0 - _GAMMA) * tissue_1 + _GAMMA * tissue_2)

    base = np.concatenate([[0.0], np.geomspace(_FIRST_STEP, 1.0, _STEPS)])
    asked = xp.concatenate([xp.minimum(xp.asarray(times), on_s), xp.reshape(xp.asarray(on_s), (1,))])
    knots = xp.sort(xp.concatenate([on_s * base, asked]))
    where = xp.searchsorted(knots, asked)
    start = (xp.zeros((lam.size, mu.size)), xp.ones(()), xp.zeros(()))
    if xp is np:
        reached, state = {}, start
        for i, dt in enumerate(np.diff(knots, prepend=0.0)):
            state = step(state, dt) if dt > 0 else state
            if i in where:
                reached[i] = state
        x, concentration, cleared = zip(*(reached[i] for i in where), strict=True)
        return np.stack(x), np.array(concentration), np.array(cleared)
    from jax import checkpoint, lax

    dts = xp.diff(knots, prepend=0.0)

    def body(carry: Any, item: Any) -> tuple[Any, None]:
        state, kept = carry
        i, dt = item
        state = step(state, dt)
        hit = where == i
        kept = tuple(
            xp.where(xp.reshape(hit, hit.shape + (1,) * new.ndim), new, old)
            for new, old in zip(state, kept, strict=True)
        )
        return (state, kept), None

    empty = tuple(xp.zeros((asked.size, *part.shape)) for part in start)
    (_, (x, concentration, cleared)), _ = lax.scan(
        checkpoint(body), (start, empty), (xp.arange(dts.size), dts)
    )
    return x, concentration, cleared


def read_off(grid: Disc, free: Any, depth_um: Array, r_um: Any, xp: Any = np) -> Any:
    """Concentration (t, n) at depths (n,) and distances from the paper's middle (n,): local cubics in r and z."""
    iz, wz = _cubic(np.concatenate([[0.0], grid.z]), xp.asarray(depth_um), xp)
    ir, wr = _cubic(grid.r, xp.asarray(r_um), xp)
    four = free[:, ir[:, :, None], iz[:, None, :]]
    return xp.maximum(xp.einsum("tnab,na,nb->tn", four, wr, wz), 0.0)


def _cubic(nodes: Array, at: Any, xp: Any) -> tuple[Any, Any]:
    """Indices (n, 4) of the nodes around each point and their Lagrange weights (n, 4)."""
    at = xp.clip(at, 0.0, nodes[-1])
    first = xp.clip(xp.searchsorted(xp.asarray(nodes), at) - 2, 0, nodes.size - 4)
    index = first[:, None] + np.arange(4)
    x = xp.asarray(nodes)[index]
    weights = [_product([(at - x[:, j]) / (x[:, i] - x[:, j]) for j in range(4) if j != i]) for i in range(4)]
    return index, xp.stack(weights, axis=1)


def _product(factors: list[Any]) -> Any:
    out = factors[0]
    for factor in factors[1:]:
        out = out * factor
    return out
