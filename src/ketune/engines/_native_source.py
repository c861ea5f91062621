"""The C++ source of one cell's kernel, and the numbers that go with it: a fixed frame around the printed mechanisms."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from ketune.engines import _rate_tables as rate_tables
from ketune.engines._native_body import SIGNATURES
from ketune.engines._native_data import CellSource
from ketune.engines._native_ions import VaryingIons
from ketune.engines._native_part import CellTables
from ketune.engines._native_placement import IonsPrinter, MechanismPrinter, Printed
from ketune.engines.twin import Parameters, Twin


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
        self._mechanisms: list[MechanismPrinter | IonsPrinter] = []
        if twin.ions.varying:
            self._mechanisms.append(IonsPrinter(twin, self.ions, position))
        for placement in twin.placements:
            self._mechanisms.append(
                MechanismPrinter(twin, self.ions, placement, len(self._mechanisms), position)
            )

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
        tables, adjoint = CellTables(self.twin.dtype), wrt is not None
        printed, sums = [], {}
        for m in self._mechanisms:
            names = None if wrt is None else wrt.get(m.label, ())
            one, of_it = m.print(parameters[m.label], initial[m.label], tables, names)
            printed.append(one)
            if of_it is not None:
                sums[m.label] = of_it
        jump_lanes = max((p.data.jump.shape[2] for p in printed), default=1)
        names = [*SIGNATURES] if adjoint else ["currents", "states"]
        ports = list(self.twin.ports.values())
        head, foot = kernel_file("step.hpp").split("// PRINTED\n")
        text = "\n".join(
            [
                *(["#define DOUBLE"] if self.twin.dtype == np.float64 else []),
                *(["#define ADJOINT"] if adjoint else []),
                kernel_file("vector.hpp"),
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
def kernel_file(name: str) -> str:
    return resources.files("ketune.engines").joinpath("kernel", name).read_text(encoding="utf-8")


def _everywhere(name: str, printed: Sequence[Printed]) -> list[str]:
    """A function that calls each placement's where it is present, an adjoint the last one's first."""
    signature = SIGNATURES[name]
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
    ports: Sequence[Sequence[str]],
    mechanisms: Sequence[MechanismPrinter | IonsPrinter],
    printed: Sequence[Printed],
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
