"""Virtual populations of the default cell, whose control tuning is cat-like or mouse-like."""

from ketune.population._check import ControlCheck, ControlRow, evoked_fano, unit_like
from ketune.population._population import (
    REFUSALS,
    ControlStatistics,
    Population,
    VirtualNeuron,
    draw_population,
)
from ketune.population._table import (
    SPECIES,
    Distributions,
    Experiment,
    Law,
    Selection,
    Species,
    distributions,
)
from ketune.population._units import RecordedUnits, mouse_units

__all__ = [
    "REFUSALS",
    "SPECIES",
    "ControlCheck",
    "ControlRow",
    "ControlStatistics",
    "Distributions",
    "Experiment",
    "Law",
    "Population",
    "RecordedUnits",
    "Selection",
    "Species",
    "VirtualNeuron",
    "distributions",
    "draw_population",
    "evoked_fano",
    "mouse_units",
    "unit_like",
]
