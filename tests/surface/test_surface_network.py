"""Training: a tiny network recovers a known mean and the law of the counts around it."""

import numpy as np
import pytest

from ketune.surface import INPUTS, Surface, Training, Trials
from ketune.surface._network import moments

LOW, HIGH = np.log(0.3), np.log(3.0)
QUICK = Training(hidden=16, steps=1500, learning_rate=1e-2)


def expected_count(inputs):
    basal, apical, _, pv, _, ampa, nmda, pv_nS, _, window = inputs.T
    return 12.0 * window * basal * apical**0.4 * (ampa * nmda) ** 0.5 / (1.0 + 0.4 * pv * pv_nS)


def some_inputs(n, seed):
    return np.exp(np.random.default_rng(seed).uniform(LOW, HIGH, (n, len(INPUTS))))


def some_trials(dispersion):
    rng = np.random.default_rng(3)
    inputs = some_inputs(6000, 4)
    mean = expected_count(inputs)
    # A negative binomial as gamma mixture of Poisson counts.
    gamma = 1.0 if dispersion == 1 else rng.gamma(mean / (dispersion - 1), (dispersion - 1) / mean)
    return Trials(inputs, rng.poisson(mean * gamma), np.zeros(len(inputs), int))


@pytest.fixture(scope="module")
def trained():
    return Surface.trained(some_trials(1.0), QUICK, seed=2, made={"cell": "formula"})


def test_mean_of_poisson_counts_is_recovered(trained):
    inputs = some_inputs(2000, 7)
    mean, dispersion = map(np.asarray, trained.moments(np.log(inputs)))
    off = np.log(mean / expected_count(inputs))
    assert abs(off.mean()) < 0.03
    assert off.std() < 0.12
    assert np.median(dispersion[mean > 3]) == pytest.approx(1.0, abs=0.1)


def test_dispersion_of_broader_counts_is_recovered():
    surface = Surface.trained(some_trials(3.0), QUICK, seed=2)
    mean, dispersion = map(np.asarray, surface.moments(np.log(some_inputs(2000, 7))))
    assert np.median(dispersion[mean > 3]) == pytest.approx(3.0, rel=0.15)


def test_one_seed_gives_one_network(trained):
    again = Surface.trained(some_trials(1.0), QUICK, seed=2)
    for layer, same in zip(trained.weights, again.weights, strict=True):
        for a, b in zip(layer, same, strict=True):
            np.testing.assert_array_equal(a, b)


def test_beyond_training_the_rate_stays_that_of_the_border(trained):
    inside = np.log(some_inputs(5, 8))
    outside = inside.copy()
    outside[:, 0] = trained.high[0] + 2.0
    border = inside.copy()
    border[:, 0] = trained.high[0]
    np.testing.assert_array_equal(trained.moments(outside)[0], trained.moments(border)[0])


def test_rates_and_dispersions_stay_in_their_range():
    out = np.array([[1e3, 50.0], [-1e3, -50.0]])
    mean, dispersion = moments(out, np.log(0.5))
    np.testing.assert_allclose(mean, [200.0, 0.5e-4], rtol=1e-5)
    np.testing.assert_allclose(np.log(dispersion), [3.0, -3.0])
