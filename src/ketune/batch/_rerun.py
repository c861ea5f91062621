"""Do a finished job again and compare the numbers."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ketune.batch._folder import JOB_FILE, BatchFolder, job_of, read_job
from ketune.batch._inputs import INPUTS
from ketune.batch._supervise import Runner, request_of
from ketune.errors import InputError
from ketune.progress import NullProgress, Progress
from ketune.storage import jsonable

# What differs between two runs of the same: when, where and how fast.
_VOLATILE = ("provenance", "seconds", "finished", "host", "failed_attempts", "directory", "cell", "source")


def rerun_job(
    directory: str | Path, output: str | Path | None = None, *, progress: Progress | None = None
) -> dict[str, Any]:
    """Do a job of a batch once more, with the seed that it had.

    Parameters
    ----------
    directory
        Of the finished job, ``DIR/jobs/NAME-KEY``.
    output
        Where the new result stays; it is removed after the comparison if not given.

    Returns
    -------
    dict
        ``ok`` (the same numbers), ``differences`` (``file``, ``key``, ``then``, ``now``), ``made_by`` then and now.

    Raises
    ------
    InputError
        The directory is no finished job, its inputs are not there any more, or ``output`` is.
    """
    if output is not None and Path(output).exists():
        raise InputError(f"{output}: is there already; choose another directory")
    directory = Path(directory).absolute()
    record = read_job(directory)
    job, folder = job_of(record), BatchFolder(directory.parent.parent)
    for file in (job.recording, job.model, job.morphology, *job.joint_files):
        if file is not None and not (folder.root / file.path).exists():
            raise InputError(
                f"{directory}: its input {folder.root / file.path} is gone; put back a copy of {file.original}"
            )
    with tempfile.TemporaryDirectory(prefix="ketune-rerun-") as temporary:
        again = BatchFolder(temporary)
        again.make()
        (again.root / INPUTS).rmdir()
        (again.root / INPUTS).symlink_to(folder.root / INPUTS)
        with (progress or NullProgress()).task(job.label):
            # In a process like that of the job: sums over other numbers of threads differ in their last digits.
            runner = Runner(int(record["threads"]))
            try:
                outcome = runner.ask(request_of(again, job, int(record["attempt"])), None)
            finally:
                runner.close()
        if outcome.kind != "done":
            raise InputError(f"{directory}: could not be done again: {outcome.reason}")
        (result,) = again.done().values()
        found = list(differences(directory, result))
        if output is not None:
            shutil.copytree(result, output)
    from ketune.provenance import provenance

    return {
        "ok": not found,
        "job": record["job"],
        "label": record["label"],
        "seed_used": record["seed_used"],
        "differences": found,
        "made_by": {"then": _versions(record["provenance"]), "now": _versions(provenance())},
        "directory": None if output is None else str(output),
    }


def differences(one: Path, other: Path, *, most: int = 20) -> Iterator[dict[str, Any]]:
    """Numbers and words in the JSON files of two results that differ, but for times and places."""
    import json

    names = sorted(p.name for p in one.glob("*.json") if p.name not in (JOB_FILE, "ketune.json"))
    n = 0
    for name in names:
        if not (other / name).exists():
            yield {"file": name, "key": "", "then": "there", "now": "missing"}
            continue
        then, now = (json.loads((d / name).read_text(encoding="utf-8")) for d in (one, other))
        for key, a, b in _unlike(then, now, ""):
            if n == most:
                return
            n += 1
            yield {"file": name, "key": key, "then": jsonable(a), "now": jsonable(b)}


def _unlike(a: Any, b: Any, key: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(a, dict) and isinstance(b, dict):
        for name in sorted(a.keys() | b.keys()):
            if name not in _VOLATILE:
                yield from _unlike(a.get(name), b.get(name), f"{key}.{name}" if key else name)
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            yield from _unlike(x, y, f"{key}[{i}]")
    elif a != b:
        yield key, a, b


def _versions(own: Mapping[str, Any]) -> dict[str, Any]:
    return {"ketune": own["ketune"], "versions": own["versions"], "python": own["python"]}


def describe_rerun(result: Mapping[str, Any]) -> Iterator[str]:
    """For people."""
    yield f"{result['label']} (job {result['job']}), seed {result['seed_used']}"
    for entry in result["differences"]:
        yield f"    {entry['file']} {entry['key']}: {entry['then']} then, {entry['now']} now"
    if result["ok"]:
        yield "the same numbers"
        return
    then, now = result["made_by"]["then"], result["made_by"]["now"]
    if then != now:
        yield "made by another version of ketune or of what it needs; see made_by with --json"
    yield "other numbers"
