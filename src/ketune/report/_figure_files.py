"""The figures of a report as files of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ketune.report._page import section
from ketune.report._results import Result
from ketune.report._style import Picture, style


def write_files(result: Result, folder: Path, ending: str) -> list[str]:
    """Write every figure that the page of this result shows; returns the files' names in the page's order.

    Names are those of the figures, with the name of the application in front where a drug was applied; a second figure
    of one name in the same part gets a number.
    """
    written: list[str] = []
    with style():
        parts = section(result)
        applications = parts.pop("applications")
        groups = [("", parts), *((f"{stem}-", a) for stem, a in zip(result.names, applications, strict=True))]
        for prefix, part in groups:
            seen: Counter[str] = Counter()
            for picture in _pictures(part):
                seen[picture.name] += 1
                number = f"-{seen[picture.name]}" if seen[picture.name] > 1 else ""
                written.append(f"{prefix}{picture.name}{number}.{ending}")
                picture.save(folder / written[-1])
    return written


def _pictures(value: Any) -> Iterator[Picture]:
    """Every picture within the values of a part of the page."""
    if isinstance(value, Picture):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _pictures(item)
    elif isinstance(value, list):
        for item in value:
            yield from _pictures(item)
