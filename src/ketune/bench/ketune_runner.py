"""ketune's own engines in the benchmark."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from ketune.bench.runner import Prepared, Trace, seconds_of
from ketune.bench.team import cores
from ketune.bench.workloads import Work, Workload, build
from ketune.engines.jax_engine import JaxEngine
from ketune.engines.native_engine import NativeEngine


class Runner:
    """An engine in one precision; ``derivative`` is how XLA linearises currents."""

    def __init__(self, engine: str, precision: str, derivative: str = "analytic") -> None:
        self._engine, self._dtype, self._derivative = engine, np.dtype(precision), derivative
        self._ready: dict[Workload, tuple[Work, JaxEngine]] = {}

    def _made(self, work: Work) -> JaxEngine:
        dt_ms = work.events.dt_ms
        if self._engine == "native":
            return NativeEngine(work.cell, dt_ms=dt_ms, dtype=self._dtype)
        derivative: Any = self._derivative
        return JaxEngine(work.cell, dt_ms=dt_ms, dtype=self._dtype, derivative=derivative)

    def prepare(self, workload: Workload) -> Prepared:
        work = build(workload)
        begin = time.perf_counter()
        self._ready[workload] = work, self._made(work)
        setup_s = time.perf_counter() - begin
        first, later = self.forward(workload), self.forward(workload)
        return Prepared(setup_s, max(first - later, 0.0), workload.lanes)

    def forward(self, workload: Workload) -> float:
        work, engine = self._ready[workload]
        return seconds_of(
            lambda: engine.run(
                work.events, injected_nA=work.injected_nA, keep_voltage=False, threads=len(cores())
            )
        )

    def prepare_gradient(self, workload: Workload) -> Prepared:
        first, later = self.gradient(workload), self.gradient(workload)
        return Prepared(0.0, max(first - later, 0.0), workload.lanes)

    def gradient(self, workload: Workload) -> float:
        work, engine = self._ready[workload]
        wrt = [(p.label, name) for p in work.cell.placements for name in p.parameters]

        def differentiate() -> None:
            tape = engine.tape(work.events, wrt=wrt, injected_nA=work.injected_nA, threads=len(cores()))
            tape.gradient(np.full(tape.v_mV.shape, 1.0 / tape.v_mV.size, tape.v_mV.dtype))

        return seconds_of(differentiate)

    def trace(self, workload: Workload) -> Trace:
        work = build(workload)
        rows = range(work.cell.table.n)
        run = self._made(work).run(work.events, injected_nA=work.injected_nA, record=rows)
        spikes = tuple(run.spike_ms[run.spike_lane == lane] for lane in range(workload.lanes))
        return Trace(np.ascontiguousarray(run.v_mV[:, :, 0]), spikes)
