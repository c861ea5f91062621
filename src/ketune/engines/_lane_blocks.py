"""The numbers that a kernel reads, laid out in the order in which it reads them: of a whole cell, and of its lanes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ketune.engines._kernel_structures import Stream, Task, aligned, aligned_copy
from ketune.engines._native_data import CellSource, PlacementData
from ketune.engines.jax_engine import SPIKE_THRESHOLD_mV
from ketune.engines.twin import IONS, Twin
from ketune.events import Events


@dataclass(frozen=True, eq=False)
class NodeOrder:
    """Nodes in an order of elimination, each before its parent.

    Attributes
    ----------
    node
        Node at each place; the root comes last.
    position
        Place of each node.
    """

    node: np.ndarray
    position: np.ndarray

    @classmethod
    def of(cls, parent: np.ndarray) -> NodeOrder:
        depth = np.zeros(len(parent), int)
        for node in range(len(parent)):
            at = node
            while parent[at] >= 0:
                at, depth[node] = int(parent[at]), depth[node] + 1
        order = np.argsort(-depth, kind="stable")
        return cls(order, np.argsort(order))


@dataclass(frozen=True, eq=False)
class Layout:
    """Where each row of each placement has its numbers, if every node has ``sizes[k]`` of placement ``k``.

    Attributes
    ----------
    begin
        Of each row of each placement.
    size
        Altogether.
    """

    begin: tuple[np.ndarray, ...]
    sizes: tuple[int, ...]
    size: int

    @classmethod
    def of(
        cls,
        node_of_row: Sequence[np.ndarray],
        sizes: Sequence[int],
        n_nodes: int,
        *,
        downward: bool = False,
        last_first: bool = False,
    ) -> Layout:
        """Node after node, from the tips (or, ``downward``, from the root), and on a node placement after placement.

        With ``last_first`` these from the last to the first.
        """
        taken = np.zeros((n_nodes, len(sizes)), int)
        for k, (nodes, size) in enumerate(zip(node_of_row, sizes, strict=True)):
            taken[nodes, k] = size
        way = slice(None, None, -1 if downward else 1), slice(None, None, -1 if last_first else 1)
        in_order = taken[way]
        begin = (np.cumsum(in_order.ravel()) - in_order.ravel()).reshape(in_order.shape)[way]
        return cls(
            tuple(begin[nodes, k] for k, nodes in enumerate(node_of_row)), tuple(sizes), int(taken.sum())
        )

    def filled(self, arrays: Sequence[np.ndarray], dtype: Any) -> np.ndarray:
        """Arrays ``(rows, size, ...)`` of each placement as one."""
        result = aligned((max(self.size, 1), *arrays[0].shape[2:]), dtype)
        for begin, size, array in zip(self.begin, self.sizes, arrays, strict=True):
            result[begin[:, None] + np.arange(size)] = array
        return result

    def taken(self, filled: np.ndarray, k: int) -> np.ndarray:
        """The array ``(rows, size, ...)`` of a placement."""
        return filled[self.begin[k][:, None] + np.arange(self.sizes[k])]


_NOTHING = {"constants": 0, "by_lane": 0, "table_of": 0}


class StreamData:
    """What one pass over the tree reads.

    Parameters
    ----------
    name
        Of the printed function.
    """

    def __init__(
        self,
        name: str,
        placements: Sequence[PlacementData],
        nodes: Sequence[np.ndarray],
        n: int,
        *,
        downward: bool,
    ) -> None:
        functions = [p.functions.get(name) for p in placements]
        empty = [np.empty((len(p.compartments), 0)) for p in placements]
        constants = [e if f is None else f.constants for f, e in zip(functions, empty, strict=True)]
        tables = [e if f is None else f.table_of for f, e in zip(functions, empty, strict=True)]
        self._by_lane = [
            e[..., None] if f is None else f.by_lane for f, e in zip(functions, empty, strict=True)
        ]

        def layout(sizes: Sequence[int]) -> Layout:
            return Layout.of(nodes, sizes, n, downward=downward, last_first=name.endswith("adjoint"))

        self._constants = layout([c.shape[1] for c in constants]), constants
        self._tables = layout([t.shape[1] for t in tables]), tables
        self._lanes = layout([c.shape[1] for c in self._by_lane])
        self.sums = layout([0 if f is None else f.n_sums for f in functions])

    def shared(self, real: Any) -> tuple[np.ndarray, np.ndarray]:
        """Constants, and places of tables."""
        (where, constants), (where_tables, tables) = self._constants, self._tables
        return where.filled(constants, real), where_tables.filled(tables, np.int32)

    def by_lane(self, lanes: np.ndarray, real: Any) -> np.ndarray:
        """Constants of some lanes."""
        return self._lanes.filled([of_lanes(c, lanes) for c in self._by_lane], real)


class CellNumbers:
    """Everything of a cell that all blocks of lanes share.

    Parameters
    ----------
    library
        The compiled kernel.
    """

    def __init__(self, library: Any, source: CellSource, twin: Twin, order: NodeOrder) -> None:
        self.library, self.source, self.twin, self.order = library, source, twin, order
        self.width, self.n = int(library.lanes()), len(order.node)
        real, table, placements = twin.dtype, twin.cell.table, source.placements
        nodes = [order.position[p.compartments] for p in placements]
        above = np.asarray(table.node_parent)[order.node]
        self.states = Layout.of(nodes, [p.state.shape[1] for p in placements], self.n)
        present = np.zeros(self.n, np.uint64)
        state_of = np.full((len(placements), self.n), -1, np.int32)
        counts = np.zeros(self.n, int)
        for k, at in enumerate(nodes):
            present[at] |= np.uint64(1 << k)
            state_of[k, at] = self.states.begin[k]
            counts[at] += self.states.sizes[k]
        downward = {"currents": False, "states": True, "currents_adjoint": True, "states_adjoint": False}
        printed = {name for p in placements for name in p.functions} | {"currents", "states"}
        self.streams = {
            name: StreamData(name, placements, nodes, self.n, downward=down)
            for name, down in downward.items()
            if name in printed
        }
        self._shared = {name: s.shared(real) for name, s in self.streams.items()}
        self.arrays = {
            "parent": np.where(above >= 0, order.position[above], -1).astype(np.int32),
            "present": present,
            "first_state": np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
            "state_of": state_of,
            "coupling": np.asarray(table.node_g_uS)[order.node].astype(real),
            "fixed_diagonal": np.asarray(twin.fixed_diagonal)[order.node, 0].copy(),
            "tables": aligned_copy(source.tables, real),
        }
        self._jump_by_lane = any(p.jump.shape[2] > 1 for p in placements)

    def offsets(self, label: str, name: str) -> np.ndarray:
        """Where a state lies in a block's memory, compartment by compartment of the placement or the ion."""
        ions = label == IONS
        wanted = self.twin.ions.used_at(name) if ions else self.twin.cell.placement(label).compartments
        k = self.source.number(label)
        data = self.source.placements[k]
        row = np.argsort(data.compartments)[np.searchsorted(np.sort(data.compartments), wanted)]
        return self.n + self.states.begin[k][row] + data.state_names.index(name)

    def stream(self, name: str, by_lane: np.ndarray, sums: np.ndarray | None) -> Stream:
        """What a pass reads, and where it collects, as the kernel takes it."""
        constants, table_of = self._shared[name]
        return Stream(
            constants.ctypes.data,
            by_lane.ctypes.data,
            table_of.ctypes.data,
            None if sums is None else sums.ctypes.data,
        )

    def jump(self, lanes: np.ndarray) -> np.ndarray:
        """What an event of weight 1 adds to each state, for all lanes or each."""
        placements = self.source.placements
        if self._jump_by_lane:
            return self.states.filled([of_lanes(p.jump, lanes) for p in placements], self.twin.dtype)
        return self.states.filled([p.jump for p in placements], self.twin.dtype)


class LaneBlock:
    """A block of lanes: memory, events and own constants, as arrays that live as long as the block.

    Parameters
    ----------
    events
        Of these lanes only, numbered from 0.
    first_lane
        Number of the first lane in the whole run.
    """

    def __init__(
        self, numbers: CellNumbers, events: Events, first_lane: int, injected_nA: np.ndarray | None
    ) -> None:
        twin, width, n = numbers.twin, numbers.width, numbers.n
        real, placements = twin.dtype, numbers.source.placements
        self.numbers, self.events = numbers, events
        # A last block may be smaller than a vector: its last lane is then computed more than once.
        lanes = first_lane + np.minimum(np.arange(width), events.n_lanes - 1)
        self.memory = aligned((n + numbers.states.size, width), real)
        self.memory[:n] = twin.cell.v_init_mV
        if numbers.states.size:
            self.memory[n:] = numbers.states.filled([of_lanes(p.state, lanes) for p in placements], real)
        self.work = aligned((5, n, width), real)
        self.by_lane = {name: s.by_lane(lanes, real) for name, s in numbers.streams.items()}
        ports = list(twin.ports)
        port_of = np.array(
            [ports.index(x) if x in ports else -1 for x in events.port_names] or [-1], np.int32
        )
        node = numbers.order.position[events.compartment].astype(np.int32)
        self.event_order = np.lexsort((node, events.step))
        self.arrays = {
            "jump": numbers.jump(lanes),
            "event_first": np.searchsorted(events.step, np.arange(events.n_steps + 1)).astype(np.int64),
            "event_node": node[self.event_order],
            "event_lane": events.lane[self.event_order].astype(np.int32),
            "event_port": port_of[events.port][self.event_order],
            "event_weight": events.weight[self.event_order].astype(float),
        }
        self.injected = None
        if injected_nA is not None:
            current = np.asarray(injected_nA)
            current = current[:, None] if current.ndim == 1 else current[:, lanes]
            self.injected = aligned_copy(np.broadcast_to(current, (events.n_steps, width)), real)

    def stream(self, name: str, sums: np.ndarray | None = None) -> Stream:
        """What a pass over these lanes reads, and where it collects."""
        return self.numbers.stream(name, self.by_lane[name], sums)

    def task(self, start: int, stop: int, *, recorded: np.ndarray, stride: int, **arrays: np.ndarray) -> Task:
        """The steps from ``start`` to ``stop``; the caller keeps the ``arrays``, which are members of `Task`."""
        numbers = self.numbers
        own = {"memory": self.memory, "work": self.work, "recorded": recorded}
        pointers = {
            name: a.ctypes.data for name, a in {**numbers.arrays, **self.arrays, **own, **arrays}.items()
        }
        pointers["event_first"] += self.arrays["event_first"].itemsize * start
        if self.injected is not None:
            pointers["injected"] = self.injected[start:].ctypes.data
        return Task(
            n_nodes=numbers.n,
            n_steps=stop - start,
            n_states=numbers.states.size,
            up=self.stream("currents"),
            down=self.stream("states"),
            updates=numbers.twin.updates,
            n_recorded=len(recorded),
            first_step=start,
            stride=stride,
            threshold=SPIKE_THRESHOLD_mV,
            **pointers,
        )


def of_lanes(x: np.ndarray, lanes: np.ndarray) -> np.ndarray:
    """The values of some lanes, where the last axis has one for each or one for all."""
    return x[..., lanes] if x.shape[-1] > 1 else np.repeat(x, len(lanes), axis=-1)
