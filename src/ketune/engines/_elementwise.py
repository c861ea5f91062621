"""Printing elementwise JAX functions as C++: no mechanism is written twice.

A mechanism's function is traced on scalars. Whatever follows from parameters alone is computed once, per compartment,
and becomes an array of constants; the rest becomes statements on one lane of one compartment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ketune._jax import jax, jnp

_BINARY = {"add": "+", "add_any": "+", "sub": "-", "mul": "*", "div": "/"}
_COMPARISON = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
_LOGIC = {"and": "&&", "or": "||"}
_CALLS = (
    "exp", "log", "log1p", "expm1", "tanh", "sinh", "cosh", "sin", "cos", "tan", "asin", "acos", "atan", "sqrt", "pow",
    "floor", "ceil",
)  # fmt: skip
_IDENTITIES = ("broadcast_in_dim", "reshape", "squeeze", "copy", "stop_gradient")
_INLINED = ("pjit", "jit", "custom_jvp_call", "custom_vjp_call", "closed_call", "remat", "checkpoint")
_LITERAL = re.compile(r"real\(([^()]+)\)")


class UnprintableError(Exception):
    """A primitive that has no C++ form here; the cell then runs under XLA."""


class Statements:
    """C++ statements of elementwise functions, and the constants of each compartment that they use."""

    def __init__(self) -> None:
        self.constants: list[np.ndarray] = []
        self._slot_of: dict[int, str] = {}
        self._names = 0

    def print(
        self,
        function: Callable[..., Any],
        varying: Sequence[str],
        parameters: dict[str, np.ndarray],
        dtype: np.dtype,
    ) -> tuple[list[str], list[str]]:
        """Statements that compute ``function(varying values, parameters)``, and expressions of its results.

        Parameters
        ----------
        function
            Takes a sequence of the varying values and a dictionary of parameters, returns a sequence.
        varying
            Names of C++ variables.
        parameters
            Values, one for each compartment.
        """
        scalar = jax.ShapeDtypeStruct((), dtype)
        names = sorted(parameters)
        closed = jax.make_jaxpr(lambda x, p: function(x, dict(zip(names, p, strict=True))))(
            [scalar] * len(varying), [scalar] * len(names)
        )
        values: list[Any] = [*varying, *(jnp.asarray(parameters[n], dtype) for n in names)]
        lines: list[str] = []
        results = self._walk(closed.jaxpr, list(closed.consts), values, lines)
        return lines, [self._expression(r) for r in results]

    def _walk(self, jaxpr: Any, consts: list[Any], arguments: list[Any], lines: list[str]) -> list[Any]:
        known: dict[Any, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
        known |= dict(zip(jaxpr.invars, arguments, strict=True))

        def value(atom: Any) -> Any:
            return atom.val if hasattr(atom, "val") else known[atom]

        for equation in jaxpr.eqns:
            inputs = [value(a) for a in equation.invars]
            name = equation.primitive.name
            if name in _INLINED:
                inner = equation.params.get("jaxpr") or equation.params["call_jaxpr"]
                body, more = (inner.jaxpr, inner.consts) if hasattr(inner, "jaxpr") else (inner, [])
                outputs = self._walk(body, list(more), inputs, lines)
            elif not any(isinstance(x, str) for x in inputs):
                outputs = self._evaluate(equation, inputs)
            else:
                kind = "bool" if equation.outvars[0].aval.dtype == np.bool_ else "real"
                self._names += 1
                variable = f"x{self._names}"
                expression = _print(equation, [self._expression(x) for x in inputs])
                lines.append(f"const {kind} {variable} = {expression};")
                outputs = [variable]
            known |= dict(zip(equation.outvars, outputs, strict=True))
        return [value(a) for a in jaxpr.outvars]

    def _evaluate(self, equation: Any, inputs: list[Any]) -> list[Any]:
        if equation.primitive.name in _IDENTITIES:
            return [inputs[0]]
        shape = jnp.broadcast_shapes(*(jnp.shape(x) for x in inputs)) if inputs else ()
        arrays = [
            jnp.broadcast_to(jnp.asarray(x, a.aval.dtype), shape)
            for x, a in zip(inputs, equation.invars, strict=True)
        ]
        result = equation.primitive.bind(*arrays, **equation.params)
        return list(result) if equation.primitive.multiple_results else [result]

    def _expression(self, x: Any) -> str:
        if isinstance(x, str):
            return x
        array = np.asarray(x)
        if array.dtype != np.bool_ and not np.all(np.isfinite(array)):
            raise UnprintableError("a constant that is no finite number")
        if array.ndim == 0:
            number = array[()]
            if array.dtype == np.bool_:
                return "true" if number else "false"
            return f"real({float(number)!r})"
        if id(x) not in self._slot_of:
            self._slot_of[id(x)] = f"c[{len(self.constants)}]"
            self.constants.append(x)  # kept alive: its identity is the key
        return self._slot_of[id(x)] if array.dtype != np.bool_ else f"({self._slot_of[id(x)]} != 0)"


def _print(equation: Any, inputs: list[str]) -> str:
    name = equation.primitive.name
    if name == "div" and (divisor := _LITERAL.fullmatch(inputs[1])) and float(divisor[1]) != 0.0:
        # Vectors divide several times slower than they multiply.
        return f"{inputs[0]} * real({1.0 / float(divisor[1])!r})"
    if name in _BINARY:
        return f"{inputs[0]} {_BINARY[name]} {inputs[1]}"
    if name in _COMPARISON:
        return f"{inputs[0]} {_COMPARISON[name]} {inputs[1]}"
    if name in _LOGIC:
        return f"{inputs[0]} {_LOGIC[name]} {inputs[1]}"
    if name == "not":
        return f"!{inputs[0]}"
    if name == "neg":
        return f"-{inputs[0]}"
    if name == "abs":
        return f"{inputs[0]} < 0 ? -{inputs[0]} : {inputs[0]}"
    if name in ("max", "min"):
        return f"{inputs[0]} {'>' if name == 'max' else '<'} {inputs[1]} ? {inputs[0]} : {inputs[1]}"
    if name == "square":
        return f"{inputs[0]} * {inputs[0]}"
    if name == "integer_pow":
        return _power(inputs[0], equation.params["y"])
    if name == "logistic":
        return f"real(1) / (real(1) + exp_(-{inputs[0]}))"
    if name == "select_n" and len(inputs) == 3:
        return f"{inputs[0]} ? {inputs[2]} : {inputs[1]}"
    if name in _IDENTITIES:
        return inputs[0]
    if name == "convert_element_type":
        dtype = equation.outvars[0].aval.dtype
        if np.issubdtype(dtype, np.integer):
            raise UnprintableError("conversion to a whole number")
        to_bool = dtype == np.bool_
        return f"{inputs[0]} != 0" if to_bool else f"real({inputs[0]})"
    if name in _CALLS:
        return f"{name}_({', '.join(inputs)})"
    raise UnprintableError(name)


def _power(x: str, exponent: int) -> str:
    if exponent < 0:
        return f"real(1) / ({_power(x, -exponent)})"
    if exponent == 0:
        return "real(1)"
    if exponent % 2:
        return " * ".join([x] * exponent)
    half = " * ".join([x] * (exponent // 2))
    return f"({half}) * ({half})"
