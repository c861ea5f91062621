"""A configuration with a small recording, and Python's path with the made-up jobs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

RECORDING = "orientation_deg,trial,spikes,window_s\n" + "".join(
    f"{o},{t},{n}\n".replace("\n", ",0.5\n") for t in (1, 2) for o, n in ((0, 2), (45, 9), (90, 3), (135, 1))
)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "cell.csv"
    path.write_text(RECORDING)
    return path


@pytest.fixture
def configure(tmp_path: Path, recording: Path):
    """Writes a configuration: lines of its own before one recording, or other tables in its place."""

    def write(*lines: str, tables: str = '[[recording]]\nfile = "cell.csv"\n') -> Path:
        path = tmp_path / "batch.toml"
        path.write_text("\n".join(lines) + "\n" + tables)
        return path

    return write


@pytest.fixture
def made_up(monkeypatch) -> None:
    """Processes that a test starts find made_up_work."""
    here = str(Path(__file__).parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([here, os.environ.get("PYTHONPATH", "")]))
