"""From a route and a dose, as a person writes them, to an exposure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ketune.errors import InputError
from ketune.pharmacology import _focal
from ketune.pharmacology._diffusion import Medium
from ketune.pharmacology._drug import Drug
from ketune.pharmacology._exposure import (
    ONCE,
    Bath,
    ConstantSurface,
    Exposure,
    Iontophoresis,
    Puff,
    Schedule,
    Systemic,
    Topical,
)
from ketune.pharmacology._table import MOST_uM, read_table
from ketune.units import parse, parse_concentration, parse_dose_per_weight

# route -> parameters of the drug that it takes, unit of the dose
_TISSUE = ("topical.diffusion", "topical.retention", "topical.clearance")
_PAPER = (*_TISSUE, "topical.lateral_distance", "topical.area")
_PLACE = (*_TISSUE, "focal.depth", "focal.lateral_distance")
_BODY = ("systemic.uM_per_mg_kg", "systemic.half_life")
_TAKES: dict[str, tuple[str, ...]] = {
    "topical": (*_PAPER, "topical.reservoir", "topical.paper_minutes"),
    "topical-constant": _PAPER,
    "bath": (),
    "ip": (*_BODY, "systemic.absorption"),
    "iv": (*_BODY, "systemic.iv_uptake"),
    "focal-pressure": (*_PLACE, "focal.volume", "focal.volume_fraction"),
    "focal-iontophoresis": (*_PLACE, "focal.transport_number", "focal.duration"),
    "table": (),
}
DOSE_UNITS: dict[str, str] = {
    "topical": "uM",
    "topical-constant": "uM",
    "bath": "uM",
    "ip": "mg/kg",
    "iv": "mg/kg",
    "focal-pressure": "uM",
    "focal-iontophoresis": "nA",
    "table": "",
}
ROUTES = tuple(_TAKES)
_REPEATABLE = ("ip", "iv", "focal-pressure", "focal-iontophoresis")
_ALIASES = {"systemic": "ip"}
_MOST_DOSES = 1000
# unit of a dose -> the most that there can be, and why
_MOST: dict[str, tuple[float, str]] = {
    "uM": (MOST_uM, "no solution is stronger than 100 M"),
    "mg/kg": (1e6, "that is more than the body weighs"),
    "nA": (1e6, "no pipette passes more than 1 mA"),
}


def make_exposure(
    drug: Drug,
    route: str,
    dose: str | float | None = None,
    *,
    as_base: bool = False,
    overrides: Mapping[str, float] | None = None,
    table: str | Path | None = None,
    every: str | float | None = None,
    n_doses: int = 1,
) -> Exposure:
    """Exposure of a route, with the drug's transport and kinetic parameters.

    Args:
        drug: the drug.
        route: one of ``ROUTES``, or "systemic", which is "ip".
        dose: as text, or a number in the route's unit (``DOSE_UNITS``): concentration of the applied solution
            ("10 mg/ml", "500 uM") for topical, bath and focal-pressure; dose of the salt per body weight ("30 mg/kg")
            for ip and iv; ejection current ("40 nA") for focal-iontophoresis; none for a table.
        as_base: the mass is of the free base instead of the salt.
        overrides: parameters by dotted name ("topical.lateral_distance" in um, "focal.volume" in nl, ...).
        table: CSV file of the route "table": see ``read_table``.
        every: time between doses, as text ("24 h") or in minutes.
        n_doses: how many doses; more than one only by injection and pipette.

    Raises:
        InputError: unknown route, dose without unit, in another dimension or negative, impossible or missing
            parameter, schedule that the route cannot have, faulty table.
    """
    route = canonical_route(route)
    schedule = _schedule(route, every, n_doses)
    if route == "table":
        if table is None:
            raise InputError("route table needs --table FILE.csv")
        if dose is not None:
            raise InputError(f"route table: the table has its concentrations; leave out the dose '{dose}'")
        return read_table(table)
    if table is not None:
        raise InputError(f"--table belongs to the route table, not to {route}")
    parameters = route_parameters(drug, route, overrides)
    if dose is None:
        unit = DOSE_UNITS[route]
        raise InputError(f"route {route} needs a dose, in {unit} or what can be converted to it")
    if isinstance(dose, str):
        amount = read_dose(drug, route, dose, as_base=as_base, overrides=overrides)
    elif np.isfinite(dose) and dose >= 0:
        amount = _possible(float(dose), DOSE_UNITS[route], f"dose of {dose:g} {DOSE_UNITS[route]}")
    else:
        raise InputError(f"dose of {dose:g} {DOSE_UNITS[route]}: give a finite number of zero or more")
    exposure = exposure_from(route, amount, parameters, schedule)
    if isinstance(exposure, Topical | ConstantSurface) and exposure.lateral_um < -exposure.radius_um:
        raise InputError(
            f"topical.lateral_distance of {exposure.lateral_um:g} um: no point under a paper of "
            f"{parameters['topical.area']:g} mm^2 is farther than {exposure.radius_um:.0f} um from its edge"
        )
    return exposure


def route_parameters(
    drug: Drug, route: str, overrides: Mapping[str, float] | None = None
) -> dict[str, float]:
    """The drug's values, when they have all that the route takes.

    Raises:
        InputError: they have not, or an override cannot be.
    """
    parameters = drug.values(overrides)
    for name in _TAKES[route]:
        if name not in parameters:
            raise InputError(f"drug {drug.name}: route {route} needs {name}, which is not known for it")
    return parameters


def canonical_route(route: str) -> str:
    """The name in ``ROUTES`` for what a person wrote.

    Raises:
        InputError: unknown route.
    """
    name = str(route).strip().lower()
    name = _ALIASES.get(name, name)
    if name not in ROUTES:
        raise InputError(f"unknown route '{route}'; known: {', '.join(ROUTES)}")
    return name


def exposure_from(
    route: str, amount: Any, parameters: Mapping[str, Any], schedule: Schedule = ONCE
) -> Exposure:
    """Exposure as a function of numbers alone; each may be traced by JAX.

    Args:
        route: one of ``ROUTES`` but "table".
        amount: dose in the unit of ``DOSE_UNITS``; mg/kg are of the salt.
        parameters: by dotted name, as ``Drug.values`` gives them. ``topical.area`` fixes a grid and is not traced.
        schedule: of injections and of the pipette.
    """
    p = parameters
    if route == "bath":
        return Bath(amount)
    if route in ("ip", "iv"):
        found = [
            k.removesuffix("_fraction") for k in p if k.startswith("systemic.") and k.endswith("_fraction")
        ]
        ln2 = np.log(2.0)
        return Systemic(
            amount * p["systemic.uM_per_mg_kg"],
            p["systemic.absorption" if route == "ip" else "systemic.iv_uptake"],
            ln2 / p["systemic.half_life"],
            tuple(
                (m.removeprefix("systemic."), p[f"{m}_fraction"], ln2 / p[f"{m}_half_life"]) for m in found
            ),
            schedule,
        )
    medium = Medium(p["topical.diffusion"], p["topical.retention"], p["topical.clearance"])
    if route in ("topical", "topical-constant"):
        radius = float(np.sqrt(1e6 * p["topical.area"] / np.pi))
        lateral = p["topical.lateral_distance"]
        if route == "topical-constant":
            return ConstantSurface(amount, medium, lateral, radius)
        return Topical(
            amount, 1000.0 * p["topical.reservoir"], medium, lateral, p["topical.paper_minutes"], radius
        )
    depth, lateral = p["focal.depth"], p["focal.lateral_distance"]
    if route == "focal-pressure":
        volume = p["focal.volume"] * _focal.UM3_PER_NL
        radius = _focal.bolus_radius(volume, p["focal.volume_fraction"])
        return Puff(amount * volume, radius, medium, depth, lateral, schedule)
    rate = _focal.strength(amount, p["focal.transport_number"])
    return Iontophoresis(rate, 60.0 * p["focal.duration"], medium, depth, lateral, schedule)


def read_dose(
    drug: Drug,
    route: str,
    text: str,
    *,
    as_base: bool = False,
    overrides: Mapping[str, float] | None = None,
    what: str = "--dose",
) -> float:
    """A dose as a person writes it, as a number in the route's unit (``DOSE_UNITS``); mg/kg are of the salt.

    Args:
        drug: the drug, for its molar masses.
        route: one of ``ROUTES`` but "table".
        text: number and unit.
        as_base: the mass is of the free base instead of the salt.
        overrides: drug parameters by dotted name.
        what: the option that the text came from; it opens the error message.

    Raises:
        InputError: no number, no unit, another dimension, negative, or a mass whose molar mass is not known.
    """
    p = drug.values(overrides)
    unit = DOSE_UNITS[route]
    if unit == "nA":
        return _possible(parse(text, "nA", what), unit, f"{what} '{text}'")
    key = "molar_mass.base" if as_base else "molar_mass.salt"
    if unit == "uM":
        return _possible(parse_concentration(text, p.get(key), what), unit, f"{what} '{text}'")
    mg_kg = parse_dose_per_weight(text, p.get(key), what)
    if as_base:
        for name in ("molar_mass.salt", "molar_mass.base"):
            if name not in p:
                raise InputError(f"drug {drug.name}: {name} is not known, so a dose cannot be given as base")
        mg_kg *= p["molar_mass.salt"] / p["molar_mass.base"]
    return _possible(mg_kg, unit, f"{what} '{text}'")


def _possible(amount: float, unit: str, what: str) -> float:
    most, why = _MOST[unit]
    if amount > most:
        raise InputError(f"{what}: {why}; check the unit")
    return amount


def _schedule(route: str, every: str | float | None, n_doses: int) -> Schedule:
    if n_doses < 1:
        raise InputError(f"{n_doses} doses: give 1 or more")
    if n_doses > _MOST_DOSES:
        raise InputError(f"{n_doses} doses: give {_MOST_DOSES} or fewer")
    if n_doses == 1:
        if every is not None:
            raise InputError("a time between doses needs more than one dose: give their number too")
        return ONCE
    if route not in _REPEATABLE:
        raise InputError(f"route {route} takes one dose; repeated doses: {', '.join(_REPEATABLE)}")
    if every is None:
        raise InputError(f"{n_doses} doses need the time between them, such as '24 h'")
    minutes = parse(every, "min", "--every") if isinstance(every, str) else float(every)
    if not (np.isfinite(minutes) and minutes > 0):
        raise InputError(f"time between doses of {minutes:g} min: give more than zero")
    return Schedule(minutes, n_doses)
