"""Python text for flat blocks, with the file's own names."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable

from ketune.mechanisms._flow import Flattener, prune, written
from ketune.mechanisms._linear import names_in
from ketune.mechanisms._syntax import Assign, Bin, Body, Call, Expr, If, Neg, Newton, Not, Num, Var

_PRECEDENCE = {
    "||": 0,
    "&&": 0,
    "<": 1,
    ">": 1,
    "<=": 1,
    ">=": 1,
    "==": 1,
    "!=": 1,
    "+": 2,
    "-": 2,
    "*": 3,
    "/": 3,
}
_TEMPORARY = ("test", "then", "otherwise", "rates", "reactions")
_UNARY, _POWER, _ATOM = 4, 5, 6
_COMPARISONS = frozenset(("<", ">", "<=", ">=", "==", "!="))
_BOOLEAN = {"&&": "logical_and", "||": "logical_or"}
_RENAMED_CALLS = {"abs": "fabs", "pow": "power"}
STEADY_STEP_ms = 1e9
"""The step by which NEURON's `STEADYSTATE sparse` reaches the steady state."""
FUNCTIONS = (
    "derived",
    "init",
    "currents_by_name",
    "conductance",
    "ion_conductances",
    "remember",
    "advance",
    "event_jump",
    "event_weight",
    "init_connection",
    "net_receive",
)


class Emitter:
    """Writes expressions and flat bodies as Python; `taken` are the names that the generated module needs itself."""

    def __init__(self, flattener: Flattener, taken: set[str]) -> None:
        self.flattener = flattener
        self.taken = taken | set(FUNCTIONS) | {"s", "p", "c"}
        self._branches = 0
        self._words = set(re.findall(r"\w+", flattener.source.text))  # names of the file, locals too
        self._aliases: dict[str, str] = {}

    def name(self, name: str) -> str:
        """The file's name, with an underscore where Python or the generated module already uses it."""
        if name in self.taken or keyword.iskeyword(name):
            return self._unused(f"{name}_")
        return name

    def _unused(self, name: str) -> str:
        while name in self._words or name in self.taken:
            name += "_"
        return name

    def _next(self) -> int:
        """A number that no temporary name has had, here or in the file."""
        self._branches += 1
        while any(f"{prefix}_{self._branches}" in self._words for prefix in _TEMPORARY):
            self._branches += 1
        return self._branches

    def function(self, name: str) -> list[str]:
        """The lines of one FUNCTION."""
        flat = self.flattener.functions[name]
        arguments = ", ".join(self.name(argument) for argument in (*flat.arguments, *flat.reads))
        result = self._unused(f"{name}_value")
        lines = self.body(flat.body, {name}, {*flat.arguments, *flat.reads}, aliases={name: result})
        return [f"def {self.name(name)}({arguments}):", *lines, f"    return {result}"]

    def body(
        self, body: Body, wanted: set[str], given: set[str], aliases: dict[str, str] | None = None
    ) -> list[str]:
        """The lines of a flat body whose `wanted` variables are used after it and whose `given` ones are set before."""
        self._aliases = aliases or {}
        body, needed = prune(body, wanted, self.flattener)
        unset = sorted(needed - given)  # locals that some path leaves unset
        start = [f"    {self._variable(name)} = 0.0" for name in unset]
        return start + self._lines(body, wanted, "    ")

    def _variable(self, name: str) -> str:
        return self._aliases.get(name) or self.name(name)

    def _lines(self, body: Body, wanted: set[str], indent: str) -> list[str]:
        lines: list[str] = []
        for index, statement in enumerate(body):
            if isinstance(statement, Assign):
                lines.append(
                    f"{indent}{self._variable(statement.target)} = {self.expression(statement.value)}"
                )
            elif isinstance(statement, Newton):
                lines += self._newton(statement, indent)
            else:
                assert isinstance(statement, If)
                _, live = prune(body[index + 1 :], wanted, self.flattener)
                lines += self._if(statement, written((statement,)) & live, indent)
        return lines

    def _newton(self, step: Newton, indent: str) -> list[str]:
        """A function for the equations, and the call that solves them."""
        number = self._next()
        body, needed = prune(step.body, set(step.results), self.flattener)
        known = written(body)
        given = sorted(needed - set(step.states) - (known - self.flattener.known))
        unset = sorted(needed - set(step.states) - set(given))
        label = f"{'rates' if step.jacobian is None else 'reactions'}_{number}"
        name = self._variable
        arguments = ", ".join(map(name, (*step.states, *given)))
        lines = [f"\n{indent}def {label}({arguments}):"]
        lines += [f"{indent}    {name(x)} = 0.0" for x in unset]
        lines += self._lines(body, set(step.results), indent + "    ")
        rates = _tuple(map(name, step.rates))
        states, values = _tuple(map(name, step.states)), _tuple(map(name, given))
        targets = ", ".join(map(name, step.states)) + ("," if len(step.states) == 1 else "")
        size = self.expression(step.step)
        if step.jacobian is None:
            lines.append(f"{indent}    return {rates}\n")
            method = "runge_kutta" if step.explicit else "backward_euler"
            return [*lines, f"{indent}{targets} = {method}({label}, {states}, {values}, {size})"]
        jacobian = ", ".join(f"({i}, {j}): {name(entry)}" for (i, j), entry in step.jacobian)
        volumes = _tuple(name(x) if x else "None" for x in step.volumes)
        totals = ", ".join(f"{row}: {name(total)}" for row, (total, _) in step.conserved)
        lines.append(f"{indent}    jacobian = {{{jacobian}}}")
        lines.append(f"{indent}    return {rates}, jacobian, {volumes}, {{{totals}}}\n")
        conserved = ", ".join(f"{row}: {coefficients}" for row, (_, coefficients) in step.conserved)
        options = f"linear={step.linear}, conserved={{{conserved}}}"
        if isinstance(step.step, Num) and step.step.value == STEADY_STEP_ms:
            call = f"kinetic_steady_state({label}, {states}, {values}, {options})"
        else:
            call = f"kinetic_step({label}, {states}, {values}, {size}, {options})"
        return [*lines, f"{indent}{targets} = {call}"]

    def _if(self, statement: If, outputs: set[str], indent: str) -> list[str]:
        """Both branches are evaluated, then chosen between: the code has to work on arrays."""
        number, names = self._next(), sorted(outputs)
        test = f"test_{number}"
        lines = [f"{indent}{test} = {self.condition(statement.test)}"]
        chosen: list[list[str]] = []
        for label, branch, taken in (
            ("then", statement.then, test),
            ("otherwise", statement.otherwise, f"logical_not({test})"),
        ):
            branch, needed = prune(branch, outputs, self.flattener)
            values = _simple(branch, names)
            if values is not None:
                chosen.append([self._operand(value, 0) for value in values])
                continue
            arguments = [self._variable(name) for name in sorted(needed)]
            lines.append(f"\n{indent}def {label}_{number}({', '.join(arguments)}):")
            lines += self._lines(branch, outputs, indent + "    ")
            lines.append(f"{indent}    return {', '.join(self._variable(name) for name in names)}\n")
            call = f"guarded({', '.join([taken, f'{label}_{number}', *arguments])})"
            if len(names) == 1:
                chosen.append([call])
            else:
                results = [f"{self._variable(name)}_{label}_{number}" for name in names]
                lines.append(f"{indent}{', '.join(results)} = {call}")
                chosen.append(results)
        targets = ", ".join(self._variable(name) for name in names)
        choice = ", ".join(f"where({test}, {a}, {b})" for a, b in zip(*chosen, strict=True))
        return [*lines, f"{indent}{targets} = {choice}"]

    # expressions

    def condition(self, expr: Expr) -> str:
        """An expression used as a truth value."""
        if isinstance(expr, Not):
            return f"logical_not({self.condition(expr.arg)})"
        if isinstance(expr, Bin) and expr.op in _BOOLEAN:
            return f"{_BOOLEAN[expr.op]}({self.condition(expr.left)}, {self.condition(expr.right)})"
        if isinstance(expr, Bin) and expr.op in _COMPARISONS:
            return f"{self._operand(expr.left, 2)} {expr.op} {self._operand(expr.right, 2)}"
        return f"{self._operand(expr, 2)} != 0.0"

    def expression(self, expr: Expr) -> str:
        """An expression used as a number (a comparison is a truth value only where :meth:`condition` asks)."""
        return self._operand(expr, 0)

    def _operand(self, expr: Expr, level: int) -> str:
        text, own = self._text(expr)
        return f"({text})" if own < level else text

    def _text(self, expr: Expr) -> tuple[str, int]:
        """Python text and its precedence."""
        if isinstance(expr, Num):
            return _number(expr), _ATOM
        if isinstance(expr, Var):
            return self._variable(expr.name), _ATOM
        if isinstance(expr, Neg):
            return f"-{self._operand(expr.arg, _UNARY)}", _UNARY
        if isinstance(expr, Not) or (isinstance(expr, Bin) and expr.op in (*_BOOLEAN, *_COMPARISONS)):
            return f"where({self.condition(expr)}, 1.0, 0.0)", _ATOM
        if isinstance(expr, Call):
            return self._call(expr), _ATOM
        assert isinstance(expr, Bin)  # arrays are gone by now
        if expr.op == "^":
            return self._power(expr)
        if expr.op == "/" and _calls(expr.left) and _calls(expr.right):
            return f"quotient({self.expression(expr.left)}, {self.expression(expr.right)})", _ATOM
        own = _PRECEDENCE[expr.op]
        left, right = self._operand(expr.left, own), self._operand(expr.right, own + 1)
        return f"{left} {expr.op} {right}", own

    def _power(self, expr: Bin) -> tuple[str, int]:
        if isinstance(expr.right, Num) and expr.right.value == int(expr.right.value):
            return f"{self._operand(expr.left, _ATOM)} ** {int(expr.right.value)}", _POWER
        return f"power({self.expression(expr.left)}, {self.expression(expr.right)})", _ATOM

    def _call(self, expr: Call) -> str:
        arguments = [self.expression(arg) for arg in expr.args]
        if expr.name in self.flattener.source.functions:
            reads = self.flattener.functions[expr.name].reads
            return f"{self.name(expr.name)}({', '.join([*arguments, *map(self._variable, reads)])})"
        return f"{_RENAMED_CALLS.get(expr.name, expr.name)}({', '.join(arguments)})"


def _calls(expr: Expr) -> bool:
    """True where an expression calls a function, so that it may be huge."""
    if isinstance(expr, Bin):
        return _calls(expr.left) or _calls(expr.right)
    return isinstance(expr, Call) or (isinstance(expr, Neg | Not) and _calls(expr.arg))


def _tuple(items: Iterable[str]) -> str:
    items = list(items)
    return f"({', '.join(items)}{',' if len(items) == 1 else ''})"


def _number(number: Num) -> str:
    return number.text if any(c in number.text for c in ".eE") else f"{number.text}.0"


def _simple(branch: Body, names: list[str]) -> list[Expr] | None:
    """The value of every output where a branch is safe to evaluate anywhere (sums and products); else None.

    Outputs that the branch does not set keep their value.
    """
    values: dict[str, Expr] = {}
    for statement in branch:
        if not isinstance(statement, Assign) or not _safe(statement.value):
            return None
        if names_in(statement.value) & values.keys():
            return None
        values[statement.target] = statement.value
    return [values.get(name, Var(name)) for name in names]


def _safe(expr: Expr) -> bool:
    if isinstance(expr, Num | Var):
        return True
    if isinstance(expr, Neg):
        return _safe(expr.arg)
    if not isinstance(expr, Bin):
        return False
    if expr.op in ("/", "^"):
        by = expr.right.value if isinstance(expr.right, Num) else 0.0
        return _safe(expr.left) and by > 0 and (expr.op == "/" or by == int(by))
    return expr.op in ("+", "-", "*") and _safe(expr.left) and _safe(expr.right)
