"""What passes between Python and a kernel: the structures of kernel/step.hpp, and arrays aligned for vectors."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np


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
