"""The sampler: its coordinates, and draws from a posterior that is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ketune.inference import curvature, sample
from ketune.inference._sample import Plane

SEEDS = st.integers(0, 10_000)


@pytest.fixture(scope="module")
def plane(two_conditions):
    return Plane(two_conditions().structure)


def somewhere(plane, seed):
    """Coordinates and weights."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1.5, len(plane.others) + len(plane.angles))
    x[plane.angles] = rng.uniform(0, 9, len(plane.angles))
    return x, rng.uniform(0.05, 5.0, 2)


@settings(max_examples=40)
@given(seed=SEEDS)
def test_there_and_back(plane, seed):
    x, weights = somewhere(plane, seed)
    np.testing.assert_allclose(plane.lowered(plane.lifted(x, weights), weights), x, atol=1e-9)


@given(seed=SEEDS, radius=st.floats(0.3, 3.0))
def test_the_distance_from_the_circle_does_not_matter(plane, seed, radius):
    x, weights = somewhere(plane, seed)
    y = plane.lifted(x, weights)
    y[len(plane.others) :] *= radius
    np.testing.assert_allclose(plane.lowered(y, weights), x, atol=1e-9)


@settings(max_examples=25)
@given(seed=SEEDS)
def test_volume_is_kept(plane, seed):
    x, weights = somewhere(plane, seed)
    h, others = 1e-5, plane.others
    jacobian = np.array(
        [
            (plane.lifted(x + e, weights) - plane.lifted(x - e, weights))[: len(others)] / (2 * h)
            for e in h * np.eye(len(x))[others]
        ]
    )
    assert abs(np.linalg.det(jacobian)) == pytest.approx(1.0, abs=1e-6)
    assert abs(jacobian - np.eye(len(others))).max() > 0.01


def test_the_stiff_direction_is_one_coordinate(plane):
    """A covariance in which the weighted sum of AMPA and NMDA conductance alone is known."""
    best = np.zeros(len(plane.others) + len(plane.angles))
    names = [p.name for p in plane.structure.parameters]
    a, b = names.index("ampa_nS"), names.index("nmda_nS")
    known = np.zeros(len(best))
    known[[a, b]] = 0.8, 0.4
    covariance = np.linalg.inv(np.eye(len(best)) + 1e4 * np.outer(known, known))
    weights = plane.weights(best, covariance)
    assert weights[0] == pytest.approx(0.5, rel=1e-6)
    spread = plane.lifted_covariance(best, covariance, weights)
    total = np.sqrt(spread[np.flatnonzero(plane.others == a)[0], np.flatnonzero(plane.others == a)[0]])
    assert total < 0.02


@pytest.fixture(scope="module")
def prior_only(two_conditions, without_counts):
    model = without_counts(two_conditions())
    best = np.array([p.centre for p in model.prior])
    return model, best, curvature(model, best)


@pytest.mark.slow
def test_without_counts_the_posterior_is_the_prior(prior_only):
    model, best, covariance = prior_only
    done = []
    drawn = sample(
        model, best, covariance, seed=5, chains=2, warm_up=40, draws=130, on_chain=lambda: done.append(1)
    )
    assert len(done) == 2
    assert drawn.coordinates.shape == (2, 130, 13)
    assert drawn.diverging.mean() < 0.02
    assert 0.6 < drawn.acceptance.mean() < 1.0
    assert drawn.gradients == drawn.steps.sum()
    flat = drawn.coordinates.reshape(-1, 13)
    for prior, name, u in zip(model.prior, model.names, flat.T, strict=True):
        if prior.kind == "circle":
            assert u.min() >= 0, name
            assert u.max() < 9, name
            for harmonic in (1, 2):
                turn = np.exp(2j * np.pi * harmonic * u / 9)
                assert abs(turn.mean()) < 0.35, name
        else:
            law = stats.norm(prior.centre, prior.sd) if prior.kind == "normal" else stats.logistic()
            # Draws follow one another: these are as many as 100 independent ones.
            assert abs(u.mean() - law.mean()) < 0.35 * law.std(), name
            assert u.std() == pytest.approx(law.std(), rel=0.3), name
    first, again, other = (
        sample(model, best, covariance, seed=s, chains=1, warm_up=4, draws=4) for s in (5, 5, 6)
    )
    for field in ("coordinates", "log_density", "acceptance", "steps"):
        np.testing.assert_array_equal(getattr(first, field), getattr(again, field))
    assert np.any(first.coordinates != other.coordinates)
