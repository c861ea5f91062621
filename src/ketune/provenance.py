"""Where a result comes from: enough to make it again, or to see why it came out differently."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import ketune

_PACKAGES = ("neuron", "jax", "jaxlib", "numpy", "scipy", "morphio", "pint", "pydantic", "matplotlib")
_ROOT = Path(ketune.__file__).resolve().parent


def provenance(*, seed: int | None = None, engine: dict[str, Any] | None = None) -> dict[str, Any]:
    """Describe this package, this process and this machine.

    Parameters
    ----------
    seed: the seed that the result was drawn with, where there is one
    engine: what simulated the spikes (:func:`ketune.engines.describe`), where something did

    Returns
    -------
    dict ready for JSON: ``ketune`` (version, sha256 of the package's code, git commit), ``mechanisms_sha256``,
    ``versions`` of what the numbers depend on, ``python``, ``machine``, ``engine``, ``seed``, ``command`` and ``date``
    (UTC).
    """
    return {
        "ketune": {
            "version": ketune.__version__,
            "sha256": _tree_sha256("*.py"),
            "git": _git(),
        },
        "mechanisms_sha256": _tree_sha256("*.mod"),
        "versions": {name: _version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "machine": _machine(),
        "engine": engine,
        "seed": seed,
        "command": _command(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _command() -> str:
    program = Path(sys.argv[0]).name
    return shlex.join(["ketune" if program == "__main__.py" else program, *sys.argv[1:]])


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _tree_sha256(pattern: str) -> str:
    """One hash over the names and contents of the package's files that match `pattern`."""
    digest = hashlib.sha256()
    for path in sorted(_ROOT.rglob(pattern)):
        digest.update(path.relative_to(_ROOT).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _git() -> dict[str, Any] | None:
    """Commit and cleanliness of the checkout that the package runs from; None for an installed copy."""
    # An installed copy may lie inside somebody else's repository (a virtual environment in a project): only a
    # repository that tracks this very file is ours.
    if _run_git("ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    status = _run_git("status", "--porcelain", "--untracked-files=no")
    return {"commit": _run_git("rev-parse", "HEAD"), "modified": bool(status)}


def _run_git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(_ROOT), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _machine() -> dict[str, Any]:
    import psutil

    return {
        "system": platform.system(),
        "release": platform.release(),
        "architecture": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_GiB": round(psutil.virtual_memory().total / 2**30, 1),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
