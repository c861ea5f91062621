"""The page of a batch of 10,000 fits: seconds, memory, and how soon a browser shows it.

    python benchmarks/report_of_many.py JOB_DIR [--fits 10000]

JOB_DIR is a finished job of a batch, with drugs applied: its documents are written for every fit, with other numbers,
indented as ketune writes them. They are then read from the disk, not from memory. 10,000 fits of 1.3 MB take 13 GB
under TMPDIR while it runs. Measured with these on two cores, beside other work, from a disk of 1 GB/s: 56 and 62 s,
0.8 GB, a page of 4 to 6 MB, first paint within 0.3 s.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import tempfile
import time
from pathlib import Path

import orjson

from ketune.batch import BatchFolder, Limits, report_batch
from ketune.batch._folder import job_of, read_job


def made_up(job: Path, root: Path, n: int) -> None:
    """A finished batch of ``n`` fits, none of it in the system's cache of files."""
    folder, record, rng = BatchFolder(root), read_job(job), random.Random(1)
    folder.make()
    jobs = [job_of(record).model_copy(update={"seed": seed}) for seed in range(n)]
    folder.write_batch("made up", job, jobs, Limits(60.0, 1))
    documents = {p.name: orjson.loads(p.read_bytes()) for p in job.glob("*.json")}
    for one in jobs:
        directory = folder.jobs_dir / one.folder
        directory.mkdir()
        for name, document in documents.items():
            if name == "job.json":
                document |= {"job": one.key, "seed": one.seed}
            elif name.startswith("apply-"):
                for entry in document["conditions"]:
                    entry["summary"]["gosi"] = rng.random()
                    entry["summary"]["peak_rate_hz"] = rng.expovariate(0.1)
            with (directory / name).open("wb") as file:
                file.write(orjson.dumps(document, option=orjson.OPT_INDENT_2))
                file.flush()
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def first_paint_ms(page: Path) -> float:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        tab = browser.new_page()
        tab.goto(page.as_uri())
        tab.wait_for_selector("table.rows tbody tr")
        paints = tab.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        browser.close()
    return float(paints)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("job", type=Path)
    parser.add_argument("--fits", type=int, default=10_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        made_up(asked.job, Path(temporary), asked.fits)
        # Documents of a batch have long been on the disk when its page is made.
        os.sync()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        begun = time.monotonic()
        found = report_batch(temporary)
        took, page = time.monotonic() - begun, Path(found["report"])
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(
            f"{found['done']} fits: {took:.1f} s, {most / 1e6:.2f} GB at most ({before / 1e6:.2f} before), "
            f"page of {page.stat().st_size / 1e6:.1f} MB",
            flush=True,
        )
        print(f"first paint with content after {first_paint_ms(page) / 1e3:.2f} s")


if __name__ == "__main__":
    main()
