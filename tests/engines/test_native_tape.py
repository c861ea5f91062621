"""The kernel's own adjoint: against the twin's gradient under XLA, and against finite differences."""

import warnings
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from test_tape import _STEPS_AT_KINKS, STEPS, check_parameters, depolarising, smooth_readout, spiking_case

from ketune import mechanisms
from ketune._compiled import compiler
from ketune.engines import describe
from ketune.engines._rate_tables import RANGE_mV
from ketune.engines.jax_engine import JaxEngine
from ketune.engines.native_engine import NativeEngine
from ketune.engines.native_tape import _LEAST_STRETCH
from ketune.events import Events
from ketune.verify_cases import DT_ms, mechanism_case

pytestmark = pytest.mark.skipif(compiler() is None, reason="needs a C++ compiler")

N_STEPS = 10 * _LEAST_STRETCH + 7  # stretches, and a part of one
TO_THE_TWIN = 1e-9
# Currents (nA) that drive a cell with this channel beyond the upper end of the tables.
CURRENTS_nA = {"nav": 3.0, "kv": 24.0, "cahva": 3.0, "hcn1": 3.0, "nap": 3.0}


def has_an_adjoint(name):
    cell = mechanism_case(name, 1.0).cell
    engine = NativeEngine(cell, dt_ms=DT_ms)
    return engine.reason_for_xla(gradient=True) is None and not cell.tells_connections_apart


PLAIN = [name for name in mechanisms.names() if has_an_adjoint(name)]
# The second-order scheme steps all mechanisms of a kind alike.
OF_EACH_KIND = ("leak", "nav", "hcn1", "NMDA")


@cache
def case_of(name):
    return mechanism_case(name, N_STEPS * DT_ms)


def engine_of(case, kind=NativeEngine, scheme="backward_euler", dtype=np.float64):
    return kind(case.cell, dt_ms=DT_ms, dtype=dtype, scheme=scheme)


def tapes(case, events, scheme="backward_euler", **options):
    """The twin's tape and the kernel's, which must not have handed over."""
    twin, native = (engine_of(case, kind, scheme) for kind in (JaxEngine, NativeEngine))
    found = [engine.tape(events, **options) for engine in (twin, native)]
    assert describe(native)["name"] == "native"
    return found


def assert_same_gradient(found, expected, rtol=TO_THE_TWIN):
    """To the largest derivative in the same parameter, or weight."""
    assert found.parameters.keys() == expected.parameters.keys()
    pairs = [(found.weight, expected.weight, "weight")]
    pairs += [(found.parameters[key], x, key) for key, x in expected.parameters.items()]
    for one, other, what in pairs:
        assert one.shape == other.shape
        scale = np.abs(other).max(initial=0.0)
        np.testing.assert_allclose(one, other, rtol=0, atol=rtol * scale, err_msg=str(what))


def lanes_of(events, n_lanes):
    return Events.stack([events.select([0])] * n_lanes)


@pytest.mark.parametrize(
    ("name", "scheme"),
    [*((name, "backward_euler") for name in PLAIN), *((name, "second_order") for name in OF_EACH_KIND)],
)
def test_every_parameter_of_every_mechanism_against_the_twin(name, scheme):
    case = case_of(name)
    keys = [(p.label, key) for p in case.cell.placements for key in p.parameters]
    record = (case.cell.table.n - 1, 0)
    twins, kernels = tapes(
        case,
        case.events.select([0]),
        scheme,
        wrt=keys,
        injected_nA=depolarising(N_STEPS),
        record=record,
    )
    np.testing.assert_allclose(kernels.v_mV, twins.v_mV, rtol=0, atol=1e-8)
    cotangent = smooth_readout(twins.v_mV)
    found, expected = (tape.gradient(cotangent) for tape in (kernels, twins))
    assert_same_gradient(found, expected)
    assert all(np.abs(x).max() > 0 for x in expected.parameters.values())


@pytest.mark.parametrize("name", PLAIN)
def test_every_parameter_of_every_mechanism_against_finite_differences(name):
    """Each parameter moved in lanes of its own: they fill several blocks."""
    case = case_of(name)
    keys = [(name, key) for key in case.cell.placement(name).parameters]
    check_parameters(case, keys, _STEPS_AT_KINKS if name == "ka" else STEPS, NativeEngine)


def test_a_spiking_cell_against_finite_differences(tiny_cell, tiny_layout):
    """Through spikes."""
    case, keys = spiking_case(tiny_cell, tiny_layout)
    assert check_parameters(case, keys, _STEPS_AT_KINKS, NativeEngine).max() > 0


@pytest.mark.parametrize(
    ("form", "scheme"),
    [*((form, "backward_euler") for form in ("own", "each lane", "column", "row")), ("row", "second_order")],
)
def test_forms_of_overrides_and_more_lanes_than_a_block(form, scheme):
    """Lanes that differ in parameters and in current, asked for in every form of override."""
    case, n = case_of("NMDA"), 37
    gmax, weight = case.cell.placement("NMDA").parameters["gmax"], np.linspace(0.5, 1.5, n)
    values = {
        "own": None,
        "each lane": gmax[:, None] * weight,
        "column": gmax[:, None],
        "row": 5e-4 * weight[None, :],
    }
    key = ("NMDA", "gmax")
    overrides = {("leak", "g"): np.linspace(1e-4, 2e-4, n)[None, :], ("NMDA", "mg"): 1.5}
    if values[form] is not None:
        overrides[key] = values[form]
    current = depolarising(N_STEPS)[:, None] * np.linspace(0.5, 1.0, n)
    twins, kernels = tapes(
        case,
        lanes_of(case.events, n),
        scheme,
        wrt=[key, ("NMDA", "tau_decay"), ("leak", "g")],
        overrides=overrides,
        injected_nA=current,
        record=(2, 0, 2),
    )
    np.testing.assert_allclose(kernels.v_mV, twins.v_mV, rtol=0, atol=1e-9)
    cotangent = smooth_readout(twins.v_mV) * np.linspace(-1.0, 2.0, n)
    assert_same_gradient(kernels.gradient(cotangent), twins.gradient(cotangent))


@pytest.mark.parametrize("name", CURRENTS_nA)
def test_voltages_outside_the_tables(name):
    """There rates are computed directly, and so are those of the block's other lanes; then all return."""
    t = np.arange(N_STEPS) * DT_ms
    pulse = (t > 1.0) & (t < 5.0)
    current = np.stack([CURRENTS_nA[name] * pulse, -1.5 * pulse, 0.1 * pulse], axis=1)
    case = case_of(name)
    keys = [(name, key) for key in case.cell.placement(name).parameters]
    twins, kernels = tapes(case, lanes_of(case.events, 3), wrt=keys, injected_nA=current, record=(0, 3))
    low, high = RANGE_mV
    assert twins.v_mV[..., 0].max() > high + 20.0
    assert twins.v_mV[..., 1].min() < low - 20.0
    np.testing.assert_allclose(kernels.v_mV, twins.v_mV, rtol=0, atol=1e-6)
    cotangent = smooth_readout(twins.v_mV)
    assert_same_gradient(kernels.gradient(cotangent), twins.gradient(cotangent))


def spoilt(how, case, n, lane):
    """Options with something that is not a number, in one lane."""
    current = np.repeat(depolarising(N_STEPS)[:, None], n, axis=1)
    events = lanes_of(case.events, n)
    rows = len(case.cell.placement("NMDA").compartments)
    gmax = np.full((rows, n), 5e-4)
    if how == "current":
        current[N_STEPS // 2, lane] = np.nan
    if how == "weight":
        weight = events.weight.copy()
        weight[np.flatnonzero(events.lane == lane)[0]] = np.nan
        events = replace(events, weight=weight)
    if how == "parameter":
        gmax[1, lane] = np.nan
    return events, {"injected_nA": current, "overrides": {("NMDA", "gmax"): gmax}}


@pytest.mark.parametrize("how", ["current", "weight", "parameter"])
def test_what_is_not_a_number_stays_in_its_lane(how):
    case, n, lane = case_of("NMDA"), 19, 4
    engine, wrt = engine_of(case), [("NMDA", "gmax")]
    events, options = spoilt("nothing", case, n, lane)
    clean = engine.tape(events, wrt=wrt, **options)
    events, options = spoilt(how, case, n, lane)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tape = engine.tape(events, wrt=wrt, **options)
        run = engine.run(events, **options)
    others = np.arange(n) != lane
    assert np.isnan(tape.v_mV[-1, 0, lane])
    np.testing.assert_allclose(tape.v_mV[..., others], clean.v_mV[..., others], rtol=0, atol=1e-9)
    np.testing.assert_array_equal(run.v_mV, tape.v_mV)
    found, expected = (t.gradient(smooth_readout(clean.v_mV)) for t in (tape, clean))
    np.testing.assert_allclose(
        found.parameters[wrt[0]][:, others], expected.parameters[wrt[0]][:, others], rtol=TO_THE_TWIN
    )
    assert np.isnan(found.parameters[wrt[0]][:, lane]).any()
    elsewhere = events.lane != lane
    np.testing.assert_allclose(found.weight[elsewhere], expected.weight[elsewhere], rtol=TO_THE_TWIN)
    assert np.isnan(found.weight[~elsewhere]).any()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_same_bits_from_one_thread_and_from_two(dtype):
    case, n = case_of("nav"), 100
    engine = engine_of(case, dtype=dtype)
    current = depolarising(N_STEPS)[:, None] * np.linspace(0.2, 1.0, n)
    events, wrt = lanes_of(case.events, n), [("nav", "gbar"), ("leak", "e")]
    runs = [engine.run(events, injected_nA=current, threads=threads) for threads in (1, 2)]
    np.testing.assert_array_equal(runs[0].v_mV, runs[1].v_mV)
    made = [engine.tape(events, wrt=wrt, injected_nA=current, threads=threads) for threads in (1, 2)]
    np.testing.assert_array_equal(made[0].v_mV, made[1].v_mV)
    first, second = (tape.gradient(smooth_readout(tape.v_mV)) for tape in made)
    for key in wrt:
        np.testing.assert_array_equal(first.parameters[key], second.parameters[key])
    np.testing.assert_array_equal(first.weight, second.weight)


def test_a_tape_has_the_voltages_of_a_run_and_may_be_asked_again():
    case = case_of("NMDA")
    engine, events = engine_of(case), lanes_of(case.events, 11)
    current = depolarising(N_STEPS)
    run = engine.run(events, injected_nA=current, record=(4, 2))
    tape = engine.tape(events, wrt=[("NMDA", "gmax")], injected_nA=current, record=(4, 2))
    assert tape.v_mV.shape == (N_STEPS + 1, 2, 11)
    np.testing.assert_array_equal(tape.v_mV, run.v_mV[:, [run.recorded.index(4), run.recorded.index(2)]])
    cotangent = smooth_readout(tape.v_mV)
    once, again, twice = (tape.gradient(x) for x in (cotangent, cotangent, 2.0 * cotangent))
    np.testing.assert_array_equal(once.weight, again.weight)
    np.testing.assert_array_equal(2.0 * once.weight, twice.weight)
    with pytest.raises(ValueError, match="shape"):
        tape.gradient(cotangent[:-1])


def test_events_that_reach_no_synapse_have_no_gradient():
    case = case_of("NMDA")
    deaf = replace(case.events.select([0]), port_names=("nowhere",))
    tape = engine_of(case).tape(deaf, wrt=[("NMDA", "gmax")])
    gradient = tape.gradient(smooth_readout(tape.v_mV))
    assert not gradient.weight.any()
    assert not gradient.parameters["NMDA", "gmax"].any()


def test_nothing_asked_for_but_weights():
    case = case_of("AMPA")
    twins, kernels = tapes(case, case.events.select([0]), wrt=[])
    cotangent = smooth_readout(twins.v_mV)
    assert_same_gradient(kernels.gradient(cotangent), twins.gradient(cotangent))


@pytest.mark.parametrize("name", ["NMDA", "nav", "hcn1"])
def test_single_precision_is_close(name):
    case = case_of(name)
    key = next((name, k) for k in ("gmax", "gbar") if k in case.cell.placement(name).parameters)
    found = []
    for dtype in (np.float64, np.float32):
        tape = engine_of(case, dtype=dtype).tape(
            case.events.select([0]), wrt=[key], injected_nA=depolarising(N_STEPS)
        )
        assert tape.v_mV.dtype == dtype
        found.append(tape.gradient(smooth_readout(tape.v_mV)).parameters[key])
    np.testing.assert_allclose(found[1], found[0], rtol=0, atol=1e-3 * np.abs(found[0]).max())
