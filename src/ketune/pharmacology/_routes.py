"""What each target sees of a concentration, and routes compared at equal effect on one place."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ketune.errors import InputError
from ketune.pharmacology._administer import DOSE_UNITS, canonical_route, exposure_from, route_parameters
from ketune.pharmacology._drug import Drug
from ketune.pharmacology._effect import NEUTRAL, effect_fields
from ketune.pharmacology._exposure import ONCE, Schedule, concentration

Array = NDArray[np.float64]

# field of DrugEffect -> the target that it belongs to, in the order in which they are shown
FIELDS: dict[str, str] = {
    "nmda_block": "nmda",
    "ampa_block": "ampa",
    "pv_drive": "pv",
    "sst_drive": "sst",
    "vip_drive": "vip",
    "hcn_shift_mV": "hcn1",
    "hcn_block": "hcn1",
    "nav_block": "nav",
    "kv_block": "kv",
    "kv_shift_mV": "kv",
    "cal_block": "cal",
    "gabaa_gain": "gabaa",
    "gabaa_decay": "gabaa",
    "tonic_gaba_gain": "gabatonic",
}

COMPARED = ("topical", "focal-iontophoresis", "ip")
"""One route of each family: from the surface, from a pipette, through the body."""

_NOTHING = (
    1e-9  # uM by a dose of 1 uM, mg/kg or nA: what the topical solver's rounding leaves ahead of the front
)


def target_effects(
    drug: Drug, concentration_uM: ArrayLike, overrides: Mapping[str, float] | None = None
) -> dict[str, Array]:
    """What a concentration does to each target that the drug acts on, at equilibrium and the assumed potentials.

    Args:
        drug: the drug.
        concentration_uM: free drug, any shape; interneurons see the concentration of their own place.
        overrides: drug parameters by dotted name.

    Returns:
        By field of ``DrugEffect`` ("nmda_block", "hcn_shift_mV", "pv_drive", ...), shaped like the concentration.

    Raises:
        InputError: negative or not finite concentration, unknown parameter.
    """
    c = np.asarray(concentration_uM, dtype=np.float64)
    if not np.all(np.isfinite(c)) or np.any(c < 0):
        raise InputError("concentration: every value must be a finite number of uM, zero or more")
    p = drug.values(overrides)
    flat = c.ravel()
    fields = effect_fields(drug, p, flat, v=p["pyramid.v_bar"], interneuron_c=flat)
    return {
        name: np.broadcast_to(np.asarray(fields[name], dtype=np.float64), flat.shape).reshape(c.shape)
        for name, target in FIELDS.items()
        if target in drug.targets
    }


def shown_fields(effects: Mapping[str, Array]) -> tuple[str, ...]:
    """The fields that differ anywhere from no drug."""
    return tuple(name for name, value in effects.items() if np.any(value != NEUTRAL[name]))


def equal_dose(
    drug: Drug,
    route: str,
    target_uM: float,
    depth_um: float,
    time_min: float,
    overrides: Mapping[str, float] | None = None,
    schedule: Schedule = ONCE,
) -> float:
    """The dose by which a route brings a concentration to a depth at a time, in the unit of ``DOSE_UNITS``.

    Concentration is proportional to dose by every route, so the root of "dose gives this block" is a ratio. The
    same concentration is the same block of every target.

    Args:
        drug, route: as for ``make_exposure``; not "table", whose dose is fixed.
        target_uM: free drug that is wanted.
        depth_um, time_min: where and when.
        overrides: drug parameters by dotted name.
        schedule: repeated doses.

    Raises:
        InputError: the route brings nothing there at that time, or lacks a number for this drug.
    """
    route = canonical_route(route)
    if not DOSE_UNITS[route]:
        raise InputError(f"route {route} has no dose to be scaled")
    unit = exposure_from(route, 1.0, route_parameters(drug, route, overrides), schedule)
    per_dose = float(concentration(unit, [depth_um], [time_min])[0, 0])
    if per_dose < _NOTHING:
        raise InputError(
            f"route {route} brings no drug to {depth_um:g} um by {time_min:g} min; compare at another time"
        )
    return target_uM / per_dose
