"""A mechanism's function taken apart for the kernel: constants, rates of the voltage alone, and the rest.

A traced function of the voltage, other varying values and parameters falls into three parts, each again a pure JAX
function that can be differentiated. *Constants* follow from parameters alone and are computed once for a run. *Rates*
need the voltage and constants only, and something as costly as an exponential: a kernel may take them from a table, and
their derivative with respect to the voltage is one number whatever hangs on them. The *rest* is arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ketune._jax import jax, jnp

INLINED = ("pjit", "jit", "closed_call", "remat", "checkpoint", "core_call")
_COSTLY = frozenset(
    "exp exp2 log log1p expm1 tanh sinh cosh sin cos tan asin acos atan atan2 sqrt rsqrt cbrt pow logistic div rem "
    "custom_jvp_call custom_vjp_call while scan cond".split()
)

Traced = Any


@dataclass(frozen=True, eq=False)
class Program:
    """The three parts of a function ``f(v, x, p)``.

    Attributes
    ----------
    constants
        Parameters (one value each) to the constants.
    rates
        ``(v, constants) -> rates``.
    rest
        ``(v, x, rates, constants) -> results``.
    in_rates
        For each constant, whether a rate depends on it.
    of_parameter
        For each constant, the parameters that it follows from.
    without
        The same function with some rates (by number) computed in the rest, from what they are computed from: for rates
        that are not smooth, such as a time constant with a lower limit.
    """

    n_constants: int
    n_rates: int
    constants: Callable[[dict[str, Traced]], list[Traced]]
    rates: Callable[[Traced, Sequence[Traced]], list[Traced]]
    rest: Callable[[Traced, Sequence[Traced], Sequence[Traced], Sequence[Traced]], list[Traced]]
    in_rates: tuple[bool, ...]
    of_parameter: tuple[frozenset[str], ...]
    without: Callable[[Collection[int]], Program]


def program(
    function: Callable[[Traced, Sequence[Traced], dict[str, Traced]], Sequence[Traced]],
    n_varying: int,
    parameters: Sequence[str],
    dtype: np.dtype,
) -> Program:
    """Take a function of scalars apart.

    Parameters
    ----------
    function
        ``(v, x, p) -> results`` with ``n_varying`` values ``x`` and a dictionary ``p`` of the named parameters.
    dtype
        Of every number.
    """
    scalar = jax.ShapeDtypeStruct((), dtype)
    names = list(parameters)

    def flat(v: Traced, x: Sequence[Traced], p: Sequence[Traced]) -> list[Traced]:
        results = function(v, x, dict(zip(names, p, strict=True)))
        return [jnp.asarray(r, dtype) for r in results]

    closed = jax.make_jaxpr(flat)(scalar, [scalar] * n_varying, [scalar] * len(names))
    closed = jax.make_jaxpr(lambda *a: _inlined(closed.jaxpr, closed.consts, a))(
        *[scalar] * (1 + n_varying + len(names))
    )
    return _Cut(closed, n_varying, names, frozenset()).program()


def _inlined(jaxpr: Any, consts: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
    """The jaxpr evaluated without calls of other jaxprs, but for those that bring their own derivative."""
    known: dict[Any, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
    known |= dict(zip(jaxpr.invars, arguments, strict=True))
    for equation in jaxpr.eqns:
        inputs = [_value(a, known) for a in equation.invars]
        if equation.primitive.name in INLINED:
            inner = equation.params.get("jaxpr") or equation.params["call_jaxpr"]
            body, more = (inner.jaxpr, inner.consts) if hasattr(inner, "jaxpr") else (inner, [])
            outputs = _inlined(body, more, inputs)
        else:
            outputs = _bound(equation, inputs)
        known |= dict(zip(equation.outvars, outputs, strict=True))
    return [_value(a, known) for a in jaxpr.outvars]


def _value(atom: Any, known: dict[Any, Any]) -> Any:
    return atom.val if hasattr(atom, "val") else known[atom]


def _bound(equation: Any, inputs: Sequence[Any]) -> list[Any]:
    found = equation.primitive.get_bind_params(equation.params)
    functions, params = (
        found if isinstance(found, tuple) else ((), found)
    )  # older JAX gives the functions apart
    result = equation.primitive.bind(*functions, *inputs, **params)
    return list(result) if equation.primitive.multiple_results else [result]


class _Cut:
    """Which equations belong to which part."""

    def __init__(self, closed: Any, n_varying: int, names: list[str], in_rest: frozenset[Any]) -> None:
        self.closed, self.jaxpr, self.names, self.n_varying = closed, closed.jaxpr, names, n_varying
        self.in_rest = in_rest
        self.consts = dict(zip(self.jaxpr.constvars, closed.consts, strict=True))
        self.v, *rest = self.jaxpr.invars
        self.x, self.p = rest[:n_varying], rest[n_varying:]
        self.level: dict[Any, str] = dict.fromkeys(self.jaxpr.constvars, "constant")
        self.level |= {
            self.v: "voltage",
            **dict.fromkeys(self.x, "rest"),
            **dict.fromkeys(self.p, "constant"),
        }
        for equation in self.jaxpr.eqns:
            self.level |= dict.fromkeys(equation.outvars, self._level(equation))

    def _level(self, equation: Any) -> str:
        """Constant; voltage (cheap to compute from it); rate (costly, from the voltage); or rest."""
        variables = [a for a in equation.invars if not hasattr(a, "val")]
        levels = {self.level[a] for a in variables}
        if "rest" in levels or self.in_rest.intersection(equation.outvars):
            return "rest"
        if not levels - {"constant"}:
            return "constant"
        divides_by_constant = (
            equation.primitive.name == "div"
            and self.level.get(
                equation.invars[1] if not hasattr(equation.invars[1], "val") else None, "constant"
            )
            == "constant"
        )
        costly = equation.primitive.name in _COSTLY and not divides_by_constant
        return "rate" if costly or "rate" in levels else "voltage"

    def program(self) -> Program:
        in_rest = [e for e in self.jaxpr.eqns if self.level[e.outvars[0]] == "rest"]
        results = [a for a in self.jaxpr.outvars if not hasattr(a, "val")]
        used = [a for e in in_rest for a in e.invars if not hasattr(a, "val")] + results
        rates = _unique(a for a in used if self.level[a] == "rate")
        if conditions := [a for a in rates if a.aval.dtype == np.bool_]:
            return self._without(conditions)
        computed_in_rates = self._needed(rates, {"rate", "voltage"})
        computed_in_rest = self._needed(_unique(used), {"rest", "voltage"})
        constants = _unique(
            a
            for a in self._inputs(computed_in_rates) + self._inputs(computed_in_rest) + results
            if self.level[a] == "constant" and a not in self.consts
        )
        first = self._needed(constants, {"constant"})
        used_in_rates = set(self._inputs(computed_in_rates))

        def known(v: Traced, x: Sequence[Traced], f: Sequence[Traced], c: Sequence[Traced]) -> dict[Any, Any]:
            given = {self.v: v, **dict(zip(self.x, x, strict=False)), **dict(zip(rates, f, strict=False))}
            # conditions are kept as numbers, as all constants are
            held = {a: x != 0 if a.aval.dtype == np.bool_ else x for a, x in zip(constants, c, strict=True)}
            return self.consts | given | held

        def run(equations: list[Any], env: dict[Any, Any], wanted: Sequence[Any]) -> list[Any]:
            for e in equations:
                env |= dict(zip(e.outvars, _bound(e, [_value(a, env) for a in e.invars]), strict=True))
            return [_value(a, env) for a in wanted]

        return Program(
            n_constants=len(constants),
            n_rates=len(rates),
            constants=lambda p: run(
                first, self.consts | {a: p[n] for a, n in zip(self.p, self.names, strict=True)}, constants
            ),
            rates=lambda v, c: run(computed_in_rates, known(v, (), (), c), rates),
            rest=lambda v, x, f, c: run(computed_in_rest, known(v, x, f, c), self.jaxpr.outvars),
            in_rates=tuple(c in used_in_rates for c in constants),
            of_parameter=tuple(self._origins(c) for c in constants),
            without=lambda numbers: self._without([rates[k] for k in numbers]),
        )

    def _without(self, rates: Collection[Any]) -> Program:
        return _Cut(self.closed, self.n_varying, self.names, self.in_rest.union(rates)).program()

    def _needed(self, wanted: Sequence[Any], levels: set[str]) -> list[Any]:
        """The equations of these levels that the wanted variables need, in their order."""
        needed, kept = set(wanted), []
        for e in reversed(self.jaxpr.eqns):
            if needed.intersection(e.outvars) and self.level[e.outvars[0]] in levels:
                kept.append(e)
                needed.update(a for a in e.invars if not hasattr(a, "val"))
        return kept[::-1]

    def _inputs(self, equations: list[Any]) -> list[Any]:
        return [a for e in equations for a in e.invars if not hasattr(a, "val")]

    def _origins(self, constant: Any) -> frozenset[str]:
        needed = {constant, *self._inputs(self._needed([constant], {"constant"}))}
        return frozenset(n for a, n in zip(self.p, self.names, strict=True) if a in needed)


def _unique(variables: Any) -> list[Any]:
    return list(dict.fromkeys(variables))
