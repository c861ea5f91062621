"""Run a batch, or go on with one."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ketune.batch._clusters import Where, connected, job_script
from ketune.batch._estimate import seconds_by_job
from ketune.batch._folder import BatchFolder, Limits
from ketune.batch._job import Job
from ketune.batch._perform import FIT_JOB
from ketune.batch._plan import BatchPlan, plan_batch
from ketune.batch._status import batch_status, chosen_jobs
from ketune.errors import InputError, Interrupted
from ketune.progress import NullProgress, Progress
from ketune.storage import check_output_directory

_KIND = "batch"


def default_output(configuration: Path) -> Path:
    """Beside the configuration, by its name."""
    return configuration.with_suffix("")


def run_batch(
    configuration: str | Path,
    output: str | Path | None = None,
    *,
    where: Where | None = None,
    work: str = FIT_JOB,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Do what is missing of a batch.

    Parameters
    ----------
    configuration
        A TOML file (docs/batch.md).
    output
        The batch's directory; by default the configuration's path without its ending. Finished jobs in it are kept
        and not done again.
    where
        Workers; local ones if not given.
    work
        ``"module:function"``, what is done with each job: see :func:`ketune.batch.fit_job` for its form.

    Returns
    -------
    dict
        As :func:`batch_status`, with ``ok`` (every job is done), ``seconds`` and ``message``.

    Raises
    ------
    InputError
        The configuration cannot be used, or the directory or the workers cannot be reached.
    Interrupted
        Ctrl-C: what is finished is kept.
    """
    where, progress, begun = where or Where(), progress or NullProgress(), time.monotonic()
    plan, folder = _planned(configuration, output, progress)
    folder.make()
    plan.inputs.copy_to(folder.root)
    limits = Limits(plan.settings.time_limit_s, plan.settings.attempts)
    folder.write_batch(plan.name, plan.source, plan.jobs, limits)
    return _run(folder.root, limits, where, work, progress, begun)


def preview_batch(
    configuration: str | Path,
    output: str | Path | None = None,
    *,
    where: Where | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """What :func:`run_batch` would do; nothing is written."""
    where = where or Where()
    plan, folder = _planned(configuration, output, progress or NullProgress())
    done, failed = folder.done(), folder.failed() if folder.root.is_dir() else {}
    todo = [job for job in plan.jobs if job.key not in done and job.key not in failed]
    each_s, basis = seconds_by_job(plan, folder)
    workers = where.n_workers
    return {
        "name": plan.name,
        "directory": str(folder.root),
        "jobs": len(plan.jobs),
        "counts": plan.counts,
        "applications": len(plan.jobs[0].applications),
        "done": sum(job.key in done for job in plan.jobs),
        "failed": sum(job.key in failed for job in plan.jobs),
        "to_do": [{"job": job.key, "label": job.label} for job in todo],
        "where": where.words(),
        "seconds_each": each_s,
        "seconds_basis": basis,
        "seconds_total": None if workers is None else each_s * -(-len(todo) // workers),
        "job_script": job_script(where) if where.queue is not None else None,
    }


def retry_batch(
    directory: str | Path,
    jobs: Sequence[str] = (),
    *,
    where: Where | None = None,
    work: str = FIT_JOB,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Try failed jobs again, and do what else is missing; returns and raises as :func:`run_batch`.

    Parameters
    ----------
    jobs
        Beginnings of their keys; all if none is given.
    """
    begun, folder = time.monotonic(), BatchFolder(directory)
    where = where or Where()
    limits = folder.limits
    folder.forgive(chosen_jobs(folder, list(jobs)))
    return _run(folder.root, limits, where, work, progress or NullProgress(), begun)


def clean_batch(directory: str | Path, *, others: bool = False) -> dict[str, Any]:
    """Remove what killed runs left; with ``others`` also results that the configuration no longer asks for."""
    folder = BatchFolder(directory)
    keys = {job.key for job in folder.jobs}
    with folder.alone():
        folder.tidy()
        old = [path for key, path in folder.done().items() if key not in keys] if others else []
        for path in old:
            shutil.rmtree(path)
        return {"directory": str(directory), "removed": [path.name for path in old]}


def _planned(
    configuration: str | Path, output: str | Path | None, progress: Progress
) -> tuple[BatchPlan, BatchFolder]:
    folder = BatchFolder(default_output(Path(configuration)) if output is None else output)
    if (folder.root / "batch.json").exists():
        folder.check_version()
    else:
        check_output_directory(folder.root, _KIND)
    return plan_batch(configuration, progress=progress), folder


def _run(
    root: Path, limits: Limits, where: Where, work: str, progress: Progress, begun: float
) -> dict[str, Any]:
    from ketune.batch._dispatch import dispatch

    folder = BatchFolder(root)
    with folder.alone():
        done, failed = folder.done(), folder.failed()
        todo: list[Job] = [job for job in folder.jobs if job.key not in done and job.key not in failed]
        tally = None
        try:
            if todo:
                with connected(where) as client:
                    tally = dispatch(
                        client, folder, todo, limits, threads=where.threads, work=work, progress=progress
                    )
        except KeyboardInterrupt:
            folder.tidy()
            raise Interrupted(f"interrupted: {_so_far(root)}; the same command goes on") from None
        folder.tidy()
    status = batch_status(root)
    stopped, by = (None, None) if tally is None else (tally.stopped, tally.ended_by)
    if by == "disk":
        raise InputError(f"{stopped}: {_so_far(root)}; make room there, then give the same command again")
    if by == "no directory":
        raise InputError(f"{stopped}; a batch on other machines needs a directory that they all see")
    message = "every job is done" if status["done"] == status["jobs"] else _so_far(root)
    if stopped is not None:
        message = f"{stopped}: {message}; the same command goes on"
    return {
        "ok": status["done"] == status["jobs"],
        **status,
        "seconds": round(time.monotonic() - begun, 1),
        "message": message,
    }


def _so_far(root: Path) -> str:
    status = batch_status(root)
    return f"{status['done']} of {status['jobs']} jobs are done and kept"
