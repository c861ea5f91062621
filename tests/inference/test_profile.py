"""Profiles against brute force: the parameter held, the others refitted by SciPy."""

import numpy as np
import pytest
from scipy import optimize, stats

from ketune.inference import curvature, find_optimum, profiles

NAMES = ("drug.nmda", "preferred_basal_deg", "peak_rate_hz")


@pytest.fixture(scope="module")
def profiled(two_conditions):
    model = two_conditions(known=True)
    best = find_optimum(model, seed=3, screened=40, followed=4).coordinates
    covariance = curvature(model, best)
    done = []
    found = profiles(model, best, covariance, names=NAMES, on_done=lambda: done.append(1))
    assert len(done) == len(NAMES)
    return model, best, {p.name: p for p in found}


def held(model, best, i, value):
    """Height with coordinate ``i`` held, without its own prior."""
    others = np.delete(np.arange(len(best)), i)

    def cost(y):
        x = best.copy()
        x[i], x[others] = value, y
        height, slope = model.value_and_gradient(x)
        return -height, -slope[others]

    result = optimize.minimize(cost, best[others], jac=True, method="BFGS", options={"gtol": 1e-3})
    x = best.copy()
    x[i] = value
    return -result.fun - float(model.prior_terms(x)[i])


@pytest.mark.parametrize("name", NAMES)
def test_heights(profiled, name):
    model, best, found = profiled
    i, profile = model.names.index(name), found[name]
    assert np.all(np.diff(profile.values) > 0)
    assert profile.log_likelihood.max() == 0.0
    parameter = model.parameters[i]
    coordinate = {
        "linear": parameter.coordinate,
        "log": np.log,
        "orientation": lambda v: v / 20.0,
    }[parameter.scale]
    some = range(0, len(profile.values), 2)
    expected = np.array([held(model, best, i, float(coordinate(profile.values[k]))) for k in some])
    heights = profile.log_likelihood[list(some)]
    # Heights count from the best of the profile, which is one of all its points.
    top = int(np.argmax(profile.log_likelihood))
    summit = held(model, best, i, float(coordinate(profile.values[top])))
    np.testing.assert_allclose(heights, expected - summit, atol=0.1)


@pytest.mark.parametrize("name", NAMES)
def test_the_estimate_is_among_the_values(profiled, name):
    model, best, found = profiled
    assert np.min(abs(found[name].values - model.values(best)[name])) < 1e-9


def test_followed_until_confidence_is_reached(profiled):
    _, _, found = profiled
    enough = stats.chi2.ppf(0.9, 1) / 2
    for profile in found.values():
        assert 3 <= len(profile.values) <= 25
        assert profile.log_likelihood.min() < -enough or np.ptp(profile.values) > 0


def test_only_what_was_asked_for(profiled):
    _, _, found = profiled
    assert set(found) == set(NAMES)
    assert all(p.gradients > len(p.values) for p in found.values())
