"""Whether a synapse's equations are linear in what events change: then the sum of many synapses obeys them too."""

from __future__ import annotations

from collections.abc import Set
from enum import IntEnum

from ketune.mechanisms._flow import Flattener, prune, written
from ketune.mechanisms._syntax import Assign, Bin, Body, Call, Expr, If, Neg, Newton, Num, Var


class Degree(IntEnum):
    """How an expression depends on some states: it is 0, free of them, proportional to them, or otherwise (affine)."""

    ZERO = 0
    FREE = 1
    LINEAR = 2
    OTHER = 3


def superposes(
    advance: Body, currents: Body, changed: Set[str], outputs: Set[str], held: Set[str], flattener: Flattener
) -> bool:
    """True where states that grow by events stay sums of what each synapse would have, and so do the outputs.

    Args:
        advance: what happens to the states over a step.
        currents: what happens to the outputs.
        changed: states to which events add.
        outputs: currents, and concentrations that the mechanism writes.
        held: every state.
    """
    linear = set(changed)
    while True:
        after = _degrees(advance, linear, flattener)
        spread = {x for x in held - linear if after.get(x, Degree.FREE) > Degree.FREE}
        if not spread:
            break
        linear |= spread
    if any(after.get(x, Degree.LINEAR) not in (Degree.ZERO, Degree.LINEAR) for x in linear):
        return False
    for body in (advance, currents):
        found = _degrees(body, linear, flattener)
        if any(found[x] not in (Degree.ZERO, Degree.LINEAR) for x in outputs if x in found):
            return False
    return True


def _degrees(body: Body, linear: Set[str], flattener: Flattener) -> dict[str, Degree]:
    """The degree of everything that a flat body sets."""
    known = dict.fromkeys(linear, Degree.LINEAR)
    return {x: d for x, d in _after(body, known, flattener).items() if x in written(body)}


def _after(body: Body, known: dict[str, Degree], flattener: Flattener) -> dict[str, Degree]:
    known = dict(known)
    for statement in body:
        if isinstance(statement, Assign):
            known[statement.target] = _degree(statement.value, known, flattener)
        elif isinstance(statement, If):
            then = _after(statement.then, known, flattener)
            otherwise = _after(statement.otherwise, known, flattener)
            decided = _degree(statement.test, known, flattener) > Degree.FREE
            for x in then.keys() | otherwise.keys():
                both = _plus(then.get(x, Degree.FREE), otherwise.get(x, Degree.FREE))
                changed = then.get(x) != known.get(x) or otherwise.get(x) != known.get(x)
                known[x] = Degree.OTHER if decided and changed else both
        elif isinstance(statement, Newton):
            solved = _newton(statement, known, flattener)
            known |= dict.fromkeys(statement.states, solved)
    return known


def _newton(step: Newton, known: dict[str, Degree], flattener: Flattener) -> Degree:
    """An implicit step is linear where its equations are, in all of its states."""
    body, needed = prune(step.body, set(step.results), flattener)
    if all(known.get(x, Degree.FREE) <= Degree.FREE for x in (*step.states, *needed)):
        return Degree.FREE
    found = _after(body, known | dict.fromkeys(step.states, Degree.LINEAR), flattener)
    rates = all(found.get(x) in (Degree.ZERO, Degree.LINEAR) for x in step.rates)
    slopes = all(found[x] <= Degree.FREE for _, x in step.jacobian or ())
    return Degree.LINEAR if rates and slopes and not step.conserved else Degree.OTHER


def _plus(a: Degree, b: Degree) -> Degree:
    if Degree.ZERO in (a, b):
        return max(a, b)
    return a if a == b else Degree.OTHER


def _degree(expr: Expr, known: dict[str, Degree], flattener: Flattener) -> Degree:
    if isinstance(expr, Num):
        return Degree.FREE if expr.value else Degree.ZERO
    if isinstance(expr, Var):
        return known.get(expr.name, Degree.FREE)
    if isinstance(expr, Neg):
        return _degree(expr.arg, known, flattener)
    if isinstance(expr, Bin):
        left, right = _degree(expr.left, known, flattener), _degree(expr.right, known, flattener)
        if expr.op in ("+", "-"):
            return _plus(left, right)
        if expr.op == "*":
            if Degree.ZERO in (left, right):
                return Degree.ZERO
            return max(left, right) if Degree.FREE in (left, right) else Degree.OTHER
        if expr.op == "/" and right <= Degree.FREE:
            return left
        return Degree.FREE if max(left, right) <= Degree.FREE else Degree.OTHER
    free = all(known.get(x, Degree.FREE) <= Degree.FREE for x in flattener.reads(expr))
    if isinstance(expr, Call):
        free = free and all(_degree(arg, known, flattener) <= Degree.FREE for arg in expr.args)
    return Degree.FREE if free else Degree.OTHER
