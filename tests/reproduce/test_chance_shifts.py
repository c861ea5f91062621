"""Tuning of many neurons at once, and how often re-measuring shows a shift."""

import numpy as np
import pytest
from scipy import stats

from ketune.reproduce._chance import beyond, estimated_chances, simulated_chances, tail
from ketune.reproduce._measure import measure, measure_pair
from ketune.tuning import fit_counts, wrap_orientation


def pair(counts):
    return measure_pair(counts.orientation_deg[:-1], counts.control[:, :-1], counts.drug[:, :-1])


def test_each_neuron_is_fitted_as_if_alone(recorded_population) -> None:
    counts = recorded_population(1, 8)
    theta, shown = counts.orientation_deg[:-1], counts.control[:, :-1]
    found = measure(theta, shown)
    for k in range(8):
        one = fit_counts(theta, shown[k].mean(axis=1), shown[k].var(axis=1, ddof=1), 25)
        assert abs(float(wrap_orientation(found.preferred_deg[k] - one.preferred_deg))) < 0.05
        assert found.osi[k] == pytest.approx(one.osi, abs=2e-3)
        assert found.fano[k] == pytest.approx(
            shown[k].var(axis=1, ddof=1).sum() / shown[k].mean(axis=1).sum()
        )


def test_tuned_is_an_analysis_of_variance() -> None:
    generator = np.random.default_rng(3)
    theta = np.arange(8) * 22.5
    mean = 1.0 + generator.uniform(0, 1.5, (60, 1)) * np.exp(-((theta - 90) ** 2) / 800)
    counts = generator.poisson(mean[..., None], (60, 8, 12))
    tuned = [stats.f_oneway(*c).pvalue < 0.05 for c in counts]
    assert 10 < sum(tuned) < 50
    np.testing.assert_array_equal(measure(theta, counts).tuned, tuned)


def test_silent_and_flat_neurons_have_no_preferred_orientation() -> None:
    counts = np.zeros((3, 8, 10), dtype=np.int64)
    counts[1] = 2
    counts[2, 3] = np.arange(10)
    found = measure(np.arange(8) * 22.5, counts)
    assert found.tuned.tolist() == [False, False, True]
    assert np.isnan(found.osi[0])
    assert np.isnan(found.fano[0])
    assert found.osi[1] == 0.0
    assert found.osi[2] == pytest.approx(1.0, abs=1e-6)


def test_tail_of_equal_chances_is_binomial() -> None:
    for k in range(13):
        assert tail(np.full(12, 0.3), k) == pytest.approx(stats.binom.sf(k - 1, 12, 0.3))
    assert tail(np.array([0.0, 1.0, 0.5]), 2) == pytest.approx(0.5)
    assert tail(np.zeros(5), 1) == 0.0


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"peak_hz": 2.0, "sigma_deg": 25.0},
        {"peak_hz": 5.0, "sigma_deg": 25.0, "rate": 0.45, "width": 1.3},
    ],
    ids=["strong", "few spikes", "weaker and broader"],
)
def test_chances_are_what_happens_without_a_shift(recorded_population, changed) -> None:
    """Observed shares over 12 populations against the null of 2 and the estimate of 12."""
    observed, simulated, estimated = [], [], []
    for seed in range(12):
        control, drug = pair(recorded_population(seed, **changed))
        observed.append(beyond(control, drug, 5.0).mean())
        estimated.append(estimated_chances(control, drug, 5.0).mean())
        if seed < 2:
            chances = simulated_chances(control, drug, 5.0, 30, np.random.default_rng(seed))
            simulated.append(chances.mean())
    error = np.std(observed, ddof=1) / np.sqrt(12)
    assert np.mean(estimated) == pytest.approx(np.mean(observed), abs=3 * error + 0.02)
    assert np.mean(simulated) == pytest.approx(np.mean(observed), abs=3 * error + 0.04)


def test_null_keeps_the_width_and_rate_under_the_drug_and_drops_the_shift(recorded_population) -> None:
    generator = np.random.default_rng(0)
    still = pair(recorded_population(7, 24, rate=0.45, width=1.3, peak_hz=6.0))
    moved = pair(recorded_population(7, 24, rate=0.45, width=1.3, peak_hz=6.0, shift_sd_deg=30.0))
    chance = [simulated_chances(*x, 5.0, 60, generator).mean() for x in (still, moved, (still[0], still[0]))]
    assert beyond(*moved, 5.0).mean() > chance[1] + 0.3
    assert chance[1] == pytest.approx(chance[0], abs=0.05)
    assert chance[2] < 0.7 * chance[0]


def test_silent_neurons_have_no_chance() -> None:
    theta = np.arange(8) * 22.5
    counts = np.random.default_rng(1).poisson(2.0, (3, 8, 10))
    counts[1] = 0
    found = measure(theta, counts)
    assert simulated_chances(found, found, 5.0, 20, np.random.default_rng(0))[1] == 0
    assert estimated_chances(found, found, 5.0)[1] == 0
    silent = measure(theta, np.zeros((3, 8, 10), dtype=np.int64))
    assert not simulated_chances(silent, found, 5.0, 20, np.random.default_rng(0)).any()
