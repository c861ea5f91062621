"""Equivalence of the spontaneous rate."""

import numpy as np
import pytest
from scipy import stats

from ketune.reproduce._spontaneous import blank_ratio


def both(control: np.ndarray, drug: np.ndarray, seed: int = 0):
    return blank_ratio(control, drug, None, None), blank_ratio(
        control, drug, 2000, np.random.default_rng(seed)
    )


def test_interval_of_poisson_counts_is_that_of_two_rates() -> None:
    """Given the sum of two Poisson counts, one of them is binomial: an interval of the ratio that is not ours."""
    generator = np.random.default_rng(1)
    control, drug = generator.poisson(0.4, (40, 25)), generator.poisson(0.4, (40, 25))
    a, b = int(control.sum()), int(drug.sum())
    share = stats.binomtest(b, a + b).proportion_ci(0.90)
    expected = [np.log(p / (1 - p)) for p in (share.low, share.high)]
    for found in both(control, drug):
        assert found.ratio == pytest.approx(b / a)
        assert np.log([found.low, found.high]) == pytest.approx(expected, abs=0.06)


def test_neurons_that_change_apart_widen_the_interval() -> None:
    alike = np.full((20, 25), 4)
    drug = alike.copy()
    drug[:10], drug[10:] = 2, 6
    for found in both(alike, drug):
        assert found.ratio == 1.0
        assert found.low < 0.87
        assert found.high > 1.13


def test_one_neurons_spikes_do_not_prove_equality() -> None:
    """The ratio is 1 in every resample of neurons, but ten spikes say little."""
    control, drug = (np.zeros((10, 25), dtype=int) for _ in range(2))
    control[3, :5] = drug[3, 10:15] = 1
    for found in both(control, drug):
        assert found.ratio == 1.0
        assert not found.inside((0.5, 2.0))


def test_trials_may_differ_in_number() -> None:
    generator = np.random.default_rng(2)
    control, drug = generator.poisson(2.0, (30, 20)), generator.poisson(2.0, (30, 40))
    for found in both(control, drug):
        assert found.ratio == pytest.approx(drug.mean() / control.mean())
        assert found.inside((0.8, 1.25))


@pytest.mark.parametrize(("control", "drug"), [(0, 0), (0, 3), (3, 0)])
def test_silence_is_undecided(control: int, drug: int) -> None:
    for found in both(np.full((4, 5), control), np.full((4, 5), drug)):
        assert np.isnan(found.ratio)
        assert not found.inside((0.01, 100.0))
