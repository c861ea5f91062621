"""The page of a batch, finished or not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ketune.batch._collect import collect
from ketune.batch._folder import BatchFolder
from ketune.batch._status import batch_status, describe_status
from ketune.progress import NullProgress, Progress
from ketune.report import Population

_PAGE = "report.html"


def report_batch(
    directory: str | Path,
    *,
    output: str | Path | None = None,
    each: bool = False,
    verdicts: str | Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write one HTML page on all fits of a batch, as far as it is done.

    Parameters
    ----------
    output
        The HTML file; ``report.html`` in the batch's directory if not given. Its links lead to the jobs' directories.
    each
        Write the report of each finished job that has none, too.
    verdicts
        The directory of a run of `ketune reproduce`, whose verdicts are shown, too.

    Returns
    -------
    dict
        ``status``, ``report`` (path), ``summary`` (lines of text), and ``jobs`` and ``done`` (numbers).

    Raises
    ------
    InputError
        There is no batch, or one of a newer ketune; a result is damaged; there are no verdicts; the page cannot be
        written.
    """
    from ketune import report

    folder, progress = BatchFolder(directory), progress or NullProgress()
    status, done = batch_status(directory), folder.done()
    page = Path(output) if output is not None else folder.root / _PAGE
    population = None if verdicts is None else _population(Path(verdicts), page)
    if each:
        waiting = [job for job in sorted(done.values()) if not (job / _PAGE).exists()]
        with progress.task("writing the report of each job", len(waiting)) as task:
            for job in waiting:
                report.write([job], job / _PAGE)
                task.advance()
    table = collect(directory, progress=progress) if status["done"] else None
    links = {key: _link(job, page.absolute().parent) for key, job in done.items()}
    with progress.task("writing the report", None):
        report.write_batch(status, table, links, page, population)
    return {
        "status": "ok",
        "report": str(page),
        "summary": list(describe_status(status)),
        "jobs": status["jobs"],
        "done": status["done"],
    }


def _population(directory: Path, page: Path) -> Population:
    from ketune.reproduce import read_verdicts

    return Population(read_verdicts(directory), _link(directory, page.absolute().parent))


def _link(job: Path, start: Path) -> str:
    target = job / _PAGE if (job / _PAGE).exists() else job
    return quote(Path(os.path.relpath(target, start)).as_posix())
