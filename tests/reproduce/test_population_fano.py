"""Ratio of Fano factors over a population."""

import numpy as np
import pytest
from scipy import stats

from ketune.reproduce._fano import LEAST_MEAN_COUNT, matched_ratio, raw_ratio
from ketune.reproduce._measure import Measured, measure_pair
from ketune.tuning import OrientationCounts, rate_matched_fano


def measured(counts) -> tuple[Measured, Measured]:
    return measure_pair(counts.orientation_deg[:-1], counts.control[:, :-1], counts.drug[:, :-1])


def test_raw_ratio_is_that_of_a_t_test_on_logarithms(recorded_population) -> None:
    counts = recorded_population(1, 20, fano_ratio=0.8, rate=0.7)
    change = []
    for before, after in zip(counts.control[:, :-1], counts.drug[:, :-1], strict=True):
        kept = (before.mean(axis=1) >= LEAST_MEAN_COUNT) & (after.mean(axis=1) >= LEAST_MEAN_COUNT)
        if kept.any():
            factors = [np.mean(x[kept].var(axis=1, ddof=1) / x[kept].mean(axis=1)) for x in (before, after)]
            change.append(np.log(factors[1] / factors[0]))
    interval = stats.ttest_1samp(change, 0.0).confidence_interval(0.95)
    quick = raw_ratio(*measured(counts), None, None)
    assert quick.neurons == len(change)
    assert quick.value == pytest.approx(stats.gmean(np.exp(change)))
    assert (quick.low, quick.high) == pytest.approx(tuple(np.exp(interval)))
    full = raw_ratio(*measured(counts), 4000, np.random.default_rng(0))
    assert full.value == pytest.approx(quick.value)
    assert np.log([full.low, full.high]) == pytest.approx(np.log([quick.low, quick.high]), abs=0.03)


def test_exchanging_the_conditions_inverts_the_ratio(recorded_population) -> None:
    control, drug = measured(recorded_population(2, fano_ratio=0.7))
    one, other = raw_ratio(control, drug, None, None), raw_ratio(drug, control, None, None)
    assert one.value * other.value == pytest.approx(1.0)
    assert one.low * other.high == pytest.approx(1.0)


def test_matched_ratio_is_the_mean_over_random_matches(recorded_population) -> None:
    counts = recorded_population(3, 24, fano_ratio=0.8, rate=0.6)
    pair = measured(counts)
    tables = []
    for x in pair:
        kept = [m >= LEAST_MEAN_COUNT for m in x.mean]
        tables.append(
            [
                OrientationCounts(x.orientation_deg[k], m[k], v[k], np.full(k.sum(), 25), 0.5)
                for m, v, k in zip(x.mean, x.variance, kept, strict=True)
            ]
        )
    random = rate_matched_fano(tables[0], tables[1], n_resamples=150, seed=0)
    found = matched_ratio(*pair, 1000, np.random.default_rng(1))
    assert found.value == pytest.approx(random.ratio, abs=0.01)
    # Over neurons instead of points: here points of a neuron share its Fano factor in both conditions.
    assert found.high - found.low == pytest.approx(random.ratio_high - random.ratio_low, rel=0.35)
    quick = matched_ratio(*pair, None, None)
    assert quick.value == found.value
    assert quick.high - quick.low == pytest.approx(found.high - found.low, rel=0.35)


def test_weak_orientations_are_left_out_in_both_conditions(recorded_population) -> None:
    control, drug = measured(recorded_population(4, 12, rate=0.5))
    before = raw_ratio(control, drug, None, None)
    weak = drug.mean < LEAST_MEAN_COUNT
    assert weak.any()
    control.variance[weak] *= 50.0
    assert raw_ratio(control, drug, None, None) == before
    assert np.isnan(raw_ratio(*measured(recorded_population(5, peak_hz=0.4)), None, None).value)
    assert np.isnan(matched_ratio(*measured(recorded_population(5, peak_hz=0.4)), None, None).value)


def test_nothing_can_be_matched_where_rates_do_not_overlap(recorded_population) -> None:
    pair = measured(recorded_population(6, 8, peak_hz=4.0, floor=0.9, fano=0.3, rate=60.0))
    assert np.isnan(matched_ratio(*pair, None, None).value)
    assert np.isnan(matched_ratio(*pair, 200, np.random.default_rng(0)).value)
