"""Blocks as straight-line code: procedures inlined, locals made unique, and who reads what before whom.

NMODL's ASSIGNED variables keep their value from one block to the next; pure functions do not. So the translator has to
know which variables a block reads before it sets them (:func:`prune`) and what they depend on (:func:`tainted`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ketune.mechanisms import _linear
from ketune.mechanisms._syntax import (
    Assign,
    Bin,
    Body,
    Call,
    CallStatement,
    DiffEq,
    Expr,
    If,
    Local,
    Neg,
    Not,
    Num,
    Routine,
    Solve,
    Source,
    Statement,
    Var,
)

_MATH = ("exp", "log", "log10", "pow", "sqrt", "fabs", "abs", "floor", "ceil", "fmin", "fmax")
_TRIGONOMETRY = ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh")
BUILTINS = frozenset((*_MATH, *_TRIGONOMETRY))
_EVENTS = frozenset(("net_send", "net_event", "net_move", "state_discontinuity", "at_time"))
_GIVEN = ("celsius", "dt")
UNAVAILABLE = {
    "t": "time itself is not an input of the translated functions",
    "diam": "the geometry is not an input of the translated functions",
    "area": "the geometry is not an input of the translated functions",
}


@dataclass(frozen=True)
class FlatFunction:
    """A FUNCTION ready for emission: its own arguments, then the file's variables that it reads."""

    arguments: tuple[str, ...]
    reads: tuple[str, ...]
    body: Body


class Flattener:
    """Turns the blocks of one file into lists of Assign, DiffEq and If over unique names."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.known = {"v", *_GIVEN, *source.parameters, *source.constants, *source.states, *source.assigned}
        self.known |= set(source.nonspecific)
        for ion in source.ions:
            self.known |= {*ion.reads, *ion.writes}
        self.known -= UNAVAILABLE.keys()
        self.functions: dict[str, FlatFunction] = {}
        self._open: list[str] = []
        self._used: set[str] = set()

    def block(self, body: Body) -> Body:
        """A block of the file. Local names are unique within it and differ from every name of the file."""
        self._used = set(self.known)
        return self._flatten(body, {})

    def function(self, name: str) -> FlatFunction:
        """A FUNCTION of the file, flattened on first use; it may not change the file's variables."""
        if name not in self.functions:
            if name in self._open:
                raise self.source.error(f"FUNCTION {name}", "calls itself, which is not translated")
            self._open.append(name)
            used, self._used = self._used, set(self.known)
            routine = self.source.functions[name]
            scope: dict[str, Expr] = {argument: Var(argument) for argument in (*routine.arguments, name)}
            body = self._flatten(routine.body, scope)
            changed = sorted((written(body) & self.known) - {*routine.arguments, name})
            if changed:
                message = (
                    f"sets {', '.join(changed)}; a FUNCTION that changes other variables is not translated"
                )
                raise self.source.error(f"FUNCTION {name}", message, rf"\bFUNCTION\s+{name}\b")
            body, needed = prune(body, {name}, self)
            self._used = used
            self._open.pop()
            reads = tuple(sorted(needed - {*routine.arguments, name} - set(self.source.constants)))
            self.functions[name] = FlatFunction(routine.arguments, reads, body)
        return self.functions[name]

    def reads(self, expr: Expr) -> set[str]:
        """The variables that evaluating an expression needs, its functions' included; constants are left out."""
        names = _linear.names_in(expr)
        for call in _calls(expr):
            if call.name in self.source.functions:
                names |= set(self.function(call.name).reads)
        return names - set(self.source.constants)

    def _flatten(self, body: Body, scope: dict[str, Expr]) -> Body:
        scope = dict(scope)
        flat: list[Statement] = []
        for statement in body:
            if isinstance(statement, Local):
                scope |= {name: Var(self._fresh(name)) for name in statement.names}
            elif isinstance(statement, Assign):
                target = scope.get(statement.target, Var(statement.target))
                assert isinstance(target, Var)  # a number in scope is an argument that is never assigned
                self._declared(target.name, scope)
                flat.append(Assign(target.name, self._resolve(statement.value, scope)))
            elif isinstance(statement, DiffEq):
                if statement.state not in self.source.states:
                    state = statement.state
                    raise self.source.error(f"{state}'", "is not declared under STATE", rf"\b{state}\s*'")
                flat.append(DiffEq(statement.state, self._resolve(statement.rate, scope)))
            elif isinstance(statement, If):
                test = self._resolve(statement.test, scope)
                then = self._flatten(statement.then, scope)
                flat.append(If(test, then, self._flatten(statement.otherwise, scope)))
            elif isinstance(statement, CallStatement):
                flat += self._inline(statement.call, scope)
            else:
                assert isinstance(statement, Solve)
                message = "is only translated inside BREAKPOINT"
                raise self.source.error(
                    f"SOLVE {statement.block}", message, rf"\bSOLVE\s+{statement.block}\b"
                )
        return tuple(flat)

    def _inline(self, call: Call, scope: dict[str, Expr]) -> Body:
        name = call.name
        if name not in self.source.procedures:
            self._resolve(call, scope)  # names what is wrong with it
            return ()  # a function whose value is not used
        if name in self._open:
            raise self.source.error(f"PROCEDURE {name}", "calls itself, which is not translated")
        routine = self.source.procedures[name]
        self._check_count(call, routine)
        changed = self._changes(routine.body)
        inner: dict[str, Expr] = {}
        flat: list[Statement] = []
        for argument, given in zip(routine.arguments, call.args, strict=True):
            value = self._resolve(given, scope)
            steady = isinstance(value, Num) or (isinstance(value, Var) and value.name not in changed)
            if steady and argument not in changed:
                inner[argument] = value
            else:
                local = Var(self._fresh(argument))
                flat.append(Assign(local.name, value))
                inner[argument] = local
        self._open.append(name)
        flat += self._flatten(routine.body, inner)
        self._open.pop()
        return tuple(flat)

    def _changes(self, body: Body) -> set[str]:
        """Every name that a body may set, through the procedures that it calls too."""
        names: set[str] = set()
        for statement in body:
            if isinstance(statement, Assign):
                names.add(statement.target)
            elif isinstance(statement, If):
                names |= self._changes(statement.then) | self._changes(statement.otherwise)
            elif isinstance(statement, CallStatement):
                called = statement.call.name
                if called in self.source.procedures and called not in self._open:
                    self._open.append(called)
                    names |= self._changes(self.source.procedures[called].body)
                    self._open.pop()
        return names

    def _resolve(self, expr: Expr, scope: dict[str, Expr]) -> Expr:
        """The expression with local names replaced, every name and function checked."""
        if isinstance(expr, Num):
            return expr
        if isinstance(expr, Var):
            value = scope.get(expr.name, expr)
            if isinstance(value, Var):
                self._declared(value.name, scope)
            return value
        if isinstance(expr, Neg):
            return Neg(self._resolve(expr.arg, scope))
        if isinstance(expr, Not):
            return Not(self._resolve(expr.arg, scope))
        if isinstance(expr, Bin):
            return Bin(expr.op, self._resolve(expr.left, scope), self._resolve(expr.right, scope))
        if expr.name in self.source.functions:
            self._check_count(expr, self.source.functions[expr.name])
            self.function(expr.name)
        elif expr.name in _EVENTS:
            raise self.source.error(expr.name, "events that a mechanism sends itself are not translated")
        elif expr.name in self.source.procedures:
            raise self.source.error(expr.name, "a PROCEDURE's value inside an expression is not translated")
        elif expr.name not in BUILTINS:
            raise self.source.error(expr.name, "this function is not known")
        return Call(expr.name, tuple(self._resolve(arg, scope) for arg in expr.args))

    def _check_count(self, call: Call, routine: Routine) -> None:
        if len(call.args) != len(routine.arguments):
            message = f"takes {len(routine.arguments)} arguments, not {len(call.args)}"
            raise self.source.error(call.name, message, rf"\b{call.name}\s*\(")

    def _declared(self, name: str, scope: dict[str, Expr]) -> None:
        if name in self.known or name in self._used or name in scope:
            return
        raise self.source.error(name, UNAVAILABLE.get(name, "is not declared"))

    def _fresh(self, name: str) -> str:
        unique, count = name, 1
        while unique in self._used:
            count += 1
            unique = f"{name}_{count}"
        self._used.add(unique)
        return unique


def _calls(expr: Expr) -> Iterable[Call]:
    if isinstance(expr, Call):
        yield expr
        for arg in expr.args:
            yield from _calls(arg)
    elif isinstance(expr, Neg | Not):
        yield from _calls(expr.arg)
    elif isinstance(expr, Bin):
        yield from _calls(expr.left)
        yield from _calls(expr.right)


def written(body: Body) -> set[str]:
    """The variables that a flat body may set."""
    names: set[str] = set()
    for statement in body:
        if isinstance(statement, Assign):
            names.add(statement.target)
        elif isinstance(statement, DiffEq):
            names.add(statement.state)
        elif isinstance(statement, If):
            names |= written(statement.then) | written(statement.otherwise)
    return names


def prune(body: Body, wanted: set[str], flattener: Flattener) -> tuple[Body, set[str]]:
    """Drop what does not contribute to the wanted variables; also return what the rest reads before setting it."""
    live = set(wanted)
    kept: list[Statement] = []
    for statement in reversed(body):
        if isinstance(statement, Assign):
            if statement.target in live:
                live = (live - {statement.target}) | flattener.reads(statement.value)
                kept.append(statement)
        else:
            assert isinstance(statement, If)  # differential equations have become assignments by now
            if not (written((statement,)) & live):
                continue
            then, live_then = prune(statement.then, live, flattener)
            otherwise, live_otherwise = prune(statement.otherwise, live, flattener)
            live = live_then | live_otherwise | flattener.reads(statement.test)
            kept.append(If(statement.test, then, otherwise))
    return tuple(reversed(kept)), live


def tainted(body: Body, start: set[str], flattener: Flattener) -> set[str]:
    """The variables whose value after the body depends on those of `start`."""
    names = set(start)
    for statement in body:
        if isinstance(statement, Assign):
            if flattener.reads(statement.value) & names:
                names.add(statement.target)
            else:
                names.discard(statement.target)
        else:
            assert isinstance(statement, If)
            decided = written((statement,)) if flattener.reads(statement.test) & names else set()
            then = tainted(statement.then, names, flattener)
            names = decided | then | tainted(statement.otherwise, names, flattener)
    return names
