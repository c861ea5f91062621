"""`ketune verify` says no when the engines differ, when NEURON fails and when the cells are too quiet."""

from dataclasses import replace

import numpy as np
import pytest

from ketune import verify
from ketune.cli import _describe_verify
from ketune.engines.neuron_engine import NeuronResult
from ketune.verify_cases import calcium_case, mechanism_case, spiking_case

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
