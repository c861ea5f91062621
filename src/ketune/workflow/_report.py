"""Reports of fits that are already on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ketune.progress import NullProgress, Progress


def write_report(
    directories: list[Path], *, output: Path | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Write one HTML report of one or many fits and what was applied to them.

    Parameters
    ----------
    directories
        Directories that :func:`ketune.workflow.fit_recording` wrote.
    output
        The HTML file; ``report.html`` in the first directory if not given.

    Returns
    -------
    dict
        ``report`` (path) and ``summary`` (about ten lines of text).

    Raises
    ------
    InputError
        A directory holds no fit, or a file in it is damaged.
    """
    from ketune import report

    with (progress or NullProgress()).task("writing the report", None):
        path = report.write(directories, output or Path(directories[0]) / "report.html")
        return {"status": "ok", "report": str(path), "summary": report.summary_lines(directories)}
