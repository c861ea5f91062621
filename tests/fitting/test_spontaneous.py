"""The prior on a spontaneous rate that was not recorded."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketune.fitting import SpontaneousRate
from ketune.fitting._counts import mixture_likelihood
from ketune.fitting._observed import likelihood_of

COUNTS = st.floats(0.0, 100.0)


@given(limit=COUNTS, mean=COUNTS)
def test_a_limit_costs_nothing_below_it(limit, mean):
    value, slope, information = SpontaneousRate(limit).penalty(mean)
    if mean <= limit:
        assert (value, slope, information) == (0.0, 0.0, 0.0)
    elif mean > limit + 1e-6:
        assert value < 0
        assert slope < 0 < information


@given(count=COUNTS, mean=COUNTS)
def test_a_known_rate_is_the_most_likely_one(count, mean):
    prior = SpontaneousRate(count, known=True)
    assert prior.penalty(mean)[0] <= prior.penalty(count)[0] == 0.0


@given(count=COUNTS, mean=st.floats(0.1, 100.0), known=st.booleans())
def test_slope_is_the_derivative_of_the_penalty(count, mean, known):
    prior = SpontaneousRate(count, known)
    h = 1e-5
    difference = (prior.penalty(mean + h)[0] - prior.penalty(mean - h)[0]) / (2 * h)
    assert prior.penalty(mean)[1] == pytest.approx(difference, rel=1e-3, abs=1e-2)


def test_a_tenth_more_than_the_limit_costs_two_units():
    """ln(1.1) is 1.9 standard deviations of the logarithm."""
    value, _, _ = SpontaneousRate(99.5).penalty(109.5)
    assert value == pytest.approx(-0.5 * (np.log(1.1) / 0.05) ** 2)


def test_in_the_form_of_a_likelihood():
    law = SpontaneousRate(4.0).likelihood(np.array([3.0, 5.0, 10.0]))
    value, slope, _ = SpontaneousRate(4.0).penalty(6.0)
    assert law.log_likelihood == value
    np.testing.assert_allclose(law.multiplicity @ law.score, slope / 3)
    assert law.bias_correction == 0.0


def test_recorded_counts_keep_their_own_likelihood():
    counts, expected = np.array([3, 5, 4]), np.array([3.0, 4.5])
    assert likelihood_of(counts, expected, 1.2).log_likelihood == (
        mixture_likelihood(counts, expected, 1.2).log_likelihood
    )
