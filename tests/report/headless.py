"""The browser that reads pages in tests: the system's, or none."""

from __future__ import annotations

import shutil

import pytest

CHROMIUM = next(
    filter(
        None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"))
    ),
    None,
)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: install the package chromium")
