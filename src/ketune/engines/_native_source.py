"""The C++ source of one cell's kernel, and the numbers that go with it: a fixed frame around the printed mechanisms."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cache, partial
from importlib import resources
from typing import Any

import numpy as np

from ketune._jax import jax, jnp
from ketune.cell import Placement
from ketune.engines import _rate_tables as rate_tables
from ketune.engines._elementwise import Statements, traced
from ketune.engines._native_ions import VaryingIons, slope_name
from ketune.engines._numerical import elementwise
from ketune.engines._program import Program, program
from ketune.engines.twin import IONS, Parameters, Twin
from ketune.mechanisms import Mechanism

_MOST_ATTEMPTS = 24
# Rows may differ in the constants of their rates; beyond this many kinds rates are computed directly.
_MOST_GROUPS = 16


@dataclass(frozen=True, eq=False)
class FunctionData:
    """Numbers that one printed function reads at each row of its placement.

    Attributes
    ----------
    constants, by_lane
        ``(rows, constants)``, and ``(rows, constants, lanes)`` of those that differ between lanes.
    table_of
        Where its tables begin, ``(rows, 1)``; ``(rows, 0)`` without tables.
    n_sums
        How many sums it collects.
    """

    constants: np.ndarray
    by_lane: np.ndarray
    table_of: np.ndarray
    n_sums: int


@dataclass(frozen=True, eq=False)
class PlacementData:
    """Numbers of one placement, rows in the order of the nodes.

    Attributes
    ----------
    label
        Of the placement; "ions" for the ions that vary, which come first.
    compartments
        The compartment of each row.
    state, state_names
        At the start of a run, ``(rows, states, 1 or lanes)``.
    jump
        What an event of weight 1 adds to each state, in the same shape.
    functions
        By name: "currents", "states", and "currents_adjoint" and "states_adjoint" where there is an adjoint.
    """

    label: str
    compartments: np.ndarray
    state: np.ndarray
    state_names: tuple[str, ...]
    jump: np.ndarray
    functions: dict[str, FunctionData]


@dataclass(frozen=True, eq=False)
class CellSource:
    """Source and data of a cell; cells that differ in numbers only share the source.

    Attributes
    ----------
    tables
        Coefficients of all rate tables.
    sums
        By label, what the adjoint collects.
    """

    text: str
    placements: tuple[PlacementData, ...]
    tables: np.ndarray
    sums: Mapping[str, Sums]

    def number(self, label: str) -> int:
        """Of a placement, in the order of the kernel."""
        return next(k for k, p in enumerate(self.placements) if p.label == label)


class CellPrinter:
    """Prints the kernel of a twin, again and again for other parameters.

    Parameters
    ----------
    twin
        What is printed.
    position
        Place of each compartment in the order of elimination.
    """

    def __init__(self, twin: Twin, position: np.ndarray) -> None:
        self.twin = twin
        self.ions = VaryingIons(twin)
        self._mechanisms: list[_Mechanism | _Ions] = []
        if twin.ions.varying:
            self._mechanisms.append(_Ions(twin, self.ions, position))
        for placement in twin.placements:
            self._mechanisms.append(_Mechanism(twin, self.ions, placement, len(self._mechanisms), position))

    def print(
        self,
        parameters: Parameters,
        initial: Mapping[str, Any],
        *,
        wrt: Mapping[str, Collection[str]] | None = None,
    ) -> CellSource:
        """Source and numbers for these parameters.

        Parameters
        ----------
        wrt
            With it the adjoint too: by label the parameters, given and derived, whose derivatives are asked for.

        Raises
        ------
        UnprintableError
            A mechanism uses an operation that has no C++ form here.
        """
        tables, adjoint = _Tables(self.twin.dtype), wrt is not None
        printed, sums = [], {}
        for m in self._mechanisms:
            names = None if wrt is None else wrt.get(m.label, ())
            one, of_it = m.print(parameters[m.label], initial[m.label], tables, names)
            printed.append(one)
            if of_it is not None:
                sums[m.label] = of_it
        jump_lanes = max((p.data.jump.shape[2] for p in printed), default=1)
        names = [*_SIGNATURES] if adjoint else ["currents", "states"]
        ports = list(self.twin.ports.values())
        head, foot = _kernel_file("step.hpp").split("// PRINTED\n")
        text = "\n".join(
            [
                *(["#define DOUBLE"] if self.twin.dtype == np.float64 else []),
                *(["#define ADJOINT"] if adjoint else []),
                _kernel_file("vector.hpp"),
                f"enum {{ JUMP_LANES = {jump_lanes} }};",
                f"enum {{ SPARE = {rate_tables.SPARE} }};",
                f"const real LOWEST_mV = {rate_tables.RANGE_mV[0]!r}, PIECES_PER_mV = real({tables.pieces_per_mV!r});",
                head,
                *(p.functions for p in printed),
                *(line for name in names for line in _everywhere(name, printed)),
                *_delivery(ports, self._mechanisms, printed),
                *(_delivery_adjoint(ports, self._mechanisms, printed) if adjoint else []),
                foot,
            ]
        )
        return CellSource(text, tuple(p.data for p in printed), tables.packed(), sums)


@cache
def _kernel_file(name: str) -> str:
    return resources.files("ketune.engines").joinpath("kernel", name).read_text(encoding="utf-8")


_SIGNATURES = {
    "currents": "V v, V& d, V& r",
    "states": "V v, V x",
    "currents_adjoint": "V v, V minus_y, V minus_yx, V& bar",
    "states_adjoint": "V v, V x, V& bar, V& x_bar",
}


def _everywhere(name: str, printed: Sequence[_Printed]) -> list[str]:
    """A function that calls each placement's where it is present, an adjoint the last one's first."""
    signature = _SIGNATURES[name]
    in_order = [*enumerate(printed)]
    arguments = ", ".join(x.split()[-1] for x in signature.split(", "))
    return [
        f"INLINE void {name}(Cursor& q, uint64_t present, {signature}) {{",
        "    const Place at = locate(v, LOWEST_mV, PIECES_PER_mV, PIECES - SPARE);",
        *(
            f"    if (present & (uint64_t(1) << {k})) {name}_{k}(q, at, {arguments});"
            for k, p in (in_order[::-1] if name.endswith("adjoint") else in_order)
            if name in p.data.functions
        ),
        "}",
    ]


def _receivers(
    ports: Sequence[Sequence[str]], mechanisms: Sequence[_Mechanism | _Ions], printed: Sequence[_Printed]
) -> Iterator[tuple[int, int, list[int]]]:
    """(port, placement, states that change) of all that hear events."""
    for port, labels in enumerate(ports):
        for k, (m, p) in enumerate(zip(mechanisms, printed, strict=True)):
            if m.label in labels:
                yield port, k, p.jumping


def _delivery(ports: Any, mechanisms: Any, printed: Any) -> list[str]:
    return [
        "INLINE void deliver(const Task& task, V* s, int64_t node, int port, int lane, real weight) {",
        "    int64_t at;",
        *(
            f"    if (port == {port} && (at = task.state_of[{k} * task.n_nodes + node]) >= 0) {{ "
            + " ".join(
                f"((real*)(s + at + {j}))[lane] += jump_of(task, at + {j}, lane) * weight;" for j in states
            )
            + " }"
            for port, k, states in _receivers(ports, mechanisms, printed)
        ),
        "}",
    ]


def _delivery_adjoint(ports: Any, mechanisms: Any, printed: Any) -> list[str]:
    lines = [
        "INLINE real deliver_adjoint(const Task& task, const Reverse& back, int64_t node, int port, int lane,",
        "                            real weight) {",
        "    V* const sb = back.adjoint + task.n_nodes;",
        "    real total = 0;",
        "    int64_t at;",
    ]
    for port, k, states in _receivers(ports, mechanisms, printed):
        lines.append(f"    if (port == {port} && (at = task.state_of[{k} * task.n_nodes + node]) >= 0) {{")
        for j in states:
            lines += [
                f"        const real b{j} = ((real*)(sb + at + {j}))[lane];",
                f"        total += b{j} * jump_of(task, at + {j}, lane);",
                f"        if (back.jump) ((real*)(back.jump + at + {j}))[lane] += b{j} * weight;",
            ]
        lines.append("    }")
    return [*lines, "    return total;", "}"]


class _Tables:
    """Rate tables of a whole cell, one after the other."""

    def __init__(self, dtype: np.dtype) -> None:
        self.itemsize = dtype.itemsize
        low, high = rate_tables.RANGE_mV
        self.pieces_per_mV = (rate_tables.PIECES[self.itemsize] - rate_tables.SPARE) / (high - low)
        self._parts: list[np.ndarray] = []

    def add(self, groups: np.ndarray) -> np.ndarray:
        """Put tables ``(groups, ...)`` behind the others; where each group begins."""
        begin = sum(part.size for part in self._parts)
        self._parts.append(groups)
        return begin + np.arange(len(groups)) * (groups.size // len(groups))

    def packed(self) -> np.ndarray:
        return np.concatenate([t.ravel() for t in self._parts]) if self._parts else np.zeros(1)


@dataclass(frozen=True, eq=False)
class _Printed:
    functions: str
    data: PlacementData
    jumping: list[int]


@dataclass(frozen=True, eq=False)
class Sums:
    """What the adjoint collects for a placement.

    Attributes
    ----------
    to_parameters
        Sums of currents and states, ``(rows, sums, lanes)``, and of the events' jumps, ``(rows, states, lanes)``, to
        the derivatives with respect to the parameters (given and derived) asked for, ``(rows, 1 or lanes)``.
    """

    to_parameters: Callable[[Sequence[np.ndarray]], dict[str, np.ndarray]]


class _Part:
    """One function of a mechanism: its program, and what was found out about it for the parameters at hand.

    Attributes
    ----------
    constants
        Of the program, ``(rows, 1)`` or ``(rows, lanes)`` each.
    tables
        Of each rate, ``(groups, levels, pieces)``, a group for all rows whose rates have the same constants; None where
        rates are computed directly.
    group
        Of each row.
    """

    def __init__(self, whole: Program, itemsize: int) -> None:
        self.whole = self.program = whole
        self._once: dict[tuple[Any, ...], Any] = {}
        self.itemsize = itemsize
        self.constants: list[Any] = []
        self.tables: list[np.ndarray] | None = None
        self.group = np.empty(0, int)
        self._slopes: tuple[Any, list[np.ndarray] | None] | None = None
        self._values = np.empty((0, 0))  # of the rates' constants, a row for each group

    def once(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        """What follows from the program alone, made at its first use."""
        whole = (id(self.program), *key)
        if whole not in self._once:
            self._once[whole] = (self.program, make())  # kept with its program, whose identity is the key
        return self._once[whole][1]

    def evaluated(self, p: dict[str, Any]) -> list[np.ndarray]:
        """The constants for parameters ``(rows, 1)`` or ``(rows, lanes)``, in such shapes."""
        program, names = self.program, list(p)
        if not program.n_constants:
            return []

        def function(x: list[Any]) -> list[Any]:
            return program.constants(dict(zip(names, x, strict=True)))

        evaluate = self.once(("constants", *names), lambda: elementwise(function, len(names)))
        found = evaluate([p[name] for name in names])
        rows, lanes = (max(np.shape(x)[axis] for x in p.values()) for axis in (0, 1))
        wide = {name for name, x in p.items() if np.shape(x)[1] > 1}
        return [
            np.broadcast_to(c, (rows, lanes if wide & origins else 1))
            for c, origins in zip(found, program.of_parameter, strict=True)
        ]

    def prepare(self, p: dict[str, Any]) -> None:
        """Evaluate the constants, and find tables of the rates where there may be some."""
        for _ in range(_MOST_ATTEMPTS):
            self.constants = self.evaluated(p)
            used = [np.asarray(c) for c, u in zip(self.constants, self.program.in_rates, strict=True) if u]
            if not self.program.n_rates or any(c.shape[1] > 1 for c in used):
                break
            together = np.concatenate([*used, np.zeros((len(used[0]) if used else 1, 1))], axis=1)
            values, self.group = np.unique(together, axis=0, return_inverse=True)
            self.group = self.group.reshape(-1)
            if len(values) > _MOST_GROUPS:
                break
            if self.tables is not None and np.array_equal(values, self._values):
                return
            found, failed = _by_rate(
                [rate_tables.tables(self._rates_of(row), self.itemsize) for row in values]
            )
            if not failed:
                self.tables, self._values = found, values
                return
            self.program, self.tables = self.program.without(failed), None
        self.program, self.tables = self.whole, None
        self.constants = self.evaluated(p)

    def _placed(self, used: np.ndarray) -> list[Any]:
        """A group's constants; those that no rate needs are left 0."""
        given = iter(used)
        return [jnp.asarray(next(given) if u else 0.0, jnp.float64) for u in self.program.in_rates]

    def _rates_of(self, used: np.ndarray) -> rate_tables.Rates:
        constants = self._placed(used)
        return _of_voltage(lambda v: self.program.rates(v, constants))

    def slopes(self, constants: Sequence[int]) -> list[np.ndarray] | None:
        """Tables of the rates' derivatives with respect to some constants, for each of these rate after rate."""
        if self.tables is None:
            return None
        if not constants:
            return []

        def of_group(used: np.ndarray) -> rate_tables.Rates:
            given = self._placed(used)

            def along(k: int, v: Any) -> Any:
                at = lambda x: self.program.rates(v, [*given[:k], x, *given[k + 1 :]])  # noqa: E731
                return jax.jvp(at, (given[k],), (jnp.ones_like(given[k]),))[1]

            return _of_voltage(lambda v: [y for k in constants for y in along(k, v)])

        key = (tuple(constants), self._values.tobytes())
        if self._slopes is None or self._slopes[0] != key:
            found, failed = _by_rate(
                [rate_tables.tables(of_group(row), self.itemsize, slopes=True) for row in self._values]
            )
            self._slopes = (key, None if failed else found)
        return self._slopes[1]


def _of_voltage(function: Callable[[Any], list[Any]]) -> rate_tables.Rates:
    evaluate = elementwise(lambda x: function(x[0]), 1)
    return lambda v: np.stack([np.broadcast_to(y, v.shape) for y in evaluate([v])])


def _by_rate(groups: Sequence[Sequence[np.ndarray | None]]) -> tuple[list[np.ndarray], list[int]]:
    """Tables of each rate, those of all groups in one form, and which rates have none."""
    result, failed = [], []
    for k, of_rate in enumerate(zip(*groups, strict=True)):
        known = [t for t in of_rate if t is not None]
        if len(known) < len(of_rate):
            failed.append(k)
            continue
        result.append(rate_tables.alike(known))
    return result, failed


def _differentiable(part: Program, p: dict[str, Any]) -> list[Any]:
    """A program's constants as JAX computes them, in the shapes of :meth:`_Part.evaluated`."""
    if not part.n_constants:
        return []
    rows, lanes = (max(np.shape(x)[axis] for x in p.values()) for axis in (0, 1))
    wide = {name for name, x in p.items() if np.shape(x)[1] > 1}
    full = {name: jnp.broadcast_to(x, (rows, lanes)) for name, x in p.items()}
    found = jax.vmap(jax.vmap(part.constants))(full)
    numbers = [jnp.asarray(c, jnp.float64) for c in found]
    return [c if wide & origins else c[:, :1] for c, origins in zip(numbers, part.of_parameter, strict=True)]


class _Mechanism:
    """One placement as a printer of its functions ``currents_k``, ``states_k``, ``deliver_k`` and their adjoints."""

    def __init__(
        self, twin: Twin, ions: VaryingIons, placement: Placement, k: int, position: np.ndarray
    ) -> None:
        self.twin, self.k, self.label, self.mechanism = twin, k, placement.label, placement.mechanism
        self.ions, self.access = ions, ions.access(placement)
        self.order = np.argsort(position[placement.compartments], kind="stable")
        self.compartments = placement.compartments[self.order]
        self.heard = any(self.label in labels for labels in twin.cell.ports.values())
        self._parts: tuple[list[str], list[str], _Part, _Part] | None = None

    def _p(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Parameters on the placement's rows, in the order of the nodes."""
        own, n = self.twin.own_rows(self.label), len(self.compartments)
        scale = {"to nA": self.twin.to_nA[self.label]}
        p = {name: self._rows(x, own, n) for name, x in {**parameters, **scale}.items()}
        if self.access.totals:
            to_total = self.twin.ions.to_mA_cm2(self.twin.cell.placement(self.label))
            p["to mA/cm2"] = np.broadcast_to(to_total, (n, 1))[self.order]
        return p

    def _rows(self, value: Any, own: np.ndarray | None, n: int) -> Any:
        """A value of the twin's rows on the placement's own, ``(n, 1)`` or ``(n, lanes)``."""
        x = np.asarray(value, np.float64)
        if x.ndim < 2:
            return np.broadcast_to(x, (n, 1))
        if x.shape[0] > 1:
            x = (x if own is None else x[own])[self.order]
        return np.broadcast_to(x, (n, x.shape[1]))

    def _traced(self, p: dict[str, Any], states: list[str]) -> tuple[list[str], list[str], _Part, _Part]:
        if self._parts is None:
            mechanism, access, n = self.mechanism, self.access, len(states)

            def current(v: Any, x: Sequence[Any], p: dict[str, Any]) -> list[Any]:
                s, p = (
                    dict(zip(states, x, strict=False)),
                    p | dict(zip(access.current_reads, x[n:], strict=True)),
                )
                at_v, slopes, slope = _linearised(mechanism, v, s, p)
                collected = [at_v, slopes] if self.ions.corrected else [at_v]
                shares = [
                    each.get(name, 0.0) * p["to mA/cm2"] for each in collected for name in access.totals
                ]
                return [mechanism.total(at_v) * p["to nA"], slope * p["to nA"], *shares]

            def advance(v: Any, x: Sequence[Any], p: dict[str, Any]) -> list[Any]:
                old, ions = x[:n], dict(zip(access.advance_reads, x[n:], strict=True))
                new = self.twin.advanced(mechanism, v, dict(zip(states, old, strict=True)), p | ions)
                written = [
                    new.get(name, ions[name]) for name in access.advance_reads if name in access.writes
                ]
                return [new.get(name, x) for name, x in zip(states, old, strict=True)] + written

            names, dtype = sorted(p), np.dtype(np.float64)

            def part(function: Any, n_read: int) -> _Part:
                return _Part(program(function, n + n_read, names, dtype), self.twin.dtype.itemsize)

            self._parts = (
                states,
                names,
                part(current, len(access.current_reads)),
                part(advance, len(access.advance_reads)),
            )
        return self._parts

    def print(
        self,
        parameters: dict[str, Any],
        initial: dict[str, Any],
        tables: _Tables,
        wrt: Collection[str] | None,
    ) -> tuple[_Printed, Sums | None]:
        p = self._p(parameters)
        states, _, current, advance = self._traced(p, list(initial))
        n, rows, own = len(states), len(self.compartments), self.twin.own_rows(self.label)
        for part in (current, advance):
            part.prepare(p)
        names = frozenset() if wrt is None else frozenset(wrt)
        selected = [
            [j for j, origins in enumerate(part.program.of_parameter) if origins & names]
            for part in (current, advance)
        ]
        jump = self.mechanism.event_jump(p) if self.heard else {}
        jumping = sorted(states.index(name) for name in jump)
        text, functions = [], {}
        for name, part, chosen in (("currents", current, selected[0]), ("states", advance, selected[1])):
            wires = self._wires(name, n)
            if not (n or wires.results if name == "states" else n or self.mechanism.currents):
                continue
            body = _Body(part, tables, None if wrt is None else chosen)
            text += _value(name, self.k, body, wires, n)
            functions[name] = body.data(rows, 0)
            if wrt is not None:
                body = body.again()
                text += _adjoint(name, self.k, body, wires, n)
                functions[f"{name}_adjoint"] = body.data(rows, len(chosen))
        data = PlacementData(
            label=self.label,
            compartments=self.compartments,
            state=_stacked([self._rows(initial[name], own, rows) for name in states], rows),
            state_names=tuple(states),
            jump=_stacked([jump.get(name, np.zeros((rows, 1))) for name in states], rows),
            functions=functions,
        )
        sums = None
        if names:
            sums = Sums(
                partial(self._chain, p, names, [current.program, advance.program], selected, jumping, states)
            )
        return _Printed("\n".join(text), data, jumping), sums

    def _chain(
        self,
        p: dict[str, Any],
        names: frozenset[str],
        programs: list[Program],
        selected: list[list[int]],
        jumping: list[int],
        states: list[str],
        sums: Sequence[np.ndarray],
    ) -> dict[str, np.ndarray]:
        """Sums to derivatives, on the placement's rows in its own order."""
        rows = len(self.compartments)

        def collected(chosen: dict[str, Any]) -> list[Any]:
            full = p | chosen
            of_parts = [_differentiable(part, full) for part in programs]
            jump = self.mechanism.event_jump(full) if jumping else {}
            return [of_parts[m][j] for m, which in enumerate(selected) for j in which] + [
                jnp.broadcast_to(jump[states[j]], jnp.broadcast_shapes(jnp.shape(jump[states[j]]), (rows, 1)))
                for j in jumping
            ]

        chosen = {name: p[name] for name in names if name in p}
        values, pull = jax.vjp(collected, chosen)
        columns = [
            *(sums[m][:, j] for m, which in enumerate(selected) for j in range(len(which))),
            *(sums[2][:, j] for j in jumping),
        ]
        (result,) = pull(
            [
                jnp.asarray(c if x.shape[1] > 1 else c.sum(axis=1, keepdims=True), x.dtype)
                for c, x in zip(columns, values, strict=True)
            ]
        )
        back = np.argsort(self.order)
        return {name: np.asarray(x)[back] for name, x in result.items()}

    def _wires(self, name: str, n: int) -> Wires:
        access, ions = self.access, self.ions
        own = [f"q.s[{j}]" for j in range(n)]
        if name == "currents":
            totals = [*access.totals, *(map(slope_name, access.totals) if ions.corrected else ())]
            inputs = [ions.at(x) for x in access.current_reads]
            return Wires(
                inputs=[*own, *inputs],
                inputs_back=[*own, *inputs],
                results=[
                    "d += {1};",
                    "r -= {0};",
                    *(f"{ions.at(x)} += {{{j}}};" for j, x in enumerate(totals, 2)),
                ],
                bars=["minus_y", "minus_yx", *map(ions.bar, totals)],
                inputs_bar=[
                    *(f"q.sb[{j}] += {{}};" for j in range(n)),
                    *(f"{ions.bar(x)} += {{}};" for x in access.current_reads),
                ],
            )
        written = [x for x in access.advance_reads if x in access.writes]
        return Wires(
            inputs=[*own, *map(ions.at, access.advance_reads)],
            inputs_back=[*own, *(ions.at_back(x, after=x in access.after) for x in access.advance_reads)],
            results=[f"{x} = {{{j}}};" for j, x in enumerate([*own, *map(ions.at, written)])],
            bars=[*(f"q.sb[{j}]" for j in range(n)), *map(ions.bar, written)],
            inputs_bar=[
                *(f"q.sb[{j}] = {{}};" for j in range(n)),
                *(f"{ions.bar(x)} {'=' if x in access.writes else '+='} {{}};" for x in access.advance_reads),
            ],
        )


class _Ions:
    """The ions that vary as a printer of the functions of a placement."""

    heard = False

    def __init__(self, twin: Twin, ions: VaryingIons, position: np.ndarray) -> None:
        self.twin, self.k, self.label, self.ions = twin, 0, IONS, ions
        self.order = np.argsort(position[ions.compartments], kind="stable")
        self._part: _Part | None = None

    def print(
        self,
        parameters: dict[str, Any],
        initial: dict[str, Any],
        tables: _Tables,
        wrt: Collection[str] | None,
    ) -> tuple[_Printed, Sums | None]:
        ions, rows, n = self.ions, len(self.order), len(self.ions.names)
        p = ions.parameters(parameters, self.order)
        if self._part is None:
            whole = program(lambda _, x, p: ions.begun(x, p), n, sorted(p), np.dtype(np.float64))
            self._part = _Part(whole, self.twin.dtype.itemsize)
        self._part.prepare(p)
        body = _Body(self._part, tables, None if wrt is None else [])
        own = [f"q.s[{j}]" for j in range(n)]
        wires = Wires(
            inputs=own,
            inputs_back=own,
            results=[f"{x} = {{{j}}};" for j, x in enumerate(own)],
            bars=[f"q.sb[{j}]" for j in range(n)],
            inputs_bar=[f"q.sb[{j}] = {{}};" for j in range(n)],
        )
        text = [*_value("currents", self.k, body, wires, n), *ions.to_middle(self.k)]
        nothing = FunctionData(np.empty((rows, 0)), np.empty((rows, 0, 1)), np.empty((rows, 0), int), 0)
        functions = {"currents": body.data(rows, 0), "states": nothing}
        if wrt is not None:
            body = body.again()
            text += [*_adjoint("currents", self.k, body, wires, n), *ions.to_middle_adjoint(self.k)]
            functions |= {"currents_adjoint": body.data(rows, 0), "states_adjoint": nothing}
        at = ions.compartments[self.order]
        state = [np.asarray(initial[x])[at] if x in initial else np.zeros((rows, 1)) for x in ions.names]
        data = PlacementData(
            label=self.label,
            compartments=at,
            state=_stacked(state, rows),
            state_names=ions.names,
            jump=np.zeros((rows, n, 1)),
            functions=functions,
        )
        return _Printed("\n".join(text), data, []), None


def _linearised(
    mechanism: Mechanism, v: Any, s: dict[str, Any], p: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any], Any]:
    """Each current, its slope, and that of the total: the derivative, or what the file states as CONDUCTANCE."""

    def currents(v: Any) -> dict[str, Any]:
        return {name: jnp.asarray(i, v.dtype) for name, i in mechanism.currents_by_name(v, s, p).items()}

    if mechanism.conductance is not None:
        slopes = mechanism.ion_conductances(v, s, p) if mechanism.ion_conductances else {}
        return currents(v), slopes, jnp.asarray(mechanism.conductance(v, s, p), v.dtype)
    at_v, slopes = jax.jvp(currents, (v,), (jnp.ones_like(v),))
    return at_v, slopes, mechanism.total(slopes)


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


def _value(name: str, k: int, body: _Body, wires: Wires, n: int) -> list[str]:
    """The function of placement ``k``, which has ``n`` states."""
    inner, results = body.value([f"x{j}_" for j in range(len(wires.inputs))])
    return [
        f"INLINE void {name}_{k}(Cursor& q, const Place& at, {_SIGNATURES[name]}) {{",
        *body.locals(),
        *(f"    const V x{j}_ = {x}; (void)x{j}_;" for j, x in enumerate(wires.inputs)),
        *inner,
        *(f"    {line.format(*results)}" for line in wires.results),
        *body.onward(0),
        *([f"    q.s += {n};"] if n else []),
        "}",
    ]


def _adjoint(name: str, k: int, body: _Body, wires: Wires, n: int) -> list[str]:
    """Its adjoint."""
    bars = [f"b{j}_" for j in range(len(wires.bars))]
    inner, v_bar, x_bar, c_bar = body.adjoint([f"x{j}_" for j in range(len(wires.inputs))], bars)
    return [
        f"INLINE void {name}_adjoint_{k}(Cursor& q, const Place& at, {_SIGNATURES[f'{name}_adjoint']}) {{",
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


def _stacked(arrays: Sequence[Any], rows: int) -> np.ndarray:
    """Arrays ``(rows, 1)`` or ``(rows, lanes)`` side by side, ``(rows, arrays, 1 or lanes)``."""
    lanes = max([np.shape(x)[1] for x in arrays if np.ndim(x) == 2], default=1)
    if not arrays:
        return np.empty((rows, 0, 1))
    return np.stack([np.broadcast_to(np.asarray(x), (rows, lanes)) for x in arrays], axis=1)


class _Body:
    """Statements of one part: its value, or its adjoint with respect to voltage, states and some constants."""

    def __init__(self, part: _Part, tables: _Tables, selected: list[int] | None) -> None:
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

    def again(self) -> _Body:
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
            _stacked(constants, rows)[:, :, 0],
            _stacked(by_lane, rows),
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
