"""Shared by the tests of the whole jobs."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_inputs import Inputs, write_model, write_recording

from ketune.morphology import SMALL_MORPHOLOGY


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    """A recording with a blank, and the small neuron."""
    folder = tmp_path_factory.mktemp("inputs")
    return Inputs(
        write_recording(folder / "unit.csv"), write_model(folder / "small.toml"), Path(SMALL_MORPHOLOGY)
    )
