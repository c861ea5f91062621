"""The search for shared actions."""

import numpy as np
import pytest

from ketune.reproduce import shared_fit, smooth_changes

RNG = np.random.default_rng(4)
DRAWS = {
    "nmda_basal": RNG.uniform(0.05, 1.0, 40),
    "nmda_apical": RNG.uniform(0.05, 1.0, 40),
    "pv": RNG.uniform(0.2, 1.0, 40),
    "gain_noise": RNG.uniform(0.2, 1.0, 40),
}


def test_it_is_better_than_every_draw_and_within_their_range(population):
    found = shared_fit(population, DRAWS, (0.8, 1.25))
    assert tuple(found.actions) == tuple(DRAWS)
    for name, value in found.actions.items():
        low, high = np.quantile(DRAWS[name], [0.025, 0.975])
        assert low - 1e-9 <= value <= high + 1e-9, name
        assert (name in found.at_bound) == (min(value - low, high - value) < 1e-3 * (high - low))
    single = [
        shared_fit(population, {n: np.array([v[i], v[i]]) for n, v in DRAWS.items()}, (0.8, 1.25)).loss
        for i in range(4)
    ]
    assert found.loss < min(single)
    assert found.gradients > 3


def test_nothing_to_change_lacks_everything_that_has_to_change(population):
    found = shared_fit(population, {}, (0.8, 1.25))
    assert found.actions == {}
    assert found.loss > 8.0


def test_changes_are_those_of_the_vector_sum(population):
    control, dosed = population.moments({}), population.moments({"nmda_apical": 0.1, "recurrent_drive": 0.7})
    change = smooth_changes(population.arrays, control, dosed)
    angle = np.deg2rad(2 * np.array(population.orientation_deg[:-1]))

    def vector(mean):
        return np.asarray(mean)[:, :-1] @ np.exp(1j * angle)

    before, after = vector(control.mean), vector(dosed.mean)
    turned = np.rad2deg(np.angle(after / before)) / 2
    np.testing.assert_allclose(change["shift_deg"], turned, atol=1e-6)
    assert float(change["log_spontaneous"]) == pytest.approx(
        np.log(dosed.mean[:, -1].sum() / control.mean[:, -1].sum())
    )
