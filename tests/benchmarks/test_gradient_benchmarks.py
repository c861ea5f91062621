"""The parts of the gradient benchmarks that can be wrong unnoticed; nothing here simulates the neuron."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from ketune.events import Events

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark_module():
    """Imports a module of the benchmarks, as its scripts do."""
    sys.path.insert(0, str(BENCHMARKS))
    yield importlib.import_module
    sys.path.remove(str(BENCHMARKS))


@pytest.fixture(scope="module")
def problem(benchmark_module):
    own = benchmark_module("_tuning_problem").Problem(seed=1)
    own.__dict__["recorded"] = np.random.default_rng(0).poisson([[15], [8], [5], [1]], (4, 25))
    return own


def test_the_weights_are_the_derivative_of_the_loss(problem):
    mean = np.array([10.0, 9.0, 3.0, 2.0])
    numeric = [
        # Two trials without spread: their noise takes nothing off.
        (problem.loss_of(np.stack([mean + h] * 2, axis=1)) - problem.loss_of(np.stack([mean - h] * 2, axis=1))) / 2e-4
        for h in 1e-4 * np.eye(4)
    ]  # fmt: skip
    np.testing.assert_allclose(problem.weights(mean), numeric, rtol=1e-6)


def test_the_loss_does_not_count_the_noise_of_simulated_means(problem):
    rng = np.random.default_rng(1)
    mean = problem.recorded.mean(axis=1)[:, None] + 1.0
    found = [problem.loss_of(rng.normal(mean, 3.0, (4, 8))) for _ in range(4000)]
    exact = problem.loss_of(np.repeat(mean, 2, axis=1))
    assert abs(np.mean(found) - exact) < 4 * np.std(found) / np.sqrt(len(found))
    assert np.std(found) > 0


def test_bias_is_told_from_noise(benchmark_module):
    compared = benchmark_module("gradient_estimators").compared
    rng, truth = np.random.default_rng(2), np.arange(1.0, 12.0)
    known = {"gradient": truth, "standard_error": np.zeros(11)}
    fair = compared(rng.normal(truth, 2.0, (200, 11)), known)
    skew = compared(rng.normal(1.5 * truth, 2.0, (200, 11)), known)
    size = np.linalg.norm(truth)
    assert fair["bias"] < 3 * fair["bias_noise"]
    assert skew["bias"] == pytest.approx(0.5, abs=0.05)
    assert fair["sd"] == pytest.approx(2.0 * np.sqrt(11) / size, rel=0.1)
    assert skew["cosine"] == pytest.approx(1.0, abs=0.01)
    silent = rng.normal(truth, 1.0, (20, 11))
    silent[:, 3] = np.nan
    assert compared(silent, known)["n_told"] == 10


def test_the_score_of_the_events_has_mean_zero(benchmark_module, problem):
    # The score of any probability has: compensator, gain and every event have to be in it.
    problem_of, estimators = benchmark_module("_tuning_problem"), benchmark_module("_estimators")
    scores = estimators.event_scores(problem, problem_of.x_of(problem_of.TRUTH), 60, seed=5)
    told = ~estimators._CONDUCTANCES
    # Orientations share the random numbers of a trial, so only trials are independent.
    by_trial = scores.mean(axis=0)[:, told]
    z = by_trial.mean(axis=0) / (by_trial.std(axis=0, ddof=1) / np.sqrt(len(by_trial)))
    assert np.all(np.abs(z) < 4.5)
    assert np.all(scores[..., ~told] == 0)


def test_the_score_of_the_gain_is_that_of_its_normal_logarithm(benchmark_module, problem):
    problem_of, estimators = benchmark_module("_tuning_problem"), benchmark_module("_estimators")
    x, i = problem_of.x_of(problem_of.TRUTH), estimators.NAMES.index("gain_sd")
    found = estimators.event_scores(problem, x, 6, seed=5)[..., i]
    sd = problem_of.TRUTH["gain_sd"]
    z = np.array([np.random.default_rng([5, t, 99]).standard_normal() for t in range(6)])
    # log g ~ N(-sd^2/2, sd): d/d sd of its log density at the g that was drawn.
    by_sd = -z * (1.0 - z / sd) - 1.0 / sd
    slope = estimators.PARAMETERS[i].slope(x[i])
    np.testing.assert_allclose(found, np.broadcast_to(by_sd * slope, found.shape), rtol=1e-4)


def test_spikes_join_the_events_in_order(benchmark_module):
    with_spikes = benchmark_module("_escape_cell").with_spikes
    rng = np.random.default_rng(3)
    events = Events.from_arrays(
        n_lanes=3, n_steps=50, dt_ms=0.1, port_names=("exc",), step=rng.integers(50, size=40),
        lane=rng.integers(3, size=40), compartment=rng.integers(9, size=40), port=np.zeros(40, int),
        weight=rng.uniform(size=40),
    )  # fmt: skip
    joined, where = with_spikes(events, np.array([7, 3, 49]), np.array([0, 2, 1]))
    for name in ("step", "lane", "compartment", "weight", "port"):
        np.testing.assert_array_equal(getattr(joined, name)[where], getattr(events, name))
    own = np.setdiff1d(np.arange(43), where)
    assert sorted(zip(joined.step[own], joined.lane[own], strict=True)) == [(3, 2), (7, 0), (49, 1)]
    assert np.all(joined.port[own] == 1)


def test_no_spike_is_drawn_shortly_after_another(benchmark_module):
    escape = benchmark_module("_escape_cell")
    spikes = np.random.default_rng(4).random((200, 5)) < 0.03
    found = escape.refractory(spikes, 0.1)
    for t in range(200):
        np.testing.assert_array_equal(found[t], spikes[max(t - 20, 0) : t].any(axis=0))
