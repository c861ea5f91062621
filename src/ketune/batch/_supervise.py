"""Attempts at a job until it is done or given up, each in a process that can be stopped."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, Any, cast

from ketune.batch._folder import BatchFolder, Limits
from ketune.batch._job import Job
from ketune.batch._perform import FIT_JOB, Outcome

# Whatever these say, another seed would not help and the job is not to blame.
_NOT_THE_JOBS = ("done", "elsewhere", "stopped", "disk", "no directory")
# A process that dies may have been killed by somebody else: the same seed again.
_MOST_CRASHES = 3


class Runner:
    """A process of :mod:`ketune.batch._runner`, started when needed and again after it died."""

    def __init__(self, threads: int = 1) -> None:
        self._environment = {**os.environ, **_one_of(threads)}
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False

    def ask(self, request: Mapping[str, Any], time_limit_s: float | None) -> Outcome:
        """Outcome of a request; after the time limit, if there is one, the process is killed."""
        process = self._alive()
        source = cast(IO[str], process.stdout)
        try:
            cast(IO[str], process.stdin).write(json.dumps(request) + "\n")
            cast(IO[str], process.stdin).flush()
            readable, _, _ = select.select([source], [], [], time_limit_s)
            line = source.readline() if readable else None
        except BrokenPipeError:
            line = ""
        if self._stopped:
            return Outcome("stopped", "its worker was ended")
        if line is None:
            assert time_limit_s is not None
            self.close()
            return Outcome("time limit", f"took longer than {time_limit_s:g} s", seconds=time_limit_s)
        if not line.endswith("\n"):
            code = process.wait()
            self.close()
            return Outcome("crashed", _death(code))
        return Outcome(**json.loads(line))

    def stop(self) -> None:
        """Kill the process for good; who waits for its answer learns that it was stopped."""
        self._stopped = True
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """Kill the process, if there is one; the next request starts another."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                with suppress(OSError):
                    cast(IO[str], pipe).close()
            self._process = None

    def _alive(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ketune.batch._runner"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=self._environment,
                start_new_session=True,  # Ctrl-C is for the batch, which then ends its workers in order
            )
        return self._process


def request_of(folder: BatchFolder, job: Job, attempt: int, work: str = FIT_JOB) -> dict[str, Any]:
    """What a runner is asked for one attempt at a job."""
    return {
        "root": str(folder.root),
        "job": job.model_dump(mode="json"),
        "attempt": attempt,
        "work": work,
    }


def see_through(
    folder: BatchFolder, job: Job, limits: Limits, runner: Runner, *, work: str = FIT_JOB
) -> Outcome:
    """Attempt a job until it is done, given up, or cannot be worked on here."""
    if not folder.jobs_dir.is_dir():
        return Outcome("no directory", f"{folder.root} cannot be seen from {os.uname().nodename}")
    attempts = folder.attempts(job.key)
    while True:
        crashes = sum(a["kind"] == "crashed" for a in attempts)
        fresh = len(attempts) - crashes
        outcome = runner.ask(request_of(folder, job, fresh, work), limits.time_limit_s)
        if outcome.kind in _NOT_THE_JOBS:
            return outcome
        folder.check_room()
        folder.clear(job.key)
        attempts = folder.add_attempt(job.key, outcome.as_dict() | {"seed": job.seed_of(fresh)})
        crashed = outcome.kind == "crashed"
        if (
            outcome.kind == "bad input"
            or (crashed and crashes + 1 >= _MOST_CRASHES)
            or (not crashed and fresh + 1 >= limits.attempts)
        ):
            folder.give_up(job, attempts)
            return outcome


def _one_of(threads: int) -> dict[str, str]:
    """Environment of a process that computes with so many threads."""
    names = ("KETUNE_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    flags = os.environ.get("XLA_FLAGS", "")
    if threads == 1:
        flags += " --xla_cpu_multi_thread_eigen=false"
    return {**dict.fromkeys(names, str(threads)), "XLA_FLAGS": flags.strip(), "PYTHONUNBUFFERED": "1"}


def _death(code: int) -> str:
    if code >= 0:
        return f"its process ended with exit code {code}"
    name = signal.Signals(-code).name
    more = ", perhaps for want of memory" if name == "SIGKILL" else ""
    return f"its process was killed by {name}{more}"
