"""The native engine: the twin's forward step as vectorised C++, compiled from the same mechanisms.

It gives the spike statistics of fits and drugs on a CPU. Gradients, and parameters that differ from lane to lane, stay
with the JAX engine, which also takes over where no compiler is installed.
"""

from __future__ import annotations

import ctypes
import hashlib
import platform
import subprocess
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ketune._compiled import BUILD_LIMIT_S, built_once, cache_root, compiler
from ketune._jax import jnp
from ketune.cell import Cell, Overrides
from ketune.engines._elementwise import UnprintableError
from ketune.engines._native_source import CellSource, cell_source
from ketune.engines.jax_engine import Block, JaxEngine, Recording, SimulateBlock, SPIKE_THRESHOLD_mV
from ketune.errors import InputError
from ketune.events import Events

# One AVX-512 vector of float32; two or more of narrower vectors.
_LANES = 16
_CHUNK_STEPS = 2000
_PLAIN = ("-O3", "-std=c++17", "-fPIC", "-fno-math-errno", "-fno-trapping-math")
_FULL = (*_PLAIN, "-march=native", "-fopenmp-simd", "-mprefer-vector-width=512")
# Single precision is for statistics: there a reciprocal by approximation and one Newton step will do.
_SINGLE = ("-funsafe-math-optimizations", "-ffinite-math-only", "-mrecip")
# All attempts together stay within the time that another process waits for them.
_STEP_LIMIT_S = BUILD_LIMIT_S / 6


def forward_engine(cell: Cell, *, dt_ms: float) -> JaxEngine:
    """The fastest engine for forward runs in float32 on this machine."""
    return NativeEngine(cell, dt_ms=dt_ms) if compiler() else JaxEngine(cell, dt_ms=dt_ms)


class NativeEngine(JaxEngine):
    """Runs a cell forward in C++; what it cannot do (see the module) it does as a :class:`JaxEngine`.

    Parameters
    ----------
    cell, dt_ms, dtype
        As for :class:`JaxEngine`; currents are linearised analytically.
    """

    def __init__(self, cell: Cell, *, dt_ms: float, dtype: Any = np.float32) -> None:
        super().__init__(cell, dt_ms=dt_ms, dtype=jnp.dtype(dtype))
        self._broken = False
        self._order = _tips_first(cell.table.node_parent)
        self._parent = np.asarray(cell.table.node_parent, np.int32)
        self._coupling = np.asarray(cell.table.node_g_uS, self.twin.dtype)
        self._fixed_diagonal = np.asarray(self.twin.fixed_diagonal)[:, 0].copy()

    def reason_for_xla(self) -> str | None:
        """Why XLA simulates this cell instead of the kernel; None where the kernel does."""
        return None if self.twin.is_plain else "it is more than voltage and states to which events add"

    def _plan(
        self,
        events: Events,
        overrides: Overrides,
        injected_nA: np.ndarray | None,
        block_lanes: int,
        recording: Recording,
    ) -> tuple[int, SimulateBlock]:
        per_lane = any(np.ndim(x) == 2 and np.shape(x)[1] > 1 for x in overrides.values())
        special = bool(recording.variables) or recording.celsius is not None or injected_nA is not None
        source = None if per_lane or special else self._source(overrides)
        library = None if source is None else self._compiled(source)
        if source is None or library is None:
            return super()._plan(events, overrides, injected_nA, block_lanes, recording)
        n = self.twin.n_compartments
        if len(events.compartment) and not 0 <= events.compartment.min() <= events.compartment.max() < n:
            raise ValueError(f"an event arrives at a compartment that this cell of {n} lacks")
        return _LANES, partial(self._run_native, library.advance, source, recording)

    def _source(self, overrides: Overrides | None) -> CellSource | None:
        if not self.twin.is_plain:
            return None
        try:
            return cell_source(self.twin, self.twin.parameters(overrides), _LANES)
        except UnprintableError:
            return None

    def _compiled(self, source: CellSource) -> Any | None:
        """The compiled source; None, with one warning, where this machine cannot compile or keep it."""
        if self._broken:
            return None
        try:
            return _library(source.text)
        except (OSError, InputError) as error:
            self._broken = True
            what = " ".join(str(error).split())[:300]
            warnings.warn(
                f"the native engine cannot be compiled ({what}); using JAX, which is slower", stacklevel=4
            )
            return None

    def _run_native(
        self,
        advance: Any,
        source: CellSource,
        recording: Recording,
        _first_lane: int,
        events: Events,
        on_advance: Callable[[float], None] | None,
    ) -> Block:
        twin, real, v_init_mV = self.twin, self.twin.dtype, self.twin.cell.v_init_mV
        rows, stride = recording.rows, recording.stride
        if not 0 <= min(rows) <= max(rows) < twin.n_nodes:
            raise ValueError(f"compartments to record must lie in 0 to {twin.n_nodes - 1}")
        v = np.full((twin.n_nodes, _LANES), v_init_mV, real)
        work = np.empty((2, twin.n_nodes, _LANES), real)
        states = [
            np.ascontiguousarray(np.repeat(p.state[..., None], _LANES, axis=2)) for p in source.placements
        ]
        kept = [
            (p.rows, p.to_nA, p.constants, p.row_of, p.jump, s)
            for p, s in zip(source.placements, states, strict=True)
        ]
        pointers = (ctypes.c_void_p * (6 * len(kept)))(*(a.ctypes.data for arrays in kept for a in arrays))
        counts = np.array([len(p.rows) for p in source.placements], np.int64)
        first = np.searchsorted(events.step, np.arange(events.n_steps + 1)).astype(np.int64)
        ports = list(twin.cell.ports)
        port_of = np.array(
            [ports.index(n) if n in ports else -1 for n in events.port_names] or [-1], np.int32
        )
        port = port_of[events.port]
        compartment, lane = (np.ascontiguousarray(x, np.int32) for x in (events.compartment, events.lane))
        weight = np.ascontiguousarray(events.weight, float)
        recorded = np.array(rows, np.int32)
        above = np.full(_LANES, v_init_mV >= SPIKE_THRESHOLD_mV, np.int32)
        spike_step, spike_lane = np.empty((2, _CHUNK_STEPS * _LANES), np.int32)
        n_lanes = events.n_lanes
        samples = [v[None, list(rows), :n_lanes].copy()] if stride else []
        found: list[tuple[np.ndarray, np.ndarray]] = []
        for start in range(0, events.n_steps, _CHUNK_STEPS):
            stop = min(start + _CHUNK_STEPS, events.n_steps)
            n_samples = stop // stride - start // stride if stride else 0
            trace = np.empty((n_samples, len(rows), _LANES), real)
            n = advance(
                start, stop - start, twin.n_nodes, self._order, self._parent, self._coupling, self._fixed_diagonal,
                counts, pointers, first[start : stop + 1].copy(), compartment, lane, port, weight, v, work, len(rows),
                recorded, stride, trace, SPIKE_THRESHOLD_mV, above, spike_step, spike_lane,
            )  # fmt: skip
            found.append((spike_lane[:n].copy(), spike_step[:n].copy()))
            if stride:
                samples.append(trace[..., :n_lanes])
            if on_advance is not None:
                on_advance((stop - start) * twin.dt_ms * 1e-3 * n_lanes)
        lanes, steps = (np.concatenate(x) for x in zip(*found, strict=True))
        voltage = np.concatenate(samples) if stride else np.empty((0, len(rows), n_lanes), real)
        return Block(voltage, lanes[lanes < n_lanes], steps[lanes < n_lanes])


def _tips_first(parent: np.ndarray) -> np.ndarray:
    """Nodes in an order of elimination, each before its parent; without the root."""
    depth = np.zeros(len(parent), int)
    for node in range(len(parent)):
        at = node
        while parent[at] >= 0:
            at, depth[node] = int(parent[at]), depth[node] + 1
    return np.argsort(-depth, kind="stable")[:-1].astype(np.int32)


def _library(text: str) -> Any:
    """The compiled source, from the cache or built into it."""
    command = compiler()
    if command is None:
        raise InputError("no C++ compiler")
    key = hashlib.sha256("\n".join([text, command, _machine(), *_FULL, *_SINGLE]).encode()).hexdigest()[:16]
    path = built_once(
        cache_root() / "native" / f"{key}.so",
        find=lambda entry: entry if entry.exists() else None,
        build=lambda folder: _build(text, command.split(), folder),
    )
    library = ctypes.CDLL(str(path))
    real = ctypes.c_double if "#define REAL double" in text else ctypes.c_float
    n: Any = ctypes.c_int64
    a: Any = np.ctypeslib.ndpointer(flags="C_CONTIGUOUS")
    library.advance.restype = n
    library.advance.argtypes = [
        n, n, n, a, a, a, a, a, ctypes.c_void_p, a, a, a, a, a, a, a, n, a, n, a, real, a, a, a,
    ]  # fmt: skip
    return library


def _machine() -> str:
    """What `-march=native` depends on."""
    flags = ""
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return f"{platform.system()} {platform.machine()} {platform.processor()} {flags}"


def _build(text: str, command: list[str], folder: Path) -> Path:
    """Compile with everything this machine has; where that is refused, plainly."""
    single = () if "#define REAL double" in text else _SINGLE
    source, object_file, built = (folder / f"cell.{ending}" for ending in ("cpp", "o", "so"))
    source.write_text(text, encoding="utf-8")
    message = ""
    for flags, libraries in (
        ((*_FULL, *single, "-DVECTOR_MATH"), ("-lmvec", "-lm")),
        (_FULL, ("-lm",)),
        (_PLAIN, ("-lm",)),
    ):
        # Linked apart from the arithmetic options: with them the linker would change the arithmetic of the whole
        # process.
        steps = (
            [*command, *flags, "-c", str(source), "-o", str(object_file)],
            [*command, "-shared", str(object_file), "-o", str(built), *libraries],
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
        if done.returncode:
            return done.stderr[-1000:] or f"exit status {done.returncode}"
    return ""
