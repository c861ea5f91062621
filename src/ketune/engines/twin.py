"""The JAX twin: one fixed time step of a cell, written as pure functions of arrays ``[compartment, lane]``.

One step follows NEURON's fixed-step scheme (Hines 1984; Carnevale and Hines 2006, ch. 4): events at the beginning of
the step are delivered, currents are linearised at the old voltage, backward Euler gives the new voltage, and the
states then advance with the new voltage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Array, Float, Int

from ketune._jax import jax, jnp
from ketune.cell import Cell, Overrides, Placement
from ketune.engines.tree import TreeSolver

Derivative = Literal["analytic", "forward_difference"]
Parameters = dict[str, dict[str, Array]]
States = dict[str, dict[str, Array]]
Arrivals = dict[str, Float[Array, "compartments lanes"]]

# 1 mA/cm2 on 1 um2 is 0.01 nA, 1 uF/cm2 on 1 um2 is 1e-5 nF, and NEURON linearises over 0.001 mV.
_NA_PER_MA_CM2_UM2 = 0.01
_NF_PER_UF_CM2_UM2 = 1e-5
_NEURON_DV_mV = 0.001


# A placement on more than this share of the compartments is computed on all of them, its current masked where it is
# absent: XLA vectorises whole arrays, while picking rows costs more than the arithmetic it saves.
_COMPUTE_EVERYWHERE_FROM = 0.15


@dataclass(frozen=True, eq=False)
class _Rows:
    """Which rows of a ``[compartment, lane]`` array a placement is computed on.

    ``source`` maps those rows to the placement's own compartments (an absent compartment borrows the first one's
    parameters; its current is masked), ``present`` is the mask, ``index`` the rows themselves where they are few.
    """

    n: int
    index: np.ndarray | None
    source: np.ndarray
    present: np.ndarray

    @classmethod
    def of(cls, compartments: np.ndarray, n: int) -> _Rows:
        if len(compartments) <= _COMPUTE_EVERYWHERE_FROM * n:
            return cls(n, compartments, np.arange(len(compartments)), np.ones(len(compartments), bool))
        source, present = np.zeros(n, int), np.zeros(n, bool)
        source[compartments] = np.arange(len(compartments))
        present[compartments] = True
        return cls(n, None, source, present)

    @property
    def size(self) -> int:
        return len(self.source)

    def take(self, x: Array) -> Array:
        return x[: self.n] if self.index is None else x[self.index]

    def spread(self, x: Array) -> Array:
        """``x`` at these rows of an array of ``n`` rows, zero elsewhere."""
        if self.index is None:
            return x
        source = np.full(self.n, len(self.index))
        source[self.index] = np.arange(len(self.index))
        return jnp.concatenate([x, jnp.zeros((1, x.shape[1]), x.dtype)])[source]


class Twin:
    """A cell translated for JAX.

    Parameters
    ----------
    cell
        What to simulate.
    dt_ms
        Step.
    dtype
        ``float64`` (the twin contract) or ``float32`` (fits and statistics).
    derivative
        How currents are linearised: ``"forward_difference"`` as NEURON does (float64 only), or ``"analytic"``.

    Attributes
    ----------
    fixed_diagonal
        Capacitance over the step, and couplings, of every node, ``(nodes, 1)`` (uS).
    to_nA
        Label to what turns the placement's current into nA, ``(rows, 1)``.
    """

    def __init__(
        self, cell: Cell, *, dt_ms: float, dtype: Any = jnp.float64, derivative: Derivative = "analytic"
    ) -> None:
        if derivative == "forward_difference" and jnp.dtype(dtype) != jnp.float64:
            raise ValueError("a forward difference over 0.001 mV needs float64")
        self.cell, self.dt_ms, self.dtype, self.derivative = cell, dt_ms, jnp.dtype(dtype), derivative
        table = cell.table
        self.n_compartments = table.n
        self.n_nodes = len(table.node_parent)
        self.solver = TreeSolver(table.node_parent, table.node_g_uS)
        self._rows = {p.label: _Rows.of(p.compartments, table.n) for p in cell.placements}
        capacitance = np.zeros(self.n_nodes)
        capacitance[: table.n] = _NF_PER_UF_CM2_UM2 * table.cm_uF_cm2 * table.area_um2 / dt_ms
        self.fixed_diagonal = jnp.asarray((capacitance + self.solver.diagonal)[:, None], self.dtype)
        self.to_nA = {
            p.label: jnp.asarray(self._scale_to_nA(p)[:, None], self.dtype) for p in cell.placements
        }

    def _scale_to_nA(self, placement: Placement) -> np.ndarray:
        """What turns a placement's current into nA on the rows it is computed on: density currents are per area."""
        rows = self._rows[placement.label]
        if placement.mechanism.kind == "point":
            return rows.present.astype(float)
        return (
            rows.present * _NA_PER_MA_CM2_UM2 * self.cell.table.area_um2[placement.compartments][rows.source]
        )

    def own_rows(self, label: str) -> np.ndarray | None:
        """Rows of a placement's arrays that are its own compartments; None where it is computed on no others."""
        return self.cell.placement(label).compartments if self._rows[label].index is None else None

    def parameters(self, overrides: Overrides | None = None) -> Parameters:
        """Parameters of every placement as arrays ``(k, 1)`` or ``(k, lanes)``, with what follows from them.

        Parameters
        ----------
        overrides
            ``(label, parameter) -> value`` broadcastable to ``(k,)`` or, with two dimensions, to ``(k, lanes)``.
        """
        overrides = overrides or {}
        unknown = {key for key in overrides if key[0] not in self.cell.by_label}
        if unknown:
            raise ValueError(f"no such placement: {sorted(unknown)}")
        result: Parameters = {}
        for placement in self.cell.placements:
            k, source = len(placement.compartments), self._rows[placement.label].source
            p: dict[str, Any] = {
                name: jnp.asarray(value[source], self.dtype)[:, None]
                for name, value in placement.parameters.items()
            }
            for (label, name), value in overrides.items():
                if label == placement.label:
                    if name not in p:
                        raise ValueError(f"placement '{label}' has no parameter '{name}'")
                    array = jnp.asarray(value, self.dtype)
                    array = array if array.ndim == 2 else jnp.broadcast_to(array, (k,))[:, None]
                    p[name] = jnp.broadcast_to(array, (k, array.shape[1]))[source]
            p |= {k: jnp.asarray(x, self.dtype) for k, x in self.cell.environment(self.dt_ms).items()}
            result[placement.label] = p | dict(placement.mechanism.derived(p))
        return result

    def initial(self, parameters: Parameters, n_lanes: int) -> tuple[Float[Array, "nodes lanes"], States]:
        """Voltage and states at ``v_init_mV``, each mechanism at its own INITIAL."""
        v = jnp.full((self.n_nodes, n_lanes), self.cell.v_init_mV, self.dtype)
        states: States = {}
        for placement in self.cell.placements:
            shape = (self._rows[placement.label].size, n_lanes)
            s = placement.mechanism.init(self._rows[placement.label].take(v), parameters[placement.label])
            states[placement.label] = {
                k: jnp.broadcast_to(jnp.asarray(x, self.dtype), shape) for k, x in s.items()
            }
        return v, states

    def arrivals(
        self,
        compartment: dict[str, Int[Array, "slots lanes"]],
        weight: dict[str, Float[Array, "slots lanes"]],
    ) -> Arrivals:
        """Events of one step in slots, each the compartment of one event (negative: none), summed by compartment."""
        arrived = {}
        for port, at in compartment.items():
            row = jnp.where(at < 0, self.n_compartments, at.astype(jnp.int32))
            silence = jnp.zeros((self.n_compartments, at.shape[1]), self.dtype)
            arrived[port] = silence.at[row, jnp.arange(at.shape[1])].add(weight[port], mode="drop")
        return arrived

    def deliver(self, states: States, parameters: Parameters, arrived: Arrivals) -> States:
        """States after the events at the beginning of a step.

        A compartment without the synapse may receive too: where the synapse is computed there, its current is masked.
        """
        states = dict(states)
        for port, labels in self.cell.ports.items():
            if port not in arrived:
                continue
            for label in labels:
                here = self._rows[label].take(arrived[port]).astype(self.dtype)
                jump = self.cell.placement(label).mechanism.event_jump(parameters[label])
                states[label] = {
                    name: value + jump[name] * here if name in jump else value
                    for name, value in states[label].items()
                }
        return states

    def membrane_current(
        self, v: Float[Array, "nodes lanes"], states: States, parameters: Parameters
    ) -> tuple[Float[Array, "n lanes"], Float[Array, "n lanes"]]:
        """Total ionic current of each compartment (nA, outward positive) and its slope (uS)."""
        current = jnp.zeros((self.n_compartments, v.shape[1]), self.dtype)
        slope = jnp.zeros_like(current)
        for placement in self.cell.placements:
            label = placement.label
            i, g = self._linearised(placement, self._rows[label].take(v), states[label], parameters[label])
            current = current + self._rows[label].spread(i * self.to_nA[label])
            slope = slope + self._rows[label].spread(g * self.to_nA[label])
        return current, slope

    def _linearised(
        self, placement: Placement, v: Array, s: dict[str, Array], p: dict[str, Array]
    ) -> tuple[Array, Array]:
        def total(voltage):
            return jnp.broadcast_to(placement.mechanism.current(voltage, s, p), voltage.shape)

        if self.derivative == "forward_difference":
            at_v = total(v)
            return at_v, (total(v + _NEURON_DV_mV) - at_v) / _NEURON_DV_mV
        return jax.jvp(total, (v,), (jnp.ones_like(v),))

    def step(
        self,
        v: Float[Array, "nodes lanes"],
        states: States,
        parameters: Parameters,
        arrived: Arrivals,
        injected_nA: Float[Array, " lanes"] | None = None,
    ) -> tuple[Float[Array, "nodes lanes"], States]:
        """Voltage and states one step later.

        Parameters
        ----------
        arrived
            Summed weight of the events that each compartment receives at the beginning of the step, by port.
        injected_nA
            Current into the soma; it depolarises where positive.
        """
        states = self.deliver(states, parameters, arrived)
        current, slope = self.membrane_current(v, states, parameters)
        if injected_nA is not None:
            current = current.at[0].add(-injected_nA)
        extra = ((0, self.n_nodes - self.n_compartments), (0, 0))
        diagonal = self.fixed_diagonal + jnp.pad(slope, extra)
        v = v + self.solver.solve(diagonal, self.solver.axial_current(v) - jnp.pad(current, extra))
        advanced: States = {}
        for placement in self.cell.placements:
            label = placement.label
            new = placement.mechanism.advance(self._rows[label].take(v), states[label], parameters[label])
            advanced[label] = {
                name: jnp.broadcast_to(new.get(name, old), old.shape) for name, old in states[label].items()
            }
        return v, advanced
