"""`ketune verify` says no when the engines differ, when NEURON fails and when the cells are too quiet."""

from dataclasses import replace

import numpy as np
import pytest

from ketune import verify
from ketune.cli import _describe_verify
from ketune.engines.native_engine import NativeEngine
from ketune.engines.neuron_engine import NeuronResult
from ketune.errors import InputError
from ketune.verify_cases import calcium_case, mechanism_case, spiking_case
from ketune.verify_native import float32_figures

pytestmark = pytest.mark.neuron


def only(monkeypatch, *chosen):
    monkeypatch.setattr(verify, "cases", lambda duration_ms: iter(chosen))


def test_agreement(monkeypatch):
    only(monkeypatch, mechanism_case("leak", 100.0), mechanism_case("gabatonic", 100.0))
    result = verify.run_verify(duration_ms=100.0)
    assert result["ok"]
    assert [(c["name"], c["condition"]) for c in result["cases"]] == [
        ("leak", "control"), ("gabatonic", "control"), ("gabatonic", "ketamine"),
    ]  # fmt: skip
    assert result["max_dv_mV"] == max(c["max_dv_mV"] for c in result["cases"]) < 1e-9
    for case in result["cases"]:
        assert case["ok"]
        assert case["max_mV"] - case["min_mV"] > 5.0


def test_temperatures_are_entries_of_their_own(monkeypatch):
    only(monkeypatch, calcium_case(40.0), mechanism_case("kv", 40.0))
    result = verify.run_verify(duration_ms=40.0)
    assert result["ok"], result["cases"]
    assert [(c["condition"], c["celsius"]) for c in result["cases"]] == [
        ("control", 6.3), ("control", 23.0), ("control", 37.0),
        ("control", 6.3), ("ketamine", 6.3), ("control", 23.0), ("ketamine", 23.0), ("control", 37.0),
        ("ketamine", 37.0),
    ]  # fmt: skip
    assert all(c["max_dstate_rel"] < verify.CONTRACT_STATE for c in result["cases"] if "max_dstate_rel" in c)
    lines = list(_describe_verify(result))
    assert sum("6.3 degC" in line for line in lines) == 3
    assert lines[-1].startswith("NEURON and JAX agree: max |dV|")


def test_one_temperature_that_differs_is_a_no(monkeypatch):
    only(monkeypatch, mechanism_case("kv", 40.0))
    run = verify.run_in_processes

    def warmer(jobs, **options):
        changed = [
            replace(j, cell=replace(j.cell, celsius=23.1)) if j.cell.celsius == 23.0 else j for j in jobs
        ]
        return run(changed, **options)

    monkeypatch.setattr(verify, "run_in_processes", warmer)
    result = verify.run_verify(duration_ms=40.0)
    assert not result["ok"]
    assert {c["celsius"] for c in result["cases"] if not c["ok"]} == {23.0}


def test_a_difference_in_one_compartment_is_found_and_located(monkeypatch):
    case = mechanism_case("leak", 100.0)
    only(monkeypatch, case)
    value = case.cell.placement("leak").parameters["e"].copy()
    value[7] += 1e-3
    other = case.cell.with_parameters({("leak", "e"): value})
    run = verify.run_in_processes

    def of_another_cell(jobs, **options):
        return run([replace(job, cell=other) for job in jobs], **options)

    monkeypatch.setattr(verify, "run_in_processes", of_another_cell)
    result = verify.run_verify(duration_ms=100.0)
    (entry,) = result["cases"]
    assert not result["ok"]
    assert 1e-6 < entry["max_dv_mV"] < 1e-3
    assert entry["compartment"] == 7
    assert entry["problem"].startswith("differs by")


@pytest.mark.parametrize("status", ["failed", "timeout", "crashed"])
def test_neuron_that_does_not_finish_is_a_no(monkeypatch, status):
    only(monkeypatch, mechanism_case("leak", 5.0))
    lost = NeuronResult(status, None, "gone", 1.0)
    monkeypatch.setattr(verify, "run_in_processes", lambda jobs, **_: [lost for _ in jobs])
    result = verify.run_verify(duration_ms=5.0)
    assert not result["ok"]
    assert result["max_dv_mV"] is None
    assert result["cases"][0]["problem"] == "NEURON: gone"


def test_a_voltage_that_is_no_number_is_a_no(monkeypatch):
    only(monkeypatch, mechanism_case("leak", 5.0))
    run = verify.run_in_processes

    def broken(jobs, **options):
        (result,) = run(jobs, **options)
        result.run.v_mV[50, 3] = np.nan
        return [result]

    monkeypatch.setattr(verify, "run_in_processes", broken)
    result = verify.run_verify(duration_ms=5.0)
    assert not result["ok"]
    assert (result["cases"][0]["compartment"], result["cases"][0]["at_ms"]) == (3, 1.25)


@pytest.mark.slow
def test_a_synaptic_case_without_enough_spikes_is_a_no(monkeypatch):
    only(monkeypatch, spiking_case("small_pyramidal", 60.0))
    result = verify.run_verify(duration_ms=60.0)
    assert not result["ok"]
    assert result["max_dv_mV"] < 1e-7
    for entry in result["cases"]:
        assert entry["n_spikes"] < verify.MIN_SPIKES
        assert "n_spikes is" in entry["problem"]
        assert "n_nmda_spikes is" in entry["problem"]


def bent(monkeypatch, change):
    """Native engines whose runs are changed."""
    run = NativeEngine.run

    def changed(self, events, **options):
        return change(self, run(self, events, **options))

    monkeypatch.setattr(NativeEngine, "run", changed)


def test_the_native_engine_has_a_figure_of_its_own_in_every_entry(monkeypatch):
    only(monkeypatch, mechanism_case("NMDA", 100.0), mechanism_case("NMDA5", 20.0))
    result = verify.run_verify(duration_ms=100.0)
    assert result["ok"], result["cases"]
    native = [e for e in result["cases"] if e["name"] == "NMDA"]
    others = [e for e in result["cases"] if e["name"] == "NMDA5"]
    assert len(native) == 2
    assert others
    assert all(e["native"]["engine"] == "native" for e in native)
    assert result["max_dv_native_mV"] == max(e["native"]["max_dv_mV"] for e in native) < 1e-9
    # the magnesium block bends the current, and a slope over 0.001 mV is not the tangent
    assert all(1e-9 < e["native"]["max_dv_neuron_mV"] < 1e-2 for e in native)
    assert all(e["native"]["engine"] == "xla" and e["native"]["reason"] for e in others)
    lines = list(_describe_verify(result))
    assert sum("  native " in line for line in lines) == 2
    assert sum("runs under XLA: " in line for line in lines) == len(others)
    assert "; native and JAX agree: max |dV|" in lines[-1]


def test_a_native_engine_that_differs_is_a_no(monkeypatch):
    only(monkeypatch, mechanism_case("gabatonic", 20.0))

    def off(engine, run):
        run.v_mV[30, 2, 1] += 2e-6
        return run

    bent(monkeypatch, off)
    result = verify.run_verify(duration_ms=20.0)
    control, drugged = result["cases"]
    assert control["ok"]
    assert not result["ok"]
    assert not drugged["ok"]
    assert drugged["max_dv_mV"] < 1e-9
    assert drugged["native"]["max_dv_mV"] == pytest.approx(2e-6, rel=1e-3)
    assert (drugged["native"]["compartment"], drugged["native"]["at_ms"]) == (2, 0.75)
    assert "native differs from JAX by 2.0e-06 mV in compartment 2 at 0.75 ms" in drugged["problem"]
    assert list(_describe_verify(result))[-1].startswith("FAILED in 1 of 2 cases; NEURON and JAX: max |dV|")


def test_one_engine_alone(monkeypatch):
    only(monkeypatch, mechanism_case("leak", 20.0))
    result = verify.run_verify(duration_ms=20.0, engine="xla")
    assert result["ok"]
    assert result["cases"][0]["native"] is None
    assert result["max_dv_native_mV"] is None
    only(monkeypatch, mechanism_case("leak", 20.0))
    monkeypatch.setattr(verify, "run_in_processes", None)  # NEURON does not run
    result = verify.run_verify(duration_ms=20.0, engine="native")
    assert result["ok"]
    assert result["max_dv_mV"] is None
    assert result["cases"][0]["native"]["max_dv_neuron_mV"] is None
    assert list(_describe_verify(result))[-1].startswith("native and JAX agree: max |dV|")
    with pytest.raises(InputError, match="not known"):
        verify.run_verify(engine="gpu")


def test_spikes_in_single_precision_are_counted():
    double = np.array([10.0, 20.0, 30.0, 40.0])
    assert float32_figures(double + 0.1, double)["share_kept"] == 1.0
    assert float32_figures(double + 0.125, double)["share_kept"] == 0.0
    assert float32_figures(double[:3], double) == {"n_spikes": 3, "n_spikes_float64": 4, "share_kept": 0.75}
    assert float32_figures(np.append(double, 45.0), double)["share_kept"] == 0.8
    assert float32_figures(np.empty(0), double)["share_kept"] == 0.0
    assert float32_figures(np.empty(0), np.empty(0))["share_kept"] == 1.0


@pytest.mark.slow
def test_too_few_spikes_in_single_precision_are_a_no(monkeypatch):
    case = spiking_case("small_pyramidal", 150.0)
    only(monkeypatch, case)

    def quiet(engine, run):
        return replace(run, spike_ms=run.spike_ms + 1.0) if engine.twin.dtype == np.float32 else run

    bent(monkeypatch, quiet)
    result = verify.run_verify(duration_ms=150.0, engine="native")
    assert any(
        "native in float32 has 0% of the spikes within 0.1 ms" in e["problem"] for e in result["cases"]
    )
    assert not result["ok"]
