"""Gradients of the JAX engine's tape against central finite differences of the same voltages."""

from dataclasses import replace

import numpy as np
import pytest

from ketune import mechanisms
from ketune.afferents import Drive, Grating, hard_events
from ketune.engines.jax_engine import JaxEngine
from ketune.engines.jax_tape import _BLOCK_LANES, _CHUNK_STEPS
from ketune.errors import InputError
from ketune.events import Events
from ketune.verify_cases import Case, DT_ms, calcium_case, mechanism_case

N_STEPS = _CHUNK_STEPS + 150  # two chunks, and steps after the end that have to be dropped
RELATIVE = 1e-6
# Two central differences, extrapolated to the fourth order; relative steps at which the order leaves less than a
# millionth. The time constants of ka have a lowest value: a step moves the time at which they reach it, and the
# difference is then of the first order in the step.
STEPS = (2e-3, 4e-3)
_STEPS_AT_KINKS = (1e-5, 2e-5)
# What the rounding of the voltages (1e-15 of 70 mV) makes of a difference over these steps, in mV.
ROUNDING = 5e-11


def adds_up(name):
    return mechanisms.load(name).merging in ("none", "linear")


def depolarising(n_steps=N_STEPS):
    """A current that opens every channel, and lets it close again (nA)."""
    t = np.arange(n_steps) * DT_ms
    return 0.15 + 0.2 * np.sin(2 * np.pi * t / 20.0)


def smooth_readout(v_mV):
    """The cotangent of a smooth weighting of the recorded voltages over time, the same in every lane."""
    n_times, n_rows, n_lanes = v_mV.shape
    weight = np.sin(np.linspace(0.3, 5.0, n_times))[:, None] * np.linspace(1.0, 0.5, n_rows) / n_times
    return np.repeat(weight[:, :, None], n_lanes, axis=2)


def perturbed(value, steps=STEPS):
    """Beside the value in lane 0: moved by each step up and down in the four lanes after it, and the unit of a step."""
    unit = np.where(value == 0, 1.0, np.abs(value))
    moved = [value + sign * h * unit for h in steps for sign in (1, -1)]
    return np.stack(moved, axis=-1), unit


def extrapolated(readout, steps=STEPS):
    """The derivative from the readouts of the four lanes, in units of the step."""
    fine, coarse = ((readout[2 * i] - readout[2 * i + 1]) / (2 * h) for i, h in enumerate(steps))
    return fine + (fine - coarse) / ((steps[1] / steps[0]) ** 2 - 1)


def check_parameters(case, keys, steps=STEPS, kind=JaxEngine):
    """Every parameter of ``keys`` moved as a whole, all moves as lanes of one tape of an engine of this kind."""
    events = case.events.select([0])
    n_lanes = 1 + 4 * len(keys)
    overrides, units = {}, {}
    for i, (label, name) in enumerate(keys):
        value = case.cell.placement(label).parameters[name]
        lanes = np.repeat(value[:, None], n_lanes, axis=1)
        lanes[:, 1 + 4 * i : 5 + 4 * i], units[label, name] = perturbed(value, steps)
        overrides[label, name] = lanes
    engine = kind(case.cell, dt_ms=DT_ms, dtype=np.float64)
    tape = engine.tape(
        Events.stack([events] * n_lanes),
        wrt=keys,
        overrides=overrides,
        injected_nA=depolarising(events.n_steps),
        record=(0, case.cell.table.n - 1),
    )
    cotangent = smooth_readout(tape.v_mV)
    readout = np.sum(cotangent * tape.v_mV, axis=(0, 1))
    first_lane_only = cotangent * (np.arange(n_lanes) == 0)
    gradient = tape.gradient(first_lane_only)
    for i, key in enumerate(keys):
        found = gradient.parameters[key]
        assert found.shape == overrides[key].shape
        assert not found[:, 1:].any()
        expected = extrapolated(readout[1 + 4 * i : 5 + 4 * i], steps)
        rounding = ROUNDING * STEPS[0] / steps[0]
        assert abs(expected) > 1e3 * rounding, key
        np.testing.assert_allclose(
            found[:, 0] @ units[key], expected, rtol=RELATIVE, atol=rounding, err_msg=str(key)
        )
    return tape.v_mV


@pytest.mark.parametrize("name", [name for name in mechanisms.names() if adds_up(name)])
def test_every_parameter_of_every_mechanism_against_finite_differences(name):
    case = mechanism_case(name, N_STEPS * DT_ms)
    keys = [(name, key) for key in case.cell.placement(name).parameters]
    check_parameters(case, keys, _STEPS_AT_KINKS if name == "ka" else STEPS)


def test_calcium_that_channels_share():
    """Through concentrations and reversal potentials, which are states of the compartment."""
    case = calcium_case(N_STEPS * DT_ms)
    check_parameters(
        case, [("cahva", "gbar"), ("calva", "gbar"), ("capool", "gamma"), ("capool", "decay"), ("sk", "gbar")]
    )


def spiking_case(tiny_cell, tiny_layout):
    """Mechanisms on some compartments only, with events of an afferent population, and parameters of them all."""
    grating = Grating((90.0,), window_ms=30.0, warm_up_ms=0.0)
    events = hard_events(tiny_layout, grating, Drive(peak_rate_hz=20.0), trials=range(1), seed=1, dt_ms=DT_ms)
    keys = [
        ("nav", "gbar"),
        ("kv", "gbar"),
        ("hcn1", "gbar"),
        ("ampa", "gmax"),
        ("nmda", "tau_decay"),
        ("gaba_pv", "e"),
    ]
    return Case("tiny", tiny_cell, ("control",), events, {}), keys


def test_a_spiking_cell(tiny_cell, tiny_layout):
    """Through spikes."""
    assert check_parameters(*spiking_case(tiny_cell, tiny_layout), _STEPS_AT_KINKS).max() > 0


@pytest.fixture(scope="module")
def synaptic():
    """A passive cell with NMDA synapses."""
    case = mechanism_case("NMDA", N_STEPS * DT_ms)
    return case, JaxEngine(case.cell, dt_ms=DT_ms, dtype=np.float64)


def lanes_of(events, n_lanes):
    return Events.stack([events.select([0])] * n_lanes)


def test_event_weights(synaptic):
    """Of the first event, of one late, and of one of two that fall on the same step, compartment and lane."""
    case, engine = synaptic
    one = case.events.select([0])
    twice = np.append(np.arange(len(one.step)), 5)
    one = one.take(np.sort(twice))
    chosen = [0, 5, len(one.step) // 2]
    n_lanes = 1 + 4 * len(chosen)
    events = lanes_of(one, n_lanes)
    weight = events.weight.copy()
    units = []
    for i, event in enumerate(chosen):
        moved, unit = perturbed(one.weight[event])
        units.append(unit)
        for k in range(4):
            weight[np.flatnonzero(events.lane == 1 + 4 * i + k)[event]] = moved[k]
    tape = engine.tape(replace(events, weight=weight), wrt=[], injected_nA=depolarising(), record=(0, 3))
    cotangent = smooth_readout(tape.v_mV)
    readout = np.sum(cotangent * tape.v_mV, axis=(0, 1))
    gradient = tape.gradient(cotangent)
    assert gradient.parameters == {}
    assert gradient.weight.shape == weight.shape
    first_lane = gradient.weight[events.lane == 0]
    for i, event in enumerate(chosen):
        expected = extrapolated(readout[1 + 4 * i : 5 + 4 * i])
        np.testing.assert_allclose(first_lane[event] * units[i], expected, rtol=RELATIVE)
    assert np.count_nonzero(first_lane) > 0.9 * len(first_lane)


def test_one_value_for_all_lanes_and_one_for_each(synaptic):
    """More lanes than a block has: shared parameters collect what each lane's own would, in each form of override."""
    case, engine = synaptic
    n = _BLOCK_LANES + 3
    events = lanes_of(case.events, n)
    current = depolarising()[:, None] * np.linspace(0.5, 1.0, n)
    gmax = case.cell.placement("NMDA").parameters["gmax"]
    key, leak = ("NMDA", "gmax"), ("leak", "g")
    forms = {
        "own": (None, gmax),
        "lanes": (np.repeat(gmax[:, None], n, axis=1), np.repeat(gmax[:, None], n, axis=1)),
        "column": (gmax[:, None], gmax[:, None]),
    }
    found = {}
    for form, (override, shape_of) in forms.items():
        overrides = {leak: np.linspace(1e-4, 2e-4, n)[None, :]} | (
            {} if override is None else {key: override}
        )
        tape = engine.tape(events, wrt=[key], overrides=overrides, injected_nA=current, threads=2)
        cotangent = smooth_readout(tape.v_mV) * np.linspace(-1.0, 2.0, n)
        found[form] = tape.gradient(cotangent).parameters[key]
        assert found[form].shape == shape_of.shape
    scale = np.abs(found["own"]).max()
    np.testing.assert_allclose(found["lanes"].sum(axis=1), found["own"], rtol=1e-9, atol=1e-12 * scale)
    np.testing.assert_allclose(found["column"][:, 0], found["own"], rtol=1e-9, atol=1e-12 * scale)
    assert np.ptp(found["lanes"], axis=1).max() > 0.1 * scale


def test_voltages_are_those_of_a_run(synaptic):
    case, engine = synaptic
    events, current = lanes_of(case.events, 3), depolarising()
    overrides = {("NMDA", "gmax"): np.array([[1e-4, 5e-4, 1e-3]])}
    run = engine.run(events, overrides=overrides, injected_nA=current, record=(4, 2))
    tape = engine.tape(events, wrt=[], overrides=overrides, injected_nA=current, record=(4, 2))
    assert tape.v_mV.shape == (N_STEPS + 1, 2, 3)
    np.testing.assert_allclose(tape.v_mV, run.v_mV[:, [run.recorded.index(4), 2]], rtol=0, atol=1e-9)


def test_a_tape_may_be_asked_again(synaptic):
    """The gradient is linear in the cotangent."""
    case, engine = synaptic
    tape = engine.tape(case.events.select([0]), wrt=[("leak", "e")], injected_nA=depolarising())
    cotangent = smooth_readout(tape.v_mV)
    once, double = tape.gradient(cotangent), tape.gradient(2 * cotangent)
    np.testing.assert_allclose(double.weight, 2 * once.weight, rtol=1e-12)
    np.testing.assert_allclose(double.parameters["leak", "e"], 2 * once.parameters["leak", "e"], rtol=1e-12)
    with pytest.raises(ValueError, match="shape"):
        tape.gradient(cotangent[:-1])


def test_events_that_reach_no_synapse_have_no_gradient(synaptic):
    case, engine = synaptic
    one = case.events.select([0])
    deaf = replace(one, port_names=("nowhere",))
    tape = engine.tape(deaf, wrt=[("NMDA", "gmax")])
    gradient = tape.gradient(smooth_readout(tape.v_mV))
    assert not gradient.weight.any()
    assert not gradient.parameters["NMDA", "gmax"].any()


def test_single_precision_is_close(synaptic):
    case, engine = synaptic
    single = JaxEngine(case.cell, dt_ms=DT_ms, dtype=np.float32)
    found = []
    for each in (engine, single):
        tape = each.tape(case.events.select([0]), wrt=[("NMDA", "gmax")], injected_nA=depolarising())
        assert tape.v_mV.dtype == each.twin.dtype
        found.append(tape.gradient(smooth_readout(tape.v_mV)).parameters["NMDA", "gmax"].sum())
    assert found[1] == pytest.approx(found[0], rel=1e-3)


@pytest.mark.parametrize("name", ["AMPA_STP", "NMDA5"])
def test_synapses_that_tell_connections_apart_are_refused(name):
    case = mechanism_case(name, 1.0)
    with pytest.raises(InputError, match=f"{name} tells its connections apart"):
        JaxEngine(case.cell, dt_ms=DT_ms).tape(case.events, wrt=[])


def test_unknown_parameters_are_refused(synaptic):
    case, engine = synaptic
    with pytest.raises(InputError, match="no parameter 'gbar'"):
        engine.tape(case.events, wrt=[("NMDA", "gbar")])
    with pytest.raises(InputError, match="no placement 'nmda'"):
        engine.tape(case.events, wrt=[("nmda", "gmax")])
