"""From a template to a file: what all pages share."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ketune
from ketune.errors import InputError
from ketune.report import _words as w
from ketune.storage import write_text


@dataclass
class _Counter:
    """Numbers the figures of the page."""

    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def next(self) -> int:
        return next(self.numbers)


def rendered(template: str, **values: Any) -> str:
    """A template of this package as text; every value is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ketune.report"), autoescape=True, undefined=StrictUndefined
    )
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.globals.update(w=w, figure_number=_Counter().next)
    return environment.get_template(template).render(
        version=ketune.__version__, written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), **values
    )


def write_whole(output: Path, page: str) -> Path:
    """Write a page in one step.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    try:
        write_text(output, page)
    except OSError as error:
        raise InputError(
            f"{output}: cannot be written ({error.strerror or error}); give another file"
        ) from None
    return output
