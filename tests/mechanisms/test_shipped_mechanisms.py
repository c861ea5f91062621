"""The shipped files: their interface, and their kinetics against the published equations written in NumPy."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ketune import mechanisms

V = np.linspace(-150.0, 100.0, 501) + 0.013  # off the singular points
PARAMETERS = {
    "leak": {"g", "e"},
    "nav": {"gbar", "vshift", "block"},
    "kv": {"gbar", "vshift", "block"},
    "km": {"gbar"},
    "ka": {"gbar"},
    "hcn1": {"gbar", "ehcn", "dv_ket", "rho_ket"},
    "gabatonic": {"g", "e", "gain"},
    "AMPA": {"gmax", "tau_rise", "tau_decay", "e"},
    "NMDA": {"gmax", "tau_rise", "tau_decay", "e", "mg", "k_mg", "slope_mg", "block"},
    "GABAA": {"gmax", "tau_rise", "tau_decay", "e"},
    "cahva": {"gbar", "q10", "block"},
    "calva": {"gbar", "block"},
    "capool": {"gamma", "decay", "depth", "cai_rest"},
    "sk": {"gbar"},
    "nap": {"gbar", "block"},
}
STP = {"U", "tau_rec", "tau_facil"}
KETAMINE = {
    "ket",
    "k_on",
    "k_ref",
    "scale_ket",
    "delta",
    "k_esc",
    "block0",
    "glu_peak",
    "tau_glu",
    "gmax",
    "e",
    "mg",
}
PARAMETERS |= {f"{name}_STP": PARAMETERS[name] | STP for name in ("AMPA", "NMDA", "GABAA")}
PARAMETERS["NMDA5"] = KETAMINE | {"rb", "ru", "rd", "rr", "ro", "rc", "k_mg", "slope_mg"}
PARAMETERS["NMDA10"] = KETAMINE | {
    *("rb", "ro", "rc", "ru", "rd1", "rr1", "rd2", "rr2", "ru_mg", "rd1_mg", "rr1_mg", "rd2_mg", "rr2_mg"),
    *("mg_on", "mg_off", "mg_on_closed", "mg_off_closed"),
}
POINT = {"AMPA", "NMDA", "GABAA", "AMPA_STP", "NMDA_STP", "GABAA_STP", "NMDA5", "NMDA10"}
SODIUM = mechanisms.Ion("na", ("ena",), ("ina",), 1.0)
POTASSIUM = mechanisms.Ion("k", ("ek",), ("ik",), 1.0)
CALCIUM = mechanisms.Ion("ca", ("eca",), ("ica",), 2.0)
IONS = {
    "nav": (SODIUM,),
    "nap": (SODIUM,),
    "kv": (POTASSIUM,),
    "km": (POTASSIUM,),
    "ka": (POTASSIUM,),
    "sk": (POTASSIUM, mechanisms.Ion("ca", ("cai",), (), 2.0)),
    "cahva": (CALCIUM,),
    "calva": (CALCIUM,),
    "capool": (mechanisms.Ion("ca", ("ica",), ("cai",), 2.0),),
}
CURRENTS = {"capool": (), "nav": ("ina",), "nap": ("ina",), "cahva": ("ica",), "calva": ("ica",)}
CURRENTS |= dict.fromkeys(("kv", "km", "ka", "sk"), ("ik",))
TADJ = 2.3 ** ((37.0 - 23.0) / 10.0)


def values(m: mechanisms.Mechanism, **changes):
    p = {
        **m.defaults(),
        "ena": 60.0,
        "ek": -80.0,
        "eca": 130.0,
        "cai": 5e-4,
        "celsius": 37.0,
        "dt": 0.025,
        **changes,
    }
    return {**p, **m.derived(p)}


def test_names() -> None:
    assert set(mechanisms.names()) == set(PARAMETERS)


@pytest.mark.parametrize("name", PARAMETERS)
def test_interface(name: str) -> None:
    m = mechanisms.load(name)
    assert m.name == name
    assert m.kind == ("point" if name in POINT else "density")
    assert set(m.parameters) == PARAMETERS[name]
    assert m.ions == IONS.get(name, ())
    assert m.currents == CURRENTS.get(name, ("i",))
    assert m.carried == ()
    for parameter in m.parameters.values():
        assert parameter.is_range
        assert parameter.unit
        assert parameter.low is not None
        assert parameter.low <= parameter.value <= parameter.high


# gates: equations of the sources, at 37 degC


def r(v, a, v0, q):
    return a * (v - v0) / (1 - np.exp(-(v - v0) / q))


def opening(a, b, factor=TADJ):
    return a / (a + b), 1 / (factor * (a + b))


def nav(v):
    u = v - 10.0
    m = opening(r(u, 0.182, -35, 9), r(-u, 0.124, 35, 9))
    _, tau_h = opening(r(u, 0.024, -50, 5), r(-u, 0.0091, 75, 5))
    return {"m": m, "h": (1 / (1 + np.exp((u + 65) / 6.2)), tau_h)}


def ka(v):
    phi = 1e-3 * 96485.33212 / (8.314462618 * 310.15)
    zeta = -1.5 - 1 / (1 + np.exp((v + 40) / 5))
    a = np.exp(zeta * (v - 11) * phi)
    tau_n = np.exp(0.55 * zeta * (v - 11) * phi) / (5 ** ((37 - 24) / 10) * 0.05 * (1 + a))
    linf = 1 / (1 + np.exp(3 * (v + 56) * phi))
    return {"n": (1 / (1 + a), np.maximum(0.1, tau_n)), "l": (linf, np.maximum(2.0, 0.26 * (v + 50)))}


def cahva(v):
    m = opening(0.055 * (-27 - v) / (np.exp((-27 - v) / 3.8) - 1), 0.94 * np.exp((-75 - v) / 17))
    h = opening(0.000457 * np.exp((-13 - v) / 50), 0.0065 / (np.exp((-v - 15) / 28) + 1))
    return {"m": m, "h": h}


def calva(v):
    q = 2.3 ** ((37.0 - 21.0) / 10.0)
    u = v + 10.0
    m = (1 / (1 + np.exp(-(u + 30) / 6)), (5 + 20 / (1 + np.exp((u + 25) / 5))) / q)
    h = (1 / (1 + np.exp((u + 80) / 6.4)), (20 + 50 / (1 + np.exp((u + 40) / 7))) / q)
    return {"m": m, "h": h}


def nap(v):
    q = 2.3 ** ((37.0 - 21.0) / 10.0)
    am, bm = 0.182 * (v + 38) / (1 - np.exp(-(v + 38) / 6)), -0.124 * (v + 38) / (1 - np.exp((v + 38) / 6))
    ah = -2.88e-6 * (v + 17) / (1 - np.exp((v + 17) / 4.63))
    bh = 6.94e-6 * (v + 64.4) / (1 - np.exp(-(v + 64.4) / 2.63))
    m = (1 / (1 + np.exp(-(v + 52.6) / 4.6)), 6 / (q * (am + bm)))
    return {"m": m, "h": (1 / (1 + np.exp((v + 48.8) / 10)), 1 / (q * (ah + bh)))}


GATES = {
    "nav": nav,
    "cahva": cahva,
    "calva": calva,
    "nap": nap,
    "sk": lambda v: {"z": (0.0 * v + 1 / (1 + (0.00043 / 5e-4) ** 4.8), 1.0)},
    "kv": lambda v: {"n": opening(r(v, 0.02, 25, 9), r(-v, 0.002, -25, 9))},
    "km": lambda v: {"n": opening(r(v, 0.001, -30, 9), r(-v, 0.001, 30, 9))},
    "ka": ka,
    "hcn1": lambda v: {
        "m": opening(0.00643 * (v + 154.9) / (np.exp((v + 154.9) / 11.9) - 1), 0.193 * np.exp(v / 33.1), 1.0)
    },
}


@pytest.mark.parametrize("name", GATES)
def test_gates_follow_the_published_rates(name: str) -> None:
    m = mechanisms.load(name)
    p = values(m)
    initial = m.init(V, p)
    after = m.advance(V, {state: jnp.full(V.shape, 0.4) for state in m.states}, p)
    for state, (steady, tau) in GATES[name](V).items():
        np.testing.assert_allclose(initial[state], steady, rtol=1e-7, atol=1e-12)
        expected = steady + (0.4 - steady) * np.exp(-0.025 / tau)
        np.testing.assert_allclose(after[state], expected, rtol=1e-7)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("leak", lambda v: 9.0909e-5 * (v + 79)),
        ("gabatonic", lambda v: 3e-5 * 1.5 * (v + 80)),
        ("nav", lambda v: 0.05 * TADJ * 0.75 * 0.5**4 * (v - 60)),
        ("kv", lambda v: 0.005 * TADJ * 0.75 * 0.5 * (v + 80)),
        ("km", lambda v: 0.0003 * TADJ * 0.5 * (v + 80)),
        ("ka", lambda v: 0.005 * 0.25 * (v + 80)),
        ("hcn1", lambda v: 8e-5 * 0.8 * 0.5 * (v + 45)),
        ("cahva", lambda v: 5e-5 * TADJ * 0.75 * 0.5**3 * (v - 130)),
        ("calva", lambda v: 7.78e-4 * 0.75 * 0.5**3 * (v - 130)),
        ("nap", lambda v: 1e-4 * 0.75 * 0.5**4 * (v - 60)),
        ("sk", lambda v: 0.0994 * 0.5 * (v + 80)),
    ],
)
def test_density_currents(name: str, expected) -> None:
    m = mechanisms.load(name)
    changes = {"block": 0.25} if "block" in m.parameters else {}
    changes |= {"gabatonic": {"g": 3e-5, "gain": 1.5}, "hcn1": {"rho_ket": 0.2}}.get(name, {})
    found = m.current(V, {state: 0.5 for state in m.states}, values(m, **changes))
    np.testing.assert_allclose(found, expected(V), rtol=1e-12)


def test_ketamine_moves_ih_activation_down_and_kv_shift_moves_it_up() -> None:
    hcn1, kv = mechanisms.load("hcn1"), mechanisms.load("kv")
    shifted = hcn1.init(V - 12.0, values(hcn1, dv_ket=12.0))["m"]
    np.testing.assert_allclose(shifted, hcn1.init(V, values(hcn1))["m"], rtol=1e-9)
    shifted = kv.init(V + 12.0, values(kv, vshift=12.0))["n"]
    np.testing.assert_allclose(shifted, kv.init(V, values(kv))["n"], rtol=1e-9)


# synapses


@pytest.mark.parametrize("name", ["AMPA", "NMDA", "GABAA"])
@pytest.mark.parametrize(("rise", "decay"), [(0.2, 1.7), (2.0, 75.0), (4.0, 5.0)])
def test_an_event_of_weight_one_peaks_at_gmax(name: str, rise: float, decay: float) -> None:
    m = mechanisms.load(name)
    extra = {"mg": 0.0} if name == "NMDA" else {}
    p = values(m, tau_rise=rise, tau_decay=decay, gmax=0.003, e=0.0, dt=0.01, **extra)
    jump = m.event_jump(p)
    v = jnp.asarray(-50.0)
    start = {state: m.init(v, p)[state] + jump[state] for state in m.states}

    def step(s, _):
        s = m.advance(v, s, p)
        return s, m.current(v, s, p) / v

    _, g = jax.lax.scan(step, start, None, length=20000)
    assert float(jnp.max(g)) == pytest.approx(0.003, rel=1e-4)
    peak_time = rise * decay / (decay - rise) * np.log(decay / rise)
    assert (int(jnp.argmax(g)) + 1) * 0.01 == pytest.approx(peak_time, abs=0.011)


def test_two_events_add_and_weight_scales() -> None:
    m = mechanisms.load("NMDA")
    p = values(m)
    s = {"A": 0.3, "B": 0.7}
    base = m.current(-30.0, s, p)
    jump = m.event_jump(p)
    one = m.current(-30.0, {k: jump[k] for k in s}, p)
    both = m.current(-30.0, {k: s[k] + 2.5 * jump[k] for k in s}, p)
    # straight after an event A equals B, so compare after a step
    np.testing.assert_allclose(one, 0.0, atol=1e-15)
    np.testing.assert_allclose(both, base, rtol=1e-12)
    after = [m.advance(-30.0, x, p) for x in (s, jump, {k: s[k] + 2.5 * jump[k] for k in s})]
    first, second, third = (float(m.current(-30.0, x, p)) for x in after)
    assert third == pytest.approx(first + 2.5 * second, rel=1e-12)
    assert second < 0.0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # the values that Jahr and Stevens' and the steeper block take at -80 ... 0 mV
        ({}, (0.024, 0.080, 0.230, 0.508, 0.781)),
        ({"k_mg": 4.0, "slope_mg": 0.08}, (0.0066, 0.032, 0.140, 0.447, 0.800)),
        ({"block": 0.5}, (0.012, 0.040, 0.115, 0.254, 0.3905)),
    ],
)
def test_magnesium_and_drug_block(changes: dict[str, float], expected: tuple[float, ...]) -> None:
    m = mechanisms.load("NMDA")
    v = jnp.asarray([-80.0, -60.0, -40.0, -20.0, 0.0])
    p = values(m, gmax=1.0, e=100.0, **changes)
    found = m.current(v, {"A": 0.0, "B": 1.0}, p) / (v - 100.0)
    np.testing.assert_allclose(found, expected, atol=6e-4)


@pytest.mark.parametrize("rise", [0.99, 0.995, 1.0, 5.0])
def test_a_rise_slower_than_the_decay_is_clamped(rise: float) -> None:
    m = mechanisms.load("GABAA")
    p = values(m, tau_rise=rise * 4.0, tau_decay=4.0)
    assert float(p["tau_r"]) == pytest.approx(0.99 * 4.0)
    assert 100.0 < float(p["factor"]) < 300.0
