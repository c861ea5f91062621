"""Fitted parameters: bounds, coordinates, and what they set in drive and cell."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketune.afferents import Drive
from ketune.fitting import NAMES, PARAMETERS, drive_at, synapse_overrides
from ketune.fitting._parameters import coordinates_of, normalised, values_of

BOUNDED = [p for p in PARAMETERS if p.scale != "orientation"]
ANGLES = [p for p in PARAMETERS if p.scale == "orientation"]
coordinates = st.floats(-6.0, 6.0)


@given(st.sampled_from(PARAMETERS), coordinates)
def test_value_and_coordinate_undo_each_other(parameter, u):
    value = parameter.value(u)
    assert parameter.coordinate(value) == pytest.approx(u, abs=1e-6)
    assert parameter.value(parameter.coordinate(value)) == pytest.approx(value, rel=1e-9, abs=1e-12)


@given(st.sampled_from(BOUNDED), st.floats(-50, 50), st.floats(0.001, 1))
def test_values_rise_within_their_bounds(parameter, u, step):
    low, high = parameter.value(u), parameter.value(u + step)
    assert parameter.low * (1 - 1e-12) <= low <= high <= parameter.high * (1 + 1e-12)


@pytest.mark.parametrize("parameter", BOUNDED, ids=lambda p: p.name)
def test_the_middle_of_the_coordinate_is_the_middle_of_the_scale(parameter):
    middle = {
        "log": np.sqrt(parameter.low * parameter.high),
        "linear": (parameter.low + parameter.high) / 2,
    }
    assert parameter.value(0.0) == pytest.approx(middle[parameter.scale])


@given(st.sampled_from(PARAMETERS), coordinates)
def test_slope_is_the_derivative_of_the_value(parameter, u):
    step = 1e-5
    difference = (parameter.value(u + step) - parameter.value(u - step)) / (2 * step)
    assert parameter.slope(u) == pytest.approx(difference, rel=1e-6)
    assert float(jax.grad(lambda x: parameter.value(x, jnp) * 1.0)(u)) == pytest.approx(difference, rel=1e-6)


@pytest.mark.parametrize("parameter", BOUNDED, ids=lambda p: p.name)
def test_at_bound_means_within_two_percent_of_the_range(parameter):
    def at(fraction):
        if parameter.scale == "linear":
            return parameter.low + fraction * (parameter.high - parameter.low)
        return parameter.low * (parameter.high / parameter.low) ** fraction

    flags = {f: parameter.at_bound(at(f)) for f in (0.0, 0.015, 0.025, 0.5, 0.975, 0.985, 1.0)}
    assert flags == {0.0: True, 0.015: True, 0.025: False, 0.5: False, 0.975: False, 0.985: True, 1.0: True}


@given(st.sampled_from(ANGLES), st.floats(-400, 400))
def test_an_orientation_has_no_bound(parameter, degrees):
    assert not parameter.at_bound(degrees)
    assert parameter.value(degrees) == degrees


def test_values_at_and_beyond_a_bound_have_finite_coordinates():
    for p in BOUNDED:
        for value in (p.low, p.high, 0.5 * p.low, 2 * p.high):
            assert np.isfinite(p.coordinate(value))


@given(st.lists(coordinates, min_size=len(PARAMETERS), max_size=len(PARAMETERS)), st.integers(-3, 3))
def test_normalised_orientations_are_modulo_180_and_the_rest_stays(u, turns):
    values = values_of(np.array(u))
    values["preferred_basal_deg"] += 180.0 * turns
    result = normalised(values)
    assert list(result) == list(NAMES)
    assert all(type(v) is float for v in result.values())
    for p in PARAMETERS:
        if p.scale == "orientation":
            assert 0.0 <= result[p.name] < 180.0
            turned = (values[p.name] - result[p.name]) / 180.0
            assert turned == pytest.approx(round(turned), abs=1e-9)
        else:
            assert result[p.name] == values[p.name]


def test_vectors_have_the_order_of_the_names():
    u = np.linspace(-1.0, 1.0, len(PARAMETERS))
    values = values_of(u)
    assert list(values) == list(NAMES)
    np.testing.assert_allclose(coordinates_of(values), u, atol=1e-9)
    np.testing.assert_allclose(coordinates_of(dict(reversed(values.items()))), u, atol=1e-9)


def test_every_parameter_reaches_the_drive_or_a_synapse_of_the_cell(tiny_cell):
    values = {name: 1.0 + i for i, name in enumerate(NAMES)}
    base = Drive(afferent_width_deg=7.0, pv_rate_hz=3.0)
    drive, overrides = drive_at(values, base).as_dict(), synapse_overrides(values)
    reached = {n for n in NAMES if drive.get(n) == values[n]}
    for (label, parameter), value in overrides.items():
        assert parameter in tiny_cell.placement(label).parameters
        # nS outside, uS in the cell
        reached |= {n for n in NAMES if n.endswith("nS") and value == pytest.approx(values[n] * 1e-3)}
    assert reached == set(NAMES)
    assert len(overrides) == 4
    assert (drive["afferent_width_deg"], drive["pv_rate_hz"]) == (7.0, 3.0)
