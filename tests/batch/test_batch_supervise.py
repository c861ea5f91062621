"""Attempts at one job in a process of its own."""

from __future__ import annotations

import dataclasses

import pytest

from ketune.batch import BatchFolder, Limits, plan_batch
from ketune.batch._supervise import Runner, see_through

SEEDS = {"raises": 2, "hangs": 3, "no number": 4, "crashes": 5, "second seed": 6, "bad input": 7, "good": 8}


@pytest.fixture
def folder(configure, tmp_path, made_up):
    plan = plan_batch(configure(f"seeds = {sorted(SEEDS.values())}"))
    folder = BatchFolder(tmp_path / "out")
    folder.make()
    plan.inputs.copy_to(folder.root)
    folder.write_batch("test", plan.source, plan.jobs, Limits(3.0, 2))
    return folder


@pytest.fixture
def runner():
    runner = Runner()
    yield runner
    runner.close()


def through(folder: BatchFolder, runner: Runner, what: str, work: str = "misbehaving"):
    job = next(j for j in folder.jobs if j.seed == SEEDS[what])
    # The first request waits for Python to start, on a busy machine for longer than a job that hangs may take.
    limits = folder.limits if what == "hangs" else dataclasses.replace(folder.limits, time_limit_s=120.0)
    return job, see_through(folder, job, limits, runner, work=f"made_up_work:{work}")


@pytest.mark.parametrize(
    ("what", "kind", "reason", "seeds"),
    [
        ("raises", "error", "ValueError: nothing fits", [2, 1_000_005]),
        ("hangs", "time limit", "took longer than 3 s", [3, 1_000_006]),
        ("no number", "not finite", "the fit gave no finite value of ampa_nS", [4, 1_000_007]),
        ("crashes", "crashed", "its process was killed by SIGSEGV", [5, 5, 5]),
        ("bad input", "bad input", "recording.csv:3: spikes is 'x'; give a count", [7]),
    ],
)
def test_a_bad_job_is_given_up_with_its_reason_and_the_next_one_works(
    folder, runner, what, kind, reason, seeds
):
    job, outcome = through(folder, runner, what)
    assert (outcome.kind, outcome.reason) == (kind, reason)
    record = folder.failed()[job.key]
    assert (record["kind"], record["reason"]) == (kind, reason)
    assert [a["seed"] for a in record["attempts"]] == seeds
    assert job.key not in folder.done()
    assert list((folder.root / "unfinished").iterdir()) == []
    good, outcome = through(folder, runner, "good")
    assert outcome.kind == "done"
    assert good.key in folder.done()


def test_a_job_that_works_with_its_second_seed_is_done_and_says_so(folder, runner):
    from ketune.batch._folder import read_job

    job, outcome = through(folder, runner, "second seed")
    assert outcome.kind == "done"
    record = read_job(folder.done()[job.key])
    assert (record["seed"], record["seed_used"], record["attempt"]) == (6, 1_000_009, 1)
    assert [a["reason"] for a in record["failed_attempts"]] == ["RuntimeError: bad luck"]
    assert folder.attempts(job.key) == []


def test_a_finished_job_is_not_done_again(folder, runner):
    through(folder, runner, "good")
    _, outcome = through(folder, runner, "good")
    assert outcome.kind == "done"
    assert len((folder.root / "completed.txt").read_text().split()) == 1


def test_a_full_disk_is_not_the_jobs_fault(folder, runner):
    job, outcome = through(folder, runner, "good", work="full_disk")
    assert outcome.kind == "disk"
    assert "No space left on device" in outcome.reason
    assert folder.attempts(job.key) == []
    assert folder.failed() == {}


def test_a_job_that_dies_of_a_full_disk_without_saying_so_keeps_its_attempts(folder, runner, monkeypatch):
    def full(self):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(BatchFolder, "check_room", full)
    with pytest.raises(OSError, match="No space left"):
        through(folder, runner, "crashes")
    assert folder.failed() == {}
    assert list((folder.root / "attempts").iterdir()) == []


def test_room_is_looked_for_where_results_go(folder):
    folder.check_room()
    assert list((folder.root / "unfinished").iterdir()) == []


def test_a_process_ends_with_the_one_that_asked(folder, runner):
    import signal
    import subprocess
    import sys
    import time

    import psutil

    # A supervisor that is killed while its job hangs.
    text = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from ketune.batch import BatchFolder, Limits\n"
        "from ketune.batch._supervise import Runner, see_through\n"
        f"folder = BatchFolder({str(folder.root)!r})\n"
        "job = next(j for j in folder.jobs if j.seed == 3)\n"
        "see_through(folder, job, Limits(600, 1), Runner(), work='made_up_work:misbehaving')\n"
    )
    process = subprocess.Popen([sys.executable, "-c", text])
    deadline = time.monotonic() + 120
    while not folder.running() and time.monotonic() < deadline:
        time.sleep(0.1)
    (child,) = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGKILL)
    process.wait()
    child.wait(timeout=30)
    assert folder.running() == []
