"""Running the twin: blocks, chunks, recording, spikes; and a passive cell against plain linear algebra."""

from functools import cache

import numpy as np
import pytest

from ketune import mechanisms
from ketune.cell import Cell, Placement
from ketune.cell_model import CellModel, DensityModel, SynapseModel, build_cell
from ketune.compartments import build
from ketune.engines.jax_engine import (
    _CHUNK_STEPS,
    JaxEngine,
    SPIKE_THRESHOLD_mV,
    _arrivals,
    _even_block,
)
from ketune.engines.slots import lay_out
from ketune.events import Events
from ketune.morphology import SMALL_MORPHOLOGY, read_morphology

DT = 0.1
N_STEPS = _CHUNK_STEPS + 130  # more than one chunk, and a remainder


# A spiking cell with few mechanisms, which compiles quickly.
MODEL = CellModel(
    name="lean",
    celsius=37.0,
    v_init_mV=-75.0,
    ra_ohm_cm=100.0,
    d_lambda=1.0,
    cm_uF_cm2={},
    reversal_mV={"ena": 60.0, "ek": -85.0},
    density=(
        DensityModel(label="leak", mechanism="leak", parameters={"g": 1e-4}),
        DensityModel(label="nav", mechanism="nav", parameters={"gbar": {"soma": 0.2, "ais": 0.5}}),
        DensityModel(label="kv", mechanism="kv", parameters={"gbar": {"soma": 0.03, "ais": 0.03}}),
    ),
    synapse=tuple(
        SynapseModel(label=m, mechanism=m, port=port, regions=("basal", "apical"), parameters={"gmax": 3e-3})
        for m, port in (("AMPA", "exc"), ("GABAA", "inh"))
    ),
)


@cache
def engine():
    return JaxEngine(build_cell(MODEL, read_morphology(SMALL_MORPHOLOGY)), dt_ms=DT, dtype=np.float64)


def events(n_lanes, n_steps=N_STEPS, seed=0):
    cell = engine().twin.cell
    rng = np.random.default_rng(seed)
    n = 150 * n_lanes
    return Events.from_arrays(
        n_lanes=n_lanes, n_steps=n_steps, dt_ms=DT, port_names=tuple(cell.ports),
        step=rng.integers(n_steps, size=n), lane=rng.integers(n_lanes, size=n),
        compartment=rng.choice(cell.placement("AMPA").compartments, n), port=rng.integers(2, size=n),
        weight=rng.uniform(0, 4, n),
    )  # fmt: skip


def quiet(n_lanes=1, n_steps=N_STEPS):
    return Events.none(n_lanes=n_lanes, n_steps=n_steps, dt_ms=DT)


def test_a_passive_cell_obeys_its_linear_equations():
    """Backward Euler written with a dense matrix, with another leak in every compartment and current into the soma."""
    table = build(read_morphology(SMALL_MORPHOLOGY), cm_uF_cm2={"basal": 2.0})
    rng = np.random.default_rng(1)
    g, e = rng.uniform(5e-5, 3e-4, table.n), rng.uniform(-90, -50, table.n)
    leak = Placement("leak", mechanisms.load("leak"), np.arange(table.n), {"g": g, "e": e})
    cell = Cell("passive", table, (leak,), {}, {}, 37.0, -70.0)
    current = rng.normal(0.1, 0.1, 300)
    run = JaxEngine(cell, dt_ms=DT, dtype=np.float64).run(
        quiet(n_steps=300), injected_nA=current, record=range(table.n)
    )

    matrix = np.zeros((table.n_nodes, table.n_nodes))
    for child in range(1, table.n_nodes):
        parent, axial = table.node_parent[child], table.node_g_uS[child]
        matrix[child, child] += axial
        matrix[parent, parent] += axial
        matrix[child, parent] -= axial
        matrix[parent, child] -= axial
    pad = (0, table.n_nodes - table.n)
    capacitance = np.pad(1e-5 * table.cm_uF_cm2 * table.area_um2 / DT, pad)
    conductance = np.pad(1e-2 * g * table.area_um2, pad)
    v = np.full(table.n_nodes, -70.0)
    for k in range(300):
        right = capacitance * v + conductance * np.pad(e, pad)
        right[0] += current[k]
        v = np.linalg.solve(matrix + np.diag(capacitance + conductance), right)
        np.testing.assert_allclose(run.v_mV[k + 1, :, 0], v[: table.n], rtol=0, atol=1e-9)
    assert np.ptp(run.v_mV[:, 0]) > 5.0


def test_blocks_and_threads_change_nothing():
    several = events(5)
    whole = engine().run(several, record=[4], block_lanes=8)
    parts = engine().run(several, record=[4], block_lanes=2, threads=2)
    np.testing.assert_allclose(parts.v_mV, whole.v_mV, rtol=0, atol=1e-9)
    assert np.array_equal(parts.spike_lane, whole.spike_lane)
    assert np.array_equal(parts.spike_ms, whole.spike_ms)
    assert len(whole.spike_ms) > 0


def test_overrides_and_current_of_each_lane_follow_it_into_its_block():
    lanes = quiet(3, 200)
    current = np.zeros((200, 3))
    current[:, 2] = 0.05
    e = engine().twin.cell.placement("leak").parameters["e"][:, None] + np.array([[0.0, 5.0, 0.0]])
    runs = [
        engine().run(lanes, overrides={("leak", "e"): e}, injected_nA=current, block_lanes=n) for n in (1, 3)
    ]
    np.testing.assert_allclose(runs[0].v_mV, runs[1].v_mV, rtol=0, atol=1e-9)
    ends = runs[0].v_mV[-1, 0]
    assert abs(ends[0] + 75.0) < 1e-6
    assert ends[1] > ends[0] + 0.05
    assert ends[2] > ends[0] + 1.0


def test_current_for_all_lanes():
    current = np.full(200, 0.05)
    one = engine().run(quiet(1, 200), injected_nA=current)
    two = engine().run(quiet(2, 200), injected_nA=current)
    assert np.array_equal(two.v_mV[:, :, 1], two.v_mV[:, :, 0])
    np.testing.assert_allclose(two.v_mV[:, :, :1], one.v_mV, rtol=0, atol=1e-9)


@pytest.mark.parametrize("stride", [1, 3, 7])
def test_recording(stride):
    everything = engine().run(events(2), record=range(engine().twin.n_compartments))
    some = engine().run(events(2), record=[9, 3, 0], stride=stride)
    assert some.recorded == (0, 9, 3)
    assert np.array_equal(some.v_mV, everything.v_mV[::stride, [0, 9, 3]])
    np.testing.assert_allclose(some.time_ms, everything.time_ms[::stride])
    assert np.array_equal(some.spike_ms, everything.spike_ms)
    assert everything.v_mV.shape == (N_STEPS + 1, engine().twin.n_compartments, 2)


def test_spikes_are_upward_crossings_wherever_a_chunk_ends():
    """A regular train, shifted step by step: a crossing at the border of two chunks is seen once."""
    current = np.full(N_STEPS, 0.4)
    for delay in range(0, 12, 3):
        shifted = np.r_[np.zeros(delay), current[: N_STEPS - delay]]
        run = engine().run(quiet(), injected_nA=shifted)
        soma = run.v_mV[:, 0, 0]
        up = np.flatnonzero((soma[1:] >= SPIKE_THRESHOLD_mV) & (soma[:-1] < SPIKE_THRESHOLD_mV)) + 1
        np.testing.assert_allclose(run.spike_ms, up * DT)
        assert len(up) >= 3


def test_counts_in_a_window():
    run = engine().run(quiet(2), injected_nA=np.full((N_STEPS, 2), [0.0, 0.4]), keep_voltage=False)
    assert run.v_mV.size == 0
    times = run.spike_ms[run.spike_lane == 1]
    assert run.counts().tolist() == [0, len(times)]
    assert run.counts(from_ms=times[1]).tolist() == [0, len(times) - 1]
    assert run.counts(from_ms=times[0], to_ms=times[2]).tolist() == [0, 2]


def test_progress_adds_up_to_the_simulated_time():
    told = []
    engine().run(quiet(3), on_advance=told.append)
    assert sum(told) == pytest.approx(3 * N_STEPS * DT * 1e-3)


def test_an_event_acts_from_the_end_of_its_step_on():
    cell = engine().twin.cell
    where = int(cell.placement("AMPA").compartments[3])
    arrival = 40
    single = Events.from_arrays(
        n_lanes=2, n_steps=100, dt_ms=DT, port_names=("exc",),
        step=[arrival], lane=[1], compartment=[where], port=[0],
    )  # fmt: skip
    v = engine().run(single, record=[where]).v_mV[:, 1]
    changed = np.flatnonzero(np.abs(v[:, 1] - v[:, 0]) > 1e-9)
    # The jump leaves the conductance at zero; it opens as the states decay within the step, and drives the next one.
    assert changed[0] == arrival + 2
    assert v[:, 1].max() > v[:, 0].max() + 0.1


def test_weights_add_linearly_in_the_synapse():
    cell = engine().twin.cell
    where = int(cell.placement("AMPA").compartments[3])

    def run(weights):
        n = len(weights)
        some = Events.from_arrays(
            n_lanes=1, n_steps=200, dt_ms=DT, port_names=("exc",), weight=weights,
            step=np.full(n, 5), lane=np.zeros(n), compartment=np.full(n, where), port=np.zeros(n),
        )  # fmt: skip
        return engine().run(some).v_mV

    np.testing.assert_allclose(run([0.5, 1.0, 0.5]), run([2.0]), rtol=0, atol=1e-10)
    assert np.ptp(run([2.0])) > 1.5 * np.ptp(run([1.0]))


@pytest.mark.parametrize("cores", [1, 2, 8])
@pytest.mark.parametrize("n_lanes", [1, 7, 64, 72, 129, 225, 256, 1000])
def test_blocks_share_the_lanes_evenly(n_lanes, cores):
    """As many blocks as cores or a multiple of that, unless the lanes are too few to be worth a core."""
    block = _even_block(n_lanes, cores)
    blocks = -(-n_lanes // block)
    assert 1 <= block <= 128
    assert blocks * block - n_lanes < blocks
    assert blocks <= cores or blocks % cores == 0
    if n_lanes >= 64 * cores:
        assert blocks >= cores


@pytest.mark.parametrize(
    ("weights", "dtype"), [((1.0, 2.0), np.int8), ((0.5, 2.0), np.float32), ((60.0, 70.0), np.float32)]
)
def test_arrivals_are_summed_by_place_and_never_overflow(weights, dtype):
    """Two events at one place: 130 does not fit into a byte, and half an event is no whole number."""
    first, second = weights
    several = Events.from_arrays(
        n_lanes=3, n_steps=10, dt_ms=DT, port_names=("exc", "inh"),
        step=[4, 4, 5, 7, 2], lane=[1, 1, 1, 2, 0], compartment=[8, 8, 8, 0, 5], port=[0, 0, 0, 0, 1],
        weight=[first, second, 1.0, 1.0, 1.0],
    )  # fmt: skip
    ports = {name: (name,) for name in several.port_names}
    arrived = _arrivals(several, 3, 7, 9, np.dtype(np.float32), ports)
    assert {k: x.shape for k, x in arrived.items()} == {"exc": (4, 9, 3), "inh": (4, 9, 3)}
    assert arrived["exc"].dtype == dtype
    assert arrived["exc"][1, 8, 1] == first + second
    assert arrived["exc"][2, 8, 1] == 1.0
    assert np.count_nonzero(arrived["exc"]) == 2
    assert not arrived["inh"].any()


def test_ports_that_reach_no_sums_have_no_arrivals():
    several = events(2, n_steps=20)
    assert set(
        _arrivals(
            several, 0, 20, engine().twin.n_compartments, np.dtype(np.float64), {"exc": ("AMPA",), "inh": ()}
        )
    ) == {"exc"}


def test_arrivals_from_slots_are_those_of_the_events():
    """The fit's form of events and the engine's, on the same events."""
    several = events(3, n_steps=20)
    slots = lay_out(several, dict.fromkeys(several.port_names, 16))
    weight = {port: np.zeros(compartment.shape) for port, compartment in slots.compartment.items()}
    for index, port in enumerate(several.port_names):
        weight[port].reshape(-1)[slots.event_at[port]] = several.weight[several.port == index]
    n = engine().twin.n_compartments
    ports = {name: (name,) for name in several.port_names}
    dense = _arrivals(several, 0, 20, n, np.dtype(np.float64), ports)
    for step in range(20):
        found = engine().twin.arrivals(
            {port: slots.compartment[port][step] for port in dense},
            {port: weight[port][step] for port in dense},
        )
        for port, array in dense.items():
            np.testing.assert_allclose(found[port], array[step])
