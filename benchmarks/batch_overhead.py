"""What the batch layer costs: beside jobs of ten seconds, and in reading 10,000 finished jobs.

    python benchmarks/batch_overhead.py [--jobs 24] [--seconds 10] [--finished 10000]

The jobs sleep, so that two workers need two cores of nobody; all else is what a batch of fits does: processes, locks,
logs, provenance, publication. Starting the workers is told apart from what every job costs.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from ketune.batch import BatchFolder, Where, batch_status, run_batch
from ketune.batch._folder import JOB_FORMAT
from ketune.storage import write_json

CONFIGURATION = """
seeds = {seeds}

[[recording]]
shipped = "example"
condition = "control"
"""


def work(job, root, directory, attempt, progress):
    """A fit's files, after a sleep."""
    began = time.time()
    time.sleep(float(os.environ["SLEEP_S"]))
    directory.mkdir(exist_ok=True)
    fit = {
        "began": began,
        "parameters": {f"p{i}": {"value": float(job.seed)} for i in range(14)},
        "filling": list(range(20_000)),
    }
    write_json(directory / "fit.json", fit, "ketune-fit/1")
    return {"status": "converged", "message": ""}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--finished", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    os.environ["SLEEP_S"] = str(asked.seconds)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "b.toml").write_text(CONFIGURATION.format(seeds=list(range(asked.jobs))))
        begun = time.time()
        found = run_batch(
            folder / "b.toml", folder / "b", where=Where(workers=asked.workers), work="batch_overhead:work"
        )
        ended = time.time()
        assert found["ok"], found
        records = sorted(BatchFolder(folder / "b").done().values())
        first = min(json.loads((r / "fit.json").read_text())["began"] for r in records)
        ideal = asked.seconds * asked.jobs / asked.workers
        print(
            f"{asked.jobs} jobs of {asked.seconds:g} s on {asked.workers} workers, {ideal:g} s of work each"
        )
        print(f"checking and starting, until the first job begins: {first - begun:.1f} s")
        print(f"from there to the end: {ended - first:.1f} s, {(ended - first) / ideal - 1:.1%} more")

        (folder / "m.toml").write_text(CONFIGURATION.format(seeds=list(range(asked.finished))))
        from ketune.batch import Limits, plan_batch

        plan, many = plan_batch(folder / "m.toml"), BatchFolder(folder / "many")
        many.make()
        plan.inputs.copy_to(many.root)
        many.write_batch(plan.name, plan.source, plan.jobs, Limits(60.0, 1))
        record = json.loads((records[0] / "job.json").read_text())
        record.pop("format")
        for job in plan.jobs:
            directory = many.jobs_dir / job.folder
            directory.mkdir()
            write_json(directory / "job.json", record | {"job": job.key}, JOB_FORMAT)
        for words, versions in (("status", False), ("status with every record read", True)):
            begun = time.monotonic()
            assert batch_status(many.root, versions=versions)["done"] == asked.finished
            print(f"{asked.finished} finished jobs, {words}: {time.monotonic() - begun:.2f} s")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
