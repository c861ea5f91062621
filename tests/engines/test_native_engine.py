"""The native engine against the twin it is printed from."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ketune import _compiled
from ketune._compiled import compiler
from ketune.afferents import Drive, Grating, hard_events, place_synapses
from ketune.cell_model import build_cell
from ketune.engines import create, describe
from ketune.engines._elementwise import Statements, UnprintableError
from ketune.engines.jax_engine import JaxEngine
from ketune.engines.native_engine import NativeEngine
from ketune.errors import InputError
from ketune.morphology import SMALL_MORPHOLOGY, read_morphology
from ketune.verify_cases import mechanism_case

pytestmark = pytest.mark.skipif(compiler() is None, reason="needs a C++ compiler")
DT = 0.05
DRIVE = Drive(peak_rate_hz=12.0, background_rate_hz=2.0)


@cache
def cell():
    """The shipped model, all its mechanisms, on the small morphology."""
    return build_cell(None, read_morphology(SMALL_MORPHOLOGY))


@cache
def events(n_trials=7, dt_ms=DT):
    grating = Grating((0.0, 90.0, float("nan")), window_ms=150.0, warm_up_ms=50.0)
    layout = place_synapses(cell(), seed=2)
    return hard_events(layout, grating, DRIVE, trials=range(n_trials), seed=4, dt_ms=dt_ms)


OVERRIDES = {("gaba_pv", "gmax"): 2e-4, ("gaba_sst", "gmax"): 2e-4, ("ampa", "gmax"): 1.5e-3}


@cache
def runs(dtype):
    record = (3, cell().table.n - 1)
    return tuple(
        kind(cell(), dt_ms=DT, dtype=dtype).run(events(), overrides=OVERRIDES, record=record, stride=7)
        for kind in (JaxEngine, NativeEngine)
    )


@pytest.mark.parametrize(("dtype", "tolerance_mV"), [(np.float64, 1e-6), (np.float32, 0.5)])
def test_voltages_and_spikes_are_the_twins(dtype, tolerance_mV):
    """21 lanes: whole blocks and a part of one. Single precision, the twin's too, drifts off within spikes."""
    twin, native = runs(np.float64)[0], runs(dtype)[1]
    assert native.counts(50.0).max() >= 3
    assert native.v_mV.shape == twin.v_mV.shape
    assert native.v_mV.dtype == dtype
    np.testing.assert_allclose(native.time_ms, twin.time_ms)
    assert np.abs(native.v_mV - twin.v_mV).max() < tolerance_mV
    np.testing.assert_array_equal(native.spike_lane, twin.spike_lane)
    np.testing.assert_allclose(native.spike_ms, twin.spike_ms, atol=1.5 * DT)


def test_parameters_change_the_numbers_and_not_the_source():
    engine = NativeEngine(cell(), dt_ms=DT)

    def source(overrides):
        parameters = engine.twin.parameters(overrides)
        _, initial = engine.twin.initial(parameters, 1)
        return engine.printer.print(parameters, initial).text

    assert source({}) == source({("nmda", "gmax"): 1e-5, ("nav", "gbar"): 0.05})
    one = {("nmda", "gmax"): np.full(len(cell().placement("nmda").compartments), 1e-5)}
    found, expected = (
        kind(cell(), dt_ms=DT, dtype=np.float64).run(events(), overrides=one, stride=50).v_mV
        for kind in (NativeEngine, JaxEngine)
    )
    np.testing.assert_allclose(found, expected, atol=1e-6)


def ramp(n_steps, n_lanes):
    """A current into the soma that grows, lane by lane more (nA)."""
    return np.linspace(0.0, 0.2, n_steps)[:, None] * np.linspace(-1.0, 2.0, n_lanes)


def per_lane(n_lanes):
    """Of each kind of override: one value for each lane, and one for each compartment and lane."""
    n = len(cell().placement("nav").compartments)
    return {
        ("nmda", "gmax"): np.linspace(1e-4, 1e-3, n_lanes)[None, :],
        ("nav", "gbar"): np.linspace(0.9, 1.1, n)[:, None] * np.linspace(0.02, 0.06, n_lanes),
        ("ampa", "tau_decay"): np.linspace(1.5, 4.0, n_lanes)[None, :],
    }


STATES = (("nav", "m"), ("nmda", "B"), ("km", "n"))
OPTIONS = {
    "parameters of each lane": lambda n_steps, n: {"overrides": per_lane(n)},
    "a current into every lane": lambda n_steps, n: {"injected_nA": ramp(n_steps, 2)[:, 1]},
    "a current into each lane": lambda n_steps, n: {"injected_nA": ramp(n_steps, n)},
    "recorded states": lambda n_steps, n: {"variables": STATES, "overrides": OVERRIDES},
    "another temperature": lambda n_steps, n: {"celsius": 31.0, "overrides": OVERRIDES},
}


# At 0.05 ms the second-order scheme lets this cell's spikes overshoot to 100 mV, and rounding errors grow with them.
@pytest.mark.parametrize(("scheme", "dt_ms"), [("backward_euler", 0.05), ("second_order", 0.025)])
@pytest.mark.parametrize("what", OPTIONS)
def test_the_kernel_takes_what_the_twin_takes(what, scheme, dt_ms, monkeypatch):
    """21 lanes in three blocks; the twin does not help."""
    several = events(dt_ms=dt_ms)
    options = OPTIONS[what](several.n_steps, several.n_lanes) | {"stride": 20, "record": (3,)}
    native, twin = (
        kind(cell(), dt_ms=dt_ms, dtype=np.float64, scheme=scheme) for kind in (NativeEngine, JaxEngine)
    )
    expected = twin.run(several, **options)
    monkeypatch.setattr(JaxEngine, "_run_block", None)
    found = native.run(several, **options)
    assert describe(native)["name"] == "native"
    assert np.ptp(expected.v_mV) > 10.0
    np.testing.assert_allclose(found.v_mV, expected.v_mV, rtol=0, atol=1e-6)
    assert set(found.variables) == set(options.get("variables", ()))
    for key, x in expected.variables.items():
        assert found.variables[key].shape == x.shape
        np.testing.assert_allclose(found.variables[key], x, rtol=0, atol=1e-8 * np.abs(x).max())


def test_single_precision_takes_lanes_of_their_own_too():
    n_steps, n = events().n_steps, events().n_lanes
    options = {"overrides": per_lane(n), "injected_nA": ramp(n_steps, n), "stride": 20}
    expected = JaxEngine(cell(), dt_ms=DT, dtype=np.float64).run(events(), **options)
    found = NativeEngine(cell(), dt_ms=DT, dtype=np.float32).run(events(), **options)
    assert found.v_mV.dtype == np.float32
    np.testing.assert_allclose(found.v_mV, expected.v_mV, rtol=0, atol=0.5)


def test_synapses_with_connections_of_their_own_run_under_xla():
    case = mechanism_case("NMDA5", 5.0)
    options = {"dt_ms": 0.025, "dtype": np.float64}
    native = NativeEngine(case.cell, **options)
    found, expected = (
        e.run(case.events, injected_nA=case.injected_nA).v_mV
        for e in (native, JaxEngine(case.cell, **options))
    )
    np.testing.assert_array_equal(found, expected)
    assert describe(native)["name"] == "xla"
    assert "self-events" in describe(native)["not_native"]


def test_a_variable_that_is_no_state_is_the_twins_affair():
    with pytest.raises(InputError, match="'cai' is no ion variable that changes"):
        NativeEngine(cell(), dt_ms=DT).run(events(), variables=[("ions", "cai")])
    with pytest.raises(KeyError, match="nowhere"):
        NativeEngine(cell(), dt_ms=DT).run(events(), variables=[("nowhere", "m")])


def test_without_a_compiler_the_jax_engine_runs_everything(monkeypatch):
    options = {"dt_ms": DT, "dtype": np.float32}
    assert isinstance(create(cell(), **options), NativeEngine)
    monkeypatch.setattr(_compiled, "compiler", lambda: None)
    without = create(cell(), **options)
    assert isinstance(without, JaxEngine)
    assert not isinstance(without, NativeEngine)


def test_progress_is_told_and_voltage_left_out_where_not_wanted():
    seconds = []
    run = NativeEngine(cell(), dt_ms=DT).run(
        events(), overrides=OVERRIDES, keep_voltage=False, on_advance=seconds.append
    )
    assert sum(seconds) == pytest.approx(events().n_lanes * 0.2)
    assert run.v_mV.shape == (0, 1, events().n_lanes)
    np.testing.assert_array_equal(run.counts(), runs(np.float32)[1].counts())


def test_statements_fold_what_follows_from_constants():
    """exp(-dt / tau) is computed once for each compartment; what depends on the voltage is printed."""
    statements = Statements()
    tau, dt = np.array([[1.0], [2.0], [4.0]]), np.full((3, 1), 0.1)
    lines, (result,) = statements.print(
        lambda x, c: [jnp.where(x[0] > 0, x[0] * jnp.exp(-c[1] / c[0]), 3.0)], ["v"], [tau, dt]
    )
    assert lines == [
        "const N x1 = (v > splat(real(0.0)));",
        "const V x2 = v * c[0];",
        "const V x3 = choose(x1, x2, splat(real(3.0)));",
    ]
    assert result == "x3"
    assert not statements.by_lane
    np.testing.assert_allclose(statements.constants[0], np.exp(-0.1 / tau))


def test_statements_keep_what_differs_between_lanes_apart():
    statements = Statements()
    shared, own = np.array([[1.0], [2.0]]), np.arange(6.0).reshape(2, 3)
    lines, results = statements.print(
        lambda x, c: [x[0] * c[0] + x[0] * c[1], x[0] * 0.0, x[0] * 1.0, c[1]], ["v"], [shared, own]
    )
    assert lines == [
        "const V x1 = v * c[0];",
        "const V x2 = v * by_lane[0];",
        "const V x3 = x1 + x2;",
    ]
    assert results == ["x3", "splat(real(0.0))", "v", "splat(by_lane[0])"]
    np.testing.assert_array_equal(statements.by_lane[0], own)


def test_an_unknown_function_is_refused_and_not_guessed():
    with pytest.raises(UnprintableError, match="erf"):
        Statements().print(lambda x, c: [jax.lax.erf(x[0])], ["v"], [])


def test_what_cannot_be_compiled_runs_under_jax_with_a_warning(monkeypatch, tmp_path):
    """A compiler that fails, and a cache that cannot be written."""
    monkeypatch.setenv("CXX", "false")
    monkeypatch.setenv("KETUNE_CACHE_DIR", str(tmp_path / "empty"))
    engine = NativeEngine(cell(), dt_ms=DT)
    with pytest.warns(UserWarning, match="using XLA"):
        run = engine.run(events(), overrides=OVERRIDES, keep_voltage=False)
    np.testing.assert_array_equal(run.counts(), runs(np.float32)[0].counts())
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KETUNE_CACHE_DIR", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="using XLA"):
        NativeEngine(cell(), dt_ms=DT).run(events(), overrides=OVERRIDES, keep_voltage=False)


def test_events_and_records_outside_the_cell_are_refused():
    engine = NativeEngine(cell(), dt_ms=DT)
    outside = replace(events(), compartment=events().compartment + cell().table.n)
    with pytest.raises(ValueError, match="lacks"):
        engine.run(outside)
    with pytest.raises(ValueError, match="record"):
        engine.run(events(), record=(-1,))


def test_one_synapse_may_hear_two_ports():
    """Half of the excitatory events through a second port: the same voltages."""
    plain = cell()
    double = replace(plain, ports={**plain.ports, "more": plain.ports["exc"]})
    several = events()
    exc = several.port_names.index("exc")
    port = several.port.copy()
    port[(port == exc) & (np.arange(len(port)) % 2 == 0)] = len(several.port_names)
    split = replace(several, port=port, port_names=(*several.port_names, "more"))
    for kind in (JaxEngine, NativeEngine):
        found = kind(double, dt_ms=DT, dtype=np.float64).run(split, overrides=OVERRIDES, stride=50).v_mV
        expected = kind(plain, dt_ms=DT, dtype=np.float64).run(several, overrides=OVERRIDES, stride=50).v_mV
        np.testing.assert_allclose(found, expected, atol=1e-6)
