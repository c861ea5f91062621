"""Routes, doses and times of an explorer: what a user asks for, and what is taken where nothing is said."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ketune import pharmacology
from ketune.errors import InputError
from ketune.pharmacology import DOSE_UNITS, Drug
from ketune.workflow._dose_range import DoseRange, dose_range
from ketune.workflow._dosing import DrugRequest
from ketune.workflow._exposure import dose_text

_TIMES_MIN = (0, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240)
_ROUTES = ("topical", "ip", "bath")
# What a slider spans by default: wide enough to hold doses that do nothing and doses beyond use, and no advice.
_SOLUTION = (0.1, 100.0, "mg/ml")
_SPANS: dict[str, tuple[float, float, str]] = {
    "topical": _SOLUTION,
    "topical-constant": _SOLUTION,
    "bath": (0.1, 1000.0, "uM"),
    "ip": (1.0, 100.0, "mg/kg"),
    "iv": (1.0, 100.0, "mg/kg"),
    "focal-pressure": _SOLUTION,
    "focal-iontophoresis": (1.0, 100.0, "nA"),
}
_STEPS = (1, 2, 3, 5)


@dataclass(frozen=True)
class RouteDoses:
    """One route with its doses, as numbers in the route's unit and as a person writes them."""

    route: str
    doses: DoseRange
    texts: tuple[str, ...]


def times_of(request: DrugRequest) -> tuple[str, ...]:
    """When to look: as asked for, or from the application to four hours after it."""
    return request.at or tuple(f"{minutes} min" for minutes in _TIMES_MIN)


def routes_of(
    drug: Drug, routes: Sequence[str], ranges: Sequence[str], request: DrugRequest
) -> tuple[RouteDoses, ...]:
    """The routes with their doses, in the order asked for; topical, ip and bath where the drug has their numbers.

    Parameters
    ----------
    ranges
        "ROUTE=DOSES" each, doses as :func:`dose_range` reads them; a route named here need not be in ``routes``.

    Raises
    ------
    InputError
        An unknown route, one without a dose, one that the drug lacks numbers for, or doses that cannot be read.
    """
    own = dict(_named(text) for text in ranges)
    wanted = list(dict.fromkeys([pharmacology.canonical_route(route) for route in routes] + list(own)))
    if not wanted:
        wanted = [route for route in _ROUTES if _possible(drug, route)]
    found = []
    for route in wanted:
        if route not in _SPANS:
            raise InputError(f"--route {route}: has no dose to vary; choose among {', '.join(_SPANS)}")
        pharmacology.make_exposure(drug, route, 1.0)
        found.append(_doses(drug, route, own.get(route) or _preferred(drug, route), request.as_base))
    return tuple(found)


def _named(text: str) -> tuple[str, str]:
    route, equals, doses = text.partition("=")
    if not equals or not doses.strip():
        raise InputError(f"--doses '{text}': write ROUTE=DOSES, such as 'ip=1mg/kg:30mg/kg:log7'")
    return pharmacology.canonical_route(route), doses


def _possible(drug: Drug, route: str) -> bool:
    try:
        pharmacology.make_exposure(drug, route, 1.0)
    except InputError:
        return False
    return True


def _doses(drug: Drug, route: str, text: str, as_base: bool) -> RouteDoses:
    def read(dose: str) -> float:
        return pharmacology.read_dose(drug, route, dose, as_base=as_base, what="--doses")

    doses = dose_range(text, DOSE_UNITS[route], read)
    return RouteDoses(route, doses, tuple(_written(drug, route, value) for value in doses.values))


def _preferred(drug: Drug, route: str) -> str:
    """1, 2, 3, 5, 10, ... over the route's span, with commas."""
    low, high, unit = _SPANS[route]
    if unit == "mg/ml" and "molar_mass.salt" not in drug.values():
        unit = "mM"
    decades = range(round(math.log10(low)), round(math.log10(high)) + 1)
    values = [step * 10.0**decade for decade in decades for step in _STEPS]
    return ", ".join(f"{value:g} {unit}" for value in values if low <= value <= high * (1 + 1e-9))


def _written(drug: Drug, route: str, value: float) -> str:
    """A dose as a person writes it: solutions by mass of the salt too, where its molar mass is known."""
    molar_mass = drug.values().get("molar_mass.salt")
    text = dose_text(route, value)
    if DOSE_UNITS[route] != "uM" or route == "bath" or molar_mass is None:
        return text
    return f"{value * 1e-6 * molar_mass:.3g} mg/ml ({text})"


def for_route(request: DrugRequest, chosen: RouteDoses) -> DrugRequest:
    """The request for the middle dose of one route, which stands for all of them."""
    middle = chosen.doses.texts[len(chosen.doses.texts) // 2]
    # The numbers are of the salt whatever they were written in.
    return replace(request, route=chosen.route, dose=middle, at=times_of(request), as_base=False)
