"""Verdicts that are on disk: read, and refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from ketune.errors import InputError
from ketune.reproduce import read_verdicts, report_verdicts


def test_a_directory_without_verdicts(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no verdicts: give a directory that `ketune reproduce` wrote"):
        read_verdicts(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not a JSON file"),
        ('{"format": "ketune-reproduce/9"}', "reproduce format 9, this ketune reads 1"),
        ('{"format": "ketune-reproduce/1", "run": 3}', "make them again with `ketune reproduce`"),
    ],
)
def test_verdicts_that_cannot_be_shown_leave_no_page(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "verdicts.json").write_text(text)
    with pytest.raises(InputError) as error:
        report_verdicts(tmp_path)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "report.html").exists()
