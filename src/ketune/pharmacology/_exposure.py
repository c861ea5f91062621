"""Concentration of free drug over time and depth, by route."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ketune.errors import InputError
from ketune.pharmacology._diffusion import Medium, constant_surface, solve
from ketune.pharmacology._drug import Drug
from ketune.units import parse_concentration

Array = NDArray[np.float64]

CORTEX_UM = 2000.0
"""Deepest soma that is accepted (um), beyond the cortex of cat and mouse: a guard against a wrong unit."""


@dataclass(frozen=True)
class Topical:
    """A soaked paper on the pia: finite reservoir, removed and rinsed after ``paper_min`` minutes.

    ``surface_uM`` is the concentration of the solution; ``reservoir_um`` the solution per area of paper (1
    ul/mm2 is 1000 um); ``lateral_um`` the distance from the paper's edge along the surface. Lateral spread
    is one factor exp(-lateral/L), L the steady decay length: an assumption, not solved for.
    """

    surface_uM: float
    reservoir_um: float
    medium: Medium
    lateral_um: float
    paper_min: float

    @property
    def lateral_factor(self) -> float:
        """Share of the concentration below the paper that is left at the neuron's lateral distance."""
        return float(np.exp(-self.lateral_um / self.medium.length_um))


@dataclass(frozen=True)
class ConstantSurface:
    """A paper that is kept wet: the surface stays at ``surface_uM``. Upper bound of ``Topical``."""

    surface_uM: float
    medium: Medium
    lateral_um: float


@dataclass(frozen=True)
class Bath:
    """The same free concentration everywhere from time 0 on (slice, or concentration clamp)."""

    concentration_uM: float


Exposure = Topical | ConstantSurface | Bath

ROUTES = ("topical", "topical-constant", "bath")


def make_exposure(
    drug: Drug,
    route: str,
    dose: str | float,
    *,
    as_base: bool = False,
    overrides: Mapping[str, float] | None = None,
) -> Exposure:
    """Exposure of a route, with the drug's transport parameters.

    Args:
        drug: the drug.
        route: one of ``ROUTES``.
        dose: concentration of the applied solution as text ("10 mg/ml", "500 uM"), or a number in µM.
        as_base: the mass is of the free base instead of the salt.
        overrides: transport parameters by dotted name ("topical.lateral_distance" in um, ...).

    Raises:
        InputError: unknown route, dose without unit, in another dimension or negative, impossible parameter.
    """
    if route not in ROUTES:
        raise InputError(f"unknown route '{route}'; known: {', '.join(ROUTES)}")
    p = drug.values(overrides)
    if isinstance(dose, str):
        uM = parse_concentration(dose, p["molar_mass.base" if as_base else "molar_mass.salt"], "--dose")
    else:
        uM = float(dose)
        if not (np.isfinite(uM) and uM >= 0):
            raise InputError(f"dose of {uM:g} uM: give a finite concentration of zero or more")
    if route == "bath":
        return Bath(uM)
    medium = Medium(p["topical.diffusion"], p["topical.retention"], p["topical.clearance"])
    lateral = p["topical.lateral_distance"]
    if route == "topical-constant":
        return ConstantSurface(uM, medium, lateral)
    return Topical(uM, 1000.0 * p["topical.reservoir"], medium, lateral, p["topical.paper_minutes"])


def concentration(exposure: Exposure, depth_um: ArrayLike, times_min: ArrayLike) -> Array:
    """Free drug in µM at each time and depth.

    Args:
        exposure: a route.
        depth_um: (n,) depths below the pia, zero or more.
        times_min: (t,) minutes since the drug was applied; before 0 there is none.

    Returns:
        (t, n) µM.

    Raises:
        InputError: a depth above the pia or not finite, a time not finite.
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
    applied = minutes > 0
    seconds = 60.0 * np.maximum(minutes, 0.0)
    match exposure:
        case Bath(concentration_uM=c):
            out = np.full((minutes.size, depth.size), c)
        case ConstantSurface(surface_uM=c, medium=medium, lateral_um=x):
            out = np.exp(-x / medium.length_um) * constant_surface(medium, c, depth, seconds)
        case Topical():
            out = exposure.lateral_factor * _below_paper(exposure, depth, seconds)
    return np.where(applied[:, None], out, 0.0)


def topical_concentration(depth_um: ArrayLike, times_min: ArrayLike, exposure: Exposure) -> Array:
    """``concentration`` with the exposure last; (t, n) µM free drug."""
    return concentration(exposure, depth_um, times_min)


def balance(exposure: Topical, times_min: ArrayLike) -> dict[str, Array]:
    """Where the applied drug is, as fractions of what the paper held: reservoir, tissue, cleared, rinsed;
    (t,) each.
    """
    seconds = 60.0 * np.maximum(np.atleast_1d(np.asarray(times_min, dtype=np.float64)), 0.0)
    applied = exposure.reservoir_um  # per unit of concentration, so that a dose of zero has a balance too
    profile = _solve(exposure, 1.0, seconds, 0.0)
    return {name: getattr(profile, name) / applied for name in ("reservoir", "tissue", "cleared", "rinsed")}


def _below_paper(exposure: Topical, depth: Array, seconds: Array) -> Array:
    from scipy.interpolate import PchipInterpolator

    profile = _solve(exposure, exposure.surface_uM, seconds, float(depth.max(initial=0.0)))
    # Monotone cubic: no overshoot where the front is steep, and no negative concentration.
    return np.asarray(PchipInterpolator(profile.depth_um, profile.free, axis=1)(depth), dtype=np.float64)


def _solve(exposure: Topical, surface: float, seconds: Array, deepest: float) -> Any:
    medium = exposure.medium
    longest = float(seconds.max(initial=0.0))
    reach = 8.0 * min(medium.length_um, np.sqrt(2.0 * medium.apparent_diffusion_um2_s * longest) + 1.0)
    far = float(np.clip(max(reach, 1.5 * deepest), 1000.0, 6000.0))
    return solve(medium, exposure.reservoir_um, surface, seconds, 60.0 * exposure.paper_min, far)


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


def _first_bad(values: Array) -> float:
    return float(values[~np.isfinite(values) | (values < 0)][0])
