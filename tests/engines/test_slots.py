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
        compartment=rng.integers(300, size=n), port=rng.integers(2, size=n), weight=rng.uniform(0.1, 2, n),
    )  # fmt: skip


def events_of(events):
    return Counter(
        zip(
            (PORTS[p] for p in events.port),
            events.step.tolist(),
            events.lane.tolist(),
            events.compartment.tolist(),
            events.weight.tolist(),
            strict=True,
        )
    )


def events_in(slots):
    found = Counter()
    for port, compartment in slots.compartment.items():
        for step, slot, lane in np.argwhere(compartment != NO_EVENT).tolist():
            weight = slots.weight[port][step, slot, lane].item()
            found[port, step, lane, compartment[step, slot, lane].item(), weight] += 1
    return found


@settings(max_examples=100)
@given(event_sets())
def test_slots_hold_exactly_the_events(events):
    slots = lay_out(events, dtype=np.float64)
    assert events_in(slots) == events_of(events)
    for port in PORTS:
        empty = slots.compartment[port] == NO_EVENT
        assert np.all(slots.weight[port][empty] == 0)


@settings(max_examples=50)
@given(event_sets())
def test_slots_are_the_power_of_two_that_the_busiest_step_needs(events):
    slots = lay_out(events)
    for index, port in enumerate(PORTS):
        at = Counter(
            (s, la) for s, la, p in zip(events.step, events.lane, events.port, strict=True) if p == index
        )
        n_steps, width, n_lanes = slots.compartment[port].shape
        assert (n_steps, n_lanes) == (events.n_steps, events.n_lanes)
        assert width in (2, 4, 8, 16, 32, 64)
        assert width // 2 < max(*at.values(), 2, 2) <= width


@settings(max_examples=50)
@given(event_sets())
def test_event_at_writes_other_weights_into_the_same_places(events):
    slots = lay_out(events, dtype=np.float64)
    other = np.arange(len(events.step)) + 1.0
    for index, port in enumerate(PORTS):
        here = events.port == index
        weight = np.zeros_like(slots.weight[port])
        weight.reshape(-1)[slots.event_at[port]] = other[here]
        compartment = slots.compartment[port].reshape(-1)[slots.event_at[port]]
        assert compartment.tolist() == events.compartment[here].tolist()
        assert np.count_nonzero(weight) == here.sum()


def crowd(n):
    return Events.from_arrays(
        n_lanes=1, n_steps=2, dt_ms=0.1, port_names=("exc",),
        step=np.ones(n), lane=np.zeros(n), compartment=np.arange(n), port=np.zeros(n),
    )  # fmt: skip


def test_a_fixed_number_of_slots_keeps_the_shape():
    slots = lay_out(crowd(2), n_slots={"exc": 5})
    assert slots.compartment["exc"].shape == (2, 5, 1)
    assert slots.compartment["exc"][1, :, 0].tolist() == [0, 1, -1, -1, -1]
    assert slots.weight["exc"].dtype == np.float32


def test_too_few_slots_are_an_error_and_not_a_lost_event():
    with pytest.raises(ValueError, match="'exc' needs 3 slots in a step, 2 were given"):
        lay_out(crowd(3), n_slots={"exc": 2})
