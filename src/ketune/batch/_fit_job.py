"""The work of one job: fit, then each drug. This is the default of what a batch does with its jobs."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from ketune.batch._job import Job
from ketune.cell import Cell
from ketune.progress import Progress
from ketune.workflow import apply_drug, cell_from, fit_as_requested


def fit_job(job: Job, root: Path, directory: Path, attempt: int, progress: Progress) -> dict[str, Any]:
    """Fit a job's recording into a directory and apply its drugs to the fit.

    Parameters
    ----------
    root
        The batch's directory, from which the job's inputs are read.
    attempt
        Decides the seed.

    Returns
    -------
    dict
        ``status`` and ``message`` of the fit.
    """
    request = job.fit_request(root, attempt=attempt)
    cell = _cell(*((p and str(p)) for p in (request.model, request.morphology)), *job.cell_key)
    fit = fit_as_requested(job.data(root), directory, request, cell=cell, progress=progress)
    for application in job.applications:
        apply_drug(
            directory,
            application.request(lambda file: root / file.path),
            name=application.name,
            trials=application.settings.trials,
            doses=application.settings.doses,
            samples=application.settings.samples,
            engine=job.fit.engine,
            cell=cell,
            progress=progress,
        )
    return {"status": fit["status"], "message": fit["message"]}


@lru_cache(maxsize=4)
def _cell(model: str | None, morphology: str | None, *_contents: str | None) -> Cell:
    """Kept between the jobs of a process, with what has been compiled for it."""
    return cell_from({"model": model, "morphology": morphology})
