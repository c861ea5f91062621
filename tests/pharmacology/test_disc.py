"""Diffusion from a disc of paper, against closed forms with an edge, the 1-D solution and an independent solver."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.integrate import solve_ivp
from scipy.special import erfc

from ketune.pharmacology import (
    ConstantSurface,
    Medium,
    Topical,
    balance,
    concentration,
    load_drug,
    make_exposure,
)

CENTRAL = Medium(200.0, 8.0, 1.3e-3)
LOW, HIGH = Medium(64.0, 13.0, 2.6e-3), Medium(320.0, 4.0, 0.7e-3)
PAPER = make_exposure(load_drug(), "topical", "10 mg/ml")
WIDE_UM = 1e5


def half_plane(x, z, length):
    """Steady concentration beside a half-plane (x < 0) held at 1 with no flux through the other half.

    Mirrored at z = 0 it is the modified Helmholtz equation outside a half-plane, Sommerfeld's problem.
    """
    rho = np.hypot(x, z)
    near = np.sign(x) * np.sqrt(np.maximum(rho - z, 0.0) / length)
    far = np.sqrt((rho + z) / length)
    return 0.5 * (np.exp(-z / length) * erfc(near) + np.exp(z / length) * erfc(far))


@pytest.mark.parametrize("x", [-300.0, -100.0, -20.0, 20.0, 100.0, 300.0])
def test_edge_of_a_wide_wet_paper_is_that_of_a_half_plane(x):
    exposure = ConstantSurface(1.0, CENTRAL, x, WIDE_UM)
    z = np.array([20.0, 100.0, 300.0, 600.0])
    got = concentration(exposure, z, [900.0])[0]
    np.testing.assert_allclose(got, half_plane(x, z, CENTRAL.length_um), rtol=0.01)


def test_below_the_edge_is_more_than_half_of_the_middle():
    """What a factor exp(-x / L) takes to be one."""
    z = np.array([20.0, 300.0])
    edge, middle = (
        concentration(ConstantSurface(1.0, CENTRAL, x, WIDE_UM), z, [900.0])[0] for x in (0.0, -5e4)
    )
    np.testing.assert_allclose(edge / middle, half_plane(0.0, z, 139.0) / np.exp(-z / 139.0), rtol=0.01)
    assert edge[1] / middle[1] == pytest.approx(0.62, abs=0.01)


def test_steady_disc_without_clearance_is_webers():
    """C = 2/pi asin(2 a / (sqrt((r - a)^2 + z^2) + sqrt((r + a)^2 + z^2))), Carslaw & Jaeger 1959, 8.2."""
    a, r = 40.0, np.array([0.0, 20.0, 39.0, 45.0, 80.0, 150.0])
    exposure = ConstantSurface(1.0, Medium(200.0, 1.0, 1e-12), 0.0, a)
    for z in (5.0, 30.0, 120.0):
        got = concentration(exposure, np.full(r.size, z), [1500.0], lateral_um=r - a)[0]
        want = 2 / np.pi * np.arcsin(2 * a / (np.hypot(r - a, z) + np.hypot(r + a, z)))
        # Still 2 a / (pi sqrt(pi D t)) of a point source short of steady.
        short = 2 * a / np.pi / np.sqrt(np.pi * 200.0 * 9e4)
        np.testing.assert_allclose(got, want - short, atol=0.008)


@pytest.mark.parametrize(("medium", "reservoir"), [(CENTRAL, 250.0), (LOW, 100.0), (HIGH, 500.0)])
def test_middle_of_a_wide_paper_is_the_one_dimensional_solution(medium, reservoir):
    wide = Topical(36500.0, reservoir, medium, -WIDE_UM, 20.0, WIDE_UM)
    z, minutes = np.array([0.0, 30.0, 100.0, 300.0, 600.0]), [5.0, 10.0, 20.0, 25.0, 60.0]
    got, want = (concentration(e, z, minutes) for e in (wide, replace(wide, radius_um=np.inf)))
    matters = want > 1.0
    assert matters.sum() > 8
    np.testing.assert_allclose(got[matters], want[matters], rtol=0.015)


@pytest.mark.parametrize("paper_min", [3.0, 30.0, 1e4])
@pytest.mark.parametrize("medium", [CENTRAL, LOW, HIGH])
def test_no_drug_is_made_or_lost(paper_min, medium):
    parts = balance(
        replace(PAPER, paper_min=paper_min, medium=medium), [0.0, 0.1, 2.0, 5.0, 30.0, 31.0, 300.0]
    )
    np.testing.assert_allclose(sum(parts.values()), 1.0, rtol=1e-9)
    assert np.all(np.diff(parts["cleared"]) >= 0)
    assert np.all(np.diff(parts["rinsed"]) >= 0)


def test_balance_agrees_with_the_concentration_that_users_get():
    """An integral over points on a grid of our own."""
    r, z = np.linspace(0.0, 2500.0, 1251), np.linspace(0.0, 1500.0, 601)
    for minutes in (5.0, 40.0):
        c = concentration(PAPER, np.tile(z, r.size), [minutes], np.repeat(r - PAPER.radius_um, z.size))
        per_r = np.trapezoid(c.reshape(r.size, z.size), z, axis=1)
        tissue = 8.0 * np.trapezoid(2 * np.pi * r * per_r, r) / (36471.0 * 250.0 * 1e6)
        assert tissue == pytest.approx(balance(PAPER, [minutes])["tissue"][0], rel=3e-3)


def independent(minutes, reservoir_um=250.0, a=300.0, d_f=200.0, retention=8.0, k=1.3e-3):
    """Free drug per applied on an even 5 um grid (node-centred in z), integrated by BDF with a sparse Jacobian."""
    h, nr, nz = 5.0, 140, 120
    r = (np.arange(nr) + 0.5) * h
    z = np.arange(nz) * h
    ring = 2 * np.pi * r * h
    thick = np.full(nz, h)
    thick[0] = h / 2
    under = r < a
    index = np.arange(nr * nz).reshape(nr, nz)
    rows, columns, rates = [], [], []

    def exchange(i, j, g):
        rows.extend([i, j, i, j])
        columns.extend([j, i, i, j])
        rates.extend([g, g, -g, -g])

    for i in range(nr - 1):
        for j in range(nz):
            exchange(index[i, j], index[i + 1, j], d_f * 2 * np.pi * (i + 1) * h * thick[j] / h)
    for i in range(nr):
        for j in range(nz - 1):
            exchange(index[i, j], index[i, j + 1], d_f * ring[i] / h)
    n = nr * nz
    flow = sp.csr_array((rates, (rows, columns)), shape=(n, n))
    capacity = retention * (ring[:, None] * thick[None, :]).ravel()
    # Nodes on the covered surface are one with the paper.
    lump = np.arange(n)
    covered = index[under, 0]
    lump[covered] = covered[0]
    kept, lump = np.unique(lump, return_inverse=True)
    join = sp.csr_array((np.ones(n), (lump, np.arange(n))), shape=(kept.size, n))
    whole = join @ capacity
    paper = lump[covered[0]]
    whole_k = k * whole
    whole[paper] += reservoir_um * ring[under].sum()
    jacobian = sp.diags_array(1 / whole) @ ((join @ flow @ join.T) - sp.diags_array(whole_k))
    start = np.zeros(kept.size)
    start[paper] = reservoir_um * ring[under].sum() / whole[paper]
    found = solve_ivp(
        lambda _, c: jacobian @ c,
        (0, 60 * minutes[-1]),
        start,
        method="BDF",
        jac=jacobian.tocsc(),
        t_eval=60 * np.array(minutes),
        rtol=1e-5,
        atol=1e-9,
    )
    return r, z, found.y[lump].reshape(nr, nz, len(minutes))


def test_finite_paper_against_an_independent_solver():
    minutes = [10.0, 20.0]
    r, z, want = independent(minutes)
    rings, layers = np.array([2, 30, 55, 64, 80]), np.array([20, 40, 60])
    exposure = Topical(1.0, 250.0, CENTRAL, 0.0, 1e4, 300.0)
    for i in rings:
        got = concentration(exposure, z[layers], minutes, r[i] - 300.0)
        np.testing.assert_allclose(got, want[i, layers].T, rtol=0.025)


def test_lateral_distance_is_measured_from_the_edge():
    by_argument = concentration(PAPER, [200.0, 200.0], [10.0], [-100.0, 250.0])[0]
    for value, x in zip(by_argument, (-100.0, 250.0), strict=True):
        assert concentration(replace(PAPER, lateral_um=x), [200.0], [10.0])[0, 0] == pytest.approx(value)
    across = concentration(PAPER, [200.0], [10.0], -2 * PAPER.radius_um - 50.0)
    assert across == pytest.approx(concentration(PAPER, [200.0], [10.0], 50.0))


def test_many_times_are_the_same_as_few():
    minutes = np.linspace(0.5, 90.0, 150)
    every = concentration(PAPER, [150.0, 300.0], minutes)
    some = concentration(PAPER, [150.0, 300.0], minutes[[20, 80, 149]])
    np.testing.assert_allclose(every[[20, 80, 149]], some, rtol=3e-3, atol=1e-6)


def test_removal_is_continuous_and_only_then_rinsed():
    c = concentration(PAPER, [100.0, 300.0], [30.0, 30.0 + 1e-6, 45.0, 90.0])
    np.testing.assert_allclose(c[1], c[0], rtol=1e-4)
    assert np.all(c[3] < 0.05 * c[0])
    beside = concentration(PAPER, [0.0], [20.0, 31.0], 100.0)[:, 0]
    assert beside[0] > 0
    assert beside[1] == 0.0
