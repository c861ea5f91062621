"""Concentration of free drug over time and depth, by route."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ketune.errors import InputError
from ketune.pharmacology import _focal, _systemic
from ketune.pharmacology._diffusion import Medium, Profile, constant_surface, solve
from ketune.pharmacology._disc import DiscProfile, Soaked, disc, read_off, solve_disc
from ketune.pharmacology._table import Table, interpolated

Array = NDArray[np.float64]

CORTEX_UM = 2000.0
"""Deepest soma that is accepted (um), beyond the cortex of cat and mouse: a guard against a wrong unit."""

LATEST_MIN = 5e6
"""Latest time that is accepted (min), about ten years: a guard against a wrong unit."""

_TIMES_AT_ONCE = 64  # a solution holds 0.2 MB for each


@dataclass(frozen=True)
class Schedule:
    """Equal doses at 0, ``every_min``, 2 ``every_min``, ...: their concentrations add."""

    every_min: float = 0.0
    n_doses: int = 1


ONCE = Schedule()


@dataclass(frozen=True)
class Topical:
    """A soaked paper on the pia: finite reservoir, removed and rinsed after ``paper_min`` minutes.

    ``surface_uM`` is the concentration of the solution; ``reservoir_um`` the solution per area of paper (1
    ul/mm2 is 1000 um); ``lateral_um`` the distance from the paper's edge along the surface, below zero under the
    paper; ``radius_um`` that of a disc with the paper's area. An infinite radius is a paper without an edge, where
    depth is all that matters.
    """

    surface_uM: Any
    reservoir_um: Any
    medium: Medium
    lateral_um: Any
    paper_min: Any
    radius_um: float = np.inf


@dataclass(frozen=True)
class ConstantSurface:
    """A paper that is kept wet: what it covers stays at ``surface_uM``. Upper bound of ``Topical``."""

    surface_uM: Any
    medium: Medium
    lateral_um: Any
    radius_um: float = np.inf


@dataclass(frozen=True)
class Bath:
    """The same free concentration everywhere from time 0 on (slice, or concentration clamp)."""

    concentration_uM: Any


@dataclass(frozen=True)
class Systemic:
    """Injections into the body: the same free concentration at every depth.

    ``peak_uM`` is the dose times free concentration per dose, reached if uptake were instantaneous; rates per
    minute; ``metabolites`` are (name, share of the eliminated parent that becomes it, its own rate of loss).
    """

    peak_uM: Any
    uptake_per_min: Any
    elimination_per_min: Any
    metabolites: tuple[tuple[str, Any, Any], ...] = ()
    schedule: Schedule = ONCE


@dataclass(frozen=True)
class Puff:
    """Pressure ejections from a pipette: each fills the extracellular space of a sphere at once.

    ``amount`` in uM um3; ``depth_um`` of the tip below the pia, ``lateral_um`` from it to the neuron.
    """

    amount: Any
    radius_um: Any
    medium: Medium
    depth_um: Any
    lateral_um: Any
    schedule: Schedule = ONCE


@dataclass(frozen=True)
class Iontophoresis:
    """A constant ejection current for ``duration_s``, repeatedly if so scheduled; ``rate`` in uM um3/s."""

    rate: Any
    duration_s: Any
    medium: Medium
    depth_um: Any
    lateral_um: Any
    schedule: Schedule = ONCE


Exposure = Topical | ConstantSurface | Bath | Systemic | Puff | Iontophoresis | Table


def concentration(
    exposure: Exposure,
    depth_um: ArrayLike,
    times_min: ArrayLike,
    lateral_um: ArrayLike | None = None,
    *,
    xp: Any = np,
) -> Any:
    """Free drug in µM at each time and depth.

    Args:
        exposure: a route.
        depth_um: (n,) depths below the pia, zero or more.
        times_min: (t,) minutes since the (first) dose; at and before 0 there is none, but where a table says so.
        lateral_um: (n,) or one distance along the surface, from the paper's edge (below zero under the paper) or
            from the pipette's tip; default the exposure's. Without meaning for bath, injections and tables.
        xp: NumPy, or jax.numpy to trace the exposure's numbers.

    Returns:
        (t, n) µM.

    Raises:
        InputError: a depth above the pia or not finite, a time or distance not finite, a point outside a table.
    """
    depth = np.atleast_1d(np.asarray(depth_um, dtype=np.float64))
    minutes = np.atleast_1d(np.asarray(times_min, dtype=np.float64))
    if depth.ndim != 1 or minutes.ndim != 1:
        raise InputError("depths and times must be one-dimensional lists")
    if not np.all(np.isfinite(depth)) or np.any(depth < 0):
        raise InputError(
            f"depth of {_first_bad(depth):g} um: depths are measured downwards from the pia, zero or more"
        )
    if not np.all(np.isfinite(minutes)):
        raise InputError("time: every time must be a finite number of minutes")
    if np.any(minutes > LATEST_MIN):
        raise InputError(f"time of {minutes.max():g} min: give at most {LATEST_MIN:g} min, about ten years")
    if isinstance(exposure, Table):
        return interpolated(exposure, depth, minutes, xp)
    lateral = getattr(exposure, "lateral_um", 0.0) if lateral_um is None else _lateral(lateral_um, depth.size)
    lateral = xp.broadcast_to(xp.asarray(lateral, dtype=float), depth.shape)
    out = _free(exposure, depth, minutes, lateral, xp)
    return xp.where((minutes > 0)[:, None], out, 0.0)


def topical_concentration(depth_um: ArrayLike, times_min: ArrayLike, exposure: Exposure) -> Array:
    """``concentration`` with the exposure last; (t, n) µM free drug."""
    return np.asarray(concentration(exposure, depth_um, times_min))


def metabolites(
    exposure: Exposure, depth_um: ArrayLike, times_min: ArrayLike, *, xp: Any = np
) -> dict[str, Any]:
    """Free metabolites, by the name of the drug that they are, (t, n) µM each; only injections have any.

    Raises:
        InputError: as ``concentration``.
    """
    shape = concentration(Bath(1.0), depth_um, times_min)
    if not isinstance(exposure, Systemic):
        return {}
    minutes = np.atleast_1d(np.asarray(times_min, dtype=np.float64))
    e = exposure
    out = {}
    for name, fraction, loss in e.metabolites:

        def law(t: Any, fraction: Any = fraction, loss: Any = loss) -> Any:
            return _systemic.formed(t, e.peak_uM, e.uptake_per_min, e.elimination_per_min, fraction, loss, xp)

        total = _systemic.repeated(law, minutes, e.schedule.every_min, e.schedule.n_doses, xp)
        out[name] = xp.broadcast_to(total[:, None], shape.shape)
    return out


def balance(exposure: Topical, times_min: ArrayLike) -> dict[str, Array]:
    """Where the applied drug is, as fractions of what the paper held: reservoir, tissue, cleared, rinsed;
    (t,) each.
    """
    seconds = 60.0 * np.maximum(np.atleast_1d(np.asarray(times_min, dtype=np.float64)), 0.0)
    profile: Profile | DiscProfile
    if np.isinf(exposure.radius_um):
        profile = _solve(exposure, 1.0, seconds, 0.0)
        applied = exposure.reservoir_um  # per unit of concentration, so that a dose of zero has a balance too
    else:
        profile = _solve_disc(exposure.radius_um, _disc_numbers(exposure), tuple(seconds))
        applied = exposure.reservoir_um * np.pi * exposure.radius_um**2
    return {name: getattr(profile, name) / applied for name in ("reservoir", "tissue", "cleared", "rinsed")}


def depth_below_pia(
    y_um: ArrayLike, soma_y_um: float, soma_depth_um: float, *, what: str = "--soma-depth"
) -> Array:
    """Depth of each point of a neuron whose +y points towards the pia; points above the pia are put on it.

    Args:
        y_um: (n,) heights in the morphology's own frame.
        soma_y_um: height of the soma in that frame.
        soma_depth_um: depth of the soma below the pia.
        what: the option that the depth came from, for the error message.

    Raises:
        InputError: the soma lies outside the cortex (0 to ``CORTEX_UM``).
    """
    if not (np.isfinite(soma_depth_um) and 0.0 < soma_depth_um <= CORTEX_UM):
        raise InputError(
            f"{what} {soma_depth_um:g} um lies outside the cortex; "
            f"give a depth above 0 and up to {CORTEX_UM:g} um"
        )
    return np.maximum(soma_depth_um - (np.asarray(y_um, dtype=np.float64) - soma_y_um), 0.0)


def _lateral(lateral_um: ArrayLike, n: int) -> Array:
    lateral = np.asarray(lateral_um, dtype=np.float64)
    if lateral.ndim > 1 or lateral.size not in (1, n):
        raise InputError(
            f"lateral distance has shape {lateral.shape}; give one, or one for each of {n} depths"
        )
    if not np.all(np.isfinite(lateral)):
        raise InputError("lateral distance: every one must be a finite number of um")
    return lateral


def _free(exposure: Any, depth: Array, minutes: Array, lateral: Any, xp: Any) -> Any:
    seconds = 60.0 * np.maximum(minutes, 0.0)
    match exposure:
        case Bath(concentration_uM=c):
            return c * xp.ones((minutes.size, depth.size))
        case Systemic(peak_uM=peak, uptake_per_min=ka, elimination_per_min=ke, schedule=s):

            def law(t: Any) -> Any:
                return _systemic.injected(t, peak, ka, ke, xp)

            total = _systemic.repeated(law, minutes, s.every_min, s.n_doses, xp)
            return total[:, None] * xp.ones(depth.size)
        case Puff(schedule=s) | Iontophoresis(schedule=s):

            def law(t: Any) -> Any:
                distances = _distances(exposure, depth, lateral, xp)
                return sum(_from_tip(exposure, r, t, xp) for r in distances)

            return _systemic.repeated(law, 60.0 * minutes, 60.0 * s.every_min, s.n_doses, xp)
        case ConstantSurface(surface_uM=c, medium=medium, radius_um=radius) if np.isinf(radius):
            return constant_surface(medium, c, depth, seconds)
        case Topical(radius_um=radius) if np.isinf(radius):
            return _below_paper(exposure, depth, seconds)
    return _beside_paper(exposure, depth, seconds, lateral, xp)


def _distances(exposure: Puff | Iontophoresis, depth: Array, lateral: Any, xp: Any) -> tuple[Any, ...]:
    """From the tip, and from its mirror image above the pia."""
    return tuple(
        xp.sqrt((depth - sign * exposure.depth_um) ** 2 + lateral**2 + 1e-12) for sign in (1.0, -1.0)
    )


def _from_tip(exposure: Puff | Iontophoresis, distance_um: Any, seconds: Any, xp: Any) -> Any:
    m = exposure.medium
    tissue = (m.apparent_diffusion_um2_s, m.retention, m.clearance_per_s, xp)
    if isinstance(exposure, Puff):
        return _focal.puffed(distance_um, seconds, exposure.amount, exposure.radius_um, *tissue)
    return _focal.ejected(distance_um, seconds, exposure.rate, exposure.duration_s, *tissue)


def _beside_paper(
    exposure: Topical | ConstantSurface, depth: Array, seconds: Array, lateral: Any, xp: Any
) -> Any:
    if xp is np and seconds.size > _TIMES_AT_ONCE:
        parts = np.array_split(seconds, -(-seconds.size // _TIMES_AT_ONCE))
        return np.concatenate([_beside_paper(exposure, depth, part, lateral, xp) for part in parts])
    grid = disc(exposure.radius_um)
    numbers = _disc_numbers(exposure)
    if xp is np:
        profile = _solve_disc(exposure.radius_um, numbers, tuple(seconds))
    else:
        profile = solve_disc(grid, numbers, seconds, xp)
    r = xp.abs(exposure.radius_um + lateral)
    return exposure.surface_uM * read_off(grid, profile.free, depth, r, xp)


def _disc_numbers(exposure: Topical | ConstantSurface) -> Soaked:
    if isinstance(exposure, Topical):
        return Soaked(exposure.medium, exposure.reservoir_um, 60.0 * exposure.paper_min)
    return Soaked(exposure.medium, np.inf, np.inf)


@lru_cache(maxsize=4)
def _solve_disc(radius_um: float, numbers: Soaked, seconds: tuple[float, ...]) -> DiscProfile:
    return solve_disc(disc(radius_um), numbers, np.array(seconds))


def _below_paper(exposure: Topical, depth: Array, seconds: Array) -> Array:
    from scipy.interpolate import PchipInterpolator

    profile = _solve(exposure, exposure.surface_uM, seconds, float(depth.max(initial=0.0)))
    # Monotone cubic: no overshoot where the front is steep, and no negative concentration.
    return np.asarray(PchipInterpolator(profile.depth_um, profile.free, axis=1)(depth), dtype=np.float64)


def _solve(exposure: Topical, surface: float, seconds: Array, deepest: float) -> Profile:
    medium = exposure.medium
    longest = float(seconds.max(initial=0.0))
    reach = 8.0 * min(medium.length_um, np.sqrt(2.0 * medium.apparent_diffusion_um2_s * longest) + 1.0)
    far = float(np.clip(max(reach, 1.5 * deepest), 1000.0, 6000.0))
    return solve(medium, exposure.reservoir_um, surface, seconds, 60.0 * exposure.paper_min, far)


def _first_bad(values: Array) -> float:
    return float(values[~np.isfinite(values) | (values < 0)][0])
