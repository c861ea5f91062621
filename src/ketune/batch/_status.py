"""What has become of a batch, read from its directory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ketune.batch._folder import BatchFolder, read_job
from ketune.errors import InputError


def batch_status(directory: str | Path, *, versions: bool = False) -> dict[str, Any]:
    """Count the jobs of a batch.

    Parameters
    ----------
    versions
        Read every finished job, and tell how many each version of ketune and each host has made.

    Returns
    -------
    dict
        ``name``, ``directory``, ``jobs``, ``done``, ``running``, ``missing`` (neither done, running nor given up),
        ``failed`` (``job``, ``label``, ``kind``, ``reason``, ``attempts``, ``log``), ``others`` (results of jobs that
        the configuration no longer has).

    Raises
    ------
    InputError
        There is no batch, or one of a newer ketune.
    """
    folder = BatchFolder(directory)
    keys = {job.key for job in folder.jobs}
    finished = folder.done()
    done = keys & finished.keys()
    failed = {key: entry for key, entry in folder.failed().items() if key in keys - done}
    running = [key for key in folder.running() if key in keys - done - failed.keys()]
    status: dict[str, Any] = {
        "name": folder.name,
        "directory": str(directory),
        "jobs": len(keys),
        "done": len(done),
        "running": len(running),
        "missing": len(keys) - len(done) - len(failed) - len(running),
        "failed": [
            {
                "job": key,
                "label": entry["label"],
                "kind": entry["kind"],
                "reason": entry["reason"],
                "attempts": len(entry["attempts"]),
                "log": entry["log"],
            }
            for key, entry in failed.items()
        ],
        "others": len(finished.keys() - keys),
    }
    if versions:
        status |= _made_by([finished[key] for key in sorted(done)])
    return status


def _made_by(directories: list[Path]) -> dict[str, Any]:
    versions: Counter[str] = Counter()
    hosts: Counter[str] = Counter()
    seconds = 0.0
    for directory in directories:
        record = read_job(directory)
        own = record["provenance"]["ketune"]
        commit = (own["git"] or {}).get("commit")
        versions[own["version"] + (f" at {commit[:10]}" if commit else "")] += 1
        hosts[record["host"]] += 1
        seconds += record["seconds"]
    return {"versions": dict(versions), "hosts": dict(hosts), "seconds": round(seconds, 1)}


def describe_status(status: Mapping[str, Any]) -> Iterator[str]:
    """The same for people."""
    yield (
        f"{status['name']}: {status['done']} of {status['jobs']} jobs done, {status['running']} running, "
        f"{status['missing']} to do, {len(status['failed'])} failed"
    )
    yield from describe_failures(status)
    if status["others"]:
        yield (
            f"{status['others']} finished jobs are of an earlier configuration; "
            "`ketune batch clean --others` removes them"
        )
    for what in ("versions", "hosts"):
        if status.get(what):
            yield f"{what}: " + ", ".join(f"{name} ({n})" for name, n in status[what].items())


def describe_failures(status: Mapping[str, Any], most: int = 10) -> Iterator[str]:
    """One line for each class of failure, and each job with its reason."""
    failed = status["failed"]
    for kind, count in Counter(entry["kind"] for entry in failed).most_common():
        members = [entry for entry in failed if entry["kind"] == kind]
        yield f"failed, {kind}: {count} job{'' if count == 1 else 's'}"
        for entry in members[:most]:
            tried = f"{entry['attempts']} attempt{'' if entry['attempts'] == 1 else 's'}"
            yield f"    {entry['job']}  {entry['label']}: {entry['reason']} ({tried}; {entry['log']})"
        if len(members) > most:
            yield f"    and {len(members) - most} more"


def chosen_jobs(folder: BatchFolder, wanted: list[str]) -> list[str]:
    """Keys of failed jobs by their beginnings; all where none is named.

    Raises
    ------
    InputError
        One is not among them.
    """
    failed = list(folder.failed())
    if not wanted:
        return failed
    found = []
    for text in wanted:
        matching = [key for key in failed if key.startswith(text)]
        if not matching:
            raise InputError(
                f"--job: no failed job begins with '{text}'; there are {', '.join(failed) or 'none'}"
            )
        found += matching
    return found
