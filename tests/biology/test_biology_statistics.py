"""What the checks compute, on curves whose answer is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketune.biology import BOUNDS, Check, fit_contrast, jackknife, naka_rushton
from ketune.biology._run import _holds_to
from ketune.biology._statistics import evoked_ratio, gosi, preferred_shift_deg

THETA = np.arange(0.0, 180.0, 22.5)
CONTRAST = np.array([0.06, 0.1, 0.16, 0.25, 0.4, 0.6, 1.0])


def von_mises(preferred_deg, base=1.0):
    return base + np.exp(np.cos(2 * np.deg2rad(THETA - preferred_deg)))


def test_the_jackknife_of_a_mean_is_its_standard_error():
    x = np.random.default_rng(1).normal(3.0, 2.0, (1, 8))
    value, se = jackknife(lambda mean: mean[0], x)
    assert value == pytest.approx(x.mean())
    assert se == pytest.approx(x.std(ddof=1) / np.sqrt(8))


def test_the_jackknife_keeps_pairs_of_trials_together():
    x = np.random.default_rng(2).uniform(1.0, 9.0, (1, 24))
    value, se = jackknife(lambda a, b: b[0] / a[0], x, 0.4 * x)
    assert value == pytest.approx(0.4)
    assert se == pytest.approx(0.0, abs=1e-12)


def test_the_jackknife_of_a_ratio_covers_its_spread():
    rng = np.random.default_rng(3)
    found = np.array(
        [
            jackknife(lambda a, b: b[0] / a[0], *rng.normal([[[5.0]], [[2.0]]], 1.0, (2, 1, 40)))
            for _ in range(300)
        ]
    )
    assert found[:, 1].mean() == pytest.approx(found[:, 0].std(), rel=0.15)


def test_a_response_left_is_counted_above_the_blank():
    assert evoked_ratio(np.array([12.0, 2.0]), np.array([5.0, 1.0])) == pytest.approx(0.4)
    assert np.isnan(evoked_ratio(np.array([2.0, 2.0]), np.array([1.0, 0.0])))


@given(st.floats(0.1, 5.0), st.floats(1.01, 20.0))
def test_a_pedestal_lowers_gosi_and_a_gain_does_not(pedestal, gain):
    curve = von_mises(50.0)
    assert gosi(THETA, gain * curve) == pytest.approx(gosi(THETA, curve))
    assert gosi(THETA, curve + pedestal) < gosi(THETA, curve)


@given(st.floats(0.0, 180.0), st.floats(-80.0, 80.0))
def test_a_rotation_is_the_change_of_preference(preferred, turn):
    shift = preferred_shift_deg(THETA, von_mises(preferred), 0.3 * von_mises(preferred + turn))
    assert shift == pytest.approx(turn, abs=1e-3)  # eight orientations sample the curve not quite exactly


@given(st.floats(2.0, 60.0), st.floats(0.1, 0.5), st.floats(1.2, 5.0))
def test_an_exact_contrast_response_gives_its_parameters_back(largest, c50, exponent):
    found = fit_contrast(CONTRAST, naka_rushton(CONTRAST, largest, c50, exponent))
    np.testing.assert_allclose(found, [largest, c50, exponent], rtol=1e-3)


def test_scaling_a_contrast_response_changes_its_gain_alone():
    response = naka_rushton(CONTRAST, 20.0, 0.2, 3.0) + np.array([0.1, -0.1, 0.3, -0.2, 0.2, -0.3, 0.1])
    np.testing.assert_allclose(
        fit_contrast(CONTRAST, 0.4 * response) / fit_contrast(CONTRAST, response), [0.4, 1.0, 1.0], rtol=1e-4
    )


def test_a_silent_cell_has_no_contrast_response():
    assert np.isnan(fit_contrast(CONTRAST, np.zeros(len(CONTRAST)))).all()


@pytest.mark.parametrize(
    ("name", "value", "ok"),
    [
        ("nmda_block_response", 0.25, True),
        ("nmda_block_response", 0.81, False),
        ("nmda_block_response", 0.2, False),
        ("ampa_block_response", 0.25, True),
        ("ampa_block_response", 0.26, False),
        ("nmda_cell_subthreshold_gosi", 0.96, False),
        ("apical_ablation_po_deg", 5.1, False),
        ("basal_ablation_po_deg", 4.9, True),
        ("contrast_c50_ratio", 0.84, False),
        ("contrast_exponent_ratio", 1.16, False),
        ("contrast_gain_ratio", 1.01, False),
        ("hcn_wild_type_dv_mV", -0.29, False),
        ("hcn_wild_type_dv_mV", -6.1, False),
        ("hcn_wild_type_dv_mV", -1.0, True),
        ("hcn_null_dv_mV", -0.06, False),
        ("hcn_null_dv_mV", 0.06, False),
    ],
)
def test_the_bounds_are_those_that_were_fixed(name, value, ok):
    assert Check(name, value, 0.0).ok is ok


@pytest.mark.parametrize("name", BOUNDS)
def test_what_is_no_number_fails(name):
    assert not Check(name, float("nan"), 0.0).ok


def test_the_disparity_up_to_which_an_ablation_moves_little():
    moved = np.array([[1.0, -0.5], [4.0, -5.0], [2.0, -5.5], [1.0, 1.0]])
    assert _holds_to((0.0, 10.0, 20.0, 30.0), moved, 5.0) == 10.0
    assert _holds_to((0.0, 10.0, 20.0, 30.0), 6 * np.ones((4, 1)), 5.0) is None
    assert _holds_to((), np.empty((0, 2)), 5.0) is None
