"""The native engine against the twin it is printed from."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ketune.afferents import Drive, Grating, hard_events, place_synapses
from ketune.cell_model import build_cell
from ketune.engines import native_engine
from ketune.engines._elementwise import Statements, UnprintableError
from ketune.engines.jax_engine import JaxEngine
from ketune.engines.native_engine import NativeEngine, compiler, forward_engine
from ketune.morphology import SMALL_MORPHOLOGY, read_morphology

pytestmark = pytest.mark.skipif(compiler() is None, reason="needs a C++ compiler")
DT = 0.05
DRIVE = Drive(peak_rate_hz=12.0, background_rate_hz=2.0)


@cache
def cell():
    """The shipped model, all its mechanisms, on the small morphology."""
    return build_cell(None, read_morphology(SMALL_MORPHOLOGY))


@cache
def events(n_trials=7):
    grating = Grating((0.0, 90.0, float("nan")), window_ms=150.0, warm_up_ms=50.0)
    layout = place_synapses(cell(), seed=2)
    return hard_events(layout, grating, DRIVE, trials=range(n_trials), seed=4, dt_ms=DT)


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
    """21 lanes: a whole block and a part of one. Single precision drifts apart within spikes."""
    twin, native = runs(dtype)
    assert native.counts(50.0).max() >= 3
    assert native.v_mV.shape == twin.v_mV.shape
    assert native.v_mV.dtype == dtype
    np.testing.assert_allclose(native.time_ms, twin.time_ms)
    assert np.abs(native.v_mV - twin.v_mV).max() < tolerance_mV
    np.testing.assert_array_equal(native.spike_lane, twin.spike_lane)
    np.testing.assert_allclose(native.spike_ms, twin.spike_ms, atol=1.5 * DT)


def test_parameters_change_the_numbers_and_not_the_source():
    engine = NativeEngine(cell(), dt_ms=DT)
    control, dosed = (engine._source(o) for o in ({}, {("nmda", "gmax"): 1e-5, ("nav", "gbar"): 0.05}))
    assert control.text == dosed.text
    one = {("nmda", "gmax"): np.full(len(cell().placement("nmda").compartments), 1e-5)}
    found, expected = (
        kind(cell(), dt_ms=DT, dtype=np.float64).run(events(), overrides=one, stride=50).v_mV
        for kind in (NativeEngine, JaxEngine)
    )
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_what_it_cannot_do_the_jax_engine_does():
    """Parameters that differ from lane to lane, and injected current."""
    engine = NativeEngine(cell(), dt_ms=DT)
    n = events().n_lanes
    per_lane = {("nmda", "gmax"): np.linspace(1e-4, 1e-3, n)[None, :]}
    current = np.zeros(events().n_steps)
    for options in ({"overrides": per_lane}, {"injected_nA": current}):
        found, expected = (
            e.run(events(), stride=100, **options).v_mV for e in (engine, JaxEngine(cell(), dt_ms=DT))
        )
        np.testing.assert_allclose(found, expected)


def test_without_a_compiler_the_jax_engine_runs_everything(monkeypatch):
    assert isinstance(forward_engine(cell(), dt_ms=DT), NativeEngine)
    monkeypatch.setattr(native_engine, "compiler", lambda: None)
    without = forward_engine(cell(), dt_ms=DT)
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


def test_statements_fold_what_follows_from_parameters():
    """exp(-dt / tau) is computed once for each compartment; what depends on the voltage is printed."""
    statements = Statements()
    p = {"tau": np.array([1.0, 2.0, 4.0]), "dt": np.full(3, 0.1)}
    lines, (result,) = statements.print(
        lambda x, p: [jnp.where(x[0] > 0, x[0] * jnp.exp(-p["dt"] / p["tau"]), 3.0)],
        ["v"],
        p,
        np.dtype(np.float64),
    )
    assert lines == [
        "const bool x1 = v > real(0.0);",
        "const real x2 = v * c[0];",
        "const real x3 = x1 ? x2 : real(3.0);",
    ]
    assert result == "x3"
    np.testing.assert_allclose(statements.constants[0], np.exp(-0.1 / p["tau"]))


def test_an_unknown_function_is_refused_and_not_guessed():
    with pytest.raises(UnprintableError, match="erf"):
        Statements().print(lambda x, p: [jax.lax.erf(x[0])], ["v"], {}, np.dtype(np.float64))


def test_what_cannot_be_compiled_runs_under_jax_with_a_warning(monkeypatch, tmp_path):
    """A compiler that fails, and a cache that cannot be written."""
    monkeypatch.setenv("CXX", "false")
    monkeypatch.setenv("KETUNE_CACHE_DIR", str(tmp_path / "empty"))
    engine = NativeEngine(cell(), dt_ms=DT)
    with pytest.warns(UserWarning, match="using JAX"):
        run = engine.run(events(), overrides=OVERRIDES, keep_voltage=False)
    np.testing.assert_array_equal(run.counts(), runs(np.float32)[0].counts())
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KETUNE_CACHE_DIR", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="using JAX"):
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
