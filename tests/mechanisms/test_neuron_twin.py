"""Every mechanism alone, and all of them on one cell, in NEURON and through the translated functions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from single_compartment import Protocol, run_jax, run_neuron

from ketune import mechanisms

pytestmark = pytest.mark.neuron

MODS = Path(__file__).parent / "mods"
DENSITY = {
    "leak": {"g": 2e-4, "e": -60.0},
    "nav": {"gbar": 0.03, "vshift": -4.0, "block": 0.2},
    "kv": {"gbar": 0.01, "vshift": 3.0, "block": 0.1},
    "km": {"gbar": 0.001},
    "ka": {"gbar": 0.01},
    "hcn1": {"gbar": 5e-4, "dv_ket": 6.0, "rho_ket": 0.3},
    "cahva": {"gbar": 2e-4},
    "calva": {"gbar": 2e-4},
    "nap": {"gbar": 2e-4},
    "gabatonic": {"g": 1e-4, "gain": 1.7},
}
POINT = {
    "AMPA": {"gmax": 0.002, "e": 3.0},
    "NMDA": {"gmax": 0.002, "mg": 1.2, "block": 0.4},
    "GABAA": {"gmax": 0.003, "tau_rise": 1.0, "tau_decay": 0.9},  # the clamp on the rise time acts
}
# concentrations, schemes or connections with a history: test_ketamine_markov, test_plastic_synapses, and the comparison
# of whole cells
ELSEWHERE = {"NMDA5", "NMDA10", "AMPA_STP", "NMDA_STP", "GABAA_STP", "capool", "sk"}
USER = {
    "instant": {"g": 1e-3, "scale": 0.5},
    "drift": {"g": 3e-4},
    "bisyn": {"tau1": 20.0, "tau2": 5.0},
}
STEPS = ((5.0, 60.0, 0.12), (80.0, 60.0, -0.08), (150.0, 40.0, 0.4))
EVENTS = (100, 101, 101, 400, 410, 420, 2000, 2001, 5000, 5040, 5080, 7000)


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    mechanisms.load_into_neuron()
    mechanisms.load_into_neuron([MODS / f"{name}.mod" for name in USER])


def compare(protocol: Protocol, tolerance_mv: float = 1e-9) -> np.ndarray:
    """Require equality of the voltage and the states at every step; return the voltage."""
    v, states = run_jax(protocol, mechanisms.load("leak"))
    reference, reference_states = run_neuron(protocol)
    assert v.shape == reference.shape == (protocol.n_steps + 1,)
    assert np.ptp(reference) > 5.0  # something happened
    np.testing.assert_allclose(v, reference, rtol=0.0, atol=tolerance_mv)
    for name, values in reference_states.items():
        np.testing.assert_allclose(states[name], values, rtol=1e-9, atol=tolerance_mv / 100.0, err_msg=name)
    return v


def test_every_shipped_mechanism_has_a_case() -> None:
    assert set(mechanisms.names()) == {*DENSITY, *POINT, *ELSEWHERE}


@pytest.mark.parametrize("celsius", [23.0, 37.0])
@pytest.mark.parametrize("name", DENSITY)
def test_density_mechanism_under_current_steps(name: str, celsius: float) -> None:
    compare(Protocol(((mechanisms.load(name), DENSITY[name]),), STEPS, celsius=celsius))


@pytest.mark.parametrize("name", POINT)
def test_synapse_under_an_event_train(name: str) -> None:
    compare(Protocol(((mechanisms.load(name), POINT[name]),), STEPS[:2], EVENTS, weight=0.8))


@pytest.mark.parametrize("name", USER)
def test_users_file(name: str) -> None:
    mechanism = mechanisms.load(MODS / f"{name}.mod")
    compare(Protocol(((mechanism, USER[name]),), STEPS[:2], EVENTS, weight=0.001))


def test_all_mechanisms_together_spike_alike() -> None:
    cell = {**DENSITY, "nav": {"gbar": 0.12, "vshift": -5.0}, "kv": {"gbar": 0.03}}
    everything = tuple((mechanisms.load(name), values) for name, values in {**cell, **POINT}.items())
    # spikes amplify rounding
    v = compare(Protocol(everything, STEPS, EVENTS, weight=0.5), tolerance_mv=1e-7)
    spikes = np.sum((v[:-1] < 0.0) & (v[1:] >= 0.0))
    assert spikes >= 3
