"""Events: order, choice of lanes, stacking."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ketune.events import Events


@st.composite
def event_sets(draw, n_lanes=None, n_steps=20):
    lanes = n_lanes or draw(st.integers(1, 5))
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(0, n_steps - 1),
                st.integers(0, lanes - 1),
                st.integers(0, 9),
                st.integers(0, 1),
                st.floats(0, 2),
            ),
            max_size=40,
        )
    )
    step, lane, compartment, port, weight = np.array(rows, float).reshape(-1, 5).T
    return Events.from_arrays(
        n_lanes=lanes, n_steps=n_steps, dt_ms=0.1, port_names=("a", "b"),
        step=step, lane=lane, compartment=compartment, port=port, weight=weight,
    )  # fmt: skip


@st.composite
def named_event_sets(draw):
    """Events whose connections are named: each weight has its own name, so that they can be told apart again."""
    events = draw(event_sets())
    _, names = np.unique(events.weight, return_inverse=True)
    return replace(events, connection=names.astype(np.int32) + 10)


def rows_of(events, lane=None):
    """Events as a sorted list of tuples, of one lane (without its number) or of all."""
    columns = [events.step, events.compartment, events.port, events.weight]
    if events.connection is not None:
        columns.append(events.connection)
    keep = slice(None) if lane is None else events.lane == lane
    if lane is None:
        columns.append(events.lane)
    return sorted(zip(*(c[keep].tolist() for c in columns), strict=True))


@given(event_sets())
def test_events_are_ordered_by_step_then_lane(events):
    key = events.step.astype(int) * events.n_lanes + events.lane
    assert np.all(np.diff(key) >= 0)


@given(event_sets(n_lanes=4), st.permutations(range(4)), st.integers(1, 4))
def test_selected_lanes_carry_their_own_events_in_the_order_given(events, order, n):
    chosen = events.select(order[:n])
    assert chosen.n_lanes == n
    assert (chosen.n_steps, chosen.dt_ms, chosen.port_names) == (
        events.n_steps,
        events.dt_ms,
        events.port_names,
    )
    for new, old in enumerate(order[:n]):
        assert rows_of(chosen, new) == rows_of(events, old)
    assert len(chosen.step) == sum(np.sum(events.lane == lane) for lane in order[:n])


@given(event_sets(), st.integers(1, 6))
def test_split_lanes_are_those_selected(events, lanes):
    parts = events.split(lanes)
    first = range(0, events.n_lanes, lanes)
    assert [p.n_lanes for p in parts] == [min(lanes, events.n_lanes - i) for i in first]
    for i, part in zip(first, parts, strict=True):
        selected = events.select(range(i, i + part.n_lanes))
        for name in ("step", "lane", "compartment", "port", "weight"):
            np.testing.assert_array_equal(getattr(part, name), getattr(selected, name))
            assert getattr(part, name).dtype == getattr(selected, name).dtype


@settings(max_examples=50)
@given(event_sets(), event_sets())
def test_stacked_lanes_are_found_again(first, second):
    both = Events.stack([first, second])
    assert both.n_lanes == first.n_lanes + second.n_lanes
    assert rows_of(both.select(range(first.n_lanes))) == rows_of(first)
    assert rows_of(both.select(range(first.n_lanes, both.n_lanes))) == rows_of(second)


def test_only_events_on_the_same_steps_can_be_stacked():
    some = Events.none(n_lanes=1, n_steps=5, dt_ms=0.1)
    with pytest.raises(ValueError, match="differ in their steps"):
        Events.stack([some, Events.none(n_lanes=1, n_steps=6, dt_ms=0.1)])


def one(**changes):
    values = {"step": [3], "lane": [0], "compartment": [1], "port": [0]} | changes
    return Events.from_arrays(n_lanes=1, n_steps=5, dt_ms=0.1, port_names=("a",), **values)


def test_a_weight_left_out_is_one():
    assert one().weight.tolist() == [1.0]


@pytest.mark.parametrize("step", [-1, 5])
def test_an_event_outside_the_time_is_refused(step):
    with pytest.raises(ValueError, match="outside the simulated time"):
        one(step=[step])


def test_arrays_of_different_length_are_refused():
    with pytest.raises(ValueError, match="differ in shape"):
        Events(1, 5, 0.1, ("a",), *(np.zeros(2, int),) * 4, np.ones(3))


def test_no_events():
    none = Events.none(n_lanes=3, n_steps=7, dt_ms=0.1, port_names=("a",))
    assert none.step.size == 0
    assert none.select([2]).n_lanes == 1


class TestConnections:
    @given(named_event_sets(), st.integers(1, 6), st.randoms())
    def test_split_and_selected_events_keep_their_connections(self, events, lanes, random):
        for i, part in enumerate(events.split(lanes)):
            first = i * lanes
            for lane in range(part.n_lanes):
                assert rows_of(part, lane) == rows_of(events, first + lane)
            assert part.connection.dtype == np.int32
        order = list(range(events.n_lanes))
        random.shuffle(order)
        chosen = events.select(order)
        for new, old in enumerate(order):
            assert rows_of(chosen, new) == rows_of(events, old)

    @settings(max_examples=50)
    @given(named_event_sets(), named_event_sets())
    def test_stacked_events_keep_their_connections(self, first, second):
        both = Events.stack([first, second])
        assert rows_of(both.select(range(first.n_lanes))) == rows_of(first)
        assert rows_of(both.select(range(first.n_lanes, both.n_lanes))) == rows_of(second)

    def test_they_are_sorted_along(self):
        events = Events.from_arrays(
            n_lanes=1, n_steps=9, dt_ms=0.1, port_names=("a",), step=np.array([7, 2, 5]), lane=np.zeros(3),
            compartment=np.zeros(3), port=np.zeros(3), connection=np.array([70, 20, 50]),
        )  # fmt: skip
        assert events.connection.tolist() == [20, 50, 70]

    def test_without_names_there_are_none(self):
        unnamed = one()
        assert unnamed.connection is None
        assert Events.stack([unnamed, unnamed]).connection is None
        assert all(part.connection is None for part in unnamed.split(1))
        assert unnamed.select([0]).connection is None

    def test_only_some_named_cannot_be_stacked(self):
        with pytest.raises(ValueError, match="either all name their connections or none does"):
            Events.stack([one(), one(connection=[4])])

    def test_as_many_names_as_events(self):
        with pytest.raises(ValueError, match="differ in shape"):
            replace(one(), connection=np.zeros(2, np.int32))
