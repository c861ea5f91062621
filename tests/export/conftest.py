"""A fit, and one bundle of it that many tests look at, because NEURON has to run for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from fitted_example import write_fit

from ketune.export import export_fit


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fit(tmp_path_factory.mktemp("fitted") / "unit7")


@pytest.fixture(scope="session")
def bundle(fitted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Before and under the drug, two trials of each stimulus."""
    folder = tmp_path_factory.mktemp("bundles") / "neuron"
    export_fit(fitted, folder, application="ketamine-bath", trials=2)
    return folder
