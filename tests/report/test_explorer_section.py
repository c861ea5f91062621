"""The explorer on the page: what is embedded, what may run, and what is said of it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from explorer_example import explorer_document, write_explorer
from report_example import write_example
from report_reader import Page, write_page

from ketune.errors import InputError
from ketune.explorer import EXPLORER_FILE, EXPLORER_FORMAT, Explorer
from ketune.report._explorer import COLOURS
from ketune.storage import write_json


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explored")
    write_example(folder, drug=False, name="SYNTHETIC </script><script>alert(1)</script>")
    write_explorer(folder)
    return folder


@pytest.fixture(scope="module")
def page(directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Page:
    return write_page([directory], tmp_path_factory.mktemp("page"))


def embedded(page: Page) -> dict[str, Any]:
    (text,) = re.findall(r'<script type="application/json">(.*?)</script>', page.source, re.S)
    return json.loads(text)


def test_only_the_explorers_own_script_may_run(page: Page) -> None:
    (script,) = re.findall(r"<script>(.*?)</script>", page.source, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = [c for c in page.attributes("meta", "content") if c and c.startswith("default-src")]
    assert policy.endswith(f"; script-src 'sha256-{digest}'")
    assert "<script>alert" not in page.source
    assert page.unbalanced == []


def test_embedded_numbers_are_those_of_the_api(page: Page, directory: Path) -> None:
    data, explorer = embedded(page), Explorer.read(directory)
    assert [r["route"] for r in data["routes"]] == [g.route for g in explorer.routes]
    for route, grid in zip(data["routes"], explorer.routes, strict=True):
        assert route["rate"] == grid.rate_hz
        shares = (
            np.frombuffer(base64.b64decode(route["local"]), "<u2").reshape(np.shape(grid.local_block)) / 65535
        )
        np.testing.assert_allclose(shares, grid.local_block, atol=1e-5)


def test_it_starts_at_half_an_hour_and_about_half_of_the_block(page: Page) -> None:
    data = embedded(page)
    assert data["times"][data["start"]] == 30.0
    for route in data["routes"]:
        block = np.array(route["block"])[:, data["start"]]
        assert abs(block[route["start"]] - 0.5) == np.abs(block - 0.5).min()


def test_it_says_how_sure_it_is(page: Page) -> None:
    for words in (
        "403 settings",
        "36 settings were simulated",
        "on 8 that",
        "1.3 %",
        "0.41 Hz",
        "hcn1.ec50 = 67",
        "1 number",
    ):
        assert words in page.text, words


def test_a_page_of_the_default_cell_is_small(page: Page) -> None:
    assert len(page.source.encode()) < 2e6


def test_the_script_has_as_many_colours_as_the_style_sheet(page: Page) -> None:
    assert f"COLOURS = {COLOURS}," in page.source
    assert page.source.count(f"--b{COLOURS - 1}:#") == 2
    assert f"--b{COLOURS}:" not in page.source


def test_without_an_explorer_no_script_may_run(tmp_path: Path) -> None:
    page = write_page([write_example(tmp_path / "fit", drug=False)], tmp_path)
    assert "script" not in {tag for tag, _ in page.tags}
    assert "script-src" not in page.source
    assert 'class="explorer"' not in page.source


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"format": "ketune-explorer/2"}, "explorer format 2, this ketune reads 1"),
        ({"times_min": [0.0]}, "is not 13 x 1; make it again with `ketune explore`"),
        ({"routes": []}, "no route"),
        ({"accuracy": {}}, "accuracy.error_of_peak: missing"),
    ],
)
def test_an_explorer_that_cannot_be_shown_is_one_line(
    tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    write_example(tmp_path, drug=False)
    write_json(
        tmp_path / EXPLORER_FILE, {**explorer_document(), **changed}, changed.get("format", EXPLORER_FORMAT)
    )
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        write_page([tmp_path], tmp_path)
    assert "\n" not in str(caught.value)
    assert EXPLORER_FILE in str(caught.value)
