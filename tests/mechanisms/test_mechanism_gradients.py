"""Gradients: finite everywhere, right where they can be checked, also at removable singularities."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from mechanism_text import Translate
from sampled_inputs import (
    TRANSLATED,
    default_inputs,
    joined,
    load,
    outcome,
    random_samples,
    sweep,
    value_and_slopes,
)

from ketune import mechanisms
from ketune.mechanisms._runtime import exp, guarded, quotient

SINGULAR = {"nav": (-25.0, -40.0, -65.0), "kv": (25.0,), "km": (-30.0,), "hcn1": (-154.9,)}
ROWS = 48
MANY_OPERATIONS = ("carings", "na8st")
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])


def not_finite(m: mechanisms.Mechanism, samples, dtype) -> dict[str, list[int]]:
    """The samples whose value, or slope along something, is not finite."""
    value, slopes = value_and_slopes(m, samples)
    assert {x.dtype for x in (value, *slopes.values())} == {np.dtype(dtype)}
    found = {"value": value, **slopes}
    where = {key: np.flatnonzero(~np.isfinite(x)).tolist() for key, x in found.items()}
    return {key: indices for key, indices in where.items() if indices}


@DTYPES
@pytest.mark.parametrize("name", TRANSLATED)
def test_values_and_gradients_are_finite(name: str, dtype) -> None:
    """At every whole voltage, which meets removable singularities, and with parameters at their limits."""
    m = load(name)
    assert not_finite(m, joined(sweep(m, dtype), random_samples(m, 1, 250, dtype)), dtype) == {}


# in float32, whose range is the narrower; every example holds many samples, and smaller seeds are no simpler ones
@pytest.mark.parametrize("name", [name for name in TRANSLATED if name not in MANY_OPERATIONS])
@settings(max_examples=2, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(seed=st.integers(0, 2**32 - 1))
def test_values_and_gradients_are_finite_for_any_parameters(name: str, seed: int) -> None:
    m = load(name)
    assert not_finite(m, random_samples(m, seed, 501, np.float32), np.float32) == {}


@pytest.mark.parametrize("name", TRANSLATED)
def test_gradient_agrees_with_central_differences(name: str) -> None:
    """Along the voltage and each parameter and input, at four voltages."""
    m = load(name)
    inputs = {key: x * 1.003 + 0.01 * (key in m.parameters) for key, x in default_inputs(m, t=1.013).items()}
    keys = ["v", *inputs]
    # one row of samples for each direction; one shape for all mechanisms, so that operations are compiled once
    shape = (ROWS, 4)
    at = {key: jnp.full(shape, x) for key, x in inputs.items()}
    at["v"] = jnp.broadcast_to(jnp.asarray([-71.3, -39.2, -12.7, 21.9]), shape)
    step = {
        key: jnp.zeros(shape).at[row].set(1e-5 * max(1e-3, abs(float(jnp.max(at[key])))))
        for row, key in enumerate(keys)
    }
    c = {key: jnp.full(shape, 0.013) for key in m.arguments}

    def shifted(sign: int):
        moved = {key: x + sign * step[key] for key, x in at.items()}
        return outcome(m, moved.pop("v"), moved, c, {})

    here = dict(at)
    _, slopes = value_and_slopes(m, (here.pop("v"), here, c))
    difference = (shifted(1) - shifted(-1)) / 2
    expected = sum(slopes[key] * step[key] for key in keys)
    rounding = 1e-14 * np.max(np.abs(shifted(0)))
    for row, key in enumerate(keys):
        np.testing.assert_allclose(difference[row], expected[row], rtol=1e-5, atol=rounding, err_msg=key)


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


@DTYPES
@pytest.mark.parametrize("shape", [(), (3,)])
def test_branches_may_be_constant_or_of_fewer_dimensions_than_the_test(dtype, shape: tuple[int, ...]) -> None:
    """Both outputs of the branch depend on less than what decides about it."""
    v, g = jnp.asarray([-1.0, 0.0, 2.0], dtype), jnp.full(shape, 4.0, dtype)

    def chosen(v, g):
        one, other = guarded(v > 0, lambda g: (1.0, 1 / g), g)
        return jnp.sum(jnp.where(v > 0, one + other, v))

    value, (dv, dg) = jax.value_and_grad(chosen, (0, 1))(v, g)
    assert {value.dtype, dv.dtype, dg.dtype} == {np.dtype(dtype)}
    assert (dv.shape, dg.shape) == (v.shape, shape)
    assert float(value) == pytest.approx(0.25)
    np.testing.assert_allclose(dv, [1, 1, 0])
    np.testing.assert_allclose(jnp.sum(dg), -1 / 16)


def test_a_branch_without_arguments_keeps_the_type_of_the_rest(translate: Translate) -> None:
    m = translate("BREAKPOINT { IF (v > 0) { i = exp(1) } ELSE { i = v } }")
    assert m.current(jnp.asarray([-2.0, 3.0], jnp.float32), {}, {}).dtype == jnp.float32


@DTYPES
@pytest.mark.parametrize("z", [-60.0, 0.0, 45.0, 75.0])
def test_ratio_of_huge_sums_has_a_finite_gradient(translate: Translate, dtype, z: float) -> None:
    m = translate("PARAMETER { a = 0.25 } BREAKPOINT { i = (1 + a*exp(v))/(1 + exp(v)) }")
    p = {"a": jnp.asarray(0.25, dtype)}
    rate = lambda v: m.current(v, {}, p)  # noqa: E731
    value, forward = jax.jvp(rate, (jnp.asarray(z, dtype),), (jnp.asarray(1.0, dtype),))
    opened = 1 / (1 + np.exp(z))
    precision = 1e-6 if dtype == np.float32 else 1e-13
    assert float(value) == pytest.approx(0.25 + 0.75 * opened, rel=precision)
    assert float(forward) == pytest.approx(-0.75 * opened * (1 - opened), rel=precision, abs=precision)
    assert float(jax.grad(rate)(jnp.asarray(z, dtype))) == pytest.approx(float(forward), rel=precision)


def test_quotient_at_every_order() -> None:
    x, y = jnp.asarray([3.0, -2.0]), jnp.asarray(1.7)
    for order in (jax.jacfwd, jax.jacrev, jax.hessian):
        for found, expected in zip(
            order(quotient, (0, 1))(x, y), order(lambda x, y: x / y, (0, 1))(x, y), strict=True
        ):
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-14), found, expected)
