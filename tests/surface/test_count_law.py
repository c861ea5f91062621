"""The law of a count against SciPy, sums and finite differences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ketune._jax import jax
from ketune.surface import log_count_law

COUNTS = np.arange(400.0)
MEANS = st.floats(0.01, 80.0)


@given(mean=MEANS, dispersion=st.floats(1.01, 15.0))
def test_above_one_it_is_the_negative_binomial(mean, dispersion):
    size = mean / (dispersion - 1)
    expected = stats.nbinom.logpmf(COUNTS[:150], size, 1 / dispersion)
    np.testing.assert_allclose(log_count_law(COUNTS[:150], mean, dispersion), expected, rtol=1e-7, atol=1e-7)


@given(mean=MEANS)
def test_at_one_it_is_poissons(mean):
    np.testing.assert_allclose(
        log_count_law(COUNTS[:150], mean, 1.0), stats.poisson.logpmf(COUNTS[:150], mean), rtol=1e-9, atol=1e-9
    )


@given(mean=MEANS, dispersion=st.floats(0.05, 1.0))
def test_below_one_it_sums_to_one(mean, dispersion):
    assert np.exp(log_count_law(COUNTS, mean, dispersion)).sum() == pytest.approx(1.0, abs=0.011)


@pytest.mark.parametrize("dispersion", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("mean", [3.0, 6.0, 12.0, 40.0])
def test_below_one_it_has_the_moments(mean, dispersion):
    law = np.exp(log_count_law(COUNTS, mean, dispersion))
    found = law @ COUNTS
    # Its dispersion is the one asked for beyond few spikes, and nears 1 with the square of mean / (mean + 1) below.
    expected = 1 + (dispersion - 1) * (mean / (mean + 1)) ** 2
    assert found == pytest.approx(mean, rel=0.006)
    assert law @ (COUNTS - found) ** 2 / found == pytest.approx(expected, rel=0.04)


def test_the_dispersion_is_that_asked_for_at_many_spikes():
    law = np.exp(log_count_law(COUNTS, 100.0, 0.5))
    assert law @ (COUNTS - 100.0) ** 2 / 100.0 == pytest.approx(0.5, rel=0.03)


@given(mean=MEANS, n=st.integers(0, 100))
def test_continuous_where_the_laws_meet(mean, n):
    below, above = (float(log_count_law(n, mean, d)) for d in (1.001 - 1e-12, 1.001 + 1e-12))
    # The law of 1.001 deviates from Poisson's by this much, on either side.
    assert abs(above - below) < 2e-3 * (1 + (n - mean) ** 2 / mean)


@given(mean=st.floats(0.05, 20.0), dispersion=st.floats(0.05, 4.0), n=st.integers(0, 30))
def test_no_step_in_the_mean(mean, dispersion, n):
    near, far = (float(log_count_law(n, mean * (1 + h), dispersion)) for h in (1e-9, -1e-9))
    assert near == pytest.approx(far, abs=1e-5)


def test_no_step_at_a_mean_of_one_spike():
    below, above = (float(log_count_law(1, m, 0.3)) for m in (1 - 1e-9, 1 + 1e-9))
    assert above == pytest.approx(below, abs=1e-6)


@pytest.mark.parametrize("dispersion", [0.1, 0.6, 0.99, 1.2, 6.0])
@pytest.mark.parametrize("mean", [0.02, 0.9, 1.1, 7.0, 90.0])
@pytest.mark.parametrize("n", [0.0, 1.0, 9.0, 120.0])
def test_gradients_are_finite_differences(n, mean, dispersion):
    slope = jax.grad(log_count_law, argnums=(1, 2))(n, mean, dispersion)
    for found, step in zip(slope, ((1e-5, 0.0), (0.0, 1e-5)), strict=True):
        a, b = np.multiply(step, (mean, dispersion))
        difference = (
            log_count_law(n, mean + a, dispersion + b) - log_count_law(n, mean - a, dispersion - b)
        ) / (2 * (a + b))
        np.testing.assert_allclose(found, difference, rtol=1e-5, atol=1e-6)


def test_no_nan_at_no_spikes_expected():
    value, slope = jax.value_and_grad(log_count_law, argnums=1)(0.0, 0.0, 0.5)
    assert value == pytest.approx(0.0, abs=1e-5)
    assert np.isfinite(slope)
