"""Injections against the evidence's table, SciPy's integrator and the matrix exponential."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from ketune.pharmacology import concentration, load_drug, make_exposure, metabolites

DRUG = load_drug()
LN2 = np.log(2.0)


def after(dose, minutes, route="ip", **overrides):
    exposure = make_exposure(DRUG, route, dose, overrides={f"systemic.{k}": v for k, v in overrides.items()})
    return concentration(exposure, [300.0], minutes)[:, 0]


# evidence/pharmacology.md F1: peak (6 min), 15, 30, 60 min; range of the peak over the range of S.
F1 = {
    "10 mg/kg": (("1.1", "0.8", "0.36", "0.07"), (0.5, 2.5)),
    "30 mg/kg": (("3.2", "2.4", "1.1", "0.22"), (1.5, 7.5)),
    "100 mg/kg": (("10.7", "7.9", "3.6", "0.72"), (5.0, 25.0)),
}


@pytest.mark.parametrize("dose", F1)
def test_reference_table(dose):
    printed, bounds = F1[dose]
    got = after(dose, [6.0, 15.0, 30.0, 60.0])
    for value, text in zip(got, printed, strict=True):
        assert value == pytest.approx(float(text), abs=0.51 * 10.0 ** -len(text.partition(".")[2]))
    low, high = (after(dose, [6.0], uM_per_mg_kg=s)[0] for s in (0.07, 0.35))
    assert (low, high) == pytest.approx(bounds, rel=0.05)


def test_peaks():
    minutes = np.linspace(0.05, 60.0, 1200)
    assert minutes[np.argmax(after("30 mg/kg", minutes))] == pytest.approx(6.3, abs=0.1)
    by_vein = after("30 mg/kg", minutes, route="iv")
    assert minutes[np.argmax(by_vein)] < 1.0  # rat, Cohen 1973
    assert by_vein.max() > after("30 mg/kg", minutes).max()


def test_occupancy_that_the_scale_was_chosen_for():
    """30 mg/kg: 62 % at 15 min and 13 % at 60 min with a half-block of 1.42 uM."""
    c = after("30 mg/kg", [15.0, 60.0])
    np.testing.assert_allclose(c / (c + 1.42), [0.62, 0.13], atol=0.006)


def test_every_depth_sees_the_same():
    c = concentration(make_exposure(DRUG, "ip", "30 mg/kg"), [0.0, 300.0, 2500.0], [15.0])
    assert np.ptp(c) == 0


def exponential(rates, t):
    """exp(rates t) in 40 digits: SciPy's is off by 1 % where two rates of a triangle differ by rounding only."""
    with mpmath.workdps(40):
        return np.array(mpmath.expm(mpmath.matrix(rates.tolist()) * float(t)).tolist(), dtype=float)


@given(
    ka=st.floats(0.02, 5.0),
    half_life=st.floats(2.0, 200.0),
    loss=st.floats(2.0, 400.0),
    share=st.floats(0.0, 1.0),
)
def test_parent_and_metabolite_against_the_matrix_exponential(ka, half_life, loss, share):
    ke, km = LN2 / half_life, LN2 / loss
    overrides = {
        "systemic.absorption": ka,
        "systemic.half_life": half_life,
        "systemic.norketamine_half_life": loss,
        "systemic.norketamine_fraction": share,
    }
    exposure = make_exposure(DRUG, "ip", 20.0, overrides=overrides)
    rates = np.array([[-ka, 0, 0], [ka, -ke, 0], [0, share * ke, -km]])
    minutes = np.array([0.01, 1.0, 7.0, 60.0, 500.0])
    want = np.array([exponential(rates, t)[:, 0] for t in minutes]) * 3.0
    got = concentration(exposure, [0.0], minutes)[:, 0]
    formed = metabolites(exposure, [0.0], minutes)["norketamine"][:, 0]
    np.testing.assert_allclose(got, want[:, 1], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(formed, want[:, 2], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("nudge", [0.0, 1e-12, 1e-8, 1e-5, 1e-3])
def test_equal_rates_are_no_special_case(nudge):
    ke = LN2 / 13.0
    minutes = np.array([1.0, 13.0, 60.0])
    got = after(20.0, minutes, absorption=ke * (1.0 + nudge))
    np.testing.assert_allclose(got, 3.0 * ke * minutes * np.exp(-ke * minutes), rtol=2.5 * nudge + 1e-12)
    overrides = {"systemic.absorption": ke, "systemic.norketamine_half_life": 13.0 * (1 + nudge)}
    exposure = make_exposure(DRUG, "ip", 20.0, overrides=overrides)
    formed = metabolites(exposure, [0.0], minutes)["norketamine"][:, 0]
    want = 0.5 * 3.0 * (ke * minutes) ** 2 / 2 * np.exp(-ke * minutes)
    np.testing.assert_allclose(formed, want, rtol=2.5 * nudge + 1e-11)


def test_daily_doses_add_up():
    """Against an integrator that gets each dose as a jump, with a half-life long enough to accumulate."""
    half_life, ka, km = 600.0, 0.01, LN2 / 900.0
    ke = LN2 / half_life
    overrides = {
        "systemic.half_life": half_life,
        "systemic.absorption": ka,
        "systemic.norketamine_half_life": 900.0,
    }
    exposure = make_exposure(DRUG, "ip", "10 mg/kg", overrides=overrides, every="24 h", n_doses=3)
    state, want = np.zeros(3), []
    for _ in range(3):
        state[0] += 1.5
        found = solve_ivp(
            lambda _, y: [-ka * y[0], ka * y[0] - ke * y[1], 0.5 * ke * y[1] - km * y[2]],
            (0, 1440.0),
            state,
            t_eval=[100.0, 1440.0],
            rtol=1e-10,
            atol=1e-13,
        )
        want += [found.y[:, 0], found.y[:, 1]]
        state = found.y[:, -1].copy()
    minutes = [100.0, 1440.0, 1540.0, 2880.0, 2980.0, 4320.0]
    want = np.array(want)
    np.testing.assert_allclose(concentration(exposure, [0.0], minutes)[:, 0], want[:, 1], rtol=1e-6)
    formed = metabolites(exposure, [0.0], minutes)["norketamine"][:, 0]
    np.testing.assert_allclose(formed, want[:, 2], rtol=1e-6)
    assert want[4, 1] > 1.2 * want[0, 1]


def test_norketamine_is_an_assumption_down_to_none():
    q = DRUG.parameters["systemic.norketamine_fraction"]
    assert q.assumed
    assert q.low == 0.0
    none = make_exposure(DRUG, "ip", "30 mg/kg", overrides={"systemic.norketamine_fraction": 0.0})
    assert np.all(metabolites(none, [0.0], [30.0])["norketamine"] == 0)
    assert metabolites(make_exposure(DRUG, "bath", "5 uM"), [0.0], [30.0]) == {}
    shaffer = 1.42 / 9.11
    assert DRUG.parameters["systemic.norketamine_equivalence"].value == pytest.approx(shaffer, abs=5e-4)
