"""The emulator and its error, on response functions whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from ketune.workflow._direct_runs import Pool, estimate
from ketune.workflow._emulator import Budget, Emulator, Surface, grow

THETA = np.arange(0.0, 180.0, 22.5)
BLOCK = 16


def truth(points: np.ndarray) -> np.ndarray:
    """Expected counts ``(n, 9)`` of a made-up neuron: one action scales it, one adds, one is idle."""
    x = np.atleast_2d(points)
    curve = 4.0 + 18.0 * np.exp(-0.5 * ((THETA - 67.5) / 25.0) ** 2)
    gain = 1.0 / (1.0 + np.exp(0.8 * x[:, :1] - 2.0)) * (1.0 + np.exp(-2.0))
    shown = gain * curve + 2.0 * np.tanh(0.5 * x[:, 1:2])
    return np.hstack([np.maximum(shown, 0.0), 3.0 * gain])


def neuron(points: np.ndarray, fano: float = 2.0, private: float = 0.2):
    """Runs that share their random numbers between effects, apart from a private share of the variance."""

    def run(row: int | None, first: int, n: int = 1) -> np.ndarray:
        return np.hstack([one(row, block) for block in range(first, first + n)])

    def one(row: int | None, block: int) -> np.ndarray:
        mean = truth(np.zeros((1, points.shape[1])) if row is None else points[row])[0][:, None]
        common = np.random.default_rng([7, block]).standard_normal((1, BLOCK))
        own = np.random.default_rng([8, block, 0 if row is None else row + 1]).standard_normal((9, BLOCK))
        deviate = np.sqrt(1 - private) * common + np.sqrt(private) * own
        # Negative binomial counts of the wanted variance over mean, by quantile.
        size = np.maximum(mean, 1e-9) / (fano - 1.0)
        return stats.nbinom.ppf(stats.norm.cdf(deviate), size, 1.0 / fano).astype(int)

    return run


def budget_of(pool_blocks: int, **changes: float) -> Budget:
    """A budget of blocks of 16 trials that is not ended by the clock."""
    return replace(Budget(block_trials=BLOCK, pool_blocks=pool_blocks, seconds=1e9), **changes)


def cloud(n: int = 400, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.uniform(0, 4, n), rng.normal(0, 1, n), rng.normal(0, 1, n)])


def test_control_variates_remove_the_common_error_and_know_what_is_left() -> None:
    points = cloud(60)
    run = neuron(points, private=0.05)
    pool = Pool(np.hstack([run(None, b) for b in range(8)]), 8)
    raw, adjusted, claimed = [], [], []
    for row in range(60):
        whole = np.hstack([run(row, b) for b in range(8)])
        block = row % 8
        part = estimate(
            whole[:, block * BLOCK : (block + 1) * BLOCK], np.arange(block * BLOCK, (block + 1) * BLOCK), pool
        )
        raw.append(whole[:, block * BLOCK : (block + 1) * BLOCK].mean(axis=1) - whole.mean(axis=1))
        adjusted.append(part.mean - whole.mean(axis=1))
        claimed.append(part.mean_error)
    rms = {
        k: float(np.sqrt(np.mean(np.square(v))))
        for k, v in (("raw", raw), ("adjusted", adjusted), ("se", claimed))
    }
    assert rms["adjusted"] < 0.6 * rms["raw"]
    assert rms["se"] == pytest.approx(rms["adjusted"], rel=0.3)


def test_the_control_estimates_itself_exactly() -> None:
    pool = Pool(np.random.default_rng(0).poisson(9.0, (9, 64)), 8)
    part = estimate(pool.counts[:, 16:32], np.arange(16, 32), pool)
    np.testing.assert_allclose(part.mean, pool.mean, rtol=1e-12)
    assert part.log_fano == pytest.approx(0.0, abs=1e-12)
    assert part.mean_error.max() < 1e-12


def test_a_silenced_neuron_has_no_fano_factor_and_no_error_without_cause() -> None:
    pool = Pool(np.random.default_rng(0).poisson(9.0, (9, 64)), 8)
    part = estimate(np.zeros((9, 16), int), np.arange(16), pool)
    assert np.all(part.mean == 0.0)
    assert np.all(part.mean_error == 0.5 / 16)
    assert np.isnan(part.log_fano)


def test_surface_leaves_out_as_a_fit_without_the_point() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(25, 2))
    y = np.column_stack([np.sin(x[:, 0]), x[:, 1] ** 2])
    noise = np.full(25, 0.05)
    surface = Surface(x, y, noise)
    predicted = surface.left_out()
    kernel = surface._process.kernel_
    for i in (0, 7, 24):
        others = np.delete(np.arange(25), i)
        scale = np.sqrt(np.mean(y**2))
        k = kernel(x[others]) + np.diag((noise[others] / scale) ** 2)
        expected = kernel(x[i : i + 1], x[others]) @ np.linalg.solve(k, y[others])
        np.testing.assert_allclose(predicted[i], expected[0], rtol=1e-7, atol=1e-9)


def test_points_are_chosen_where_the_variance_falls_most() -> None:
    x = np.linspace(-1.0, 1.0, 12)[:, None]
    surface = Surface(x, np.sin(3 * x), np.full(12, 0.02))
    candidates = np.array([[0.0], [0.1], [2.5], [2.6], [2.4], [2.45]])
    first = surface.next_points(candidates, 1, np.ones(6))[0]
    assert candidates[first, 0] > 2.0
    # What lies there hardly counts where the neuron is silent.
    first = surface.next_points(candidates, 1, np.array([1.0, 1.0, 1e-12, 1e-12, 1e-12, 1e-12]))[0]
    assert candidates[first, 0] < 2.0


@pytest.fixture(scope="module")
def grown():
    points = cloud()
    budget = budget_of(8, checks=6, check_blocks=4, batch=8, most_design=48)
    return points, grow(points, neuron(points), n_shown=8, budget=budget, seed=3)


def test_measured_error_is_the_error_against_the_truth(grown) -> None:
    points, result = grown
    # The pool's own error is common to all effects and no error of the emulator: judge against the truth times it.
    pool = result.pool
    level = pool.mean / truth(np.zeros((1, 3)))[0]
    response = result.emulator(points)
    actual = np.sqrt(np.mean(((response.mean - level * truth(points)) / pool.peak) ** 2))
    assert result.error.within
    assert actual < 0.02
    assert result.error.rms < 3.0 * max(actual, result.error.direct_noise)
    assert result.error.largest >= result.error.rms
    assert len(result.checks) == 6
    assert not set(result.design) & {check.row for check in result.checks}


def test_monte_carlo_error_is_that_of_the_pool(grown) -> None:
    _, result = grown
    pool = result.pool
    best = int(np.argmax(pool.mean[:8]))
    assert pool.peak_error == pytest.approx(np.std(pool.counts[best], ddof=1) / np.sqrt(pool.counts.shape[1]))
    # Fano factor 2 and 128 trials.
    assert pool.peak_error / pool.peak == pytest.approx(np.sqrt(2.0 / 22.0 / 128), rel=0.35)


def test_control_is_reproduced_and_fano_recovered(grown) -> None:
    points, result = grown
    at_control = result.emulator(np.zeros((1, 3)))
    np.testing.assert_allclose(at_control.mean[0], result.pool.mean, rtol=0.02, atol=0.1)
    # The stand-in has one Fano factor for all effects but those that silence it.
    response = result.emulator(points[points[:, 0] < 2.0])
    assert np.median(response.fano) == pytest.approx(result.pool.fano, rel=0.1)


def test_an_emulator_that_cannot_reach_the_tolerance_says_so() -> None:
    points = cloud(80)

    def rough(row: int | None, first: int, n: int) -> np.ndarray:
        # A response that the actions do not determine.
        counts = neuron(points)(row, first, n)
        return counts if row is None else counts * (1 + row % 2)

    budget = budget_of(2, checks=4, check_blocks=1, design=8, batch=8, most_design=16)
    result = grow(points, rough, n_shown=8, budget=budget)
    assert not result.error.within
    assert result.error.rms > 0.05
    assert len(result.design) == 16


def test_growth_stops_with_the_time() -> None:
    points = cloud(80)
    budget = budget_of(2, checks=4, check_blocks=1, design=8, tolerance=1e-9, seconds=0.0)
    ran: list[int] = []
    result = grow(points, neuron(points), n_shown=8, budget=budget, on_run=ran.append)
    assert len(result.design) == 8
    assert sum(ran) == 2 + 4 + 8
    assert result.simulated_trials == BLOCK * sum(ran)


def test_the_same_seed_gives_the_same_emulator() -> None:
    points = cloud(60)
    budget = budget_of(2, checks=2, check_blocks=1, design=8, most_design=8)
    one, two = (grow(points, neuron(points), n_shown=8, budget=budget, seed=5) for _ in range(2))
    assert one.design == two.design
    np.testing.assert_array_equal(one.emulator(points).mean, two.emulator(points).mean)


def test_an_emulator_knows_where_it_is_blind() -> None:
    points = cloud(60)
    run = neuron(points)
    pool = Pool(np.hstack([run(None, b) for b in range(2)]), 8)
    near = np.flatnonzero(points[:, 0] < 2.0)[:20]
    estimates = [estimate(run(int(i), 0), np.arange(BLOCK), pool) for i in near]
    emulator = Emulator(points[near], estimates, pool)
    inside = emulator(np.array([[1.0, 0.0, 0.0]]))
    outside = emulator(np.array([[8.0, 0.0, 0.0]]))
    offset = pool.peak / 8.0
    assert outside.error[0, 0] / (outside.mean[0, 0] + offset) > 2.0 * inside.error[0, 0] / (
        inside.mean[0, 0] + offset
    )


def test_held_out_runs_are_spread_over_what_matters() -> None:
    """As over a wide range of doses: most of them do next to nothing."""
    points = np.vstack([0.02 * cloud(300), cloud(60)])
    budget = budget_of(2, checks=8, check_blocks=1, design=8, most_design=8)
    result = grow(points, neuron(points), n_shown=8, budget=budget)
    strength = np.linalg.norm(points[[check.row for check in result.checks]], axis=1)
    assert np.all(strength > 0.1)
    assert strength.max() - strength.min() > 2.0


@pytest.mark.parametrize("weak", [1e-6, 1.0])
def test_two_effects_are_enough(weak: float) -> None:
    """One is simulated for the emulator and the other judges it, whether or not it does anything."""
    points = np.array([[weak, 0.0, 0.0], [2.0, 0.0, 0.0]])
    result = grow(points, neuron(points), n_shown=8, budget=budget_of(2, checks=4, check_blocks=1, design=8))
    assert sorted([*result.design, *(check.row for check in result.checks)]) == [0, 1]
