"""A batch of 200 small fits that is killed twenty times and fills its disk once, against one that is left alone.

    python benchmarks/batch_kill.py -o DIR [--fits 200] [--kills 20] [--disk-MB 8]

Three jobs are bad: one raises, one hangs, one gives no number. At random moments the command with its scheduler, one of
its Dask workers, or the process of a job gets SIGKILL; the command is then given again. Where the system lets this
script mount one (root on Linux), the directory lies on a disk of a few MB that fills up and is made larger then. In the
end every good job must be there, equal to that of the undisturbed batch, published once, and the bad ones listed with
their reasons.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil

from ketune.batch import BatchFolder, batch_status, differences, fit_job
from ketune.batch._folder import read_job

RAISES, HANGS, NO_NUMBER = 5, 17, 42
CONFIGURATION = """
seeds = {seeds}
attempts = 1
time_limit = "90 s"

[[recording]]
shipped = "example"
condition = "control"

[[model]]
name = "small"
morphology = "small_pyramidal"

[fit]
effort = "quick"
starts = 1
correction_trials = [4]
check_trials = 4
replay_trials = 0
"""
RUN = """
import sys
sys.path.insert(0, {here!r})
from ketune.batch import Where, run_batch
from ketune.errors import InputError
if __name__ == "__main__":
    try:
        run_batch({configuration!r}, {directory!r}, where=Where(workers=2), work="batch_kill:work")
    except InputError as error:
        sys.exit(f"2 {{error}}")
"""


def work(job, root, directory, attempt, progress):
    """A fit, or one of the three bad jobs."""
    if job.seed == RAISES:
        raise RuntimeError("made to fail")
    if job.seed == HANGS:
        time.sleep(1e6)
    found = fit_job(job, root, directory, attempt, progress)
    if job.seed == NO_NUMBER:
        fit = directory / "fit.json"
        lines = fit.read_text().splitlines()
        at = next(i for i, line in enumerate(lines) if '"value": ' in line)
        lines[at] = lines[at].partition(":")[0] + ": null,"
        fit.write_text("\n".join(lines))
    with (root.parent / f"completed-{root.name}.txt").open("a") as opened:
        opened.write(job.key + "\n")
    return found


def start(configuration: Path, directory: Path) -> subprocess.Popen:
    here = str(Path(__file__).parent)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])}
    text = RUN.format(here=here, configuration=str(configuration), directory=str(directory))
    return subprocess.Popen([sys.executable, "-c", text], env=environment, stderr=subprocess.PIPE, text=True)


def mounted(directory: Path, megabytes: int) -> bool:
    directory.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(directory)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def kill_one(process: subprocess.Popen, rng: random.Random) -> str:
    """SIGKILL to the command, a Dask worker or a job's process; which it was."""
    everyone = psutil.Process(process.pid).children(recursive=True)
    runners = [p for p in everyone if "ketune.batch._runner" in " ".join(p.cmdline())]
    workers = [p for p in everyone if "spawn_main" in " ".join(p.cmdline())]
    groups = {"command": [psutil.Process(process.pid)], "worker": workers, "job": runners}
    name = rng.choice([n for n, members in groups.items() if members])
    rng.choice(groups[name]).kill()
    return name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--fits", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--disk-MB", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--undisturbed", type=Path, help="directory of an undisturbed batch, done before")
    asked = parser.parse_args()
    asked.output.mkdir(parents=True)
    configuration = asked.output / "fits.toml"
    configuration.write_text(CONFIGURATION.format(seeds=list(range(1, asked.fits + 1))))
    undisturbed, disturbed = asked.undisturbed or asked.output / "undisturbed", asked.output / "disturbed"
    if asked.undisturbed is None:
        begun = time.monotonic()
        start(configuration, undisturbed).wait()
        print(f"undisturbed: {time.monotonic() - begun:.0f} s", flush=True)

    rng, killed, filled, begun = random.Random(asked.seed), Counter(), 0, time.monotonic()
    small = mounted(disturbed, asked.disk_MB)
    # So that the kills are spread over the whole run.
    every = (asked.fits - 10) / asked.kills
    while True:
        process = start(configuration, disturbed)
        folder = BatchFolder(disturbed)
        while process.poll() is None:
            n = killed.total()
            if n < asked.kills and len(folder.done()) >= n * every and folder.running():
                time.sleep(3 * rng.random())
                if process.poll() is None:
                    killed[kill_one(process, rng)] += 1
            time.sleep(0.2)
        said = process.stderr.read().strip() if process.stderr else ""
        if process.returncode == 0:
            break
        if "No space left" in said:
            filled += 1
            print(said[-300:], flush=True)
            subprocess.run(["mount", "-o", "remount,size=2g", str(disturbed)], check=True)
        elif process.returncode != -signal.SIGKILL:
            sys.exit(f"ended by itself with {process.returncode}: {said[-500:]}")
    seconds = time.monotonic() - begun

    status = batch_status(disturbed)
    one, other = BatchFolder(undisturbed).done(), BatchFolder(disturbed).done()
    unlike = [key for key in one if key not in other or any(differences(one[key], other[key]))]
    completed = Counter((asked.output / f"completed-{disturbed.name}.txt").read_text().split())
    published = Counter(read_job(path)["job"] for path in (disturbed / "jobs").iterdir())
    kills = ", ".join(f"{n} x {name}" for name, n in killed.items())
    print(
        f"killed {killed.total()} times ({kills}), disk filled {filled} times{'' if small else ' (no mount here)'}"
    )
    print(f"{status['done']} done, {status['missing']} missing, in {seconds:.0f} s")
    print(f"different from the undisturbed batch or absent: {len(unlike)}")
    print(f"published more than once: {sum(n > 1 for n in published.values())}")
    print(f"worked to the end more than once: {sum(n > 1 for n in completed.values())}")
    print(f"left unfinished: {len(list((disturbed / 'unfinished').iterdir()))}")
    for entry in status["failed"]:
        print(f"failed: {entry['label']}: {entry['kind']}: {entry['reason']}")


if __name__ == "__main__":
    main()
