"""Blocks as straight-line code: procedures inlined, locals made unique, and who reads what before whom.

NMODL's ASSIGNED variables keep their value from one block to the next; pure functions do not. So the translator has to
know which variables a block reads before it sets them (:func:`prune`) and what they depend on (:func:`tainted`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    Index,
    Local,
    Neg,
    Newton,
    Not,
    Num,
    Routine,
    Solve,
    Source,
    Statement,
    Var,
)

_MATH = ("exp", "log", "log10", "pow", "sqrt", "fabs", "abs", "floor", "ceil", "fmin", "fmax", "fmod")
_TRIGONOMETRY = ("sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh")
BUILTINS = frozenset((*_MATH, *_TRIGONOMETRY))
RANDOM_CALLS = frozenset(
    (
        "scop_random",
        "exprand",
        "normrand",
        "poisrand",
        "poisson",
        "gauss",
        "uniform",
        "set_seed",
        "ranf",
        "norm",
    )
)
# without effect on the mechanism that calls them
_SILENT = frozenset(("printf", "fprintf", "net_event", "at_time"))
SPECIAL_CALLS = _SILENT | {"nrn_ghk", "net_send", "net_move", "state_discontinuity"}
GIVEN = ("celsius", "dt", "t", "diam", "area")
"""What the cell gives: degC, ms, ms, um, um2."""
# NEURON's at_time compares with this margin
_AT_TIME_MARGIN_ms = Num(1e-11, "1e-11")


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
        self.known = {"v", *GIVEN, *source.parameters, *source.constants, *source.states, *source.assigned}
        self.known |= {*source.nonspecific, *source.electrode}
        for ion in source.ions:
            self.known |= {*ion.reads, *ion.writes}
        self._functions: dict[str, FlatFunction | None] = {}
        self._routines = {*source.functions, *source.procedures, *source.tables}
        self._open: list[str] = []
        self._used: set[str] = set()
        self._before: list[
            Statement
        ] = []  # what functions with effects do before the statement that calls them
        self._sends: list[str] | None = None
        self._kept: set[str] = set()
        self._reserved: set[str] = set()
        self.schemes: dict[str, tuple[Newton, Body]] = {}
        """KINETIC and DERIVATIVE blocks made ready to be solved implicitly, by name."""
        self.solved: dict[str, Body] = {}
        """What stands for a SOLVE statement, by the block's name."""

    def keep(self, body: Body) -> None:
        """No local variable of another block may take a name that this flat body uses."""
        self._kept |= written(body)

    def block(
        self, body: Body, arguments: Mapping[str, str] | None = None, sends: list[str] | None = None
    ) -> Body:
        """A block of the file. Local names are unique within it and differ from every name of the file.

        Args:
            body: its statements.
            arguments: names known in it too, each with the one that stands for it.
            sends: where it is a list, `net_send` is allowed and sets three variables: the list gets their prefix
                (`send_0`: `send_0_on`, `send_0_time`, `send_0_flag`).
        """
        arguments = arguments or {}
        known, self.known, self._sends = self.known, self.known | {*arguments.values()}, sends
        self._used = self.known | self._kept | self._routines
        flat = self._flatten(body, {name: Var(own) for name, own in arguments.items()})
        self.known, self._sends = known | (self.known & self._reserved), None
        return flat

    def reserve(self, name: str) -> str:
        """A name like the given one that the file does not use, known from now on."""
        while name in self.known or name in self.source.functions or name in self.source.procedures:
            name += "_"
        self.known.add(name)
        self._reserved.add(name)
        return name

    def function(self, name: str) -> FlatFunction | None:
        """A FUNCTION of the file, flattened on first use; None where it changes the file's variables."""
        if name not in self._functions:
            if name in self._open:
                raise self.source.error(f"FUNCTION {name}", "calls itself, which is not translated")
            self._open.append(name)
            used, self._used = self._used, self.known | self._routines
            before, self._before = self._before, []
            routine = self.source.functions[name]
            # an argument hides a variable of the file, but not from the functions that this one calls
            arguments = tuple(self._fresh(argument) for argument in routine.arguments)
            scope: dict[str, Expr] = {name: Var(name)}
            scope |= {argument: Var(own) for argument, own in zip(routine.arguments, arguments, strict=True)}
            body = self._flatten(routine.body, scope)
            changed = written(body) & self.known - {name}
            self._functions[name] = None
            if not changed:
                body, needed = prune(body, {name}, self)
                reads = tuple(sorted(needed - {*arguments, name} - set(self.source.constants)))
                self._functions[name] = FlatFunction(arguments, reads, body)
            self._used, self._before = used, before
            self._open.pop()
        return self._functions[name]

    @property
    def functions(self) -> dict[str, FlatFunction]:
        """The FUNCTIONs used so far, those that have no effects."""
        return {name: flat for name, flat in self._functions.items() if flat is not None}

    def reads(self, expr: Expr) -> set[str]:
        """The variables that evaluating an expression needs, its functions' included; constants are left out."""
        names = _linear.names_in(expr)
        for call in _calls(expr):
            flat = self.function(call.name) if call.name in self.source.functions else None
            names |= set(flat.reads) if flat else set()
        return names - set(self.source.constants)

    def _flatten(self, body: Body, scope: dict[str, Expr]) -> Body:
        scope = dict(scope)
        flat: list[Statement] = []
        for statement in body:
            found = self._statement(statement, scope)
            flat += self._before
            self._before = []
            flat += found
        return tuple(flat)

    def _statement(self, statement: Statement, scope: dict[str, Expr]) -> Body:
        """One statement, flat; a Local extends the scope."""
        if isinstance(statement, Local):
            scope |= {name: Var(self._fresh(name)) for name in statement.names}
            return ()
        if isinstance(statement, Assign):
            target = scope.get(statement.target, Var(statement.target))
            assert isinstance(target, Var)  # a number in scope is an argument that is never assigned
            self._declared(target.name, scope)
            return (Assign(target.name, self._resolve(statement.value, scope)),)
        if isinstance(statement, DiffEq):
            if statement.state not in self.source.states:
                state = statement.state
                raise self.source.error(f"{state}'", "is not declared under STATE", rf"\b{state}\s*'")
            return (DiffEq(statement.state, self._resolve(statement.rate, scope)),)
        if isinstance(statement, If):
            test = self._resolve(statement.test, scope)
            before, self._before = self._before, []
            then = self._flatten(statement.then, scope)
            otherwise = self._flatten(statement.otherwise, scope)
            self._before = before
            return (If(test, then, otherwise),)
        if isinstance(statement, CallStatement):
            return self._call(statement.call, scope)
        if isinstance(statement, Solve):
            if statement.block in self.solved:
                return self.solved[statement.block]
            message = "is only translated in BREAKPOINT, and in INITIAL as SOLVE ... STEADYSTATE"
            raise self.source.error(f"SOLVE {statement.block}", message, rf"\bSOLVE\s+{statement.block}\b")
        raise self.source.error("~", "reactions are only translated in KINETIC blocks", "~")

    def _call(self, call: Call, scope: dict[str, Expr]) -> Body:
        """A statement that is a call."""
        name = call.name
        if name in _SILENT:
            return ()
        if name == "state_discontinuity" and len(call.args) == 2 and isinstance(call.args[0], Var):
            return self._statement(Assign(call.args[0].name, call.args[1]), scope)
        if name == "net_send" and self._sends is not None and len(call.args) == 2:
            prefix = self.reserve(f"send_{len(self._sends)}")
            self._sends.append(prefix)
            delay, flag = (self._resolve(arg, scope) for arg in call.args)
            values: dict[str, Expr] = {"on": _linear.ONE, "time": Bin("+", Var("t"), delay), "flag": flag}
            return tuple(Assign(f"{prefix}_{key}", value) for key, value in values.items())
        if name == "net_move" and self._sends is not None and len(call.args) == 1:
            prefix = self.reserve(f"move_{len(self._sends)}")
            self._sends.append(prefix)
            values = {"on": _linear.ONE, "time": self._resolve(call.args[0], scope), "flag": _linear.ONE}
            return tuple(Assign(f"{prefix}_{key}", value) for key, value in values.items())
        if name in self.source.procedures:
            return self._inline(call, self.source.procedures[name], scope)
        self._resolve(call, scope)  # does what it does to other variables; its value is not used
        return ()

    def _inline(
        self, call: Call, routine: Routine, scope: dict[str, Expr], result: str | None = None
    ) -> Body:
        """A routine's statements in place of a call; a function leaves its value in `result`."""
        name = call.name
        if name in self._open:
            raise self.source.error(f"PROCEDURE {name}", "calls itself, which is not translated")
        self._check_count(call, routine)
        changed = self._changes(routine.body)
        inner: dict[str, Expr] = {} if result is None else {name: Var(result)}
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
        before, self._before = self._before, []
        flat += self._flatten(routine.body, inner)
        self._before = before
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
                names |= self._changed_by(statement.test)
            elif isinstance(statement, CallStatement):
                names |= self._changed_by(statement.call)
            if isinstance(statement, Assign):
                names |= self._changed_by(statement.value)
        return names

    def _changed_by(self, expr: Expr) -> set[str]:
        """What the routines that an expression calls may set."""
        names: set[str] = set()
        for call in _calls(expr):
            routine = self.source.procedures.get(call.name) or self.source.functions.get(call.name)
            if routine is not None and call.name not in self._open:
                self._open.append(call.name)
                names |= self._changes(routine.body)
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
        if isinstance(expr, Index):
            raise self.source.error(expr.name, "is not an array", rf"\b{expr.name}\s*\[")
        name = expr.name
        if name in self.source.functions:
            routine = self.source.functions[name]
            self._check_count(expr, routine)
            if self.function(name) is None:
                value = Var(self._fresh(f"{name}_value"))
                inlined = self._inline(expr, routine, scope, value.name)
                self._before += [Assign(value.name, _linear.ZERO), *inlined]
                return value
        elif name in self.source.tables:
            count = len(self.source.tables[name])
            if count != 1 or len(expr.args) != 1:
                raise self.source.error(name, "tables of one argument only are translated")
        elif name == "at_time" and len(expr.args) == 1:
            when = Bin("-", self._resolve(expr.args[0], scope), _AT_TIME_MARGIN_ms)
            begin = Bin("-", Var("t"), Var("dt"))
            return Bin("&&", Bin("<=", when, Var("t")), Bin(">", when, begin))
        elif name in ("net_send", "net_move", "state_discontinuity"):
            message = "is only translated as a statement of NET_RECEIVE (net_send of INITIAL too)"
            raise self.source.error(name, message)
        elif name in RANDOM_CALLS:
            raise self.source.error(name, "random numbers in the dynamics are not translated")
        elif name == "nrn_ghk" and len(expr.args) == 4:
            arguments = tuple(self._resolve(arg, scope) for arg in expr.args)
            return Call(name, (*arguments, Var("celsius")))
        elif name in self.source.procedures:
            raise self.source.error(name, "a PROCEDURE's value inside an expression is not translated")
        elif name not in BUILTINS:
            raise self.source.error(name, "this function is not known")
        return Call(name, tuple(self._resolve(arg, scope) for arg in expr.args))

    def _check_count(self, call: Call, routine: Routine) -> None:
        if len(call.args) != len(routine.arguments):
            message = f"takes {len(routine.arguments)} arguments, not {len(call.args)}"
            raise self.source.error(call.name, message, rf"\b{call.name}\s*\(")

    def _declared(self, name: str, scope: dict[str, Expr]) -> None:
        if name in self.known or name in self._used or name in scope:
            return
        raise self.source.error(name, "is not declared")

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
        elif isinstance(statement, Newton):
            names |= set(statement.states)
    return names


def outside(newton: Newton, flattener: Flattener) -> set[str]:
    """What an implicit step needs beside the states that it solves for."""
    _, needed = prune(newton.body, set(newton.results), flattener)
    return (needed | flattener.reads(newton.step)) - set(newton.states)


def prune(body: Body, wanted: set[str], flattener: Flattener) -> tuple[Body, set[str]]:
    """Drop what does not contribute to the wanted variables; also return what the rest reads before setting it."""
    live = set(wanted)
    kept: list[Statement] = []
    for statement in reversed(body):
        if isinstance(statement, Assign):
            if statement.target in live:
                live = (live - {statement.target}) | flattener.reads(statement.value)
                kept.append(statement)
        elif isinstance(statement, Newton):
            if live & set(statement.states):
                live = live | set(statement.states) | outside(statement, flattener)
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
        elif isinstance(statement, Newton):
            if names & (outside(statement, flattener) | set(statement.states)):
                names |= set(statement.states)
        else:
            assert isinstance(statement, If)
            decided = written((statement,)) if flattener.reads(statement.test) & names else set()
            then = tainted(statement.then, names, flattener)
            names = decided | then | tainted(statement.otherwise, names, flattener)
    return names
