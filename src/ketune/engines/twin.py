"""The JAX twin: one fixed time step of a cell, written as pure functions of arrays ``[compartment, lane]``.

One step follows NEURON's fixed-step scheme (Hines 1984; Carnevale and Hines 2006, ch. 4): events at the beginning of
the step are delivered, currents are linearised at the old voltage, backward Euler gives the new voltage, and the
states then advance with the new voltage.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Array, Float, Int

from ketune._jax import jax, jnp
from ketune.cell import Cell, Overrides, Placement
from ketune.engines.connections import plastic_labels
from ketune.engines.receiver import Receiver
from ketune.engines.tree import TreeSolver
from ketune.errors import InputError
from ketune.ions import IonUse, in_neurons_order, ion_uses, nernst

Derivative = Literal["analytic", "forward_difference"]
Parameters = dict[str, dict[str, Array]]
States = dict[str, dict[str, Array]]
Arrivals = dict[str, Float[Array, "compartments lanes"]]
"""By port the summed weight of its events; by label of a synapse that does not share its states, whether each of its
connections has a first, second, ... event, ``(repeats, rows, slots, lanes)``."""

IONS = "ions"
"""Where the states hold the ion variables that change, ``(compartments, lanes)`` each."""
CLOCK = "clock"
"""Where the states hold the time, where a mechanism reads it."""

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
    def of(cls, placement: Placement, n: int) -> _Rows:
        compartments = placement.compartments
        own_states = placement.mechanism.merging == "separate"  # whose connections have rows too
        if own_states or len(compartments) <= _COMPUTE_EVERYWHERE_FROM * n:
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
        if len(np.unique(self.index)) < len(self.index):
            return jnp.zeros((self.n, x.shape[1]), x.dtype).at[self.index].add(x)
        source = np.full(self.n, len(self.index))
        source[self.index] = np.arange(len(self.index))
        return jnp.concatenate([x, jnp.zeros((1, x.shape[1]), x.dtype)])[source]

    def put(self, x: Array, new: Array) -> Array:
        """``x``, an array of ``n`` rows, with its values at these rows replaced."""
        if self.index is None:
            return jnp.where(self.present[:, None], new, x)
        return x.at[self.index].set(new)


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
    keep_currents
        Keep each mechanism's currents of the last step with the states, so that they can be recorded.

    Attributes
    ----------
    fixed_diagonal
        Capacitance over the step, and couplings, of every node, ``(nodes, 1)`` (uS).
    to_nA
        Label to what turns the placement's current into nA, ``(rows, 1)``.
    """

    def __init__(
        self,
        cell: Cell,
        *,
        dt_ms: float,
        dtype: Any = jnp.float64,
        derivative: Derivative = "analytic",
        keep_currents: bool = False,
    ) -> None:
        if derivative == "forward_difference" and jnp.dtype(dtype) != jnp.float64:
            raise ValueError("a forward difference over 0.001 mV needs float64")
        for placement in cell.placements:
            if placement.mechanism.problems:
                raise InputError(
                    f"cell '{cell.name}': {placement.label} can only be simulated by NEURON, without gradients: "
                    f"{placement.mechanism.path.name} has {placement.mechanism.problems[0].construct}"
                )
        self.cell, self.dt_ms, self.dtype, self.derivative = cell, dt_ms, jnp.dtype(dtype), derivative
        self.keep_currents = keep_currents
        self.placements = in_neurons_order(cell.placements)
        self.ions = ion_uses(cell)
        self._varying = frozenset().union(*(use.varying for use in self.ions))
        self.receivers = {
            p.label: Receiver(p.mechanism) for p in cell.placements if p.mechanism.merging == "separate"
        }
        plastic = set(plastic_labels(cell))
        self.ports = {
            name: tuple(x for x in labels if x not in plastic and x not in self.receivers)
            for name, labels in cell.ports.items()
        } | {label: (label,) for label in plastic}
        self.has_clock = bool(self.receivers) or any("t" in p.mechanism.inputs for p in cell.placements)
        table = cell.table
        self.n_compartments = table.n
        self.n_nodes = len(table.node_parent)
        self.solver = TreeSolver(table.node_parent, table.node_g_uS)
        self._rows = {p.label: _Rows.of(p, table.n) for p in cell.placements}
        capacitance = np.zeros(self.n_nodes)
        capacitance[: table.n] = _NF_PER_UF_CM2_UM2 * table.cm_uF_cm2 * table.area_um2 / dt_ms
        self.fixed_diagonal = jnp.asarray((capacitance + self.solver.diagonal)[:, None], self.dtype)
        self.to_nA = {
            p.label: jnp.asarray(self._scale_to_nA(p)[:, None], self.dtype) for p in cell.placements
        }

    @property
    def is_plain(self) -> bool:
        """Only voltage and the mechanisms' own states change, and events only add to them."""
        special = any(p.mechanism.remember or p.mechanism.conductance for p in self.cell.placements)
        return not (self._varying or self.has_clock or self.receivers or special or plastic_labels(self.cell))

    def _scale_to_nA(self, placement: Placement) -> np.ndarray:
        """What turns a placement's current into nA on the rows it is computed on: density currents are per area."""
        rows = self._rows[placement.label]
        if placement.mechanism.kind != "density":
            return rows.present.astype(float)
        return (
            rows.present * _NA_PER_MA_CM2_UM2 * self.cell.table.area_um2[placement.compartments][rows.source]
        )

    def own_rows(self, label: str) -> np.ndarray | None:
        """Rows of a placement's arrays that are its own compartments; None where it is computed on no others."""
        return self.cell.placement(label).compartments if self._rows[label].index is None else None

    def parameters(self, overrides: Overrides | None = None, *, celsius: float | None = None) -> Parameters:
        """Parameters of every placement as arrays ``(k, 1)`` or ``(k, lanes)``, with what follows from them.

        Parameters
        ----------
        overrides
            ``(label, parameter) -> value`` broadcastable to ``(k,)`` or, with two dimensions, to ``(k, lanes)``.
        celsius
            Another temperature than the cell's.
        """
        cell = self.cell if celsius is None else replace(self.cell, celsius=celsius)
        ions = self.ions if celsius is None else ion_uses(cell)
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
            p |= {k: jnp.asarray(x, self.dtype) for k, x in cell.environment(self.dt_ms).items()}
            p |= self._constant_inputs(placement, ions)
            result[placement.label] = p | dict(placement.mechanism.derived(p))
        if self._varying:
            start = {name: x for use in ions for name, x in use.start.items()}
            result[IONS] = {name: jnp.asarray(x[:, None], self.dtype) for name, x in start.items()}
            result[IONS]["celsius"] = jnp.asarray(cell.celsius, self.dtype)
        return result

    def _constant_inputs(self, placement: Placement, ions: tuple[IonUse, ...]) -> dict[str, Array]:
        """Geometry and constant ion variables that a mechanism reads, one value for each of its rows."""
        table, inputs = self.cell.table, placement.mechanism.inputs
        known = {"diam": table.diam_um, "area": table.area_um2}
        for use in ions:
            known |= {name: x for name, x in use.start.items() if name not in self._varying}
        at = placement.compartments[self._rows[placement.label].source]
        return {
            name: jnp.asarray(known[name][at], self.dtype)[:, None]
            for name in inputs
            if name in known
            and (name in ("diam", "area") or np.ptp(known[name]) > 0 or name not in self._global)
        }

    @property
    def _global(self) -> dict[str, float]:
        """Ion variables with one value for the cell, which :meth:`Cell.environment` gives already."""
        same = self.cell.reversal_mV
        return {
            use.ion.reversal: same[use.ion.reversal]
            for use in self.ions
            if use.ion.reversal in same and not use.nernst_at.any()
        }

    def initial(self, parameters: Parameters, n_lanes: int) -> tuple[Float[Array, "nodes lanes"], States]:
        """Voltage and states at ``v_init_mV``, each mechanism at its own INITIAL."""
        v = jnp.full((self.n_nodes, n_lanes), self.cell.v_init_mV, self.dtype)
        states: States = {}
        if self._varying:
            states[IONS] = self._initial_ions(parameters[IONS], n_lanes)
        if self.has_clock:
            states[CLOCK] = {"t": jnp.zeros((), self.dtype), "step": jnp.zeros((), jnp.int32)}
        for placement in self.placements:
            label, mechanism = placement.label, placement.mechanism
            shape = (self._rows[label].size, n_lanes)
            p = self._now(placement, parameters[label], states, 0.0)
            found = dict(mechanism.init(self._rows[label].take(v), p))
            self._set_ions(placement, states, found, parameters.get(IONS, {}))
            states[label] = {k: jnp.broadcast_to(jnp.asarray(x, self.dtype), shape) for k, x in found.items()}
            if self.keep_currents and mechanism.currents:
                states[_currents(label)] = {k: jnp.zeros(shape, self.dtype) for k in mechanism.currents}
            if label in self.receivers:
                sends = mechanism.init_sends(self._rows[label].take(v), p) if mechanism.init_sends else {}
                states[_queue(label)] = self.receivers[label].queue(sends, shape, self.dtype)
        return v, states

    def _initial_ions(self, start: dict[str, Array], n_lanes: int) -> dict[str, Array]:
        shape = (self.n_compartments, n_lanes)
        none = jnp.zeros(shape, self.dtype)
        return {
            name: jnp.broadcast_to(start[name], shape) if name in start else none
            for name in sorted(self._varying)
        }

    def connect(self, states: States, parameters: Parameters, weights: dict[str, np.ndarray]) -> States:
        """Initial states with the connections of synapses that do not share their states.

        Parameters
        ----------
        weights
            By label ``(rows, slots, lanes)``; NaN where there is no connection.
        """
        states = dict(states)
        for placement in self.placements:
            label = placement.label
            if label not in self.receivers:
                continue
            shape = states[_queue(label)]["time"].shape[1:]
            weight = weights.get(label, np.full((shape[0], 1, shape[1]), np.nan))
            p = self._now(placement, parameters[label], states, 0.0)
            v = jnp.full(shape, self.cell.v_init_mV, self.dtype)
            states[_connections(label)] = self.receivers[label].connections(
                v, states[label], p, jnp.asarray(np.nan_to_num(weight), self.dtype)
            )
        return states

    def _now(self, placement: Placement, p: dict[str, Array], states: States, t: Any) -> dict[str, Array]:
        """Parameters with the inputs that change during a run, as they are now."""
        inputs = placement.mechanism.inputs
        changing = [name for name in inputs if name in self._varying]
        rows = self._rows[placement.label]
        now = {name: rows.take(states[IONS][name]) for name in changing}
        return p | now | ({"t": jnp.asarray(t, self.dtype)} if "t" in inputs or self.receivers else {})

    def _set_ions(
        self,
        placement: Placement,
        states: States,
        values: dict[str, Any],
        at_start: dict[str, Array] | None = None,
    ) -> None:
        """Move the ion variables that a mechanism wrote from its values to the ions' states."""
        written = [name for name in placement.mechanism.ion_writes if name in values]
        if not written:
            return
        rows = self._rows[placement.label]
        ions = dict(states[IONS])
        for name in written:
            new = jnp.asarray(values.pop(name), self.dtype)
            shape = (rows.size, ions[name].shape[1])
            ions[name] = rows.put(ions[name], jnp.broadcast_to(new, shape))
        if (
            at_start is not None
        ):  # NEURON corrects the reversal potential as soon as INITIAL has set a concentration
            present = np.zeros(self.n_compartments, bool)
            present[placement.compartments] = True
            for use in self.ions:
                if set(use.ion.concentrations) & set(written):
                    ions = self._nernst(use, ions, at_start, use.nernst_at & present)
        states[IONS] = ions

    def _nernst(
        self, use: IonUse, ions: dict[str, Array], start: dict[str, Array], where: np.ndarray
    ) -> dict[str, Array]:
        if not where.any() or use.ion.reversal not in ions:
            return ions
        inside, outside = (ions[x] for x in use.ion.concentrations)
        computed = nernst(inside, outside, use.ion.valence or 0.0, start["celsius"], jnp.log)
        return ions | {use.ion.reversal: jnp.where(where[:, None], computed, ions[use.ion.reversal])}

    def variable(self, states: States, label: str, name: str) -> Float[Array, "rows lanes"]:
        """A state of a placement, or (label "ions") an ion's variable where mechanisms use the ion."""
        if label != IONS:
            own = self.own_rows(label)
            held = states[label] if name in states[label] else states[_currents(label)]
            return held[name] if own is None else held[name][own]
        for use in self.ions:
            if name in (use.ion.current, use.ion.reversal, *use.ion.concentrations):
                rows = np.flatnonzero(use.present)
                if name in states.get(IONS, {}):
                    return states[IONS][name][rows]
                break
        raise InputError(f"cell '{self.cell.name}': '{name}' is no ion variable that changes during a run")

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
        for port, labels in self.ports.items():
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

    def _receive(self, v: Array, states: States, parameters: Parameters, arrived: Arrivals) -> States:
        """States after the events of this step, and due self-events, at synapses that do not share their states."""
        if not self.receivers:
            return states
        states = dict(states)
        # the events' own time: the sum of the steps is off by its rounding
        t = states[CLOCK]["step"].astype(self.dtype) * self.dt_ms
        for label, receiver in self.receivers.items():
            placement = self.cell.placement(label)
            p = self._now(placement, parameters[label], states, t)
            rows = self._rows[label]
            states[label], states[_connections(label)], states[_queue(label)] = receiver.deliver(
                rows.take(v),
                states[label],
                states[_connections(label)],
                states[_queue(label)],
                p,
                arrived.get(label),
                t,
                self.dt_ms,
            )
        return states

    def membrane_current(
        self, v: Float[Array, "nodes lanes"], states: States, parameters: Parameters
    ) -> tuple[Float[Array, "n lanes"], Float[Array, "n lanes"], States]:
        """Total ionic current of each compartment (nA, outward positive), its slope (uS), and the states after it.

        The states change only where BREAKPOINT keeps a value, and where a mechanism reads an ion's total current.
        """
        current = jnp.zeros((self.n_compartments, v.shape[1]), self.dtype)
        slope = jnp.zeros_like(current)
        states = dict(states)
        if self._varying:
            ions = dict(states[IONS])
            for use in self.ions:
                ions = self._nernst(use, ions, parameters[IONS], use.advance_at)
                if use.ion.current in ions:
                    ions[use.ion.current] = jnp.zeros_like(ions[use.ion.current])
            states[IONS] = ions
        t = states[CLOCK]["t"] + 0.5 * self.dt_ms if self.has_clock else 0.0
        for placement in self.placements:
            label, rows = placement.label, self._rows[placement.label]
            if not placement.mechanism.currents:
                continue
            p = self._now(placement, parameters[label], states, t)
            here = rows.take(v)
            i, g = self._linearised(placement, here, states, p)
            current = current + rows.spread(i * self.to_nA[label])
            slope = slope + rows.spread(g * self.to_nA[label])
            self._sum_ion_currents(placement, here, states, p)
            if self.keep_currents:
                by_name = placement.mechanism.currents_by_name(here, states[label], p)
                states[_currents(label)] = {k: jnp.broadcast_to(x, here.shape) for k, x in by_name.items()}
        return current, slope, states

    def _sum_ion_currents(self, placement: Placement, v: Array, states: States, p: dict[str, Array]) -> None:
        """Add a mechanism's currents to the totals that others read, in mA/cm2."""
        mechanism = placement.mechanism
        wanted = [
            ion.current
            for ion in mechanism.ions
            if ion.current in self._varying and ion.current in mechanism.currents
        ]
        if not wanted:
            return
        rows = self._rows[placement.label]
        by_name = mechanism.currents_by_name(v, states[placement.label], p)
        scale = rows.present.astype(float)[:, None]
        if mechanism.kind == "point":
            scale = scale * 100.0 / self.cell.table.area_um2[placement.compartments][rows.source][:, None]
        ions = dict(states[IONS])
        for name in wanted:
            i = jnp.broadcast_to(by_name[name], v.shape) * jnp.asarray(scale, self.dtype)
            ions[name] = ions[name] + rows.spread(i)
        states[IONS] = ions

    def _linearised(
        self, placement: Placement, v: Array, states: States, p: dict[str, Array]
    ) -> tuple[Array, Array]:
        """Current and slope; what BREAKPOINT keeps is kept in ``states``."""
        mechanism, label = placement.mechanism, placement.label

        def total(voltage: Array) -> Array:
            return jnp.broadcast_to(mechanism.current(voltage, states[label], p), voltage.shape)

        def remember(voltage: Array) -> None:
            if mechanism.remember is None:
                return
            kept = dict(mechanism.remember(voltage, states[label], p))
            self._set_ions(placement, states, kept)
            states[label] = states[label] | {k: jnp.broadcast_to(x, v.shape) for k, x in kept.items()}

        if mechanism.conductance is not None:  # NEURON then computes BREAKPOINT once
            at_v = total(v)
            slope = jnp.broadcast_to(mechanism.conductance(v, states[label], p), v.shape)
        elif self.derivative == "forward_difference":
            # NEURON computes BREAKPOINT at the higher voltage first
            above = total(v + _NEURON_DV_mV)
            remember(v + _NEURON_DV_mV)
            p = self._now(placement, p, states, p.get("t", 0.0)) if mechanism.remember else p
            at_v = total(v)
            slope = (above - at_v) / _NEURON_DV_mV
        else:
            at_v, slope = jax.jvp(total, (v,), (jnp.ones_like(v),))
        remember(v)
        return at_v, slope

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
        states = self._receive(v, states, parameters, arrived)
        current, slope, states = self.membrane_current(v, states, parameters)
        if injected_nA is not None:
            current = current.at[0].add(-injected_nA)
        extra = ((0, self.n_nodes - self.n_compartments), (0, 0))
        diagonal = self.fixed_diagonal + jnp.pad(slope, extra)
        v = v + self.solver.solve(diagonal, self.solver.axial_current(v) - jnp.pad(current, extra))
        if self.has_clock:
            clock = states[CLOCK]
            t = clock["t"] + 0.5 * self.dt_ms + 0.5 * self.dt_ms
            states[CLOCK] = {"t": t, "step": clock["step"] + 1}
        now = states[CLOCK]["t"] if self.has_clock else 0.0
        for placement in self.placements:
            label, rows = placement.label, self._rows[placement.label]
            p = self._now(placement, parameters[label], states, now)
            new = dict(placement.mechanism.advance(rows.take(v), states[label], p))
            self._set_ions(placement, states, new)
            states[label] = {
                name: jnp.broadcast_to(new.get(name, old), old.shape) for name, old in states[label].items()
            }
        return v, states


def _queue(label: str) -> str:
    return f"{label} self-events"


def _currents(label: str) -> str:
    return f"{label} currents"


def _connections(label: str) -> str:
    return f"{label} connections"
