"""Compiling, keeping and loading kernels.

A library that was cut short kills the process that loads it. So a new one is loaded by another process first, and one
from the cache only if it still has the hash that was written beside it.
"""

from __future__ import annotations

import ctypes
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ketune._compiled import BUILD_LIMIT_S, built_once, cache_root, compiler, machine
from ketune.engines._kernel_structures import Reverse, Task
from ketune.errors import InputError

_PLAIN = ("-O2", "-std=gnu++17", "-fPIC", "-w", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math")
_FULL = (*_PLAIN, "-march=native", "-mprefer-vector-width=512")
# All attempts together stay within the time that another process waits for them.
_STEP_LIMIT_S = BUILD_LIMIT_S / 8
_ADJOINT = "#define ADJOINT"
_LIBRARY, _HASH = "cell.so", "cell.sha256"
# Calls a function too: a library for another processor loads well and fails then.
_TRIAL = """
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
for name in sys.argv[2:]:
    getattr(library, name)
library.lanes()
"""


def kernel(text: str) -> Any:
    """The compiled source, from the cache or built into it; loaded once in a process.

    Raises
    ------
    InputError
        There is no compiler, it fails, or what it built cannot be kept or loaded.
    """
    command = compiler()
    if command is None:
        raise InputError("no C++ compiler")
    return _loaded(cache_root() / "native" / _key(text, command), text, command)


@cache
def _loaded(entry: Path, text: str, command: str) -> Any:
    path = (
        built_once(entry, find=_sound, build=lambda folder: _build(text, command.split(), folder)) / _LIBRARY
    )
    try:
        library = ctypes.CDLL(str(path))
        library.lanes.restype = ctypes.c_int64
        library.advance.restype = ctypes.c_int64
        library.advance.argtypes = [ctypes.POINTER(Task)]
        if _ADJOINT in text:
            library.reverse.restype = None
            library.reverse.argtypes = [ctypes.POINTER(Reverse)]
    except (OSError, AttributeError) as error:
        raise InputError(f"{path}: cannot load this compiled kernel ({error})") from None
    return library


def _sound(entry: Path) -> Path | None:
    """The entry, if its library is the one that was put there."""
    try:
        kept = (entry / _HASH).read_text(encoding="ascii")
        return entry if kept == _hash(entry / _LIBRARY) else None
    except (OSError, UnicodeDecodeError):
        return None


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _key(text: str, command: str) -> str:
    from ketune import __version__

    parts = [text, __version__, command, _version_of(command), machine(), *_FULL]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _version_of(command: str) -> str:
    program = Path(shutil.which(command.split()[0]) or command)
    return _version(command, program.stat().st_mtime_ns if program.exists() else 0)


@cache
def _version(command: str, changed_ns: int) -> str:
    """What the compiler calls itself, asked again when its file has changed."""
    try:
        done = subprocess.run([*command.split(), "--version"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def _build(text: str, command: list[str], folder: Path) -> Path:
    """Compile with everything this machine has; where that is refused or does not run here, plainly."""
    entry = folder / "entry"
    entry.mkdir()
    source, object_file, built = folder / "cell.cpp", folder / "cell.o", entry / _LIBRARY
    source.write_text(text, encoding="utf-8")
    functions = ("lanes", "advance", *(["reverse"] if _ADJOINT in text else []))
    message = ""
    for flags in (_FULL, _PLAIN):
        # Linked apart from the arithmetic options: with them the linker may change the arithmetic of the whole process.
        steps = (
            [*command, *flags, "-c", str(source), "-o", str(object_file)],
            [*command, "-shared", str(object_file), "-o", str(built), "-lm"],
            [sys.executable, "-I", "-S", "-c", _TRIAL, str(built), *functions],
        )
        message = _first_failure(steps)
        if not message:
            (entry / _HASH).write_text(_hash(built), encoding="ascii")
            return entry
    raise InputError(f"{command[0]}: cannot compile ketune's simulation kernel; its last lines:\n{message}")


def _first_failure(steps: Sequence[list[str]]) -> str:
    for step in steps:
        try:
            done = subprocess.run(step, capture_output=True, text=True, timeout=_STEP_LIMIT_S)
        except subprocess.TimeoutExpired:
            return f"{step[0]} did not finish within {_STEP_LIMIT_S:.0f} s"
        except OSError as error:
            return str(error)
        if done.returncode:
            return done.stderr[-1000:] or f"exit status {done.returncode}"
    return ""
