"""Jobs that fit nothing: what a batch makes of them is the same."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

from ketune.batch import Job

LENGTH_S = float(os.environ.get("MADE_UP_LENGTH_S", "0.05"))


def numbers(job: Job, root: Path, directory: Path, attempt: int, progress) -> dict:
    """A file with numbers that depend on the inputs and the seed, written in two pieces with a pause between them."""
    directory.mkdir(exist_ok=True)
    rows = job.data(root).read_text().count("\n")
    value = float(rows + job.seed_of(attempt))
    (directory / "first.json").write_text(json.dumps({"value": value}))
    time.sleep(LENGTH_S)
    (directory / "fit.json").write_text(
        json.dumps({"format": "ketune-fit/1", "parameters": {"ampa_nS": {"value": value}}})
    )
    # Completed once a line: what a test of doubly done work counts.
    with (root / "completed.txt").open("a") as opened:
        opened.write(job.key + "\n")
    return {"status": "converged", "message": ""}


def misbehaving(job: Job, root: Path, directory: Path, attempt: int, progress) -> dict:
    """Seed 2 raises, 3 hangs, 4 gives no number, 5 crashes, 6 succeeds with its second seed, 7 cannot be read."""
    if job.seed == 2:
        raise ValueError("nothing\nfits")
    if job.seed == 3:
        time.sleep(600)
    if job.seed == 5:
        os.kill(os.getpid(), signal.SIGSEGV)
    if job.seed == 6 and attempt == 0:
        raise RuntimeError("bad luck")
    if job.seed == 7:
        from ketune.errors import InputError

        raise InputError("recording.csv:3: spikes is 'x'; give a count")
    found = numbers(job, root, directory, attempt, progress)
    if job.seed == 4:
        (directory / "fit.json").write_text(
            json.dumps({"format": "ketune-fit/1", "parameters": {"ampa_nS": {"value": None}}})
        )
    return found


def full_disk(job: Job, root: Path, directory: Path, attempt: int, progress) -> dict:
    """The disk is full from seed 3 on, until a file says that somebody has made room."""
    if job.seed >= 3 and not (root / "room").exists():
        raise OSError(28, "No space left on device", str(directory))
    return numbers(job, root, directory, attempt, progress)
