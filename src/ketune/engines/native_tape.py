"""The tape of the native engine: the kernel forward with checkpoints, and its adjoint back through them.

Between checkpoints nothing is kept. On the way back each stretch is run again with all of its states stored, and the
adjoint goes through it from the end. What the kernel collects are derivatives with respect to the constants of the
printed functions, to event weights and to the initial states; JAX takes them to the parameters that these follow from.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from ketune._jax import jax, jnp
from ketune.cell import Cell, Overrides
from ketune.cores import available_cores
from ketune.engines._kernel_structures import Reverse, aligned
from ketune.engines._lane_blocks import CellNumbers, LaneBlock
from ketune.engines._program import program
from ketune.engines.tape import Gradient, Key, Tape
from ketune.engines.twin import IONS, Parameters
from ketune.events import Events
from ketune.mechanisms import Mechanism

_CHECKPOINT_BYTES = 256e6
_LEAST_STRETCH = 32

Collected = dict[str, np.ndarray]
"""Adjoints of a block: sums of each pass, initial states, jumps and event weights."""


def derived_of(cell: Cell, wrt: Sequence[Key], parameters: Parameters) -> dict[str, tuple[str, ...]]:
    """By label the parameters asked for, and what the mechanism derives from them."""
    asked: dict[str, set[str]] = {p.label: set() for p in cell.placements}
    for label, name in wrt:
        asked[label].add(name)
    return {
        label: tuple(
            sorted(
                names
                | _following(cell.placement(label).mechanism, frozenset(names), tuple(parameters[label]))
            )
        )
        for label, names in asked.items()
    }


@cache
def _following(mechanism: Mechanism, names: frozenset[str], parameters: tuple[str, ...]) -> frozenset[str]:
    """Derived values that depend on some of the parameters."""
    scalar = jax.ShapeDtypeStruct((), np.float64)
    derived = jax.eval_shape(mechanism.derived, dict.fromkeys(parameters, scalar))
    given = [name for name in parameters if name not in derived]

    def origins(name: str) -> frozenset[str]:
        part = program(lambda _v, _x, p: [mechanism.derived(p)[name]], 0, given, np.dtype(np.float64))
        return frozenset().union(*part.of_parameter)

    return frozenset(name for name in derived if origins(name) & names)


@dataclass(eq=False)
class _Stretches:
    """A block of lanes with its checkpoints."""

    block: LaneBlock
    checkpoints: np.ndarray


class NativeTape:
    """A forward run of the kernel that can be differentiated.

    Parameters
    ----------
    numbers
        Of a kernel printed with its adjoint for these parameters.
    at
        Values of the parameters to differentiate in.
    fixed
        Other overrides.
    """

    def __init__(
        self,
        numbers: CellNumbers,
        events: Events,
        at: Mapping[Key, np.ndarray],
        fixed: Overrides,
        injected_nA: np.ndarray | None,
        rows: Sequence[int],
        threads: int | None,
    ) -> None:
        self.numbers, self.events = numbers, events
        self.at, self.fixed = dict(at), dict(fixed)
        self.threads = threads or available_cores()
        self.recorded = numbers.order.position[list(rows)].astype(np.int64)
        self.index = events.split_indices(numbers.width)
        self.injected_nA = injected_nA
        per_step = (numbers.n + numbers.states.size) * numbers.twin.dtype.itemsize * events.n_lanes
        self.stretch = max(_LEAST_STRETCH, int(np.ceil(events.n_steps * per_step / _CHECKPOINT_BYTES)))

    def record(self) -> Tape:
        """Run forward."""
        parts = self.events.split(self.numbers.width)
        with ThreadPoolExecutor(min(self.threads, len(parts))) as pool:
            found = list(pool.map(self._forward, range(len(parts)), parts))
        stretches = [f[0] for f in found]
        return Tape(
            np.concatenate([f[1] for f in found], axis=2),
            lambda cotangent: self._gradient(stretches, cotangent),
        )

    def _forward(self, number: int, events: Events) -> tuple[_Stretches, np.ndarray]:
        numbers, n_steps = self.numbers, events.n_steps
        block = LaneBlock(numbers, events, number * numbers.width, self.injected_nA)
        n_stretches = -(-n_steps // self.stretch)
        checkpoints = np.empty((n_stretches, *block.memory.shape), numbers.twin.dtype)
        trace = aligned((n_steps + 1, len(self.recorded), numbers.width), numbers.twin.dtype)
        trace[0] = block.memory[self.recorded]
        for i in range(n_stretches):
            checkpoints[i] = block.memory
            start, stop = i * self.stretch, min((i + 1) * self.stretch, n_steps)
            self._advance(block, start, stop, trace=trace[start + 1 : stop + 1])
        return _Stretches(block, checkpoints), trace[..., : events.n_lanes]

    def _advance(self, block: LaneBlock, start: int, stop: int, **arrays: np.ndarray) -> None:
        width = self.numbers.width
        # Spikes are found too, and thrown away.
        spikes = np.empty((2, (stop - start) * width), np.int32)
        above = np.zeros(width, np.int32)
        task = block.task(
            start, stop, recorded=self.recorded, stride=int("trace" in arrays),
            above=above, spike_step=spikes[0], spike_lane=spikes[1], **arrays,
        )  # fmt: skip
        self.numbers.library.advance(ctypes.byref(task))

    def _gradient(self, stretches: list[_Stretches], cotangent: np.ndarray) -> Gradient:
        width = self.numbers.width

        def one(i: int) -> Collected:
            first = i * width
            return self._backward(stretches[i], cotangent[..., first : first + width])

        with ThreadPoolExecutor(min(self.threads, len(stretches))) as pool:
            parts = list(pool.map(one, range(len(stretches))))
        weight = np.zeros(len(self.events.weight))
        for index, part in zip(self.index, parts, strict=True):
            weight[index] = part["weight"]
        return Gradient(self._parameters(parts), weight)

    def _backward(self, kept: _Stretches, cotangent: np.ndarray) -> Collected:
        numbers, block = self.numbers, kept.block
        real, n, width = numbers.twin.dtype, numbers.n, numbers.width
        size, n_steps = len(block.memory), block.events.n_steps
        given = aligned((n_steps, len(self.recorded), width), real)
        given[...] = 0.0
        given[..., : block.events.n_lanes] = cotangent[1:]
        adjoint = aligned((size, width), real)
        adjoint[...] = 0.0
        passes = {"up": "states_adjoint", "down": "currents_adjoint"}
        sums = {}
        for name in passes.values():
            sums[name] = (
                aligned((max(numbers.streams[name].sums.size, 1), width), real)
                if name in numbers.streams
                else np.zeros(1)
            )
            sums[name][...] = 0.0
        jump = aligned((max(numbers.states.size, 1), width), real)
        jump[...] = 0.0
        weight = np.zeros(len(block.events.weight))
        tape = aligned((self.stretch, size + n, width), real)
        for i in reversed(range(len(kept.checkpoints))):
            start, stop = i * self.stretch, min((i + 1) * self.stretch, n_steps)
            block.memory[...] = kept.checkpoints[i]
            self._advance(block, start, stop, tape=tape)
            task = block.task(start, stop, recorded=self.recorded, stride=0, tape=tape)
            back = Reverse(
                forward=task,
                cotangent=given[start:].ctypes.data,
                adjoint=adjoint.ctypes.data,
                event_weight=weight.ctypes.data,
                jump=jump.ctypes.data,
                **{
                    way: block.stream(name, sums[name])
                    for way, name in passes.items()
                    if name in numbers.streams
                },
            )
            numbers.library.reverse(ctypes.byref(back))
        lanes = slice(block.events.n_lanes)
        in_order = np.empty_like(weight)
        in_order[block.event_order] = weight
        return {
            "weight": in_order,
            "initial": adjoint[n:, lanes].astype(float),
            "jump": jump[:, lanes].astype(float),
            **{name: x[:, lanes].astype(float) for name, x in sums.items() if name in numbers.streams},
        }

    def _parameters(self, parts: list[Collected]) -> dict[Key, np.ndarray]:
        """From what the blocks collected to the parameters asked for."""
        if not self.at:
            return {}
        numbers, twin = self.numbers, self.numbers.twin
        labels = sorted({label for label, _ in self.at})
        # through ions the initial states of one mechanism depend on the parameters of another
        started = [p.label for p in numbers.source.placements] if twin.ions.varying else labels
        wide = any(np.ndim(x) == 2 and np.shape(x)[1] > 1 for x in [*self.at.values(), *self.fixed.values()])
        lanes = self.events.n_lanes if wide else 1
        total: Collected = {}
        for name in parts[0]:
            if name != "weight":
                each = [p[name] for p in parts]
                total[name] = (
                    np.concatenate(each, axis=1) if wide else sum(x.sum(axis=1, keepdims=True) for x in each)
                )

        def outputs(at: dict[Key, Any]) -> tuple[Any, Any]:
            parameters = twin.parameters({**self.fixed, **at})
            _, initial = twin.initial(parameters, lanes)
            found = {k: parameters[k] for k in labels}, {k: initial[k] for k in started}
            return jax.tree.map(jnp.asarray, found)

        values, pull = jax.vjp(outputs, {k: jnp.asarray(x, jnp.float64) for k, x in self.at.items()})
        of_parameters = {k: {name: jnp.zeros_like(x) for name, x in p.items()} for k, p in values[0].items()}
        of_initial = {k: {name: jnp.zeros_like(x) for name, x in s.items()} for k, s in values[1].items()}
        for label in labels:
            k, own = numbers.source.number(label), twin.own_rows(label)
            data = numbers.source.placements[k]
            found = [
                numbers.streams[name].sums.taken(total[name], k)
                if name in data.functions
                else np.zeros((1, 0, lanes))
                for name in ("currents_adjoint", "states_adjoint")
            ]
            found.append(numbers.states.taken(total["jump"], k))
            for name, slope in numbers.source.sums[label].to_parameters(found).items():
                of_parameters[label][name] = _summed_to(slope, own, values[0][label][name])
        for label in started:
            k = numbers.source.number(label)
            data = numbers.source.placements[k]
            state = numbers.states.taken(total["initial"], k)
            if label == IONS:
                own = data.compartments
            else:
                own, at = twin.own_rows(label), twin.cell.placement(label).compartments
                state = state[np.argsort(np.argsort(numbers.order.position[at], kind="stable"))]
            for name, like in values[1][label].items():
                slope = state[:, data.state_names.index(name)]
                of_initial[label][name] = _summed_to(slope, own, like)
        (result,) = pull((of_parameters, of_initial))
        return {key: np.asarray(x) for key, x in result.items()}


def _summed_to(slope: np.ndarray, own: np.ndarray | None, like: Any) -> Any:
    """Derivatives on a placement's compartments as those of a value of the twin's rows, or of one for all."""
    shape = np.shape(like)
    if len(shape) < 2:
        return jnp.asarray(slope.sum(), like.dtype)
    if own is not None and shape[0] > 1:
        full = np.zeros((shape[0], slope.shape[1]))
        full[own] = slope
        slope = full
    if shape[0] == 1:
        slope = slope.sum(axis=0, keepdims=True)
    if shape[1] == 1:
        slope = slope.sum(axis=1, keepdims=True)
    return jnp.asarray(np.broadcast_to(slope, shape), like.dtype)
