"""Counts apart for each drift direction: their difference is tuning, not variability."""

import numpy as np
import pytest

from ketune.fitting import DirectionCounts, SpontaneousRate
from ketune.fitting._counts import mixture_likelihood
from ketune.fitting._observed import fano_of, likelihood_of
from ketune.tuning import fano_factor

RNG = np.random.default_rng(0)
THERE, BACK = RNG.poisson(20.0, 60), RNG.poisson(5.0, 60)
BOTH = DirectionCounts((THERE, BACK))
EXPECTED = np.array([10.0, 12.0, 15.0])


def test_moments_are_those_of_the_orientation_with_variance_within_directions():
    assert len(BOTH) == 120
    assert BOTH.mean() == pytest.approx(np.r_[THERE, BACK].mean())
    assert BOTH.centred().mean() == pytest.approx(BOTH.mean())
    within = fano_factor(np.r_[THERE, BACK], np.repeat([0, 1], 60)).value
    assert fano_of(BOTH) == pytest.approx(within)
    assert fano_of(np.r_[THERE, BACK]) > 3 * within


def test_each_direction_is_judged_at_its_share_of_the_mean():
    law = likelihood_of(BOTH, EXPECTED, 1.2)
    each = [mixture_likelihood(c, c.mean() / BOTH.mean() * EXPECTED, 1.2) for c in (THERE, BACK)]
    assert law.log_likelihood == pytest.approx(sum(x.log_likelihood for x in each))
    assert law.log_likelihood > likelihood_of(np.r_[THERE, BACK], EXPECTED, 1.2).log_likelihood + 50


def test_score_is_the_derivative():
    law = likelihood_of(BOTH, EXPECTED, 1.2)
    found = law.multiplicity @ law.score
    h = 1e-5
    for i, e in enumerate(h * np.eye(3)):
        up, down = (likelihood_of(BOTH, EXPECTED + s * e, 1.2).log_likelihood for s in (1, -1))
        assert found[i] == pytest.approx((up - down) / (2 * h), rel=1e-5)


def test_the_most_likely_mean_is_that_of_both_directions():
    scale = np.linspace(0.5, 2.0, 301)
    value = [likelihood_of(BOTH, np.array([s * BOTH.mean()]), 1.0).log_likelihood for s in scale]
    assert scale[np.argmax(value)] == pytest.approx(1.0, abs=0.01)


def test_few_trials_of_each_direction_are_not_biased():
    few = DirectionCounts((np.array([20, 24]), np.array([5, 3])))
    assert fano_of(few) == pytest.approx(fano_factor([20, 24, 5, 3], [0, 0, 1, 1]).value)
    single = DirectionCounts((np.array([20]), np.array([5])))
    np.testing.assert_array_equal(single.centred(), [20.0, 5.0])


def test_a_silent_direction_is_no_obstacle():
    silent = DirectionCounts((THERE, np.zeros(60, int)))
    assert np.isfinite(likelihood_of(silent, EXPECTED, 1.0).log_likelihood)
    nothing = DirectionCounts((np.zeros(5, int), np.zeros(5, int)))
    assert np.isfinite(likelihood_of(nothing, EXPECTED, 1.0).log_likelihood)
    assert fano_of(nothing) == 0.0


def test_an_assumed_blank_and_a_single_trial_have_no_fano_factor_of_their_own():
    assert fano_of(SpontaneousRate(3.0)) == fano_of(np.array([4])) == 1.0
