"""Priors: ranges, draws, and what is refused."""

import numpy as np
import pytest
from scipy import stats

from ketune.errors import InputError
from ketune.fitting import PARAMETERS, FitParameter
from ketune.fitting._prior import WORKING_RANGE
from ketune.inference import Prior, normal_over
from ketune.inference._priors import default_priors

AMPA = next(p for p in PARAMETERS if p.name == "ampa_nS")
ANGLE = next(p for p in PARAMETERS if p.scale == "orientation")
FACTOR = FitParameter("drug.nmda", "", 0.0, 1.25, "linear", "a factor")


@pytest.mark.parametrize(("parameter", "low", "high"), [(AMPA, 0.2, 1.2), (FACTOR, 0.3, 0.9)])
def test_the_range_holds_95_percent(parameter, low, high):
    prior = normal_over(parameter, low, high)
    law = stats.norm(prior.centre, prior.sd)
    ends = [np.log(x) if parameter is AMPA else parameter.coordinate(x) for x in (low, high)]
    np.testing.assert_allclose(law.cdf(ends), [0.025, 0.975], atol=1e-4)


@pytest.mark.parametrize(("low", "high"), [(1.2, 0.2), (0.5, 0.5), (0.0, 1.0), (0.2, 50.0), (np.nan, 1.0)])
def test_no_range(low, high):
    with pytest.raises(
        InputError, match=r"prior of 'ampa_nS': .* is no range within its bounds, 0\.05 to 3$"
    ):
        normal_over(AMPA, low, high)


def test_orientations_have_no_prior():
    with pytest.raises(InputError, match="orientations are learnt from the data alone"):
        normal_over(ANGLE, 10.0, 20.0)


def test_default_priors():
    priors = default_priors((*PARAMETERS, FACTOR))
    for p in PARAMETERS:
        if p is not AMPA and p.scale != "orientation":
            assert priors[p.name] == normal_over(p, *WORKING_RANGE[p.name])
    assert priors[ANGLE.name].kind == "circle"
    assert priors["drug.nmda"].kind == "uniform"


@pytest.mark.parametrize(
    ("prior", "law"),
    [
        (Prior("normal", 1.0, 0.3), stats.norm(1.0, 0.3)),
        (Prior("uniform"), stats.logistic()),
        (Prior("circle"), stats.uniform(0, 9)),
    ],
)
def test_draws(prior, law):
    assert stats.kstest(prior.draw(3000, np.random.default_rng(2)), law.cdf).pvalue > 1e-3


def test_all_factors_are_alike():
    factors = FACTOR.value(Prior("uniform").draw(3000, np.random.default_rng(3)))
    assert stats.kstest(factors, stats.uniform(0, 1.25).cdf).pvalue > 1e-3
