"""The joint model as an object: coordinates, derivatives, corrections."""

from dataclasses import replace

import numpy as np
import pytest

from ketune.errors import InputError
from ketune.fitting import NAMES
from ketune.inference import Prior


def test_values_and_coordinates(two_conditions, truth):
    model = two_conditions()
    assert model.names == (*NAMES, "drug.nmda", "drug.pv")
    x = model.coordinates(truth)
    assert model.values(x) == pytest.approx(truth)
    assert model.values(np.stack([x, x + 1]))["ampa_nS"] == pytest.approx([0.8, 0.8 * np.e])


def test_a_prior_of_something_else(one_condition):
    with pytest.raises(
        InputError, match="prior of 'ampa': there is no such parameter; there are peak_rate_hz"
    ):
        replace(one_condition, priors={"ampa": Prior("normal")})


def test_own_priors_replace_the_default(one_condition):
    own = Prior("normal", 0.5, 0.1)
    model = replace(one_condition, priors={"ampa_nS": own})
    assert model.prior[model.names.index("ampa_nS")] is own
    draws = model.prior_draws(4000, np.random.default_rng(1))[:, model.names.index("ampa_nS")]
    assert (draws.mean(), draws.std()) == pytest.approx((0.5, 0.1), rel=0.05)


def test_second_derivative_is_that_of_the_value(two_conditions, truth):
    model = two_conditions()
    x = model.coordinates(truth)
    found = model.hessian(x)
    np.testing.assert_array_equal(found, found.T)
    h = 2e-3
    some = [0, 6, 12]
    step = {i: h * np.eye(len(x))[i] for i in some}
    for i in some:
        for j in some:
            corners = [
                a * b * model.value_and_gradient(x + a * step[i] + b * step[j])[0]
                for a in (1, -1)
                for b in (1, -1)
            ]
            scale = np.sqrt(abs(found[i, i] * found[j, j]))
            assert found[i, j] == pytest.approx(sum(corners) / (4 * h**2), abs=0.02 * scale)


def test_correction_multiplies_the_moments(one_condition, truth):
    x = one_condition.coordinates(truth)
    before = one_condition.moments(x)
    ratio = np.linspace(0.8, 1.2, 6)[None]
    after = one_condition.corrected(ratio, np.ones((1, 6))).moments(x)
    np.testing.assert_allclose(after.mean, ratio * before.mean, rtol=1e-9)
    broader = one_condition.corrected(np.ones((1, 6)), np.full((1, 6), 1.3)).moments(x)
    np.testing.assert_allclose(broader.mean, before.mean, rtol=1e-9)
    np.testing.assert_allclose(broader.fano, 1.3 * before.fano, rtol=0.01)


def test_many_are_as_each(one_condition, truth):
    x = one_condition.coordinates(truth)
    both = np.stack([x, x + 0.1])
    many = one_condition.many_moments(both)
    for i in (0, 1):
        np.testing.assert_allclose(many.mean[i], one_condition.moments(both[i]).mean, rtol=1e-12)
        np.testing.assert_allclose(many.covariance[i], one_condition.moments(both[i]).covariance, rtol=1e-9)
