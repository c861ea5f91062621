"""Whole batches on local workers."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from ketune.batch import BatchFolder, Where, batch_status, clean_batch, retry_batch, run_batch
from ketune.errors import InputError

TWO = Where(workers=2)
WORK = "made_up_work:numbers"


def values(root: Path) -> dict[str, float]:
    """What every finished job has found."""
    return {
        key: json.loads((path / "fit.json").read_text())["parameters"]["ampa_nS"]["value"]
        for key, path in BatchFolder(root).done().items()
    }


def test_only_what_is_missing_is_done_and_bad_jobs_stop_nobody(configure, tmp_path, made_up):
    path, out = configure("seeds = [1, 2, 6, 7]", "attempts = 2"), tmp_path / "out"
    work = "made_up_work:misbehaving"
    found = run_batch(path, out, where=TWO, work=work)
    assert not found["ok"]
    assert (found["jobs"], found["done"], found["running"], found["missing"]) == (4, 2, 0, 0)
    assert {f["kind"]: f["attempts"] for f in found["failed"]} == {"error": 2, "bad input": 1}
    # More seeds: the others are kept; failures stay failures until they are retried.
    path = configure("seeds = [1, 6, 7, 8]", "attempts = 2")
    found = run_batch(path, out, where=TWO, work=work)
    assert (found["jobs"], found["done"], len(found["failed"])) == (4, 3, 1)
    assert Counter((out / "completed.txt").read_text().split()).most_common(1)[0][1] == 1
    # Of the earlier configuration, seed 2 failed and left nothing; take seed 8 out and it is one too many.
    path = configure("seeds = [1, 6]")
    assert run_batch(path, out, where=TWO, work=work)["others"] == 1
    assert len(clean_batch(out, others=True)["removed"]) == 1
    assert batch_status(out)["others"] == 0
    assert (batch_status(out)["done"], batch_status(out)["jobs"]) == (2, 2)


def test_failed_jobs_are_tried_again_when_asked(configure, tmp_path, made_up):
    path, out = configure("seeds = [1, 2]", "attempts = 1"), tmp_path / "out"
    (failed,) = run_batch(path, out, where=TWO, work="made_up_work:misbehaving")["failed"]
    assert run_batch(path, out, where=TWO, work=WORK)["done"] == 1
    with pytest.raises(InputError, match=f"no failed job begins with 'zz'; there are {failed['job']}"):
        retry_batch(out, ["zz"], where=TWO, work=WORK)
    assert retry_batch(out, [failed["job"][:5]], where=TWO, work=WORK)["ok"]


def test_a_full_disk_stops_the_batch_and_room_lets_it_go_on(configure, tmp_path, made_up):
    path, out = configure("seeds = [1, 2, 3, 4]"), tmp_path / "out"
    with pytest.raises(
        InputError, match=r"No space left on device.* [12] of 4 jobs are done and kept; make room"
    ):
        run_batch(path, out, where=Where(workers=1), work="made_up_work:full_disk")
    (out / "room").touch()
    assert run_batch(path, out, where=TWO, work="made_up_work:full_disk")["ok"]
    assert Counter((out / "completed.txt").read_text().split()).most_common(1)[0][1] == 1


def test_a_directory_of_something_else_or_of_a_newer_version_is_refused(configure, tmp_path):
    path, out = configure(), tmp_path / "out"
    out.mkdir()
    (out / "batch.json").write_text('{"format": "ketune-batch/2"}')
    with pytest.raises(InputError, match="batch format 2, this ketune reads 1"):
        run_batch(path, out)
    with pytest.raises(InputError, match="batch format 2, this ketune reads 1"):
        batch_status(out)
    with pytest.raises(InputError, match="holds no batch"):
        batch_status(tmp_path)


def test_a_scheduler_that_is_not_there_is_one_line(configure, tmp_path):
    with pytest.raises(
        InputError, match=r"--scheduler tcp://127\.0\.0\.1:9: no Dask scheduler answers there"
    ):
        run_batch(configure(), tmp_path / "out", where=Where(scheduler="tcp://127.0.0.1:9"))


def test_a_scheduler_by_address(configure, tmp_path, made_up):
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        found = run_batch(
            configure("seeds = [1, 2, 3]"),
            tmp_path / "out",
            where=Where(scheduler=cluster.scheduler_address),
            work=WORK,
        )
    assert found["ok"]


@pytest.mark.parametrize(("queue", "word"), [("slurm", "#SBATCH"), ("pbs", "#PBS"), ("sge", "#$")])
def test_what_a_queueing_system_would_be_given(configure, queue, word):
    from ketune.batch import preview_batch

    where = Where(workers=3, queue=queue, options={"walltime": "01:30:00", "memory": "6GB"})
    script = preview_batch(configure(), where=where)["job_script"]
    assert word in script
    assert "01:30:00" in script
    assert "--nthreads 1" in script


CAMPAIGN = """
import sys
from ketune.batch import Where, run_batch
if __name__ == "__main__":
    run_batch(sys.argv[1], sys.argv[2], where=Where(workers=2), work="made_up_work:misbehaving")
"""


@pytest.mark.slow
def test_killed_again_and_again_it_ends_as_if_nothing_had_happened(configure, tmp_path, made_up, monkeypatch):
    """40 jobs, three of them bad; the batch with its scheduler, or a worker, is killed at random moments."""
    monkeypatch.setenv("MADE_UP_LENGTH_S", "0.4")
    seeds = [2, 4, 7, *range(8, 45)]
    path, out = configure(f"seeds = {seeds}", "attempts = 1"), tmp_path / "out"
    rng, kills = random.Random(3), 0
    while True:
        process = subprocess.Popen([sys.executable, "-c", CAMPAIGN, str(path), str(out)])
        if kills == 6:
            assert process.wait(timeout=300) == 0
            break
        kills += _kills(process, out, rng, 6 - kills)
    status = batch_status(out)
    assert (status["done"], status["missing"], status["running"]) == (37, 0, 0)
    assert {f["kind"] for f in status["failed"]} == {"error", "not finite", "bad input"}
    # None was published twice, and none is half-written.
    assert len(list((out / "jobs").iterdir())) == 37
    rows = (out / "inputs").rglob("cell.csv").__next__().read_text().count("\n")
    keys = {job.key: job.seed for job in BatchFolder(out).jobs}
    assert values(out) == {key: rows + seed for key, seed in keys.items() if seed not in (2, 4, 7)}
    assert all((p / "job.json").exists() and (p / "first.json").exists() for p in (out / "jobs").iterdir())
    assert list((out / "unfinished").iterdir()) == []
    # A kill between the end of the work and its publication may cost that work; never more than one job a worker.
    completed = Counter((out / "completed.txt").read_text().split())
    good = [completed[key] for key, seed in keys.items() if seed not in (2, 4, 7)]
    assert min(good) == 1
    assert sum(n - 1 for n in good) <= 2


def _kills(process: subprocess.Popen, out: Path, rng: random.Random, most: int) -> int:
    """Kill the batch's processes, each time after it has finished another job, until the batch itself is hit."""
    folder, kills = BatchFolder(out), 0
    before = len(folder.done()) if folder.root.exists() else 0
    while kills < most:
        assert process.poll() is None, "the batch came to its end before it was killed often enough"
        time.sleep(0.02)
        done = len(folder.done()) if folder.root.exists() else 0
        if done == before or not folder.running():
            continue
        time.sleep(0.3 * rng.random())
        before, victim = done, process.pid
        if rng.random() < 0.5:
            victim = rng.choice([c.pid for c in psutil.Process(process.pid).children(recursive=True)])
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            continue
        kills += 1
        if victim == process.pid:
            break
    process.wait(timeout=300)
    return kills
