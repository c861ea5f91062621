"""Printers of the functions of one placement: a mechanism, or the ions that vary."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ketune._jax import jax, jnp
from ketune.cell import Placement
from ketune.engines._native_body import Body, Wires, adjoint_function, value_function
from ketune.engines._native_data import FunctionData, PlacementData, Sums, stacked
from ketune.engines._native_ions import VaryingIons, slope_name
from ketune.engines._native_part import CellTables, Part, differentiable_constants
from ketune.engines._program import Program, program
from ketune.engines.twin import IONS, Twin
from ketune.mechanisms import Mechanism


@dataclass(frozen=True, eq=False)
class Printed:
    """A placement's functions in C++, its numbers, and which of its states an event changes."""

    functions: str
    data: PlacementData
    jumping: list[int]


class MechanismPrinter:
    """One placement as a printer of its functions ``currents_k``, ``states_k``, ``deliver_k`` and their adjoints."""

    def __init__(
        self, twin: Twin, ions: VaryingIons, placement: Placement, k: int, position: np.ndarray
    ) -> None:
        self.twin, self.k, self.label, self.mechanism = twin, k, placement.label, placement.mechanism
        self.ions, self.access = ions, ions.access(placement)
        self.order = np.argsort(position[placement.compartments], kind="stable")
        self.compartments = placement.compartments[self.order]
        self.heard = any(self.label in labels for labels in twin.cell.ports.values())
        self._parts: tuple[list[str], list[str], Part, Part] | None = None

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

    def _traced(self, p: dict[str, Any], states: list[str]) -> tuple[list[str], list[str], Part, Part]:
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

            def part(function: Any, n_read: int) -> Part:
                return Part(program(function, n + n_read, names, dtype), self.twin.dtype.itemsize)

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
        tables: CellTables,
        wrt: Collection[str] | None,
    ) -> tuple[Printed, Sums | None]:
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
            body = Body(part, tables, None if wrt is None else chosen)
            text += value_function(name, self.k, body, wires, n)
            functions[name] = body.data(rows, 0)
            if wrt is not None:
                body = body.again()
                text += adjoint_function(name, self.k, body, wires, n)
                functions[f"{name}_adjoint"] = body.data(rows, len(chosen))
        data = PlacementData(
            label=self.label,
            compartments=self.compartments,
            state=stacked([self._rows(initial[name], own, rows) for name in states], rows),
            state_names=tuple(states),
            jump=stacked([jump.get(name, np.zeros((rows, 1))) for name in states], rows),
            functions=functions,
        )
        sums = None
        if names:
            sums = Sums(
                partial(self._chain, p, names, [current.program, advance.program], selected, jumping, states)
            )
        return Printed("\n".join(text), data, jumping), sums

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
            of_parts = [differentiable_constants(part, full) for part in programs]
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


class IonsPrinter:
    """The ions that vary as a printer of the functions of a placement."""

    heard = False

    def __init__(self, twin: Twin, ions: VaryingIons, position: np.ndarray) -> None:
        self.twin, self.k, self.label, self.ions = twin, 0, IONS, ions
        self.order = np.argsort(position[ions.compartments], kind="stable")
        self._part: Part | None = None

    def print(
        self,
        parameters: dict[str, Any],
        initial: dict[str, Any],
        tables: CellTables,
        wrt: Collection[str] | None,
    ) -> tuple[Printed, Sums | None]:
        ions, rows, n = self.ions, len(self.order), len(self.ions.names)
        p = ions.parameters(parameters, self.order)
        if self._part is None:
            whole = program(lambda _, x, p: ions.begun(x, p), n, sorted(p), np.dtype(np.float64))
            self._part = Part(whole, self.twin.dtype.itemsize)
        self._part.prepare(p)
        body = Body(self._part, tables, None if wrt is None else [])
        own = [f"q.s[{j}]" for j in range(n)]
        wires = Wires(
            inputs=own,
            inputs_back=own,
            results=[f"{x} = {{{j}}};" for j, x in enumerate(own)],
            bars=[f"q.sb[{j}]" for j in range(n)],
            inputs_bar=[f"q.sb[{j}] = {{}};" for j in range(n)],
        )
        text = [*value_function("currents", self.k, body, wires, n), *ions.to_middle(self.k)]
        nothing = FunctionData(np.empty((rows, 0)), np.empty((rows, 0, 1)), np.empty((rows, 0), int), 0)
        functions = {"currents": body.data(rows, 0), "states": nothing}
        if wrt is not None:
            body = body.again()
            text += [*adjoint_function("currents", self.k, body, wires, n), *ions.to_middle_adjoint(self.k)]
            functions |= {"currents_adjoint": body.data(rows, 0), "states_adjoint": nothing}
        at = ions.compartments[self.order]
        state = [np.asarray(initial[x])[at] if x in initial else np.zeros((rows, 1)) for x in ions.names]
        data = PlacementData(
            label=self.label,
            compartments=at,
            state=stacked(state, rows),
            state_names=ions.names,
            jump=np.zeros((rows, n, 1)),
            functions=functions,
        )
        return Printed("\n".join(text), data, []), None


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
