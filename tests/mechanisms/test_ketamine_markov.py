"""The NMDA receptor schemes with ketamine bound: the .mod files in NEURON against matrices and measurements.

The protocols are those of docs/nmda-ketamine.md; the page's numbers come from the same functions.
"""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

pytestmark = pytest.mark.neuron

SCRIPT = Path(__file__).parents[2] / "docs" / "scripts" / "ketamine_markov.py"
BOTH = pytest.mark.parametrize("name", ["NMDA5", "NMDA10"])


@pytest.fixture(scope="module")
def markov() -> ModuleType:
    """The page's script."""
    spec = importlib.util.spec_from_file_location("ketamine_markov", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@BOTH
@pytest.mark.parametrize(("v", "mg", "ket"), [(-66.0, 1.0, 4.0), (-20.0, 0.3, 40.0), (50.0, 0.0, 10.0)])
def test_the_file_has_the_rates_of_the_reference(markov, name: str, v: float, mg: float, ket: float) -> None:
    """Step by step, after two events: NEURON's implicit step is (1 - dt Q)^-1 with the reference's Q."""
    rows = {"mg": mg, "ket": ket, "block0": 0.3, "k_esc": 1e-3}
    bench = markov.Clamped(name, v, [rows])
    scheme, bath, dt = bench.scheme, markov.Bath(v, mg, ket, 1e-3), 0.025
    x, glu = scheme.rest(bath, 0.3), 0.0
    np.testing.assert_allclose(bench.states()[0], x, rtol=0.0, atol=1e-12)
    for n in range(400):
        if n in (0, 200):
            bench.event()
            glu += markov.GLU_PEAK_mM
        bench.advance(dt, dt)
        glu *= math.exp(-dt / markov.TAU_GLU_ms)
        x = np.linalg.solve(np.eye(len(x)) - dt * scheme.matrix(glu, bath), x)
    # the clamp holds the voltage within 1e-6 mV
    np.testing.assert_allclose(bench.states()[0], x, rtol=0.0, atol=1e-8)
    assert x[scheme.states.index("O")] > 1e-3
    assert bench.receptors[0].glu == pytest.approx(glu, rel=1e-9)


@BOTH
def test_long_steps_reach_the_exact_steady_state(markov, name: str) -> None:
    bench = markov.Clamped(name, -40.0, [{"mg": 1.0, "ket": 3.0}])
    bench.hold_glutamate(1.0)
    bench.advance(2e3, 1.0)
    bench.advance(4e6, 2e3)
    np.testing.assert_allclose(
        bench.states()[0], bench.scheme.steady(1.0, markov.Bath(-40.0, 1.0, 3.0)), rtol=0.0, atol=1e-7
    )


@BOTH
def test_binding_rate_is_the_macroscopic_one_over_the_open_probability(markov, name: str) -> None:
    po = markov.open_probability(markov.REFERENCE[name])
    assert po == pytest.approx({"NMDA5": 0.2197, "NMDA10": 0.0483}[name], abs=1e-4)
    bench = markov.Clamped(name, -66.0, [{}])
    assert bench.receptors[0].k_on == pytest.approx(markov.MACROSCOPIC_ON / po, rel=0.01)
    assert bench.receptors[0].k_on == pytest.approx(markov.REFERENCE[name].k_on, rel=1e-12)
    assert bench.receptors[0].k_esc == pytest.approx(-math.log(0.86) / 120e3, rel=0.01)


@BOTH
def test_half_block_without_and_with_magnesium(markov, name: str) -> None:
    doses = (0.1, 1.0, 10.0, 100.0)
    half, hill = markov.hill_fit(doses, markov.dose_response(name, -66.0, 0.0, doses))
    assert half == pytest.approx(0.33, rel=0.03)  # in by construction; the escape adds 2.5 %
    assert hill == pytest.approx(1.0, abs=1e-6)
    half, hill = markov.hill_fit(doses, markov.dose_response(name, -66.0, 1.0, doses))
    assert hill == pytest.approx(1.0, abs=1e-6)
    assert half == pytest.approx(markov.exact_ic50(markov.REFERENCE[name], -66.0, 1.0), rel=1e-5)
    # measured 5.35 uM (recalled): 12 % above it with magnesium in equilibrium, a miss of 57 % with the explicit arm
    assert half == pytest.approx({"NMDA5": 5.98, "NMDA10": 8.42}[name], rel=0.01)


@BOTH
def test_block_is_trapped_and_leaves_with_agonist(markov, name: str) -> None:
    *_, kept, left = markov.trap(name)
    assert kept == pytest.approx(0.86, abs=0.03)  # measured 0.86 +- 0.01, from which k_esc comes
    # measured "complete"; missed with the affinity of GluN1/2A in cells, met with that of Gilling et al. 2009
    assert left == pytest.approx(0.07, abs=0.01)
    *_, kept, left = markov.trap(name, scale_ket=markov.GILLING_SCALE)
    assert left < 0.005
    assert kept > 0.8


@BOTH
@pytest.mark.parametrize(("ket", "expected_s"), [(1.0, 4.95), (10.0, 0.65)])
def test_onset_takes_as_long_as_the_macroscopic_rates_say(
    markov, name: str, ket: float, expected_s: float
) -> None:
    _, current, (tau, miss, mean) = markov.onset(name, ket, 1.0)
    assert mean == pytest.approx(expected_s, rel=0.03)
    assert current[-1] == pytest.approx(1.0 / (1.0 + ket / 0.33), abs=0.01)
    if name == "NMDA5":  # one exponential; with ten states slow desensitisation splits it
        assert tau == pytest.approx(expected_s, rel=0.05)
        assert miss < 0.02


@BOTH
@pytest.mark.parametrize(("rate", "v"), [(2.0, -66.0), (8.0, -30.0)])
def test_block_under_synaptic_drive(markov, name: str, rate: float, v: float) -> None:
    steady, t63 = markov.drive(name, rate, v)
    exact, exact_t63 = markov.exact_drive(markov.REFERENCE[name], rate, markov.Bath(v, 1.0, 4.0))
    assert steady == pytest.approx(exact, abs=5e-4)
    assert t63 == pytest.approx(exact_t63, rel=0.01)  # of the step of 0.025 ms around events


@pytest.mark.parametrize(("rate", "v"), [(2.0, -66.0), (0.5, -30.0), (8.0, -30.0)])
def test_two_equal_sites_explain_the_earlier_table(markov, rate: float, v: float) -> None:
    bath = markov.Bath(v, 1.0, 4.0, k_mg=3.95)
    steady, t63 = markov.exact_drive(markov.REFERENCE["NMDA5"], rate, bath, two_sites=True)
    expected, expected_t63 = markov.DRIVE_TARGET[rate, v]
    assert steady == pytest.approx(expected, abs=0.01)
    assert t63 == pytest.approx(expected_t63, rel=0.06)


def test_without_escape_five_states_are_in_balance(markov) -> None:
    """The block that block0 starts with does not move under any drive: the equilibrium is the same in every state."""
    v, mg, ket = -40.0, 1.0, 2.0
    bath = markov.Bath(v, mg, ket)
    block = ket / (ket + bath.k_ket / markov.free_pore(bath))
    bench = markov.Clamped("NMDA5", v, [{"mg": mg, "ket": ket, "k_esc": 0.0, "block0": block}])
    for _ in range(10):
        bench.event()
        bench.advance(50.0, 0.05)
        assert bench.block()[0] == pytest.approx(block, abs=1e-7)


def test_ten_states_with_magnesium_are_driven(markov) -> None:
    """Even without escape the steady block depends on the rate of events: the published rates do not balance."""
    scheme = markov.REFERENCE["NMDA10"]
    slow, fast = (
        markov.exact_drive(scheme, rate, markov.Bath(-66.0, 1.0, 4.0, 0.0))[0] for rate in (0.5, 8.0)
    )
    assert fast > slow + 0.05
    slow, fast = (
        markov.exact_drive(scheme, rate, markov.Bath(-66.0, 0.0, 0.3, 0.0))[0] for rate in (2.0, 8.0)
    )
    assert fast == pytest.approx(slow, abs=1e-6)


@BOTH
def test_one_event_peaks_at_the_conductance_of_a_contact(markov, name: str) -> None:
    bench = markov.Clamped(name, -66.0, [{"mg": 0.0}])
    bench.event()
    peak = 0.0
    for _ in range(60):
        bench.advance(0.5, 0.025)
        peak = max(peak, bench.states()[0, bench.scheme.states.index("O")])
    from ketune import mechanisms

    text = mechanisms.mod_path(name).read_text(encoding="utf-8")
    gmax = float(text.split("gmax = ")[1].split()[0])
    assert gmax * peak == pytest.approx(0.0004, rel=0.02)


@BOTH
def test_without_glutamate_nothing_moves_but_the_escape(markov, name: str) -> None:
    bench = markov.Clamped(name, -66.0, [{"ket": 10.0, "block0": 0.6}])
    before = bench.states()[0]
    bench.advance(1e4, 1e2)
    assert bench.block()[0] == pytest.approx(0.6 * math.exp(-markov.K_ESC * 1e4), rel=3e-4)
    moved = bench.states()[0] - before
    assert np.sum(np.abs(moved)) == pytest.approx(2.0 * (0.6 - bench.block()[0]), rel=0.05)
