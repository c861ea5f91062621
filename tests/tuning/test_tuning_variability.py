"""Fano factors, drawn counts and rate matching against SciPy's distributions and planted values."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ketune.errors import InputError
from ketune.tuning import OrientationCounts, fano_factor, pooled_fano, rate_matched_fano, sample_counts


def moments(
    mean, fano_or_variance, *, window_s: float = 1.0, n: int = 50, variance: bool = False
) -> OrientationCounts:
    mean = np.asarray(mean, dtype=float)
    spread = np.asarray(fano_or_variance, dtype=float) * (1.0 if variance else mean)
    return OrientationCounts(
        orientation_deg=np.arange(mean.size) * 180.0 / mean.size,
        mean=mean,
        variance=spread,
        n_trials=np.full(mean.size, n),
        window_s=window_s,
    )


@settings(deadline=None)
@given(counts=st.lists(st.integers(0, 200), min_size=2, max_size=60).filter(lambda c: sum(c) > 0))
def test_fano_is_variance_over_mean(counts: list[int]) -> None:
    assert fano_factor(counts).value == pytest.approx(np.var(counts, ddof=1) / np.mean(counts))
    assert fano_factor(counts).n_trials == len(counts)


def test_fano_is_unknown_without_spikes_or_repeats() -> None:
    for counts in ([], [3], [0, 0, 0]):
        assert math.isnan(fano_factor(counts).value)
        assert math.isnan(fano_factor(counts).se)


@pytest.mark.parametrize(("fano", "scatter"), [(1.0, 0.30), (1.5, 0.45)])
def test_error_of_fano_is_its_scatter(fano: float, scatter: float) -> None:
    """25 trials: the scatter of one estimate is about 0.30 at a Fano factor of 1 and 0.45 at 1.5."""
    counts = sample_counts(20.0, fano, (3000, 25), np.random.default_rng(1))
    found = [fano_factor(row) for row in counts]
    assert np.mean([f.value for f in found]) == pytest.approx(fano, rel=0.02)
    assert np.std([f.value for f in found]) == pytest.approx(scatter, rel=0.08)
    assert np.mean([f.se for f in found]) == pytest.approx(scatter, rel=0.08)


def test_error_of_fano_is_the_jackknife() -> None:
    """Against leaving trials out one by one; the third group has a single trial."""
    counts = np.array([3, 7, 4, 4, 9, 20, 31, 25, 6])
    group = np.array([0, 0, 0, 0, 0, 1, 1, 1, 2])
    factor = fano_factor(counts, group)
    left = [fano_factor(np.delete(counts, k), np.delete(group, k)).value for k in range(9)]
    assert factor.se == pytest.approx(math.sqrt(8 / 9 * np.sum((left - np.mean(left)) ** 2)))
    assert math.isnan(fano_factor([0, 0, 5]).se)  # without the third trial there is no spike


def test_groups_with_different_means_are_not_variability() -> None:
    generator = np.random.default_rng(2)
    group = np.repeat([0, 1], 2000)
    counts = generator.poisson(np.where(group == 0, 4.0, 30.0))
    factor = fano_factor(counts, group)
    assert factor.value == pytest.approx(1.0, abs=4 * factor.se)
    assert fano_factor(counts).value > 8


@pytest.mark.parametrize(
    ("mean", "fano", "law"),
    [
        (8.0, 2.5, stats.nbinom(8.0 / 1.5, 1 / 2.5)),
        (8.0, 1.0, stats.poisson(8.0)),
        (9.0, 0.4, stats.binom(15, 0.6)),
    ],
)
def test_drawn_counts_follow_the_law(mean: float, fano: float, law) -> None:
    counts = sample_counts(mean, fano, 20_000, np.random.default_rng(3))
    values = np.arange(counts.max() + 1)
    seen = np.cumsum(np.bincount(counts)) / counts.size
    # Kolmogorov's bound at p = 1e-3, conservative for a discrete law.
    assert np.abs(seen - law.cdf(values)).max() < 1.95 / math.sqrt(counts.size)


@settings(max_examples=30, deadline=None)
@given(mean=st.floats(3, 80), fano=st.floats(0.5, 4), seed=st.integers(0, 1000))
def test_drawn_counts_have_the_mean_and_fano_asked_for(mean: float, fano: float, seed: int) -> None:
    counts = sample_counts([mean, 0.0], fano, 20_000, np.random.default_rng(seed))
    assert counts[:, 0].mean() == pytest.approx(mean, abs=5 * math.sqrt(fano * mean / 20_000))
    # A binomial's number of trials is whole, so its Fano factor can miss by (1 - F) / N at most.
    slack = (1 - fano) ** 2 / mean if fano < 1 else 0.0
    assert counts[:, 0].var() / counts[:, 0].mean() == pytest.approx(fano, rel=0.08, abs=slack)
    assert not counts[:, 1].any()


def test_drawn_counts_need_a_positive_fano() -> None:
    with pytest.raises(InputError, match="give a positive number"):
        sample_counts(5.0, 0.0, 3, np.random.default_rng(0))


def test_pooled_fano_weighs_by_trials_and_skips_the_unknown() -> None:
    table = OrientationCounts(
        orientation_deg=np.array([0.0, 60, 120]),
        mean=np.array([4.0, 8.0, 5.0]),
        variance=np.array([8.0, 8.0, np.nan]),
        n_trials=np.array([11, 21, 1]),
        window_s=1.0,
    )
    assert pooled_fano(table) == pytest.approx((10 * 8 + 20 * 8) / (10 * 4 + 20 * 8))


def test_rate_matching_removes_what_rate_alone_does() -> None:
    """One law, variance = m + 0.2 m^2, in both conditions, at lower rates in the second."""
    generator = np.random.default_rng(4)
    first, second = ([generator.uniform(low, high, 8) for _ in range(40)] for low, high in ((4, 30), (1, 15)))
    tables = [[moments(m, m + 0.2 * m**2, variance=True) for m in group] for group in (first, second)]
    result = rate_matched_fano(*tables, seed=5, n_resamples=300)
    assert result.raw_second / result.raw_first < 0.75
    assert result.ratio == pytest.approx(1.0, abs=0.04)
    assert result.ratio_low < 1.0 < result.ratio_high
    assert 0 < result.n_matched < 320


def test_rate_matching_keeps_a_true_change() -> None:
    """Noisy variances of 25 trials; the second condition has 0.7 times the Fano factor and 0.6 times the rate."""
    generator = np.random.default_rng(6)
    tables: list[list[OrientationCounts]] = [[], []]
    for _ in range(60):
        mean = generator.uniform(3, 40, 8)
        for side, (gain, fano) in enumerate(((1.0, 1.8), (0.6, 1.26))):
            counts = sample_counts(gain * mean, fano, 25, generator)
            tables[side].append(moments(counts.mean(axis=0), counts.var(axis=0, ddof=1), n=25, variance=True))
    result = rate_matched_fano(*tables, seed=7, n_resamples=300)
    assert result.ratio_low < 0.7 < result.ratio_high < 1.0
    assert result.first == pytest.approx(1.8, rel=0.08)
    again = rate_matched_fano(*tables, seed=7, n_resamples=300)
    assert again == result


def test_rate_matching_says_when_nothing_can_be_matched() -> None:
    result = rate_matched_fano(moments([50, 60, 70], 1.5), moments([1, 2, 3], 1.0), seed=0, n_resamples=20)
    assert result.n_matched == 0
    assert math.isnan(result.ratio)
    assert result.raw_first == pytest.approx(1.5)
    with pytest.raises(InputError, match="windows differ"):
        rate_matched_fano(moments([5], 1), moments([5], 1, window_s=2.0), seed=0)
    with pytest.raises(InputError, match="no orientation with spikes"):
        rate_matched_fano(moments([0, 0], 1), moments([5, 5], 1), seed=0)


def test_every_neuron_draws_by_its_own_fano() -> None:
    fano = np.array([0.6, 1.0, 2.5])
    counts = sample_counts(np.full((3, 2), 12.0), fano[:, None], (20_000,), np.random.default_rng(5))
    assert counts.shape == (20_000, 3, 2)
    np.testing.assert_allclose(counts.var(axis=0) / counts.mean(axis=0), fano[:, None] * [1, 1], rtol=0.06)
    with pytest.raises(InputError, match="give a positive number"):
        sample_counts(np.ones((2, 3)), np.array([[1.0], [float("nan")]]), 3, np.random.default_rng(0))
