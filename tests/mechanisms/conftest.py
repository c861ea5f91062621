"""Mechanisms from text, for tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from mechanism_text import DENSITY, Translate

from ketune import mechanisms


@pytest.fixture
def translate(tmp_path: Path) -> Translate:
    """Translates a text, after the usual head or another one."""

    def from_text(text: str, head: str = DENSITY) -> mechanisms.Mechanism:
        path = tmp_path / "probe.mod"
        path.write_text(head + text)
        return mechanisms.load(path)

    return from_text
