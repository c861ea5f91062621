"""Every route as a function of its numbers: JAX gives what NumPy gives, and derivatives match finite differences."""

import numpy as np
import pytest

from ketune._jax import jax, jnp
from ketune.pharmacology import (
    Schedule,
    Table,
    concentration,
    exposure_from,
    load_drug,
    metabolites,
)

P = load_drug().values({"topical.lateral_distance": 130.0})
DEPTH, MINUTES = np.array([50.0, 200.0, 450.0]), np.array([5.0, 12.0, 29.0, 45.0])
TISSUE = ("topical.diffusion", "topical.retention", "topical.clearance")
PLACE = (*TISSUE, "focal.depth", "focal.lateral_distance")
BODY = ("systemic.uM_per_mg_kg", "systemic.half_life")
ROUTES = {
    "bath": (5.0, Schedule(), ()),
    "ip": (30.0, Schedule(20.0, 3), (*BODY, "systemic.absorption")),
    "iv": (30.0, Schedule(), (*BODY, "systemic.iv_uptake")),
    "focal-pressure": (1e4, Schedule(7.0, 2), (*PLACE, "focal.volume", "focal.volume_fraction")),
    "focal-iontophoresis": (40.0, Schedule(15.0, 2), (*PLACE, "focal.transport_number", "focal.duration")),
    "topical": (
        36471.0,
        Schedule(),
        (*TISSUE, "topical.lateral_distance", "topical.reservoir", "topical.paper_minutes"),
    ),
    "topical-constant": (36471.0, Schedule(), (*TISSUE, "topical.lateral_distance")),
}


def check(total, at, *, rel=1e-5):
    """``total(values, xp)`` in JAX against central differences in NumPy, of a size that suits its rounding."""
    slope = jax.jit(jax.grad(lambda values: total(values, jnp)))(at)
    for name, value in at.items():
        h = 1e-4 * value
        up2, up, down, down2 = (float(total(at | {name: value + i * h}, np)) for i in (2, 1, -1, -2))
        difference = (8 * (up - down) - (up2 - down2)) / (12 * h)
        assert float(slope[name]) == pytest.approx(difference, rel=rel), name
        assert difference != 0


@pytest.mark.parametrize("route", ROUTES)
def test_jax_gives_what_numpy_gives(route):
    amount, schedule, _ = ROUTES[route]
    exposure = exposure_from(route, amount, P, schedule)
    got = concentration(exposure, DEPTH, MINUTES, xp=jnp)
    assert isinstance(got, jax.Array)
    np.testing.assert_allclose(got, concentration(exposure, DEPTH, MINUTES), rtol=1e-9)


@pytest.mark.parametrize("route", ROUTES)
def test_derivative_by_dose_and_every_parameter(route):
    amount, schedule, names = ROUTES[route]

    def total(values, xp):
        p = P | {k: v for k, v in values.items() if k != "dose"}
        c = concentration(exposure_from(route, values["dose"], p, schedule), DEPTH, MINUTES, xp=xp)
        return xp.sum(xp.log(c))

    check(total, {"dose": amount} | {name: P[name] for name in names})


@pytest.mark.parametrize("nudge", [0.0, 1e-3])
def test_derivatives_of_the_metabolite_also_at_equal_rates(nudge):
    values = {
        "systemic.half_life": 13.0,
        "systemic.absorption": np.log(2.0) / 13.0 * (1.0 + nudge),
        "systemic.norketamine_half_life": 13.0 * (1.0 - nudge),
        "systemic.norketamine_fraction": 0.4,
        "systemic.uM_per_mg_kg": 0.15,
    }

    def total(values, xp):
        exposure = exposure_from("ip", 30.0, P | values)
        formed = metabolites(exposure, [0.0], MINUTES, xp=xp)["norketamine"]
        return xp.sum(formed * np.array([1.0, -0.3, 2.0, 0.7])[:, None])

    check(total, values)


def test_derivative_by_a_table_is_its_interpolation():
    grid = np.arange(6.0).reshape(3, 2)

    def total(values, xp):
        table = Table(np.array([0.0, 10.0, 50.0]), np.array([0.0, 500.0]), grid * values["scale"], "t")
        return xp.sum(concentration(table, DEPTH, MINUTES, xp=xp))

    check(total, {"scale": 3.0})


def test_derivative_at_the_pia_and_at_the_tip_is_finite():
    for route in ("focal-pressure", "focal-iontophoresis", "topical"):

        def total(values, route=route):
            exposure = exposure_from(route, 40.0, P | values)
            return jnp.sum(concentration(exposure, [0.0, 300.0], [0.0, 10.0], [0.0, 0.0], xp=jnp))

        slope = jax.jit(jax.grad(total))({name: P[name] for name in TISSUE})
        assert all(np.isfinite(float(s)) for s in slope.values())
