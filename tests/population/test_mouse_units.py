"""The quantiles of recorded mouse units and the ranges that follow from them."""

from __future__ import annotations

import numpy as np
import pytest

from ketune.population import mouse_units


@pytest.mark.parametrize("name", ["gosi", "peak_hz", "spontaneous_hz"])
def test_quantiles_rise(name: str):
    assert np.all(np.diff(getattr(mouse_units(), name)) > 0)


def test_the_selection_is_in_the_quantiles():
    units = mouse_units()
    assert units.peak_hz[0] >= units.least_peak_hz
    assert units.gosi[0] >= units.least_gosi


@pytest.mark.parametrize("probability", [0.25, 0.5, 0.75])
def test_the_range_holds_the_quantiles_of_further_units_as_often_as_it_says(probability: float):
    units, rng, n = mouse_units(), np.random.default_rng(0), 48
    # Both samples from one law: ranks alone matter, so a uniform law serves.
    first, second = (np.quantile(rng.random((4000, size)), probability, axis=1) for size in (units.n, n))
    low, high = units.gosi_range(probability, n)
    at = np.interp([low, high], units.gosi, units.probability)
    inside = np.abs(second - first) <= (at[1] - at[0]) / 2
    assert inside.mean() == pytest.approx(0.95, abs=0.015)


def test_ranges_of_several_quantiles_together_are_wider_and_few_units_say_less():
    units = mouse_units()
    alone, together = units.gosi_range(0.5, 48), units.gosi_range(0.5, 48, together=3)
    few = units.gosi_range(0.5, 12)
    assert together[0] < alone[0] < units.gosi[9] < alone[1] < together[1]
    assert few[0] < alone[0]
    assert few[1] > alone[1]
