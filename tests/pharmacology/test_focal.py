"""A pipette in the tissue against quadrature of the heat kernel, steady state and what is conserved."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad

from ketune.pharmacology import Iontophoresis, Medium, Puff, Schedule, concentration, load_drug, make_exposure

TISSUE = Medium(200.0, 8.0, 1.3e-3)
D, R, K, D_F = 25.0, 8.0, 1.3e-3, 200.0
DEEP = 1e5  # um: the pia is out of reach
BY = np.array([20.0, 60.0, 106.0, 200.0, 350.0])


def puff(radius=106.0, depth=DEEP, **other):
    return Puff(1e10, radius, TISSUE, depth, 0.0, **other)


def current(duration_s=600.0, depth=DEEP, **other):
    return Iontophoresis(8e7, duration_s, TISSUE, depth, 0.0, **other)


def kernel(r, t):
    """Free drug per amount from an instantaneous point source."""
    return np.exp(-(r**2) / (4 * D * t) - K * t) / (R * (4 * np.pi * D * t) ** 1.5)


def test_puff_is_the_heat_kernel_summed_over_a_sphere():
    a = 106.0
    for t in (20.0, 300.0, 1800.0):

        def shell(s, r, t=t):
            """A shell of radius s: the kernel averaged over the angle."""
            near, far = abs(r - s), r + s
            spread = np.exp(-(near**2) / (4 * D * t)) - np.exp(-(far**2) / (4 * D * t))
            return 4 * np.pi * s**2 * spread * 2 * D * t / (2 * r * s) / (4 * np.pi * D * t) ** 1.5

        want = [
            1e10
            * np.exp(-K * t)
            / R
            / (4 / 3 * np.pi * a**3)
            * quad(shell, 0, a, (r,), points=[min(r, a)])[0]
            for r in BY
        ]
        got = concentration(puff(), np.full(BY.size, DEEP), [t / 60.0], BY)[0]
        np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-9)


def test_puff_starts_as_its_solution_bound_and_diluted():
    """Pipette concentration times volume fraction over retention, at the tip and throughout the sphere."""
    exposure = make_exposure(
        load_drug(), "focal-pressure", "10 mM", overrides={"focal.lateral_distance": 0.0}
    )
    start = 1e4 * 0.2 / 8.0
    c = concentration(exposure, [300.0], [1e-3], [0.0])
    assert c[0, 0] == pytest.approx(start, rel=1e-3)
    assert np.isfinite(concentration(exposure, [300.0], [1e-9, 1e4], [0.0])).all()


@pytest.mark.parametrize("t", [30.0, 600.0])
def test_puff_is_conserved_but_for_clearance(t):
    r = np.linspace(0.5, 2500.0, 20000)
    c = concentration(puff(), np.full(r.size, DEEP), [t / 60.0], r)[0]
    assert R * np.trapezoid(4 * np.pi * r**2 * c, r) == pytest.approx(1e10 * np.exp(-K * t), rel=1e-5)


def test_small_puff_is_a_point_source():
    got = concentration(puff(radius=3.0), np.full(BY.size, DEEP), [15.0], BY)[0]
    np.testing.assert_allclose(got, 1e10 * kernel(BY, 900.0), rtol=1e-3)


def test_current_is_the_heat_kernel_summed_over_time():
    duration = 600.0
    minutes = np.array([0.5, 5.0, 10.0, 12.0, 30.0])
    got = concentration(current(duration), np.full(BY.size, DEEP), minutes, BY)
    for i, t in enumerate(60.0 * minutes):
        begin = max(t - duration, 0.0)
        want = [
            8e7 * quad(lambda s, r=r: kernel(r, s), begin, t, points=[min(r**2 / (6 * D), t)])[0] for r in BY
        ]
        np.testing.assert_allclose(got[i], want, rtol=1e-6, atol=1e-7)


def test_steady_current():
    """q / (4 pi D_f r) exp(-r / L): retention has no part in it."""
    length = np.sqrt(D / K)
    got = concentration(current(1e9), np.full(BY.size, DEEP), [3000.0], BY)[0]
    np.testing.assert_allclose(got, 8e7 / (4 * np.pi * D_F * BY) * np.exp(-BY / length), rtol=1e-9)


def test_no_drug_passes_the_pia():
    z = np.array([0.0, 0.5])
    for exposure in (puff(depth=120.0), current(depth=120.0)):
        c = concentration(exposure, z, [5.0, 20.0], 30.0)
        np.testing.assert_allclose(c[:, 0], c[:, 1], rtol=1e-4)
        deep = concentration(replace(exposure, depth_um=DEEP), DEEP - 120.0 + z, [5.0, 20.0], 30.0)
        np.testing.assert_allclose(c[:, 0], 2 * deep[:, 0], rtol=1e-9)


def test_points_at_the_tip_are_finite_and_no_closer_than_the_nearest():
    at, near = concentration(current(), [DEEP, DEEP], [5.0], [0.0, 5.0])[0]
    assert at == pytest.approx(near, rel=1e-9)
    assert np.isfinite(at)


def test_repeated_ejections_add_up():
    schedule = Schedule(15.0, 3)
    minutes = np.array([5.0, 20.0, 35.0, 50.0])
    for make in (puff, current):
        once, often = make(), make(schedule=schedule)
        want = sum(concentration(once, [DEEP], minutes - 15.0 * i, 80.0) for i in range(3))
        np.testing.assert_allclose(concentration(often, [DEEP], minutes, 80.0), want, rtol=1e-12)


def test_place_of_the_pipette():
    exposure = make_exposure(
        load_drug(),
        "focal-iontophoresis",
        "40 nA",
        overrides={"focal.depth": 400.0, "focal.lateral_distance": 80.0},
    )
    depth = np.linspace(0.0, 800.0, 81)
    c = concentration(exposure, depth, [10.0])[0]
    assert depth[np.argmax(c)] == pytest.approx(400.0, abs=10.0)
    assert concentration(exposure, [400.0], [10.0], 20.0)[0, 0] > 3 * c.max()
