"""Forward simulation of many lanes with the JAX twin: voltages of chosen compartments and somatic spikes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Array

from ketune._jax import jax, jnp
from ketune.cell import Cell, Overrides
from ketune.cores import available_cores
from ketune.engines.connections import arrival_counts, connections, with_effective_weights
from ketune.engines.jax_tape import TapeRecorder
from ketune.engines.schemes import Scheme
from ketune.engines.tape import Key, Tape, differentiated
from ketune.engines.twin import Arrivals, Derivative, Parameters, States, Twin
from ketune.events import Events

SPIKE_THRESHOLD_mV = -20.0
"""A somatic spike is an upward crossing of this voltage."""

# Measured on the default cell: above this many lanes the states leave the core's cache, and with fewer than a quarter
# of it another core is not worth its overhead.
_BLOCK_LANES = 128
_CHUNK_STEPS = 500


Variable = tuple[str, str]
"""A placement's label (or "ions") and the name of one of its states."""


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
    variables
        Recorded variables by ``(label, name)``, ``float (n_samples, rows, n_lanes)`` at the times of ``v_mV``.
    """

    dt_ms: float
    n_steps: int
    n_lanes: int
    recorded: tuple[int, ...]
    v_mV: np.ndarray
    stride: int
    spike_lane: np.ndarray
    spike_ms: np.ndarray
    variables: dict[Variable, np.ndarray] = field(default_factory=dict)

    @property
    def time_ms(self) -> np.ndarray:
        """Times of the voltage samples."""
        return np.arange(self.v_mV.shape[0]) * self.stride * self.dt_ms

    def counts(self, from_ms: float = 0.0, to_ms: float = np.inf) -> np.ndarray:
        """Spikes of each lane in ``from_ms <= t < to_ms``, ``int (n_lanes,)``."""
        inside = (self.spike_ms >= from_ms) & (self.spike_ms < to_ms)
        return np.bincount(self.spike_lane[inside], minlength=self.n_lanes)


@dataclass(frozen=True, eq=False)
class Block:
    """Of a block of lanes: voltages ``(samples, rows, lanes)``, lane and step of every spike, other variables."""

    v_mV: np.ndarray
    spike_lane: np.ndarray
    spike_step: np.ndarray
    variables: dict[Variable, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Recording:
    """What a run keeps: rows, other variables, every how many steps (0: nothing but spikes); at which temperature."""

    rows: tuple[int, ...]
    variables: tuple[Variable, ...]
    stride: int
    celsius: float | None


SimulateBlock = Callable[[int, Events, Callable[[float], None] | None], Block]
"""Simulates the lanes from one on: their events, progress."""


class JaxEngine:
    """Runs a cell's twin, compiled once per shape of the work.

    Parameters
    ----------
    cell, dt_ms, dtype, derivative, keep_currents, scheme
        See :class:`ketune.engines.twin.Twin`.
    """

    def __init__(
        self,
        cell: Cell,
        *,
        dt_ms: float = 0.025,
        dtype: Any = jnp.float32,
        derivative: Derivative = "analytic",
        keep_currents: bool = False,
        scheme: Scheme = "backward_euler",
    ) -> None:
        self.twin = Twin(
            cell, dt_ms=dt_ms, dtype=dtype, derivative=derivative, keep_currents=keep_currents, scheme=scheme
        )
        self._advance = jax.jit(self._advance_chunk, static_argnames=("n_steps", "recorded", "variables"))
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
        variables: tuple[Variable, ...],
    ) -> tuple[tuple[Array, States], tuple[Array, list[Array]]]:
        def body(carry, inputs):
            v, states = carry
            now, current = inputs
            v, states = self.twin.step(v, states, parameters, now, current)
            return (v, states), (v[jnp.asarray(recorded)], self._variables(states, variables))

        return jax.lax.scan(body, (v, states), (arrived, injected), length=n_steps)

    def _variables(self, states: States, variables: tuple[Variable, ...]) -> list[Array]:
        return [self.twin.variable(states, label, name) for label, name in variables]

    def run(
        self,
        events: Events,
        *,
        overrides: Overrides | None = None,
        injected_nA: np.ndarray | None = None,
        record: Sequence[int] = (0,),
        keep_voltage: bool = True,
        stride: int = 1,
        variables: Sequence[Variable] = (),
        celsius: float | None = None,
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
        variables
            States to keep at the same times: ``(label, state)``, or ``("ions", "cai")``.
        celsius
            Another temperature than the cell's; without compiling anew.
        block_lanes, threads
            Lanes that are computed together, and how many such blocks at a time (default: the number of cores).
        on_advance
            Called with the simulated seconds (over all lanes) that a chunk added.
        """
        rows = (0, *[r for r in record if r != 0])
        cores = threads or available_cores()
        recording = Recording(rows, tuple(variables), stride if keep_voltage else 0, celsius)
        block_lanes = block_lanes or _even_block(events.n_lanes, cores)
        size, events, simulate = self._plan(
            events, dict(overrides or {}), injected_nA, block_lanes, recording
        )
        parts = events.split(size)

        def one(i: int) -> Block:
            return simulate(i * size, parts[i], on_advance)

        with ThreadPoolExecutor(max_workers=min(cores, len(parts))) as pool:
            results = list(pool.map(one, range(len(parts))))
        lane = np.concatenate([r.spike_lane + i * size for i, r in enumerate(results)])
        step = np.concatenate([r.spike_step for r in results])
        order = np.lexsort((step, lane))
        return Run(
            dt_ms=events.dt_ms,
            n_steps=events.n_steps,
            n_lanes=events.n_lanes,
            recorded=rows,
            v_mV=np.concatenate([r.v_mV for r in results], axis=2),
            stride=stride,
            spike_lane=lane[order],
            spike_ms=step[order] * self.twin.dt_ms,
            variables={
                key: np.concatenate([r.variables[key] for r in results], axis=2)
                for key in results[0].variables
            },
        )

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
        """Simulate every lane so that the recorded voltages can be differentiated in reverse.

        Parameters
        ----------
        wrt
            Parameters, ``(label, parameter)``, to differentiate in, beside the weights of the events.
        overrides, injected_nA, threads
            As in :meth:`run`.
        record
            Compartments whose voltages the tape has, in this order.

        Raises
        ------
        InputError
            A parameter is unknown, or a synapse has short-term plasticity or states of its own.
        """
        overrides = dict(overrides or {})
        at = differentiated(self.twin.cell, wrt, overrides)
        fixed = {key: x for key, x in overrides.items() if key not in at}
        return self._recorder.record(events, at, fixed, injected_nA, tuple(record), threads)

    @cached_property
    def _recorder(self) -> TapeRecorder:
        return TapeRecorder(self.twin)

    def _plan(
        self,
        events: Events,
        overrides: Overrides,
        injected_nA: np.ndarray | None,
        block_lanes: int,
        recording: Recording,
    ) -> tuple[int, Events, SimulateBlock]:
        """Lanes of a block, the events as it takes them, and what simulates one."""

        def simulate(
            first_lane: int,
            part: Events,
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
            return self._run_block(part, own, current, recording, on_advance)

        return block_lanes, events, simulate

    def _run_block(
        self,
        events: Events,
        overrides: Overrides,
        injected: np.ndarray | None,
        recording: Recording,
        on_advance: Callable[[float], None] | None,
    ) -> Block:
        twin, rows, stride = self.twin, recording.rows, recording.stride
        parameters = twin.parameters(overrides, celsius=recording.celsius)
        events = with_effective_weights(twin.cell, events, parameters)
        found = {
            label: connections(twin.cell, twin.cell.placement(label), events) for label in twin.receivers
        }
        v, states = self._start(parameters, n_lanes=events.n_lanes)
        if twin.receivers:
            states = twin.connect(states, parameters, {label: c.weight for label, c in found.items()})
        samples = [np.asarray(v)[None, list(rows)]] if stride else []
        others = [[np.asarray(x)[None]] for x in self._variables(states, recording.variables)]
        above = np.asarray(v)[0] >= SPIKE_THRESHOLD_mV
        spike_lane, spike_step = [], []
        for start in range(0, events.n_steps, _CHUNK_STEPS):
            stop = min(start + _CHUNK_STEPS, events.n_steps)
            arrived = _arrivals(events, start, stop, twin.n_compartments, twin.dtype, twin.ports)
            arrived |= {label: arrival_counts(c, events, start, stop) for label, c in found.items()}
            (v, states), (trace, more) = self._advance(
                v,
                states,
                parameters,
                arrived,
                None if injected is None else injected[start:stop].astype(twin.dtype),
                n_steps=stop - start,
                recorded=rows,
                variables=recording.variables,
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
                for kept, x in zip(others, more, strict=True):
                    kept.append(np.asarray(x)[first::stride].copy())
            if on_advance is not None:
                on_advance((stop - start) * twin.dt_ms * 1e-3 * events.n_lanes)
        return Block(
            v_mV=np.concatenate(samples) if stride else np.empty((0, len(rows), events.n_lanes)),
            spike_lane=np.concatenate(spike_lane),
            spike_step=np.concatenate(spike_step),
            variables=dict(zip(recording.variables, map(np.concatenate, others), strict=True)),
        )


def _even_block(n_lanes: int, cores: int) -> int:
    """Lanes of a block so that all cores have the same to do, in blocks of one size: each size is compiled anew."""
    n_blocks = max(-(-n_lanes // _BLOCK_LANES), min(cores, 4 * n_lanes // _BLOCK_LANES), 1)
    if n_blocks > cores:
        n_blocks = -(-n_blocks // cores) * cores
    return -(-n_lanes // n_blocks)


def _arrivals(
    events: Events,
    start: int,
    stop: int,
    n_compartments: int,
    dtype: np.dtype,
    ports: Mapping[str, Sequence[str]],
) -> dict[str, np.ndarray]:
    """Summed weight of the events by port: ``(steps, compartments, lanes)``, in bytes where weights are whole.

    Only of ports that reach synapses which take sums.

    Laid out like this the twin only reads them; scattering them itself would cost it a seventh of a step.
    """
    shape = (stop - start, n_compartments, events.n_lanes)
    first, last = np.searchsorted(events.step, [start, stop])
    arrived = {}
    for index, name in enumerate(events.port_names):
        if not ports.get(name):
            continue
        here = first + np.flatnonzero(events.port[first:last] == index)
        at = (events.step[here] - start, events.compartment[here], events.lane[here])
        place, events_there = np.unique(np.ravel_multi_index(at, shape), return_inverse=True)
        total = np.bincount(events_there, events.weight[here], len(place))
        bytes_do = np.all(total == np.rint(total)) and np.all(np.abs(total) <= np.iinfo(np.int8).max)
        array = np.zeros(shape, np.int8 if bytes_do else dtype)
        array.reshape(-1)[place] = total
        arrived[name] = array
    return arrived
