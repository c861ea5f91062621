"""Settings of the whole test suite."""

from __future__ import annotations

import jax
import pytest
from hypothesis import settings

from ketune.afferents import SynapseLayout, place_synapses
from ketune.cell import Cell
from ketune.cell_model import build_cell
from ketune.morphology import SMALL_MORPHOLOGY, read_morphology

# Set here and not through the environment: commands that tests start as processes of their own have to ask for
# double precision themselves.
jax.config.update("jax_enable_x64", True)

# The first call of a function may compile it, and machines are shared: time says nothing about correctness.
settings.register_profile("ketune", deadline=None)
settings.load_profile("ketune")


@pytest.fixture(scope="session")
def tiny_cell() -> Cell:
    """All mechanisms of the default cell on the second morphology, in 17 compartments: fast to run and to compile."""
    return build_cell(morphology=read_morphology(SMALL_MORPHOLOGY), d_lambda=1.0)


@pytest.fixture(scope="session")
def tiny_layout(tiny_cell: Cell) -> SynapseLayout:
    """A few hundred synapses on the tiny cell."""
    return place_synapses(tiny_cell, seed=1, excitatory_per_um=0.5, n_pv=20, n_sst=40)
