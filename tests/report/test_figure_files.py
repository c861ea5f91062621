"""The figures of a report as files of their own."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from report_example import write_example
from report_reader import write_page

from ketune import report
from ketune.errors import InputError


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_example(tmp_path_factory.mktemp("figures") / "fit")


def test_every_figure_of_the_page_is_a_vector_file(example: Path, tmp_path: Path) -> None:
    names = report.write_figures(example, tmp_path)
    assert sorted(names) == sorted(p.name for p in tmp_path.iterdir())
    assert len(names) == len(write_page([example], tmp_path).attributes("img", "src"))
    assert names[:3] == ["in-short-fit.svg", "in-short-drug.svg", "in-short-changes.svg"]
    assert {"tuning.svg", "fano.svg", "ketamine-topical-tuning.svg", "ketamine-topical-block-map.svg"} <= set(
        names
    )
    for name in names:
        assert ElementTree.parse(tmp_path / name).getroot().tag.endswith("svg"), name


def test_pdf_and_the_same_bytes_every_time(example: Path, tmp_path: Path) -> None:
    written = []
    for attempt in ("first", "second"):
        folder = tmp_path / attempt
        folder.mkdir()
        names = report.write_figures(example, folder, "pdf")
        written.append({name: (folder / name).read_bytes() for name in names})
    assert written[0] == written[1]
    assert all(name.endswith(".pdf") and data.startswith(b"%PDF") for name, data in written[0].items())


def test_a_directory_without_a_fit(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no fit"):
        report.write_figures(tmp_path, tmp_path)
