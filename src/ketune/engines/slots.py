"""Events as dense slots: per step, port and lane a few places that each hold one event's compartment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ketune.events import Events

NO_EVENT = -1


@dataclass(frozen=True, eq=False)
class Slots:
    """Events laid out for an engine that treats all lanes alike.

    Attributes
    ----------
    compartment
        Port name to ``int16 (n_steps, slots, lanes)``; :data:`NO_EVENT` where a slot is empty.
    event_at
        Port name to the index of each event of that port in the flattened array, in the order of the events: what
        else is known of an event goes to the same place in an array of the same shape.
    """

    compartment: dict[str, np.ndarray]
    event_at: dict[str, np.ndarray]


def lay_out(events: Events, n_slots: Mapping[str, int]) -> Slots:
    """Events as slots, ``n_slots[port]`` of them: a compiled function is valid for one number of slots.

    Raises ValueError where a step and lane holds more events of a port than that.
    """
    compartment: dict[str, np.ndarray] = {}
    event_at: dict[str, np.ndarray] = {}
    for index, name in enumerate(events.port_names):
        of_port = np.flatnonzero(events.port == index)
        step = events.step[of_port].astype(np.int64)
        lane = events.lane[of_port].astype(np.int64)
        cell = step * events.n_lanes + lane
        order = np.argsort(cell, kind="stable")
        first_of_run = np.r_[True, np.diff(cell[order]) != 0] if len(order) else np.empty(0, bool)
        run_start = np.maximum.accumulate(np.where(first_of_run, np.arange(len(order)), 0))
        slot = np.empty(len(order), np.int64)
        slot[order] = np.arange(len(order)) - run_start
        needed = int(slot.max(initial=-1)) + 1
        width = n_slots[name]
        if needed > width:
            raise ValueError(f"port '{name}' needs {needed} slots in a step, {width} were given")
        shape = (events.n_steps, width, events.n_lanes)
        flat = (step * width + slot) * events.n_lanes + lane
        compartment[name] = np.full(shape, NO_EVENT, np.int16)
        compartment[name].reshape(-1)[flat] = events.compartment[of_port]
        event_at[name] = flat
    return Slots(compartment, event_at)
