"""Blocks that are solved implicitly, as NEURON's `sparse` and `derivimplicit` methods set them up.

A KINETIC block becomes ordinary statements: each reaction adds its fluxes to the rates of its states and its terms to
their Jacobian. Backward Euler then solves, by Newton's method, volume (x - x_old)/dt = rate(x), where a CONSERVE
statement replaces the equation of the last state in it (as in NEURON's translator).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from ketune.mechanisms import _linear as lin
from ketune.mechanisms._flow import Flattener
from ketune.mechanisms._syntax import (
    Assign,
    Bin,
    Body,
    Compartment,
    Conserve,
    DiffEq,
    Expr,
    If,
    Local,
    Newton,
    Num,
    Reaction,
    Source,
    Statement,
    Terms,
    Var,
)

_FLUXES = ("f_flux", "b_flux")


def kinetic(source: Source, name: str, flattener: Flattener, step: Expr) -> tuple[Newton, Body]:
    """A KINETIC block's equations, and its flat body for the variables that it sets beside its states."""
    if name not in flattener.schemes:
        flattener.schemes[name] = _Scheme(source, name, flattener).newton(step)
    newton, body = flattener.schemes[name]
    return replace(newton, step=step), body


def derivimplicit(source: Source, name: str, flattener: Flattener, step: Expr) -> tuple[Newton, Body]:
    """The same for a DERIVATIVE block, whose Jacobian is left to JAX."""
    if name not in flattener.schemes:
        flattener.schemes[name] = _equations(source, name, flattener, step)
    newton, body = flattener.schemes[name]
    return replace(newton, step=step), body


def _equations(source: Source, name: str, flattener: Flattener, step: Expr) -> tuple[Newton, Body]:
    states = tuple(x for x in source.states if x in equations(source.derivatives[name]))
    rates = {x: flattener.reserve(f"d_{x}") for x in states}
    start: Body = tuple(Assign(rate, lin.ZERO) for rate in rates.values())
    body = start + explicit(flattener.block(source.derivatives[name]), rates)
    newton = Newton(
        states, body, tuple(rates.values()), None, ("",) * len(states), (), linear=False, step=step
    )
    return newton, body


def equations(body: Body) -> set[str]:
    """The states that have a differential equation in a body."""
    found: set[str] = set()
    for statement in body:
        if isinstance(statement, DiffEq):
            found.add(statement.state)
        elif isinstance(statement, If):
            found |= equations(statement.then) | equations(statement.otherwise)
    return found


def explicit(body: Body, rates: dict[str, str]) -> Body:
    """A body that sets the variable of each state's rate instead of stating its equation."""
    statements: list[Statement] = []
    for statement in body:
        if isinstance(statement, DiffEq):
            statements.append(Assign(rates[statement.state], statement.rate))
        elif isinstance(statement, If):
            then, otherwise = explicit(statement.then, rates), explicit(statement.otherwise, rates)
            statements.append(If(statement.test, then, otherwise))
        else:
            statements.append(statement)
    return tuple(statements)


class _Scheme:
    def __init__(self, source: Source, name: str, flattener: Flattener) -> None:
        self.source, self.flattener = source, flattener
        self.body = source.kinetics[name]
        involved = self._involved(self.body)
        self.states = tuple(x for x in source.states if x in involved)
        if not self.states:
            raise source.error(
                f"KINETIC {name}", "no reaction in it involves a state", rf"\bKINETIC\s+{name}\b"
            )
        self.row = {x: i for i, x in enumerate(self.states)}
        self.rates = {x: flattener.reserve(f"d_{x}") for x in self.states}
        self.volumes = dict.fromkeys(self.states, "")
        self.jacobian: dict[tuple[int, int], str] = {}
        self.conserved: dict[int, tuple[str, tuple[int, ...]]] = {}
        self.totals: list[Statement] = []
        self.linear = True

    def newton(self, step: Expr) -> tuple[Newton, Body]:
        converted = self._convert(self.body)
        sums = (*self.rates.values(), *self.jacobian.values())
        start: list[Statement] = [Local(_FLUXES), *(Assign(name, lin.ZERO) for name in sums)]
        body = _sums_without_zero(self.flattener.block((*start, *converted, *self.totals)), set(sums))
        newton = Newton(
            states=self.states,
            body=body,
            rates=tuple(self.rates.values()),
            jacobian=tuple(sorted(self.jacobian.items())),
            volumes=tuple(self.volumes.values()),
            conserved=tuple(sorted(self.conserved.items())),
            linear=self.linear,
            step=step,
        )
        return newton, body

    def _involved(self, body: Body) -> set[str]:
        found: set[str] = set()
        for statement in body:
            if isinstance(statement, Reaction):
                terms = (*statement.left, *statement.right)
                found |= {term.name for _, term in terms if isinstance(term, Var)} & set(self.source.states)
            elif isinstance(statement, If):
                found |= self._involved(statement.then) | self._involved(statement.otherwise)
        return found

    def _convert(self, body: Body) -> Body:
        statements: list[Statement] = []
        for statement in body:
            if isinstance(statement, Reaction):
                statements += self._reaction(statement)
            elif isinstance(statement, Compartment):
                statements += self._compartment(statement)
            elif isinstance(statement, Conserve):
                self._conserve(statement)
            elif isinstance(statement, If):
                then, otherwise = self._convert(statement.then), self._convert(statement.otherwise)
                statements.append(If(statement.test, then, otherwise))
            else:
                statements.append(statement)
        return tuple(statements)

    def _reaction(self, reaction: Reaction) -> list[Statement]:
        forward, backward = (Var(name) for name in _FLUXES)
        if reaction.op == "<<":
            flux = [Assign(_FLUXES[0], lin.ZERO), Assign(_FLUXES[1], reaction.forward)]
            return [*flux, *self._add(reaction.left, 1, backward)]
        if max(sum(n for n, _ in side) for side in (reaction.left, reaction.right or ((1, lin.ONE),))) > 1:
            self.linear = False
        back = reaction.backward
        if isinstance(back, Num) and back.value == 0:  # one way, written as two
            back = None
        statements: list[Statement] = [
            Assign(_FLUXES[0], _product(reaction.forward, reaction.left)),
            Assign(_FLUXES[1], lin.ZERO if back is None else _product(back, reaction.right)),
        ]
        net: Expr = forward if back is None else Bin("-", forward, backward)
        statements += self._add(reaction.left, -1, net) + self._add(reaction.right, 1, net)
        statements += self._slopes(reaction, reaction.left, reaction.forward, 1)
        if back is not None:
            statements += self._slopes(reaction, reaction.right, back, -1)
        return statements

    def _add(self, terms: Terms, sign: int, flux: Expr) -> list[Statement]:
        """What a flux adds to the rates of the states on one side."""
        return [
            self._increase(self.rates[term.name], sign * n, flux)
            for n, term in terms
            if isinstance(term, Var) and term.name in self.row
        ]

    def _slopes(self, reaction: Reaction, side: Terms, rate: Expr, sign: int) -> list[Statement]:
        """What the flux of one side adds to the Jacobian, through each of that side's states."""
        change: Counter[str] = Counter()
        for n, term in reaction.left:
            change[_name(term)] -= n
        for n, term in reaction.right:
            change[_name(term)] += n
        statements: list[Statement] = []
        orders: Counter[Expr] = Counter()
        for n, term in side:
            orders[term] += n
        for term, order in orders.items():
            if _name(term) not in self.row:
                continue
            others = tuple((n - (other == term), other) for other, n in orders.items())
            slope = _product(rate, others)
            if order > 1:
                slope = Bin("*", Num(float(order), str(order)), slope)
            column = self.row[_name(term)]
            for affected, n in change.items():
                if affected in self.row and n:
                    entry = (self.row[affected], column)
                    if entry not in self.jacobian:
                        self.jacobian[entry] = self.flattener.reserve(f"j_{affected}_{_name(term)}")
                    statements.append(self._increase(self.jacobian[entry], sign * n, slope))
        return statements

    def _increase(self, name: str, n: int, value: Expr) -> Assign:
        amount = value if abs(n) == 1 else Bin("*", Num(float(abs(n)), str(abs(n))), value)
        return Assign(name, Bin("+" if n > 0 else "-", Var(name), amount))

    def _compartment(self, statement: Compartment) -> list[Statement]:
        mine = [x for x in statement.states if x in self.row]
        if not mine:
            return []
        name = self.flattener.reserve(f"volume_{mine[0]}")
        for state in mine:
            self.volumes[state] = name
        return [Assign(name, statement.volume)]

    def _conserve(self, statement: Conserve) -> None:
        coefficients = [0] * len(self.states)
        last = None
        for n, term in statement.terms:
            if _name(term) not in self.row:
                raise self.source.error("CONSERVE", f"{_name(term)} is no state of a reaction here")
            last = self.row[_name(term)]
            coefficients[last] += n
        assert last is not None
        if last in self.conserved:
            raise self.source.error("CONSERVE", f"two statements end with {self.states[last]}")
        total = self.flattener.reserve(f"total_{self.states[last]}")
        self.totals.append(Assign(total, statement.total))
        self.conserved[last] = (total, tuple(coefficients))


def _sums_without_zero(body: Body, sums: set[str]) -> Body:
    """A body whose sums start with their first summand, where no branch comes in between."""
    pending: set[str] = set()
    statements: list[Statement] = []
    for statement in body:
        if isinstance(statement, If) and pending:
            statements += [Assign(name, lin.ZERO) for name in sorted(pending)]
            pending = set()
        if isinstance(statement, Assign) and statement.target in sums:
            if statement.value == lin.ZERO:
                pending.add(statement.target)
                continue
            if statement.target in pending:
                pending.remove(statement.target)
                total = statement.value
                assert isinstance(total, Bin)
                first = total.right if total.op == "+" else lin.neg(total.right)
                statements.append(Assign(statement.target, first))
                continue
        statements.append(statement)
    return tuple([*(Assign(name, lin.ZERO) for name in sorted(pending)), *statements])


def _name(term: Expr) -> str:
    return term.name if isinstance(term, Var) else ""


def _product(rate: Expr, terms: Terms) -> Expr:
    """rate times every state as often as it takes part."""
    product = rate
    for n, term in terms:
        for _ in range(n):
            product = lin.mul(product, term)
    return product
