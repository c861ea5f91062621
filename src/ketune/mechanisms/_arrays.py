"""Arrays and FROM loops, unrolled: every element becomes a variable of its own, every loop its statements in a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ketune.mechanisms import _syntax as s

_MOST_STATEMENTS = 20_000

Bound = Mapping[str, int]


def element(name: str, index: int) -> str:
    """The variable that stands for `name[index]`."""
    return f"{name}_{index}"


def unroll(source: s.Source) -> s.Source:
    """The same file without arrays and loops.

    Raises:
        TranslationError: an index or a loop's limit that is not a number, or outside the array; an element's name that
            the file uses itself.
    """
    return _Unroller(source).source()


class _Unroller:
    def __init__(self, source: s.Source) -> None:
        self.file = source
        self.arrays = source.arrays
        self.count = 0
        taken = {*source.parameters, *source.states, *source.assigned, *source.constants, *source.functions}
        for name, size in self.arrays.items():
            for variable in (element(name, i) for i in range(size)):
                if variable in taken:
                    raise source.error(variable, f"is also what stands for an element of {name}[{size}]")

    def source(self) -> s.Source:
        file = self.file
        routine = lambda r: replace(  # noqa: E731
            r,
            body=self.body(r.body, {}),
            initial=None if r.initial is None else self.body(r.initial, {}),
        )
        parameters: dict[str, s.Parameter] = {}
        for name, parameter in file.parameters.items():
            for variable in self.names(name):
                parameters[variable] = replace(parameter, name=variable)
        return replace(
            file,
            parameters=parameters,
            states=self.all_names(file.states),
            starts={x: value for name, value in file.starts.items() for x in self.names(name)},
            assigned=self.all_names(file.assigned),
            ranges=frozenset(self.all_names(tuple(file.ranges))),
            globals=frozenset(self.all_names(tuple(file.globals))),
            private=frozenset(self.all_names(tuple(file.private))),
            initial=self.body(file.initial, {}),
            breakpoint=self.body(file.breakpoint, {}),
            derivatives={name: self.body(body, {}) for name, body in file.derivatives.items()},
            kinetics={name: self.body(body, {}) for name, body in file.kinetics.items()},
            procedures={name: routine(r) for name, r in file.procedures.items()},
            functions={name: routine(r) for name, r in file.functions.items()},
            net_receive=None if file.net_receive is None else routine(file.net_receive),
        )

    def names(self, name: str) -> tuple[str, ...]:
        """The variables that stand for one name."""
        if name in self.arrays:
            return tuple(element(name, i) for i in range(self.arrays[name]))
        return (name,)

    def all_names(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(x for name in names for x in self.names(name))

    def body(self, body: s.Body, bound: Bound) -> s.Body:
        """A body without loops; `bound` are the loops' variables around it."""
        statements: list[s.Statement] = []
        for statement in body:
            self.count += 1
            if self.count > _MOST_STATEMENTS:
                raise self.file.error(
                    "FROM", f"unrolled, the loops have more than {_MOST_STATEMENTS} statements"
                )
            if isinstance(statement, s.From):
                low, high = (self.number(x, bound, "FROM") for x in (statement.low, statement.high))
                for i in range(low, high + 1):
                    statements += self.body(statement.body, {**bound, statement.variable: i})
            elif isinstance(statement, s.Compartment):
                statements += self.compartments(statement, bound)
            else:
                statements.append(self.statement(statement, bound))
        return tuple(statements)

    def statement(self, statement: s.Statement, bound: Bound) -> s.Statement:
        if isinstance(statement, s.Assign):
            target = self.target(statement.target, statement.index, bound)
            return s.Assign(target, self.expression(statement.value, bound))
        if isinstance(statement, s.DiffEq):
            state = self.target(statement.state, statement.index, bound)
            return s.DiffEq(state, self.expression(statement.rate, bound))
        if isinstance(statement, s.If):
            test = self.expression(statement.test, bound)
            return s.If(test, self.body(statement.then, bound), self.body(statement.otherwise, bound))
        if isinstance(statement, s.CallStatement):
            call = self.expression(statement.call, bound)
            assert isinstance(call, s.Call)
            return s.CallStatement(call)
        if isinstance(statement, s.Local):
            return s.Local(self.all_names(statement.names))
        if isinstance(statement, s.Reaction):
            return replace(
                statement,
                left=self.terms(statement.left, bound),
                right=self.terms(statement.right, bound),
                forward=self.expression(statement.forward, bound),
                backward=None if statement.backward is None else self.expression(statement.backward, bound),
            )
        if isinstance(statement, s.Conserve):
            terms: list[tuple[int, s.Expr]] = []
            for coefficient, term in statement.terms:
                whole = isinstance(term, s.Var) and term.name in self.arrays
                parts = self.names(term.name) if whole and isinstance(term, s.Var) else None
                if parts is None:
                    terms.append((coefficient, self.expression(term, bound)))
                else:
                    terms += [(coefficient, s.Var(part)) for part in parts]
            return s.Conserve(tuple(terms), self.expression(statement.total, bound))
        return statement

    def compartments(self, statement: s.Compartment, bound: Bound) -> list[s.Compartment]:
        """With an index variable, one volume for each element."""
        if statement.index is None:
            volume = self.expression(statement.volume, bound)
            return [s.Compartment(None, volume, self.all_names(statement.states))]
        return [
            s.Compartment(None, self.expression(statement.volume, {**bound, statement.index: i}), (variable,))
            for state in statement.states
            for i, variable in enumerate(self.names(state))
        ]

    def terms(self, terms: s.Terms, bound: Bound) -> s.Terms:
        return tuple((coefficient, self.expression(term, bound)) for coefficient, term in terms)

    def target(self, name: str, index: s.Expr | None, bound: Bound) -> str:
        if index is None:
            if name in self.arrays:
                raise self.file.error(name, "is an array; an element of it has to be named", rf"\b{name}\s*=")
            return name
        return self.element(name, index, bound)

    def element(self, name: str, index: s.Expr, bound: Bound) -> str:
        if name not in self.arrays:
            raise self.file.error(name, "is not an array", rf"\b{name}\s*\[")
        i = self.number(index, bound, f"{name}[...]", rf"\b{name}\s*\[")
        if not 0 <= i < self.arrays[name]:
            message = f"{name}[{i}] lies outside the array of {self.arrays[name]}"
            raise self.file.error(name, message, rf"\b{name}\s*\[")
        return element(name, i)

    def number(self, expr: s.Expr, bound: Bound, construct: str, pattern: str | None = None) -> int:
        """The whole number that an index or a limit is."""
        value = self.value(expr, bound)
        if value is None or value != int(value):
            message = "needs whole numbers that are known before the run"
            raise self.file.error(construct, message, pattern)
        return int(value)

    def value(self, expr: s.Expr, bound: Bound) -> float | None:
        if isinstance(expr, s.Num):
            return expr.value
        if isinstance(expr, s.Var):
            known = bound.get(expr.name)
            return None if known is None else float(known)
        if isinstance(expr, s.Neg):
            inner = self.value(expr.arg, bound)
            return None if inner is None else -inner
        if isinstance(expr, s.Bin):
            left, right = self.value(expr.left, bound), self.value(expr.right, bound)
            if left is None or right is None:
                return None
            if expr.op == "/" and right:
                return float(int(left / right))
            operations = {"+": left + right, "-": left - right, "*": left * right}
            return operations.get(expr.op)
        return None

    def expression(self, expr: s.Expr, bound: Bound) -> s.Expr:
        if isinstance(expr, s.Index):
            return s.Var(self.element(expr.name, expr.index, bound))
        if isinstance(expr, s.Var):
            if expr.name in bound:
                return s.Num(float(bound[expr.name]), str(bound[expr.name]))
            if expr.name in self.arrays:
                raise self.file.error(expr.name, "is an array; an element of it has to be named")
            return expr
        if isinstance(expr, s.Neg):
            return s.Neg(self.expression(expr.arg, bound))
        if isinstance(expr, s.Not):
            return s.Not(self.expression(expr.arg, bound))
        if isinstance(expr, s.Bin):
            return s.Bin(expr.op, self.expression(expr.left, bound), self.expression(expr.right, bound))
        if isinstance(expr, s.Call):
            return s.Call(expr.name, tuple(self.expression(arg, bound) for arg in expr.args))
        return expr
