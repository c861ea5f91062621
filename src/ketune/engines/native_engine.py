"""The native engine: the twin's step as one vectorised C++ kernel, compiled from the same mechanisms.

Lanes are computed in blocks as wide as the processor's vectors; a block's state stays in the core's cache for the whole
run. Cells that the kernel does not cover run under XLA instead, and so does everything where no compiler is installed.
"""

from __future__ import annotations

import ctypes
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ketune._jax import jnp
from ketune.cell import Cell, Overrides
from ketune.engines._elementwise import UnprintableError
from ketune.engines._kernel_structures import aligned
from ketune.engines._lane_blocks import CellNumbers, LaneBlock, NodeOrder
from ketune.engines._native_build import kernel
from ketune.engines._native_source import CellPrinter
from ketune.engines._reads import reads
from ketune.engines.connections import plastic_labels, with_effective_weights
from ketune.engines.jax_engine import Block, JaxEngine, Recording, SimulateBlock, SPIKE_THRESHOLD_mV, Variable
from ketune.engines.native_tape import NativeTape, derived_of
from ketune.engines.schemes import Scheme
from ketune.engines.tape import Key, Tape, differentiated
from ketune.engines.twin import IONS, Parameters
from ketune.errors import InputError
from ketune.events import Events

_CHUNK_STEPS = 2000
_MOST_PLACEMENTS = 64  # a bit for each in `present` of kernel/step.hpp


class NativeEngine(JaxEngine):
    """Runs a cell in C++; what it cannot do it does as a :class:`JaxEngine`.

    Parameters
    ----------
    cell, dt_ms, dtype, scheme
        As for :class:`JaxEngine`; currents are linearised analytically.
    """

    def __init__(
        self, cell: Cell, *, dt_ms: float, dtype: Any = np.float32, scheme: Scheme = "backward_euler"
    ) -> None:
        super().__init__(cell, dt_ms=dt_ms, dtype=jnp.dtype(dtype), scheme=scheme)
        self._failure: str | None = None
        self._last: tuple[Any, CellNumbers] | None = None
        # Several threads may use one engine; what a kernel is printed from is built on first use.
        self._preparing = threading.Lock()
        self.order = NodeOrder.of(cell.table.node_parent)
        self.printer = CellPrinter(self.twin, self.order.position)

    def reason_for_xla(self, *, gradient: bool = False) -> str | None:
        """Why this cell, or with ``gradient`` its tape, runs under XLA, one line; None where the kernel runs it."""
        for p in self.twin.cell.placements:
            if p.mechanism.merging == "separate":
                return f"'{p.label}' has states for each connection, or self-events"
            if p.mechanism.remember is not None:
                return f"'{p.label}' keeps values that its BREAKPOINT sets"
            if "t" in reads(p.mechanism).any:
                return f"'{p.label}' reads the time"
        if any(len(np.unique(p.compartments)) < len(p.compartments) for p in self.twin.cell.placements):
            return "a mechanism is placed twice on a compartment"
        n = len(self.twin.cell.placements)
        if not 0 < n + bool(self.twin.ions.varying) <= _MOST_PLACEMENTS:
            return f"it has {n} placements; the kernel takes 1 to {_MOST_PLACEMENTS}"
        return self._failure or (self.printer.ions.problem_of_adjoint if gradient else None)

    def _plan(
        self,
        events: Events,
        overrides: Overrides,
        injected_nA: np.ndarray | None,
        block_lanes: int,
        recording: Recording,
    ) -> tuple[int, Events, SimulateBlock]:
        numbers = None
        if self.reason_for_xla() is None and self._has(recording.variables):
            numbers = self._forward_numbers(overrides, recording.celsius)
        if numbers is None:
            return super()._plan(events, overrides, injected_nA, block_lanes, recording)
        self.check(events, recording.rows)
        if plastic_labels(self.twin.cell):
            parameters = self.twin.parameters(overrides, celsius=recording.celsius)
            events = with_effective_weights(self.twin.cell, events, parameters)
        return numbers.width, events, partial(self._run_native, numbers, recording, injected_nA)

    def tape(
        self,
        events: Events,
        *,
        wrt: Sequence[Key],
        overrides: Overrides | None = None,
        injected_nA: np.ndarray | None = None,
        record: Sequence[int] = (0,),
        threads: int | None = None,
    ) -> Tape:
        """As :meth:`JaxEngine.tape`, by the kernel's own adjoint."""
        overrides = dict(overrides or {})
        at = differentiated(self.twin.cell, wrt, overrides)
        fixed = {key: x for key, x in overrides.items() if key not in at}
        numbers = None
        if self.reason_for_xla(gradient=True) is None:
            parameters = self.twin.parameters({**fixed, **at})
            numbers = self.prepared(parameters, wrt=derived_of(self.twin.cell, wrt, parameters))
        if numbers is None:
            return super().tape(
                events, wrt=wrt, overrides=overrides, injected_nA=injected_nA, record=record, threads=threads
            )
        self.check(events, record)
        return NativeTape(numbers, events, at, fixed, injected_nA, record, threads).record()

    def _forward_numbers(self, overrides: Overrides, celsius: float | None) -> CellNumbers | None:
        """Of the last run, where the parameters are the same: batches of trials follow each other."""
        arrays = {key: np.asarray(x, float) for key, x in overrides.items()}
        key = (celsius, tuple((k, x.shape, x.tobytes()) for k, x in sorted(arrays.items())))
        with self._preparing:
            if self._last is None or self._last[0] != key:
                numbers = self.prepared(self.twin.parameters(overrides, celsius=celsius))
                if numbers is None:
                    return None
                self._last = (key, numbers)
            return self._last[1]

    def prepared(
        self, parameters: Parameters, wrt: Mapping[str, Sequence[str]] | None = None
    ) -> CellNumbers | None:
        """The compiled kernel with its numbers; None, with one warning, where this machine cannot have it."""
        lanes = [x.shape[1] for p in parameters.values() for x in p.values() if jnp.ndim(x) == 2]
        _, initial = self._start(parameters, n_lanes=max(lanes, default=1))
        try:
            source = self.printer.print(parameters, initial, wrt=wrt)
            return CellNumbers(kernel(source.text), source, self.twin, self.order)
        except (OSError, InputError, UnprintableError) as error:
            self._failure = " ".join(str(error).split())[:300]
            warnings.warn(
                f"the native engine cannot run this cell here ({self._failure}); using XLA, which is slower",
                stacklevel=5,
            )
            return None

    def kernel_key(self) -> str | None:
        """Hash of the kernel that the last run used, its compiler and this machine's kind; None before a run."""
        return None if self._last is None else Path(self._last[1].library._name).parent.name

    def _has(self, variables: Sequence[Variable]) -> bool:
        """Whether all of these are in the kernel's memory; the twin knows what else there may be."""
        cell = self.twin.cell
        kept = {label: p.mechanism.states for label, p in cell.by_label.items()}
        kept[IONS] = tuple(self.twin.ions.varying)
        return all(name in kept.get(label, ()) for label, name in variables)

    def check(self, events: Events, rows: Sequence[int]) -> None:
        """Nothing may lie outside the cell: the kernel does not look."""
        n = self.twin.n_compartments
        if len(events.compartment) and not 0 <= events.compartment.min() <= events.compartment.max() < n:
            raise ValueError(f"an event arrives at a compartment that this cell of {n} lacks")
        if not 0 <= min(rows) <= max(rows) < self.twin.n_nodes:
            raise ValueError(f"compartments to record must lie in 0 to {self.twin.n_nodes - 1}")

    def _run_native(
        self,
        numbers: CellNumbers,
        recording: Recording,
        injected_nA: np.ndarray | None,
        first_lane: int,
        events: Events,
        on_advance: Callable[[float], None] | None,
    ) -> Block:
        rows, stride, n_lanes, width = recording.rows, recording.stride, events.n_lanes, numbers.width
        block = LaneBlock(numbers, events, first_lane, injected_nA)
        variables = [numbers.offsets(label, name) for label, name in recording.variables]
        recorded = np.concatenate([numbers.order.position[list(rows)], *variables]).astype(np.int64)
        above = np.full(width, self.twin.cell.v_init_mV >= SPIKE_THRESHOLD_mV, np.int32)
        spike_step, spike_lane = np.empty((2, _CHUNK_STEPS * width), np.int32)
        samples = [block.memory[recorded][None, :, :n_lanes].copy()] if stride else []
        found: list[tuple[np.ndarray, np.ndarray]] = []
        for start in range(0, events.n_steps, _CHUNK_STEPS):
            stop = min(start + _CHUNK_STEPS, events.n_steps)
            n_samples = stop // stride - start // stride if stride else 0
            trace = aligned((n_samples, len(recorded), width), self.twin.dtype)
            task = block.task(
                start, stop, recorded=recorded, stride=stride, trace=trace,
                above=above, spike_step=spike_step, spike_lane=spike_lane,
            )  # fmt: skip
            n = numbers.library.advance(ctypes.byref(task))
            found.append((spike_lane[:n].copy(), spike_step[:n].copy()))
            if stride:
                samples.append(trace[..., :n_lanes])
            if on_advance is not None:
                on_advance((stop - start) * self.twin.dt_ms * 1e-3 * n_lanes)
        lanes, steps = (np.concatenate(x) for x in zip(*found, strict=True))
        kept = np.concatenate(samples) if stride else np.empty((0, len(recorded), n_lanes), self.twin.dtype)
        ends = np.cumsum([len(rows), *(len(x) for x in variables)])
        return Block(
            kept[:, : len(rows)],
            lanes[lanes < n_lanes],
            steps[lanes < n_lanes],
            {key: kept[:, a:b] for key, a, b in zip(recording.variables, ends, ends[1:], strict=False)},
        )
