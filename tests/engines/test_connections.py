"""Who connects to a synapse, what each of its events weighs, and that connections may share one set of states."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ketune import mechanisms
from ketune.cell import Cell, Placement
from ketune.engines.connections import arrival_counts, connections, with_effective_weights
from ketune.engines.jax_engine import JaxEngine
from ketune.engines.neuron_engine import run_neuron
from ketune.engines.twin import Twin
from ketune.errors import InputError
from ketune.events import Events
from ketune.verify_cases import bench_table

DT = 0.025
SATURATING = Path(__file__).parents[1] / "mechanisms" / "mods" / "lab" / "SatSyn.mod"
TABLE = bench_table()


def place(label: str, name: str | Path, at: list[int], **values: float) -> Placement:
    mechanism = mechanisms.load(name)
    known = {key: p.value for key, p in mechanism.parameters.items()} | values
    return Placement(
        label, mechanism, np.array(at), {key: np.full(len(at), float(x)) for key, x in known.items()}
    )


def cell_with(*synapses: Placement, ports: dict[str, tuple[str, ...]] | None = None) -> Cell:
    leak = place("leak", "leak", list(range(TABLE.n)), g=1e-4, e=-70.0)
    ports = ports or {"exc": tuple(s.label for s in synapses)}
    return Cell("connected", TABLE, (leak, *synapses), ports, {}, 37.0, -70.0)


def make_events(
    step, compartment, *, connection=None, weight=None, lane=None, port=None, n_lanes=1, n_steps=4000, ports=("exc",)
) -> Events:  # fmt: skip
    n = len(step)
    return Events.from_arrays(
        n_lanes=n_lanes,
        n_steps=n_steps,
        dt_ms=DT,
        port_names=ports,
        step=np.asarray(step),
        lane=np.zeros(n, int) if lane is None else np.asarray(lane),
        compartment=np.asarray(compartment),
        port=np.zeros(n, int) if port is None else np.asarray(port),
        weight=None if weight is None else np.asarray(weight, float),
        connection=None if connection is None else np.asarray(connection),
    )


@st.composite
def trains(draw):
    """Events of named connections on four compartments and two lanes, on two of which there is a synapse."""
    rows = draw(
        st.lists(
            st.tuples(st.integers(0, 30), st.integers(0, 3), st.integers(0, 5), st.integers(0, 1)),
            min_size=1,
            max_size=40,
        )
    )
    step, compartment, connection, lane = np.array(rows).T
    # names need not begin at 0, and another compartment may use them again
    return make_events(
        step, compartment, connection=7 * connection + 3, lane=lane, n_lanes=2, n_steps=31,
        weight=0.5 + connection,
    )  # fmt: skip


class TestDealing:
    AT = (0, 0, 0, 2)

    def synapse(self) -> Placement:
        return place("pulse", SATURATING.with_name("AmpaPulse.mod"), list(self.AT))

    @settings(max_examples=60)
    @given(trains())
    def test_each_connection_keeps_its_own_place(self, events: Events) -> None:
        synapse = self.synapse()
        found = connections(cell_with(synapse), synapse, events)
        here = np.flatnonzero(np.isin(events.compartment, self.AT))
        assert np.array_equal(found.event, here)
        assert np.array_equal(synapse.compartments[found.row], events.compartment[here])
        names = list(zip(events.compartment[here], events.connection[here], strict=True))
        places = list(zip(found.row.tolist(), found.slot.tolist(), strict=True))
        assert len(set(names)) == len(set(places)) == len(set(zip(names, places, strict=True)))
        lanes = events.lane[here]
        assert np.array_equal(found.weight[found.row, found.slot, lanes], events.weight[here])
        assert np.isfinite(found.weight).sum() == len(set(zip(places, lanes.tolist(), strict=True)))
        times = Counter(zip(places, lanes.tolist(), events.step[here].tolist(), strict=True))
        assert found.most_at_once == max(times.values(), default=1)

    @settings(max_examples=60)
    @given(trains())
    def test_the_synapses_of_a_compartment_share_its_connections_evenly(self, events: Events) -> None:
        synapse = self.synapse()
        found = connections(cell_with(synapse), synapse, events)
        used = {(row, slot) for row, slot in zip(found.row.tolist(), found.slot.tolist(), strict=True)}
        n = Counter(row for row, _ in used)
        on_first = [n[row] for row in (0, 1, 2)]
        assert max(on_first) - min(on_first) <= 1
        assert found.n_slots == max(n.values(), default=1)

    @given(trains())
    def test_arrivals_count_every_event_once(self, events: Events) -> None:
        synapse = self.synapse()
        found = connections(cell_with(synapse), synapse, events)
        arrived = arrival_counts(found, events, 0, 31)
        assert arrived.shape == (31, found.most_at_once, 4, found.n_slots, 2)
        assert arrived.sum() == len(found.event)
        total = arrived.sum(1)
        for event, row, slot in zip(found.event, found.row, found.slot, strict=True):
            assert total[events.step[event], row, slot, events.lane[event]] >= 1
        parts = [arrival_counts(found, events, a, b) for a, b in ((0, 10), (10, 31))]
        assert np.array_equal(np.concatenate(parts), arrived)

    def test_unnamed_events_of_one_weight_are_one_connection(self) -> None:
        synapse = self.synapse()
        events = make_events([1, 2, 3, 4], [0, 0, 0, 0], weight=[0.1, 0.2, 0.1, 0.3])
        found = connections(cell_with(synapse), synapse, events)
        assert found.row.tolist() == [0, 1, 0, 2]
        assert found.slot.tolist() == [0, 0, 0, 0]

    def test_the_events_of_a_connection_have_one_weight(self) -> None:
        synapse = self.synapse()
        events = make_events([1, 2], [0, 0], connection=[4, 4], weight=[0.1, 0.2])
        with pytest.raises(ValueError, match="'pulse': events of one connection differ in weight"):
            connections(cell_with(synapse), synapse, events)

    def test_another_port_is_not_heard(self) -> None:
        synapse = self.synapse()
        cell = cell_with(synapse, ports={"exc": ("pulse",), "inh": ()})
        events = make_events([1, 2], [0, 0], port=[1, 0], ports=("exc", "inh"), connection=[0, 0])
        assert connections(cell, synapse, events).event.tolist() == [1]

    def test_nobody_connects(self) -> None:
        synapse = self.synapse()
        found = connections(cell_with(synapse), synapse, make_events([], [], connection=[]))
        assert (found.n_slots, found.most_at_once, len(found.event)) == (1, 1, 0)
        assert np.isnan(found.weight).all()


def released(times: list[float], use0: float, tau_rec: float, tau_facil: float) -> list[float]:
    """What each spike releases: Tsodyks, Pawelzik and Markram 1998, as in the head of AMPA_STP.mod."""
    available, use, sizes = 1.0, 0.0, []
    for before, now in pairwise([times[0], *times]):
        available = 1.0 - (1.0 - available) * math.exp(-(now - before) / tau_rec)
        use = use * math.exp(-(now - before) / tau_facil)
        use += use0 * (1.0 - use)
        sizes.append(use * available)
        available -= use * available
    return sizes


class TestEffectiveWeights:
    @pytest.mark.parametrize("values", [(0.5, 800.0, 0.01), (0.05, 130.0, 530.0), (1.0, 20.0, 5.0)])
    def test_are_those_of_the_recursion(self, values: tuple[float, float, float]) -> None:
        use, tau_rec, tau_facil = values
        synapse = place("stp", "AMPA_STP", [0, 3], U=use, tau_rec=tau_rec, tau_facil=tau_facil)
        cell = cell_with(synapse)
        rng = np.random.default_rng(5)
        n = 200
        step, at = rng.integers(0, 4000, n), rng.choice([0, 3], n)
        connection, lane = rng.integers(0, 4, n), rng.integers(0, 2, n)
        events = make_events(
            step, at, connection=connection, lane=lane, n_lanes=2, weight=1.0 + connection / 4.0
        )
        twin = Twin(cell, dt_ms=DT)
        found = with_effective_weights(cell, events, twin.parameters())
        assert found.port_names == ("exc", "stp")
        mine = found.port == 1
        assert mine.sum() == n
        expected = []
        for key in {*zip(at.tolist(), connection.tolist(), lane.tolist(), strict=True)}:
            own = sorted(step[(at == key[0]) & (connection == key[1]) & (lane == key[2])].tolist())
            sizes = released([k * DT for k in own], use, tau_rec, tau_facil)
            expected += [
                (k, key[2], key[0], (1.0 + key[1] / 4.0) * x) for k, x in zip(own, sizes, strict=True)
            ]
        columns = (found.step[mine], found.lane[mine], found.compartment[mine], found.weight[mine])
        given_ = sorted(zip(*(c.tolist() for c in columns), strict=True))
        np.testing.assert_allclose(given_, sorted(expected), rtol=1e-12)

    def test_parameters_may_differ_between_compartments_and_lanes(self) -> None:
        cell = cell_with(place("stp", "AMPA_STP", [0, 3]))
        events = make_events([0, 400] * 4, [0, 0, 3, 3] * 2, lane=[0] * 4 + [1] * 4, n_lanes=2)
        use = np.array([[0.1, 0.2], [0.3, 0.4]])
        parameters = Twin(cell, dt_ms=DT).parameters({("stp", "U"): use})
        found = with_effective_weights(cell, events, parameters)
        first = (found.port == 1) & (found.step == 0)
        rows = np.searchsorted([0, 3], found.compartment[first])
        assert found.weight[first] == pytest.approx(use[rows, found.lane[first]])

    def test_a_cell_without_plasticity_keeps_its_events(self) -> None:
        cell = cell_with(place("ampa", "AMPA", [0]))
        events = make_events([1], [0])
        assert with_effective_weights(cell, events, {}) is events


def train_of_each(n_connections: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Steps and connections of irregular trains, some of them in the same step."""
    rng = np.random.default_rng(seed)
    step = rng.integers(200, 3800, 12 * n_connections)
    step[:n_connections] = 1000
    return step, np.arange(12 * n_connections) % n_connections


def one_synapse_each(name: str | Path, n: int, at: int, **values: float) -> Cell:
    synapses = [place(f"s{k}", name, [at], **values) for k in range(n)]
    return cell_with(*synapses, ports={f"p{k}": (f"s{k}",) for k in range(n)})


def somatic(cell: Cell, events: Events) -> np.ndarray:
    engine = JaxEngine(cell, dt_ms=DT, dtype=np.float64, derivative="forward_difference")
    return engine.run(events, record=range(TABLE.n)).v_mV[:, :, 0]


@pytest.mark.neuron
@pytest.mark.parametrize("name", ["AMPA", "NMDA", "AMPA_STP", "NMDA_STP", "GABAA_STP"])
def test_many_connections_on_one_set_of_states_are_a_synapse_each(name: str) -> None:
    """NEURON with a point process for every connection, against what fits and statistics run."""
    n, at = 8, TABLE.n - 1
    values = {"gmax": 4e-4} | ({"U": 0.3, "tau_rec": 60.0, "tau_facil": 40.0} if "STP" in name else {})
    step, connection = train_of_each(n, seed=3)
    weight = (0.3 + 0.2 * np.arange(n))[connection]
    apart = one_synapse_each(name, n, at, **values)
    where = np.full(len(step), at)
    own = make_events(
        step, where, weight=weight, port=connection, ports=tuple(f"p{k}" for k in range(n)), connection=connection
    )  # fmt: skip
    reference = run_neuron(apart, own).v_mV
    merged = cell_with(place("s", name, [at], **values))
    shared = make_events(step, where, weight=weight, connection=connection)
    assert mechanisms.load(name).merging == ("plastic" if "STP" in name else "linear")
    assert np.ptp(reference[:, at]) > 0.5
    assert np.max(np.abs(somatic(merged, shared) - reference)) < 1e-9
    assert np.max(np.abs(run_neuron(merged, shared).v_mV - reference)) < 1e-9


@pytest.mark.neuron
def test_plasticity_is_the_connections_own() -> None:
    """Were all events of a compartment one connection's, the voltage would be another."""
    step, connection = train_of_each(6, seed=4)
    where = np.zeros(len(step), int)
    cell = cell_with(place("s", "AMPA_STP", [0], gmax=2e-3))
    apart = somatic(cell, make_events(step, where, connection=connection))
    as_one = somatic(cell, make_events(step, where))
    assert np.max(np.abs(apart - as_one)) > 0.5


@pytest.mark.neuron
def test_a_saturating_synapse_is_not_merged_and_would_be_wrong() -> None:
    n, at = 4, 0
    step, connection = train_of_each(n, seed=6)
    weight, where = np.full(len(step), 0.6), np.full(len(step), at)
    assert mechanisms.load(SATURATING).merging == "separate"
    # events of one step at one synapse: NEURON does not promise their order, so every connection has its own synapse
    apart = one_synapse_each(SATURATING, n, at)
    own = make_events(
        step, where, weight=weight, port=connection, ports=tuple(f"p{k}" for k in range(n)), connection=connection
    )  # fmt: skip
    reference = run_neuron(apart, own).v_mV
    assert np.ptp(reference[:, at]) > 1.0
    events = make_events(step, where, weight=weight, connection=connection)
    several = cell_with(place("s", SATURATING, [at] * n))
    single = cell_with(place("s", SATURATING, [at]))
    assert np.max(np.abs(somatic(apart, own) - reference)) < 1e-9
    # of connections without a history those of one weight are one: give each its own weight to tell them apart
    distinct = weight + 1e-3 * connection
    named = make_events(step, where, weight=distinct, connection=connection)
    own_weights = make_events(
        step, where, weight=distinct, port=connection, ports=tuple(f"p{k}" for k in range(n)),
        connection=connection,
    )  # fmt: skip
    expected = run_neuron(apart, own_weights).v_mV
    assert np.max(np.abs(somatic(several, named) - expected)) < 1e-9
    assert np.max(np.abs(somatic(single, named) - expected)) > 0.1
    assert np.max(np.abs(somatic(several, events) - reference)) < 1e-9


def test_synapses_that_share_states_are_on_a_compartment_once() -> None:
    with pytest.raises(InputError, match="'s' is on a compartment twice; its synapses share their states"):
        cell_with(place("s", "AMPA", [2, 2]))
    with pytest.raises(InputError, match="'s' is on a compartment twice"):
        cell_with(place("s", "AMPA_STP", [0, 2, 2]))
    assert len(cell_with(place("s", SATURATING, [2, 2])).placement("s").compartments) == 2
