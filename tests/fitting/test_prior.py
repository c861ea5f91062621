"""The prior over the working range, and a likelihood with it."""

import numpy as np
import pytest
from scipy import stats

from ketune.fitting import NAMES, PARAMETERS
from ketune.fitting._optimise import Derivatives, ascend
from ketune.fitting._parameters import coordinates_of, values_of
from ketune.fitting._prior import PRECISION, WORKING_RANGE, Posterior, log_prior

N = len(PARAMETERS)
MIDDLE = coordinates_of({p.name: np.sqrt(max(p.low, 1.0) * p.high) for p in PARAMETERS})


@pytest.mark.parametrize("name", sorted(WORKING_RANGE))
def test_the_working_range_holds_95_percent_of_the_prior(name):
    i = NAMES.index(name)
    grid = np.linspace(-12, 12, 48_001)
    density = np.exp([log_prior(np.where(np.arange(N) == i, x, MIDDLE)) for x in grid])
    value = PARAMETERS[i].value(grid)
    low, high = WORKING_RANGE[name]
    inside = (value >= low) & (value <= high)
    assert density[inside].sum() / density.sum() == pytest.approx(0.95, abs=1e-3)
    assert density[value < low].sum() == pytest.approx(density[value > high].sum(), rel=0.01)


def test_orientations_have_no_prior():
    for i, p in enumerate(PARAMETERS):
        assert (PRECISION[i] == 0) == (p.scale == "orientation") == (p.name not in WORKING_RANGE)


def test_precision_is_the_curvature_of_the_prior():
    h = 1e-3
    for i, e in enumerate(h * np.eye(N)):
        curvature = (log_prior(MIDDLE + e) - 2 * log_prior(MIDDLE) + log_prior(MIDDLE - e)) / h**2
        assert curvature == pytest.approx(-PRECISION[i], rel=1e-4, abs=1e-6)


class OneKnown:
    """Data that tell one parameter and nothing of the others: a normal law in its coordinate."""

    index, sd, at = NAMES.index("ampa_nS"), 0.05, 1.3

    def log_likelihoods(self, coordinates):
        return np.array([stats.norm.logpdf(u[self.index], self.at, self.sd) for u in coordinates])

    def derivatives(self, u, *, information):
        e = np.eye(N)[self.index]
        matrix = np.outer(e, e) / self.sd**2
        return Derivatives(e * (self.at - u[self.index]) / self.sd**2, matrix if information else None)


def test_data_outweigh_the_prior_and_the_prior_fills_what_they_leave_open():
    start = MIDDLE + np.where(PRECISION > 0, 1.5, 0.0)
    found = ascend(Posterior(OneKnown()), start, iterations=60, tolerance=1e-9)
    assert found.status == "converged"
    assert found.coordinates[OneKnown.index] == pytest.approx(OneKnown.at, abs=OneKnown.sd)
    values = values_of(found.coordinates)
    for name, (low, high) in WORKING_RANGE.items():
        if name != "ampa_nS":
            assert low < values[name] < high
    np.testing.assert_allclose(np.diag(found.information)[PRECISION > 0] >= PRECISION[PRECISION > 0], True)
    gradient = Posterior(OneKnown()).derivatives(start, information=False).gradient
    difference = [
        np.diff(Posterior(OneKnown()).log_likelihoods([start - h, start + h]))[0] / 2e-5
        for h in 1e-5 * np.eye(N)
    ]
    np.testing.assert_allclose(gradient, difference, rtol=1e-4, atol=1e-5)
