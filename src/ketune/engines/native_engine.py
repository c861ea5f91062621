"""The native engine: the twin's forward step as vectorised C++, compiled from the same mechanisms.

It gives the spike statistics of fits and drugs on a CPU. Gradients, and parameters that differ from lane to lane, stay
with the JAX engine, which also takes over where no compiler is installed.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from ketune._jax import jnp
from ketune.cell import Cell, Overrides
from ketune.engines._elementwise import UnprintableError
from ketune.engines._native_source import CellSource, cell_source
from ketune.engines.jax_engine import JaxEngine, Run, SPIKE_THRESHOLD_mV
from ketune.engines.twin import Twin
from ketune.errors import InputError
from ketune.events import Events
from ketune.mechanisms import cache_directory

# One AVX-512 vector of float32; two or more of narrower vectors.
_LANES = 16
_CHUNK_STEPS = 2000
_PLAIN = ("-O3", "-std=c++17", "-fPIC", "-fno-math-errno", "-fno-trapping-math")
_FULL = (*_PLAIN, "-march=native", "-fopenmp-simd", "-mprefer-vector-width=512")
# Single precision is for statistics: there a reciprocal by approximation and one Newton step will do.
_SINGLE = ("-funsafe-math-optimizations", "-ffinite-math-only", "-mrecip")
_BUILD_LIMIT_S = 300.0


def compiler() -> str | None:
    """The C++ compiler, or None."""
    chosen = os.environ.get("CXX")
    if chosen:
        return chosen if shutil.which(chosen.split()[0]) else None
    return next((name for name in ("g++", "clang++", "c++") if shutil.which(name)), None)


def forward_engine(cell: Cell, *, dt_ms: float) -> Engine:
    """The fastest engine for forward runs in float32 on this machine."""
    return NativeEngine(cell, dt_ms=dt_ms) if compiler() else JaxEngine(cell, dt_ms=dt_ms)


class NativeEngine:
    """Runs a cell forward in C++; same events, same result type as :class:`JaxEngine`.

    Parameters
    ----------
    cell, dt_ms, dtype
        As for :class:`JaxEngine`; currents are linearised analytically.
    """

    def __init__(self, cell: Cell, *, dt_ms: float, dtype: Any = np.float32) -> None:
        self.twin = Twin(cell, dt_ms=dt_ms, dtype=jnp.dtype(dtype))
        self._cell = cell
        self._other: JaxEngine | None = None
        self._broken = False
        self._order, self._parent, self._coupling = _elimination(cell.table.node_parent, cell.table.node_g_uS)

    def _jax_engine(self) -> JaxEngine:
        if self._other is None:
            self._other = JaxEngine(self._cell, dt_ms=self.twin.dt_ms, dtype=self.twin.dtype)
        return self._other

    def run(
        self,
        events: Events,
        *,
        overrides: Overrides | None = None,
        injected_nA: np.ndarray | None = None,
        record: Sequence[int] = (0,),
        keep_voltage: bool = True,
        stride: int = 1,
        block_lanes: int | None = None,
        threads: int | None = None,
        on_advance: Callable[[float], None] | None = None,
    ) -> Run:
        """Simulate every lane of ``events``: see :meth:`JaxEngine.run`."""
        per_lane = any(np.ndim(x) == 2 and np.shape(x)[1] > 1 for x in (overrides or {}).values())
        source = None if per_lane or injected_nA is not None else self._source(overrides)
        library = None if source is None else self._compiled(source)
        if source is None or library is None:
            return self._jax_engine().run(
                events, overrides=overrides, injected_nA=injected_nA, record=record, keep_voltage=keep_voltage,
                stride=stride, block_lanes=block_lanes, threads=threads, on_advance=on_advance,
            )  # fmt: skip
        n = self.twin.n_compartments
        if len(events.compartment) and not 0 <= events.compartment.min() <= events.compartment.max() < n:
            raise ValueError(f"an event arrives at a compartment that this cell of {n} lacks")
        rows = (0, *[r for r in record if r != 0])
        if not 0 <= min(rows) <= max(rows) < self.twin.n_nodes:
            raise ValueError(f"compartments to record must lie in 0 to {self.twin.n_nodes - 1}")
        advance = library.advance
        starts = range(0, events.n_lanes, _LANES)

        def one(part: Events) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            return self._run_block(advance, source, part, rows, stride if keep_voltage else 0, on_advance)

        with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
            results = list(pool.map(one, _blocks(events)))
        lane = np.concatenate([r[1] + start for r, start in zip(results, starts, strict=True)])
        step = np.concatenate([r[2] for r in results])
        order = np.lexsort((step, lane))
        return Run(
            dt_ms=events.dt_ms,
            n_steps=events.n_steps,
            n_lanes=events.n_lanes,
            recorded=rows,
            v_mV=np.concatenate([r[0] for r in results], axis=2),
            stride=stride,
            spike_lane=lane[order],
            spike_ms=step[order] * self.twin.dt_ms,
        )

    def _source(self, overrides: Overrides | None) -> CellSource | None:
        try:
            return cell_source(self.twin, self.twin.parameters(overrides), _LANES)
        except UnprintableError:
            return None

    def _compiled(self, source: CellSource) -> Any | None:
        """The compiled source; None, with one warning, where this machine cannot compile or keep it."""
        import filelock

        if self._broken:
            return None
        try:
            return _library(source.text)
        except (OSError, InputError, filelock.Timeout, subprocess.TimeoutExpired) as error:
            self._broken = True
            what = " ".join(str(error).split())[:300]
            warnings.warn(
                f"the native engine cannot be compiled ({what}); using JAX, which is slower", stacklevel=3
            )
            return None

    def _run_block(
        self,
        advance: Any,
        source: CellSource,
        events: Events,
        rows: tuple[int, ...],
        stride: int,
        on_advance: Callable[[float], None] | None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        twin, real = self.twin, self.twin.dtype
        v = np.full((twin.n_nodes, _LANES), self._cell.v_init_mV, real)
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
        fixed = np.ascontiguousarray(twin.fixed_diagonal, real)
        coupling = np.ascontiguousarray(self._coupling, real)
        first = np.searchsorted(events.step, np.arange(events.n_steps + 1)).astype(np.int64)
        ports = list(self._cell.ports)
        port_of = np.array(
            [ports.index(n) if n in ports else -1 for n in events.port_names] or [-1], np.int32
        )
        port = port_of[events.port]
        compartment, lane = (np.ascontiguousarray(x, np.int32) for x in (events.compartment, events.lane))
        weight = np.ascontiguousarray(events.weight, float)
        recorded = np.array(rows, np.int32)
        above = np.full(_LANES, self._cell.v_init_mV >= SPIKE_THRESHOLD_mV, np.int32)
        spike_step, spike_lane = np.empty((2, _CHUNK_STEPS * _LANES), np.int32)
        n_lanes = events.n_lanes
        samples = [v[None, list(rows), :n_lanes].copy()] if stride else []
        found: list[tuple[np.ndarray, np.ndarray]] = []
        for start in range(0, events.n_steps, _CHUNK_STEPS):
            stop = min(start + _CHUNK_STEPS, events.n_steps)
            n_samples = stop // stride - start // stride if stride else 0
            trace = np.empty((n_samples, len(rows), _LANES), real)
            n = advance(
                start, stop - start, twin.n_compartments, twin.n_nodes, self._order, self._parent, coupling, fixed,
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
        return voltage, lanes[lanes < n_lanes], steps[lanes < n_lanes]


Engine = JaxEngine | NativeEngine


def _blocks(events: Events) -> list[Events]:
    """The events of each block of lanes, in their order."""
    block = (events.lane // _LANES).astype(np.int16)
    order = np.argsort(block, kind="stable")
    n_blocks = -(-events.n_lanes // _LANES)
    bounds = np.searchsorted(block[order], np.arange(n_blocks + 1))
    return [
        Events(
            n_lanes=min(_LANES, events.n_lanes - i * _LANES),
            n_steps=events.n_steps,
            dt_ms=events.dt_ms,
            port_names=events.port_names,
            step=events.step[own],
            lane=events.lane[own] - i * _LANES,
            compartment=events.compartment[own],
            port=events.port[own],
            weight=events.weight[own],
        )
        for i, own in enumerate(order[bounds[i] : bounds[i + 1]] for i in range(n_blocks))
    ]


def _elimination(parent: np.ndarray, coupling: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nodes from the tips to the root, without it; each node's parent, and its coupling to it."""
    depth = np.zeros(len(parent), int)
    for node in range(len(parent)):
        at = node
        while parent[at] >= 0:
            at, depth[node] = int(parent[at]), depth[node] + 1
    order = np.argsort(-depth, kind="stable")
    return order[:-1].astype(np.int32), np.asarray(parent, np.int32), np.asarray(coupling, float)


def _library(text: str) -> Any:
    """The compiled source, from the cache or built into it."""
    import filelock

    command = compiler()
    if command is None:
        raise InputError("no C++ compiler")
    key = hashlib.sha256("\n".join([text, command, _machine(), *_FULL, *_SINGLE]).encode()).hexdigest()[:16]
    path = cache_directory().parent / "native" / f"{key}.so"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(path.with_suffix(".lock"), timeout=_BUILD_LIMIT_S):
            if not path.exists():
                _build(text, command.split(), path)
    library = ctypes.CDLL(str(path))
    real = ctypes.c_double if "#define REAL double" in text else ctypes.c_float
    n: Any = ctypes.c_int64
    a: Any = np.ctypeslib.ndpointer(flags="C_CONTIGUOUS")
    library.advance.restype = n
    library.advance.argtypes = [
        n, n, n, n, a, a, a, a, a, ctypes.c_void_p, a, a, a, a, a, a, a, n, a, n, a, real, a, a, a,
    ]  # fmt: skip
    return library


def _machine() -> str:
    """What `-march=native` depends on."""
    flags = ""
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return f"{platform.system()} {platform.machine()} {platform.processor()} {flags}"


def _build(text: str, command: list[str], path: Path) -> None:
    """Compile with everything this machine has; where that is refused, plainly."""
    single = () if "#define REAL double" in text else _SINGLE
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        source, object_file, built = (Path(folder) / f"cell.{ending}" for ending in ("cpp", "o", "so"))
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
                built.rename(path)
                return
    raise InputError(f"{command[0]}: cannot compile ketune's simulation kernel; its last lines:\n{message}")


def _first_failure(steps: Sequence[list[str]]) -> str:
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, timeout=_BUILD_LIMIT_S)
        if done.returncode:
            return done.stderr[-1000:] or f"exit status {done.returncode}"
    return ""
