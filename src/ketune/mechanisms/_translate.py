"""From a parsed file to the source of pure JAX functions.

Blocks become functions: INITIAL gives `init` and `derived`, BREAKPOINT gives `currents_by_name`, the DERIVATIVE blocks
that it solves give `advance`, NET_RECEIVE gives `event_jump`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ketune.mechanisms import _linear as lin
from ketune.mechanisms._emit import Emitter
from ketune.mechanisms._flow import BUILTINS, UNAVAILABLE, Flattener, prune, tainted, written
from ketune.mechanisms._syntax import (
    Assign,
    Bin,
    Body,
    Call,
    DiffEq,
    Expr,
    If,
    Neg,
    Num,
    Parameter,
    Solve,
    Source,
    Statement,
    Var,
)

_DT = Var("dt")


@dataclass(frozen=True)
class Translation:
    """The generated module and what a caller has to know about it.

    `carried` are ASSIGNED variables that keep a value from step to step: they are handled like states. `parameters`
    are the file's own, plus RANGE variables that nothing sets (they are 0 unless the user sets them).
    """

    code: str
    parameters: dict[str, Parameter]
    states: tuple[str, ...]
    carried: tuple[str, ...]
    derived: tuple[str, ...]
    currents: tuple[str, ...]


def translate(source: Source, reserved: set[str]) -> Translation:
    """Generate the module. `reserved` are the names that its namespace already holds.

    Raises:
        TranslationError: a construct that has no pure equivalent here.
    """
    return _Translator(source, reserved).translation()


class _Translator:
    def __init__(self, source: Source, reserved: set[str]) -> None:
        self.source = source
        self.flattener = Flattener(source)
        self.emitter = Emitter(self.flattener, reserved - (BUILTINS & set(source.functions)))
        self.currents = tuple(
            dict.fromkeys([*(w for ion in source.ions for w in ion.writes), *source.nonspecific])
        )

    def translation(self) -> Translation:
        source, flattener = self.source, self.flattener
        solves = [statement for statement in source.breakpoint if isinstance(statement, Solve)]
        self._check_solves(source.breakpoint, solves)
        rest = tuple(statement for statement in source.breakpoint if not isinstance(statement, Solve))
        # NEURON starts every state at its parameter of the same name with a 0, else at 0, before INITIAL
        start = {x: Var(f"{x}0") if f"{x}0" in source.parameters else lin.ZERO for x in source.states}
        self.initial = tuple(Assign(x, value) for x, value in start.items()) + flattener.block(source.initial)
        self.breakpoint = flattener.block(rest)
        self.advance = self._advance(solves)
        self.jumps = self._jumps()
        unset = [name for name in self.currents if name not in written(self.breakpoint)]
        if unset:
            raise source.error(unset[0], "this current is never set in BREAKPOINT")

        self._sort_memory()
        given = {"v", *self.states, *self._inputs()}
        functions = [
            self._derived(),
            self._function("init(v, p)", self.initial, self.states, given - {*self.states}, spread=True),
            self._function("currents_by_name(v, s, p)", self.breakpoint, self.currents, given),
            self._function("advance(v, s, p)", self.advance, self.states, given),
            self._event_jump(),
        ]
        user = [self.emitter.function(name) for name in source.functions if name in flattener.functions]
        constants = [[f"{self.emitter.name(k)} = {v!r}" for k, v in source.constants.items()]]
        head = [[f'"""{source.name}: JAX functions generated from {source.path.name}."""']]
        blocks = [block for block in [*head, *constants, *user, *functions] if block]
        code = "\n\n\n".join(re.sub(r"\n{3,}", "\n\n", "\n".join(block)) for block in blocks) + "\n"
        return Translation(code, self.parameters, self.states, self.carried, self.derived, self.currents)

    # what each block needs from outside

    def _sort_memory(self) -> None:
        """Decide for every variable that a block reads before setting it where its value comes from."""
        source = self.source
        ion_reads = {name for ion in source.ions for name in ion.reads}
        outside = {"v", "celsius", "dt", *source.states, *ion_reads}
        given = outside | UNAVAILABLE.keys()
        self.parameters = {name: p for name, p in source.parameters.items() if name not in given}
        memory = {*source.assigned, *source.nonspecific, *self.parameters}
        memory = (memory | {name for ion in source.ions for name in ion.writes}) - outside
        in_initial, in_advance = written(self.initial), written(self.advance)
        in_breakpoint = written(self.breakpoint)
        self._check_writes(outside, in_initial | in_advance, in_breakpoint)
        varying = tainted(self.initial, {"v"}, self.flattener)

        carried: set[str] = set()
        while True:  # a carried value has needs of its own
            needs = self._needs({*source.states, *carried}) & memory
            found = {name for name in needs if name in in_advance or name in varying}
            if found == carried:
                break
            carried = found
        derived = (needs - carried) & in_initial
        for name in sorted(needs):
            if name in in_breakpoint:
                message = "keeps a value that BREAKPOINT set one step earlier, which is not translated"
                raise source.error(name, message)
            if name in carried and name in self.parameters:
                raise source.error(name, "is a PARAMETER that changes during the run")
        self._check_shared(carried, derived)
        self.carried, self.derived = tuple(sorted(carried)), tuple(sorted(derived))
        self.states = (*source.states, *self.carried)
        _, initial_needs = prune(self.initial, {*self.states, *derived}, self.flattener)
        never_set = (needs | (initial_needs & memory)) - carried - derived - self.parameters.keys()
        for name in sorted(never_set):  # such a variable is 0 unless the user sets it
            self.parameters[name] = Parameter(name, 0.0, is_range=name in source.ranges)

    def _needs(self, advancing: set[str]) -> set[str]:
        """What BREAKPOINT, the solved blocks (for the given states) and the event jumps read from outside."""
        _, current_needs = prune(self.breakpoint, set(self.currents), self.flattener)
        _, advance_needs = prune(self.advance, advancing, self.flattener)
        return current_needs | advance_needs | self._jump_needs()

    def _jump_needs(self) -> set[str]:
        return set().union(*(self.flattener.reads(jump) for jump in self.jumps.values()))

    def _check_writes(self, outside: set[str], elsewhere: set[str], in_breakpoint: set[str]) -> None:
        """Only INITIAL and the solved blocks may set states; nothing may set what the cell gives."""
        states = set(self.source.states)
        for name in sorted((in_breakpoint & states) | ((in_breakpoint | elsewhere) & (outside - states))):
            message = (
                "is a state that BREAKPOINT sets" if name in states else "is set here, but the cell gives it"
            )
            raise self.source.error(f"{name} =", f"{message}, which is not translated", rf"\b{name}\s*=")

    def _check_shared(self, carried: set[str], derived: set[str]) -> None:
        """A GLOBAL has one value for all compartments: it may not hold what differs between them."""
        local = {name for name, parameter in self.parameters.items() if parameter.is_range}
        differing = carried | (tainted(self.initial, {"v", *local}, self.flattener) & derived)
        for name in sorted(differing & self.source.globals):
            message = "is GLOBAL but differs between compartments, so NEURON uses the last one's value; make it RANGE"
            raise self.source.error(name, message)
        for name in sorted(carried & self._jump_needs()):
            raise self.source.error(
                name, "varies during the run, so an event may not use it", r"\bNET_RECEIVE\b"
            )

    def _inputs(self) -> set[str]:
        ion_reads = {name for ion in self.source.ions for name in ion.reads}
        return {"celsius", "dt", *self.parameters, *self.derived, *ion_reads}

    # blocks

    def _check_solves(self, breakpoint: Body, solves: list[Solve]) -> None:
        for solve in solves:
            if solve.block not in self.source.derivatives:
                message = "only DERIVATIVE blocks can be solved"
                raise self.source.error(f"SOLVE {solve.block}", message, rf"\bSOLVE\s+{solve.block}\b")
            if solve.method != "cnexp":
                construct = (
                    f"METHOD {solve.method}" if solve.method else f"SOLVE {solve.block} without METHOD"
                )
                message = "only METHOD cnexp is translated"
                raise self.source.error(construct, message, rf"\bSOLVE\s+{solve.block}\b")
        for statement in breakpoint:
            if isinstance(statement, If) and any(
                isinstance(s, Solve) for s in statement.then + statement.otherwise
            ):
                raise self.source.error("SOLVE", "inside IF is not translated")

    def _advance(self, solves: list[Solve]) -> Body:
        """The solved blocks with each equation x' = a + b x replaced by NEURON's `cnexp` step over dt.

        Equations advance one after the other, as in NEURON: a later one sees the new value of an earlier state.
        """
        steps: list[Statement] = []
        for solve in solves:
            for statement in self.flattener.block(self.source.derivatives[solve.block]):
                if isinstance(statement, DiffEq):
                    steps += self._cnexp(statement)
                elif isinstance(statement, If) and _has_equation(statement):
                    raise self.source.error(
                        "IF", "around a differential equation is not translated", r"DERIVATIVE"
                    )
                else:
                    steps.append(statement)
        return tuple(steps)

    def _cnexp(self, equation: DiffEq) -> list[Statement]:
        x = Var(equation.state)
        coefficients = lin.linear(equation.rate, equation.state)
        if coefficients is None:
            message = f"the right-hand side is not of the form a + b*{equation.state}, which cnexp needs"
            raise self.source.error(f"{equation.state}'", message, rf"\b{equation.state}\s*'")
        a, b = coefficients
        if b == lin.ZERO:
            return [Assign(x.name, lin.add(x, lin.mul(_DT, a)))]
        relaxation = _relaxation(equation.rate, x.name)
        if relaxation is None:
            exponent, target = lin.mul(_DT, b), lin.neg(lin.div(a, b))
        else:
            exponent, target = relaxation
        step = Bin("-", lin.ONE, Call("exp", (exponent,)))
        return [Assign(x.name, lin.add(x, lin.mul(step, lin.sub(target, x))))]

    def _jumps(self) -> dict[str, Expr]:
        """What an event of weight 1 adds to each state, after proving that NET_RECEIVE does nothing else."""
        receive = self.source.net_receive
        if receive is None:
            return {}
        where = r"\bNET_RECEIVE\b"
        if not receive.arguments:
            raise self.source.error("NET_RECEIVE", "takes no weight")
        weight, *others = receive.arguments
        known = self.flattener.known
        self.flattener.known = known | set(receive.arguments)
        body = self.flattener.block(receive.body)
        self.flattener.known = known
        jumps: dict[str, Expr] = {}
        for statement in body:
            if not isinstance(statement, Assign):
                raise self.source.error("IF", "inside NET_RECEIVE is not translated", where)
            state = statement.target
            if state not in self.source.states or state in jumps:
                raise self.source.error(f"{state} =", "NET_RECEIVE may only add to each state once", where)
            jump = None
            split = lin.linear(statement.value, state)
            if split is not None and split[1] == lin.ONE:
                scaled = lin.linear(split[0], weight)
                jump = scaled[1] if scaled is not None and scaled[0] == lin.ZERO else None
            if jump is None:
                message = f"is not of the form {state} + {weight}*(an expression of parameters)"
                raise self.source.error(f"{state} =", message, where)
            if self.flattener.reads(jump) & {"v", weight, *others, *self.source.states}:
                message = "the jump depends on the voltage, a state or a second argument"
                raise self.source.error(f"{state} =", message, where)
            jumps[state] = jump
        return jumps

    # text

    def _derived(self) -> list[str]:
        given = self._inputs() - {*self.derived} | {n for n in self.derived if n in self.parameters}
        return self._function("derived(p)", self.initial, self.derived, given)

    def _event_jump(self) -> list[str]:
        if not self.jumps:
            return ["def event_jump(p):", "    return {}"]
        entries = [f'"{s}": {self.emitter.expression(jump)}' for s, jump in self.jumps.items()]
        return [
            "def event_jump(p):",
            *self._unpack(self._jump_needs()),
            "    return {" + ", ".join(entries) + "}",
        ]

    def _function(
        self, signature: str, body: Body, results: tuple[str, ...], given: set[str], *, spread: bool = False
    ) -> list[str]:
        _, needs = prune(body, set(results), self.flattener)
        lines = self.emitter.body(body, set(results), given)
        name = self.emitter.name
        value = (lambda result: f"spread({name(result)}, v)") if spread else name
        entries = ", ".join(f'"{result}": {value(result)}' for result in results)
        return [f"def {signature}:", *self._unpack(needs & given), *lines, f"    return {{{entries}}}"]

    def _unpack(self, names: set[str]) -> list[str]:
        """Lines that take the file's variables out of the dictionaries of states (s) and parameters (p)."""
        lines = []
        for name in sorted(names - {"v"}, key=lambda n: (n in self.states, n)):
            lines.append(f'    {self.emitter.name(name)} = {"s" if name in self.states else "p"}["{name}"]')
        return lines


def _has_equation(statement: Statement) -> bool:
    if isinstance(statement, If):
        return any(map(_has_equation, statement.then + statement.otherwise))
    return isinstance(statement, DiffEq)


def _relaxation(rate: Expr, x: str) -> tuple[Expr, Expr] | None:
    """(exponent, target) for the usual forms (target - x)/tau, (target - x)*r, r*(target - x), -x/tau.

    The same step as from a and b, without their divisions.
    """
    if not isinstance(rate, Bin) or rate.op not in "*/":
        return None
    pull, factor = rate.left, rate.right
    if rate.op == "*" and x in lin.names_in(factor):
        pull, factor = factor, pull
    if x in lin.names_in(factor):
        return None
    if pull == Neg(Var(x)):
        target: Expr = Num(0.0, "0")
    elif (
        isinstance(pull, Bin) and pull.op == "-" and pull.right == Var(x) and x not in lin.names_in(pull.left)
    ):
        target = pull.left
    else:
        return None
    return (Neg(Bin(rate.op, _DT, factor)), target)
