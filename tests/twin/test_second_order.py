"""The second-order scheme: the twin against NEURON's secondorder, and its order against exact solutions."""

from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
from scipy import linalg

from ketune import mechanisms
from ketune.cell import Cell, Placement
from ketune.cell_model import build_cell
from ketune.compartments import build
from ketune.engines import neuron_model
from ketune.engines.jax_engine import JaxEngine
from ketune.engines.neuron_engine import run_neuron
from ketune.engines.neuron_problem import NeuronJob, problem_of
from ketune.errors import InputError
from ketune.events import Events
from ketune.ions import ion_uses, total_currents
from ketune.morphology import SMALL_MORPHOLOGY, read_morphology
from ketune.verify import CONTRACT_STATE, least_scale, relative_difference
from ketune.verify_cases import bench_table, calcium_case, mechanism_case, spiking_case

DT = 0.025
LAB = Path(__file__).parents[1] / "mechanisms" / "mods" / "lab"
# cnexp and sparse in one file
REFUSED = {"NMDA5", "NMDA10"}


def exact(cell, dt_ms=DT):
    return JaxEngine(
        cell, dt_ms=dt_ms, dtype=np.float64, derivative="forward_difference", scheme="second_order"
    )


def compare(cell, events, *, overrides=None, injected_nA=None, variables=(), tolerance_mV=1e-9):
    """Require the twin contract in every lane; return the twin's run."""
    run = exact(cell).run(
        events,
        overrides=overrides,
        injected_nA=injected_nA,
        record=range(cell.table.n),
        variables=variables,
    )
    currents = {("ions", name) for name in total_currents(cell)}
    for lane in range(events.n_lanes):
        reference = run_neuron(
            cell,
            events,
            lane,
            overrides=overrides,
            injected_nA=injected_nA,
            variables=variables,
            scheme="second_order",
        )
        assert np.max(np.abs(run.v_mV[:, :, lane] - reference.v_mV)) < tolerance_mV
        np.testing.assert_array_equal(run.spike_ms[run.spike_lane == lane], reference.spike_ms)
        for key in variables:
            first = 1 if key in currents else 0  # before the first step the twin has computed no current
            mine, theirs = run.variables[key][first:, :, lane], reference.variables[key][first:]
            least = least_scale(cell, key[0], reference.variables)
            assert relative_difference(mine, theirs, least=least) < CONTRACT_STATE, key
    return run


@pytest.mark.neuron
@pytest.mark.parametrize("name", sorted({*mechanisms.names()} - REFUSED))
def test_each_mechanism_alone(name):
    case = mechanism_case(name, 150.0)
    run = compare(
        case.cell,
        case.events,
        overrides=case.overrides,
        injected_nA=case.injected_nA,
        variables=case.variables,
    )
    assert np.ptp(run.v_mV) > 5.0


@pytest.mark.neuron
def test_pool_reads_the_current_in_the_middle_of_the_step():
    case = calcium_case(200.0)
    assert ("ions", "ica") in case.variables
    compare(case.cell, case.events, injected_nA=case.injected_nA, variables=case.variables)


@pytest.mark.neuron
@pytest.mark.slow
@pytest.mark.parametrize(
    ("morphology", "duration_ms"), [("small_pyramidal", 300.0), ("cat_v1_l23_j8", 120.0)]
)
def test_spiking_cell_with_nmda_synapses(morphology, duration_ms):
    case = spiking_case(morphology, duration_ms)
    run = compare(case.cell, case.events, overrides=case.overrides, tolerance_mV=1e-7)
    assert np.all(run.counts() >= 1)


def lab_cell(names):
    """The verification bench with a leak and files from tests/mechanisms/mods/lab."""
    table = bench_table()
    everywhere = np.arange(table.n)

    def place(mechanism, values):
        return Placement(
            mechanism.name,
            mechanism,
            everywhere,
            {k: np.full(table.n, values.get(k, p.value)) for k, p in mechanism.parameters.items()},
        )

    placements = [place(mechanisms.load("leak"), {"g": 1e-4, "e": -70.0})]
    placements += [place(mechanisms.load(LAB / f"{name}.mod"), {}) for name in names]
    return Cell("lab", table, tuple(placements), {}, {"ek": -85.0, "ena": 60.0}, 23.0, -70.0)


@pytest.mark.neuron
@pytest.mark.parametrize(
    "names",
    [
        ("caderiv", "lcatype", "bkmole", "kdrpyr"),  # derivimplicit, writes a concentration
        ("cabufk", "lcatype", "skhill", "kdrpyr"),  # sparse, nonlinear
        ("carings", "lcatype", "bkmole", "kdrpyr"),  # sparse, writes what is no STATE
        ("nakacc", "nakatp", "nakleak"),  # total currents of two ions, pumped
        ("na8st", "kcond"),  # sparse, linear; CONDUCTANCE
        ("kaprx",),  # euler
        ("cnexpfall",),  # cnexp that NEURON solves by derivimplicit
    ],
    ids="+".join,
)
def test_other_methods_and_ions(names):
    cell = lab_cell(names)
    n_steps = round(100.0 / DT)
    t = np.arange(n_steps) * DT
    current = 0.2 * ((t >= 20.0) & (t < 60.0)) - 0.1 * ((t >= 70.0) & (t < 90.0))
    variables = [
        (p.label, name)
        for p in cell.placements
        for name in p.mechanism.states
        if name in p.mechanism.integrated
    ]
    variables += [("ions", name) for use in ion_uses(cell) for name in sorted(use.varying)]
    events = Events.none(n_lanes=1, n_steps=n_steps, dt_ms=DT)
    # spikes amplify rounding
    run = compare(cell, events, injected_nA=current, variables=variables, tolerance_mV=1e-7)
    assert np.ptp(run.v_mV) > 5.0


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_files_that_neuron_integrates_wrongly_are_refused(name):
    case = mechanism_case(name, 5.0)
    with pytest.raises(InputError, match=f"{name}.mod: NEURON's secondorder .* cnexp with sparse wrongly"):
        exact(case.cell)
    with pytest.raises(InputError, match=f"{name}.mod"):
        run_neuron(case.cell, case.events, scheme="second_order")


@pytest.mark.neuron
def test_refused_files_would_be_wrong_in_neuron():
    """Glutamate of NMDA5 decays half as fast as its file says."""
    case = mechanism_case("NMDA5", 20.0)
    first = np.flatnonzero(case.events.step == case.events.step.min())[:1]
    job = NeuronJob(case.cell, case.events.take(first), record="all", variables=[("NMDA5", "glu")])
    mechanisms.load_into_neuron()
    problem = replace(problem_of(job, libraries=()), second_order=True)
    _, variables = neuron_model.simulate(problem)
    glu = variables[:, np.argmax(variables.max(axis=0))]
    peak = int(np.argmax(glu))
    tau_ms = 40 * DT / np.log(glu[peak] / glu[peak + 40])
    assert tau_ms == pytest.approx(2.0 * case.cell.placement("NMDA5").parameters["tau_glu"][0], rel=1e-6)


@pytest.mark.parametrize(
    ("name", "why"),
    [("rungek", "METHOD runge wrongly"), ("capoolexp", "what BREAKPOINT sets after METHOD euler")],
)
def test_other_refusals(name, why):
    with pytest.raises(InputError, match=why):
        exact(lab_cell((name,)))


@cache
def passive_cell():
    table = build(read_morphology(SMALL_MORPHOLOGY))
    leak = mechanisms.load("leak")
    e_mV = np.linspace(-120.0, 40.0, table.n)
    values = {"g": np.full(table.n, 1e-4), "e": e_mV}
    return Cell("passive", table, (Placement("leak", leak, np.arange(table.n), values),), {}, {}, 37.0, -65.0)


def exact_passive(cell, t_ms):
    """Voltages ``(n,)`` at a time, from the matrix exponential of the cable's equations."""
    table = cell.table
    laplacian = np.zeros((table.n_nodes, table.n_nodes))
    for node in range(1, table.n_nodes):
        pair = [node, table.node_parent[node]]
        laplacian[np.ix_(pair, pair)] += table.node_g_uS[node] * np.array([[1.0, -1.0], [-1.0, 1.0]])
    n, inner = table.n, slice(table.n, None)
    # nodes without a membrane follow at once: they are eliminated
    between = np.linalg.solve(laplacian[inner, inner], laplacian[inner, :n])
    leak = cell.placement("leak").parameters
    g_uS = 0.01 * leak["g"] * table.area_um2
    conductance = laplacian[:n, :n] - laplacian[:n, inner] @ between + np.diag(g_uS)
    c_nF = 1e-5 * table.cm_uF_cm2 * table.area_um2
    end = np.linalg.solve(conductance, g_uS * leak["e"])
    return end + linalg.expm(-conductance / c_nF[:, None] * t_ms) @ (cell.v_init_mV - end)


def errors(cell, simulate, reference, steps_ms):
    return np.array([np.max(np.abs(simulate(cell, dt) - reference)) for dt in steps_ms])


def passive_end(cell, dt_ms, *, scheme):
    events = Events.none(n_lanes=1, n_steps=round(8.0 / dt_ms), dt_ms=dt_ms)
    run = JaxEngine(cell, dt_ms=dt_ms, dtype=np.float64, scheme=scheme).run(
        events, record=range(cell.table.n), stride=events.n_steps
    )
    return run.v_mV[-1, :, 0]


def test_order_on_a_passive_tree():
    """Relaxation to uneven resting potentials, against the matrix exponential."""
    cell = passive_cell()
    reference = exact_passive(cell, 8.0)
    assert np.max(np.abs(reference - cell.v_init_mV)) > 3.0
    steps_ms = (0.05, 0.025, 0.0125)
    found = {
        scheme: errors(cell, partial(passive_end, scheme=scheme), reference, steps_ms)
        for scheme in ("backward_euler", "second_order")
    }
    np.testing.assert_allclose(found["backward_euler"][:-1] / found["backward_euler"][1:], 2.0, rtol=0.05)
    np.testing.assert_allclose(found["second_order"][:-1] / found["second_order"][1:], 4.0, rtol=0.05)
    assert found["second_order"][0] < 0.02 * found["backward_euler"][0]


def active_response(cell, dt_ms, *, scheme):
    """A smooth hump of current into the soma; the voltage there every 0.2 ms."""
    n_steps = round(100.0 / dt_ms)
    middle = (np.arange(n_steps) + 0.5) * dt_ms
    current = 0.05 * np.sin(np.pi * np.clip((middle - 40.0) / 40.0, 0.0, 1.0)) ** 2
    events = Events.none(n_lanes=1, n_steps=n_steps, dt_ms=dt_ms)
    run = JaxEngine(cell, dt_ms=dt_ms, dtype=np.float64, scheme=scheme).run(
        events, injected_nA=current, stride=round(0.2 / dt_ms)
    )
    assert run.counts()[0] == 0
    return run.v_mV[round(40.0 / 0.2) :, 0, 0]


def test_order_on_an_active_tree():
    """Channels of the default cell below threshold, against a step 32 times as fine."""
    cell = build_cell(morphology=read_morphology(SMALL_MORPHOLOGY))
    reference = active_response(cell, 0.003125, scheme="second_order")
    assert np.ptp(reference) > 3.0
    steps_ms = (0.1, 0.05, 0.025)
    found = {
        scheme: errors(cell, partial(active_response, scheme=scheme), reference, steps_ms)
        for scheme in ("backward_euler", "second_order")
    }
    np.testing.assert_allclose(found["backward_euler"][:-1] / found["backward_euler"][1:], 2.0, rtol=0.05)
    np.testing.assert_allclose(found["second_order"][:-1] / found["second_order"][1:], 4.0, rtol=0.1)
    assert found["second_order"][0] < 0.02 * found["backward_euler"][0]
