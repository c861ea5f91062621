"""A folded recording of a direction-selective neuron: what the fit and its check are given."""

from dataclasses import replace

import numpy as np
import pytest

from ketune import tuning
from ketune.fitting import DirectionCounts
from ketune.workflow._fit_plan import observed, trials_of


@pytest.fixture
def folded() -> tuning.Recording:
    rng = np.random.default_rng(3)
    directions = np.repeat([0.0, 45.0, 180.0, 225.0, np.nan], 30)
    mean = np.repeat([20.0, 8.0, 5.0, 8.0, 1.0], 30)
    shipped = tuning.shipped_recording("macaque_v2")
    return replace(
        shipped,
        orientation_deg=directions,
        trial=np.arange(150),
        spikes=rng.poisson(mean),
        condition=np.full(150, "control"),
        sha256="",
    ).fold()


def test_directions_stay_apart_in_the_fit_and_their_difference_leaves_the_check(folded):
    both = observed(folded, 0.0, None)
    assert isinstance(both, DirectionCounts)
    assert [len(c) for c in both.counts] == [30, 30]
    there, back = both.counts
    assert there.mean() > 2 * back.mean()
    trials = trials_of(folded, 0.0, None)
    assert trials.mean() == pytest.approx(folded.counts(0.0).mean())
    assert trials.var() < 0.5 * folded.counts(0.0).var()


def test_a_blank_has_no_direction(folded):
    np.testing.assert_array_equal(observed(folded, None, None), folded.counts(None))
