"""Jaxley in the benchmark: a batch by `jax.vmap`, at the batch size that is fastest on this machine.

Gradients use Jaxley's own checkpointing in two levels, its advice for long simulations.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ketune.bench.jaxley_model import build_cell
from ketune.bench.runner import Prepared, Trace, seconds_of, spike_times
from ketune.bench.workloads import Work, Workload, build
from ketune.engines.jax_engine import SPIKE_THRESHOLD_mV

_SMALLEST_BATCH = 16
_BATCH_FACTOR = 4


@dataclass(frozen=True, eq=False)
class _Ready:
    """A compiled call with the batch size that it was made for."""

    call: Callable[[], object]
    lanes: int
    compile_s: float


class Runner:
    """Jaxley in one precision."""

    def __init__(self, precision: str) -> None:
        from ketune._jax import jax

        # Jaxley takes its precision from this setting of the process.
        jax.config.update("jax_enable_x64", precision == "float64")
        self._precision = precision
        self._cells: dict[Workload, Any] = {}
        self._forward: dict[Workload, _Ready] = {}
        self._backward: dict[Workload, _Ready] = {}

    def prepare(self, workload: Workload) -> Prepared:
        work = build(workload)
        begin = time.perf_counter()
        cell = self._cells[workload] = build_cell(work, self._precision)
        cell.select(nodes=[0]).record(verbose=False)
        setup_s = time.perf_counter() - begin
        ready = self._forward[workload] = _fastest(work, lambda current: _simulation(cell, work, current))
        return Prepared(setup_s, ready.compile_s, ready.lanes)

    def forward(self, workload: Workload) -> float:
        return seconds_of(self._forward[workload].call)

    def prepare_gradient(self, workload: Workload) -> Prepared:
        work, cell = build(workload), self._cells[workload]
        begin = time.perf_counter()
        for key in cell.nodes.filter(regex="^(HH|Leak)_[ge]").columns:
            has_it = np.flatnonzero(cell.nodes[key.split("_")[0]])
            cell.select(nodes=has_it).comp("all").make_trainable(key, verbose=False)
        setup_s = time.perf_counter() - begin
        ready = self._backward[workload] = _fastest(work, lambda current: _gradient(cell, work, current))
        return Prepared(setup_s, ready.compile_s, ready.lanes)

    def gradient(self, workload: Workload) -> float:
        return seconds_of(self._backward[workload].call)

    def trace(self, workload: Workload) -> Trace:
        from ketune._jax import jnp

        work = build(workload)
        assert work.injected_nA is not None
        cell = build_cell(work, self._precision)
        cell.record(verbose=False)
        voltage = np.asarray(_compiled(cell, work)(jnp.asarray(work.injected_nA.T)))
        voltage = voltage[:, :, : workload.n_steps + 1]
        return Trace(
            np.ascontiguousarray(voltage[0].T),
            spike_times(voltage[:, 0].T, workload.dt_ms, SPIKE_THRESHOLD_mV),
        )


def _fastest(work: Work, made: Callable[[Any], Callable[[], object]]) -> _Ready:
    """Of several batch sizes up to all lanes; each is compiled, and the best one's compilation is reported."""
    from ketune._jax import jnp

    assert work.injected_nA is not None
    n_lanes = work.events.n_lanes
    lanes = min(_SMALLEST_BATCH, n_lanes)
    best: tuple[float, _Ready] | None = None
    while lanes <= n_lanes:
        # Amplitudes spread over the same range whatever the size.
        chosen = np.linspace(0, n_lanes - 1, lanes).round().astype(int)
        call = made(jnp.asarray(work.injected_nA[:, chosen].T))
        first, later = seconds_of(call), seconds_of(call)
        if best is None or later / lanes < best[0]:
            best = (later / lanes, _Ready(call, lanes, max(first - later, 0.0)))
        lanes *= _BATCH_FACTOR
    assert best is not None
    return best[1]


def _integrate(cell: Any, work: Work, parameters: Any, current: Any, checkpoints: list[int] | None) -> Any:
    import jaxley

    return jaxley.integrate(
        cell,
        params=parameters,
        data_stimuli=cell.select(nodes=[0]).data_stimulate(current),
        delta_t=work.events.dt_ms,
        checkpoint_lengths=checkpoints,
    )


def _compiled(cell: Any, work: Work) -> Any:
    from ketune._jax import jax

    cell.to_jax()
    return jax.jit(jax.vmap(lambda current: _integrate(cell, work, [], current, None)))


def _simulation(cell: Any, work: Work, current: Any) -> Callable[[], object]:
    run = _compiled(cell, work)
    return lambda: run(current).block_until_ready()


def _gradient(cell: Any, work: Work, current: Any) -> Callable[[], object]:
    from ketune._jax import jax, jnp

    cell.to_jax()
    parameters = cell.get_parameters()
    outer = math.isqrt(work.events.n_steps)
    checkpoints = [outer, -(-work.events.n_steps // outer)]

    def mean(parameters: Any, currents: Any) -> Any:
        return jnp.mean(jax.vmap(lambda one: _integrate(cell, work, parameters, one, checkpoints))(currents))

    run = jax.jit(jax.grad(mean))
    return lambda: jax.block_until_ready(run(parameters, current))
