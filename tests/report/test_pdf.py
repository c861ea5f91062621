"""A report printed as a PDF."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from report_example import write_example

from ketune import report
from ketune.errors import InputError
from ketune.report import _pdf

try:
    BROWSER: str | None = _pdf.browser()
except InputError:
    BROWSER = None


@pytest.mark.skipif(BROWSER is None, reason="no Chromium: install the package chromium")
def test_a_report_is_printed_with_its_text_and_pages(tmp_path: Path) -> None:
    page = report.write([write_example(tmp_path / "fit")], tmp_path / "cells.html")
    path = report.write_pdf(page)
    assert path == tmp_path / "cells.pdf"
    data = path.read_bytes()
    assert data.startswith(b"%PDF")
    assert data.rstrip().endswith(b"%%EOF")
    pages = len(re.findall(rb"/Type\s*/Page\b", data))
    assert 5 <= pages <= 40
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cells.html", "cells.pdf", "fit"]


def test_no_browser_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(_pdf.BROWSER_VARIABLE, raising=False)
    monkeypatch.setattr(_pdf.shutil, "which", lambda name: None)
    with pytest.raises(InputError, match=r"^--pdf: needs Chromium, Chrome or Edge"):
        _pdf.browser()


def test_a_browser_of_ones_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(_pdf.BROWSER_VARIABLE, "nothing-of-this-name")
    with pytest.raises(InputError, match="KETUNE_BROWSER=nothing-of-this-name: no such program"):
        _pdf.browser()
    idle = tmp_path / "idle"
    idle.write_text("#!/bin/sh\necho cannot open display >&2\nexit 1\n")
    idle.chmod(0o755)
    monkeypatch.setenv(_pdf.BROWSER_VARIABLE, str(idle))
    page = tmp_path / "page.html"
    page.write_text("<p>page</p>")
    with pytest.raises(
        InputError, match=r"page\.pdf: .*idle printed nothing \(cannot open display\)"
    ) as error:
        report.write_pdf(page)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "page.pdf").exists()
