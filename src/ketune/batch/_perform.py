"""One attempt at one job, in this process; whatever happens is an outcome."""

from __future__ import annotations

import errno
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from ketune._progress_display import LineProgress
from ketune.batch._folder import BatchFolder
from ketune.batch._job import Job
from ketune.cores import available_cores
from ketune.errors import InputError
from ketune.progress import Progress
from ketune.storage import read_json

Kind = Literal[
    "done",
    "elsewhere",
    "bad input",
    "error",
    "not finite",
    "time limit",
    "crashed",
    "stopped",
    "disk",
    "no directory",
]
Work = Callable[[Job, Path, Path, int, Progress], dict[str, Any]]
FIT_JOB = "ketune.batch._fit_job:fit_job"
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class Outcome:
    """What became of an attempt.

    Attributes
    ----------
    kind
        ``"done"``: the job is finished, by this attempt or before it.
    reason
        One line; empty for a finished job.
    """

    kind: Kind
    reason: str = ""
    seed: int | None = None
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class NotFiniteError(ArithmeticError):
    """A fit whose parameters are no numbers."""


def work_named(name: str) -> Work:
    """The function that ``"module:function"`` names."""
    module, _, function = name.partition(":")
    work: Work = getattr(import_module(module), function)
    return work


def perform(folder: BatchFolder, job: Job, attempt: int, work: str = FIT_JOB) -> Outcome:
    """Do a job unless it is done, and publish it."""
    try:
        return _performed(folder, job, attempt, work)
    except OSError as error:
        # Of the log or the lock: nothing that the job has done.
        return Outcome("disk", _words(error), job.seed_of(attempt))


def _performed(folder: BatchFolder, job: Job, attempt: int, work: str) -> Outcome:
    begun, seed = time.monotonic(), job.seed_of(attempt)
    with _heard(folder.log(job.key)), folder.working_on(job.key) as mine:
        if not mine:
            return Outcome("elsewhere", "another process works on it")
        if (folder.jobs_dir / job.folder).exists():
            return Outcome("done")
        print(f"--- {_now()}: {job.label}, attempt {attempt + 1}, seed {seed}, {_place()}", flush=True)
        try:
            with folder.unfinished(job.key) as directory:
                found = work_named(work)(job, folder.root, directory, attempt, LineProgress(sys.stderr))
                _refuse_no_numbers(directory)
                record = _record(folder, job, attempt, found, time.monotonic() - begun)
                folder.publish(job, directory, record)
            return Outcome("done", seed=seed, seconds=time.monotonic() - begun)
        except Exception as error:
            traceback.print_exc()
            return Outcome(_kind(error), _words(error), seed, time.monotonic() - begun)


def _record(
    folder: BatchFolder, job: Job, attempt: int, found: dict[str, Any], seconds: float
) -> dict[str, Any]:
    from ketune.provenance import provenance

    own = provenance(seed=job.seed_of(attempt))
    own["command"] = f"ketune rerun {Path('jobs') / job.folder}"
    return {
        "job": job.key,
        "label": job.label,
        "status": found.get("status"),
        "message": found.get("message"),
        "seed": job.seed,
        "seed_used": job.seed_of(attempt),
        "attempt": attempt,
        "failed_attempts": folder.attempts(job.key),
        "seconds": round(seconds, 3),
        "threads": available_cores(),
        "host": socket.gethostname(),
        "finished": _now(),
        "inputs": job.model_dump(mode="json"),
        "provenance": own,
    }


def _refuse_no_numbers(directory: Path) -> None:
    fit = directory / "fit.json"
    if not fit.exists():
        return
    from ketune.workflow import FIT_FORMAT

    # A document has no NaN: what is none was not finite.
    missing = [name for name, p in read_json(fit, FIT_FORMAT)["parameters"].items() if p["value"] is None]
    if missing:
        raise NotFiniteError(f"the fit gave no finite value of {', '.join(missing)}")


def _kind(error: BaseException) -> Kind:
    at: BaseException | None = error
    while at is not None:
        if isinstance(at, OSError) and at.errno in _FULL:
            return "disk"
        at = at.__cause__ or at.__context__
    if isinstance(error, NotFiniteError):
        return "not finite"
    return "bad input" if isinstance(error, InputError) else "error"


def _words(error: BaseException) -> str:
    text = " ".join(str(error).split())
    named = isinstance(error, InputError | NotFiniteError)
    return text if named else f"{type(error).__name__}: {text}" if text else type(error).__name__


@contextmanager
def _heard(log: Path) -> Iterator[None]:
    """Whatever is printed, C libraries and child processes included, goes to the end of the log."""
    with suppress(OSError):
        sys.stdout.flush(), sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        yield
    finally:
        # A full disk may refuse what is still in the buffers; the outcome says so already.
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.flush()
        os.dup2(kept[0], 1)
        os.dup2(kept[1], 2)
        for open_one in (descriptor, *kept):
            os.close(open_one)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _place() -> str:
    return f"{socket.gethostname()} process {os.getpid()}"
