"""Printing elementwise JAX functions as C++ on vectors of lanes: no mechanism is written twice.

A function is traced on scalars. Whatever follows from its constants alone is computed here, for every compartment, and
becomes a constant of the kernel; the rest becomes statements.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ketune._jax import jax
from ketune.engines._numerical import UnknownError, applied
from ketune.engines._program import INLINED

_BINARY = {"add": "+", "add_any": "+", "sub": "-", "mul": "*"}
_COMPARISON = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
_LOGIC = {"and": "&", "or": "|"}
_CALLS = frozenset(
    "exp log log1p expm1 tanh sinh cosh sin cos tan asin acos atan sqrt floor ceil abs pow atan2 rem max min".split()
)
_IDENTITIES = frozenset("broadcast_in_dim reshape squeeze copy copy_p stop_gradient".split())
_INLINED = frozenset((*INLINED, "custom_jvp_call", "custom_vjp_call"))


class UnprintableError(Exception):
    """A primitive that has no C++ form here; the cell then runs under XLA."""


class Statements:
    """C++ statements of elementwise functions, and the constants that they use.

    Attributes
    ----------
    constants
        One value for each row, ``(rows, 1)``: ``c[0]``, ``c[1]``, ... in the statements.
    by_lane
        Those that differ between lanes, ``(rows, lanes)``: ``by_lane[0]``, ...
    """

    def __init__(self) -> None:
        self.constants: list[np.ndarray] = []
        self.by_lane: list[np.ndarray] = []
        self._slot_of: dict[int, str] = {}
        self._kept: list[
            Any
        ] = []  # an object's identity is its key: equal numbers must not change the source
        self._names = 0

    def print(
        self,
        function: Callable[[list[Any], list[Any]], Sequence[Any]] | Any,
        varying: Sequence[str],
        constants: Sequence[np.ndarray],
    ) -> tuple[list[str], list[str]]:
        """Statements that compute ``function(varying, constants)``, and expressions (vectors) of its results.

        Parameters
        ----------
        function
            Itself, or as :func:`traced` returns it.
        varying
            Names of C++ vectors.
        constants
            ``(rows, 1)`` or ``(rows, lanes)`` each, float64.
        """
        closed = traced(function, len(varying), len(constants)) if callable(function) else function
        values: list[Any] = [*varying, *constants]
        lines: list[str] = []
        results = self._walk(closed.jaxpr, list(closed.consts), values, lines)
        return lines, [self.vector(r) for r in results]

    def _walk(
        self,
        jaxpr: Any,
        consts: list[Any],
        arguments: list[Any],
        lines: list[str],
        wanted: Sequence[Any] | None = None,
    ) -> list[Any]:
        """The jaxpr's results, or those wanted."""
        wanted = jaxpr.outvars if wanted is None else wanted
        known: dict[Any, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
        known |= dict(zip(jaxpr.invars, arguments, strict=True))
        needed = _needed(jaxpr, wanted)

        def value(atom: Any) -> Any:
            return atom.val if hasattr(atom, "val") else known[atom]

        for equation in jaxpr.eqns:
            if not needed.intersection(equation.outvars):
                continue
            inputs = [value(a) for a in equation.invars]
            name = equation.primitive.name
            if name in _INLINED:
                inner = equation.params.get("jaxpr") or equation.params["call_jaxpr"]
                body, more = (inner.jaxpr, inner.consts) if hasattr(inner, "jaxpr") else (inner, [])
                outputs = self._walk(body, list(more), inputs, lines)
            elif not any(isinstance(x, str) for x in inputs):
                outputs = _evaluated(equation, inputs)
            elif name in _IDENTITIES:
                outputs = [inputs[0]]
            elif name == "scan":
                outputs = self._loop(equation, inputs, lines)
            elif name == "mul" and any(_is_number(x, 0.0) for x in inputs):
                outputs = [np.float64(0.0)]
            elif (same := _unchanged(name, inputs)) is not None:
                outputs = [same]
            else:
                kind = "N" if equation.outvars[0].aval.dtype == np.bool_ else "V"
                expression = self._expression(equation, inputs)
                self._names += 1
                variable = f"x{self._names}"
                lines.append(f"const {kind} {variable} = {expression};")
                outputs = [variable]
            known |= dict(zip(equation.outvars, outputs, strict=True))
        return [value(a) for a in wanted]

    def _loop(self, equation: Any, inputs: list[Any], lines: list[str]) -> list[Any]:
        """A loop of fixed length (an iteration of Newton's method); what is carried around are vectors and masks."""
        body, n_consts, length = (equation.params[k] for k in ("jaxpr", "num_consts", "length"))
        n = equation.params["num_carry"]
        if len(inputs) != n_consts + n or len(equation.outvars) != n:
            raise UnprintableError("a loop over arrays")
        carried = body.jaxpr.invars[n_consts:]
        counts = [np.issubdtype(a.aval.dtype, np.integer) for a in carried]
        kept = [k for k, is_count in enumerate(counts) if not is_count]
        wanted = [body.jaxpr.outvars[k] for k in kept]
        if _needed(body.jaxpr, wanted).intersection(
            a for a, is_count in zip(carried, counts, strict=True) if is_count
        ):
            raise UnprintableError("a loop that counts")
        names = [f"x{self._names + 1 + k}" for k in range(n)]
        self._names += n
        kinds = ["N" if a.aval.dtype == np.bool_ else "V" for a in carried]
        forms = {k: self.mask if kinds[k] == "N" else self.vector for k in kept}
        lines += [f"{kinds[k]} {names[k]} = {forms[k](inputs[n_consts + k])};" for k in kept]
        arguments = [
            *inputs[:n_consts],
            *(None if is_count else x for x, is_count in zip(names, counts, strict=True)),
        ]
        own: list[str] = []
        results = self._walk(body.jaxpr, list(body.consts), arguments, own, wanted)
        new = [
            f"const {kinds[k]} new_{names[k]} = {forms[k](x)};" for k, x in zip(kept, results, strict=True)
        ]
        lines.append(f"for (int i_ = 0; i_ < {length}; ++i_) {{")
        lines += [f"    {line}" for line in (*own, *new, *(f"{names[k]} = new_{names[k]};" for k in kept))]
        lines.append("}")
        return [None if is_count else x for x, is_count in zip(names, counts, strict=True)]

    def _expression(self, equation: Any, inputs: list[Any]) -> str:
        name = equation.primitive.name
        if name in _BINARY:
            return f"{self.operand(inputs[0])} {_BINARY[name]} {self.operand(inputs[1])}"
        if name == "div":
            if not isinstance(inputs[1], str):
                with np.errstate(divide="ignore"):
                    inverse = 1.0 / np.asarray(inputs[1], np.float64)
                if np.all(np.isfinite(inverse)):  # vectors divide several times slower than they multiply
                    return f"{self.operand(inputs[0])} * {self.operand(inverse)}"
            return f"div_({self.vector(inputs[0])}, {self.vector(inputs[1])})"
        if name in _COMPARISON:
            return f"({self.vector(inputs[0])} {_COMPARISON[name]} {self.vector(inputs[1])})"
        if name in _LOGIC:
            return f"{self.mask(inputs[0])} {_LOGIC[name]} {self.mask(inputs[1])}"
        if name == "not":
            return f"~{self.mask(inputs[0])}"
        if name == "neg":
            return f"-{inputs[0]}"
        if name == "square":
            return f"{inputs[0]} * {inputs[0]}"
        if name == "integer_pow":
            return _power(inputs[0], equation.params["y"])
        if name == "logistic":
            return f"inverse(real(1) + exp_(-{inputs[0]}))"
        if name == "sign":
            x = inputs[0]
            return f"choose({x} > splat(0), splat(1), choose({x} < splat(0), splat(-1), {x}))"
        if name == "clamp":
            low, x, high = (self.vector(x) for x in inputs)
            return f"min_(max_({x}, {low}), {high})"
        if name == "is_finite":
            return f"(abs_({inputs[0]}) <= splat(std::numeric_limits<real>::max()))"
        if name == "select_n" and len(inputs) == 3:
            otherwise, then = (self._either(x, equation) for x in inputs[1:])
            return f"choose({self.mask(inputs[0])}, {then}, {otherwise})"
        if name == "convert_element_type":
            dtype = equation.outvars[0].aval.dtype
            if equation.invars[0].aval.dtype == np.bool_ and np.issubdtype(dtype, np.floating):
                return f"choose({inputs[0]}, splat(1), splat(0))"
            if np.issubdtype(dtype, np.floating):
                return str(inputs[0])
            raise UnprintableError(f"a conversion to {dtype}")
        if name in _CALLS:
            return f"{name}_({', '.join(self.vector(x) for x in inputs)})"
        raise UnprintableError(f"the operation '{name}'")

    def _either(self, x: Any, equation: Any) -> str:
        return self.mask(x) if equation.outvars[0].aval.dtype == np.bool_ else self.vector(x)

    def vector(self, x: Any) -> str:
        """An expression whose type is a vector."""
        return x if isinstance(x, str) and not x.startswith("c[") else f"splat({self.operand(x)})"

    def mask(self, x: Any) -> str:
        """An expression whose type is a mask."""
        if isinstance(x, str):
            return x
        return f"({self.vector(np.asarray(x, np.float64))} != splat(0))"

    def operand(self, x: Any) -> str:
        """A vector or a number."""
        if isinstance(x, str):
            return x
        array = np.asarray(x, np.float64)
        if array.ndim == 0:
            if not np.isfinite(array):
                raise UnprintableError("a constant that is no finite number")
            return f"real({float(array)!r})"
        if id(x) not in self._slot_of:
            held, name = (self.by_lane, "by_lane") if array.shape[1] > 1 else (self.constants, "c")
            self._slot_of[id(x)] = f"{name}[{len(held)}]"
            held.append(array)
            self._kept.append(x)
        return self._slot_of[id(x)]


def traced(
    function: Callable[[list[Any], list[Any]], Sequence[Any]], n_varying: int, n_constants: int
) -> Any:
    """The function of scalars as a jaxpr: tracing takes longer than printing."""
    scalar = jax.ShapeDtypeStruct((), np.float64)
    return jax.make_jaxpr(function)([scalar] * n_varying, [scalar] * n_constants)


def _needed(jaxpr: Any, wanted: Sequence[Any]) -> set[Any]:
    """Variables that the wanted results depend on."""
    needed = {a for a in wanted if not hasattr(a, "val")}
    for equation in reversed(jaxpr.eqns):
        if needed.intersection(equation.outvars):
            needed.update(a for a in equation.invars if not hasattr(a, "val"))
    return needed


def _evaluated(equation: Any, inputs: list[Any]) -> list[Any]:
    try:
        with np.errstate(all="ignore"):
            return applied(equation, inputs)
    except UnknownError as error:
        raise UnprintableError(f"the operation '{error}'") from None


def _is_number(x: Any, number: float) -> bool:
    return not isinstance(x, str) and np.ndim(x) == 0 and float(x) == number


def _unchanged(name: str, inputs: list[Any]) -> Any:
    """What a sum with 0 or a product with 1 is."""
    neutral = {"mul": 1.0, "add": 0.0, "add_any": 0.0}.get(name)
    if neutral is not None:
        for x, other in (inputs, inputs[::-1]):
            if _is_number(other, neutral):
                return x
    if name in ("sub", "div") and _is_number(inputs[1], 0.0 if name == "sub" else 1.0):
        return inputs[0]
    return None


def _power(x: str, exponent: int) -> str:
    if exponent < 0:
        return f"inverse({_power(x, -exponent)})"
    if exponent == 0:
        return "splat(1)"
    if exponent % 2:
        return " * ".join([x] * exponent)
    half = " * ".join([x] * (exponent // 2))
    return f"({half}) * ({half})"
