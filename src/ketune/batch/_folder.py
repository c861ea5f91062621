"""The directory of a batch. What is finished stands in it; nothing else decides what is left to do.

::

    DIR/batch.json            the jobs, and how they are run
    DIR/inputs/               copies of recordings, models and morphologies
    DIR/jobs/NAME-KEY/        one finished job: its fit directory and job.json
    DIR/failed/KEY.json       one job that was given up, with its reasons
    DIR/attempts/KEY.json     failed attempts at a job that is not finished yet
    DIR/logs/KEY.log          what a job said
    DIR/running/KEY.lock      held by the process that works on a job
    DIR/unfinished/           what a job writes before it is finished; worthless after a crash
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ketune.batch._job import Job
from ketune.errors import InputError
from ketune.storage import read_json, write_json

BATCH_FORMAT = "ketune-batch/1"
JOB_FORMAT = "ketune-job/1"
FAILED_FORMAT = "ketune-failed-job/1"
ATTEMPTS_FORMAT = "ketune-attempts/1"
JOB_FILE = "job.json"
# Processes of a run that was killed die within seconds; until then they hold the locks of their jobs.
LOCK_WAIT_S = 60.0
# More than a job writes at a time.
_ROOM_BYTES = 4 << 20


@dataclass(frozen=True)
class Limits:
    """Of every job: seconds of one attempt, and attempts."""

    time_limit_s: float
    attempts: int


class BatchFolder:
    """Paths and states of a batch on disk."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).absolute()
        self.jobs_dir = self.root / "jobs"

    def _repr_html_(self) -> str:
        from ketune.report._notebook_displays import batch_html

        return batch_html(self)

    def lock_file(self, key: str) -> Path:
        """Held while somebody works on the job."""
        return self.root / "running" / f"{key}.lock"

    def log(self, key: str) -> Path:
        """What the job says."""
        return self.root / "logs" / f"{key}.log"

    def failed_file(self, key: str) -> Path:
        """Why the job was given up."""
        return self.root / "failed" / f"{key}.json"

    def attempts_file(self, key: str) -> Path:
        """Attempts that failed so far."""
        return self.root / "attempts" / f"{key}.json"

    def make(self) -> None:
        """Make the directories."""
        for name in ("jobs", "failed", "attempts", "logs", "running", "unfinished", "inputs"):
            (self.root / name).mkdir(parents=True, exist_ok=True)

    # What was asked for

    def write_batch(self, name: str, source: Path, jobs: Sequence[Job], limits: Limits) -> None:
        """Remember the jobs, so that later calls need no configuration."""
        document = {
            "name": name,
            "source": str(source.resolve()),
            "time_limit_s": limits.time_limit_s,
            "attempts": limits.attempts,
            "jobs": [job.model_dump(mode="json") for job in jobs],
        }
        write_json(self.root / "batch.json", document, BATCH_FORMAT)

    @cached_property
    def _batch(self) -> dict[str, Any]:
        return read_json(self.root / "batch.json", BATCH_FORMAT)

    def check_version(self) -> None:
        """Refuse a batch of a newer ketune; errors as of :attr:`jobs`."""
        _ = self._batch

    @property
    def name(self) -> str:
        """Of the batch."""
        return str(self._batch["name"])

    @property
    def source(self) -> str:
        """The configuration it was made from."""
        return str(self._batch["source"])

    @cached_property
    def jobs(self) -> tuple[Job, ...]:
        """Every job of the configuration.

        Raises
        ------
        InputError
            There is no batch, or one of a newer ketune.
        """
        try:
            return tuple(Job.model_validate(job) for job in self._batch["jobs"])
        except (KeyError, ValidationError):
            raise InputError(
                f"{self.root / 'batch.json'}: is damaged; give the configuration again: finished jobs are kept"
            ) from None

    @property
    def limits(self) -> Limits:
        """How long and how often."""
        return Limits(float(self._batch["time_limit_s"]), int(self._batch["attempts"]))

    # What has become of it

    def done(self) -> dict[str, Path]:
        """Directories of finished jobs by key."""
        if not self.jobs_dir.is_dir():
            return {}
        with os.scandir(self.jobs_dir) as entries:
            return {e.name.rpartition("-")[2]: Path(e.path) for e in entries if not e.name.startswith(".")}

    def failed(self) -> dict[str, dict[str, Any]]:
        """Jobs that were given up, by key."""
        return {
            path.stem: read_json(path, FAILED_FORMAT)
            for path in sorted((self.root / "failed").glob("*.json"))
        }

    def running(self) -> list[str]:
        """Keys of jobs that a live process works on."""
        return [path.stem for path in (self.root / "running").glob("*.lock") if _is_held(path)]

    def attempts(self, key: str) -> list[dict[str, Any]]:
        """Failed attempts at a job so far."""
        path = self.attempts_file(key)
        return list(read_json(path, ATTEMPTS_FORMAT)["attempts"]) if path.exists() else []

    # Changes

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the whole batch: two commands would hand out the same jobs.

        Raises
        ------
        InputError
            Another live process has it.
        """
        import filelock

        lock = filelock.FileLock(self.root / ".batch.lock", timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise InputError(
                f"{self.root}: another `ketune batch` works there; wait for it, or choose another directory"
            ) from None
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def working_on(self, key: str) -> Iterator[bool]:
        """Hold a job's lock; False where another live process has it and does not let go within a minute."""
        import filelock

        lock = filelock.FileLock(self.lock_file(key), timeout=LOCK_WAIT_S)
        try:
            lock.acquire()
        except filelock.Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    @contextmanager
    def unfinished(self, key: str) -> Iterator[Path]:
        """A directory to work in, removed if it has not been moved away by then."""
        directory = self.root / "unfinished" / f"{key}-{uuid.uuid4().hex[:8]}"
        directory.mkdir(parents=True)
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def publish(self, job: Job, directory: Path, document: Mapping[str, Any]) -> bool:
        """Make a finished job visible in one step; False if it was already there."""
        write_json(directory / JOB_FILE, document, JOB_FORMAT)
        _sync(directory)
        try:
            directory.rename(self.jobs_dir / job.folder)
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
                return False
            raise
        _sync(self.jobs_dir, deep=False)
        for path in (self.attempts_file(job.key), self.failed_file(job.key)):
            path.unlink(missing_ok=True)
        return True

    def add_attempt(self, key: str, attempt: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Record a failed attempt; all of them so far."""
        attempts = [*self.attempts(key), {**attempt, "host": socket.gethostname()}]
        write_json(self.attempts_file(key), {"attempts": attempts}, ATTEMPTS_FORMAT)
        return attempts

    def give_up(self, job: Job, attempts: Sequence[Mapping[str, Any]]) -> None:
        """Put a job into quarantine."""
        last = attempts[-1]
        document = {
            "job": job.key,
            "label": job.label,
            "kind": last["kind"],
            "reason": last["reason"],
            "attempts": list(attempts),
            "log": str(self.log(job.key).relative_to(self.root)),
        }
        write_json(self.failed_file(job.key), document, FAILED_FORMAT)
        self.attempts_file(job.key).unlink(missing_ok=True)

    def tidy(self) -> None:
        """Remove what killed runs left behind; what a live process works on stays."""
        for path in (self.root / "running").glob("*.lock"):
            if not _is_held(path):
                path.unlink(missing_ok=True)
        busy = set(self.running())
        for path in (self.root / "unfinished").glob("*"):
            key = path.name.rpartition("-")[0]
            if key not in busy:
                self.clear(key)

    def check_room(self) -> None:
        """Raise the OSError of a full disk, if it is one.

        A job may die of it without saying so.
        """
        probe = self.root / "unfinished" / f"room-{uuid.uuid4().hex[:8]}"
        try:
            with probe.open("wb") as opened:
                opened.write(bytes(_ROOM_BYTES))
                opened.flush()
                os.fsync(opened.fileno())
        finally:
            probe.unlink(missing_ok=True)

    def clear(self, key: str) -> None:
        """Remove what stopped attempts at a job left."""
        for path in (self.root / "unfinished").glob(f"{key}-*"):
            shutil.rmtree(path, ignore_errors=True)

    def forgive(self, keys: Sequence[str]) -> None:
        """Let failed jobs be tried again."""
        for key in keys:
            self.failed_file(key).unlink(missing_ok=True)
            self.attempts_file(key).unlink(missing_ok=True)


def read_job(directory: Path) -> dict[str, Any]:
    """The record of a finished job.

    Raises
    ------
    InputError
        The directory is none, or is of a newer ketune.
    """
    return read_json(directory / JOB_FILE, JOB_FORMAT)


def job_of(record: Mapping[str, Any]) -> Job:
    """The job of a record."""
    return Job.model_validate_json(json.dumps(record["inputs"]))


def _is_held(path: Path) -> bool:
    import filelock

    lock = filelock.FileLock(path, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        return True
    lock.release()
    return False


def _sync(directory: Path, *, deep: bool = True) -> None:
    """Bring a directory's files to the disk: a full disk shows itself here, before the job counts as finished."""
    files = (p for p in directory.rglob("*") if p.is_file()) if deep else ()
    for path in (*files, directory):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
