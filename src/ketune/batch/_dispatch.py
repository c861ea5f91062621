"""Hand jobs to the workers and follow them until the last has ended."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

from distributed import WorkerPlugin, get_worker

from ketune.batch._folder import BatchFolder, Limits
from ketune.batch._job import Job
from ketune.batch._perform import Outcome
from ketune.batch._supervise import Runner, see_through
from ketune.progress import Progress, Task

if TYPE_CHECKING:
    from distributed import Client

_LOOK_S = 0.5
_SAY_S = 5.0
_PLUGIN = "ketune-runner"
# After one of these no other job can do better.
_ENDING = ("disk", "no directory")


class RunnerPlugin(WorkerPlugin):
    """A worker's process for jobs."""

    name = _PLUGIN

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.runner: Runner | None = None

    def setup(self, worker: Any) -> None:
        """Called by Dask when a worker begins."""
        self.runner = Runner(self.threads)

    def teardown(self, worker: Any) -> None:
        """Called by Dask when a worker ends."""
        if self.runner is not None:
            self.runner.stop()


def on_worker(root: str, job: dict[str, Any], limits: Limits, work: str) -> dict[str, Any]:
    """One job, on the worker that Dask has chosen."""
    runner = cast(RunnerPlugin, get_worker().plugins[_PLUGIN]).runner
    assert runner is not None
    try:
        outcome = see_through(BatchFolder(root), Job.model_validate(job), limits, runner, work=work)
    except OSError as error:
        outcome = Outcome("disk", f"{root}: {error.strerror}")
    return outcome.as_dict()


@dataclass
class Tally:
    """What has become of the jobs that were handed out.

    Attributes
    ----------
    ended_by
        The kind of outcome that ended it for all.
    stopped
        Why the rest was not done, in one line; None where every job has ended.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    ended_by: str | None = None
    stopped: str | None = None


def dispatch(
    client: Client,
    folder: BatchFolder,
    jobs: Sequence[Job],
    limits: Limits,
    *,
    threads: int,
    work: str,
    progress: Progress,
    call: Callable[..., dict[str, Any]] = on_worker,
) -> Tally:
    """Do these jobs; ``call`` is what a worker does with one."""
    from distributed import as_completed

    tally, run = Tally(), uuid.uuid4().hex[:8]
    # A scheduler may know the same job from another batch, or from an earlier run of this one. By the
    # common beginning it takes them for one kind of task, which it keeps in a queue; others it deals out at once, and a
    # job then waits behind a long one while other workers are free.
    by_key = {f"ketune_job-{job.key}-{run}": job for job in jobs}
    client.register_plugin(RunnerPlugin(threads))
    futures = client.map(
        call,
        [str(folder.root)] * len(jobs),
        [job.model_dump(mode="json") for job in jobs],
        limits=limits,
        work=work,
        key=list(by_key),
        pure=False,
        retries=0,
    )
    with progress.task(f"{len(jobs)} jobs{_dashboard(client)}", len(jobs)) as task:
        display = _Display(task, folder, len(jobs))
        queue = as_completed(futures, loop=client.loop, raise_errors=False)
        waiting = len(futures)
        while waiting and tally.stopped is None:
            for future in _ended(queue):
                waiting -= 1
                outcome = _outcome(future, folder, by_key[future.key])
                if outcome is None:
                    tally.stopped = "the scheduler was lost"
                    break
                tally.kinds[outcome.kind] += 1
                display.ended(outcome)
                future.release()
                if outcome.kind in _ENDING:
                    tally.stopped, tally.ended_by = outcome.reason, outcome.kind
                    break
            if client.status not in ("running", "connecting"):
                tally.stopped = tally.stopped or "the scheduler was lost"
            display.say()
            time.sleep(_LOOK_S if waiting else 0)
        if tally.stopped is not None:
            client.cancel(futures, force=True)
    return tally


def _dashboard(client: Client) -> str:
    """Where Dask shows what its workers do, if it does."""
    services = client.scheduler_info().get("services", {})
    # Without bokeh the address answers, but has nothing to show.
    shown = services.get("dashboard") and find_spec("bokeh")
    return f" (Dask's dashboard: {client.dashboard_link})" if shown else ""


def _ended(queue: Any) -> Iterator[Any]:
    """Futures that have ended by now."""
    if not queue.is_empty() and queue.has_ready():
        yield from queue.next_batch(block=False)


def _outcome(future: Any, folder: BatchFolder, job: Job) -> Outcome | None:
    """What a future has brought; None where it was lost with its scheduler."""
    if future.status == "finished":
        return Outcome(**future.result())
    if future.status == "error":
        reason = " ".join(str(future.exception()).split())
        outcome = Outcome("crashed", f"its worker was lost: {reason}", job.seed)
        folder.give_up(job, folder.add_attempt(job.key, outcome.as_dict()))
        return outcome
    return None


class _Display:
    """The line beside the bar."""

    def __init__(self, task: Task, folder: BatchFolder, total: int) -> None:
        self._task, self._folder, self._total = task, folder, total
        self._done = self._failed = 0
        self._begun = self._said = time.monotonic()

    def ended(self, outcome: Outcome) -> None:
        if outcome.kind == "done":
            self._done += 1
        else:
            self._failed += 1
        self._task.advance()

    def say(self) -> None:
        now = time.monotonic()
        if now - self._said < _SAY_S:
            return
        self._said = now
        ended = self._done + self._failed
        per_s = ended / (now - self._begun)
        speed = f", {60 * per_s:.3g} a minute" if ended else ""
        self._task.describe(
            f"{self._done} of {self._total} jobs done, {self._failed} failed, {len(self._folder.running())} running"
            f"{speed}"
        )
