"""Synaptic events on the step grid, the form that every engine takes them in."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class Events:
    """Synaptic events of many independent simulations ("lanes") of one cell.

    An event with step ``k`` is delivered at the start of the step from ``k * dt_ms`` to ``(k + 1) * dt_ms``: the
    order in which NEURON delivers an event that lies on its step grid.

    Attributes
    ----------
    n_lanes, n_steps, dt_ms
        Number of simulations, steps of each, and step length.
    step, lane, compartment
        ``int32 (n_events,)``, sorted by (step, lane). ``compartment`` indexes the cell's compartment table.
    port
        ``int8 (n_events,)``: index into ``port_names``. A port is a group of synapses that one afferent drives (an
        excitatory afferent drives AMPA and NMDA receptors together).
    weight
        ``float (n_events,)``: 1 for a plain event; between 0 and 1 where a fit keeps an event softly.
    connection
        ``int32 (n_events,)``: which of the connections on the compartment brings the event, or None. It matters only
        to synapses whose connections have a history of their own (short-term plasticity) or do not share their states;
        without it the events of one weight on one compartment are one connection.
    """

    n_lanes: int
    n_steps: int
    dt_ms: float
    port_names: tuple[str, ...]
    step: np.ndarray
    lane: np.ndarray
    compartment: np.ndarray
    port: np.ndarray
    weight: np.ndarray
    connection: np.ndarray | None = None

    def __post_init__(self) -> None:
        columns = (self.step, self.lane, self.compartment, self.port, self.weight)
        sizes = {a.shape for a in columns}
        sizes |= set() if self.connection is None else {self.connection.shape}
        if len(sizes) != 1:
            raise ValueError(f"event arrays differ in shape: {sizes}")
        if self.step.size and not 0 <= self.step.min() <= self.step.max() < self.n_steps:
            raise ValueError("an event lies outside the simulated time")

    @classmethod
    def from_arrays(
        cls,
        *,
        n_lanes: int,
        n_steps: int,
        dt_ms: float,
        port_names: tuple[str, ...],
        step: np.ndarray,
        lane: np.ndarray,
        compartment: np.ndarray,
        port: np.ndarray,
        weight: np.ndarray | None = None,
        connection: np.ndarray | None = None,
    ) -> "Events":
        """Events from unsorted arrays; a missing ``weight`` means 1 for every event."""
        order = np.lexsort((port, lane, step))
        weights = np.ones(len(step)) if weight is None else np.asarray(weight, float)
        return cls(
            n_lanes=n_lanes,
            n_steps=n_steps,
            dt_ms=dt_ms,
            port_names=port_names,
            step=np.asarray(step, np.int32)[order],
            lane=np.asarray(lane, np.int32)[order],
            compartment=np.asarray(compartment, np.int32)[order],
            port=np.asarray(port, np.int8)[order],
            weight=weights[order],
            connection=None if connection is None else np.asarray(connection, np.int32)[order],
        )

    def split(self, lanes: int) -> "list[Events]":
        """The events of every ``lanes`` lanes in turn, each part renumbered from 0; the last may be smaller."""
        return [
            replace(
                self.take(own),
                n_lanes=min(lanes, self.n_lanes - i * lanes),
                lane=self.lane[own] - np.int32(i * lanes),
            )
            for i, own in enumerate(self.split_indices(lanes))
        ]

    def split_indices(self, lanes: int) -> "list[np.ndarray]":
        """Which of the events each part of :meth:`split` has."""
        n_parts = -(-self.n_lanes // lanes)
        # Few bytes, which are sorted by counting.
        part = (self.lane // lanes).astype(np.min_scalar_type(n_parts))
        order = np.argsort(part, kind="stable")
        bounds = np.searchsorted(part[order], np.arange(n_parts + 1))
        return [order[bounds[i] : bounds[i + 1]] for i in range(n_parts)]

    def take(self, events: np.ndarray) -> "Events":
        """Some of the events, by index, in lanes as they are."""
        return replace(
            self,
            step=self.step[events],
            lane=self.lane[events],
            compartment=self.compartment[events],
            port=self.port[events],
            weight=self.weight[events],
            connection=None if self.connection is None else self.connection[events],
        )

    @classmethod
    def none(cls, *, n_lanes: int, n_steps: int, dt_ms: float, port_names: tuple[str, ...] = ()) -> "Events":
        """No event at all, for runs without synaptic input."""
        empty = np.empty(0, np.int32)
        return cls(
            n_lanes, n_steps, dt_ms, port_names, empty, empty, empty, empty.astype(np.int8), np.empty(0)
        )

    @classmethod
    def stack(cls, parts: Sequence["Events"]) -> "Events":
        """The lanes of several objects side by side, in their order; steps and ports must be the same."""
        first = parts[0]
        if any(
            (p.n_steps, p.dt_ms, p.port_names) != (first.n_steps, first.dt_ms, first.port_names)
            for p in parts
        ):
            raise ValueError("events to be stacked differ in their steps or ports")
        offset = np.cumsum([0, *(p.n_lanes for p in parts)])
        return cls.from_arrays(
            n_lanes=int(offset[-1]),
            n_steps=first.n_steps,
            dt_ms=first.dt_ms,
            port_names=first.port_names,
            step=np.concatenate([p.step for p in parts]),
            lane=np.concatenate([p.lane + o for p, o in zip(parts, offset, strict=False)]),
            compartment=np.concatenate([p.compartment for p in parts]),
            port=np.concatenate([p.port for p in parts]),
            weight=np.concatenate([p.weight for p in parts]),
            connection=_stacked([p.connection for p in parts]),
        )

    def select(self, lanes: np.ndarray | list[int]) -> "Events":
        """The events of some lanes, renumbered ``0 .. len(lanes) - 1`` in the order given."""
        new_lane = np.full(self.n_lanes, -1, np.int32)
        new_lane[np.asarray(lanes)] = np.arange(len(lanes), dtype=np.int32)
        kept = new_lane[self.lane] >= 0
        return Events.from_arrays(
            n_lanes=len(lanes),
            n_steps=self.n_steps,
            dt_ms=self.dt_ms,
            port_names=self.port_names,
            step=self.step[kept],
            lane=new_lane[self.lane[kept]],
            compartment=self.compartment[kept],
            port=self.port[kept],
            weight=self.weight[kept],
            connection=None if self.connection is None else self.connection[kept],
        )


def _stacked(parts: "Sequence[np.ndarray | None]") -> np.ndarray | None:
    known = [part for part in parts if part is not None]
    if not known:
        return None
    if len(known) < len(parts):
        raise ValueError("events to be stacked either all name their connections or none does")
    return np.concatenate(known)
