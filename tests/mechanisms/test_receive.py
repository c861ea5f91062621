"""NET_RECEIVE: which synapses may share their states, and what an event does to them."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
import pytest
from mechanism_text import Translate
from sampled_inputs import MODS

from ketune import mechanisms

HEAD = """NEURON { POINT_PROCESS probe NONSPECIFIC_CURRENT i RANGE tau, e, u }
ASSIGNED { v i last }
STATE { A B }
PARAMETER { tau = 3 e = 10 tau_rec = 100 u = 0.4 }
INITIAL { A = 0 B = 0 }
"""
LINEAR = "BREAKPOINT { SOLVE d METHOD cnexp i = (2*A - B/tau)*(v - e) }\nDERIVATIVE d { A' = -A/tau B' = (A - B)/5 }\n"
TSODYKS_MARKRAM = """NET_RECEIVE(w, R, U, before) {
    INITIAL { R = 1 U = u before = t }
    R = 1 - (1 - R*(1 - U))*exp(-(t - before)/tau_rec)
    before = t
    A = A + w*R*U
    B = B + 2*w*R*U
}
"""
KINETIC = (
    "BREAKPOINT { SOLVE k METHOD sparse i = B*(v - e) }\nKINETIC k { ~ A <-> B (1, 0.2)\n~ B -> (0.1)\n}\n"
)


@pytest.mark.parametrize(
    ("dynamics", "receive", "merging"),
    [
        (LINEAR, "NET_RECEIVE(w) { A = A + w }", "linear"),
        (LINEAR, "NET_RECEIVE(w) { A = A + w*tau B = B - w/tau }", "linear"),
        (LINEAR, "NET_RECEIVE(w) { LOCAL half half = w/2 A = A + w }", "linear"),
        (LINEAR, TSODYKS_MARKRAM, "plastic"),
        (LINEAR, "NET_RECEIVE(w) { A = A + w*w }", "plastic"),
        (LINEAR, "NET_RECEIVE(w) { A = A + 1 }", "plastic"),
        (LINEAR, "NET_RECEIVE(w) { A = A + exp(w) }", "plastic"),
        (LINEAR, "NET_RECEIVE(w, x) { A = A + w*x }", "plastic"),
        (LINEAR, "NET_RECEIVE(w) { A = A + w*t }", "plastic"),
        # what an event does depends on the synapse
        (LINEAR, "NET_RECEIVE(w) { A = A + w*(1 - A) }", "separate"),
        (LINEAR, "NET_RECEIVE(w) { A = A*2 + w }", "separate"),
        (LINEAR, "NET_RECEIVE(w) { A = w }", "separate"),
        (LINEAR, "NET_RECEIVE(w) { A = A + w*(v + 70) }", "separate"),
        (LINEAR, "NET_RECEIVE(w) { A = A + w*B }", "separate"),
        (LINEAR, "NET_RECEIVE(w) { A = A + w*(t - last) last = t }", "separate"),
        # two states, two weights
        (LINEAR, "NET_RECEIVE(w, x) { A = A + w B = B + x }", "separate"),
        (LINEAR, "NET_RECEIVE(w) { A = A + w B = B + w*w }", "separate"),
        (LINEAR, "NET_RECEIVE(w) { A = A + w w = 2*w B = B + w }", "separate"),
        (LINEAR, "NET_RECEIVE(w) { A = A + w A = A + w }", "separate"),
        # kinds of events
        (LINEAR, "NET_RECEIVE(w) { IF (flag == 0) { A = A + w } }", "separate"),
        (LINEAR, "NET_RECEIVE(w) { A = A + w net_send(2, 1) }", "separate"),
        (LINEAR, "NET_RECEIVE(w) { IF (w > 0) { A = A + w } }", "separate"),
        (LINEAR, "NET_RECEIVE(w) { }", "separate"),
        # what follows does not add up
        (LINEAR.replace("2*A", "A*A"), "NET_RECEIVE(w) { A = A + w }", "separate"),
        (LINEAR.replace("2*A", "(A + 1)"), "NET_RECEIVE(w) { A = A + w }", "separate"),
        (LINEAR.replace("2*A", "A/(1 + A)"), "NET_RECEIVE(w) { A = A + w }", "separate"),
        (LINEAR.replace("(A - B)/5", "(1 - B)/5"), "NET_RECEIVE(w) { A = A + w B = B + w }", "separate"),
        (LINEAR.replace("(A - B)/5", "A*(1 - B)/5"), "NET_RECEIVE(w) { A = A + w }", "separate"),
        (KINETIC, "NET_RECEIVE(w) { A = A + w }", "linear"),
        (KINETIC.replace("0.2", "0"), "NET_RECEIVE(w) { A = A + w }", "linear"),
        (KINETIC.replace("A <->", "A + A <->"), "NET_RECEIVE(w) { A = A + w }", "separate"),
        (KINETIC.replace("(1, 0.2)", "(B, 0.2)"), "NET_RECEIVE(w) { A = A + w }", "separate"),
        (KINETIC.replace("~ B -> (0.1)", "CONSERVE A + B = 1"), "NET_RECEIVE(w) { A = A + w }", "separate"),
    ],
)  # fmt: skip
def test_merging(translate: Translate, dynamics: str, receive: str, merging: str) -> None:
    m = translate(dynamics + receive, HEAD)
    assert m.merging == merging
    assert bool(m.event_jump({**m.defaults(), "celsius": 37.0})) == (merging != "separate")
    assert (m.event_weight is not None) == (merging == "plastic")


def test_a_scheme_driven_by_a_synapse_is_separate() -> None:
    """Transmitter that binds receptors: their occupancy saturates."""
    for name in ("NMDA5", "NMDA10"):
        assert mechanisms.load(name).merging == "separate"


def number(values) -> dict[str, float]:
    return {key: float(x) for key, x in values.items()}


def test_linear_event_by_jump_and_by_net_receive(translate: Translate) -> None:
    m = translate(LINEAR + "NET_RECEIVE(w) { A = A + w*tau B = B - w/tau }", HEAD)
    p = {**m.defaults(), "t": 0.0, "flag": 0.0}
    s = {"A": jnp.asarray(0.2), "B": jnp.asarray(0.1)}
    assert number(m.event_jump(p)) == pytest.approx({"A": 3.0, "B": -1 / 3})
    new, c, sent = m.net_receive(0.0, s, {"w": 0.5}, p)
    assert number(new) == pytest.approx({"A": 1.7, "B": 0.1 - 1 / 6})
    assert (c, sent) == ({"w": 0.5}, [])
    assert m.init_connection is None


def test_short_term_depression_keeps_its_own_history(translate: Translate) -> None:
    m = translate(LINEAR + TSODYKS_MARKRAM, HEAD)
    assert m.arguments == ("w", "R", "U", "before")
    p = {**m.defaults(), "flag": 0.0}
    c = m.init_connection(0.0, {}, {"w": 0.5, "R": 9.0, "U": 9.0, "before": 9.0}, {**p, "t": 0.0})
    assert number(c) == {"w": 0.5, "R": 1.0, "U": 0.4, "before": 0.0}
    weighed, available, before = dict(c), 1.0, 0.0
    for t in (5.0, 12.0, 80.0):
        available = 1 - (1 - available * 0.6) * math.exp(-(t - before) / 100)
        before = t
        s = {"A": jnp.asarray(0.2), "B": jnp.asarray(0.1)}
        new, c, _ = m.net_receive(0.0, s, c, {**p, "t": t})
        weight, weighed = m.event_weight(weighed, {**p, "t": t})
        assert float(weight) == pytest.approx(0.5 * available * 0.4, rel=1e-14)
        assert number(new) == pytest.approx({"A": 0.2 + float(weight), "B": 0.1 + 2 * float(weight)})
        assert number(c) == pytest.approx(number(weighed))
        assert number(c) == pytest.approx({"w": 0.5, "R": available, "U": 0.4, "before": t})


def test_arguments_without_initial_start_at_0_but_for_the_weight(translate: Translate) -> None:
    m = translate(LINEAR + "NET_RECEIVE(w, x, y) { A = A + w*x*y }", HEAD)
    assert number(m.init_connection(0.0, {}, {"w": 0.5, "x": 2.0, "y": 3.0}, m.defaults())) == {
        "w": 0.5,
        "x": 0,
        "y": 0,
    }


def test_an_argument_hides_a_variable_of_its_name(translate: Translate) -> None:
    m = translate(
        LINEAR + "NET_RECEIVE(w, tau) { INITIAL { tau = 7 + u } A = A + w*tau }\nPROCEDURE f() { }",
        HEAD,
    )
    assert m.arguments[0] == "w"
    (hidden,) = m.arguments[1:]
    assert hidden != "tau"
    p = {**m.defaults(), "t": 0.0, "flag": 0.0}
    c = m.init_connection(0.0, {}, {"w": 0.5, hidden: 0.0}, p)
    assert number(c) == pytest.approx({"w": 0.5, hidden: 7.4})
    s = {"A": jnp.asarray(0.0), "B": jnp.asarray(0.0)}
    new, _, _ = m.net_receive(0.0, s, c, p)
    assert float(new["A"]) == pytest.approx(0.5 * 7.4)
    # the dynamics see the RANGE variable
    after = m.advance(0.0, {"A": jnp.asarray(1.0), "B": jnp.asarray(0.0)}, {**p, "dt": 0.3})
    assert float(after["A"]) == pytest.approx(math.exp(-0.1))


def test_self_events(translate: Translate) -> None:
    m = translate(
        LINEAR
        + """NET_RECEIVE(w) {
            IF (flag == 0) { A = A + w IF (w > 1) { net_send(2*w, 1) } ELSE { net_move(t + 4) } }
            ELSE { B = B - flag net_event(t) }
        }""",
        HEAD.replace("INITIAL {", "INITIAL { net_send(tau, 3)"),
    )
    assert m.moves == (False, True)
    assert m.merging == "separate"
    assert number(m.init_sends(0.0, {**m.defaults(), "t": 1.0})) == {
        "send_0_on": 1.0, "send_0_time": 4.0, "send_0_flag": 3.0,
    }  # fmt: skip
    w, flag = jnp.asarray([3.0, 0.5, 0.5]), jnp.asarray([0.0, 0.0, 2.0])
    s = {"A": jnp.zeros(3), "B": jnp.zeros(3)}
    new, _, sent = m.net_receive(jnp.zeros(3), s, {"w": w}, {**m.defaults(), "t": 10.0, "flag": flag})
    np.testing.assert_allclose(new["A"], [3.0, 0.5, 0.0])
    np.testing.assert_allclose(new["B"], [0.0, 0.0, -2.0])
    (send_on, send_time, send_flag), (move_on, move_time, move_flag) = sent
    np.testing.assert_allclose(send_on, [1, 0, 0])
    np.testing.assert_allclose(move_on, [0, 1, 0])
    assert (float(send_time[0]), float(send_flag[0])) == (16.0, 1.0)
    assert (float(move_time[1]), float(move_flag[1])) == (14.0, 1.0)


def test_an_artificial_cell_has_events_only(translate: Translate) -> None:
    m = translate(
        "PARAMETER { tau = 10 }\nASSIGNED { m t0 }\nINITIAL { m = 0 t0 = 0 }\n"
        "NET_RECEIVE(w) { m = m*exp(-(t - t0)/tau) + w t0 = t }",
        "NEURON { ARTIFICIAL_CELL probe RANGE tau, m }\n",
    )
    assert (m.kind, m.currents, m.merging) == ("artificial", (), "separate")
    assert m.current(0.0, {}, {}) == 0.0
    s = {"m": jnp.asarray(0.5), "t0": jnp.asarray(3.0)}
    new, _, _ = m.net_receive(0.0, s, {"w": 0.2}, {"tau": 10.0, "t": 8.0, "flag": 0.0})
    assert number(new) == pytest.approx({"m": 0.5 * math.exp(-0.5) + 0.2, "t0": 8.0})


def test_the_test_mechanisms() -> None:
    expected = {
        "linear": {"AlphaTwo", "DiscSyn", "NmdaCa", "NmdaTab"},
        "plastic": {"TsoMark"},
        "separate": {
            "SatSyn",
            "GabaPulse",
            "GababG",
            "AmpaPulse",
            "PreStdp",
            "PulseTrain",
            "BurstEnd",
            "CallSyn",
        },
        "none": {"kdrpyr", "SineClamp", "AlphaOnset"},
    }
    for merging, names in expected.items():
        for name in names:
            assert mechanisms.load(MODS / "lab" / f"{name}.mod").merging == merging, name
