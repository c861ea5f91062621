"""The correction of expected counts to the spiking cell's."""

import numpy as np
import pytest

from ketune.afferents import stratified_gain
from ketune.fitting._correction import Correction


def corrected(correction: Correction, expected: np.ndarray) -> np.ndarray:
    return np.array([correction.matrix(k, expected.shape[1]) @ e for k, e in enumerate(expected)])


def test_before_spikes_nothing_is_changed_in_a_full_window():
    expected = np.random.default_rng(0).uniform(5, 20, (3, 8))
    np.testing.assert_allclose(corrected(Correction.before_spikes(np.ones(3), 1.0), expected), expected)


def test_a_short_window_loses_noise_but_not_the_course_with_the_gain():
    rng = np.random.default_rng(1)
    gain, m = stratified_gain(400), 400
    noise = rng.standard_normal(m)
    expected = (20.0 + 3.0 * gain + 2.0 * noise)[None, :]
    found = corrected(Correction.before_spikes(np.ones(1), 0.25), expected)[0]
    assert found.mean() == pytest.approx(expected.mean())
    assert np.polyfit(gain, found, 1)[0] == pytest.approx(np.polyfit(gain, expected[0], 1)[0])
    assert found.var() == pytest.approx(9.0 * gain.var() + 1.0, rel=0.15)


@pytest.mark.parametrize(("ratio", "spread"), [(1.4, 0.6), (0.7, 1.5), (1.0, 1.0)])
def test_mean_and_total_variance_become_those_of_the_spiking_cell(ratio, spread):
    rng = np.random.default_rng(2)
    m = 400
    expected = 20.0 + 4.0 * rng.standard_normal((6, m))
    spiking = np.round(ratio * (20.0 + spread * (expected - 20.0)) + rng.standard_normal((6, m))).astype(int)
    correction = Correction.between(expected, spiking)
    found = corrected(correction, expected)
    np.testing.assert_allclose(found.mean(axis=1), spiking.mean(axis=1), rtol=0.02)
    total = correction.dispersion * found.mean(axis=1) + found.var(axis=1)
    np.testing.assert_allclose(total, spiking.var(axis=1), rtol=0.15)


def test_trials_carry_most_of_the_variance():
    """A law that took up the variance itself would leave the gain nothing to explain."""
    rng = np.random.default_rng(3)
    expected = 20.0 * np.exp(0.3 * rng.standard_normal((4, 200)))
    correction = Correction.between(expected, rng.poisson(expected))
    found = corrected(correction, expected)
    assert np.all(found.var(axis=1) > correction.dispersion * found.mean(axis=1))


def test_silence_gives_finite_numbers():
    correction = Correction.between(np.full((1, 24), 0.3), np.zeros((1, 24), int))
    assert 0.5 < correction.ratio[0] < 1.0
    assert correction.dispersion[0] > 0
    assert np.all(np.isfinite(correction.matrix(0, 24)))
