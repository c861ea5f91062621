"""One page that many tests look at, because drawing takes a second."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_example import write_example
from report_reader import Page, write_page


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("examples")
    return [
        write_example(folder / "good", name="SYNTHETIC good"),
        write_example(
            folder / "bad", name="SYNTHETIC <script>alert(1)</script> $x_{$", seed=3, blank=True, status="out_of_reach"
        ),
        write_example(folder / "plain", name="SYNTHETIC without drug", drug=False, seed=5),
    ]  # fmt: skip


@pytest.fixture(scope="session")
def page(examples: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Page:
    return write_page(examples, tmp_path_factory.mktemp("page"))
