"""Verdicts of a run that are on disk, and their page again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ketune.errors import InputError
from ketune.progress import NullProgress, Progress
from ketune.reproduce._document import FORMAT, read_document
from ketune.reproduce._folder import PAGE, VERDICTS, Document
from ketune.reproduce._listing import describe
from ketune.storage import read_json


def read_verdicts(directory: str | Path) -> Document:
    """What `verdicts.json` of a run holds.

    Raises
    ------
    InputError
        There is none, or one of another format, or a damaged one.
    """
    path = Path(directory) / VERDICTS
    if not path.exists():
        raise InputError(f"{directory} holds no verdicts: give a directory that `ketune reproduce` wrote")
    document = read_json(path, FORMAT)
    read_document(document)
    return document


def report_verdicts(
    directory: str | Path, *, output: str | Path | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Write the page of a run again.

    Parameters
    ----------
    output
        The HTML file; the run's own page if not given.

    Raises
    ------
    InputError
        As :func:`read_verdicts`; the page cannot be written.
    """
    from ketune.report import write_reproduction

    document = read_verdicts(directory)
    page = Path(output) if output is not None else Path(directory) / PAGE
    with (progress or NullProgress()).task("writing the report", None):
        write_reproduction(document, page)
    return {"status": "ok", "report": str(page), "summary": list(describe(document))}
