"""The NEURON engine: cable, events, parameters, and workers that fail."""

import sys

import numpy as np
import pytest

from ketune import mechanisms
from ketune.cell import Cell, Placement
from ketune.compartments import build
from ketune.engines.neuron_engine import NeuronJob, run_in_processes, run_neuron
from ketune.errors import InputError
from ketune.events import Events
from ketune.morphology import SMALL_MORPHOLOGY, default_morphology, read_morphology

pytestmark = pytest.mark.neuron

DT = 0.025
REST = -70.0
G_LEAK = 1e-4


def place(label, name, compartments, **parameters):
    mechanism = mechanisms.load(name)
    values = {k: p.value for k, p in mechanism.parameters.items()} | parameters
    return Placement(
        label,
        mechanism,
        np.asarray(compartments),
        {k: np.broadcast_to(np.asarray(v, dtype=float), (len(compartments),)) for k, v in values.items()},
    )


def passive_cell(table, *more, ports=None):
    leak = place("leak", "leak", np.arange(table.n), g=G_LEAK, e=REST)
    return Cell("passive", table, (leak, *more), ports or {}, {"ena": 60.0, "ek": -80.0}, 37.0, REST)


def small_table():
    return build(read_morphology(SMALL_MORPHOLOGY), cm_uF_cm2={"basal": 2.0, "apical": 2.0})


def synaptic_cell():
    table = small_table()
    dendrites = table.in_region("basal", "apical")
    return passive_cell(
        table,
        place("ampa", "AMPA", dendrites, gmax=1e-3),
        place("nmda", "NMDA", dendrites, gmax=1e-3),
        place("gaba", "GABAA", np.arange(5), gmax=1e-3),
        ports={"exc": ("ampa", "nmda"), "inh": ("gaba",)},
    )


def spiking_cell():
    table = small_table()
    n, axonal = np.arange(table.n), table.in_region("soma", "ais")
    return passive_cell(table, place("nav", "nav", axonal, gbar=0.3), place("kv", "kv", n, gbar=0.01))


def events(n_steps, *rows, n_lanes=1):
    """Events from rows (step, lane, compartment, port, weight)."""
    columns = np.array(rows, dtype=float).reshape(-1, 5).T
    return Events.from_arrays(
        n_lanes=n_lanes,
        n_steps=n_steps,
        dt_ms=DT,
        port_names=("exc", "inh"),
        step=columns[0].astype(int),
        lane=columns[1].astype(int),
        compartment=columns[2].astype(int),
        port=columns[3].astype(int),
        weight=columns[4],
    )


def solve_passive(table, injected_nA, dt_ms, g_leak=G_LEAK, e_mV=REST):
    """Backward Euler on the table's node system, current into the soma; voltages (n_steps + 1, n)."""
    nodes = np.arange(1, table.n_nodes)
    parent, g = table.node_parent[1:], table.node_g_uS[1:]
    matrix = np.zeros((table.n_nodes, table.n_nodes))
    for row, column, value in (
        (nodes, nodes, g),
        (parent, parent, g),
        (nodes, parent, -g),
        (parent, nodes, -g),
    ):
        np.add.at(matrix, (row, column), value)
    pad = (0, table.n_nodes - table.n)
    capacitance = np.pad(1e-5 * table.cm_uF_cm2 * table.area_um2, pad) / dt_ms
    leak = np.pad(1e-2 * g_leak * table.area_um2, pad)
    pull = leak * np.pad(np.broadcast_to(e_mV, table.n), pad)
    step = np.linalg.inv(matrix + np.diag(capacitance + leak))
    v = np.full((len(injected_nA) + 1, table.n_nodes), REST)
    for k, current in enumerate(injected_nA):
        right = capacitance * v[k] + pull
        right[0] += current
        v[k + 1] = step @ right
    return v[:, : table.n]


@pytest.mark.parametrize("morphology", [default_morphology, lambda: read_morphology(SMALL_MORPHOLOGY)])
@pytest.mark.parametrize("dt_ms", [0.025, 0.1])
def test_passive_cell_agrees_with_the_node_system(morphology, dt_ms):
    table = build(
        morphology(), cm_uF_cm2={"basal": 2.0, "apical": 1.5}, ra_ohm_cm={"axon": 150.0, "basal": 80.0}
    )
    current = np.repeat([0.0, 0.4, -0.2, 0.1], 100)
    none = Events.none(n_lanes=1, n_steps=len(current), dt_ms=dt_ms)
    run = run_neuron(passive_cell(table), none, injected_nA=current)
    expected = solve_passive(table, current, dt_ms)
    assert np.ptp(expected[:, 0]) > 5.0
    assert run.v_mV.shape == expected.shape
    assert np.max(np.abs(run.v_mV - expected)) < 1e-9
    np.testing.assert_allclose(run.time_ms, np.arange(401) * dt_ms)


def test_mechanisms_on_part_of_a_section_sit_where_they_should():
    table = build(read_morphology(SMALL_MORPHOLOGY), d_lambda=0.1)
    rng = np.random.default_rng(0)
    first = rng.random(table.n) < 0.5
    g, e = rng.uniform(0.5, 2.0, table.n) * G_LEAK, rng.uniform(-90.0, -50.0, table.n)
    here, there = np.flatnonzero(first), np.flatnonzero(~first)
    halves = (
        place("here", "leak", here, g=g[here], e=e[here]),
        place("there", "leak", there, g=g[there], e=e[there]),
        place("ka", "ka", there, gbar=0.0),
    )
    run = run_neuron(Cell("halves", table, halves, {}, {"ek": -80.0}, 37.0, REST), events(400))
    expected = solve_passive(table, np.zeros(400), DT, g, e)
    assert np.max(np.abs(run.v_mV - expected)) < 1e-9
    assert np.ptp(expected[-1]) > 0.5


def test_one_mechanism_twice_on_a_compartment_is_refused():
    table = small_table()
    with pytest.raises(InputError, match="'more' puts leak on compartment 3"):
        run_neuron(passive_cell(table, place("more", "leak", [3])), events(1))


def test_an_event_arrives_at_the_beginning_of_its_step():
    cell = synaptic_cell()
    where = cell.placement("ampa").compartments[10]
    for step in (0, 1, 7, 399):
        v = run_neuron(cell, events(400, (step, 0, where, 0, 1.0))).v_mV[:, where]
        # The conductance is 0 at the moment of the event: the states jump by the same amount and part in the step.
        changed = np.flatnonzero(np.abs(v - REST) > 1e-12)
        assert (changed.min() if changed.size else 400) == step + 2 if step < 399 else not changed.size


def test_a_port_drives_every_one_of_its_synapses_in_its_lane_only():
    cell = synaptic_cell()
    where = cell.placement("ampa").compartments[10]
    both = events(800, (5, 0, where, 0, 1.0), (9, 1, where, 0, 1.0), (5, 2, 0, 1, 1.0), n_lanes=4)
    late = [run_neuron(cell, both, lane).v_mV[-100:, where].mean() - REST for lane in range(4)]
    silent = {("nmda", "gmax"): 0.0}
    ampa_only = run_neuron(cell, both, 0, overrides=silent).v_mV[-100:, where].mean() - REST
    assert late[0] > 1.3 * ampa_only > 0.0
    assert late[1] == pytest.approx(late[0], rel=0.05)
    assert late[1] != late[0]
    assert -1.0 < late[2] < -1e-3
    assert late[3] == pytest.approx(0.0, abs=1e-9)


def test_weights_scale_the_conductance():
    cell = synaptic_cell()
    where = cell.placement("ampa").compartments[10]
    twice = run_neuron(cell, events(400, (3, 0, where, 0, 2.0))).v_mV
    two = run_neuron(cell, events(400, (3, 0, where, 0, 1.0), (3, 0, where, 0, 1.0))).v_mV
    parts = run_neuron(cell, events(400, (3, 0, where, 0, 0.75), (3, 0, where, 0, 1.25))).v_mV
    once = run_neuron(cell, events(400, (3, 0, where, 0, 1.0))).v_mV
    np.testing.assert_allclose(two, twice, rtol=0, atol=1e-10)
    np.testing.assert_allclose(parts, twice, rtol=0, atol=1e-10)
    assert np.ptp(twice[:, where]) > 1.5 * np.ptp(once[:, where])


def test_an_event_where_the_synapse_is_missing_does_nothing():
    cell = synaptic_cell()
    run = run_neuron(cell, events(100, (3, 0, 0, 0, 1.0)))
    np.testing.assert_allclose(run.v_mV, REST, atol=1e-9)


def test_overrides_may_differ_between_lanes():
    cell = passive_cell(small_table())
    two = events(200, n_lanes=2)
    values = np.broadcast_to(np.array([REST, REST + 5.0]), (cell.table.n, 2))
    ends = [run_neuron(cell, two, k, overrides={("leak", "e"): values}).v_mV[-1].mean() for k in (0, 1)]
    assert ends[0] == pytest.approx(REST)
    assert ends[1] > REST + 1.0
    with pytest.raises(InputError, match=r"no parameter 'leak\.gbar'"):
        run_neuron(cell, two, overrides={("leak", "gbar"): 1.0})


def test_nothing_stays_behind_in_neuron():
    from neuron import h

    before = len(list(h.allsec()))
    run_neuron(synaptic_cell(), events(10, (1, 0, 12, 0, 1.0)))
    assert len(list(h.allsec())) == before


def test_recording_chosen_compartments():
    cell = synaptic_cell()
    one = events(200, (3, 0, 12, 0, 1.0))
    everything = run_neuron(cell, one, record="all")
    some = run_neuron(cell, one, record=[12, 0, 3])
    assert everything.recorded == tuple(range(cell.table.n))
    assert some.recorded == (0, 12, 3)
    assert np.array_equal(some.v_mV, everything.v_mV[:, [0, 12, 3]])
    assert run_neuron(cell, one, record="soma").v_mV.shape == (201, 1)


def test_reversal_potentials_and_temperature_reach_neuron():
    cell = spiking_cell()
    current = np.full(800, 0.5)

    def soma(**changes):
        values = {"reversal_mV": cell.reversal_mV, "celsius": cell.celsius, **changes}
        changed = Cell("x", cell.table, cell.placements, {}, v_init_mV=REST, **values)
        return run_neuron(changed, events(800), injected_nA=current).v_mV[:, 0]

    assert soma().max() > 40.0
    assert 0.0 < soma(reversal_mV={"ena": 30.0, "ek": -80.0}).max() < 30.0
    # Cold channels are slow: the spike lasts longer.
    first_spike = [np.flatnonzero(np.diff(soma(celsius=c) > -20.0))[:2] for c in (37.0, 22.0)]
    assert np.diff(first_spike[1]) > 2 * np.diff(first_spike[0])


def test_spikes_are_upward_crossings_of_the_soma():
    cell = spiking_cell()
    run = run_neuron(cell, events(4000), injected_nA=np.full(4000, 0.5))
    assert len(run.spike_ms) >= 3
    for spike in run.spike_ms:
        k = round(spike / DT)
        assert run.v_mV[k - 1, 0] < -20.0 <= run.v_mV[k, 0]
    first, last = run.spike_ms[0], run.spike_ms[-1]
    assert run.count() == len(run.spike_ms)
    assert run.count(first, last) == len(run.spike_ms) - 1


def test_workers_give_what_this_process_gives():
    cell = synaptic_cell()
    rng = np.random.default_rng(1)
    compartments = cell.placement("ampa").compartments
    rows = [
        (s, s % 3, c, 0, 1.0)
        for s, c in zip(rng.integers(0, 400, 60), rng.choice(compartments, 60), strict=True)
    ]
    several = events(400, *rows, n_lanes=3)
    jobs = [NeuronJob(cell, several, lane, record="all") for lane in (2, 0, 1, 2)]
    jobs.append(NeuronJob(cell, several, 0, overrides={("nmda", "block"): 0.5}))
    done = []
    results = run_in_processes(jobs, on_done=lambda index, result: done.append((index, result.status)))
    assert sorted(done) == [(k, "done") for k in range(5)]
    for job, result in zip(jobs, results, strict=True):
        mine = run_neuron(cell, several, job.lane, overrides=job.overrides, record=job.record)
        assert np.array_equal(result.run.v_mV, mine.v_mV)
        assert result.message == ""
    assert not np.array_equal(results[4].run.v_mV[:, 0], results[1].run.v_mV[:, 0])


def test_a_worker_that_hangs_is_stopped_and_the_rest_goes_on():
    cell = spiking_cell()
    short = NeuronJob(cell, events(10))
    endless = NeuronJob(cell, events(40_000_000))
    results = run_in_processes([short, endless, short], n_processes=1, timeout_s=6.0)
    assert [r.status for r in results] == ["done", "timeout", "done"]
    assert results[1].run is None
    assert results[1].message == "stopped after the limit of 6 s"
    assert results[1].seconds < 20.0


def test_an_error_in_neuron_is_a_status(capfd):
    cell = synaptic_cell()
    bad = NeuronJob(cell, events(10), overrides={("ampa", "gmax"): 0.0}, record=[999])
    results = run_in_processes([bad, NeuronJob(cell, events(10))], n_processes=1)
    assert [r.status for r in results] == ["failed", "done"]
    assert "\n" not in results[0].message
    assert "IndexError" in results[0].message
    assert capfd.readouterr() == ("", "")


def test_a_process_that_dies_is_a_status(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    (result,) = run_in_processes([NeuronJob(synaptic_cell(), events(10))])
    assert result.status == "crashed"
    assert result.message == "the NEURON process ended with code 1"


def test_an_exception_of_the_listener_reaches_the_caller():
    def listener(index, result):
        raise KeyError("listener")

    with pytest.raises(KeyError, match="listener"):
        run_in_processes([NeuronJob(passive_cell(small_table()), events(10))] * 3, on_done=listener)


def test_bad_jobs_are_refused_before_any_process_starts():
    with pytest.raises(InputError, match=r"no parameter 'leak\.gbar'"):
        run_in_processes(
            [NeuronJob(passive_cell(small_table()), events(10), overrides={("leak", "gbar"): 1.0})]
        )


@pytest.mark.slow
def test_a_mechanism_of_the_users_own(tmp_path):
    path = tmp_path / "ownleak.mod"
    path.write_text(
        "NEURON { SUFFIX ownleak NONSPECIFIC_CURRENT i RANGE g, e, i }\n"
        "PARAMETER { g = 1e-4 (S/cm2) e = -50 (mV) }\n"
        "ASSIGNED { v (mV) i (mA/cm2) }\n"
        "BREAKPOINT { i = g*(v - e) }\n"
    )
    table = small_table()
    own = place("own", str(path), np.arange(table.n))
    cell = Cell("own", table, (own,), {}, {}, 37.0, REST)
    expected = solve_passive(table, np.zeros(100), DT, e_mV=-50.0)
    (result,) = run_in_processes([NeuronJob(cell, events(100), record="all")])
    for run in (run_neuron(cell, events(100)), result.run):
        assert np.max(np.abs(run.v_mV - expected)) < 1e-9


def test_no_jobs_no_processes():
    assert run_in_processes([]) == []


def test_a_lane_that_does_not_exist():
    with pytest.raises(ValueError, match="lane 1 is not one of the events' 1"):
        run_neuron(passive_cell(small_table()), events(10), 1)
