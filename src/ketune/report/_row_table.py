"""A table of many rows that the reader's browser sorts, filters and turns the pages of, without network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any


@dataclass(frozen=True)
class Column:
    """A column of the table; ``numeric`` decides how it sorts and stands."""

    key: str
    title: str
    numeric: bool


@dataclass(frozen=True)
class RowTable:
    """What the template's macro shows.

    Attributes
    ----------
    data
        As the script takes it: a list for each column, numbers to four digits, and where each row leads.
    choice
        Column by whose values the reader may choose rows, as the label of that field.
    choices
        Those values, in the order of the field.
    """

    data: dict[str, Any]
    choice: str
    choices: tuple[str, ...]

    @classmethod
    def of(
        cls,
        columns: Sequence[Column],
        values: Sequence[Sequence[Any]],
        links: Sequence[str],
        chosen: str,
        choices: Sequence[str],
    ) -> RowTable:
        """Build it.

        Parameters
        ----------
        values
            By column, then row; None where there is none.
        links
            By row: where its first cell leads.
        chosen
            Key of the column by which rows are chosen.
        """
        data = {
            "columns": [{"key": c.key, "title": c.title, "numeric": c.numeric} for c in columns],
            "values": [[_value(v, c.numeric) for v in row] for c, row in zip(columns, values, strict=True)],
            "links": list(links),
            "chosen": chosen,
        }
        title = next(c.title for c in columns if c.key == chosen)
        return cls(data, title, tuple(choices))


@dataclass(frozen=True)
class Script:
    """The script of a page and the source by which the page's security policy lets it, and no other, run."""

    text: str
    source: str


def row_script() -> Script:
    """What makes a :class:`RowTable` live."""
    text = (resources.files("ketune.report") / "templates" / "rows.js").read_text("utf-8")
    return Script(text, f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'")


def _value(value: Any, numeric: bool) -> Any:
    if value is None:
        return None
    return float(f"{value:.4g}") if numeric else str(value)
