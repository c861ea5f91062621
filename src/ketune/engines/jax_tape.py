"""The tape of the JAX engine: reverse mode through the twin, in blocks of lanes and chunks of steps.

A tape keeps the state at the beginning of every chunk. The gradient goes through the chunks from the last to the first,
runs each again with the state at the beginning of every segment kept, and each segment again with all that its
derivative needs. So what is stored grows with the number of chunks, not of steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array

from ketune._jax import jax, jnp
from ketune.cores import available_cores
from ketune.engines.slots import lay_out
from ketune.engines.tape import Gradient, Key, Tape
from ketune.engines.twin import States, Twin
from ketune.events import Events

# The state at each chunk is kept for all lanes, that at each segment of a chunk for a block of lanes, everything else
# for one segment of a block.
_CHUNK_STEPS = 1024
_SEGMENT_STEPS = 8
_BLOCK_LANES = 32

Values = dict[Key, Any]
ByPort = dict[str, Any]
State = tuple[Array, States]
Reals = list[Array]


class Given(NamedTuple):
    """What of a chunk is not differentiated in: events' compartments by slot, current into the soma, overrides."""

    compartment: ByPort
    injected_nA: Any
    fixed: Values


@dataclass(frozen=True, eq=False)
class _Block:
    """Some lanes of a run.

    Attributes
    ----------
    lanes, n_lanes
        Which they are, and how many with the silent ones that fill up the last block.
    events, event_index
        Their events that reach synapses, and which of the run's those are.
    at, fixed
        Parameters to differentiate in, and the other overrides.
    starts
        State at the beginning of each chunk.
    """

    lanes: slice
    n_lanes: int
    events: Events
    event_index: np.ndarray
    at: Values
    fixed: Values
    injected_nA: np.ndarray | None
    starts: list[State] = field(default_factory=list)


class TapeRecorder:
    """Makes tapes of one twin; compiled once per shape of the work."""

    def __init__(self, twin: Twin) -> None:
        self.twin = twin
        self._start = jax.jit(self._initial, static_argnames="n_lanes")
        self._pull_start = jax.jit(self._initial_pulled, static_argnames="n_lanes")
        self._advance = jax.jit(self._chunk, static_argnames=("n_steps", "rows"))
        self._pull_chunk = jax.jit(self._chunk_pulled, static_argnames=("n_steps", "rows"))

    def record(
        self,
        events: Events,
        at: Mapping[Key, np.ndarray],
        fixed: Mapping[Key, Any],
        injected_nA: np.ndarray | None,
        rows: tuple[int, ...],
        threads: int | None,
    ) -> Tape:
        """Run forward, keeping what the gradient needs."""
        cores = threads or available_cores()
        slots = self._slots(events)
        blocks = self._blocks(events, slots, dict(at), dict(fixed), injected_nA, cores)

        def pull_back(cotangent: np.ndarray) -> Gradient:
            with ThreadPoolExecutor(min(cores, len(blocks))) as pool:
                parts = list(
                    pool.map(lambda b: self._backward(b, slots, rows, cotangent[..., b.lanes]), blocks)
                )
            weight = np.zeros(len(events.weight))
            for block, (_, own) in zip(blocks, parts, strict=True):
                weight[block.event_index] = own
            parameters = {
                key: _joined(np.shape(x), events.n_lanes, [own[key] for own, _ in parts])
                for key, x in at.items()
            }
            return Gradient(parameters, weight)

        with ThreadPoolExecutor(min(cores, len(blocks))) as pool:
            voltages = list(pool.map(lambda block: self._forward(block, slots, rows), blocks))
        return Tape(np.concatenate(voltages, axis=2), pull_back)

    def _slots(self, events: Events) -> dict[str, int]:
        """The most events that a lane has in one step, of each port that reaches a synapse."""
        slots = {}
        for index, name in enumerate(events.port_names):
            here = events.port == index
            if here.any() and self.twin.ports.get(name):
                cell = events.step[here].astype(np.int64) * events.n_lanes + events.lane[here]
                slots[name] = int(np.unique(cell, return_counts=True)[1].max())
        return slots

    def _blocks(
        self,
        events: Events,
        slots: dict[str, int],
        at: Values,
        fixed: Values,
        injected_nA: np.ndarray | None,
        cores: int,
    ) -> list[_Block]:
        """All of one size, so that one compiled function serves them."""
        n_blocks = -(-events.n_lanes // _BLOCK_LANES)
        if n_blocks > 1:
            n_blocks = -(-n_blocks // cores) * cores
        size = -(-events.n_lanes // n_blocks)
        arriving = np.isin(events.port, [events.port_names.index(name) for name in slots])
        blocks = []
        for first in range(0, events.n_lanes, size):
            lanes = slice(first, min(first + size, events.n_lanes))
            index = np.flatnonzero(arriving & (events.lane // size == first // size))
            own = events.take(index)
            current = None
            if injected_nA is not None:
                current = np.zeros((events.n_steps, size), self.twin.dtype)
                given = np.asarray(injected_nA)
                current[:, : lanes.stop - first] = given[:, None] if given.ndim == 1 else given[:, lanes]
            blocks.append(
                _Block(
                    lanes=lanes,
                    n_lanes=size,
                    events=replace(own, n_lanes=size, lane=own.lane - np.int32(first)),
                    event_index=index,
                    at={key: self._of_lanes(x, lanes, size) for key, x in at.items()},
                    fixed={key: self._of_lanes(x, lanes, size) for key, x in fixed.items()},
                    injected_nA=current,
                )
            )
        return blocks

    def _of_lanes(self, value: Any, lanes: slice, size: int) -> np.ndarray:
        """A block's part of a parameter; the lanes that fill up a block get the last one's."""
        value = np.asarray(value, self.twin.dtype)
        if value.ndim < 2 or value.shape[1] == 1:
            return value
        own = value[:, lanes]
        return np.pad(own, ((0, 0), (0, size - own.shape[1])), mode="edge")

    def _forward(self, block: _Block, slots: dict[str, int], rows: tuple[int, ...]) -> np.ndarray:
        n_chunks, n_steps = _chunks(block.events.n_steps)
        state = self._start(block.at, block.fixed, n_lanes=block.n_lanes)
        voltages = [np.asarray(state[0])[None, list(rows)]]
        for chunk in range(n_chunks):
            block.starts.append(state)
            given, weight, _ = self._inputs(block, slots, chunk * n_steps, n_steps)
            state, trace = self._advance(state, block.at, weight, given, n_steps=n_steps, rows=rows)
            voltages.append(np.asarray(trace))
        n_lanes = block.lanes.stop - block.lanes.start
        return np.concatenate(voltages)[: block.events.n_steps + 1, :, :n_lanes]

    def _backward(
        self, block: _Block, slots: dict[str, int], rows: tuple[int, ...], cotangent: np.ndarray
    ) -> tuple[Values, np.ndarray]:
        """Gradient in the parameters, and in the weights of the block's events."""
        n_chunks, n_steps = _chunks(block.events.n_steps)
        in_weight = np.zeros(len(block.events.weight))
        in_parameters = {key: np.zeros(np.shape(x)) for key, x in block.at.items()}
        pulled = [jnp.zeros_like(x) for x in _reals(block.starts[0])]
        for chunk in reversed(range(n_chunks)):
            start = chunk * n_steps
            given, weight, places = self._inputs(block, slots, start, n_steps)
            theirs = cotangent[1 + start : 1 + start + n_steps]
            own = np.zeros((n_steps, len(rows), block.n_lanes), self.twin.dtype)
            own[: theirs.shape[0], :, : theirs.shape[2]] = theirs
            pulled, at, weights = self._pull_chunk(
                block.starts[chunk], block.at, weight, given, pulled, own, n_steps=n_steps, rows=rows
            )
            for port, (event, place) in places.items():
                in_weight[event] = np.asarray(weights[port]).reshape(-1)[place]
            for key, x in at.items():
                in_parameters[key] += np.asarray(x)
        for key, x in self._pull_start(block.at, block.fixed, pulled, n_lanes=block.n_lanes).items():
            in_parameters[key] += np.asarray(x)
        return in_parameters, in_weight

    def _inputs(
        self, block: _Block, slots: dict[str, int], start: int, n_steps: int
    ) -> tuple[Given, ByPort, dict[str, tuple[np.ndarray, np.ndarray]]]:
        """What goes into a chunk; the weight of each slot; by port, which events lie in which slots."""
        events = block.events
        first, last = np.searchsorted(events.step, [start, start + n_steps])
        own = np.arange(first, last)
        part = replace(events.take(own), n_steps=n_steps, step=events.step[own] - np.int32(start))
        layout = lay_out(part, {name: slots.get(name, 0) for name in part.port_names})
        weight, places = {}, {}
        for name in slots:
            event = own[part.port == part.port_names.index(name)]
            places[name] = event, layout.event_at[name]
            weight[name] = np.zeros(layout.compartment[name].shape, self.twin.dtype)
            weight[name].reshape(-1)[layout.event_at[name]] = events.weight[event]
        given = Given(
            {name: layout.compartment[name] for name in slots},
            _padded(block.injected_nA, start, n_steps),
            block.fixed,
        )
        return given, weight, places

    def _initial(self, at: Values, fixed: Values, *, n_lanes: int) -> State:
        return self.twin.initial(self.twin.parameters(fixed | at), n_lanes)

    def _initial_pulled(self, at: Values, fixed: Values, pulled: Reals, *, n_lanes: int) -> Values:
        _, pull = jax.vjp(lambda at: _reals(self._initial(at, fixed, n_lanes=n_lanes)), at)
        return pull(pulled)[0]

    def _chunk(
        self, state: State, at: Values, weight: ByPort, given: Given, *, n_steps: int, rows: tuple[int, ...]
    ) -> tuple[State, Array]:
        """State after a chunk, and the voltages within it."""
        twin = self.twin
        parameters = twin.parameters(given.fixed | at)

        def step(carry, inputs):
            compartment, weight, current = inputs
            v, states = carry
            arrived = twin.arrivals(compartment, weight)
            v, states = twin.step(v, states, parameters, arrived, current)
            return (v, states), v[jnp.asarray(rows, int)]

        # The scan around it keeps XLA from merging the two runs of a segment.
        @partial(jax.checkpoint, prevent_cse=False)
        def segment(carry, inputs):
            return jax.lax.scan(step, carry, inputs, length=_SEGMENT_STEPS)

        n_segments = n_steps // _SEGMENT_STEPS
        inputs = jax.tree.map(
            lambda x: jnp.reshape(x, (n_segments, _SEGMENT_STEPS, *x.shape[1:])),
            (given.compartment, weight, given.injected_nA),
        )
        state, trace = jax.lax.scan(segment, state, inputs, length=n_segments)
        return state, jnp.reshape(trace, (n_steps, *trace.shape[2:]))

    def _chunk_pulled(
        self,
        state: State,
        at: Values,
        weight: ByPort,
        given: Given,
        pulled: Reals,
        cotangent: Array,
        *,
        n_steps: int,
        rows: tuple[int, ...],
    ) -> tuple[Reals, Values, ByPort]:
        """What the cotangents of the chunk's last state and of its voltages become before it."""

        def run(reals: Reals, at: Values, weight: ByPort) -> tuple[Reals, Array]:
            after, trace = self._chunk(
                _with_reals(state, reals), at, weight, given, n_steps=n_steps, rows=rows
            )
            return _reals(after), trace

        _, pull = jax.vjp(run, _reals(state), at, weight)
        return pull((pulled, cotangent))


def _chunks(n_steps: int) -> tuple[int, int]:
    """How many chunks of how many steps: whole segments, so the last may end late; those voltages are dropped."""
    n_chunks = max(-(-n_steps // _CHUNK_STEPS), 1)
    n_segments = max(-(-n_steps // (n_chunks * _SEGMENT_STEPS)), 1)
    return n_chunks, n_segments * _SEGMENT_STEPS


def _reals(state: Any) -> Reals:
    """What of a state has a derivative: the count of the steps has none."""
    return [x for x in jax.tree.leaves(state) if jnp.issubdtype(x.dtype, jnp.inexact)]


def _with_reals(state: State, reals: Reals) -> State:
    own = iter(reals)
    return jax.tree.map(lambda x: next(own) if jnp.issubdtype(x.dtype, jnp.inexact) else x, state)


def _padded(injected_nA: np.ndarray | None, start: int, n_steps: int) -> np.ndarray | None:
    if injected_nA is None:
        return None
    own = injected_nA[start : start + n_steps]
    return np.pad(own, ((0, n_steps - len(own)), (0, 0)))


def _joined(shape: tuple[int, ...], n_lanes: int, parts: list[np.ndarray]) -> np.ndarray:
    """The gradient in a parameter from that of each block: side by side where it has values for each lane."""
    if len(shape) == 2 and shape[1] > 1:
        return np.concatenate(parts, axis=1)[:, :n_lanes]
    return np.sum(parts, axis=0)
