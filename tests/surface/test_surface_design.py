"""Random trials: what they are drawn from."""

import numpy as np
import pytest
from scipy import stats

from ketune.fitting import PARAMETERS
from ketune.fitting._prior import WORKING_RANGE
from ketune.surface._design import random_points


@pytest.fixture(scope="module")
def points():
    return random_points(1500, np.random.default_rng(1), placements=5)


@pytest.mark.parametrize("name", ["peak_rate_hz", "spread_apical_deg", "ampa_nS", "pv_nS", "gain_sd"])
def test_parameters_are_normal_and_wider_than_the_prior(points, name):
    parameter = next(p for p in PARAMETERS if p.name == name)
    values = [p.strengths_nS.get(name) or getattr(p.drive, name) for p in points]
    low, high = (parameter.coordinate(x) for x in WORKING_RANGE[name])
    law = stats.norm((low + high) / 2, 1.25 * (high - low) / (2 * 1.96))
    assert stats.kstest([parameter.coordinate(v) for v in values], law.cdf).pvalue > 1e-3


def test_half_of_the_trials_have_a_drug(points):
    factors = np.array([[p.drive.pv_drive, p.drive.sst_drive] for p in points])
    drugged = np.any(factors != 1, axis=1)
    assert drugged.mean() == pytest.approx(0.5, abs=0.06)
    assert 0.03 <= factors.min() < 0.05
    assert 1.2 < factors.max() <= 0.03**-0.1


def test_some_screens_are_blank(points):
    assert np.mean([np.isnan(p.orientation_deg) for p in points]) == pytest.approx(0.1, abs=0.03)
    shown = [p for p in points if np.isfinite(p.orientation_deg)]
    assert all(0 <= p.orientation_deg < 180 for p in shown)
    apart = [(p.orientation_deg - p.drive.preferred_basal_deg + 90) % 180 - 90 for p in shown]
    assert np.mean(np.abs(apart) < 30) == pytest.approx(
        0.6 * stats.norm.cdf(1.2) * 2 - 0.6 + 0.4 / 3, abs=0.06
    )


def test_gain_and_placement(points):
    assert stats.kstest([p.gain_deviate for p in points], stats.norm(0, 1.2).cdf).pvalue > 1e-3
    assert np.bincount([p.placement for p in points], minlength=5).min() > 200


def test_one_generator_gives_one_design():
    first, again = (random_points(20, np.random.default_rng(9), placements=3) for _ in range(2))
    assert repr(first) == repr(again)
