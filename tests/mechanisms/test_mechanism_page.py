"""docs/mechanisms.md lists every shipped file with its parameters and their defaults."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ketune.mechanisms import MOD_DIRECTORY

PAGE = Path(__file__).parents[2] / "docs" / "mechanisms.md"
FILES = sorted(path.stem for path in MOD_DIRECTORY.glob("*.mod"))


def rows() -> dict[str, str]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return {line.split("`")[1]: line for line in lines if line.startswith("| `")}


def test_every_file_has_a_row() -> None:
    assert sorted(rows()) == FILES


@pytest.mark.parametrize("name", FILES)
def test_parameters_and_defaults(name: str) -> None:
    text = (MOD_DIRECTORY / f"{name}.mod").read_text(encoding="utf-8")
    block = re.search(r"^PARAMETER \{(.*?)^\}", text, re.DOTALL | re.MULTILINE).group(1)
    parameters = re.findall(r"^ +(\w+) = (\S+) \((.+?)\) <", block, re.MULTILINE)
    assert len(parameters) == len([line for line in block.splitlines() if line.strip()])
    listed = re.findall(r"`(\w+)` (−?[\d.e−]+)(?: (\S+?))?(?=[,|]| \|)", rows()[name])
    expected = [(key, value, "" if unit == "1" else unit) for key, value, unit in parameters]
    assert [(key, value.replace("−", "-"), unit) for key, value, unit in listed] == expected


@pytest.mark.parametrize("name", FILES)
def test_files_name_their_sources_and_stay_readable(name: str) -> None:
    text = (MOD_DIRECTORY / f"{name}.mod").read_text(encoding="utf-8")
    comment = text.split("COMMENT")[1].split("ENDCOMMENT")[0]
    assert name == "gabatonic" or re.search(r"(19|20)\d\d", comment)
    assert max(map(len, text.splitlines())) <= 120
