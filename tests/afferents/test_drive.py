"""Afferent rates: tuning, wrapping, gain; the grating's time course."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketune.afferents import STREAMS, Drive, Grating, contrast_factor, rate_hz
from ketune.afferents._drive import shared_gain, wrapped_deg

DRIVEN, BACKGROUND, PV, SST = range(4)
angles = st.floats(-720, 720)


@given(angles)
def test_orientation_differences_lie_within_a_quarter_turn(angle):
    wrapped = wrapped_deg(angle)
    assert -90 <= wrapped < 90
    turns = (angle - wrapped) / 180
    assert turns == pytest.approx(round(turns), abs=1e-9)


@given(st.floats(0, 180), st.floats(-90, 90), st.floats(-3, 3))
def test_driven_rate_is_a_gaussian_around_the_synapses_own_preference_on_an_untuned_part(
    preferred, away, deviate
):
    drive = Drive(
        peak_rate_hz=3.0,
        preferred_basal_deg=preferred,
        spread_basal_deg=20.0,
        afferent_width_deg=15.0,
        afferent_untuned=0.1,
        gain_sd=0.0,
    )
    shown = preferred + 20.0 * deviate + away
    rate = rate_hz(drive, DRIVEN, gain_deviate=1.3, orientation_deg=shown, tree=0, deviate=deviate)
    assert rate == pytest.approx(3.0 * (0.1 + 0.9 * np.exp(-0.5 * (away / 15.0) ** 2)), rel=1e-6)


def test_each_tree_has_its_own_preference():
    drive = Drive(preferred_basal_deg=30.0, preferred_apical_deg=120.0, spread_apical_deg=5.0)
    shown = np.arange(0.0, 180.0, 5.0)
    rates = [
        rate_hz(drive, DRIVEN, gain_deviate=0.0, orientation_deg=shown, tree=tree, deviate=deviate)
        for tree, deviate in ((0, 0.0), (1, 0.0), (1, 2.0))
    ]
    assert [shown[np.argmax(rate)] for rate in rates] == [30.0, 120.0, 130.0]


def test_a_blank_drives_nothing_but_background_and_resting_inhibition():
    drive = Drive(gain_sd=0.0)
    blank = {"gain_deviate": 0.0, "orientation_deg": np.nan, "tree": 0, "deviate": 0.0, "time_course": 0.0}
    rates = [float(rate_hz(drive, stream, **blank)) for stream in range(len(STREAMS))]
    assert rates == [0.0, drive.background_rate_hz, drive.pv_rate_hz, drive.sst_rate_hz]


def test_inhibition_is_untuned_evoked_and_scaled_by_its_drive():
    drive = Drive(
        gain_sd=0.0,
        pv_rate_hz=4.0,
        pv_evoked_hz=8.0,
        pv_drive=0.5,
        sst_drive=0.25,
        sst_rate_hz=2.0,
        sst_evoked_hz=2.0,
    )
    assert rate_hz(drive, PV, gain_deviate=0.0) == pytest.approx(6.0)
    assert rate_hz(drive, SST, gain_deviate=0.0) == pytest.approx(1.0)


def test_the_shared_gain_has_mean_one_and_the_stated_logarithmic_spread():
    deviates = np.random.default_rng(0).standard_normal(200_000)
    gain = shared_gain(Drive(gain_sd=0.5), deviates)
    assert gain.mean() == pytest.approx(1.0, abs=5 * gain.std() / np.sqrt(gain.size))
    assert np.log(gain).std() == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize("stream", range(4))
def test_rates_in_jax_are_the_same_and_differentiable(stream):
    fields = Drive().as_dict()
    where = {
        "gain_deviate": 0.7, "orientation_deg": np.array([80.0, np.nan]), "tree": np.array([1, 0]),
        "deviate": np.array([0.4, -1.0]), "time_course": 1.2,
    }  # fmt: skip

    def rates(values):
        return rate_hz(Drive(**values), stream, **where, xp=jnp)

    np.testing.assert_allclose(rates(fields), rate_hz(Drive(), stream, **where), rtol=1e-12)
    derivative = jax.jacfwd(rates)(fields)
    for name, value in fields.items():
        step = 1e-5 * max(1.0, abs(value))
        high, low = (np.asarray(rates(fields | {name: value + sign * step})) for sign in (1, -1))
        np.testing.assert_allclose(derivative[name], (high - low) / (2 * step), rtol=1e-6, atol=1e-8)


def test_a_complex_cells_grating_is_steady_from_its_onset():
    grating = Grating((0.0,), 100.0, warm_up_ms=50.0)
    course = grating.time_course(np.array([0.0, 49.9, 50.0, 120.0]), np.array([0.0, 1.0, 2.0, 3.0]))
    assert course.tolist() == [0.0, 0.0, 1.0, 1.0]


def test_a_simple_cells_grating_drifts():
    grating = Grating((0.0,), 1000.0, warm_up_ms=100.0, temporal_frequency_hz=4.0, modulation=1.0)
    t = 100.0 + np.arange(0.0, 1000.0, 0.5)
    for phase in (0.0, 1.0, 4.0):
        course = grating.time_course(t, np.full(t.size, phase))
        assert course.mean() == pytest.approx(1.0, abs=1e-9)
        assert course.min() == pytest.approx(0.0, abs=1e-3)
        assert np.sum(np.diff(np.sign(course - 1.0)) != 0) in (7, 8)


@given(st.floats(0.05, 0.9), st.floats(0.5, 6.0))
def test_contrast_acts_as_naka_and_rushton_say(c50, exponent):
    drive = Drive(contrast_c50=c50, contrast_exponent=exponent)
    assert contrast_factor(drive, 1.0) == 1.0
    assert contrast_factor(drive, 0.0) == 0.0
    largest = 1.0 + c50**exponent  # of the function without its bound at contrast 1
    assert contrast_factor(drive, c50) == pytest.approx(largest / 2)
    factors = contrast_factor(drive, np.linspace(0.0, 1.0, 30))
    assert np.all(np.diff(factors) > 0)


def test_one_contrast_for_all_conditions_or_one_for_each():
    assert Grating((0.0, 90.0), 100.0, contrast=0.3).contrasts.tolist() == [0.3, 0.3]
    assert Grating((0.0, 90.0), 100.0, contrast=(0.3, 0.6)).contrasts.tolist() == [0.3, 0.6]


def test_steps_of_a_trial():
    grating = Grating((0.0, np.nan), 1280.0, warm_up_ms=250.0)
    assert grating.duration_ms == 1530.0
    assert grating.n_steps(0.1) == 15300


@pytest.mark.parametrize(
    "values",
    [
        {"window_ms": 0.0},
        {"warm_up_ms": -1.0},
        {"modulation": 1.5},
        {"orientation_deg": ()},
        {"contrast": 1.1},
        {"contrast": -0.1},
        {"contrast": (0.5, 0.5)},
        {"contrast": float("nan")},
    ],
)
def test_an_impossible_grating(values):
    with pytest.raises(ValueError, match=r"needed|needs"):
        Grating(**{"orientation_deg": (0.0,), "window_ms": 100.0} | values)
