"""A simulated cluster of 1 to 1000 workers: what the scheduler costs, and how well the workers are used.

    python benchmarks/batch_scaling.py -o docs/figures/batch_scaling.png [--lengths DIR] [--per-worker 4]

The workers are Dask's own, with Dask's own scheduler and ketune's way of handing out jobs, all in this process. A job
sleeps for as long as one of a finished batch took (``--lengths``; times are multiplied so that their mean is ``--mean``
seconds). The efficiency is the time that the jobs slept, over workers times wall time. Jobs of uneven lengths leave
workers without work at the end, so it is compared with that of a schedule that costs nothing: each job, in the same
order, goes to the worker that is free first. A simulated cluster has no network and no shared disk: what is measured is
scheduling, by a scheduler that shares one interpreter with all its workers.
"""

from __future__ import annotations

import argparse
import heapq
import json
import logging
import time
from pathlib import Path

import dask
import numpy as np

from ketune.batch import BatchFolder, Job, Limits
from ketune.batch._clusters import DASK_SETTINGS
from ketune.batch._dispatch import dispatch
from ketune.batch._folder import read_job
from ketune.batch._job import InputFile
from ketune.batch._settings import FitSettings
from ketune.progress import NullProgress

COUNTS = (1, 10, 30, 100, 300, 1000)
# A thousand workers that start in one interpreter take longer to answer than one.
SIMULATED = {"distributed.comm.timeouts.connect": "300s"}


def sleep(root, job, limits, work):
    """In the place of a job."""
    time.sleep(job["seed"] * 1e-6)
    return {"kind": "done", "reason": "", "seed": job["seed"], "seconds": 0.0}


def jobs_of(lengths_s: np.ndarray) -> list[Job]:
    """One for each length, which is its seed in microseconds."""
    file = InputFile(path="inputs/0/cell.csv", sha256="0" * 64, original="/cell.csv")
    jobs = []
    for i, length in enumerate(lengths_s):
        jobs.append(
            Job(
                recording_name=f"cell {i}",
                model_name="default",
                hypothesis=None,
                recording=file,
                neuron=str(i),
                seed=int(length * 1e6),
                fit=FitSettings(),
            )
        )
    return jobs


def measure(n_workers: int, lengths_s: np.ndarray, folder: BatchFolder) -> dict[str, float]:
    from distributed import Client, LocalCluster

    begun = time.monotonic()
    with (
        dask.config.set(DASK_SETTINGS | SIMULATED),
        LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            processes=False,
            memory_limit=0,
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster, timeout=300, set_as_default=False) as client,
    ):
        client.wait_for_workers(n_workers)
        started = time.monotonic() - begun
        begun, cpu = time.monotonic(), time.process_time()
        tally = dispatch(
            client,
            folder,
            jobs_of(lengths_s),
            Limits(1e6, 1),
            threads=1,
            work="",
            progress=NullProgress(),
            call=sleep,
        )
        wall, cpu = time.monotonic() - begun, time.process_time() - cpu
    assert tally.kinds["done"] == len(lengths_s), tally
    free = free_schedule(n_workers, lengths_s)
    return {
        "workers": n_workers,
        "jobs": len(lengths_s),
        "start_s": started,
        "wall_s": wall,
        "free_schedule_s": free,
        "efficiency": lengths_s.sum() / (n_workers * wall),
        "free_efficiency": lengths_s.sum() / (n_workers * free),
        "cpu_ms_per_job": 1e3 * cpu / len(lengths_s),
    }


def free_schedule(n_workers: int, lengths_s: np.ndarray) -> float:
    """Seconds until the last job has ended if handing out costs nothing."""
    free_at = [0.0] * n_workers
    for length in lengths_s:
        heapq.heapreplace(free_at, free_at[0] + length)
    return max(free_at)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--lengths", type=Path, required=True, help="directory of a finished batch")
    parser.add_argument("--mean", type=float, default=20.0)
    parser.add_argument("--per-worker", type=int, default=4)
    asked = parser.parse_args()
    recorded = np.array([read_job(p)["seconds"] for p in BatchFolder(asked.lengths).done().values()])
    rng, folder, rows = np.random.default_rng(1), BatchFolder("/nonexistent"), []
    for n in COUNTS:
        lengths = rng.choice(recorded / recorded.mean() * asked.mean, n * asked.per_worker)
        rows.append(measure(n, lengths, folder))
        print(json.dumps({k: round(v, 4) for k, v in rows[-1].items()}), flush=True)
    draw(rows, recorded, asked.mean, asked.output)


def draw(rows: list[dict[str, float]], recorded: np.ndarray, mean_s: float, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    scaled = recorded / recorded.mean() * mean_s
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    n = [r["workers"] for r in rows]
    left.plot(n, [r["efficiency"] for r in rows], "o-", color="#0072B2", label="measured")
    left.plot(
        n, [r["free_efficiency"] for r in rows], "--", color="#767676", label="if handing out cost nothing"
    )
    left.set(xscale="log", xlabel="workers", ylabel="share of the workers' time that is work", ylim=(0, 1.05))
    left.set_title(
        f"{rows[0]['jobs']:.0f} jobs a worker, {mean_s:g} s ({scaled.min():.0f} to {scaled.max():.0f} s) each",
        fontsize=10,
    )
    left.legend(frameon=False)
    right.plot(n, [r["cpu_ms_per_job"] for r in rows], "o-", color="#D55E00")
    right.set(xscale="log", xlabel="workers", ylabel="processor time, ms a job", ylim=(0, None))
    right.set_title("scheduler and all workers, without the jobs", fontsize=10)
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
