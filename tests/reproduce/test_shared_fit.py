"""The search for shared actions."""

import numpy as np
import pytest

from ketune.reproduce import drawn_counts, expected_changes, shared_fit

RNG = np.random.default_rng(4)
DRAWS = {
    "nmda_basal": RNG.uniform(0.05, 1.0, 40),
    "nmda_apical": RNG.uniform(0.05, 1.0, 40),
    "pv": RNG.uniform(0.2, 1.0, 40),
    "gain_noise": RNG.uniform(0.2, 1.0, 40),
}


def test_it_is_better_than_every_draw_and_within_their_range(population):
    found = shared_fit(population, DRAWS, (0.8, 1.25), 25)
    assert tuple(found.actions) == tuple(DRAWS)
    for name, value in found.actions.items():
        low, high = np.quantile(DRAWS[name], [0.025, 0.975])
        assert low - 1e-9 <= value <= high + 1e-9, name
        assert (name in found.at_bound) == (min(value - low, high - value) < 1e-3 * (high - low))
    single = [
        shared_fit(population, {n: np.array([v[i], v[i]]) for n, v in DRAWS.items()}, (0.8, 1.25), 25).loss
        for i in range(4)
    ]
    assert found.loss < min(single)
    assert found.gradients > 3


def test_nothing_to_change_lacks_everything_that_has_to_change(population):
    found = shared_fit(population, {}, (0.8, 1.25), 25)
    assert found.actions == {}
    assert found.loss > 5.0


def test_changes_are_those_of_the_vector_sum(population):
    control, dosed = population.moments({}), population.moments({"nmda_apical": 0.1, "recurrent_drive": 0.7})
    change = expected_changes(population.arrays, control, dosed, 25)
    angle = np.deg2rad(2 * np.array(population.orientation_deg[:-1]))

    def vector(mean):
        return np.asarray(mean)[:, :-1] @ np.exp(1j * angle)

    before, after = vector(control.mean), vector(dosed.mean)
    turned = np.rad2deg(np.angle(after / before)) / 2
    np.testing.assert_allclose(change["shift_deg"], turned, atol=1e-6)
    assert float(change["log_spontaneous"]) == pytest.approx(
        np.log(dosed.mean[:, -1].sum() / control.mean[:, -1].sum())
    )


def test_expected_shares_are_what_experiments_find(population):
    """Against experiments of the same trials, the preferred orientation being that of the vector sum."""
    rng, trials = np.random.default_rng(5), 25
    moments = [population.moments(a) for a in ({}, {"nmda_apical": 0.05, "retuning_deg": 8.0})]
    change = expected_changes(population.arrays, *moments, trials)
    angle = np.exp(2j * np.deg2rad(np.array(population.orientation_deg[:-1])))
    moved = np.zeros((2, 3))
    for _ in range(200):
        control, again, drug = (
            drawn_counts(m, trials, rng).mean(axis=2)[:, :-1] @ angle for m in (moments[0], *moments)
        )
        for row, second in zip(moved, (again, drug), strict=True):
            row += np.abs(np.rad2deg(np.angle(second / control)) / 2) > 5.0
    chance, share = moved.mean(axis=1) / 200
    assert float(change["share_moved"]) == pytest.approx(share, abs=0.06)
    unchanged = expected_changes(population.arrays, moments[0], moments[0], trials)
    assert float(unchanged["share_chance"]) == pytest.approx(chance, abs=0.06)
    assert share > chance + 0.1


def test_nothing_changed_is_seen_as_nothing(population):
    control = population.moments({})
    change = expected_changes(population.arrays, control, control, 25)
    assert float(change["share_down"]) == pytest.approx(0.5)
    assert float(change["share_moved"]) == pytest.approx(float(change["share_chance"]), abs=1e-4)
    assert float(change["log_fano"]) == pytest.approx(0.0, abs=1e-9)
    assert float(change["log_spontaneous"]) == pytest.approx(0.0, abs=1e-9)
