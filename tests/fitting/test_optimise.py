"""Fisher scoring on likelihoods whose maximum SciPy finds too."""

import numpy as np
import pytest
from scipy import optimize, special

from ketune.fitting import PARAMETERS
from ketune.fitting._optimise import Derivatives, ascend

N = len(PARAMETERS)
ANGLE = np.array([p.scale == "orientation" for p in PARAMETERS])
START = np.where(ANGLE, 70.0, 0.0)


class PoissonRegression:
    """Counts whose log mean is linear in the coordinates; angles count in units of 30 degrees."""

    def __init__(self, seed, n=60, truth=None, noise=0.0):
        rng = np.random.default_rng(seed)
        self.scale = np.where(ANGLE, 1 / 30.0, 1.0)
        self.design = rng.standard_normal((n, N)) / np.sqrt(N) * self.scale
        self.truth = START + rng.uniform(-1, 1, N) / self.scale if truth is None else truth
        self.counts = rng.poisson(self.mean(self.truth))
        self.noise, self.rng = noise, rng
        self.asked: list[tuple[np.ndarray, bool]] = []

    def mean(self, u):
        return np.exp(2.0 + self.design @ (u - START))

    def log_likelihood(self, u):
        mean = self.mean(u)
        value = float(np.sum(self.counts * np.log(mean) - mean - special.gammaln(self.counts + 1)))
        return value + self.noise * self.rng.standard_normal()

    def log_likelihoods(self, coordinates):
        return np.array([self.log_likelihood(u) for u in coordinates])

    def derivatives(self, u, *, information):
        self.asked.append((u.copy(), information))
        mean = self.mean(u)
        matrix = (self.design * mean[:, None]).T @ self.design
        return Derivatives(self.design.T @ (self.counts - mean), matrix if information else None)


@pytest.mark.parametrize("seed", range(4))
def test_reaches_the_maximum_that_scipy_finds(seed):
    likelihood = PoissonRegression(seed)
    result = ascend(likelihood, START, iterations=40, tolerance=1e-6)
    scipy = optimize.minimize(
        lambda x: -likelihood.log_likelihood(START + x / likelihood.scale), np.zeros(N), method="BFGS"
    )
    assert result.status == "converged"
    assert result.log_likelihood == pytest.approx(-scipy.fun, abs=1e-4)
    np.testing.assert_allclose((result.coordinates - START) * likelihood.scale, scipy.x, atol=0.01)


def test_information_is_that_of_the_likelihood_near_the_maximum():
    likelihood = PoissonRegression(0)
    result = ascend(likelihood, START, iterations=40, tolerance=1e-6)
    at_maximum = likelihood.derivatives(result.coordinates, information=True).information
    np.testing.assert_allclose(
        result.information, at_maximum, rtol=0.05, atol=0.05 * np.abs(at_maximum).max()
    )


@pytest.mark.parametrize("noise", [0.0, 20.0])
def test_the_value_never_falls(noise):
    """Also where the likelihood is noisy and half of the steps are rejected."""
    likelihood = PoissonRegression(1, noise=noise)
    result = ascend(likelihood, START, iterations=25, tolerance=1e-9)
    assert np.all(np.diff(result.history) >= 0)
    assert result.log_likelihood == result.history[-1] == max(result.history)
    assert len(result.history) == result.iterations + 1


def test_stops_when_the_iterations_are_used_up():
    result = ascend(PoissonRegression(2), START, iterations=1, tolerance=1e-9)
    assert (result.status, result.iterations) == ("stopped", 1)


def test_a_start_at_the_maximum_stays_there():
    likelihood = PoissonRegression(3)
    best = ascend(likelihood, START, iterations=40, tolerance=1e-8).coordinates
    again = ascend(likelihood, best, iterations=40)
    assert again.status == "converged"
    np.testing.assert_allclose(again.coordinates, best, atol=1e-2)


def test_derivatives_are_asked_only_where_a_step_was_accepted_and_information_every_other_time():
    likelihood = PoissonRegression(0)
    result = ascend(likelihood, START, iterations=6, tolerance=1e-9)
    with_information = [information for _, information in likelihood.asked]
    assert with_information == [i % 2 == 0 for i in range(len(with_information))]
    accepted = 1 + int(np.sum(np.diff(result.history) > 0))
    assert len(likelihood.asked) <= accepted


class Quadratic:
    """A concave parabola whose information matrix is too small by a factor: every step overshoots."""

    def __init__(self, centre, too_small):
        self.centre, self.too_small = centre, too_small

    def log_likelihoods(self, coordinates):
        return np.array([-np.sum((u - self.centre) ** 2) for u in coordinates])

    def derivatives(self, u, *, information):
        matrix = 2 * np.eye(N) / self.too_small
        return Derivatives(-2 * (u - self.centre), matrix if information else None)


def test_steps_that_overshoot_are_rejected_and_shortened():
    centre = START + 0.5
    result = ascend(Quadratic(centre, too_small=100.0), START, iterations=60, tolerance=1e-8)
    assert np.any(np.diff(result.history) == 0)
    np.testing.assert_allclose(result.coordinates, centre, atol=0.01)


def test_steps_are_limited_and_coordinates_stay_where_bounds_end():
    far = np.where(ANGLE, 500.0, 100.0)
    likelihood = Quadratic(far, too_small=1.0)
    first = ascend(likelihood, START, iterations=1).coordinates
    assert np.max(np.abs(first - START)[~ANGLE]) <= 1.2 + 1e-9
    assert np.max(np.abs(first - START)[ANGLE]) <= 20.0 + 1e-9
    end = ascend(likelihood, START, iterations=100).coordinates
    np.testing.assert_allclose(end[~ANGLE], 6.0)
    assert np.all(end[ANGLE] > 200.0)
