"""Events in dense slots: nothing is lost, nothing is added."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ketune.engines.slots import NO_EVENT, lay_out
from ketune.events import Events

PORTS = ("exc", "inh")


@st.composite
def event_sets(draw):
    n_lanes, n_steps = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    n = draw(st.integers(0, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return Events.from_arrays(
        n_lanes=n_lanes, n_steps=n_steps, dt_ms=0.1, port_names=PORTS,
        step=rng.integers(n_steps, size=n), lane=rng.integers(n_lanes, size=n),
        compartment=rng.integers(300, size=n), port=rng.integers(2, size=n),
    )  # fmt: skip


def enough(events):
    """As many slots as the busiest step and lane of any port needs."""
    at = Counter(zip(events.port.tolist(), events.step.tolist(), events.lane.tolist(), strict=True))
    return dict.fromkeys(PORTS, max(at.values(), default=1))


@settings(max_examples=100)
@given(event_sets())
def test_slots_hold_exactly_the_events(events):
    n_slots = enough(events)
    slots = lay_out(events, n_slots)
    found = Counter()
    for port, compartment in slots.compartment.items():
        assert compartment.shape == (events.n_steps, n_slots[port], events.n_lanes)
        for step, slot, lane in np.argwhere(compartment != NO_EVENT).tolist():
            found[port, step, lane, compartment[step, slot, lane].item()] += 1
    assert found == Counter(
        zip(
            (PORTS[p] for p in events.port),
            events.step.tolist(),
            events.lane.tolist(),
            events.compartment.tolist(),
            strict=True,
        )
    )


@settings(max_examples=50)
@given(event_sets())
def test_event_at_tells_the_place_of_each_event(events):
    slots = lay_out(events, enough(events))
    for index, port in enumerate(PORTS):
        here = events.port == index
        compartment, at = slots.compartment[port], slots.event_at[port]
        assert len(set(at.tolist())) == here.sum() == np.count_nonzero(compartment != NO_EVENT)
        step, _, lane = np.unravel_index(at, compartment.shape)
        assert step.tolist() == events.step[here].tolist()
        assert lane.tolist() == events.lane[here].tolist()
        assert compartment.reshape(-1)[at].tolist() == events.compartment[here].tolist()


def crowd(n):
    return Events.from_arrays(
        n_lanes=1, n_steps=2, dt_ms=0.1, port_names=("exc",),
        step=np.ones(n), lane=np.zeros(n), compartment=np.arange(n), port=np.zeros(n),
    )  # fmt: skip


def test_slots_without_an_event_stay_empty():
    slots = lay_out(crowd(2), {"exc": 5})
    assert slots.compartment["exc"].shape == (2, 5, 1)
    assert slots.compartment["exc"][1, :, 0].tolist() == [0, 1, -1, -1, -1]


def test_too_few_slots_are_an_error_and_not_a_lost_event():
    with pytest.raises(ValueError, match="'exc' needs 3 slots in a step, 2 were given"):
        lay_out(crowd(3), {"exc": 2})
