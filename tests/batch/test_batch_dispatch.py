"""How jobs are handed to workers."""

from __future__ import annotations

import threading
import time

import dask
from distributed import Client, LocalCluster

from ketune.batch import BatchFolder, Limits
from ketune.batch._clusters import DASK_SETTINGS
from ketune.batch._dispatch import dispatch
from ketune.batch._job import InputFile, Job
from ketune.batch._settings import FitSettings
from ketune.progress import NullProgress

_ended: list[int] = []
_all_others_have_ended = threading.Event()
N = 12


def long_or_short(root, job, limits, work):
    """The first job lasts until every other one has ended."""
    if job["seed"] == 0:
        kind = "done" if _all_others_have_ended.wait(timeout=30.0) else "time limit"
    else:
        time.sleep(0.2)
        kind = "done"
        _ended.append(job["seed"])
        if len(_ended) == N - 1:
            _all_others_have_ended.set()
    return {"kind": kind, "reason": "", "seed": job["seed"], "seconds": 0.0}


def test_no_job_waits_behind_a_long_one_while_a_worker_is_free(tmp_path):
    file = InputFile(path="inputs/0/cell.csv", sha256="0" * 64, original="/cell.csv")
    jobs = [
        Job(
            recording_name="cell",
            model_name="default",
            hypothesis=None,
            recording=file,
            seed=seed,
            fit=FitSettings(),
        )
        for seed in range(N)
    ]
    with (
        dask.config.set(DASK_SETTINGS),
        LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        tally = dispatch(
            client,
            BatchFolder(tmp_path),
            jobs,
            Limits(60.0, 1),
            threads=1,
            work="",
            progress=NullProgress(),
            call=long_or_short,
        )
        # What Dask takes for one kind of task stays in its queue until a worker is free; else it is dealt out at once.
        kinds = set(cluster.scheduler.task_prefixes)
    assert kinds == {"ketune_job"}
    assert tally.kinds == {"done": N}
    assert sorted(_ended) == list(range(1, N))
