"""Expressions as a + b x, which `cnexp` and event weights need, with the arithmetic that keeps them readable."""

from __future__ import annotations

from ketune.mechanisms._syntax import Bin, Call, Expr, Neg, Not, Num, Var

ZERO = Num(0.0, "0")
ONE = Num(1.0, "1")


def names_in(expr: Expr) -> set[str]:
    """The variables that occur in an expression (not those that its functions read on their own)."""
    if isinstance(expr, Var):
        return {expr.name}
    if isinstance(expr, Neg | Not):
        return names_in(expr.arg)
    if isinstance(expr, Bin):
        return names_in(expr.left) | names_in(expr.right)
    if isinstance(expr, Call):
        return set().union(*(names_in(arg) for arg in expr.args))
    return set()


def linear(expr: Expr, name: str) -> tuple[Expr, Expr] | None:
    """(a, b) with expr = a + b name and neither containing it, or None where the expression is not of that form.

    Only the form counts: x*x - x*x is refused, as NEURON's own `cnexp` refuses it.
    """
    if name not in names_in(expr):
        return expr, ZERO
    if isinstance(expr, Var):
        return ZERO, ONE
    if isinstance(expr, Neg):
        inner = linear(expr.arg, name)
        return inner and (neg(inner[0]), neg(inner[1]))
    if not isinstance(expr, Bin):
        return None
    left, right = linear(expr.left, name), linear(expr.right, name)
    if left is None or right is None:
        return None
    if expr.op in "+-":
        combine = add if expr.op == "+" else sub
        return combine(left[0], right[0]), combine(left[1], right[1])
    if expr.op == "*" and right[1] == ZERO:
        return mul(left[0], right[0]), mul(left[1], right[0])
    if expr.op == "*" and left[1] == ZERO:
        return mul(left[0], right[0]), mul(left[0], right[1])
    if expr.op == "/" and right[1] == ZERO:
        return div(left[0], right[0]), div(left[1], right[0])
    return None


def neg(a: Expr) -> Expr:
    if a == ZERO:
        return ZERO
    return a.arg if isinstance(a, Neg) else Neg(a)


def add(a: Expr, b: Expr) -> Expr:
    if a == ZERO:
        return b
    if b == ZERO:
        return a
    return Bin("-", a, b.arg) if isinstance(b, Neg) else Bin("+", a, b)


def sub(a: Expr, b: Expr) -> Expr:
    return add(a, neg(b))


def mul(a: Expr, b: Expr) -> Expr:
    if ZERO in (a, b):
        return ZERO
    if a == ONE:
        return b
    if b == ONE:
        return a
    if isinstance(a, Neg):
        return neg(mul(a.arg, b))
    if isinstance(b, Neg):
        return neg(mul(a, b.arg))
    return Bin("*", a, b)


def div(a: Expr, b: Expr) -> Expr:
    if a == ZERO:
        return ZERO
    if b == ONE:
        return a
    return neg(div(a.arg, b)) if isinstance(a, Neg) else Bin("/", a, b)


def beyond_polynomial(expr: Expr, name: str) -> bool:
    """True where a variable stands in a denominator or inside a function, so that NEURON gives up on `cnexp`."""
    if isinstance(expr, Neg | Not):
        return beyond_polynomial(expr.arg, name)
    if isinstance(expr, Call):
        return name in names_in(expr)
    if isinstance(expr, Bin):
        if expr.op == "/" and name in names_in(expr.right):
            return True
        return beyond_polynomial(expr.left, name) or beyond_polynomial(expr.right, name)
    return False
