"""Concentration over time and depth, against closed forms and an independent integrator."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.special import erfc

from ketune.errors import InputError
from ketune.pharmacology import (
    ROUTES,
    Bath,
    ConstantSurface,
    Medium,
    Topical,
    balance,
    concentration,
    depth_below_pia,
    load_drug,
    make_exposure,
    parse_drug,
    topical_concentration,
)

CENTRAL = Medium(200.0, 8.0, 1.3e-3)
MEDIA = {
    "central": (CENTRAL, 250.0),
    "low": (Medium(64.0, 13.0, 2.6e-3), 100.0),
    "high": (Medium(320.0, 4.0, 0.7e-3), 500.0),
}
DEPTHS = np.array([100.0, 200.0, 300.0, 400.0, 600.0, 800.0])
MINUTES = np.array([5.0, 10.0, 20.0, 30.0])


def paper(medium=CENTRAL, reservoir_um=250.0, surface_uM=36500.0, lateral_um=0.0, paper_min=1e5):
    return Topical(surface_uM, reservoir_um, medium, lateral_um, paper_min)


def finite_reservoir(medium, reservoir_um, surface, depth_um, minutes):
    """Closed form for a half space below a finite well-stirred reservoir.

    In Laplace space, with p = sqrt(s + k), D = D_f/R and b = D_f / (h sqrt(D)):
    C = C0 exp(-p z / sqrt(D)) / (p^2 + b p - k); partial fractions over the roots of the denominator and the
    tabulated inverse of exp(-p x) / (p + a) give a difference of two exponential-erfc terms.
    """
    root_d = np.sqrt(medium.apparent_diffusion_um2_s)
    k = medium.clearance_per_s
    b = medium.diffusion_um2_s / (reservoir_um * root_d)
    split = np.sqrt(b * b + 4 * k)
    x = np.asarray(depth_um)[None, :] / root_d
    t = 60.0 * np.asarray(minutes)[:, None]

    def term(root):
        return (
            root * np.exp(-root * x + (root * root - k) * t) * erfc(x / (2 * np.sqrt(t)) - root * np.sqrt(t))
        )

    return surface / split * (term((split - b) / 2) - term(-(split + b) / 2))


@pytest.mark.parametrize("name", MEDIA)
def test_paper_matches_closed_form(name):
    medium, reservoir = MEDIA[name]
    depth = np.array([0.0, 5.0, 50.0, 150.0, 300.0, 450.0, 700.0])
    minutes = np.array([0.5, 2.0, 5.0, 10.0, 30.0, 90.0])
    got = concentration(paper(medium, reservoir), depth, minutes)
    want = finite_reservoir(medium, reservoir, 36500.0, depth, minutes)
    matters = want > 1.0  # uM, below any effect
    assert matters.sum() > 15
    np.testing.assert_allclose(got[matters], want[matters], rtol=0.01)
    np.testing.assert_allclose(got[~matters], want[~matters], atol=0.05)


# evidence/pharmacology.md F2 as printed: minutes 5, 10, 20, 30 for each depth.
F2 = {
    100: ("3140", "2150", "920", "405"),
    200: ("964", "1130", "635", "305"),
    300: ("159", "440", "380", "210"),
    400: ("14", "125", "196", "132"),
    600: ("0.02", "3.9", "33", "38"),
    800: ("0.001", "0.04", "2.9", "7.4"),
}


@pytest.mark.parametrize("depth", F2)
def test_reference_table(depth):
    """Within 3 %, or one unit of the last printed digit (0.02 uM in the far tail, which the table smears)."""
    got = concentration(paper(), [float(depth)], MINUTES)[:, 0]
    for value, printed in zip(got, F2[depth], strict=True):
        digits = len(printed.partition(".")[2])
        assert value == pytest.approx(float(printed), rel=0.03, abs=max(10.0**-digits, 0.02))


def test_reference_bounds():
    """Bounds that the same table gives at 300 and 600 um after 10 min."""
    low, high = (concentration(paper(*MEDIA[n]), [300.0, 600.0], [10.0])[0] for n in ("low", "high"))
    assert low[0] == pytest.approx(0.3, abs=0.1)
    assert low[1] < 1e-6
    assert high == pytest.approx([3640.0, 680.0], rel=0.02)


def test_rewetted_paper_matches_reference_table():
    got = concentration(ConstantSurface(36500.0, CENTRAL, 0.0), DEPTHS, [10.0, 30.0]).T
    printed = [[15800, 17600], [5890, 8410], [1780, 3930], [419, 1780], [10, 316], [0.08, 43]]
    np.testing.assert_allclose(got, printed, rtol=0.02, atol=0.02)


def test_inexhaustible_paper_is_the_constant_surface():
    got = concentration(paper(reservoir_um=1e9), DEPTHS, MINUTES)
    want = concentration(ConstantSurface(36500.0, CENTRAL, 0.0), DEPTHS, MINUTES)
    np.testing.assert_allclose(got, want, rtol=0.01, atol=0.02)


def test_constant_surface_settles_to_exponential():
    depth = np.array([0.0, 100.0, 500.0, 1900.0])
    got = concentration(ConstantSurface(1.0, CENTRAL, 0.0), depth, [2000.0])[0]
    np.testing.assert_allclose(got, np.exp(-depth / CENTRAL.length_um), rtol=1e-6)
    assert CENTRAL.length_um == pytest.approx(139, abs=0.5)


@pytest.mark.parametrize("paper_min", [3.0, 30.0, 1e5])
def test_no_drug_is_made_or_lost(paper_min):
    minutes = [0.0, 0.1, 1.0, 3.0, 5.0, 30.0, 31.0, 120.0, 600.0]
    parts = balance(paper(paper_min=paper_min), minutes)
    np.testing.assert_allclose(sum(parts.values()), 1.0, rtol=1e-9)
    assert np.all(np.diff(parts["cleared"]) >= 0)
    assert np.all(np.diff(parts["rinsed"]) >= 0)


def test_balance_agrees_with_the_concentration_that_users_get():
    exposure = paper(paper_min=20.0)
    depth = np.linspace(0.0, 1500.0, 6001)
    minutes = [2.0, 10.0, 40.0]
    c = concentration(exposure, depth, minutes)
    tissue = CENTRAL.retention * np.trapezoid(c, depth, axis=1) / (36500.0 * 250.0)
    parts = balance(exposure, minutes)
    np.testing.assert_allclose(tissue, parts["tissue"], rtol=2e-3)
    np.testing.assert_allclose(c[:2, 0] / 36500.0, parts["reservoir"][:2], rtol=1e-6)
    assert parts["reservoir"][2] == 0.0


def test_after_removal_against_an_independent_integrator():
    """Node-centred differences on another grid, integrated by Radau; surface held at zero after removal."""
    exposure = paper(paper_min=10.0)
    z = np.arange(0.0, 1200.0 + 1, 4.0)
    start = finite_reservoir(CENTRAL, 250.0, 36500.0, z, [10.0])[0][1:-1]
    d, k, dz2 = CENTRAL.apparent_diffusion_um2_s, CENTRAL.clearance_per_s, 16.0

    def slope(_, c):
        padded = np.concatenate([[0.0], c, [0.0]])
        return d * np.diff(padded, 2) / dz2 - k * c

    minutes = [12.0, 20.0, 60.0]
    band = np.diag(np.full(z.size - 2, -2 * d / dz2 - k))
    band += np.diag(np.full(z.size - 3, d / dz2), 1) + np.diag(np.full(z.size - 3, d / dz2), -1)
    seconds = [60.0 * (m - 10.0) for m in minutes]
    found = solve_ivp(
        slope, (0, seconds[-1]), start, method="Radau", t_eval=seconds, jac=band, rtol=1e-7, atol=1e-6
    )
    depth = np.array([40.0, 100.0, 200.0, 300.0, 500.0])
    want = found.y[(depth / 4.0).astype(int) - 1].T
    np.testing.assert_allclose(concentration(exposure, depth, minutes), want, rtol=0.01)


def test_removal_is_continuous_and_recovery_follows():
    exposure = paper(paper_min=30.0)
    c = concentration(exposure, [100.0, 300.0], [30.0, 30.0 + 1e-6, 60.0, 120.0])
    np.testing.assert_allclose(c[1], c[0], rtol=1e-5)
    assert np.all(c[2] < 0.1 * c[0])
    assert np.all(c[3] < 1e-3 * c[0])


@given(
    dose=st.floats(1.0, 1e5),
    reservoir=st.floats(50.0, 1000.0),
    diffusion=st.floats(64.0, 320.0),
    retention=st.floats(4.0, 13.0),
    clearance=st.floats(0.7e-3, 2.6e-3),
    paper_min=st.floats(1.0, 60.0),
)
@settings(max_examples=6, deadline=None)
def test_bounds_linearity_and_order(dose, reservoir, diffusion, retention, clearance, paper_min):
    medium = Medium(diffusion, retention, clearance)
    minutes = np.array([40.0, 2.0, 10.0])
    c = concentration(paper(medium, reservoir, dose, 0.0, paper_min), DEPTHS, minutes)
    assert np.all(c >= 0)
    assert np.all(c <= dose)
    twice = concentration(paper(medium, reservoir, 2 * dose, 0.0, paper_min), DEPTHS, minutes)
    np.testing.assert_allclose(twice, 2 * c, rtol=1e-6, atol=1e-9 * dose)
    wet = concentration(ConstantSurface(dose, medium, 0.0), DEPTHS, minutes)
    assert np.all(c <= wet * 1.01 + 1e-4 * dose)
    in_order = concentration(paper(medium, reservoir, dose, 0.0, paper_min), DEPTHS, np.sort(minutes))
    np.testing.assert_allclose(c, in_order[np.argsort(np.argsort(minutes))], rtol=1e-9, atol=1e-12 * dose)


def test_there_is_no_drug_before_it_is_applied():
    for exposure in (paper(), ConstantSurface(1.0, CENTRAL, 0.0), Bath(1.0)):
        assert np.all(concentration(exposure, [0.0, 300.0], [-5.0, 0.0]) == 0.0)
        assert np.all(concentration(exposure, [0.0], [1.0]) > 0.0)


def test_lateral_distance_has_no_meaning_below_a_paper_without_an_edge():
    near, far = (topical_concentration(DEPTHS, MINUTES, paper(lateral_um=x)) for x in (0.0, 200.0))
    np.testing.assert_array_equal(far, near)


def test_exposure_from_a_dose_as_text():
    drug = load_drug("ketamine")
    exposure = make_exposure(drug, "topical", "10 mg/ml")
    assert exposure.surface_uM == pytest.approx(36471, abs=1)
    assert exposure.reservoir_um == pytest.approx(250.0)
    assert exposure.medium == CENTRAL
    assert np.pi * exposure.radius_um**2 == pytest.approx(1e6)
    assert make_exposure(drug, "topical", "10 mg/ml", as_base=True).surface_uM == pytest.approx(42065, abs=1)
    assert make_exposure(drug, "bath", "5 uM") == Bath(5.0)
    assert make_exposure(drug, "bath", 5.0) == Bath(5.0)
    swept = make_exposure(drug, "topical", "10 mg/ml", overrides={"topical.lateral_distance": -200.0})
    assert swept.lateral_um == -200.0
    assert isinstance(make_exposure(drug, "topical-constant", "1 mM"), ConstantSurface)
    assert make_exposure(drug, " IP ", "30 mg/kg") == make_exposure(drug, "systemic", 30.0)
    salt, base = (make_exposure(drug, "iv", "30 mg/kg", as_base=b).peak_uM for b in (False, True))
    assert base / salt == pytest.approx(274.19 / 237.73)
    molar = make_exposure(drug, "ip", "100 umol/kg").peak_uM
    assert molar == pytest.approx(0.1 * 274.19 * 0.15)
    current = make_exposure(drug, "focal-iontophoresis", "0.04 uA")
    assert current.rate == pytest.approx(0.2 * 40e-9 / 96485.33 * 1e21, rel=1e-6)
    puff = make_exposure(drug, "focal-pressure", "10 mM")
    assert puff.amount == pytest.approx(1e4 * 1e6)
    assert 4.0 / 3.0 * np.pi * puff.radius_um**3 == pytest.approx(1e6 / 0.2)


def test_each_route_gives_nothing_for_nothing_and_twice_for_twice():
    drug = load_drug()
    for route in ROUTES:
        if route == "table":
            continue
        none, one, two = (
            concentration(make_exposure(drug, route, d), DEPTHS, MINUTES) for d in (0.0, 7.0, 14.0)
        )
        assert np.all(none == 0)
        assert one.shape == (4, 6)
        np.testing.assert_allclose(two, 2 * one, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("route", "dose", "says"),
    [
        ("oral", "10 mg/ml", "unknown route 'oral'; known: topical"),
        ("topical", "10", "no unit"),
        ("topical", "10 mg/kg", "not a concentration"),
        ("topical", "-1 mg/ml", "negative"),
        ("topical", None, "route topical needs a dose"),
        ("bath", -1.0, "zero or more"),
        ("bath", float("nan"), "finite"),
        ("ip", "10 mg/ml", "not a dose per body weight; write for example '30 mg/kg'"),
        ("ip", "30", "no unit"),
        ("ip", "30 mg", "not a dose per body weight"),
        ("ip", "3 %", "not a dose per body weight"),
        ("iv", "30 ml/kg", "not a dose per body weight"),
        ("iv", "-30 mg/kg", "negative"),
        ("focal-pressure", "40 nA", "not a concentration"),
        ("focal-iontophoresis", "10 mM", "such as '40 nA'"),
        ("table", "10 mM", "needs --table"),
    ],
)
def test_bad_exposure_is_one_line(route, dose, says):
    with pytest.raises(InputError) as caught:
        make_exposure(load_drug(), route, dose)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"n_doses": 0}, "0 doses"),
        ({"n_doses": 3}, "the time between them"),
        ({"every": "24 h"}, "needs more than one dose"),
        ({"every": "0 h", "n_doses": 2}, "more than zero"),
        ({"every": "24 uM", "n_doses": 2}, "--every"),
        ({"table": "x.csv"}, "--table belongs to the route table"),
        ({"overrides": {"systemic.half_life": 0.0}}, "positive"),
    ],
)
def test_bad_schedule_is_one_line(arguments, says):
    with pytest.raises(InputError) as caught:
        make_exposure(load_drug(), "ip", "30 mg/kg", **arguments)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_paper_is_not_given_repeatedly():
    with pytest.raises(InputError, match="route topical takes one dose"):
        make_exposure(load_drug(), "topical", "1 mM", every=60.0, n_doses=2)


def test_a_drug_without_the_numbers_of_a_route_says_which():
    drug = parse_drug('name = "t"\ndescription = "t"\n')
    assert make_exposure(drug, "bath", "1 uM") == Bath(1.0)
    with pytest.raises(
        InputError, match=r"drug t: route ip needs systemic\.uM_per_mg_kg, which is not known"
    ):
        make_exposure(drug, "ip", 1.0)
    with pytest.raises(InputError, match="no molar mass"):
        make_exposure(drug, "bath", "1 mg/ml")


def test_depth_below_pia():
    depth = depth_below_pia([0.0, 100.0, -50.0, 500.0], 0.0, 300.0)
    np.testing.assert_array_equal(depth, [300.0, 200.0, 350.0, 0.0])


@pytest.mark.parametrize("depth", [0.0, -10.0, 2500.0, float("nan"), float("inf")])
def test_soma_outside_the_cortex_is_one_line(depth):
    with pytest.raises(InputError, match=r"--soma-depth .* outside the cortex") as caught:
        depth_below_pia([0.0], 0.0, depth)
    assert "\n" not in str(caught.value)


def test_bad_depths_and_times_are_refused():
    with pytest.raises(InputError, match="-5 um"):
        concentration(Bath(1.0), [10.0, -5.0], [1.0])
    with pytest.raises(InputError, match="finite number of minutes"):
        concentration(Bath(1.0), [10.0], [float("nan")])
    with pytest.raises(InputError, match="one-dimensional"):
        concentration(Bath(1.0), [[10.0]], [1.0])
    with pytest.raises(InputError, match="one for each of 2 depths"):
        concentration(Bath(1.0), [10.0, 20.0], [1.0], [1.0, 2.0, 3.0])
    with pytest.raises(InputError, match="finite number of um"):
        concentration(Bath(1.0), [10.0], [1.0], float("nan"))
