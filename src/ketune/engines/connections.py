"""Connections of synapses whose events cannot simply be summed: their own variables, self-events, effective weights.

Both engines number them alike: the connections on one compartment are dealt out in turn to the synapses there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ketune._jax import jnp
from ketune.cell import Cell, Placement
from ketune.events import Events

QUEUE = 8
"""Self-events that one synapse may have under way; beyond it its states become NaN rather than wrong."""


@dataclass(frozen=True, eq=False)
class Connections:
    """The connections on one placement.

    Attributes
    ----------
    event
        ``int (e,)``: the events that reach the placement, as indices into the cell's events.
    row, slot
        ``int (e,)``: the synapse (row of the placement) and which of its connections each of these events uses.
    n_slots
        The most connections that a synapse has.
    most_at_once
        The most events that one connection has in one step.
    weight
        ``float (rows, n_slots, lanes)``: the weight of each connection; NaN where there is none.
    """

    event: np.ndarray
    row: np.ndarray
    slot: np.ndarray
    n_slots: int
    most_at_once: int
    weight: np.ndarray


def connections(cell: Cell, placement: Placement, events: Events) -> Connections:
    """Who connects to a placement.

    Raises
    ------
    ValueError
        The events of one connection differ in weight.
    """
    ports = [name for name, labels in cell.ports.items() if placement.label in labels]
    numbers = [k for k, name in enumerate(events.port_names) if name in ports]
    here = np.isin(events.port, numbers) & np.isin(events.compartment, placement.compartments)
    event = np.flatnonzero(here)
    compartment, weight = events.compartment[event].astype(np.int64), events.weight[event]
    if events.connection is None:
        _, name = np.unique(weight, return_inverse=True)
    else:
        name = events.connection[event].astype(np.int64)
    keys, member = np.unique(np.stack([compartment, name]), axis=1, return_inverse=True)
    member = member.reshape(-1)
    first = np.searchsorted(keys[0], np.unique(keys[0]))
    rank = np.arange(keys.shape[1]) - np.repeat(first, np.diff(np.append(first, keys.shape[1])))
    order = np.argsort(placement.compartments, kind="stable")
    begin = np.searchsorted(placement.compartments[order], keys[0], side="left")
    count = np.searchsorted(placement.compartments[order], keys[0], side="right") - begin
    row = order[begin + rank % count][member] if len(rank) else np.empty(0, np.int64)
    if _without_history(placement):  # then connections of one weight are as one
        _, slot = np.unique(weight, return_inverse=True)
    else:
        slot = (rank // count)[member] if len(rank) else np.empty(0, np.int64)
    n_slots = int(slot.max()) + 1 if len(slot) else 1
    weights = np.full((len(placement.compartments), n_slots, events.n_lanes), np.nan)
    place = (row, slot, events.lane[event])
    weights[place] = weight
    if not np.array_equal(weights[place], weight):
        raise ValueError(
            f"'{placement.label}': events of one connection differ in weight; give each weight its own connection"
        )
    at = np.stack([row, slot, events.lane[event], events.step[event]])
    _, multiplicity = np.unique(at, axis=1, return_counts=True)
    return Connections(event, row, slot, n_slots, int(multiplicity.max(initial=1)), weights)


def _without_history(placement: Placement) -> bool:
    mechanism = placement.mechanism
    return len(mechanism.arguments) == 1 and not mechanism.moves


def arrival_counts(found: Connections, events: Events, start: int, stop: int) -> np.ndarray:
    """Whether each connection has a first, second, ... event at each step: ``(steps, repeats, rows, slots, lanes)``."""
    rows, slots, lanes = found.weight.shape
    counts = np.zeros((stop - start, rows, slots, lanes), np.uint8)
    step = events.step[found.event]
    inside = (step >= start) & (step < stop)
    at = (step[inside] - start, found.row[inside], found.slot[inside], events.lane[found.event[inside]])
    np.add.at(counts, at, 1)
    return counts[:, None] > np.arange(found.most_at_once, dtype=np.uint8)[:, None, None, None]


def plastic_labels(cell: Cell) -> tuple[str, ...]:
    """Synapses whose events get their weight from the connection's history."""
    return tuple(
        p.label
        for labels in cell.ports.values()
        for p in (cell.placement(x) for x in labels)
        if p.mechanism.merging == "plastic"
    )


def with_effective_weights(cell: Cell, events: Events, parameters: dict[str, dict[str, Any]]) -> Events:
    """Events in which each plastic synapse has a port of its own (named by its label) and its events their own weights.

    Exact: an event's weight depends only on its connection's earlier events and on parameters, and the states that it
    adds to are linear, so delivering the sum to one set of states per compartment equals a synapse per connection.
    """
    plastic = plastic_labels(cell)
    if not plastic:
        return events
    parts = []
    names = list(events.port_names)
    for label in plastic:
        placement = cell.placement(label)
        found = connections(cell, placement, events)
        weight = _effective(placement, found, events, parameters[label])
        names.append(label)
        parts.append(
            replace(
                events.take(found.event),
                port=np.full(len(found.event), len(names) - 1, np.int8),
                weight=weight,
                connection=None,
            )
        )
    columns = [replace(events, connection=None), *parts]
    return Events.from_arrays(
        n_lanes=events.n_lanes,
        n_steps=events.n_steps,
        dt_ms=events.dt_ms,
        port_names=tuple(names),
        **{
            name: np.concatenate([getattr(c, name) for c in columns])
            for name in ("step", "lane", "compartment", "port", "weight")
        },
    )


def _effective(
    placement: Placement, found: Connections, events: Events, parameters: dict[str, Any]
) -> np.ndarray:
    """The effective weight of every event of ``found``."""
    mechanism = placement.mechanism
    assert mechanism.event_weight is not None
    lane, step = events.lane[found.event], events.step[found.event]
    shape = found.weight.shape
    of = np.ravel_multi_index((found.row, found.slot, lane), shape)
    own, member = np.unique(of, return_inverse=True)
    row, slot, lane_of = np.unravel_index(own, shape)

    def at_connections(x: Any) -> np.ndarray:
        x = np.asarray(x, np.float64)
        if x.ndim < 2:
            return np.broadcast_to(x, (len(own),))
        # a placement that is computed everywhere has a row for each compartment
        rows = row if x.shape[0] in (1, len(placement.compartments)) else placement.compartments[row]
        return x[rows if x.shape[0] > 1 else 0, lane_of if x.shape[1] > 1 else 0]

    p: dict[str, Any] = {name: jnp.asarray(at_connections(x)) for name, x in parameters.items()}
    c: dict[str, Any] = {name: jnp.zeros(len(own)) for name in mechanism.arguments}
    c[mechanism.arguments[0]] = jnp.asarray(found.weight[row, slot, lane_of])
    p |= {"t": jnp.asarray(0.0), "flag": jnp.asarray(0.0)}
    if mechanism.init_connection is not None:
        c = _spread(mechanism.init_connection(jnp.zeros(len(own)), {}, c, p), len(own))
    order = np.lexsort((step, member))
    begin = np.searchsorted(member[order], np.arange(len(own)))
    number = np.arange(len(order)) - begin[member[order]]
    result = np.empty(len(order))
    for k in range(int(number.max()) + 1 if len(number) else 0):
        here = order[number == k]
        mine = member[here]
        now = np.zeros(len(own))
        now[mine] = step[here] * events.dt_ms
        weight, new = mechanism.event_weight(c, p | {"t": jnp.asarray(now)})
        active = np.zeros(len(own), bool)
        active[mine] = True
        c = {name: jnp.where(active, new[name], old) for name, old in c.items()}
        result[here] = np.broadcast_to(np.asarray(weight), (len(own),))[mine]
    return result


def _spread(values: dict[str, Any], n: int) -> dict[str, Any]:
    return {name: jnp.broadcast_to(jnp.asarray(x, jnp.float64), (n,)) for name, x in values.items()}
