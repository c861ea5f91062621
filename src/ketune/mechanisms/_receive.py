"""What a NET_RECEIVE block does to a synapse, and whether synapses of one kind may share their states.

Events that only add to states whose dynamics are linear can be delivered to one set of states for all the synapses on a
compartment, because the sum of the synapses' states obeys the same equation. That holds as well where the amount
depends on the connection's own history (short-term plasticity): each event then gets its own weight beforehand.
Everything else (saturation, voltage, pulses that a synapse ends itself) needs a set of states for each synapse.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Literal

from ketune.mechanisms import _linear as lin
from ketune.mechanisms._flow import Flattener, tainted, written
from ketune.mechanisms._syntax import Assign, Bin, Body, Expr, Neg, Num, Statement, Var

Merging = Literal["none", "linear", "plastic", "separate"]
WEIGHT = "event_weight_value"


@dataclass(frozen=True)
class Receive:
    """A NET_RECEIVE, analysed.

    Attributes:
        merging: "none" (takes no events), "linear" (an event adds its weight times a constant to states), "plastic"
            (the same with a weight that the connection's history changes), or "separate".
        body: flat, with the connection's arguments and `flag` as variables.
        jumps: linear and plastic: what an event of effective weight 1 adds to each state.
        weighing: plastic: the body that sets `WEIGHT`, the effective weight, and the arguments.
        sends: prefixes of the variables of each `net_send` (`send_...`) and `net_move` (`move_...`).
    """

    merging: Merging
    body: Body
    jumps: dict[str, Expr]
    weighing: Body
    sends: tuple[str, ...]


def analyse(
    body: Body,
    arguments: tuple[str, ...],
    states: Set[str],
    held: Set[str],
    sends: tuple[str, ...],
    flattener: Flattener,
) -> Receive:
    """Analyse a flat NET_RECEIVE; `held` is everything that keeps a value between steps."""
    separate = Receive("separate", body, {}, (), sends)
    if sends or not arguments:
        return separate
    moving = {*arguments, "t", "flag"}
    dynamic = tainted(body, moving, flattener) | moving
    changed = written(body)
    if changed & (held - states):
        return separate
    jumps: dict[str, Expr] = {}
    effective: Expr | None = None
    weighing: list[Statement] = []
    frozen = False
    for statement in body:
        target = statement.target if isinstance(statement, Assign) else None
        if target not in states:
            if written((statement,)) & states:
                return separate
            frozen = frozen or (
                effective is not None and bool(written((statement,)) & lin.names_in(effective))
            )
            weighing.append(statement)
            continue
        if frozen:  # the second state would see another weight than the first
            return separate
        assert isinstance(statement, Assign)
        split = lin.linear(statement.value, statement.target)
        if split is None or split[1] != lin.ONE or statement.target in jumps:
            return separate
        fixed, own = _factors(split[0], dynamic)
        if flattener.reads(fixed) & ({"v"} | held) or flattener.reads(own) & ({"v"} | held):
            return separate
        if effective is None:
            effective = own
            weighing.append(Assign(WEIGHT, own))
        elif effective != own:
            return separate
        jumps[statement.target] = fixed
    if effective is None:
        return separate
    plain = effective == Var(arguments[0]) and not changed & {*arguments}
    return Receive("linear" if plain else "plastic", body, jumps, () if plain else tuple(weighing), ())


def _factors(expr: Expr, dynamic: Set[str]) -> tuple[Expr, Expr]:
    """(fixed, dynamic) factors of a product."""
    if isinstance(expr, Neg):
        fixed, own = _factors(expr.arg, dynamic)
        return lin.neg(fixed), own
    if isinstance(expr, Bin) and expr.op == "*":
        (a, x), (b, y) = _factors(expr.left, dynamic), _factors(expr.right, dynamic)
        return lin.mul(a, b), lin.mul(x, y)
    if isinstance(expr, Bin) and expr.op == "/":
        (a, x), (b, y) = _factors(expr.left, dynamic), _factors(expr.right, dynamic)
        return lin.div(a, b), lin.div(x, y)
    if isinstance(expr, Num) or not lin.names_in(expr) & dynamic:
        return expr, lin.ONE
    return lin.ONE, expr
