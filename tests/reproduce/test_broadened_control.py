"""The control "no true shift": weaker and broader, and nothing else."""

import numpy as np
import pytest
from scipy import stats

from ketune.population import draw_population
from ketune.reproduce import PopulationCounts, screen
from ketune.reproduce._broadened import BROADENING_RANGES, ControlCurves, broadened_counts, broadened_draws
from ketune.tuning import fit_counts_many, wrap_orientation

NONE = {"response_left": 1.0, "width": 1.0, "excess_noise_left": 1.0}


@pytest.fixture(scope="module")
def drawn():
    return draw_population("cat", 16, 5)


@pytest.fixture(scope="module")
def stimuli(drawn):
    return np.array([*drawn.orientation_deg, np.nan])


@pytest.fixture(scope="module")
def control(drawn, stimuli):
    """With a second blank like the first."""
    twice = [*range(10), 9]
    statistics = drawn.statistics
    return ControlCurves.of(stimuli, statistics.mean[:, twice], statistics.fano[:, twice], trials=25)


def fitted(stimuli, counts):
    shown = np.isfinite(stimuli)
    y, spread = counts[:, shown].mean(axis=2), counts[:, shown].std(axis=2, ddof=1)
    return fit_counts_many(stimuli[shown], y, spread, np.full(shown.sum(), counts.shape[2]))


def test_preferred_orientations_stay_while_curves_get_lower_and_wider(drawn, stimuli, control):
    values = {**NONE, "response_left": 0.6, "width": 1.4}
    counts = broadened_counts(control, values, 4000, np.random.default_rng(1))
    preferred, amplitude, _, sigma = fitted(stimuli, counts)
    fits = drawn.statistics.fits
    moved = wrap_orientation(preferred - np.array([f.preferred_deg for f in fits]))
    assert np.abs(moved).max() < 1.5
    np.testing.assert_allclose(amplitude / [f.amplitude for f in fits], 0.6, rtol=0.08)
    kept = np.array([1.4 * f.sigma_deg < 50 for f in fits])
    np.testing.assert_allclose((sigma / [f.sigma_deg for f in fits])[kept], 1.4, rtol=0.08)


def test_blanks_and_noise_are_as_asked(drawn, control):
    counts = broadened_counts(control, {**NONE, "excess_noise_left": 0.5}, 4000, np.random.default_rng(2))
    blank = drawn.statistics.mean[:, -1]
    for column in (-1, -2):
        error = np.sqrt(blank * drawn.statistics.fano[:, -1] / 4000)
        assert np.abs((counts[:, column].mean(axis=1) - blank) / error).max() < 4.5
    best = np.argmax(drawn.statistics.mean[:, :-1], axis=1)
    rows = np.arange(16)
    fano = counts[rows, best].var(axis=1, ddof=1) / counts[rows, best].mean(axis=1)
    expected = 1 + 0.5 * (drawn.statistics.fano[rows, best] - 1)
    np.testing.assert_allclose(fano, expected, rtol=0.12)


def test_no_shift_is_called_as_rarely_as_the_level_says(drawn, stimuli, control):
    """Binomial bound: with a true rate of at most 10 % more than 8 of 24 have a chance below 1e-3."""
    met = 0
    for number in range(24):
        rng = np.random.default_rng([3, number])
        values = {name: x[0] for name, x in broadened_draws(1, rng).items()}
        before = broadened_counts(control, NONE, 25, rng)
        drug = broadened_counts(control, values, 25, rng)
        met += screen(PopulationCounts(before, drug, stimuli, drawn.window_s))["T2"].met
    assert stats.binomtest(met, 24, 0.10, alternative="greater").pvalue > 1e-3


def test_draws_are_within_the_ranges():
    draws = broadened_draws(500, np.random.default_rng(4))
    for name, (low, high) in BROADENING_RANGES.items():
        assert low <= draws[name].min() < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < draws[name].max() <= high


def test_curves_are_those_of_the_control_population(drawn, control):
    for name in ("preferred_deg", "amplitude", "baseline", "sigma_deg"):
        ours, theirs = ([getattr(f, name) for f in fits] for fits in (control.fits, drawn.statistics.fits))
        np.testing.assert_array_equal(ours, theirs, err_msg=name)
