"""What generated mechanism code calls: jax.numpy's functions, implicit steps, and what keeps gradients finite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from ketune.mechanisms._solve import backward_euler, kinetic_steady_state, kinetic_step, runge_kutta

Value = Any  # an array or a Python number


def exp(x: Value) -> Array:
    """exp(x), with x capped where the result would overflow.

    NEURON caps at 700 too (`hoc_Exp`), so float64 agrees with it; float32 caps at 80. Without the cap
    1/(1 + exp(x)) is 0 for large x but its gradient, inf/inf, is not a number.
    """
    return jnp.exp(jnp.minimum(x, 700.0 if jnp.result_type(x) == jnp.float64 else 80.0))


def guarded(taken: Value, branch: Callable[..., Any], *args: Value) -> Any:
    """branch(*args), whose derivative is zero wherever `taken` is false.

    `where(taken, branch(x), other(x))` has the right value, but its gradient is 0 * inf = NaN at points where the
    branch that is not taken is singular (the 0/0 that an IF in NMODL avoids). Masking the branch's own partial
    derivatives cures that for any branch, and at every order of differentiation.

    `branch` is elementwise, returns one value or a tuple of values, and closes over no traced value. What it returns
    gets the shape of `taken` and all arguments together: its derivative has that shape, whatever the branch depends on.
    """
    if all(isinstance(arg, int | float) for arg in args):  # nothing to differentiate
        return branch(*args)
    numbers = [isinstance(arg, int | float) for arg in args]

    def call(*arrays: Array) -> Any:
        rest = iter(arrays)
        return branch(*(arg if number else next(rest) for arg, number in zip(args, numbers, strict=True)))

    return _guarded(call, taken, *(arg for arg, number in zip(args, numbers, strict=True) if not number))


def _guarded(call: Callable[..., Any], taken: Array, *arrays: Array) -> Any:
    @jax.custom_jvp
    def masked(taken: Array, *arrays: Array) -> Any:
        shape = jnp.broadcast_shapes(jnp.shape(taken), *(jnp.shape(a) for a in arrays))
        dtype = jnp.result_type(*arrays)
        return jax.tree.map(lambda x: jnp.broadcast_to(jnp.asarray(x, dtype), shape), call(*arrays))

    def rule(primals: tuple[Array, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
        taken, *arrays = primals
        out = _guarded(call, taken, *arrays)  # guarded again, for the next order
        total = jax.tree.map(jnp.zeros_like, out)
        for index, tangent in enumerate(tangents[1:]):
            if type(tangent) is jax.custom_derivatives.SymbolicZero:
                continue

            def partial(*arrays: Array, index: int = index) -> Any:
                shape = jnp.broadcast_shapes(*(jnp.shape(a) for a in arrays))
                x = jnp.broadcast_to(arrays[index], shape)
                along = lambda x: call(*arrays[:index], x, *arrays[index + 1 :])  # noqa: E731
                return jax.jvp(along, (x,), (jnp.ones_like(x),))[1]

            slope = _guarded(partial, taken, *arrays)
            total = jax.tree.map(lambda t, d, dx=tangent: t + jnp.where(taken, d, 0.0) * dx, total, slope)
        return out, total

    masked.defjvp(rule, symbolic_zeros=True)
    return masked(taken, *arrays)


@jax.custom_jvp
def quotient(x: Value, y: Value) -> Array:
    """x / y where both may be huge, as in (1 + a*exp(z))/(1 + exp(z)).

    JAX's own derivative of a quotient has x dy and 1/y**2 in it: in float32 these are infinity and 0 for z > 44, and
    not a number together.
    """
    return x / y


@quotient.defjvp
def _quotient_slope(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (x, y), (dx, dy) = primals, tangents
    q = quotient(x, y)
    return q, (dx - q * dy) / y


def spread(x: Value, like: Value) -> Array:
    """x with the shape that it has together with `like`, in the floating type of both."""
    like = jnp.asarray(like)
    shape = jnp.broadcast_shapes(jnp.shape(x), like.shape)
    return jnp.broadcast_to(jnp.asarray(x, jnp.result_type(x, like)), shape)


def table(x: Sequence[float], y: Sequence[float]) -> Callable[[Value], Array]:
    """A FUNCTION_TABLE: linear between its points, constant outside."""

    def interpolated(at: Value) -> Array:
        at = jnp.asarray(at)
        dtype = at.dtype if jnp.issubdtype(at.dtype, jnp.floating) else jnp.result_type(float)
        return jnp.interp(at, jnp.asarray(x, dtype), jnp.asarray(y, dtype))

    return interpolated


def nrn_ghk(v: Value, inside: Value, outside: Value, valence: Value, celsius: Value) -> Array:
    """NEURON's Goldman-Hodgkin-Katz current per permeability, mC/cm3 (v in mV, concentrations in mM)."""
    faraday, gas = float.fromhex("0x1.78e555060882cp+16"), float.fromhex("0x1.0a1013e8990bep+3")
    x = jnp.asarray(valence * v / (1e3 * gas * (celsius + 273.15) / faraday))

    def efun(x: Array) -> Array:
        small = jnp.abs(x) < 1e-4
        safe = jnp.where(small, 1.0, x)
        return jnp.where(small, 1.0 - x / 2.0, safe / (exp(safe) - 1.0))

    return 0.001 * valence * faraday * (inside * efun(-x) - outside * efun(x))


# every name that generated code may use
NAMESPACE: dict[str, Any] = {
    "exp": exp,
    "guarded": guarded,
    "quotient": quotient,
    "spread": spread,
    "nrn_ghk": nrn_ghk,
    "backward_euler": backward_euler,
    "runge_kutta": runge_kutta,
    "kinetic_step": kinetic_step,
    "kinetic_steady_state": kinetic_steady_state,
    "where": jnp.where,
    "logical_and": jnp.logical_and,
    "logical_or": jnp.logical_or,
    "logical_not": jnp.logical_not,
    "power": jnp.power,
    "log": jnp.log,
    "log10": jnp.log10,
    "sqrt": jnp.sqrt,
    "fabs": jnp.abs,
    "sin": jnp.sin,
    "cos": jnp.cos,
    "tan": jnp.tan,
    "asin": jnp.arcsin,
    "acos": jnp.arccos,
    "atan": jnp.arctan,
    "sinh": jnp.sinh,
    "cosh": jnp.cosh,
    "tanh": jnp.tanh,
    "floor": jnp.floor,
    "ceil": jnp.ceil,
    "fmin": jnp.minimum,
    "fmax": jnp.maximum,
    "fmod": jnp.fmod,
    "atan2": jnp.arctan2,
}
