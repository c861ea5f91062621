"""The optimum: the same from one seed, every start recorded, and its curvature."""

from dataclasses import replace

import numpy as np
import pytest

from ketune.errors import InputError
from ketune.fitting._observed import preferred_deg
from ketune.inference import Prior, curvature, find_optimum
from ketune.inference._coordinates import ANGLE_UNIT_DEG
from ketune.inference._starts import climb


@pytest.fixture(scope="module")
def model(two_conditions):
    return two_conditions(known=True)


@pytest.fixture(scope="module")
def optimum(model):
    return find_optimum(model, seed=3, screened=40, followed=4)


def test_one_seed_gives_one_optimum(model, optimum):
    again = find_optimum(model, seed=3, screened=40, followed=4)
    np.testing.assert_array_equal(again.coordinates, optimum.coordinates)
    assert again.log_density == optimum.log_density
    for a, b in zip(again.starts, optimum.starts, strict=True):
        assert (a.number, a.first, a.last, a.status, a.evaluations) == (
            b.number,
            b.first,
            b.last,
            b.status,
            b.evaluations,
        )
        np.testing.assert_array_equal(a.coordinates, b.coordinates)


def test_every_start_is_recorded(model, optimum):
    # The last one begins at the best place with the trees' preferences exchanged.
    assert [s.number for s in optimum.starts] == list(range(41))
    followed = [s for s in optimum.starts[:-1] if s.status != "screened out"]
    assert len(followed) == 4
    screened = [s for s in optimum.starts if s.status == "screened out"]
    assert max(s.first for s in screened) <= min(s.first for s in followed)
    for s in optimum.starts[:-1]:
        assert s.first <= s.last
    for s in optimum.starts:
        assert model.value_and_gradient(s.coordinates)[0] == pytest.approx(s.last, rel=1e-9)
        assert s.status in ("screened out", "discarded", "converged", "stopped")
    assert optimum.gradients == sum(s.evaluations for s in optimum.starts)
    assert optimum.log_density == max(s.last for s in (*followed, optimum.starts[-1]))
    assert 1 <= optimum.agreeing <= 5


def test_nothing_nearby_is_better(model, optimum):
    rng = np.random.default_rng(4)
    spread = np.linalg.cholesky(curvature(model, optimum.coordinates))
    nearby = optimum.coordinates + rng.standard_normal((200, model.n_parameters)) * 0.3 @ spread.T
    assert model.log_densities(nearby).max() < optimum.log_density + 0.01


def test_curvature_is_that_of_the_value(model, optimum):
    """Along random directions the density falls as a normal one with this covariance."""
    covariance = curvature(model, optimum.coordinates)
    values, vectors = np.linalg.eigh(covariance)
    assert np.all(values <= 1 / 0.05 * (1 + 1e-9))
    h = 0.02
    stiff = np.flatnonzero(values < 2.0)
    assert len(stiff) > 6
    for i in stiff:
        step = h * np.sqrt(values[i]) * vectors[:, i]
        ends = [model.value_and_gradient(optimum.coordinates + s * step)[0] for s in (-1, 0, 1)]
        second = (ends[0] - 2 * ends[1] + ends[2]) / h**2
        # Both are differences: that of the gradient with steps of 0.01.
        assert second == pytest.approx(-1.0, abs=0.05)


def test_a_given_start_is_followed(model, truth):
    own = model.coordinates(truth) + 1.0
    found = find_optimum(model, seed=3, screened=40, followed=2, start=own)
    assert len(found.starts) == 42
    assert found.starts[0].first == pytest.approx(model.value_and_gradient(own)[0])
    assert found.starts[0].status != "screened out"
    assert sum(s.status != "screened out" for s in found.starts[:-1]) == 2


def test_a_start_that_the_prior_excludes(model, truth):
    own = model.coordinates(truth)
    own[0] = np.inf
    with pytest.raises(InputError, match="starting point has probability zero under the priors"):
        find_optimum(model, seed=1, screened=2, start=own)


def test_no_possible_start(model):
    impossible = replace(model, priors={"ampa_nS": Prior("normal", np.inf, 1.0)})
    with pytest.raises(InputError, match="no starting point gives the recording a finite probability"):
        find_optimum(impossible, seed=1, screened=3)


def test_a_held_coordinate_stays(model, optimum):
    x = optimum.coordinates + 0.1
    spread = np.linalg.cholesky(curvature(model, optimum.coordinates))
    result = climb(model, x, 30, spread=spread, fixed=7)
    assert result.x[7] == x[7]
    assert model.value_and_gradient(x)[0] < result.fun < optimum.log_density


def test_starts_lie_around_the_recorded_preference(model):
    means = np.array([o.mean() for o in model.conditions[0].counts[:5]])
    angle = np.deg2rad(2 * np.array(model.orientation_deg[:5]))
    x, y = ((means - means.min()) @ f(angle) for f in (np.cos, np.sin))
    preferred = preferred_deg(model.orientation_deg, model.conditions[0].counts) % 180
    assert preferred == pytest.approx(np.rad2deg(np.arctan2(y, x)) / 2 % 180)
    assert 50 < preferred < 95
    assert ANGLE_UNIT_DEG * 9 == 180
