"""Scores of simulated against recorded counts, and the verdict on them."""

from dataclasses import replace

import numpy as np
import pytest

from ketune.fitting import SpikeCounts
from ketune.workflow import _scores
from ketune.workflow._scores import REQUIRED, Scores, score

ORIENTATIONS = np.arange(0.0, 180.0, 22.5)
MEANS = 6.0 + 14.0 * np.exp(-0.5 * ((ORIENTATIONS - 90.0) / 25.0) ** 2)
GOOD = Scores(0.97, 0.01, 0.08, 0.01, 1.1, 0.05)


@pytest.fixture(autouse=True)
def _fewer_resamples(monkeypatch):
    monkeypatch.setattr(_scores, "_RESAMPLES", 100)


def draw(means, fano, n, seed):
    rng = np.random.default_rng(seed)
    if fano == 1:
        return rng.poisson(np.asarray(means)[:, None], (len(means), n))
    return rng.negative_binomial(np.asarray(means)[:, None] / (fano - 1), 1 / fano, (len(means), n))


def simulated(means, fano=2.0, n=200, seed=0):
    return SpikeCounts(ORIENTATIONS, draw(means, fano, n, seed))


def test_identical_counts_agree_perfectly():
    counts = simulated(MEANS)
    result = score(counts, list(counts.counts), seed=1)
    assert (result.correlation, result.rmse_fraction_of_range) == (pytest.approx(1.0), 0.0)
    assert result.fano_ratio_median == pytest.approx(1.0)
    assert result.passed


def test_the_same_neuron_measured_again_passes():
    result = score(simulated(MEANS, seed=2), list(draw(MEANS, 2.0, 200, 3)), seed=1)
    assert result.passed
    assert 0.0 < result.rmse_fraction_of_range < 0.1
    assert 0.9 < result.fano_ratio_median < 1.1


def test_an_offset_shows_in_the_error_alone():
    recorded = simulated(MEANS, n=50).counts
    result = score(SpikeCounts(ORIENTATIONS, recorded + 7), list(recorded), seed=1)
    assert result.correlation == pytest.approx(1.0)
    assert result.rmse_fraction_of_range == pytest.approx(7 / np.ptp(recorded.mean(axis=1)))
    assert not result.passed


def test_the_opposite_tuning_is_anticorrelated():
    result = score(simulated(26.0 - MEANS, n=2000), list(draw(MEANS, 2.0, 2000, 1)), seed=1)
    assert result.correlation == pytest.approx(-1.0, abs=0.02)
    assert not result.passed


@pytest.mark.parametrize(("fano", "expected"), [(1.0, 0.5), (4.0, 2.0)])
def test_the_fano_ratio_is_model_over_recording(fano, expected):
    result = score(simulated(MEANS, fano, n=2000), list(draw(MEANS, 2.0, 2000, 1)), seed=1)
    assert result.fano_ratio_median == pytest.approx(expected, rel=0.1)
    assert not result.passed


def test_standard_errors_are_how_much_the_scores_scatter():
    """Over new draws of both sides, not only over resamples of one."""
    results = [
        score(simulated(MEANS, n=60, seed=2 * i), list(draw(MEANS, 2.0, 40, 2 * i + 1)), seed=i)
        for i in range(20)
    ]
    for value, error in (("correlation", "correlation_se"), ("rmse_fraction_of_range", "rmse_se"),
                         ("fano_ratio_median", "fano_ratio_se")):  # fmt: skip
        ratio = np.median([getattr(r, error) for r in results]) / np.std([getattr(r, value) for r in results])
        # A correlation near 1 falls with every disturbance, and resampling disturbs it once more.
        assert 0.6 < ratio < 2.5


@pytest.mark.filterwarnings("error")
def test_unequal_numbers_of_trials():
    recorded = [c[: 5 + 3 * i] for i, c in enumerate(draw(MEANS, 2.0, 60, 4))]
    result = score(simulated(MEANS), recorded, seed=1)
    assert result.correlation == pytest.approx(
        np.corrcoef(simulated(MEANS).mean, [c.mean() for c in recorded])[0, 1]
    )
    assert all(np.isfinite(x) for x in (result.correlation_se, result.rmse_se, result.fano_ratio_se))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n", [20, 1])
def test_a_silent_model_and_single_trials_fail_without_an_error(n):
    silent = SpikeCounts(ORIENTATIONS, np.zeros((8, 20), int))
    result = score(silent, list(draw(MEANS, 2.0, n, 1)), seed=1)
    assert np.isnan(result.correlation)
    assert not result.passed


def test_the_same_seed_gives_the_same_errors():
    sides = simulated(MEANS, n=30), list(draw(MEANS, 2.0, 30, 1))
    assert score(*sides, seed=5) == score(*sides, seed=5)
    assert score(*sides, seed=5).rmse_se != score(*sides, seed=6).rmse_se


@pytest.mark.parametrize(
    ("field", "value"),
    [("correlation", 0.94), ("rmse_fraction_of_range", 0.121), ("fano_ratio_median", 1.31),
     ("fano_ratio_median", 0.76), ("correlation", np.nan), ("fano_ratio_median", np.nan)],
)  # fmt: skip
def test_every_bound_counts(field, value):
    assert GOOD.passed
    assert not replace(GOOD, **{field: value}).passed


def test_required_are_the_bounds_of_the_verdict():
    edge = Scores(
        REQUIRED["correlation"], 0.0, REQUIRED["rmse_fraction_of_range"], 0.0, REQUIRED["fano_ratio"], 0.0
    )
    assert edge.passed
    assert replace(edge, fano_ratio_median=1 / REQUIRED["fano_ratio"]).passed
