"""Reports of fits that are already on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ketune.progress import NullProgress, Progress


def write_report(
    directories: Sequence[str | Path], *, output: Path | None = None, progress: Progress | None = None
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
        paths = [Path(d) for d in directories]
        path = report.write(paths, output or paths[0] / "report.html")
        return {"status": "ok", "report": str(path), "summary": report.summary_lines(paths)}
