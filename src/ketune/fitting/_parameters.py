"""The parameters that a fit moves, their bounds, and the unbounded coordinates in which it moves them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ketune.afferents import Drive

Scale = Literal["log", "linear", "orientation"]


@dataclass(frozen=True)
class FitParameter:
    """One fitted quantity.

    Attributes
    ----------
    low, high
        Bounds; an orientation has none and is taken modulo 180 degrees.
    scale
        ``log`` and ``linear`` parameters are logistic functions of their coordinate, in the logarithm or in the value.
    meaning
        One phrase for reports.
    """

    name: str
    unit: str
    low: float
    high: float
    scale: Scale
    meaning: str

    def value(self, coordinate: Any, xp: Any = np) -> Any:
        """Parameter value at an unbounded coordinate."""
        if self.scale == "orientation":
            return coordinate
        fraction = 1.0 / (1.0 + xp.exp(-coordinate))
        if self.scale == "linear":
            return self.low + (self.high - self.low) * fraction
        return self.low * xp.exp(math.log(self.high / self.low) * fraction)

    def coordinate(self, value: float) -> float:
        """Inverse of :meth:`value`; a value at a bound is moved just inside."""
        if self.scale == "orientation":
            return float(value)
        if self.scale == "linear":
            fraction = (value - self.low) / (self.high - self.low)
        else:
            fraction = np.log(value / self.low) / np.log(self.high / self.low)
        fraction = np.clip(fraction, 1e-3, 1 - 1e-3)
        return float(np.log(fraction / (1 - fraction)))

    def slope(self, coordinate: float) -> float:
        """Derivative of the value with respect to the coordinate."""
        if self.scale == "orientation":
            return 1.0
        fraction = 1.0 / (1.0 + np.exp(-coordinate))
        spread = fraction * (1 - fraction)
        if self.scale == "linear":
            return float((self.high - self.low) * spread)
        return float(self.value(coordinate) * np.log(self.high / self.low) * spread)

    def at_bound(self, value: float) -> bool:
        """Whether a value lies within 2 % of the allowed range of one of its bounds."""
        if self.scale == "orientation":
            return False
        fraction = 1.0 / (1.0 + np.exp(-self.coordinate(value)))
        return bool(fraction < 0.02 or fraction > 0.98)


PARAMETERS: tuple[FitParameter, ...] = (
    FitParameter("peak_rate_hz", "Hz", 0.05, 30.0, "log", "driven afferent at its preferred orientation"),
    FitParameter("background_rate_hz", "Hz", 0.02, 5.0, "log", "background of every excitatory synapse"),
    FitParameter("preferred_basal_deg", "deg", 0.0, 180.0, "orientation", "mean preference, basal afferents"),
    FitParameter(
        "preferred_apical_deg", "deg", 0.0, 180.0, "orientation", "mean preference, apical afferents"
    ),
    FitParameter("spread_basal_deg", "deg", 3.0, 60.0, "log", "spread of preference, basal afferents"),
    FitParameter("spread_apical_deg", "deg", 3.0, 60.0, "log", "spread of preference, apical afferents"),
    FitParameter("ampa_nS", "nS", 0.05, 3.0, "log", "peak AMPA conductance of one synapse"),
    FitParameter("nmda_nS", "nS", 0.05, 3.0, "log", "peak NMDA conductance of one synapse, without Mg block"),
    FitParameter("pv_nS", "nS", 0.1, 10.0, "log", "peak conductance of one PV synapse"),
    FitParameter("sst_nS", "nS", 0.1, 10.0, "log", "peak conductance of one SST synapse"),
    FitParameter("gain_sd", "", 0.02, 0.9, "log", "SD of the log gain that all afferents of a trial share"),
)
NAMES = tuple(p.name for p in PARAMETERS)
_SYNAPSE_OF = {"ampa_nS": "ampa", "nmda_nS": "nmda", "pv_nS": "gaba_pv", "sst_nS": "gaba_sst"}
_DRIVE_NAMES = tuple(n for n in NAMES if n not in _SYNAPSE_OF)


def values_of(coordinates: Any, xp: Any = np) -> dict[str, Any]:
    """Parameter values at a vector of coordinates."""
    return {p.name: p.value(coordinates[i], xp) for i, p in enumerate(PARAMETERS)}


def coordinates_of(values: dict[str, float]) -> np.ndarray:
    """Coordinates of parameter values."""
    return np.array([p.coordinate(values[p.name]) for p in PARAMETERS])


def normalised(values: dict[str, float]) -> dict[str, float]:
    """The same values as plain floats, orientations in [0, 180)."""
    # Twice, because the remainder of a tiny negative number rounds to 180 itself.
    return {
        p.name: float(values[p.name]) % 180.0 % 180.0 if p.scale == "orientation" else float(values[p.name])
        for p in PARAMETERS
    }


def drive_at(values: dict[str, Any], base: Drive) -> Drive:
    """Afferent rates at parameter values; what is not fitted comes from ``base``."""
    return replace(base, **{n: values[n] for n in _DRIVE_NAMES})


def synapse_overrides(values: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """Peak conductances in uS as parameter overrides of the cell."""
    return {(_SYNAPSE_OF[n], "gmax"): values[n] * 1e-3 for n in _SYNAPSE_OF}
