"""Ions that vary, in the kernel: the states of a placement of their own, which the other mechanisms read and write.

On a node the ions come before all mechanisms. At the beginning of a step their reversal potentials follow the
concentrations and their total currents are zero; the mechanisms' currents then add to the totals, and their advance
reads totals and concentrations and writes concentrations.

The adjoint reads from the tape what the memory held between currents and advance. What a mechanism's advance read of an
ion is there too, unless another mechanism had just written it: that lies in the memory after the step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ketune._jax import jnp
from ketune.cell import Placement
from ketune.engines._reads import reads
from ketune.engines.twin import Twin
from ketune.ions import nernst


@dataclass(frozen=True)
class IonAccess:
    """What one mechanism does with ions that vary.

    Attributes
    ----------
    current_reads
        Variables that its currents depend on.
    totals
        Total currents to which it contributes.
    advance_reads
        Variables that its advance reads or writes; those in ``writes`` it writes.
    after
        Those of them that the adjoint finds in the memory after the step.
    """

    current_reads: tuple[str, ...]
    totals: tuple[str, ...]
    advance_reads: tuple[str, ...]
    writes: frozenset[str]
    after: frozenset[str]


class VaryingIons:
    """The ions of a twin as the kernel has them.

    Attributes
    ----------
    names
        Their variables, and in the second-order scheme the slope of each total current that varies.
    compartments
        Where some mechanism uses such an ion.
    """

    def __init__(self, twin: Twin) -> None:
        self.twin, self.ions = twin, twin.ions
        varying = self.ions.varying
        self.totals = tuple(use.ion.current for use in self.ions.uses if use.ion.current in varying)
        self.corrected = twin.scheme == "second_order"
        slopes = map(slope_name, self.totals if self.corrected else ())
        self.names = (*sorted(varying), *slopes)
        here = np.zeros(twin.n_compartments, bool)
        for use in self.ions.uses:
            here |= use.present & bool(use.varying)
        self.compartments = np.flatnonzero(here)
        self._reversals = [
            (use, use.advance_at[self.compartments])
            for use in self.ions.uses
            if use.ion.reversal in varying and use.advance_at.any()
        ]

    def parameters(self, start: Mapping[str, Any], of_row: np.ndarray) -> dict[str, np.ndarray]:
        """What a step needs beside them: temperature, and where Nernst's equation is used; ``(rows, 1)`` each."""
        celsius = np.full((len(of_row), 1), float(start["celsius"]))
        computed = {f"{use.ion.reversal} follows": where[of_row][:, None] for use, where in self._reversals}
        return {"celsius": celsius, **{name: x.astype(float) for name, x in computed.items()}}

    def begun(self, values: Sequence[Any], p: Mapping[str, Any]) -> list[Any]:
        """The variables at the beginning of a step."""
        now = dict(zip(self.names, values, strict=True))
        for use, _ in self._reversals:
            inside, outside = (now[x] for x in use.ion.concentrations)
            computed = nernst(inside, outside, use.ion.valence or 0.0, p["celsius"], jnp.log)
            name = use.ion.reversal
            now[name] = jnp.where(p[f"{name} follows"] != 0.0, computed, now[name])
        nothing = dict.fromkeys((*self.totals, *map(slope_name, self.totals)), 0.0)
        return [nothing.get(name, now[name]) for name in self.names]

    def access(self, placement: Placement) -> IonAccess:
        """What a placement's mechanism does with them."""
        mechanism, varying = placement.mechanism, self.ions.varying
        read, written = reads(mechanism), varying.intersection(mechanism.ion_writes)
        totals = (ion.current for ion in mechanism.ions)
        in_advance = tuple(sorted(read.advance & varying | written))
        return IonAccess(
            current_reads=tuple(sorted(read.currents & varying)),
            totals=tuple(x for x in totals if x in varying and x in mechanism.currents),
            advance_reads=in_advance,
            writes=written,
            after=frozenset(x for x in in_advance if self._written_before(placement, x).any()),
        )

    def at(self, name: str) -> str:
        """A variable as a C++ expression."""
        return f"q.node[{self.names.index(name)}]"

    def bar(self, name: str) -> str:
        """Its adjoint."""
        return f"q.node_b[{self.names.index(name)}]"

    def at_back(self, name: str, *, after: bool) -> str:
        """A variable as a mechanism's advance saw it, on the way back."""
        if after:
            return f"q.node_after[{self.names.index(name)}]"
        if self.corrected and name in self.totals:
            return f"({self.at(name)} + {self.at(slope_name(name))} * x)"
        return self.at(name)

    def to_middle(self, k: int) -> list[str]:
        """The function of the pass down: in the second-order scheme totals are taken to the middle of the step."""
        totals = self.totals if self.corrected else ()
        return [
            f"INLINE void states_{k}(Cursor& q, const Place&, V v, V x) {{",
            *(f"    {self.at(name)} += {self.at(slope_name(name))} * x;" for name in totals),
            f"    q.s += {len(self.names)};",
            "}",
        ]

    def to_middle_adjoint(self, k: int) -> list[str]:
        """Its adjoint."""
        lines = [f"INLINE void states_adjoint_{k}(Cursor& q, const Place&, V v, V x, V& bar, V& x_bar) {{"]
        for name in self.totals if self.corrected else ():
            slope = slope_name(name)
            lines += [
                f"    {self.bar(slope)} += {self.bar(name)} * x;",
                f"    x_bar += {self.bar(name)} * {self.at(slope)};",
            ]
        return [*lines, f"    q.s -= {len(self.names)}; q.sb -= {len(self.names)};", "}"]

    def _writers(self, name: str) -> list[Placement]:
        return [p for p in self.twin.placements if name in p.mechanism.ion_writes]

    def _written_before(self, placement: Placement, name: str) -> np.ndarray:
        """On which of a placement's compartments another one writes a variable before it."""
        earlier = self.twin.placements[: self.twin.placements.index(placement)]
        others = [p.compartments for p in self._writers(name) if p in earlier]
        return np.isin(placement.compartments, np.concatenate(others or [np.empty(0, int)]))

    @cached_property
    def problem_of_adjoint(self) -> str | None:
        """What of the ions the adjoint would not find on the tape, one line; None where it finds all."""
        concentrations = {x for use in self.ions.uses for x in use.ion.concentrations}
        for placement in self.twin.placements:
            access = self.access(placement)
            if total := set(access.current_reads) & set(self.totals):
                return f"the current of '{placement.label}' depends on the total current {min(total)}"
            order = self.twin.placements
            for name in access.advance_reads:
                before = self._written_before(placement, name)
                later = order[order.index(placement) :]
                rewritten = any(
                    np.isin(placement.compartments, p.compartments).any()
                    for p in self._writers(name)
                    if p in later
                )
                elsewhere = not before.all() and name not in concentrations
                if before.any() and (rewritten or elsewhere):
                    return (
                        f"several mechanisms write {name} on a compartment where '{placement.label}' uses it"
                    )
        return None


def slope_name(total: str) -> str:
    """The variable that holds the slope of a total current."""
    return f"{total} slope"
