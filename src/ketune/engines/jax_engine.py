"""Forward simulation of many lanes with the JAX twin: voltages of chosen compartments and somatic spikes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Array

from ketune._jax import jax, jnp
from ketune.cell import Cell, Overrides
from ketune.engines.twin import Arrivals, Derivative, Parameters, States, Twin
from ketune.events import Events

SPIKE_THRESHOLD_mV = -20.0
"""A somatic spike is an upward crossing of this voltage."""

# Measured on the default cell: above this many lanes the states leave the core's cache, and with fewer than a quarter
# of it another core is not worth its overhead.
_BLOCK_LANES = 128
_CHUNK_STEPS = 500


@dataclass(frozen=True, eq=False)
class Run:
    """What a simulation returned.

    Attributes
    ----------
    dt_ms, n_steps, n_lanes
        As in the events.
    recorded
        Compartments whose voltage was kept.
    v_mV
        ``float (n_samples, len(recorded), n_lanes)``, every ``stride`` steps from time 0.
    stride
        Steps between samples.
    spike_lane, spike_ms
        Lane and time of every somatic spike, ordered by lane, then time.
    """

    dt_ms: float
    n_steps: int
    n_lanes: int
    recorded: tuple[int, ...]
    v_mV: np.ndarray
    stride: int
    spike_lane: np.ndarray
    spike_ms: np.ndarray

    @property
    def time_ms(self) -> np.ndarray:
        """Times of the voltage samples."""
        return np.arange(self.v_mV.shape[0]) * self.stride * self.dt_ms

    def counts(self, from_ms: float = 0.0, to_ms: float = np.inf) -> np.ndarray:
        """Spikes of each lane in ``from_ms <= t < to_ms``, ``int (n_lanes,)``."""
        inside = (self.spike_ms >= from_ms) & (self.spike_ms < to_ms)
        return np.bincount(self.spike_lane[inside], minlength=self.n_lanes)


Block = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Of a block of lanes: voltages ``(samples, rows, lanes)``, and lane and step of every spike."""
SimulateBlock = Callable[[int, Events, tuple[int, ...], int, Callable[[float], None] | None], Block]
"""Simulates the lanes from one on: their events, rows to record, stride (0: no voltage), progress."""


class JaxEngine:
    """Runs a cell's twin, compiled once per shape of the work.

    Parameters
    ----------
    cell, dt_ms, dtype, derivative
        See :class:`ketune.engines.twin.Twin`.
    """

    def __init__(
        self,
        cell: Cell,
        *,
        dt_ms: float = 0.025,
        dtype: Any = jnp.float32,
        derivative: Derivative = "analytic",
    ) -> None:
        self.twin = Twin(cell, dt_ms=dt_ms, dtype=dtype, derivative=derivative)
        self._advance = jax.jit(self._advance_chunk, static_argnames=("n_steps", "recorded"))
        self._start = jax.jit(self.twin.initial, static_argnames=("n_lanes",))

    def _advance_chunk(
        self,
        v: Array,
        states: States,
        parameters: Parameters,
        arrived: Arrivals,
        injected: Array | None,
        *,
        n_steps: int,
        recorded: tuple[int, ...],
    ) -> tuple[tuple[Array, States], Array]:
        def body(carry, inputs):
            v, states = carry
            now, current = inputs
            v, states = self.twin.step(v, states, parameters, now, current)
            return (v, states), v[jnp.asarray(recorded)]

        return jax.lax.scan(body, (v, states), (arrived, injected), length=n_steps)

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
        """Simulate every lane of ``events``.

        Parameters
        ----------
        overrides
            Parameters that replace the cell's: see :meth:`Twin.parameters`. Two-dimensional values are per lane.
        injected_nA
            Current into the soma, ``(n_steps,)`` or ``(n_steps, n_lanes)``; positive depolarises.
        record, keep_voltage, stride
            Compartments to record (the soma comes first in any case), whether to keep their voltage, and how often.
        block_lanes, threads
            Lanes that are computed together, and how many such blocks at a time (default: the number of cores).
        on_advance
            Called with the simulated seconds (over all lanes) that a chunk added.
        """
        rows = (0, *[r for r in record if r != 0])
        cores = threads or os.cpu_count() or 1
        size, simulate = self._plan(
            events, dict(overrides or {}), injected_nA, block_lanes or _even_block(events.n_lanes, cores)
        )
        parts = events.split(size)

        def one(i: int) -> Block:
            return simulate(i * size, parts[i], rows, stride if keep_voltage else 0, on_advance)

        with ThreadPoolExecutor(max_workers=min(cores, len(parts))) as pool:
            results = list(pool.map(one, range(len(parts))))
        lane = np.concatenate([r[1] + i * size for i, r in enumerate(results)])
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

    def _plan(
        self, events: Events, overrides: Overrides, injected_nA: np.ndarray | None, block_lanes: int
    ) -> tuple[int, SimulateBlock]:
        """Lanes of a block, and what simulates one."""

        def simulate(
            first_lane: int,
            part: Events,
            rows: tuple[int, ...],
            stride: int,
            on_advance: Callable[[float], None] | None,
        ) -> Block:
            lanes = slice(first_lane, first_lane + part.n_lanes)
            own = {
                k: x[:, lanes] if np.ndim(x) == 2 and np.shape(x)[1] > 1 else x for k, x in overrides.items()
            }
            current = None
            if injected_nA is not None:
                current = np.asarray(injected_nA)
                current = np.broadcast_to(
                    current[:, None] if current.ndim == 1 else current[:, lanes], (part.n_steps, part.n_lanes)
                )
            return self._run_block(part, own, current, rows, stride, on_advance)

        return block_lanes, simulate

    def _run_block(
        self,
        events: Events,
        overrides: Overrides,
        injected: np.ndarray | None,
        rows: tuple[int, ...],
        stride: int,
        on_advance: Callable[[float], None] | None,
    ) -> Block:
        twin = self.twin
        parameters = twin.parameters(overrides)
        v, states = self._start(parameters, n_lanes=events.n_lanes)
        samples = [np.asarray(v)[None, list(rows)]] if stride else []
        above = np.asarray(v)[0] >= SPIKE_THRESHOLD_mV
        spike_lane, spike_step = [], []
        for start in range(0, events.n_steps, _CHUNK_STEPS):
            stop = min(start + _CHUNK_STEPS, events.n_steps)
            (v, states), trace = self._advance(
                v,
                states,
                parameters,
                _arrivals(events, start, stop, twin.n_compartments, twin.dtype),
                None if injected is None else injected[start:stop].astype(twin.dtype),
                n_steps=stop - start,
                recorded=rows,
            )
            trace = np.asarray(trace)
            now = trace[:, 0] >= SPIKE_THRESHOLD_mV
            step, lane = np.nonzero(now & ~np.concatenate([above[None], now[:-1]]))
            above = now[-1]
            spike_lane.append(lane)
            spike_step.append(step + start + 1)
            if stride:
                first = (-start - 1) % stride
                samples.append(trace[first::stride].copy())
            if on_advance is not None:
                on_advance((stop - start) * twin.dt_ms * 1e-3 * events.n_lanes)
        voltage = np.concatenate(samples) if stride else np.empty((0, len(rows), events.n_lanes))
        return voltage, np.concatenate(spike_lane), np.concatenate(spike_step)


def _even_block(n_lanes: int, cores: int) -> int:
    """Lanes of a block so that all cores have the same to do, in blocks of one size: each size is compiled anew."""
    n_blocks = max(-(-n_lanes // _BLOCK_LANES), min(cores, 4 * n_lanes // _BLOCK_LANES), 1)
    if n_blocks > cores:
        n_blocks = -(-n_blocks // cores) * cores
    return -(-n_lanes // n_blocks)


def _arrivals(
    events: Events, start: int, stop: int, n_compartments: int, dtype: np.dtype
) -> dict[str, np.ndarray]:
    """Summed weight of the events by port: ``(steps, compartments, lanes)``, in bytes where weights are whole.

    Laid out like this the twin only reads them; scattering them itself would cost it a seventh of a step.
    """
    shape = (stop - start, n_compartments, events.n_lanes)
    first, last = np.searchsorted(events.step, [start, stop])
    arrived = {}
    for index, name in enumerate(events.port_names):
        here = first + np.flatnonzero(events.port[first:last] == index)
        at = (events.step[here] - start, events.compartment[here], events.lane[here])
        place, events_there = np.unique(np.ravel_multi_index(at, shape), return_inverse=True)
        total = np.bincount(events_there, events.weight[here], len(place))
        bytes_do = np.all(total == np.rint(total)) and np.all(np.abs(total) <= np.iinfo(np.int8).max)
        array = np.zeros(shape, np.int8 if bytes_do else dtype)
        array.reshape(-1)[place] = total
        arrived[name] = array
    return arrived
