"""Gating under Poisson events: the translated mechanism against the hand-written scheme, and averages against it."""

import importlib.util
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from ketune._jax import jax, jnp
from ketune.pharmacology import mean_open_probability
from ketune.pharmacology._gating import excess_open_time_s, mean_gating, scheme

SCRIPTS = Path(__file__).parents[2] / "docs" / "scripts"
RATES_HZ = np.array([0.1, 0.5, 2.0, 8.0])


@cache
def reference():
    """The schemes of docs/scripts/ketamine_markov.py, written without the .mod files."""
    spec = importlib.util.spec_from_file_location("ketamine_markov", SCRIPTS / "ketamine_markov.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def gating(glu_mM):
    """Generator of the five states without drug, /s."""
    return 1e3 * reference().REFERENCE["NMDA5"].matrix(glu_mM, reference().Bath())[:5, :5]


@cache
def pulse(duration_ms=30.0, step_ms=0.02):
    """Map of one pulse of glutamate, by the midpoint rule."""
    total = np.eye(5)
    for k in range(round(duration_ms / step_ms)):
        total = expm(gating(np.exp(-(k + 0.5) * step_ms / 1.2)) * step_ms * 1e-3) @ total
    return total


@settings(max_examples=40, deadline=None)
@given(st.floats(-90, 40), st.floats(0, 1.5), st.floats(0, 2), st.floats(0, 200), st.floats(1e-3, 10))
def test_rates_are_those_of_the_scheme_written_a_second_time(v, glu, mg, ket, k_on):
    bath = reference().Bath(v=v, mg=mg, ket=ket)
    expected = 1e3 * reference().REFERENCE["NMDA5"].matrix(glu, bath, k_on * 1e-3)
    s = scheme()
    u = reference().free_pore(bath)
    got = (
        s.rest
        + glu * s.glutamate
        + k_on * ket * u * s.binding
        + k_on * bath.k_ket * s.unbinding
        + reference().K_ESC * 1e3 * s.escape
    )
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)


def test_a_kick_is_the_pulse_once_it_is_over():
    """Both copies get the same, and 30 ms after the event the state is that of the real pulse."""
    event = scheme().event
    np.testing.assert_allclose(event[5:, 5:], event[:5, :5], atol=1e-12)
    assert not event[:5, 5:].any()
    np.testing.assert_allclose(expm(gating(0.0) * 0.03) @ event[:5, :5], pulse(), atol=3e-6)


def test_rare_events_open_as_much_as_single_ones():
    """The integral of the open probability after one event, times the rate."""
    after, step = [np.eye(5)[0]], 1e-4
    for k in range(300):
        after.append(expm(gating(np.exp(-(k + 0.5) * 0.1 / 1.2)) * step) @ after[-1])
    one = np.trapezoid([x[4] for x in after], dx=step)
    slow = expm(np.block([[gating(0.0), np.eye(5)], [np.zeros((5, 10))]]) * 60.0)
    one += (slow[:5, 5:] @ after[-1])[4]
    assert mean_open_probability(1e-3) == pytest.approx(1e-3 * one, rel=1e-3)


def test_open_probability_of_the_page():
    np.testing.assert_allclose(
        mean_open_probability(RATES_HZ), [0.00482, 0.02217, 0.06833, 0.14234], rtol=1e-3
    )
    assert mean_open_probability(0.0) < 1e-5


def test_excess_over_open_probability_is_the_time_until_a_receptor_opens():
    """Mean first-passage time to O from the stationary state, with O taken out of the generator."""
    for rate in RATES_HZ:
        pi, q = mean_gating(rate), scheme().averaged_gating(rate)
        wait = -np.sum(np.linalg.solve(q[:4, :4], pi[:4]))
        assert excess_open_time_s(rate) / mean_open_probability(rate) == pytest.approx(wait, rel=1e-9)


@given(st.floats(1e-3, 20.0), st.floats(1.01, 2.0))
def test_open_probability_rises_with_rate_but_ever_less(rate, factor):
    slow, fast = mean_open_probability(rate), mean_open_probability(rate * factor)
    assert slow < fast < slow * factor
    assert np.isclose(mean_gating(rate).sum(), 1.0)


def test_jax_gives_the_same_with_its_derivative_even_when_it_comes_first():
    scheme.cache_clear()  # the scheme is then read while JAX traces
    got = jax.jit(lambda r: mean_open_probability(r, jnp))(RATES_HZ)
    np.testing.assert_allclose(got, mean_open_probability(RATES_HZ), rtol=1e-12)
    for function in (mean_open_probability, excess_open_time_s):
        slope = jax.vmap(jax.grad(lambda r, f=function: f(r, jnp)))(jnp.asarray(RATES_HZ))
        h = 1e-5 * RATES_HZ
        central = (function(RATES_HZ + h) - function(RATES_HZ - h)) / (2 * h)
        np.testing.assert_allclose(slope, central, rtol=1e-6)


def test_poisson_trains_open_the_receptor_as_often_as_their_average_says():
    """Single trains with overlapping pulses at 8 Hz; before its events a train shows its mean over time."""
    rng, tick = np.random.default_rng(5), 0.2
    ladder = [
        expm(gating(np.exp((k * tick - 24.0 - 0.5 * tick) / 1.2)) * tick * 1e-3)
        for k in range(round(26.0 / tick))
    ]
    rest = gating(0.0)
    values, vectors = np.linalg.eig(rest)
    back = np.linalg.inv(vectors)
    means = []
    for _ in range(30):
        x, level, seen = mean_gating(8.0), -24.0, []
        for gap in rng.exponential(125.0, 80):
            seen.append(x[4])
            level = 1.2 * np.log(np.exp(level / 1.2) + 1.0)
            for _ in range(round(min(gap, 24.0) / tick)):
                x = ladder[max(round((level + 24.0) / tick), 0)] @ x
                level -= tick
            x = (vectors @ (np.exp(values * max(gap - 24.0, 0.0) * 1e-3) * (back @ x))).real
            level = max(level - max(gap - 24.0, 0.0), -24.0)
        means.append(np.mean(seen))
    error = np.std(means, ddof=1) / np.sqrt(len(means))
    assert error < 0.004
    assert np.mean(means) == pytest.approx(mean_open_probability(8.0), abs=4 * error)
