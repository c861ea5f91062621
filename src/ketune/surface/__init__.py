"""The response surface of a cell: what its spike counts are at any drive, learnt once from single spiking trials."""

from ketune.surface._actions import ACTIONS, CellActions, action_overrides, log_actions
from ketune.surface._build import SurfaceEffort, build_surface
from ketune.surface._inputs import INPUTS, INPUTS_AND_ACTIONS
from ketune.surface._law import log_count_law
from ketune.surface._library import acting_surface, known_surface, surface_key, surface_of
from ketune.surface._measure import measured
from ketune.surface._network import Training
from ketune.surface._surface import Surface, SurfaceError
from ketune.surface._trials import WARM_UP_MS, Trials

__all__ = [
    "ACTIONS",
    "INPUTS",
    "INPUTS_AND_ACTIONS",
    "WARM_UP_MS",
    "CellActions",
    "Surface",
    "SurfaceEffort",
    "SurfaceError",
    "Training",
    "Trials",
    "acting_surface",
    "action_overrides",
    "build_surface",
    "known_surface",
    "log_actions",
    "log_count_law",
    "measured",
    "surface_key",
    "surface_of",
]
