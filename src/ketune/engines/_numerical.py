"""Evaluating traced elementwise functions with NumPy: what runs once or twice is not worth compiling with XLA."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ketune._jax import jax, jnp
from ketune.engines._program import INLINED

_UFUNCS: dict[str, Callable[..., Any]] = {
    "add": np.add, "add_any": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "neg": np.negative,
    "exp": np.exp, "exp2": np.exp2, "log": np.log, "log1p": np.log1p, "expm1": np.expm1, "tanh": np.tanh,
    "sinh": np.sinh, "cosh": np.cosh, "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin,
    "acos": np.arccos, "atan": np.arctan, "atan2": np.arctan2, "sqrt": np.sqrt, "pow": np.power, "max": np.maximum,
    "min": np.minimum, "abs": np.abs, "sign": np.sign, "floor": np.floor, "ceil": np.ceil, "rem": np.fmod,
    "square": np.square, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
    "eq": np.equal, "ne": np.not_equal, "and": np.logical_and, "or": np.logical_or, "not": np.logical_not,
    "is_finite": np.isfinite,
}  # fmt: skip
_SAME = frozenset("broadcast_in_dim reshape squeeze copy copy_p stop_gradient".split())


class UnknownError(Exception):
    """A primitive that has no NumPy form here."""


def elementwise(
    function: Callable[[list[Any]], Sequence[Any]], n: int
) -> Callable[[Sequence[np.ndarray]], list[np.ndarray]]:
    """The function of ``n`` scalars at every element of arrays that broadcast against each other, in float64.

    Traced once, here.
    """
    closed = jax.make_jaxpr(function)([jax.ShapeDtypeStruct((), np.float64)] * n)

    def evaluate(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        given = [np.asarray(x, np.float64) for x in arrays]
        try:
            with np.errstate(all="ignore"):
                results = _evaluated(closed.jaxpr, closed.consts, given)
        except UnknownError:
            shape = np.broadcast_shapes(*(x.shape for x in given))
            flat = [jnp.asarray(np.broadcast_to(x, shape).ravel()) for x in given]
            found = jax.vmap(lambda *x: tuple(function(list(x))))(*flat)
            results = [np.asarray(r).reshape(shape) for r in found]
        return [np.asarray(r, np.float64) for r in results]

    return evaluate


def applied(equation: Any, inputs: Sequence[Any]) -> list[Any]:
    """One equation of scalars, at every element of its inputs.

    Raises
    ------
    UnknownError
        It has no NumPy form here.
    """
    name = equation.primitive.name
    if name in INLINED or name in ("custom_jvp_call", "custom_vjp_call"):
        inner = equation.params.get("jaxpr") or equation.params["call_jaxpr"]
        body, consts = (inner.jaxpr, inner.consts) if hasattr(inner, "jaxpr") else (inner, [])
        return _evaluated(body, consts, inputs)
    if name in _SAME:
        return [inputs[0]]
    if name in _UFUNCS:
        return [_UFUNCS[name](*inputs)]
    if name == "integer_pow":
        return [np.power(inputs[0], float(equation.params["y"]))]
    if name == "logistic":
        return [1.0 / (1.0 + np.exp(-np.asarray(inputs[0])))]
    if name == "rsqrt":
        return [1.0 / np.sqrt(inputs[0])]
    if name == "clamp":
        return [np.clip(inputs[1], inputs[0], inputs[2])]
    if name == "select_n" and len(inputs) == 3:
        return [np.where(inputs[0], inputs[2], inputs[1])]
    if name == "convert_element_type":
        return [np.asarray(inputs[0]).astype(equation.params["new_dtype"])]
    raise UnknownError(name)


def _evaluated(jaxpr: Any, consts: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
    known: dict[Any, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
    known |= dict(zip(jaxpr.invars, arguments, strict=True))
    for equation in jaxpr.eqns:
        inputs = [a.val if hasattr(a, "val") else known[a] for a in equation.invars]
        known |= dict(zip(equation.outvars, applied(equation, inputs), strict=True))
    return [a.val if hasattr(a, "val") else known[a] for a in jaxpr.outvars]
