"""Compiled code in the user's cache: built once, under a lock, and moved into place in one step.

So the cache never holds a half-built entry, and two processes never build the same one.
"""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from ketune.errors import InputError

BUILD_LIMIT_S = 600.0


def cache_root() -> Path:
    """Where compiled code is kept: $KETUNE_CACHE_DIR, or the user's cache directory."""
    import platformdirs

    return Path(os.environ.get("KETUNE_CACHE_DIR") or platformdirs.user_cache_dir("ketune")).absolute()


@cache
def machine() -> str:
    """What code that was compiled for this machine depends on: its kind and what its processor can do."""
    flags = ""
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return f"{platform.system()} {platform.machine()} {platform.processor()} {flags}"


def compiler() -> str | None:
    """The C++ compiler: the user's $CXX, else the first that is installed."""
    chosen = os.environ.get("CXX")
    if chosen:
        return chosen if shutil.which(chosen.split()[0]) else None
    return next((name for name in ("g++", "clang++", "c++") if shutil.which(name)), None)


def built_once(entry: Path, find: Callable[[Path], Path | None], build: Callable[[Path], Path]) -> Path:
    """What ``find`` sees in the cache at ``entry``, built on first use.

    Args:
        entry: place in the cache.
        find: the finished product at that place, or None; what is there and is none makes room.
        build: makes the entry in the temporary folder that it is given, and returns its path there.

    Raises:
        InputError: another process builds for too long, or the cache cannot be written.
    """
    import filelock

    if found := find(entry):
        return found
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(entry.with_suffix(".lock"), timeout=BUILD_LIMIT_S):
            if found := find(entry):
                return found
            with tempfile.TemporaryDirectory(dir=entry.parent, prefix="build-") as folder:
                built = build(Path(folder))
                _remove(entry)
                built.rename(entry)
    except filelock.Timeout:
        raise InputError(
            f"{entry.parent}: another process has been compiling these mechanisms for {BUILD_LIMIT_S:.0f} s; "
            "stop it and try again"
        ) from None
    except OSError as error:
        raise InputError(
            f"{entry.parent}: cannot keep compiled mechanisms here ({error.strerror}); "
            "set KETUNE_CACHE_DIR to a writable directory"
        ) from None
    found = find(entry)
    assert found is not None
    return found


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink(missing_ok=True)
