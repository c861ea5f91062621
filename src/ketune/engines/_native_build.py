"""Compiling, keeping and loading kernels."""

from __future__ import annotations

import ctypes
import hashlib
import platform
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ketune._compiled import BUILD_LIMIT_S, built_once, cache_root, compiler
from ketune.errors import InputError

_PLAIN = ("-O2", "-std=gnu++17", "-fPIC", "-w", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math")
_FULL = (*_PLAIN, "-march=native", "-mprefer-vector-width=512")
# All attempts together stay within the time that another process waits for them.
_STEP_LIMIT_S = BUILD_LIMIT_S / 6


def _pointers(names: str) -> list[tuple[str, Any]]:
    return [(name, ctypes.c_void_p) for name in names.split()]


class Stream(ctypes.Structure):
    """`Stream` of kernel/step.hpp, member by member."""

    _fields_ = _pointers("constants by_lane table_of sums")


class Task(ctypes.Structure):
    """`Task` of kernel/step.hpp."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("n_nodes", "n_steps", "n_states")),
        *_pointers("parent present first_state state_of coupling fixed_diagonal"),
        ("up", Stream),
        ("down", Stream),
        *_pointers(
            "tables jump memory work event_first event_node event_lane event_port event_weight injected"
        ),
        ("updates", ctypes.c_double),
        ("n_recorded", ctypes.c_int64),
        *_pointers("recorded"),
        ("first_step", ctypes.c_int64),
        ("stride", ctypes.c_int64),
        *_pointers("trace"),
        ("threshold", ctypes.c_double),
        *_pointers("above spike_step spike_lane tape"),
    ]


class Reverse(ctypes.Structure):
    """`Reverse` of kernel/step.hpp."""

    _fields_ = [
        ("forward", Task),
        ("up", Stream),
        ("down", Stream),
        *_pointers("cotangent adjoint event_weight jump"),
    ]


@cache
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
    path = built_once(
        cache_root() / "native" / f"{_key(text, command)}.so",
        find=lambda entry: entry if entry.exists() else None,
        build=lambda folder: _build(text, command.split(), folder),
    )
    try:
        library = ctypes.CDLL(str(path))
        library.lanes.restype = ctypes.c_int64
        library.advance.restype = ctypes.c_int64
        library.advance.argtypes = [ctypes.POINTER(Task)]
        if "#define ADJOINT" in text:
            library.reverse.restype = None
            library.reverse.argtypes = [ctypes.POINTER(Reverse)]
    except (OSError, AttributeError) as error:
        raise InputError(f"{path}: this compiled kernel is damaged ({error}); delete it") from None
    return library


def _key(text: str, command: str) -> str:
    from ketune import __version__

    parts = [text, __version__, command, _version(command), _machine(), *_FULL]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


@cache
def _version(command: str) -> str:
    try:
        done = subprocess.run([*command.split(), "--version"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


@cache
def _machine() -> str:
    """What `-march=native` depends on."""
    flags = ""
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return f"{platform.system()} {platform.machine()} {platform.processor()} {flags}"


def _build(text: str, command: list[str], folder: Path) -> Path:
    """Compile with everything this machine has; where that is refused, plainly."""
    source, object_file, built = (folder / f"cell.{ending}" for ending in ("cpp", "o", "so"))
    source.write_text(text, encoding="utf-8")
    message = ""
    for flags in (_FULL, _PLAIN):
        # Linked apart from the arithmetic options: with them the linker may change the arithmetic of the whole process.
        steps = (
            [*command, *flags, "-c", str(source), "-o", str(object_file)],
            [*command, "-shared", str(object_file), "-o", str(built), "-lm"],
        )
        message = _first_failure(steps)
        if not message:
            return built
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


def aligned(shape: Sequence[int], dtype: Any) -> np.ndarray:
    """An uninitialised array that begins at a cache line, as vectors need."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.empty(size + 64, np.uint8)
    begin = -raw.ctypes.data % 64
    return raw[begin : begin + size].view(dtype).reshape(shape)


def aligned_copy(x: np.ndarray, dtype: Any) -> np.ndarray:
    """A contiguous copy that begins at a cache line."""
    result = aligned(x.shape, dtype)
    result[...] = x
    return result
