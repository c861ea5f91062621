"""The law of spike counts and the likelihood of a mixture of it."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from ketune.fitting._counts import count_law, mixture_likelihood

N = np.arange(1500)
means = st.floats(1e-4, 150.0)
dispersions = st.one_of(
    st.floats(0.05, 1.0), st.floats(1.0, 12.0), st.sampled_from([1.0, 1.0005, 1.001, 1.002])
)


def moments(mean, dispersion):
    p, _ = count_law(N, mean, dispersion)
    first = N @ p
    return p.sum(), first, (N - first) ** 2 @ p


@given(means, dispersions)
def test_probabilities_sum_to_one_and_the_mean_is_exact(mean, dispersion):
    total, first, _ = moments(mean, dispersion)
    assert total == pytest.approx(1.0, abs=1e-8)
    assert first == pytest.approx(mean, rel=1e-7)


@given(means, st.floats(1.002, 12.0))
def test_variance_over_mean_above_one_is_the_dispersion(mean, dispersion):
    _, first, variance = moments(mean, dispersion)
    assert variance / first == pytest.approx(dispersion, rel=1e-6)


@given(means, st.floats(0.05, 1.0))
def test_variance_over_mean_below_one_approaches_the_dispersion_with_many_spikes(mean, dispersion):
    """Cox 1962, ch. 4: the variance of a stationary renewal count is ``d mean + (1 - d^2) / 6`` in the long run."""
    _, first, variance = moments(mean, dispersion)
    bernoulli = mean * (1 - mean) if mean < 1 else 0.0
    assert bernoulli - 1e-9 <= variance <= first * (1 + 1e-9)
    if dispersion * mean > 2:
        assert variance == pytest.approx(dispersion * mean + (1 - dispersion**2) / 6, rel=1e-3)


@pytest.mark.parametrize("mean", [0.02, 1.3, 25.0, 140.0])
def test_poisson(mean):
    n = np.arange(int(mean + 12 * np.sqrt(mean) + 8))
    np.testing.assert_allclose(count_law(n, mean, 1.0)[0], stats.poisson.pmf(n, mean), rtol=1e-9)


@pytest.mark.parametrize("mean", [0.02, 1.3, 25.0, 140.0])
@pytest.mark.parametrize("dispersion", [1.05, 2.5, 9.0])
def test_negative_binomial(mean, dispersion):
    n = np.arange(600)
    expected = stats.nbinom.pmf(n, mean / (dispersion - 1), 1 / dispersion)
    np.testing.assert_allclose(count_law(n, mean, dispersion)[0], expected, rtol=1e-9, atol=1e-300)


@pytest.mark.parametrize(("mean", "dispersion"), [(0.4, 0.1), (3.0, 0.3), (8.0, 0.7)])
def test_regular_counts_are_those_of_a_stationary_train_with_gamma_intervals(mean, dispersion):
    rng = np.random.default_rng(5)
    trials, lead = 40_000, 20.0
    # Spikes at rate 1, watched for ``mean`` intervals from a moment that has nothing to do with them.
    intervals = rng.gamma(1 / dispersion, dispersion, (trials, int(3 * (lead + mean)) + 30))
    spikes = np.cumsum(intervals, axis=1)
    begin = lead + rng.uniform(0, 1, trials)[:, None]
    seen = np.sum((spikes > begin) & (spikes <= begin + mean), axis=1)
    p, _ = count_law(np.arange(30), mean, dispersion)
    frequency = np.bincount(seen, minlength=30)[:30] / trials
    np.testing.assert_allclose(frequency, p, atol=5 * np.sqrt(0.25 / trials))
    assert seen.var() / seen.mean() == pytest.approx(
        (np.arange(30) ** 2 @ p - mean**2) / mean, abs=5 * np.sqrt(3 / trials)
    )


def test_a_very_regular_train_has_one_of_two_counts():
    p, _ = count_law(np.arange(12), 4.3, 1e-4)
    assert p[4] == pytest.approx(0.7, abs=0.01)
    assert p[5] == pytest.approx(0.3, abs=0.01)


@given(means, dispersions, st.integers(0, 300))
def test_derivative_with_respect_to_the_mean(mean, dispersion, n):
    step = 1e-4 * mean
    _, slope = count_law(np.array(n), mean, dispersion)
    high, low = (count_law(np.array(n), mean + s, dispersion)[0] for s in (step, -step))
    everywhere = np.abs(count_law(N, mean, dispersion)[1]).max()
    assert (high - low) / (2 * step) == pytest.approx(slope, abs=1e-4 * everywhere)


@given(means, dispersions)
def test_tails_keep_their_digits(mean, dispersion):
    """Far from the mean the law still falls smoothly: a difference of numbers near 1 would end in noise near 1e-16."""
    p, _ = count_law(N, mean, dispersion)
    p = p[(p > 1e-200) & (np.arange(len(N)) > mean)]
    assert np.all(np.diff(np.log(p)) < 0.0)


@settings(max_examples=15)
@given(st.floats(0.3, 4.0), st.integers(0, 10_000))
def test_mixture_is_the_average_over_the_simulated_trials(dispersion, seed):
    """Brute force: draw the counts of randomly chosen trials and look how often each count comes up."""
    rng = np.random.default_rng(seed)
    expected = rng.uniform(1.0, 12.0, 5)
    # Draws come from the law's own inverse, tested above against SciPy and simulated trains.
    cumulative = np.cumsum(count_law(np.arange(80), expected[:, None], dispersion)[0], axis=1)
    trial = rng.integers(5, size=60_000)
    drawn = np.sum(rng.uniform(size=(60_000, 1)) > cumulative[trial], axis=1)
    frequency = np.bincount(drawn, minlength=80)[:80] / 60_000
    for n in (2, 6, 10):
        law = mixture_likelihood(np.array([n]), expected, dispersion)
        p = np.exp(law.log_likelihood - law.bias_correction)
        assert p == pytest.approx(frequency[n], abs=5 * np.sqrt(frequency[n] / 60_000))


def test_repeated_counts_count_as_often_as_they_were_recorded():
    expected = np.array([2.0, 4.0, 7.0])
    counts = np.array([3, 0, 3, 3, 8])
    together = mixture_likelihood(counts, expected, 1.3)
    apart = [mixture_likelihood(np.array([n]), expected, 1.3) for n in counts]
    assert together.log_likelihood == pytest.approx(sum(law.log_likelihood for law in apart), rel=1e-12)
    assert together.bias_correction == pytest.approx(sum(law.bias_correction for law in apart), rel=1e-12)
    np.testing.assert_allclose(
        together.multiplicity @ together.score, sum(law.score[0] for law in apart), rtol=1e-12
    )


@given(
    st.lists(st.floats(0.1, 40.0), min_size=1, max_size=8),
    st.lists(st.integers(0, 50), min_size=1, max_size=20),
    st.floats(0.2, 5.0),
)
def test_score_is_the_derivative_of_the_log_likelihood(expected, counts, dispersion):
    """Of the whole of it, the correction for few simulated trials included."""
    expected, counts = np.array(expected), np.array(counts)
    law = mixture_likelihood(counts, expected, dispersion)
    score = law.multiplicity @ law.score
    scale = np.sum(np.abs(law.score).max(axis=1) * law.multiplicity)
    for i in range(len(expected)):
        step = np.zeros(len(expected))
        step[i] = 1e-5 * expected[i]
        high, low = (mixture_likelihood(counts, expected + s, dispersion) for s in (step, -step))
        up, down = (s * (x.log_likelihood - law.log_likelihood) / step[i] for s, x in ((1, high), (-1, low)))
        # The correction is cut off where it stops being small, and the derivative has a corner there.
        assume(abs(up - down) <= 1e-2 * scale)
        assert 0.5 * (up + down) == pytest.approx(score[i], rel=1e-3, abs=1e-4 * scale + 1e-7)


def test_counts_that_no_trial_explains_are_very_unlikely_but_never_not_a_number():
    """A silent start against a busy recording: the probability underflows."""
    law = mixture_likelihood(np.array([150, 160]), np.array([1e-9, 0.3, 2.0]), 0.05)
    assert np.isfinite(law.log_likelihood)
    assert law.log_likelihood < -600
    assert np.all(np.isfinite(law.score))


@pytest.mark.parametrize("dispersion", [0.4, 1.0, 2.0])
def test_a_correction_may_make_a_trial_negative(dispersion):
    """Stretching the spread between trials does that: such a trial is silent, and nothing depends on how negative."""
    counts = np.array([0, 0, 1, 5])
    at = np.array([-1.0, 0.5, 4.0])
    law, lower = (mixture_likelihood(counts, x, dispersion) for x in (at, at - [0.5, 0, 0]))
    assert law.log_likelihood == lower.log_likelihood
    assert np.all(law.score[:, 0] == 0)
    assert np.all(law.score[:, 1:] != 0)


def test_correction_for_few_simulated_trials_reduces_the_bias():
    """The logarithm of a mean over few trials is too low on average; the correction takes most of that back."""
    rng = np.random.default_rng(11)
    spread, mean, dispersion = 0.4, 12.0, 1.2
    counts = rng.poisson(mean * np.exp(spread * rng.standard_normal(300) - spread**2 / 2))
    truth = mixture_likelihood(
        counts, mean * np.exp(spread * rng.standard_normal(20_000) - spread**2 / 2), dispersion
    ).log_likelihood
    corrected, plain = [], []
    for _ in range(400):
        trials = mean * np.exp(spread * rng.standard_normal(8) - spread**2 / 2)
        law = mixture_likelihood(counts, trials, dispersion)
        corrected.append(law.log_likelihood - truth)
        plain.append(law.log_likelihood - law.bias_correction - truth)
    error = np.std(plain) / np.sqrt(len(plain))
    assert np.mean(plain) < -5 * error
    assert abs(np.mean(corrected)) < 0.5 * abs(np.mean(plain))
