"""Where jobs run: local workers, a scheduler by address, or a queueing system, all through Dask distributed."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ketune.cores import available_cores
from ketune.errors import InputError

if TYPE_CHECKING:
    from distributed import Client

_CONNECT_S = 10.0
# The class of dask-jobqueue for each queueing system.
QUEUES = {"slurm": "SLURMCluster", "pbs": "PBSCluster", "sge": "SGECluster"}
DASK_SETTINGS = {
    # Jobs are apart from their workers (see _runner): the death of a worker is not theirs, and a profile of the
    # worker shows nothing of them, but takes more than handing them out.
    "distributed.scheduler.allowed-failures": 20,
    # One job at a time: jobs are long and uneven, and one that waits behind another keeps a free worker from it.
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.worker.profile.enabled": False,
    # Fifty ticks a second, and two looks at the machine, take more than handing out jobs of many seconds.
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.tick.limit": "60s",
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.comm.timeouts.connect": f"{_CONNECT_S:g}s",
}


@dataclass(frozen=True)
class Where:
    """Where jobs run.

    Attributes
    ----------
    workers
        Each works on one job at a time; None: as many as the cores allow. Not for a scheduler by address.
    threads
        Of each job.
    scheduler
        Address of a running Dask scheduler.
    queue
        ``"slurm"``, ``"pbs"`` or ``"sge"``.
    options
        Of the queue's jobs, as dask-jobqueue takes them (``walltime``, ``memory``, ``queue``, ``account``).

    Raises
    ------
    InputError
        They contradict each other, or what they need is not installed.
    """

    workers: int | None = None
    threads: int = 1
    scheduler: str | None = None
    queue: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.scheduler is not None and (self.queue is not None or self.workers is not None):
            raise InputError(
                "--scheduler: its workers are its own; leave out --workers and the queueing system"
            )
        if self.options and self.queue is None:
            raise InputError("--queue-option: is for --slurm, --pbs or --sge; add one of them")
        if self.queue is not None and find_spec("dask_jobqueue") is None:
            raise InputError(f"--{self.queue}: needs dask-jobqueue; pip install 'ketune[cluster]'")

    @property
    def n_workers(self) -> int | None:
        """How many, where that is known beforehand."""
        if self.scheduler is not None:
            return None
        return self.workers or (max(1, available_cores() // self.threads) if self.queue is None else 1)

    def words(self) -> str:
        """For people."""
        if self.scheduler is not None:
            return f"the scheduler at {self.scheduler}"
        what = f"{self.n_workers} worker{'' if self.n_workers == 1 else 's'}"
        what += f" of {self.threads} threads" if self.threads > 1 else ""
        return f"{what} through {self.queue}" if self.queue else what


@contextmanager
def connected(where: Where) -> Iterator[Client]:
    """A client of the cluster, which ends with the block unless it was there before.

    Raises
    ------
    InputError
        It cannot be reached or started.
    """
    import dask
    from distributed import Client

    logger = logging.getLogger("distributed")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    with dask.config.set(DASK_SETTINGS):
        cluster = None if where.scheduler is not None else _started(where)
        try:
            try:
                client = Client(cluster or where.scheduler, timeout=_CONNECT_S, set_as_default=False)
            except (OSError, ValueError) as error:
                raise InputError(
                    f"--scheduler {where.scheduler}: no Dask scheduler answers there ({_first_line(error)}); "
                    "check the address, and that it runs"
                ) from None
            try:
                yield client
            finally:
                with suppress(Exception):
                    client.close(timeout=5)
        finally:
            if cluster is not None:
                with suppress(Exception):
                    cluster.close(timeout=10)
            logger.setLevel(level)


def _started(where: Where) -> Any:
    if where.queue is not None:
        cluster = _queue_cluster(where)
        cluster.scale(jobs=where.n_workers)
        return cluster
    from distributed import LocalCluster

    # Ctrl-C reaches every process of a terminal. Processes inherit that it is ignored: only the batch itself decides.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return LocalCluster(
            n_workers=where.n_workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=0,  # the jobs' memory is that of their own processes
            dashboard_address=":0",  # whichever is free: None is a fixed one, and a warning where two batches run
            silence_logs=logging.CRITICAL,
        )
    finally:
        signal.signal(signal.SIGINT, before)


def _queue_cluster(where: Where) -> Any:
    import dask_jobqueue

    assert where.queue is not None
    kind = getattr(dask_jobqueue, QUEUES[where.queue])
    # One Dask thread for each worker, whatever the job itself computes with.
    given = {"cores": 1, "job_cpu": where.threads, "processes": 1, "memory": "4GB", **where.options}
    if where.queue != "slurm":
        given.pop("job_cpu")
    try:
        return kind(**given)
    except (TypeError, ValueError) as error:
        raise InputError(f"--{where.queue}: {_first_line(error)}; see --queue-option") from None


def job_script(where: Where) -> str:
    """What would be submitted to the queueing system."""
    with _queue_cluster(where) as cluster:
        return str(cluster.job_script())


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
