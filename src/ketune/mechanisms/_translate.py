"""From a parsed file to the source of pure JAX functions.

Blocks become functions: INITIAL gives `init` and `derived`, BREAKPOINT gives `currents_by_name`, the blocks that it
solves give `advance`, NET_RECEIVE gives `event_jump`, `event_weight` or `net_receive`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from dataclasses import dataclass, replace

from ketune.mechanisms import _linear as lin
from ketune.mechanisms._arrays import unroll
from ketune.mechanisms._emit import Emitter, STEADY_STEP_ms
from ketune.mechanisms._flow import BUILTINS, GIVEN, Flattener, outside, prune, tainted, written
from ketune.mechanisms._kinetic import derivimplicit, equations, explicit, kinetic
from ketune.mechanisms._receive import WEIGHT, Merging, Receive, analyse
from ketune.mechanisms._superpose import superposes
from ketune.mechanisms._syntax import (
    Assign,
    Bin,
    Body,
    Call,
    CallStatement,
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
# NEURON solves `STEADYSTATE derivimplicit` over this step, which leaves states where they are
_STEADY_DERIVIMPLICIT_ms = Num(1e-9, "1e-9")


@dataclass(frozen=True)
class Translation:
    """The generated module and what a caller has to know about it.

    `carried` are variables that keep a value from step to step: they are handled like states. `parameters` are the
    file's own, plus variables that nothing sets (they are 0 unless the user sets them).
    """

    code: str
    parameters: dict[str, Parameter]
    states: tuple[str, ...]
    carried: tuple[str, ...]
    derived: tuple[str, ...]
    currents: tuple[str, ...]
    electrode: tuple[str, ...]
    late_currents: tuple[str, ...]
    ion_writes: tuple[str, ...]
    remembered: tuple[str, ...]
    methods: tuple[str, ...]
    finishes: bool
    integrated: frozenset[str]
    inputs: tuple[str, ...]
    merging: Merging
    arguments: tuple[str, ...]
    moves: tuple[bool, ...]
    n_initial_sends: int


def translate(source: Source, reserved: set[str]) -> Translation:
    """Generate the module. `reserved` are the names that its namespace already holds.

    Raises:
        TranslationError: a construct that has no pure equivalent here.
    """
    return _Translator(unroll(source), reserved).translation()


class _Translator:
    def __init__(self, source: Source, reserved: set[str]) -> None:
        self.source = source
        self.flattener = Flattener(source)
        self.emitter = Emitter(self.flattener, reserved - (BUILTINS & set(source.functions)))
        ion_currents = [w for ion in source.ions for w in ion.writes if w == ion.current]
        self.currents = tuple(dict.fromkeys([*ion_currents, *source.nonspecific, *source.electrode]))
        self.ion_writes = tuple(w for ion in source.ions for w in ion.writes if w != ion.current)
        self.ion_inputs = {*(r for ion in source.ions for r in ion.reads), *self.ion_writes}
        self.own_states = tuple(x for x in source.states if x not in self.ion_writes)

    def translation(self) -> Translation:
        source = self.source
        self._read_blocks()
        unset = [x for x in self.currents if x not in self._written_anywhere()]
        if unset:
            raise source.error(unset[0], "this current is never set in BREAKPOINT")
        self._sort_memory()
        functions = [
            self._derived(),
            self._init(),
            self._values("currents_by_name(v, s, p)", self.breakpoint, self.currents),
            *(self._conductances() if source.conductances else []),
            *(
                [self._values("remember(v, s, p)", self.breakpoint, self.remembered)]
                if self.remembered
                else []
            ),
            self._values("advance(v, s, p)", self.advance, (*self.states, *self.ion_writes)),
            self._event_jump(),
            *self._connection(),
        ]
        user = [self.emitter.function(name) for name in source.functions if name in self.flattener.functions]
        constants = [[f"{self.emitter.name(k)} = {v!r}" for k, v in source.constants.items()]]
        head = [[f'"""{source.name}: JAX functions generated from {source.path.name}."""']]
        blocks = [block for block in [*head, *constants, *user, *functions] if block]
        code = "\n\n\n".join(re.sub(r"\n{3,}", "\n\n", "\n".join(block)) for block in blocks) + "\n"
        return Translation(
            code=code,
            parameters=self.parameters,
            states=self.states,
            carried=self.carried,
            derived=self.derived,
            currents=self.currents,
            electrode=source.electrode,
            late_currents=tuple(x for x in self.currents if x in written(self.advance)),
            ion_writes=self.ion_writes,
            remembered=self.remembered,
            methods=tuple(sorted(self.methods)),
            finishes=not self.currents and bool(written(self.after) & {*self.states, *self.ion_writes}),
            integrated=frozenset(source.states),
            inputs=tuple(sorted(self.used)),
            merging=self.receive.merging,
            arguments=self.arguments,
            moves=tuple(x.startswith("move") for x in self.receive.sends),
            n_initial_sends=len(self.initial_sends),
        )

    # blocks

    def _read_blocks(self) -> None:
        source, flattener = self.source, self.flattener
        solves = [statement for statement in source.breakpoint if isinstance(statement, Solve)]
        self._check_solves(solves)
        rest = tuple(statement for statement in source.breakpoint if not isinstance(statement, Solve))
        # NEURON starts every state at its parameter of the same name with a 0, else at 0, before INITIAL
        start = {x: self._start(x) for x in self.own_states}
        sends: list[str] = []
        for solve in (x for x in source.initial if isinstance(x, Solve)):
            flattener.solved[solve.block] = self._steady(solve)
        initial = flattener.block(source.initial, sends=sends)
        flattener.solved = {}
        self.initial_sends = tuple(sends)
        self.initial = tuple(Assign(x, value) for x, value in start.items()) + _unsent(sends) + initial
        self.after = flattener.block(rest)
        self.breakpoint = self.after if self.currents else ()
        # without a current NEURON computes the rest of BREAKPOINT once a step, after what it solves
        self.advance = self._advance(solves) + (() if self.currents else self.after)
        self._read_receive()

    def _start(self, state: str) -> Expr:
        if f"{state}0" in self.source.parameters:
            return Var(f"{state}0")
        value = self.source.starts.get(state, 0.0)
        return Num(value, repr(value)) if value else lin.ZERO

    def _read_receive(self) -> None:
        receive = self.source.net_receive
        self.arguments: tuple[str, ...] = ()
        self.connect: Body = ()
        if receive is None:
            self.receive = Receive("none", (), {}, (), ())
            return
        flattener = self.flattener
        # an argument hides a variable of the file that has its name
        own = {x: flattener.reserve(x) if x in flattener.known else x for x in (*receive.arguments, "flag")}
        self.arguments = tuple(own[x] for x in receive.arguments)
        sends: list[str] = []
        body = flattener.block(receive.body, own, sends)
        self.connect = flattener.block(receive.initial or (), own)
        self.receive = Receive("separate", _unsent(sends) + body, {}, (), tuple(sends))

    def _check_solves(self, solves: list[Solve]) -> None:
        source = self.source
        known = {**source.derivatives, **source.kinetics, **source.procedures}
        methods = {
            "DERIVATIVE": ("cnexp", "derivimplicit", "sparse", "euler", "runge"),
            "KINETIC": ("sparse",),
            "PROCEDURE": ("after_cvode", "cvode_t", "cvode_v", ""),
        }
        for solve in solves:
            where = rf"\bSOLVE\s+{solve.block}\b"
            if solve.block not in known:
                raise source.error(f"SOLVE {solve.block}", "there is no such block that can be solved", where)
            kind = "DERIVATIVE" if solve.block in source.derivatives else "PROCEDURE"
            kind = "KINETIC" if solve.block in source.kinetics else kind
            if solve.method not in methods[kind]:
                construct = (
                    f"METHOD {solve.method}" if solve.method else f"SOLVE {solve.block} without METHOD"
                )
                message = (
                    f"is not translated for a {kind} block, only {', '.join(filter(None, methods[kind]))}"
                )
                raise source.error(construct, message, where)
        for statement in (*source.breakpoint, *source.initial):
            if isinstance(statement, If) and _has(statement, Solve):
                raise source.error("SOLVE", "inside IF is not translated")

    def _steady(self, solve: Solve) -> Body:
        """The steady state that INITIAL asks for."""
        source, name = self.source, solve.block
        if not re.search(rf"\bSOLVE\s+{name}\s+STEADYSTATE\b", source.text):
            message = "in INITIAL is only translated as SOLVE ... STEADYSTATE"
            raise source.error(f"SOLVE {name}", message, rf"\bSOLVE\s+{name}\b")
        if name not in source.kinetics and name not in source.derivatives:
            raise source.error(f"SOLVE {name}", "there is no such KINETIC or DERIVATIVE block")
        kind, method = ("KINETIC", "sparse") if name in source.kinetics else ("DERIVATIVE", "derivimplicit")
        if solve.method != method:
            message = f"is not translated for a {kind} block, only {method}"
            raise source.error(f"STEADYSTATE {solve.method}", message, rf"\bSOLVE\s+{name}\s+STEADYSTATE\b")
        if kind == "KINETIC":
            step, body = kinetic(source, name, self.flattener, Num(STEADY_STEP_ms, "1e9"))
        else:
            step, body = derivimplicit(source, name, self.flattener, _STEADY_DERIVIMPLICIT_ms)
        self.flattener.keep(body)
        return (step, *body)

    def _advance(self, solves: list[Solve]) -> Body:
        """The solved blocks, each replaced by NEURON's step over dt."""
        source = self.source
        steps: list[Statement] = []
        self.methods: set[str] = set()
        for solve in solves:
            name = solve.block
            if name in source.kinetics:
                step, body = kinetic(source, name, self.flattener, _DT)
                self.methods.add("sparse")
                self.flattener.keep(body)
                steps += [step, *body]
            elif name in source.procedures:
                steps += self.flattener.block((CallStatement(Call(name, ())),))
            elif solve.method == "cnexp" and not _beyond_cnexp(source.derivatives[name]):
                steps += self._by_cnexp(self.flattener.block(source.derivatives[name]))
                self.methods.add("cnexp")
            elif solve.method == "euler":
                steps += self._euler(name)
                self.methods.add("euler")
            else:
                step, body = derivimplicit(source, name, self.flattener, _DT)
                self.methods.add("runge" if solve.method == "runge" else "derivimplicit")
                if solve.method == "runge":
                    step = replace(step, explicit=True)
                    if "t" in outside(step, self.flattener):
                        where = rf"\bSOLVE\s+{name}\b"
                        raise source.error("METHOD runge", "rates that depend on t are not translated", where)
                self.flattener.keep(body)
                steps += [step, *body]
        return tuple(steps)

    def _euler(self, name: str) -> Body:
        """All rates at the old states, then all states."""
        body = self.flattener.block(self.source.derivatives[name])
        rates = {x: self.flattener.reserve(f"d_{x}") for x in self.source.states if x in equations(body)}
        start = tuple(Assign(rate, lin.ZERO) for rate in rates.values())
        steps = tuple(Assign(x, lin.add(Var(x), lin.mul(_DT, Var(rate)))) for x, rate in rates.items())
        return (*start, *explicit(body, rates), *steps)

    def _by_cnexp(self, body: Body) -> Body:
        """Equations advance one after the other, as in NEURON: a later one sees the new value of an earlier state."""
        steps: list[Statement] = []
        for statement in body:
            if isinstance(statement, DiffEq):
                steps.append(self._cnexp(statement))
            elif isinstance(statement, If):
                then, otherwise = self._by_cnexp(statement.then), self._by_cnexp(statement.otherwise)
                steps.append(If(statement.test, then, otherwise))
            else:
                steps.append(statement)
        return tuple(steps)

    def _cnexp(self, equation: DiffEq) -> Statement:
        x = Var(equation.state)
        coefficients = lin.linear(equation.rate, equation.state)
        if coefficients is None:
            message = (
                f"the right-hand side is not of the form a + b*{equation.state}, which cnexp needs "
                "(NEURON integrates it wrongly); use METHOD derivimplicit"
            )
            raise self.source.error(f"{equation.state}'", message, rf"\b{equation.state}\s*'")
        a, b = coefficients
        if b == lin.ZERO:
            return Assign(x.name, lin.add(x, lin.mul(_DT, a)))
        relaxation = _relaxation(equation.rate, x.name)
        if relaxation is None:
            exponent, target = lin.mul(_DT, b), lin.neg(lin.div(a, b))
        else:
            exponent, target = relaxation
        step = Bin("-", lin.ONE, Call("exp", (exponent,)))
        return Assign(x.name, lin.add(x, lin.mul(step, lin.sub(target, x))))

    # what each block needs from outside

    def _blocks(self) -> tuple[Body, ...]:
        return self.breakpoint, self.advance, self.receive.body

    def _written_anywhere(self) -> set[str]:
        return set().union(*(written(body) for body in (self.initial, *self._blocks())))

    def _sort_memory(self) -> None:
        """Decide for every variable that a block reads before setting it where its value comes from."""
        source, flattener = self.source, self.flattener
        given = {"v", *GIVEN, *self.ion_inputs}
        fixed = {"celsius", "dt", "diam", "area"} - set(source.states)
        changed = sorted(self._written_anywhere() & fixed)
        if changed:
            message = "is set here, but the cell gives it, which is not translated"
            raise source.error(f"{changed[0]} =", message, rf"\b{changed[0]}\s*=")
        self.parameters = {n: p for n, p in source.parameters.items() if n not in given}
        memory = {*source.assigned, *self.currents, *self.parameters} - given - set(self.own_states)
        in_initial = written(self.initial)
        in_run = set().union(*(written(body) for body in self._blocks()))
        varying = tainted(self.initial, {"v", "t", *self.ion_inputs}, flattener)

        carried: set[str] = set()
        while True:  # a carried value has needs of its own
            needs = self._needs({*self.own_states, *carried}) & memory
            found = {name for name in needs if name in in_run or name in varying} | carried
            if found == carried:
                break
            carried = found
        self.carried = tuple(sorted(carried))
        self.states = (*self.own_states, *self.carried)
        self.derived = tuple(sorted((needs - carried) & in_initial))
        held = {*self.states, *self.ion_writes}
        self.remembered = tuple(x for x in (*self.states, *self.ion_writes) if x in written(self.breakpoint))
        if self.receive.merging != "none":
            self.receive = analyse(
                self.receive.body, self.arguments, set(self.own_states), held, self.receive.sends, flattener
            )
            outputs = {*self.currents, *self.ion_writes}
            if self.receive.jumps and not superposes(
                self.advance, self.breakpoint, self.receive.jumps.keys(), outputs, held, flattener
            ):
                self.receive = replace(self.receive, merging="separate", jumps={}, weighing=())
        self._check_shared(carried, set(self.derived))

        wanted = {*self.states, *self.derived, *self.ion_writes, *_send_variables(self.initial_sends)}
        _, initial_needs = prune(self.initial, wanted, flattener)
        _, connect_needs = prune(self.connect, {*self.arguments}, flattener)
        never_set = (needs | ((initial_needs | connect_needs) & memory)) - carried - {*self.derived}
        never_set |= {name for name in carried if name not in in_initial}
        for name in sorted(never_set - self.parameters.keys()):
            # such a variable is 0 unless the user sets it, if that is possible
            if name in source.ranges | source.globals:
                self.parameters[name] = Parameter(name, 0.0, is_range=name in source.ranges)
            elif name in carried:
                self.initial = (Assign(name, lin.ZERO), *self.initial)
            else:
                source.constants[name] = 0.0
        self.used: set[str] = set()

    def _needs(self, held: Set[str]) -> set[str]:
        """What BREAKPOINT, the solved blocks and events read from outside."""
        flattener = self.flattener
        # RANGE variables too, so that one which remembers (a peak, a mean) is kept although no current reads it
        kept = {*held, *self.ion_writes, *(self.source.ranges & set(self.source.assigned))}
        in_breakpoint = {*self.currents, *self.source.conductances} | (kept & written(self.breakpoint))
        _, current_needs = prune(self.breakpoint, in_breakpoint, flattener)
        _, advance_needs = prune(self.advance, kept & written(self.advance), flattener)
        wanted = (kept & written(self.receive.body)) | {*self.arguments}
        _, receive_needs = prune(self.receive.body, wanted | _send_variables(self.receive.sends), flattener)
        return current_needs | advance_needs | receive_needs

    def _check_shared(self, carried: set[str], derived: set[str]) -> None:
        """A GLOBAL has one value for all compartments: it may not hold what differs between them."""
        local = {name for name, parameter in self.parameters.items() if parameter.is_range}
        unequal = {"v", "t", *self.ion_inputs, *local, *self.own_states}
        differing = tainted(self.initial, unequal, self.flattener) & (derived | carried)
        while True:
            unequal |= differing
            found = set().union(*(tainted(body, unequal, self.flattener) for body in self._blocks()))
            if found & carried <= differing:
                break
            differing |= found & carried
        for name in sorted(differing & (self.source.globals | self.source.private)):
            kind = "GLOBAL" if name in self.source.globals else "LOCAL to the file"
            message = f"is {kind} but differs between compartments, so NEURON uses the last one's value; make it RANGE"
            raise self.source.error(name, message)

    # text

    def _derived(self) -> list[str]:
        own = self._given() - {*self.states, "v", "t"}
        given = own - {*self.derived} | {n for n in self.derived if n in self.parameters}
        return self._function("derived(p)", self.initial, self.derived, given)

    def _init(self) -> list[str]:
        body = self.initial
        results = (*self.states, *(x for x in self.ion_writes if x in written(body)))
        given = self._given() - {*self.states} | {x for x in self.states if x in self.parameters}
        lines = self._function("init(v, p)", body, results, given, spread=True, held=set())
        if self.initial_sends:
            sent = tuple(sorted(_send_variables(self.initial_sends)))
            lines += ["", "", *self._function("init_sends(v, p)", body, sent, given, held=set())]
        return lines

    def _conductances(self) -> Iterable[list[str]]:
        """What CONDUCTANCE states: the sum, and by current what it states for an ion's."""
        hints = self.source.conductances
        lines = self._function("conductance(v, s, p)", self.breakpoint, tuple(hints), self._given())
        lines[-1] = f"    return {' + '.join(map(self.emitter.name, hints))}"
        yield lines
        of_ions = tuple(name for name, ion in hints.items() if ion is not None)
        lines = self._function("ion_conductances(v, s, p)", self.breakpoint, of_ions, self._given())
        entries = (f'"i{hints[name]}": {self.emitter.name(name)}' for name in of_ions)
        lines[-1] = f"    return {{{', '.join(entries)}}}"
        yield lines

    def _values(self, signature: str, body: Body, results: tuple[str, ...]) -> list[str]:
        present = written(body)
        kept = {*self.states, *self.ion_writes}
        wanted = tuple(x for x in results if x in present or (x in kept and x not in self.ion_writes))
        return self._function(signature, body, wanted, self._given())

    def _event_jump(self) -> list[str]:
        if not self.receive.jumps:
            return ["def event_jump(p):", "    return {}"]
        needs = set().union(*(self.flattener.reads(jump) for jump in self.receive.jumps.values()))
        entries = [f'"{x}": {self.emitter.expression(jump)}' for x, jump in self.receive.jumps.items()]
        return [
            "def event_jump(p):",
            *self._unpack(needs, set()),
            "    return {" + ", ".join(entries) + "}",
        ]

    def _connection(self) -> Iterable[list[str]]:
        """The functions of a connection's own variables, its arguments."""
        if self.receive.merging == "none":
            return
        given = self._given() | {*self.arguments, "flag"}
        others = self.arguments[1:]
        if others:
            # without an INITIAL block NEURON sets all arguments but the first to 0
            assert self.source.net_receive is not None
            unset = () if self.source.net_receive.initial is not None else others
            body = tuple(Assign(x, lin.ZERO) for x in unset) + self.connect
            yield self._function("init_connection(v, s, c, p)", body, self.arguments, given)
        if self.receive.merging == "plastic":
            lines = self._function(
                "event_weight(c, p)", self.receive.weighing, (WEIGHT, *self.arguments), given
            )
            entries = ", ".join(f'"{x}": {self.emitter.name(x)}' for x in self.arguments)
            lines[-1] = f"    return {WEIGHT}, {{{entries}}}"
            yield lines
        body = self.receive.body
        changed = tuple(x for x in (*self.states, *self.ion_writes) if x in written(body))
        sent = tuple(_send_variables(self.receive.sends))
        results = (*changed, *self.arguments, *sent)
        lines = self._function("net_receive(v, s, c, p)", body, results, given)
        name = self.emitter.name
        states = ", ".join(f'"{x}": {name(x)}' for x in changed)
        arguments = ", ".join(f'"{x}": {name(x)}' for x in self.arguments)
        sends = ", ".join(
            f"({name(f'{x}_on')}, {name(f'{x}_time')}, {name(f'{x}_flag')})" for x in self.receive.sends
        )
        lines[-1] = f"    return {{{states}}}, {{{arguments}}}, [{sends}]"
        yield lines

    def _given(self) -> set[str]:
        return {"v", *GIVEN, *self.states, *self.parameters, *self.derived, *self.ion_inputs}

    def _function(
        self,
        signature: str,
        body: Body,
        results: tuple[str, ...],
        given: set[str],
        *,
        spread: bool = False,
        held: set[str] | None = None,
    ) -> list[str]:
        _, needs = prune(body, set(results), self.flattener)
        lines = self.emitter.body(body, set(results), given)
        name = self.emitter.name
        value = (lambda result: f"spread({name(result)}, v)") if spread else name
        entries = ", ".join(f'"{result}": {value(result)}' for result in results)
        self.used |= needs & {*GIVEN, *self.ion_inputs}
        kept = {*self.states} if held is None else held
        return [f"def {signature}:", *self._unpack(needs & given, kept), *lines, f"    return {{{entries}}}"]

    def _unpack(self, names: set[str], held: set[str]) -> list[str]:
        """Lines that take the file's variables out of the dictionaries of states (s), connections (c), the rest (p)."""
        lines = []
        for name in sorted(names - {"v"}, key=lambda n: (n in held, n)):
            where = "s" if name in held else "c" if name in self.arguments else "p"
            lines.append(f'    {self.emitter.name(name)} = {where}["{name}"]')
        return lines


def _unsent(sends: Iterable[str]) -> Body:
    """Nothing is sent unless a branch says so."""
    return tuple(Assign(name, lin.ZERO) for name in sorted(_send_variables(sends)))


def _send_variables(sends: Iterable[str]) -> set[str]:
    return {f"{prefix}_{key}" for prefix in sends for key in ("on", "time", "flag")}


def _beyond_cnexp(body: Body) -> bool:
    """NEURON then solves the whole block by derivimplicit."""
    for statement in body:
        if isinstance(statement, DiffEq) and lin.beyond_polynomial(statement.rate, statement.state):
            return True
        if isinstance(statement, If) and _beyond_cnexp(statement.then + statement.otherwise):
            return True
    return False


def _has(statement: Statement, kind: type) -> bool:
    if isinstance(statement, If):
        return any(_has(x, kind) for x in statement.then + statement.otherwise)
    return isinstance(statement, kind)


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
