"""Each NMODL construct against the same thing written in NumPy."""

from __future__ import annotations

import inspect
import math
import pickle
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mechanism_text import DENSITY, Translate

from ketune import mechanisms

V = jnp.linspace(-100.0, 50.0, 31)


def current(mechanism: mechanisms.Mechanism, v=V, **values):
    """The current at the initial states."""
    p = {**mechanism.defaults(), "celsius": 37.0, "dt": 0.1, **values}
    p = {**p, **mechanism.derived(p)}
    return mechanism.current(v, mechanism.init(v, p), p)


# expressions


def python_text(draw: st.DrawFn, depth: int) -> str:
    kind = draw(st.sampled_from(("leaf", "binary", "minus", "paren", "call"))) if depth else "leaf"
    if kind == "leaf":
        return draw(st.sampled_from(("v", "a", "b", "2", "0.5", "3")))
    if kind == "minus":
        return f"-{python_text(draw, 0)}"
    if kind == "paren":
        return f"({python_text(draw, depth - 1)})"
    if kind == "call":
        return f"{draw(st.sampled_from(('cos', 'fabs', 'tanh')))}({python_text(draw, depth - 1)})"
    operator = draw(st.sampled_from(("+", "-", "*", "/")))
    return f"{python_text(draw, depth - 1)} {operator} {python_text(draw, depth - 1)}"


@settings(max_examples=30, deadline=None)
@given(st.composite(python_text)(4))
def test_expressions_group_as_python_groups_them(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("expression") / "probe.mod"
    path.write_text(
        "NEURON { SUFFIX probe NONSPECIFIC_CURRENT i RANGE a, b }\nASSIGNED { v i }\nPARAMETER { a = 1.3 b = -0.7 }\n"
        f"BREAKPOINT {{ i = {text} }}\n"
    )
    v = np.array([-3.2, 0.4, 7.1])
    names = {"v": v, "a": 1.3, "b": -0.7, "cos": np.cos, "fabs": np.abs, "tanh": np.tanh}
    with np.errstate(all="ignore"):
        expected = np.broadcast_to(np.asarray(eval(text, names), float), v.shape)
    found = np.broadcast_to(current(mechanisms.load(path), jnp.asarray(v)), v.shape)
    usual = np.isfinite(expected) & (
        np.abs(expected) < 1e6
    )  # elsewhere a near-zero divisor amplifies rounding
    np.testing.assert_allclose(found[usual], expected[usual], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-v^2", lambda v: -(v**2)),
        ("(-v)^3", lambda v: (-v) ** 3),
        ("2^3^2 + (2^3)^2", lambda v: 512.0 + 64.0 + 0 * v),  # NEURON writes pow(2, pow(3, 2))
        ("2^(v/50)", lambda v: 2 ** (v / 50)),
        ("2*-v", lambda v: -2 * v),
        ("v - (3 - 1) - 1", lambda v: v - 3),
        ("12/(3*2)*v/(1/2)", lambda v: 4 * v),
        ("pow(fabs(v), 1.5) + sqrt(v^2) + 1e-3 (mV)", lambda v: abs(v) ** 1.5 + abs(v) + 1e-3),
        ("fmin(v, 3) + fmax(v, -2)", lambda v: np.minimum(v, 3) + np.maximum(v, -2)),
        ("sin(v) + cos(v)*tan(0.1) + atan(v) + log(10)/log10(5)", None),
        ("(v > 0)*2 + (v <= -20)", lambda v: 2.0 * (v > 0) + (v <= -20)),
        ("v && 1", lambda v: 1.0 * (v != 0)),
        ("v > 0 || v < -20 && v > -50", lambda v: 1.0 * ((v > 0) | ((v < -20) & (v > -50)))),
    ],
)
def test_expression(translate: Translate, text: str, expected) -> None:
    if expected is None:

        def expected(v):
            return np.sin(v) + np.cos(v) * np.tan(0.1) + np.arctan(v) + math.log(10) / math.log10(5)

    found = current(translate(f"BREAKPOINT {{ i = {text} }}"))
    np.testing.assert_allclose(found, expected(np.asarray(V)), rtol=1e-13, atol=1e-13)


# control flow, scopes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("i = 1 IF (v > 0) { i = v }", lambda v: np.where(v > 0, v, 1)),
        ("IF (v > 0) { i = v } ELSE { i = -1 }", lambda v: np.where(v > 0, v, -1)),
        (
            "if (v < -50) { i = 1/v } else if (v < 0) { i = 2*v } else if (v == 0) { i = 9 } else { i = exp(-v) }",
            lambda v: np.select([v < -50, v < 0, v == 0], [1 / np.where(v, v, 1), 2 * v, 9], np.exp(-v)),
        ),
        (
            "LOCAL a i = 0 IF (v > -50) { a = 2 IF (v < 0 && !(v == -10)) { i = a*v } }",
            lambda v: np.where((v > -50) & (v < 0) & (v != -10), 2 * v, 0),
        ),
        (
            "LOCAL a, b a = 1 b = 2 IF (v > 0 || v < -50) { a = b b = 5 } i = 10*a + b",
            lambda v: np.where((v > 0) | (v < -50), 25, 12),
        ),
        ("LOCAL a IF (v > 0) { a = 3*v } i = 1 IF (v > 0) { i = a }", lambda v: np.where(v > 0, 3 * v, 1)),
        ("i = 0 IF (v) { i = 1 }", lambda v: 1.0 * (v != 0)),
        ("LOCAL a, b IF (v > 0) { a = exp(v/9) b = a + 1 } ELSE { a = 0 b = log(1 - v) } i = a*b", None),
    ],
)
def test_if(translate: Translate, text: str, expected) -> None:
    if expected is None:

        def expected(v):
            up = np.exp(np.maximum(v, 0) / 9)  # log(1 - v) is not a number where v > 1
            return np.where(v > 0, up * (up + 1), 0.0)

    found = current(translate(f"BREAKPOINT {{ {text} }}"))
    np.testing.assert_allclose(found, expected(np.asarray(V)), rtol=1e-13)


def test_procedures_are_called_by_value_and_have_their_own_locals(translate: Translate) -> None:
    m = translate(
        """
        ASSIGNED { out }
        BREAKPOINT { LOCAL a, b
            a = 3
            b = v
            outer(a, b + 1)
            i = out + 100*a + b }
        PROCEDURE outer(x, y) { LOCAL a
            a = 7
            x = x + 1
            inner(x)
            out = out*a + y }
        PROCEDURE inner(a) { LOCAL x
            x = 10*a
            a = 0
            out = x + a }
        """
    )
    np.testing.assert_allclose(current(m), 40 * 7 + (V + 1) + 300 + V)


def test_functions_read_the_files_variables_and_call_each_other(translate: Translate) -> None:
    m = translate(
        """
        PARAMETER { half = -40 k = 7 }
        BREAKPOINT { i = twice(v) + constant() }
        FUNCTION twice(x) { twice = 2*gate(x + 1) }
        FUNCTION gate(u) { LOCAL z z = (u - half)/k gate = 1/(1 + exp(z)) + v/100 }
        FUNCTION constant() { constant = 4 }
        """
    )
    expected = 2 * (1 / (1 + np.exp((V + 1 + 35) / 6)) + V / 100) + 4
    np.testing.assert_allclose(current(m, half=-35.0, k=6.0), expected, rtol=1e-14)


def test_names_that_python_or_the_generated_code_use(translate: Translate) -> None:
    m = translate(
        """
        PARAMETER { lambda = 2 p = 3 where = 5 init = 7 }
        STATE { s }
        INITIAL { s = lambda }
        BREAKPOINT { SOLVE d METHOD cnexp i = s*p*where + guarded(init) }
        DERIVATIVE d { s' = -s/p }
        FUNCTION guarded(jnp) { guarded = jnp }
        """
    )
    np.testing.assert_allclose(current(m), 2 * 3 * 5 + 7)
    assert m.states == ("s",)
    assert set(m.parameters) == {"lambda", "p", "where", "init"}


# dynamics


def advance(m: mechanisms.Mechanism, states: dict[str, float], v: float = -50.0, dt: float = 0.3, **values):
    p = {**m.defaults(), "celsius": 37.0, "dt": dt, **values}
    return m.advance(jnp.asarray(v), {k: jnp.asarray(x) for k, x in states.items()}, {**p, **m.derived(p)})


@pytest.mark.parametrize(
    ("rate", "target", "tau"),
    [
        ("(0.3 - x)/5", 0.3, 5.0),
        ("-x/5", 0.0, 5.0),
        ("-x*0.2", 0.0, 5.0),
        ("0.2*(0.3 - x)", 0.3, 5.0),
        ("0.1*(1 - x) - 0.3*x", 0.25, 2.5),
        ("(2*(1 - x) - x - x)/4", 0.5, 1.0),
        ("-(x - 0.7)/3", 0.7, 3.0),
        ("exp(v/50)*(0.3 - x)", 0.3, math.exp(1.0)),
    ],
)
def test_cnexp_is_exact_for_a_linear_equation(
    translate: Translate, rate: str, target: float, tau: float
) -> None:
    m = translate(f"STATE {{ x }} BREAKPOINT {{ SOLVE d METHOD cnexp i = x }} DERIVATIVE d {{ x' = {rate} }}")
    found = advance(m, {"x": 0.9})["x"]
    assert float(found) == pytest.approx(target + (0.9 - target) * math.exp(-0.3 / tau), rel=1e-14)


def test_a_rate_without_the_state_is_an_euler_step(translate: Translate) -> None:
    m = translate("STATE { x } BREAKPOINT { SOLVE d METHOD cnexp i = x } DERIVATIVE d { x' = v/10 }")
    assert float(advance(m, {"x": 1.0})["x"]) == pytest.approx(1.0 - 0.3 * 5.0)


def test_later_equations_see_earlier_new_values(translate: Translate) -> None:
    m = translate(
        "STATE { x z } BREAKPOINT { SOLVE d METHOD cnexp i = x } DERIVATIVE d { x' = -x/2 z' = (x - z)/4 }"
    )
    found = advance(m, {"x": 1.0, "z": 0.0})
    x = math.exp(-0.3 / 2)
    assert float(found["z"]) == pytest.approx(x * (1 - math.exp(-0.3 / 4)), rel=1e-14)


def test_values_from_parameters_are_derived_and_values_that_vary_are_carried(translate: Translate) -> None:
    m = translate(
        """
        PARAMETER { tau = 4 low = 1 }
        STATE { x }
        ASSIGNED { q10 fixed seen count never celsius }
        INITIAL {
            q10 = 3^((celsius - 27)/10)
            IF (tau < low) { tau = low }
            fixed = v
            x = 0.5
        }
        BREAKPOINT { SOLVE d METHOD cnexp i = x*seen*q10 + fixed + count + never }
        DERIVATIVE d { seen = v/2 x' = -x*q10/tau }
        """,
        DENSITY.replace("}", "RANGE count }", 1),
    )
    assert m.carried == ("fixed", "seen")
    assert m.states == ("x", "fixed", "seen")
    p = {**m.defaults(), "celsius": 37.0, "dt": 0.1}
    derived = m.derived({**p, "tau": 0.25})
    assert {k: pytest.approx(float(x)) for k, x in derived.items()} == {"q10": 3.0, "tau": 1.0}
    p = {**p, "tau": 0.25, **derived}
    s = m.init(jnp.asarray(-60.0), p)
    assert {k: float(x) for k, x in s.items()} == {"x": 0.5, "fixed": -60.0, "seen": 0.0}
    s = m.advance(jnp.asarray(-40.0), s, p)
    assert {k: float(x) for k, x in s.items()} == pytest.approx(
        {"x": 0.5 * math.exp(-0.3), "fixed": -60.0, "seen": -20.0}
    )
    # a variable that nothing sets is 0; where it is RANGE the user may set it
    assert "never" not in m.parameters
    assert m.parameters["count"].value == 0.0
    assert float(m.current(jnp.asarray(0.0), s, {**p, "count": 2.5})) == pytest.approx(
        float(s["x"]) * -60 - 57.5
    )


def test_carried_values_may_need_further_values(translate: Translate) -> None:
    """`speed` is only needed by `seen`, which is only kept because BREAKPOINT reads it."""
    m = translate(
        """
        STATE { x }
        ASSIGNED { seen speed count }
        INITIAL { speed = 3 x = 1 }
        BREAKPOINT { SOLVE d METHOD cnexp i = seen*x }
        DERIVATIVE d { count = count + 1 seen = speed*v + count x' = -x }
        """
    )
    assert m.carried == ("count", "seen")
    p = {**m.defaults(), "celsius": 37.0, "dt": 0.1}
    p = {**p, **m.derived(p)}
    s = m.init(jnp.asarray(0.0), p)
    for _ in range(2):
        s = m.advance(jnp.asarray(5.0), s, p)
    assert float(s["seen"]) == 17.0


def test_states_start_at_their_parameter_of_the_same_name_with_0(translate: Translate) -> None:
    m = translate(
        "PARAMETER { x0 = 0.25 } STATE { x z FROM 0 TO 1 } INITIAL { z = x } BREAKPOINT { i = x + z }"
    )
    assert float(current(m, jnp.asarray(0.0))) == 0.5
    assert float(current(m, jnp.asarray(0.0), x0=2.0)) == 4.0


def test_a_local_of_the_whole_file(translate: Translate) -> None:
    m = translate("LOCAL q\nINITIAL { q = 3^((celsius - 27)/10) } BREAKPOINT { i = q*v }")
    np.testing.assert_allclose(current(m), 3 * V, rtol=1e-14)


def test_constants(translate: Translate) -> None:
    m = translate(
        """
        UNITS { (mV) = (millivolt) FARADAY = (faraday) (coulomb) R = (k-mole) (joule/degC) PI = (pi) (1) }
        CONSTANT { two = 2 (mV) }
        ASSIGNED { celsius }
        BREAKPOINT { i = two*PI + 1000*R*(celsius + 273.15)/FARADAY }
        """
    )
    # CODATA 2018
    assert float(current(m)) == pytest.approx(2 * math.pi + 8314.462618 * 310.15 / 96485.33212, rel=1e-9)


# other methods


@pytest.mark.parametrize(
    ("method", "rate", "expected"),
    [
        ("euler", "-x*x", 0.9 - 0.3 * 0.81),
        ("derivimplicit", "-x/2", 0.9 / 1.15),
        ("derivimplicit", "-x*x", (-1 + math.sqrt(1 + 4 * 0.3 * 0.9)) / 0.6),
        ("sparse", "-x*x", (-1 + math.sqrt(1 + 4 * 0.3 * 0.9)) / 0.6),
        ("runge", "-x/2", 0.9 * (1 - 0.15 + 0.15**2 / 2 - 0.15**3 / 6 + 0.15**4 / 24)),
        # cnexp gives up on these, and NEURON solves them implicitly
        ("cnexp", "1/x", (0.9 + math.sqrt(0.81 + 4 * 0.3)) / 2),
        ("cnexp", "exp(x)/1000", None),
    ],
)
def test_method(translate: Translate, method: str, rate: str, expected: float | None) -> None:
    solve = f"SOLVE d METHOD {method}" if method else "SOLVE d"
    m = translate(f"STATE {{ x }} BREAKPOINT {{ {solve} i = x }} DERIVATIVE d {{ x' = {rate} }}")
    found = float(advance(m, {"x": 0.9})["x"])
    if expected is None:
        assert found - 0.3 * math.exp(found) / 1000 == pytest.approx(0.9, rel=1e-14)
    else:
        assert found == pytest.approx(expected, rel=1e-13)


def test_one_equation_beyond_cnexp_makes_the_whole_block_implicit(translate: Translate) -> None:
    m = translate(
        "STATE { x z } BREAKPOINT { SOLVE d METHOD cnexp i = x + z } DERIVATIVE d { x' = -x/2 z' = 1/z + x }"
    )
    found = advance(m, {"x": 0.8, "z": 1.0})
    x, z = float(found["x"]), float(found["z"])
    assert x == pytest.approx(0.8 / 1.15, rel=1e-14)  # not 0.8*exp(-0.15)
    assert z - 0.3 * (1 / z + x) == pytest.approx(1.0, rel=1e-13)


def test_equations_in_branches(translate: Translate) -> None:
    m = translate(
        "STATE { x } BREAKPOINT { SOLVE d METHOD cnexp i = x }"
        " DERIVATIVE d { IF (v > 0) { x' = 1 } ELSE { x' = -x/2 } }"
    )
    assert float(advance(m, {"x": 0.9}, v=1.0)["x"]) == pytest.approx(1.2)
    assert float(advance(m, {"x": 0.9}, v=-1.0)["x"]) == pytest.approx(0.9 * math.exp(-0.15))
    m = translate(
        "STATE { x } BREAKPOINT { SOLVE d METHOD cnexp i = x } DERIVATIVE d { IF (v > 0) { x' = 1 } }"
    )
    assert float(advance(m, {"x": 0.9}, v=1.0)["x"]) == pytest.approx(1.2)
    assert float(advance(m, {"x": 0.9}, v=-1.0)["x"]) == 0.9


def test_kinetic_scheme(translate: Translate) -> None:
    m = translate(
        """
        STATE { c o b }
        INITIAL { SOLVE k STEADYSTATE sparse }
        BREAKPOINT { SOLVE k METHOD sparse i = o }
        KINETIC k { LOCAL up
            up = exp(v/20)
            ~ c <-> o (up, 2)
            ~ o <-> b (0.5, 0.25)
            CONSERVE c + o + b = 1
        }
        """
    )
    up = math.exp(-50.0 / 20)
    matrix = np.array([[-up, 2, 0], [up, -2.5, 0.25], [0, 0.5, -0.25]])
    found = advance(m, {"c": 0.7, "o": 0.2, "b": 0.1})
    expected = np.linalg.solve(np.eye(3) - 0.3 * matrix, [0.7, 0.2, 0.1])
    np.testing.assert_allclose([found[x] for x in ("c", "o", "b")], expected, rtol=1e-13)
    rest = m.init(jnp.asarray(-50.0), {"celsius": 37.0, "dt": 0.1})
    np.testing.assert_allclose(matrix @ [float(rest[x]) for x in ("c", "o", "b")], 0, atol=1e-8)
    assert float(sum(rest.values())) == pytest.approx(1.0, abs=1e-12)


def test_reactions_fluxes_and_volumes(translate: Translate) -> None:
    """2 a -> b with a volume, a constant flux into a, and what the last reaction's fluxes are called."""
    m = translate(
        """
        STATE { a b }
        ASSIGNED { net }
        BREAKPOINT { SOLVE k METHOD sparse i = net }
        KINETIC k {
            COMPARTMENT 4 { b }
            ~ a << (0.5)
            ~ 2 a <-> b (3, 0.2)
            net = f_flux - b_flux
        }
        """
    )
    found = advance(m, {"a": 0.6, "b": 0.1, "net": 0.0})
    a, b = float(found["a"]), float(found["b"])
    flux = 3 * a * a - 0.2 * b
    assert a - 0.6 == pytest.approx(0.3 * (0.5 - 2 * flux), rel=1e-10)
    assert 4 * (b - 0.1) == pytest.approx(0.3 * flux, rel=1e-10)


# arrays, loops, tables


def test_arrays_and_loops(translate: Translate) -> None:
    m = translate(
        """
        DEFINE N 3
        PARAMETER { w[N] }
        STATE { x[N] }
        ASSIGNED { tau[N] total }
        INITIAL { FROM k = 0 TO N-1 { tau[k] = 2*(k + 1) x[k] = 1 - k } }
        BREAKPOINT { SOLVE d METHOD cnexp
            total = 0
            FROM k = 0 TO N-1 { FROM j = 0 TO k { total = total + x[j]/(k+1) } }
            i = total + x[N-1]*w[1] }
        DERIVATIVE d { FROM k = 0 TO N-1 { x'[k] = -x[k]/tau[k] } }
        """
    )
    assert m.arrays == {"w": 3, "x": 3, "tau": 3}
    assert m.states == ("x_0", "x_1", "x_2")
    assert m.element("tau_2") == ("tau", 2)
    assert m.element("tau_3") is None
    p = {**m.defaults(), "w_1": 10.0, "dt": 0.3}
    p = {**p, **m.derived(p)}
    v = jnp.asarray(0.0)
    s = m.init(v, p)
    assert [float(s[x]) for x in m.states] == [1.0, 0.0, -1.0]
    assert float(m.current(v, s, p)) == pytest.approx(1 + 1 / 2 + 0 - 10)
    s = m.advance(v, s, p)
    expected = [math.exp(-0.15), 0.0, -math.exp(-0.05)]
    assert [float(s[x]) for x in m.states] == pytest.approx(expected)


def test_a_table_is_computed_exactly(translate: Translate) -> None:
    m = translate(
        "ASSIGNED { y }\nBREAKPOINT { f(v) i = y }\n"
        "PROCEDURE f(v) { TABLE y FROM -100 TO 100 WITH 2\n y = exp(v/50) }"
    )
    np.testing.assert_allclose(current(m), np.exp(np.asarray(V) / 50), rtol=1e-14)


def test_a_function_table_is_linear_inside_and_constant_outside(tmp_path: Path) -> None:
    path = tmp_path / "probe.mod"
    path.write_text(
        "NEURON { SUFFIX probe NONSPECIFIC_CURRENT i }\nASSIGNED { v i }\nFUNCTION_TABLE f(v)\n"
        "BREAKPOINT { i = f(v) }"
    )
    x, y = [-50.0, 0.0, 20.0], [1.0, 3.0, -1.0]
    m = mechanisms.load(path, tables={"f": (x, y)})
    np.testing.assert_allclose(current(m), np.interp(np.asarray(V), x, y), rtol=1e-13, atol=1e-14)
    assert mechanisms.load(path, tables={"f": (x, [1.0, 3.0, 0.0])}) is not m
    assert pickle.loads(pickle.dumps(m)) is m


# memory


def test_memory_in_breakpoint(translate: Translate) -> None:
    m = translate("ASSIGNED { last }\nBREAKPOINT { i = last last = v }")
    assert m.carried == m.remembered == ("last",)
    s = m.init(jnp.asarray(-60.0), {})
    assert float(m.current(jnp.asarray(-50.0), s, {})) == 0.0
    assert float(m.remember(jnp.asarray(-50.0), s, {})["last"]) == -50.0


def test_parameters_and_functions_with_effects(translate: Translate) -> None:
    m = translate(
        """
        PARAMETER { k = 1 }
        ASSIGNED { calls }
        STATE { x }
        INITIAL { x = 1 }
        BREAKPOINT { SOLVE d METHOD cnexp i = x + 100*calls }
        DERIVATIVE d { k = k + 1 x' = -counted(k)*x }
        FUNCTION counted(y) { calls = calls + 1 counted = y/10 }
        """
    )
    p = {**m.defaults(), "dt": 0.5}
    s = m.init(jnp.asarray(0.0), p)
    assert {key: float(x) for key, x in s.items()} == {"x": 1.0, "k": 1.0, "calls": 0.0}
    for _ in range(2):
        s = m.advance(jnp.asarray(0.0), s, p)
    expected = {"x": math.exp(-0.1) * math.exp(-0.15), "k": 3.0, "calls": 2.0}
    assert {key: float(x) for key, x in s.items()} == pytest.approx(expected)


def test_start_values(translate: Translate) -> None:
    m = translate(
        "PARAMETER { z0 = 0.25 }\nSTATE { x START 0.3\n y FROM 0 TO 1\n z START 0.9 }\n"
        "INITIAL { y = x }\nBREAKPOINT { i = x }"
    )
    s = m.init(jnp.asarray(0.0), m.defaults())
    assert {key: float(x) for key, x in s.items()} == {"x": 0.3, "y": 0.3, "z": 0.25}


def test_what_the_cell_gives(translate: Translate) -> None:
    m = translate(
        "PARAMETER { area }\nASSIGNED { t diam }\nBREAKPOINT { i = v + 10*t + 100*area + 1000*diam }"
    )
    assert m.inputs == ("area", "diam", "t")
    assert m.parameters == {}
    assert float(m.current(jnp.asarray(1.0), {}, {"t": 2.0, "area": 3.0, "diam": 4.0})) == 4321.0


def test_conductance_hint(translate: Translate) -> None:
    m = translate("ASSIGNED { g }\nBREAKPOINT {\n CONDUCTANCE g\n g = 2 + v^2 i = g*v }")
    assert float(m.conductance(jnp.asarray(3.0), {}, {})) == 11.0


def test_ions_written_and_read(translate: Translate) -> None:
    m = translate(
        "BREAKPOINT { SOLVE d METHOD cnexp }\nDERIVATIVE d { cai' = -ica/10 - (cai - rest)/tau }",
        "NEURON { SUFFIX probe USEION ca READ ica, cai WRITE cai VALENCE 2 }\n"
        "PARAMETER { rest = 1e-4 tau = 20 }\nASSIGNED { ica }\nSTATE { cai }\n",
    )
    assert (m.states, m.ion_writes, m.inputs) == ((), ("cai",), ("cai", "dt", "ica"))
    p = {**m.defaults(), "cai": jnp.asarray(2e-4), "ica": -1e-4, "dt": 0.5}
    new = m.advance(jnp.asarray(0.0), {}, p)
    target = 1e-4 + 20 * 1e-5
    assert float(new["cai"]) == pytest.approx(target + (2e-4 - target) * math.exp(-0.5 / 20), rel=1e-12)


def test_a_global_that_is_the_same_everywhere(translate: Translate) -> None:
    head = "NEURON {{ SUFFIX probe NONSPECIFIC_CURRENT i RANGE g GLOBAL q{} }}\n"
    text = "PARAMETER { g = 2 low = 3 }\nASSIGNED { v i q }\nINITIAL { q = 2*low }\nBREAKPOINT { i = g*q*v }"
    m = translate(text, head.format(", low"))
    assert float(current(m, jnp.asarray(1.0), low=5.0)) == 20.0
    with pytest.raises(mechanisms.TranslationError, match=r"q: is GLOBAL but differs between compartments"):
        translate(text, head.format("").replace("RANGE g", "RANGE g, low"))


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_bytes_of_old_files(tmp_path: Path, encoding: str, newline: str) -> None:
    """Accents, Windows line ends, words behind ENDCOMMENT; lines keep their numbers."""
    text = (
        "TITLE Kanäle\nCOMMENT\n Größe µ BREAKPOINT\nENDCOMMENT and more\n"
        "NEURON { SUFFIX probe NONSPECIFIC_CURRENT i } : für\nASSIGNED { v i }\nBREAKPOINT { i = 2*v }\n"
    )
    path = tmp_path / "probe.mod"
    path.write_bytes(text.replace("\n", newline).encode(encoding))
    np.testing.assert_allclose(current(mechanisms.load(path)), 2 * V)
    path.write_bytes((text + "VERBATIM\nENDVERBATIM\n").replace("\n", newline).encode(encoding))
    with pytest.raises(mechanisms.TranslationError, match=r"^probe\.mod:8: VERBATIM"):
        mechanisms.load(path)


# what the object says


HEADER = """
NEURON { POINT_PROCESS probe USEION na READ ena WRITE ina USEION ca READ cai NONSPECIFIC_CURRENT i, j RANGE g, tau }
PARAMETER { g = 1e-3 (uS) <0, 1> tau = 5 (ms) <1e-3, 100> shared ena = 50 (mV) celsius }
ASSIGNED { v (mV) ina i j cai factor }
STATE { A }
INITIAL { factor = 2/tau A = 0 }
BREAKPOINT { SOLVE d METHOD cnexp ina = g*A*(v - ena) i = g*A*cai j = 2*i*shared }
DERIVATIVE d { A' = -A/tau }
"""


def test_parameters_ions_and_currents(translate: Translate) -> None:
    m = translate("NET_RECEIVE(w) { A = A + factor*w }", HEADER)
    assert (m.name, m.kind) == ("probe", "point")
    assert m.parameters == {
        "g": mechanisms.Parameter("g", 1e-3, "uS", 0.0, 1.0),
        "tau": mechanisms.Parameter("tau", 5.0, "ms", 1e-3, 100.0),
        "shared": mechanisms.Parameter("shared", 0.0, is_range=False),
    }
    assert m.ions == (mechanisms.Ion("na", ("ena",), ("ina",), 1.0), mechanisms.Ion("ca", ("cai",), (), 2.0))
    assert m.currents == ("ina", "i", "j")
    assert "SOLVE METHOD cnexp" in m.constructs
    assert "NET_RECEIVE" in m.constructs
    p = {**m.defaults(), "shared": 3.0, "ena": 60.0, "cai": 7.0, "celsius": 37.0, "dt": 0.1}
    p = {**p, **m.derived(p)}
    by_name = m.currents_by_name(jnp.asarray(-40.0), {"A": jnp.asarray(0.5)}, p)
    assert {k: float(x) for k, x in by_name.items()} == pytest.approx({"ina": -0.05, "i": 0.0035, "j": 0.021})
    assert float(m.current(jnp.asarray(-40.0), {"A": jnp.asarray(0.5)}, p)) == pytest.approx(-0.0255)


@pytest.mark.parametrize(
    ("body", "jump"),
    [
        ("A = A + w*factor", 0.4),
        ("A = w + A", 1.0),
        ("A = A - 3*w/tau*factor", -0.24),
        ("add(w)", 0.8),
    ],
)
def test_event_jump(translate: Translate, body: str, jump: float) -> None:
    m = translate(f"NET_RECEIVE(w) {{ {body} }} PROCEDURE add(x) {{ A = A + 2*x*factor }}", HEADER)
    p = {**m.defaults(), "celsius": 37.0, "dt": 0.1}
    found = m.event_jump({**p, **m.derived(p)})
    assert m.merging == "linear"
    assert {k: float(x) for k, x in found.items()} == {"A": pytest.approx(jump)}


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_states_take_the_shape_and_type_of_voltage_and_parameters(translate: Translate, dtype) -> None:
    m = translate("NET_RECEIVE(w) { A = A + w*factor }", HEADER)
    p = {k: jnp.full((3, 1), x, dtype) for k, x in m.defaults().items()} | {
        "ena": 60.0,
        "cai": 1.0,
        "dt": 0.1,
    }
    p = {**p, **m.derived(p)}
    v = jnp.full((3, 4), -60.0, dtype)
    s = m.init(v, p)
    assert s["A"].shape == (3, 4)
    assert p["factor"].shape == m.event_jump(p)["A"].shape == (3, 1)
    results = [s["A"], m.advance(v, s, p)["A"], m.current(v, s, p), m.event_jump(p)["A"]]
    assert {x.dtype for x in results} == {jnp.dtype(dtype)}


def test_loading_again_returns_the_same_object_until_the_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "a.mod"
    path.write_text("NEURON { SUFFIX a NONSPECIFIC_CURRENT i } ASSIGNED { v i } BREAKPOINT { i = v }")
    first = mechanisms.load(path)
    assert mechanisms.load(str(path)) is first
    path.write_text(path.read_text().replace("i = v", "i = 2*v"))
    second = mechanisms.load(path)
    assert second is not first
    assert second.sha256 != first.sha256
    assert float(current(second, jnp.asarray(3.0))) == 6.0


def test_a_mechanism_travels_to_another_process_and_shows_its_source() -> None:
    nav = mechanisms.load("nav")
    assert pickle.loads(pickle.dumps(nav)) is nav
    assert inspect.getsource(nav.advance) in nav.source
    assert "ina = gbar * tadj" in nav.source


def test_translation_keeps_standard_output_clean(
    translate: Translate, capfd: pytest.CaptureFixture[str]
) -> None:
    translate("BREAKPOINT { i = v }")
    with pytest.raises(mechanisms.TranslationError):
        translate("BREAKPOINT { i = = v }")
    assert capfd.readouterr() == ("", "")
