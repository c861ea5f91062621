"""Gradients: finite everywhere, right where they can be checked, also at removable singularities."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mechanism_text import Translate

from ketune import mechanisms
from ketune.mechanisms._runtime import exp, guarded

NAMES = mechanisms.names()
SINGULAR = {"nav": (-25.0, -40.0, -65.0), "kv": (25.0,), "km": (-30.0,), "hcn1": (-154.9,)}


def outcome(m: mechanisms.Mechanism, v, p, jump=1.0):
    """A scalar that every function of the mechanism contributes to: two steps from the initial state."""
    p = {**p, **m.derived(p)}
    s = m.init(v, p)
    total = 0.0
    for change in (jump, 0.0):
        s = {k: x + change * m.event_jump(p).get(k, 0.01) for k, x in s.items()}
        s = m.advance(v, s, p)
        total = total + jnp.sum(m.current(v, s, p)) + sum(jnp.sum(x) for x in s.values())
    return total


# compiled once per mechanism and type: hypothesis then only feeds numbers
FORWARD_AND_GRADIENT = {
    name: jax.jit(jax.value_and_grad(lambda v, p, m=mechanisms.load(name): outcome(m, v, p), (0, 1)))
    for name in NAMES
}


def draw_parameters(m: mechanisms.Mechanism, data: st.DataObject) -> dict[str, float]:
    p = {
        key: data.draw(
            st.floats(q.low, q.high, width=32) if _is_float32(q.low, q.high) else st.floats(q.low, q.high)
        )
        for key, q in m.parameters.items()
    }
    return p | {
        "ena": data.draw(st.floats(20.0, 90.0)),
        "ek": data.draw(st.floats(-120.0, -60.0)),
        "celsius": data.draw(st.floats(6.0, 40.0)),
        "dt": data.draw(st.sampled_from((0.005, 0.025, 0.1))),
    }


def _is_float32(*limits: float) -> bool:
    return all(float(np.float32(x)) == x for x in limits)


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_values_and_gradients_are_finite_for_any_parameters(name: str, dtype, data: st.DataObject) -> None:
    m = mechanisms.load(name)
    p = {key: dtype(x) for key, x in draw_parameters(m, data).items()}
    v = dtype(data.draw(st.floats(-150.0, 100.0) | st.sampled_from(SINGULAR.get(name, (0.0,)))))
    value, (dv, dp) = FORWARD_AND_GRADIENT[name](v, p)
    assert value.dtype == dtype
    assert np.isfinite(value)
    assert np.isfinite(dv)
    assert {key: float(x) for key, x in dp.items() if not np.isfinite(x)} == {}


@pytest.mark.parametrize("name", NAMES)
def test_gradient_agrees_with_central_differences(name: str) -> None:
    m = mechanisms.load(name)
    p = {**m.defaults(), "ena": 60.0, "ek": -80.0, "celsius": 34.0, "dt": 0.1}
    p = {key: jnp.asarray(x + 0.01) for key, x in p.items()}
    for v in (-71.3, -39.2, -12.7, 21.9):
        _, (dv, dp) = FORWARD_AND_GRADIENT[name](jnp.asarray(v), p)
        for key, slope in {"v": dv, **dp}.items():
            size = 1e-5

            def shifted(by: float, key=key, v=v) -> float:
                if key == "v":
                    return float(outcome(m, jnp.asarray(v + by), p))
                return float(outcome(m, jnp.asarray(v), {**p, key: p[key] + by}))

            difference = (shifted(size) - shifted(-size)) / (2 * size)
            assert float(slope) == pytest.approx(difference, rel=1e-5, abs=1e-8), (key, v)


@pytest.mark.parametrize("name", SINGULAR)
def test_values_and_gradients_are_smooth_through_removable_singularities(name: str) -> None:
    """Value and slopes at the singular point continue those around it, where the series is not used."""
    m = mechanisms.load(name)
    p = {**m.defaults(), "ena": 60.0, "ek": -80.0, "celsius": 34.0, "dt": 0.1}
    p = {**p, **m.derived(p)}

    def gates(v):
        return sum(m.advance(v, {state: jnp.asarray(0.4) for state in m.states}, p).values())

    for v in SINGULAR[name]:
        for function in (gates, jax.grad(gates), jax.grad(jax.grad(gates))):
            *around, there = np.asarray(
                jax.jit(jax.vmap(function))(v + jnp.asarray([-0.4, -0.2, 0.2, 0.4, 0.0]))
            )
            middle = (-around[0] + 4 * around[1] + 4 * around[2] - around[3]) / 6
            assert there == pytest.approx(middle, rel=2e-4, abs=1e-9)


# the two guards


@pytest.mark.parametrize("x", [0.0, -3.0, 2.0])
def test_the_branch_not_taken_cannot_spoil_the_gradient(translate: Translate, x: float) -> None:
    """Square root of a negative number, division by zero, logarithm: none of them is taken."""
    m = translate(
        """
        BREAKPOINT {
            IF (v > 1) { i = sqrt(v - 1) + log(v) } ELSE { IF (v == 0) { i = 1 } ELSE { i = (exp(v) - 1)/v } }
        }
        """
    )
    expected = {0.0: (1.0, 0.0), -3.0: ((1 - np.exp(-3)) / 3, None), 2.0: (1 + np.log(2), 0.5 + 0.5)}[x]
    value, slope = jax.value_and_grad(lambda v: m.current(v, {}, {}) + 0.0 * v)(x)
    assert float(value) == pytest.approx(expected[0], rel=1e-14)
    if expected[1] is None:
        expected = (0, (np.exp(x) * (x - 1) + 1) / x**2)
    assert float(slope) == pytest.approx(expected[1], rel=1e-13)


def test_guarded_branch_at_every_order_and_for_broadcast_arguments() -> None:
    x = jnp.linspace(-2.0, 2.0, 5)[None, :]  # holds 0
    q = jnp.asarray([[1.0], [2.0]])

    def trap(x, q):
        zero = x == 0
        return jnp.where(zero, q * (1 + x / (2 * q) + x**2 / (12 * q**2)), guarded(~zero, branch, x, q, 1.0))

    def branch(x, q, one):
        return x / (one - jnp.exp(-x / q))

    slopes = jax.jit(jax.grad(lambda x, q: jnp.sum(trap(x, q)), (0, 1)))(x, q)
    assert [s.shape for s in slopes] == [x.shape, q.shape]
    curvature = jax.jit(jax.hessian(lambda x: jnp.sum(trap(x, q))))(x)
    assert all(bool(jnp.all(jnp.isfinite(s))) for s in (*slopes, curvature))
    h = 1e-5
    along_x = (trap(x + h, q) - trap(x - h, q)) / (2 * h)
    along_q = (trap(x, q + h) - trap(x, q - h)) / (2 * h)
    np.testing.assert_allclose(slopes[0], jnp.sum(along_x, axis=0, keepdims=True), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(slopes[1], jnp.sum(along_q, axis=1, keepdims=True), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_sigmoids_of_huge_arguments_have_zero_gradient(dtype) -> None:
    value, slope = jax.value_and_grad(lambda x: 1 / (1 + exp(x)))(jnp.asarray(1e4, dtype))
    assert value.dtype == dtype
    assert 0.0 <= float(value) < 1e-30
    assert float(slope) == 0.0
    assert bool(jnp.isnan(exp(jnp.asarray(jnp.nan, dtype))))  # a real failure stays visible


def test_exponential_is_capped_where_neuron_caps_it() -> None:
    assert float(exp(jnp.asarray(800.0))) == float(jnp.exp(jnp.asarray(700.0)))
