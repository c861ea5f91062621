"""Jobs of a batch as rows, read several at a time."""

from __future__ import annotations

import time

import pytest

from ketune.batch import BatchFolder, Limits, collect, plan_batch
from ketune.batch import _collect as module
from ketune.errors import InputError


@pytest.fixture
def folder(configure, tmp_path):
    path = configure(f"seeds = {list(range(20))}")
    found = BatchFolder(tmp_path / "out")
    found.make()
    jobs = plan_batch(path).jobs
    found.write_batch("many", path, jobs, Limits(time_limit_s=60.0, attempts=2))
    for job in jobs:
        (found.jobs_dir / job.folder).mkdir()
    return found


def test_rows_come_in_the_order_of_the_jobs_whichever_is_read_first(folder, monkeypatch):
    def rows(directory):
        # The earlier ones take longer.
        time.sleep(0.01 if int(directory.name.split("-")[-2]) % 2 == 0 else 0.0)
        return [{"directory": directory.name}]

    monkeypatch.setattr(module, "_rows", rows)
    assert list(collect(folder.root)["directory"]) == [job.folder for job in folder.jobs]


def test_a_damaged_job_is_named_and_the_others_are_not_waited_for(folder, monkeypatch):
    read = []

    def rows(directory):
        read.append(directory)
        if directory.name == folder.jobs[1].folder:
            raise InputError(f"{directory}: damaged")
        time.sleep(0.02)
        return [{"directory": directory.name}]

    monkeypatch.setattr(module, "_rows", rows)
    with pytest.raises(InputError, match=r"seed-1-.*: damaged"):
        collect(folder.root)
    assert len(read) < len(folder.jobs)
