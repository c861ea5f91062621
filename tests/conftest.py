"""Settings of the whole test suite."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import settings

from ketune.afferents import SynapseLayout, place_synapses
from ketune.cell import Cell
from ketune.cell_model import build_cell
from ketune.morphology import SMALL_MORPHOLOGY, read_morphology
from ketune.surface import Surface, SurfaceError

# Set here and not through the environment: commands that tests start as processes of their own have to ask for
# double precision themselves.
jax.config.update("jax_enable_x64", True)

# The first call of a function may compile it, and machines are shared: time says nothing about correctness.
settings.register_profile("ketune", deadline=None)
settings.load_profile("ketune")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first, so that no process is left alone with one of them at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def tiny_cell() -> Cell:
    """All mechanisms of the default cell on the second morphology, in 17 compartments: fast to run and to compile."""
    return build_cell(morphology=read_morphology(SMALL_MORPHOLOGY), d_lambda=1.0)


@pytest.fixture(scope="session")
def tiny_layout(tiny_cell: Cell) -> SynapseLayout:
    """A few hundred synapses on the tiny cell."""
    return place_synapses(tiny_cell, seed=1, excitatory_per_um=0.5, n_pv=20, n_sst=40)


@pytest.fixture(scope="session")
def made_up_surface() -> Surface:
    """A response surface with weights from a formula: excitation drives, inhibition divides, means of 0 to 100 Hz.

    Nothing was trained, so that it is the same on every machine.
    """
    centre = np.log([0.45, 0.45, 0.2, 10.0, 4.0, 0.5, 0.5, 1.1, 1.1, 0.6])
    #                     basal apical backg. pv   sst   ampa nmda pv    sst   window
    excitation = np.array([0.8, 0.35, 0.15, -0.3, -0.15, 0.7, 0.5, -0.35, -0.2, 0.0])
    supralinear = np.array([0.5, 0.7, 0.1, -0.1, -0.3, 0.2, 0.9, -0.1, -0.3, 0.0])
    inhibition = np.array([0.1, 0.0, 0.2, 0.5, 0.3, 0.0, 0.1, 0.5, 0.4, 0.05])
    first = np.stack([excitation, supralinear, inhibition], axis=1)
    second = np.array([[1.0, 0.3, -0.2], [0.4, 0.8, 0.1], [-0.5, -0.1, 0.6]])
    last = np.array([[1.7, 0.1], [1.2, 0.15], [-1.0, -0.1]])
    layers = [(first, [0.6, 0.2, 0.4]), (second, [0.3, 0.0, 0.2]), (last, [-1.8, -0.2])]
    return Surface(
        [(np.asarray(w, np.float32), np.asarray(b, np.float32)) for w, b in layers],
        centre,
        np.ones(10),
        centre - 3.0,
        centre + 3.0,
        SurfaceError(location_sd=0.06, surface_sd=0.05),
        {"cell": "made up"},
    )
