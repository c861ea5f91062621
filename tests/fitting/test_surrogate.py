"""The corrected likelihood: gains, correction to the spiking cell, information; with a stand-in for the silent twin."""

import numpy as np
import pytest
from scipy import stats

from ketune.afferents import Drive, Grating, stratified_gain
from ketune.fitting import PARAMETERS, Hazard
from ketune.fitting._calibrate import Calibration
from ketune.fitting._correction import Correction
from ketune.fitting._counts import mixture_likelihood
from ketune.fitting._parameters import coordinates_of
from ketune.fitting._spontaneous import SpontaneousRate
from ketune.fitting._surrogate import Surrogate, _information

N = len(PARAMETERS)
ORIENTATIONS = (0.0, 60.0, 120.0)
U = coordinates_of({p.name: 0.7 * p.low + 0.3 * p.high for p in PARAMETERS})


@pytest.mark.parametrize("n", [1, 2, 6, 25, 400])
def test_stratified_gains_are_the_quantiles_of_the_standard_normal(n):
    gain = stratified_gain(n)
    assert np.all(np.diff(gain) > 0)
    np.testing.assert_allclose(gain, -gain[::-1], atol=1e-12)
    np.testing.assert_allclose(stats.norm.cdf(gain), (np.arange(n) + 0.5) / n, atol=1e-12)


def test_few_stratified_trials_average_over_the_gain_better_than_random_ones():
    def rate(deviate):
        return np.maximum(np.exp(0.3 * deviate) - 0.8, 0.0)

    truth = rate(stratified_gain(100_000)).mean()
    random = rate(np.random.default_rng(0).standard_normal((2000, 8))).mean(axis=1)
    assert abs(rate(stratified_gain(8)).mean() - truth) < 0.1 * random.std()


TRIALS = 5


class StandInTwin:
    """Expected counts that are a smooth function of the coordinates, with one orientation tuning per lane."""

    dt_ms = 0.1

    def __init__(self):
        # The last row is the blank's: nan sorts behind all orientations.
        self.weights = np.random.default_rng(4).standard_normal((len(ORIENTATIONS) + 1, N)) * 0.1
        self.weights[:, [p.scale == "orientation" for p in PARAMETERS]] /= 20.0

    def features(self, candidates):
        return candidates

    def _lane(self, features):
        """Orientation and gain of each lane."""
        shown = [*ORIENTATIONS, np.nan][: features.events.n_lanes // TRIALS]
        return np.repeat(shown, TRIALS), np.tile(stratified_gain(TRIALS), len(shown))

    def _lanes(self, u, orientation, gain):
        row = np.searchsorted(ORIENTATIONS, orientation)
        return 6.0 * np.exp(self.weights[row] @ (u - U) + 0.2 * gain + 0.3 * row)

    def counts(self, coordinates, features, hazard):
        return np.array([self._lanes(u, *self._lane(features)) for u in coordinates])

    def gradient(self, u, features, hazard, cotangent):
        orientation, gain = self._lane(features)
        row = np.searchsorted(ORIENTATIONS, orientation)
        return (cotangent * self._lanes(u, orientation, gain)) @ self.weights[row]


@pytest.fixture
def surrogate(tiny_layout):
    rng = np.random.default_rng(5)
    return Surrogate(
        StandInTwin(),
        tiny_layout,
        Drive(),
        Grating(ORIENTATIONS, window_ms=50.0, warm_up_ms=10.0),
        [rng.poisson(m, n) for m, n in ((9, 10), (14, 7), (20, 12))],
        window_ms=100.0,
        calibration=Calibration(Hazard(-55.0, 2.0, 5.0, 2.0), 0.9, 1.0, 10),
        trials=TRIALS,
        seed=1,
        correction=Correction(np.array([0.8, 1.0, 1.3]), np.array([0.6, 1.0, 2.0])),
    )


def test_expected_counts_are_those_of_the_recordings_window(surrogate):
    lanes = surrogate.twin._lanes(U, np.repeat(ORIENTATIONS, 5), np.tile(stratified_gain(5), 3))
    np.testing.assert_allclose(surrogate.expected(U), 2.0 * lanes.reshape(3, 5))


def test_log_likelihood_is_the_sum_over_orientations_of_the_corrected_mixture(surrogate):
    expected = surrogate.expected(U)
    laws = [
        mixture_likelihood(n, r * e, d)
        for n, r, e, d in zip(surrogate.observed, (0.8, 1.0, 1.3), expected, (0.6, 1.0, 2.0), strict=True)
    ]
    assert surrogate.log_likelihood(U) == pytest.approx(sum(law.log_likelihood for law in laws))
    assert surrogate.bias_correction(U) == pytest.approx(sum(law.bias_correction for law in laws))
    other = surrogate.with_correction(Correction(np.ones(3), np.ones(3)))
    assert other.log_likelihood(U) != surrogate.log_likelihood(U)
    assert surrogate.correction.ratio.tolist() == [0.8, 1.0, 1.3]


def test_slope_and_gradient_are_derivatives_of_the_log_likelihood(surrogate):
    gradient = surrogate.derivatives(U, information=False).gradient
    difference = [
        (surrogate.log_likelihood(U + s) - surrogate.log_likelihood(U - s)) / 2e-4 for s in 1e-4 * np.eye(N)
    ]
    np.testing.assert_allclose(gradient, difference, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("count", "known"), [(3.0, False), (3.0, True), (60.0, True), (60.0, False)])
def test_an_assumed_blank_enters_likelihood_gradient_and_information(surrogate, count, known):
    prior = SpontaneousRate(count, known)
    with_blank = Surrogate(
        surrogate.twin,
        surrogate.layout,
        surrogate.drive,
        Grating((*ORIENTATIONS, np.nan), window_ms=50.0, warm_up_ms=10.0),
        [*surrogate.observed, prior],
        window_ms=100.0,
        calibration=surrogate.calibration,
        trials=TRIALS,
        seed=1,
        correction=Correction(np.array([0.8, 1.0, 1.3, 0.9]), np.array([0.6, 1.0, 2.0, 1.0])),
    )
    blank = 0.9 * with_blank.expected(U)[3].mean()
    assert with_blank.log_likelihood(U) == pytest.approx(
        surrogate.log_likelihood(U) + prior.penalty(blank)[0]
    )
    gradient = with_blank.derivatives(U, information=False).gradient
    difference = [
        (with_blank.log_likelihood(U + s) - with_blank.log_likelihood(U - s)) / 2e-4 for s in 1e-4 * np.eye(N)
    ]
    np.testing.assert_allclose(gradient, difference, rtol=1e-5, atol=1e-5)
    more = (
        with_blank.derivatives(U, information=True).information
        - surrogate.derivatives(U, information=True).information
    )
    assert (np.abs(more).max() > 1.0) == (known or count < blank)
    assert np.linalg.eigvalsh(more).min() > -1e-6 * max(np.abs(more).max(), 1.0)


def test_derivatives_with_information_have_the_same_gradient_to_first_order(surrogate):
    with_information = surrogate.derivatives(U, information=True)
    np.testing.assert_allclose(
        with_information.gradient, surrogate.derivatives(U, information=False).gradient, rtol=0.05, atol=0.02
    )
    assert with_information.information.shape == (N, N)


def test_information_of_poisson_counts_without_spread_is_that_of_their_mean():
    """One mean for all trials: n (d mean)^2 / mean, and what the variance tells, n (d variance)^2 / (2 variance^2)."""
    jacobian = np.tile(np.array([1.0, -2.0, 0.5]), (6, 1))
    found = _information(
        np.full(6, 9.0), jacobian, np.zeros(20), Correction(np.array([1.0]), np.array([1.0])), 0
    )
    outer = np.outer(jacobian[0], jacobian[0])
    np.testing.assert_allclose(found, 20 * outer / 9.0 + 20 * outer / (2 * 81.0))


def test_information_matches_how_much_estimates_of_mean_and_variance_scatter():
    """The gain's spread shows in the variance alone: with x = mean exp(s g), information of s from simulated data."""
    rng = np.random.default_rng(6)
    deviates, s, mean = stratified_gain(2000), 0.1, 40.0

    def trials(s):
        return mean * np.exp(s * deviates - s**2 / 2)

    jacobian = ((trials(s + 1e-4) - trials(s - 1e-4)) / 2e-4)[:, None]
    found = _information(trials(s), jacobian, np.zeros(100), Correction(np.array([1.0]), np.array([1.0])), 0)[
        0, 0
    ]
    draws = rng.poisson(mean * np.exp(s * rng.standard_normal((4000, 100)) - s**2 / 2))
    variance = draws.var(axis=1, ddof=1)
    slope = 2 * s * mean**2 * np.exp(s**2)
    assert found == pytest.approx(slope**2 / variance.var(), rel=0.15)


def test_features_follow_the_drive_at_the_coordinates(surrogate):
    """More drive, more candidate events; the same coordinates, the same events."""
    low, high = (surrogate.features(u) for u in (U, U + np.eye(N)[0]))
    again = surrogate.features(U)
    assert len(high.height_hz) > len(low.height_hz)
    np.testing.assert_array_equal(low.height_hz, again.height_hz)
    assert np.unique(low.gain_deviate).tolist() == pytest.approx(surrogate.gain.tolist())
