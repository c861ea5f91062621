"""Ion variables of the JAX twin: what of them changes during a run, who writes it, and what the others see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Array

from ketune._jax import jnp
from ketune.cell import Cell, Placement
from ketune.engines.rows import Rows
from ketune.errors import InputError
from ketune.ions import IonUse, ion_uses, nernst

Variables = dict[str, Array]
"""Ion variables ``(compartments, lanes)`` by name."""

_MA_CM2_PER_NA_UM2 = 100.0  # 1 nA on 1 um2 is 100 mA/cm2


class IonStates:
    """The ions of one cell.

    Parameters
    ----------
    cell
        Whose mechanisms use the ions.
    rows
        Of each placement, by label.
    dtype
        Of all arrays.
    """

    def __init__(self, cell: Cell, rows: Mapping[str, Rows], dtype: Any) -> None:
        self.cell, self.dtype = cell, dtype
        self.uses = ion_uses(cell)
        self.varying = frozenset().union(*(use.varying for use in self.uses))
        self._rows = rows

    def at(self, celsius: float | None) -> tuple[IonUse, ...]:
        """The ions at another temperature: their reversal potentials may depend on it."""
        return self.uses if celsius is None else ion_uses(replace(self.cell, celsius=celsius))

    def start(self, uses: tuple[IonUse, ...], celsius: float) -> Variables:
        """What a run starts from, ``(compartments, 1)``, and the temperature."""
        known = {name: x for use in uses for name, x in use.start.items()}
        arrays = {name: jnp.asarray(x[:, None], self.dtype) for name, x in known.items()}
        return arrays | {"celsius": jnp.asarray(celsius, self.dtype)}

    def constants(self, placement: Placement, uses: tuple[IonUse, ...]) -> Variables:
        """The variables that a mechanism reads and nothing changes, one value for each of its rows."""
        at = placement.compartments[self._rows[placement.label].source]
        return {
            name: jnp.asarray(x[at], self.dtype)[:, None]
            for use in uses
            for name, x in use.start.items()
            if name in placement.mechanism.inputs
            and name not in self.varying
            and not self._uniform(use, name)
        }

    def _uniform(self, use: IonUse, name: str) -> bool:
        """One value for the cell, which :meth:`Cell.environment` gives already."""
        return name == use.ion.reversal and name in self.cell.reversal_mV and not use.nernst_at.any()

    def initial(self, start: Variables, n_lanes: int) -> Variables:
        """The changing variables before any INITIAL."""
        shape = (self.cell.table.n, n_lanes)
        none = jnp.zeros(shape, self.dtype)
        return {
            name: jnp.broadcast_to(start[name], shape) if name in start else none
            for name in sorted(self.varying)
        }

    def seen_by(self, placement: Placement, variables: Variables) -> Variables:
        """The changing variables that a mechanism reads, on its rows."""
        rows = self._rows[placement.label]
        return {
            name: rows.take(variables[name]) for name in placement.mechanism.inputs if name in self.varying
        }

    def written(
        self,
        placement: Placement,
        variables: Variables,
        values: dict[str, Any],
        start: Variables | None = None,
    ) -> Variables:
        """The variables after a mechanism has written some of its values, which are taken out of ``values``.

        With ``start``, from INITIAL: NEURON then corrects the reversal potential at once, and takes 0 for one that a
        mechanism writes but leaves out there.
        """
        if start is not None:
            for ion in placement.mechanism.ions:
                if ion.reversal in ion.writes and ion.reversal not in ion.reads:
                    values.setdefault(ion.reversal, 0.0)
        names = [name for name in placement.mechanism.ion_writes if name in values]
        if not names:
            return variables
        rows = self._rows[placement.label]
        variables = dict(variables)
        for name in names:
            new = jnp.asarray(values.pop(name), self.dtype)
            shape = (rows.size, variables[name].shape[1])
            variables[name] = rows.put(variables[name], jnp.broadcast_to(new, shape))
        if start is not None:
            here = np.zeros(self.cell.table.n, bool)
            here[placement.compartments] = True
            for use in self.uses:
                if set(use.ion.concentrations) & set(names):
                    variables = self._nernst(use, variables, start, use.nernst_at & here)
        return variables

    def at_step(self, variables: Variables, start: Variables) -> Variables:
        """At the beginning of a step reversal potentials follow the concentrations, and total currents are zero."""
        for use in self.uses:
            variables = self._nernst(use, variables, start, use.advance_at)
        return variables | self.no_currents(variables)

    def no_currents(self, variables: Variables) -> Variables:
        """The total currents among the variables, as zeros: of currents or of their slopes."""
        names = (use.ion.current for use in self.uses)
        return {name: jnp.zeros_like(variables[name]) for name in names if name in variables}

    def at_voltage(self, variables: Variables, slopes: Variables, change_mV: Array) -> Variables:
        """Total currents at a voltage ``(n, lanes)`` that differs from the one at which they were summed."""
        return variables | {name: variables[name] + g * change_mV for name, g in slopes.items()}

    def _nernst(self, use: IonUse, variables: Variables, start: Variables, where: np.ndarray) -> Variables:
        name = use.ion.reversal
        if not where.any() or name not in variables:
            return variables
        inside, outside = (variables[x] for x in use.ion.concentrations)
        computed = nernst(inside, outside, use.ion.valence or 0.0, start["celsius"], jnp.log)
        return variables | {name: jnp.where(where[:, None], computed, variables[name])}

    def sums_currents_of(self, placement: Placement) -> bool:
        """Whether some mechanism reads a total current to which this one contributes."""
        return any(
            ion.current in self.varying and ion.current in placement.mechanism.currents
            for ion in placement.mechanism.ions
        )

    def to_mA_cm2(self, placement: Placement) -> np.ndarray:
        """What a placement's currents are to be multiplied by, ``(compartments, 1)``."""
        area = self.cell.table.area_um2[placement.compartments][:, None]
        return _MA_CM2_PER_NA_UM2 / area if placement.mechanism.kind == "point" else np.ones_like(area)

    def with_currents(
        self, placement: Placement, variables: Variables, currents: Mapping[str, Any]
    ) -> Variables:
        """A mechanism's currents added to the totals, which are in mA/cm2."""
        rows = self._rows[placement.label]
        scale = rows.present.astype(float)[:, None] * self.to_mA_cm2(placement)[rows.source]
        variables = dict(variables)
        for ion in placement.mechanism.ions:
            name = ion.current
            if name in variables and name in currents:
                i = jnp.broadcast_to(currents[name], (rows.size, variables[name].shape[1]))
                variables[name] = variables[name] + rows.spread(i * jnp.asarray(scale, self.dtype))
        return variables

    def used_at(self, name: str) -> np.ndarray:
        """Where mechanisms use the ion of a changing variable.

        Raises
        ------
        InputError
            There is no such variable.
        """
        for use in self.uses:
            if name in use.varying:
                return np.flatnonzero(use.present)
        raise InputError(f"cell '{self.cell.name}': '{name}' is no ion variable that changes during a run")
