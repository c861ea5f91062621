"""The twin against NEURON in every compartment, and what its faster settings cost."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from ketune import mechanisms
from ketune.afferents import Drive, Grating, hard_events, place_synapses
from ketune.cell_model import build_cell
from ketune.engines.jax_engine import JaxEngine
from ketune.engines.neuron_engine import run_neuron
from ketune.engines.twin import Twin
from ketune.events import Events
from ketune.morphology import SMALL_MORPHOLOGY, read_morphology
from ketune.verify_cases import (
    TEMPERATURES_degC,
    calcium_case,
    complete_case,
    mechanism_case,
    spiking_case,
)

DT = 0.025


@cache
def small_cell():
    return build_cell(morphology=read_morphology(SMALL_MORPHOLOGY))


@cache
def small_events(n_lanes, duration_ms):
    layout = place_synapses(small_cell(), seed=1, n_pv=20, n_sst=50)
    grating = Grating((90.0,), duration_ms - 20.0, warm_up_ms=20.0)
    return hard_events(layout, grating, Drive(peak_rate_hz=10.0), trials=range(n_lanes), seed=3, dt_ms=DT)


def exact(cell):
    return JaxEngine(cell, dt_ms=DT, dtype=np.float64, derivative="forward_difference")


def largest_difference(case):
    run = exact(case.cell).run(
        case.events, overrides=case.overrides, injected_nA=case.injected_nA, record=range(case.cell.table.n)
    )
    worst = 0.0
    for lane in range(len(case.conditions)):
        reference = run_neuron(
            case.cell, case.events, lane, overrides=case.overrides, injected_nA=case.injected_nA
        )
        worst = max(worst, np.max(np.abs(run.v_mV[:, :, lane] - reference.v_mV)))
        np.testing.assert_array_equal(run.spike_ms[run.spike_lane == lane], reference.spike_ms)
    return worst, run


@pytest.mark.neuron
@pytest.mark.slow
@pytest.mark.parametrize(
    ("morphology", "duration_ms"), [("small_pyramidal", 300.0), ("cat_v1_l23_j8", 120.0)]
)
def test_spiking_cell_control_and_drugged(morphology, duration_ms):
    case = spiking_case(morphology, duration_ms)
    assert case.conditions == ("control", "ketamine")
    worst, run = largest_difference(case)
    assert worst < 1e-7
    assert np.all(run.counts() >= 1)


@pytest.mark.neuron
@pytest.mark.parametrize("name", ["hcn1", "NMDA"])
def test_mechanism_alone(name):
    worst, _ = largest_difference(mechanism_case(name, 150.0))
    assert worst < 1e-9


@pytest.mark.neuron
@pytest.mark.parametrize("celsius", TEMPERATURES_degC)
def test_channels_and_pool_share_calcium(celsius):
    """Channels fill the pool, it opens sk and moves the reversal potential: the same in every compartment."""
    case = calcium_case(200.0)
    assert case.temperatures_degC == TEMPERATURES_degC
    cell = replace(case.cell, celsius=celsius)
    wanted = [("ions", "cai"), ("ions", "eca"), ("sk", "z")]
    run = exact(case.cell).run(
        case.events,
        injected_nA=case.injected_nA,
        record=range(cell.table.n),
        variables=wanted,
        celsius=celsius,
    )
    reference = run_neuron(cell, case.events, injected_nA=case.injected_nA, variables=wanted)
    assert np.max(np.abs(run.v_mV[:, :, 0] - reference.v_mV)) < 1e-9
    for key in wanted:
        np.testing.assert_allclose(
            run.variables[key][:, :, 0], reference.variables[key], rtol=1e-9, atol=1e-15
        )
    cai = reference.variables["ions", "cai"]
    assert cai.max() > 2.0 * cai.min() > 0.0


@pytest.mark.neuron
@pytest.mark.slow
def test_every_mechanism_on_one_cell():
    case = complete_case(80.0)
    names = {p.mechanism.name for p in case.cell.placements}
    assert names == set(mechanisms.names())
    assert case.temperatures_degC == TEMPERATURES_degC
    engine = exact(case.cell)
    everywhere = range(case.cell.table.n)
    for celsius in case.temperatures_degC:
        run = engine.run(case.events, record=everywhere, celsius=celsius)
        reference = run_neuron(replace(case.cell, celsius=celsius), case.events)
        assert np.max(np.abs(run.v_mV[:, :, 0] - reference.v_mV)) < 1e-7
        np.testing.assert_array_equal(run.spike_ms, reference.spike_ms)
        assert np.ptp(reference.v_mV[:, 0]) > 2.0


@pytest.mark.parametrize("name", mechanisms.names())
def test_each_mechanism_case_would_notice_its_mechanism(name):
    """A mechanism without current would prove nothing; 5 % of each is seen with at least a thousand tolerances."""
    case = mechanism_case(name, 150.0)
    values = case.cell.placement(name).parameters
    conductance = next(key for key in ("gbar", "gmax", "g", "gamma") if key in values)
    engine = JaxEngine(case.cell, dt_ms=DT, dtype=np.float64)
    changed = {**case.overrides, (name, conductance): 0.95 * values[conductance]}
    runs = [
        engine.run(case.events, overrides=o, injected_nA=case.injected_nA, stride=4).v_mV
        for o in (case.overrides, changed)
    ]
    assert np.max(np.abs(runs[1] - runs[0]), axis=(0, 1)).min() > 1e-3
    if len(case.conditions) == 2:
        assert np.max(np.abs(runs[0][:, :, 1] - runs[0][:, :, 0])) > 1e-3


@pytest.mark.neuron
def test_parameters_of_each_lane_are_its_own():
    cell = small_cell()
    nav, kv = cell.placement("nav"), cell.placement("kv")
    rng = np.random.default_rng(4)
    overrides = {
        ("nav", "gbar"): nav.parameters["gbar"][:, None] * rng.uniform(0.8, 1.2, (len(nav.compartments), 3)),
        ("nmda", "gmax"): np.array([[8e-4, 2e-3, 0.0]]),
        ("kv", "gbar"): 1.1 * kv.parameters["gbar"],
        ("km", "gbar"): 5e-4,
    }
    events = small_events(3, 120.0)
    run = exact(cell).run(events, overrides=overrides, record=range(cell.table.n))
    for lane in range(3):
        reference = run_neuron(cell, events, lane, overrides=overrides)
        assert np.max(np.abs(run.v_mV[:, :, lane] - reference.v_mV)) < 1e-7
    assert len({tuple(run.spike_ms[run.spike_lane == lane]) for lane in range(3)}) == 3


@pytest.mark.slow
def test_single_precision_and_analytic_slopes_keep_the_spikes():
    events = small_events(16, 320.0)
    reference = exact(small_cell()).run(events, stride=8)
    analytic = JaxEngine(small_cell(), dt_ms=DT, dtype=np.float64).run(events, stride=8)
    single = JaxEngine(small_cell(), dt_ms=DT, dtype=np.float32).run(events, stride=8)
    total = reference.counts().sum()
    assert total > 100
    assert np.abs(analytic.counts() - reference.counts()).sum() == 0
    assert np.max(np.abs(analytic.v_mV - reference.v_mV)) < 0.5
    # Rounding may move a spike across the threshold; expected counts must not notice.
    assert np.abs(single.counts() - reference.counts()).sum() <= 0.02 * total
    assert single.v_mV.dtype == np.float32


def test_a_coarser_step_converges_to_the_reference_step():
    """First-order scheme: the error of a subthreshold voltage halves with the step."""
    cell = small_cell()
    soma = []
    for factor in (1, 2, 4):
        dt = DT * factor
        n_steps = round(60.0 / dt)
        none = Events.none(n_lanes=1, n_steps=n_steps, dt_ms=dt)
        current = np.where(np.arange(n_steps) * dt < 40.0, 0.05, 0.0)
        run = JaxEngine(cell, dt_ms=dt, dtype=np.float64).run(none, injected_nA=current, stride=4 // factor)
        assert run.counts()[0] == 0
        soma.append(run.v_mV[:, 0, 0])
    coarse, fine = (np.max(np.abs(soma[i] - soma[i - 1])) for i in (2, 1))
    assert np.ptp(soma[0]) > 3.0
    assert coarse / fine == pytest.approx(2.0, rel=0.1)


def test_a_forward_difference_needs_double_precision():
    with pytest.raises(ValueError, match="needs float64"):
        Twin(small_cell(), dt_ms=DT, dtype=np.float32, derivative="forward_difference")


@pytest.mark.parametrize("key", [("nosuch", "gbar"), ("nav", "nosuch")])
def test_unknown_overrides_are_refused(key):
    with pytest.raises(ValueError, match="nosuch"):
        Twin(small_cell(), dt_ms=DT).parameters({key: 1.0})
