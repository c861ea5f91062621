"""C++ functions of one part: its value, and its adjoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from ketune._jax import jax
from ketune.engines import _rate_tables as rate_tables
from ketune.engines._elementwise import Statements, traced
from ketune.engines._native_data import FunctionData, stacked
from ketune.engines._native_part import CellTables, Part

SIGNATURES = {
    "currents": "V v, V& d, V& r",
    "states": "V v, V x",
    "currents_adjoint": "V v, V minus_y, V minus_yx, V& bar",
    "states_adjoint": "V v, V x, V& bar, V& x_bar",
}


@dataclass(frozen=True)
class Wires:
    """Where a printed function takes its inputs from, and what becomes of its results.

    Attributes
    ----------
    inputs, inputs_back
        C++ expressions of them, and those that its adjoint finds.
    results
        Statements, with the number of a result in braces where that goes.
    bars
        Expressions of the results' adjoints.
    inputs_bar
        Statements that take the adjoint of each input in braces.
    """

    inputs: list[str]
    inputs_back: list[str]
    results: list[str]
    bars: list[str]
    inputs_bar: list[str]


def value_function(name: str, k: int, body: Body, wires: Wires, n: int) -> list[str]:
    """The function of placement ``k``, which has ``n`` states."""
    inner, results = body.value([f"x{j}_" for j in range(len(wires.inputs))])
    return [
        f"INLINE void {name}_{k}(Cursor& q, const Place& at, {SIGNATURES[name]}) {{",
        *body.locals(),
        *(f"    const V x{j}_ = {x}; (void)x{j}_;" for j, x in enumerate(wires.inputs)),
        *inner,
        *(f"    {line.format(*results)}" for line in wires.results),
        *body.onward(0),
        *([f"    q.s += {n};"] if n else []),
        "}",
    ]


def adjoint_function(name: str, k: int, body: Body, wires: Wires, n: int) -> list[str]:
    """Its adjoint."""
    bars = [f"b{j}_" for j in range(len(wires.bars))]
    inner, v_bar, x_bar, c_bar = body.adjoint([f"x{j}_" for j in range(len(wires.inputs))], bars)
    return [
        f"INLINE void {name}_adjoint_{k}(Cursor& q, const Place& at, {SIGNATURES[f'{name}_adjoint']}) {{",
        *([f"    q.s -= {n}; q.sb -= {n};"] if n else []),
        *body.locals(),
        *(f"    const V x{j}_ = {x}; (void)x{j}_;" for j, x in enumerate(wires.inputs_back)),
        *(f"    const V b{j}_ = {x}; (void)b{j}_;" for j, x in enumerate(wires.bars)),
        *inner,
        f"    bar += {v_bar};",
        *(f"    {line.format(x)}" for line, x in zip(wires.inputs_bar, x_bar, strict=True)),
        *(f"    q.sums[{j}] += {x};" for j, x in enumerate(c_bar)),
        *body.onward(len(c_bar)),
        "}",
    ]


class Body:
    """Statements of one part: its value, or its adjoint with respect to voltage, states and some constants."""

    def __init__(self, part: Part, tables: CellTables, selected: list[int] | None) -> None:
        self.statements, self.part = Statements(), part
        self.selected = selected or []
        self.n_rates = part.program.n_rates
        self.in_rates = [j for j, k in enumerate(self.selected) if part.program.in_rates[k]]
        slopes = None if selected is None else part.slopes([self.selected[j] for j in self.in_rates])
        self.slopes_tabled = slopes is not None
        self._begin: np.ndarray | None = None
        self._calls: list[tuple[int, int, bool]] = []
        if part.tables is not None:
            every = [*part.tables, *(slopes or [])]
            self._begin = tables.add(np.concatenate(every, axis=1))
            offset = 0
            for table in every:
                self._calls.append((offset, *rate_tables.degree_of(table)))
                offset += table[0].size

    def again(self) -> Body:
        """The same with no statement printed yet."""
        other = copy(self)
        other.statements = Statements()
        return other

    def data(self, rows: int, n_sums: int) -> FunctionData:
        """The numbers that go with what was printed."""
        constants, by_lane = self.statements.constants, self.statements.by_lane
        begin = np.empty((rows, 0), int)
        if self._begin is not None:
            begin = np.broadcast_to(self._begin[self.part.group], (rows,))[:, None]
        return FunctionData(
            stacked(constants, rows)[:, :, 0],
            stacked(by_lane, rows),
            begin,
            n_sums,
        )

    def locals(self) -> list[str]:
        """What the statements read from the cursor."""
        lines = ["    const real* c = q.c; (void)c;", "    const V* by_lane = q.by_lane; (void)by_lane;"]
        return lines if self._begin is None else [*lines, "    const real* t = q.tables + *q.table_of;"]

    def onward(self, n_sums: int) -> list[str]:
        """The cursor moves to the next placement's numbers."""
        moves = {
            "c": len(self.statements.constants),
            "by_lane": len(self.statements.by_lane),
            "table_of": int(self._begin is not None),
            "sums": n_sums,
        }
        return [f"    q.{name} += {by};" for name, by in moves.items() if by]

    def _looked_up(self, number: int, slope: str = "") -> str:
        offset, degree, broken = self._calls[number]
        name = f"{'broken_' if broken else ''}polynomial{'_slope' if slope else ''}"
        more = f", {slope}, real(2) * PIECES_PER_mV" if slope else ""
        return f"{name}<{degree}>(t + {offset}, at, v{more})"

    def _print(
        self, name: str, function: Callable[..., Any], varying: list[str]
    ) -> tuple[list[str], list[str]]:
        constants = self.part.constants
        jaxpr = self.part.once((name, *self.selected), lambda: traced(function, len(varying), len(constants)))
        return self.statements.print(jaxpr, varying, constants)

    @property
    def _f(self) -> list[str]:
        return [f"f{i}_" for i in range(self.n_rates)]

    def _rates(self, *, slopes: bool) -> list[str]:
        """Values of the rates, and where they come from tables their slopes too."""
        if not self.n_rates:
            return []
        program = self.part.program
        lines, results = self._print("rates", lambda x, c: program.rates(x[0], c), ["v"])
        direct = [*lines, *(f"{f} = {x};" for f, x in zip(self._f, results, strict=True))]
        head = [f"    V {', '.join(self._f)};"]
        if self._begin is None:
            return [*head, "    {", *_indented(direct), "    }"]
        if slopes:
            head.append(f"    V {', '.join(f'd{i}_' for i in range(self.n_rates))};")
        from_table = [
            f"f{i}_ = {self._looked_up(i, f'd{i}_' if slopes else '')};" for i in range(self.n_rates)
        ]
        return [
            *head,
            "    if (TABLES && at.inside) {",
            *_indented(from_table),
            "    } else {",
            *_indented(direct),
            "    }",
        ]

    def value(self, x: list[str]) -> tuple[list[str], list[str]]:
        program, n = self.part.program, len(x)
        lines = self._rates(slopes=False)
        more, results = self._print(
            "rest", lambda a, c: program.rest(a[0], a[1 : 1 + n], a[1 + n :], c), ["v", *x, *self._f]
        )
        return [*lines, *(f"    {line}" for line in more)], results

    def adjoint(self, x: list[str], y_bar: list[str]) -> tuple[list[str], str, list[str], list[str]]:
        """Statements, and expressions of the adjoints of voltage, states and selected constants."""
        program, n, m, chosen = self.part.program, len(x), self.n_rates, self.selected
        lines = self._rates(slopes=True)

        def rest(a: list[Any], c: list[Any]) -> list[Any]:
            v, s, f, bars = a[0], a[1 : 1 + n], a[1 + n : 1 + n + m], a[1 + n + m :]

            def outputs(v: Any, s: Any, f: Any, some: Any) -> list[Any]:
                return program.rest(v, s, f, _replaced(c, chosen, some))

            _, pull = jax.vjp(outputs, v, s, f, [c[j] for j in chosen])
            v_bar, s_bar, f_bar, c_bar = pull(list(bars))
            return [v_bar, *s_bar, *f_bar, *c_bar]

        more, results = self._print("rest adjoint", rest, ["v", *x, *self._f, *y_bar])
        v_bar, s_bar, f_bar, c_bar = (
            results[0],
            results[1 : 1 + n],
            results[1 + n : 1 + n + m],
            results[1 + n + m :],
        )
        lines += [f"    {line}" for line in more]
        if not m:
            return lines, v_bar, s_bar, c_bar

        lines += [f"    const V fb{i}_ = {x};" for i, x in enumerate(f_bar)]
        lines += [f"    V vb_ = {v_bar};", *(f"    V cb{j}_ = {x};" for j, x in enumerate(c_bar))]
        in_rates = self.in_rates

        def rates(a: list[Any], c: list[Any]) -> list[Any]:
            def outputs(v: Any, some: Any) -> list[Any]:
                return program.rates(v, _replaced(c, [chosen[j] for j in in_rates], some))

            _, pull = jax.vjp(outputs, a[0], [c[chosen[j]] for j in in_rates])
            v_bar, c_bar = pull(list(a[1:]))
            return [v_bar, *c_bar]

        more, results = self._print("rates adjoint", rates, ["v", *(f"fb{i}_" for i in range(m))])
        direct = [
            *more,
            f"vb_ += {results[0]};",
            *(f"cb{j}_ += {x};" for j, x in zip(in_rates, results[1:], strict=True)),
        ]
        tabled = self._tabled_slopes()
        if tabled is None:
            lines += ["    {", *_indented(direct), "    }"]
        else:
            lines += [
                "    if (TABLES && at.inside) {",
                *_indented(tabled),
                "    } else {",
                *_indented(direct),
                "    }",
            ]
        return lines, "vb_", s_bar, [f"cb{j}_" for j in range(len(chosen))]

    def _tabled_slopes(self) -> list[str] | None:
        if not self.slopes_tabled:
            return None
        m = self.n_rates
        return [f"vb_ += fb{i}_ * d{i}_;" for i in range(m)] + [
            f"cb{j}_ += fb{i}_ * {self._looked_up(m * (1 + a) + i)};"
            for a, j in enumerate(self.in_rates)
            for i in range(m)
        ]


def _replaced(values: Sequence[Any], at: Sequence[int], new: Sequence[Any]) -> list[Any]:
    result = list(values)
    for j, x in zip(at, new, strict=True):
        result[j] = x
    return result


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"        {line}" for line in lines]
