"""The Fano factor of a condition."""

import warnings

import numpy as np
import pytest

from ketune.fitting import SpikeCounts
from ketune.workflow._apply_document import mean_fano


def counts(*rows):
    return SpikeCounts(np.array([0.0, 90.0, np.nan]), np.array(rows))


def test_silent_orientations_and_the_blank_do_not_count():
    assert mean_fano(counts([1, 3, 5], [0, 0, 0], [9, 0, 0])) == pytest.approx(4.0 / 3.0)


def test_a_silent_neuron_has_none():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(mean_fano(counts([0, 0, 0], [0, 0, 0], [0, 1, 0])))
