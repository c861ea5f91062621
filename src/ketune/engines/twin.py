"""The JAX twin: one fixed time step of a cell, written as pure functions of arrays ``[compartment, lane]``.

One step follows NEURON's fixed-step scheme (Hines 1984; Carnevale and Hines 2006, ch. 4): events at the beginning of
the step are delivered, currents are linearised at the old voltage, the implicit step gives the new voltage, and the
states then advance with it. :mod:`ketune.engines.schemes` says what kinds of implicit step there are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Array, Float, Int

from ketune._jax import jax, jnp
from ketune.cell import Cell, Overrides, Placement
from ketune.engines.connections import plastic_labels
from ketune.engines.ion_states import IonStates, Variables
from ketune.engines.receiver import Receiver
from ketune.engines.rows import Rows
from ketune.engines.schemes import Scheme, check, extrapolated
from ketune.engines.tree import TreeSolver
from ketune.errors import InputError
from ketune.ions import in_neurons_order
from ketune.mechanisms import Mechanism

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


class Linearised(NamedTuple):
    """A mechanism's total current and its slope, and each of its currents with its slope."""

    total: Array
    total_slope: Array
    currents: dict[str, Array]
    slopes: dict[str, Array]


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
    scheme
        See :mod:`ketune.engines.schemes`.

    Attributes
    ----------
    fixed_diagonal
        Capacitance over the step (over half of it in the second-order scheme, whose solution is to be doubled), and
        couplings, of every node, ``(nodes, 1)`` (uS).
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
        scheme: Scheme = "backward_euler",
    ) -> None:
        if derivative == "forward_difference" and jnp.dtype(dtype) != jnp.float64:
            raise ValueError("a forward difference over 0.001 mV needs float64")
        for placement in cell.placements:
            if placement.mechanism.problems:
                raise InputError(
                    f"cell '{cell.name}': {placement.label} can only be simulated by NEURON, without gradients: "
                    f"{placement.mechanism.path.name} has {placement.mechanism.problems[0].construct}"
                )
        check(cell, scheme)
        self.cell, self.dt_ms, self.dtype, self.derivative = cell, dt_ms, jnp.dtype(dtype), derivative
        self.keep_currents, self.scheme = keep_currents, scheme
        self.placements = in_neurons_order(cell.placements)
        self._rows = {p.label: Rows.of(p, cell.table.n) for p in cell.placements}
        self.ions = IonStates(cell, self._rows, self.dtype)
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
        capacitance = np.zeros(self.n_nodes)
        implicit_ms = dt_ms if scheme == "backward_euler" else 0.5 * dt_ms
        capacitance[: table.n] = _NF_PER_UF_CM2_UM2 * table.cm_uF_cm2 * table.area_um2 / implicit_ms
        self.fixed_diagonal = jnp.asarray((capacitance + self.solver.diagonal)[:, None], self.dtype)
        self.to_nA = {
            p.label: jnp.asarray(self._scale_to_nA(p)[:, None], self.dtype) for p in cell.placements
        }

    @property
    def updates(self) -> float:
        """How many times the solution of a step is added to the voltage."""
        return 1.0 if self.scheme == "backward_euler" else 2.0

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
        uses = self.ions.at(celsius)
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
            # only what the file reads of the cell: it may call a parameter of its own ek
            p |= {
                k: jnp.asarray(x, self.dtype)
                for k, x in cell.environment(self.dt_ms).items()
                if k in placement.mechanism.inputs
            }
            p |= self._geometry(placement) | self.ions.constants(placement, uses)
            result[placement.label] = p | dict(placement.mechanism.derived(p))
        if self.ions.varying:
            result[IONS] = self.ions.start(uses, cell.celsius)
        return result

    def _geometry(self, placement: Placement) -> dict[str, Array]:
        """Diameter and area where a mechanism reads them, one value for each of its rows."""
        known = {"diam": self.cell.table.diam_um, "area": self.cell.table.area_um2}
        at = placement.compartments[self._rows[placement.label].source]
        inputs = placement.mechanism.inputs
        return {name: jnp.asarray(x[at], self.dtype)[:, None] for name, x in known.items() if name in inputs}

    def initial(self, parameters: Parameters, n_lanes: int) -> tuple[Float[Array, "nodes lanes"], States]:
        """Voltage and states at ``v_init_mV``, each mechanism at its own INITIAL."""
        v = jnp.full((self.n_nodes, n_lanes), self.cell.v_init_mV, self.dtype)
        states: States = {}
        if self.ions.varying:
            states[IONS] = self.ions.initial(parameters[IONS], n_lanes)
        if self.has_clock:
            states[CLOCK] = {"t": jnp.zeros((), self.dtype), "step": jnp.zeros((), jnp.int32)}
        for placement in self.placements:
            label, mechanism = placement.label, placement.mechanism
            shape = (self._rows[label].size, n_lanes)
            p = self._now(placement, parameters[label], states, 0.0)
            found = dict(mechanism.init(self._rows[label].take(v), p))
            if mechanism.ion_writes:
                states[IONS] = self.ions.written(placement, states[IONS], found, parameters[IONS])
            states[label] = {k: jnp.broadcast_to(jnp.asarray(x, self.dtype), shape) for k, x in found.items()}
            if self.keep_currents and mechanism.currents:
                states[_currents(label)] = {k: jnp.zeros(shape, self.dtype) for k in mechanism.currents}
            if label in self.receivers:
                sends = mechanism.init_sends(self._rows[label].take(v), p) if mechanism.init_sends else {}
                states[_queue(label)] = self.receivers[label].queue(sends, shape, self.dtype)
        for placement in self.placements:
            if (
                placement.mechanism.remember is not None
            ):  # NEURON's initialisation computes the currents once too
                rows, p = self._rows[placement.label], parameters[placement.label]
                p = self._now(placement, p, states, 0.0)
                self._linearised(placement, rows.take(v), states, p)
        return v, states

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
        if self.ions.varying:
            p = p | self.ions.seen_by(placement, states[IONS])
        return p | {"t": jnp.asarray(t, self.dtype)} if self.has_clock else p

    def variable(self, states: States, label: str, name: str) -> Float[Array, "rows lanes"]:
        """A state of a placement, or (label "ions") an ion's variable where mechanisms use the ion."""
        if label != IONS:
            own = self.own_rows(label)
            held = states[label] if name in states[label] else states[_currents(label)]
            return held[name] if own is None else held[name][own]
        at = self.ions.used_at(name)
        return states[IONS][name][at]

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
    ) -> tuple[Float[Array, "n lanes"], Float[Array, "n lanes"], Variables, States]:
        """Total ionic current of each compartment (nA, outward positive), its slope (uS), and the states after it.

        The states change only where BREAKPOINT keeps a value, and where a mechanism reads an ion's total current. The
        slopes of these total currents (S/cm2) come third.
        """
        current = jnp.zeros((self.n_compartments, v.shape[1]), self.dtype)
        slope = jnp.zeros_like(current)
        states = dict(states)
        if self.ions.varying:
            states[IONS] = self.ions.at_step(states[IONS], parameters[IONS])
        ion_slopes = self.ions.no_currents(states.get(IONS, {}))
        t = states[CLOCK]["t"] + 0.5 * self.dt_ms if self.has_clock else 0.0
        for placement in self.placements:
            label, rows = placement.label, self._rows[placement.label]
            if not placement.mechanism.currents:
                continue
            p = self._now(placement, parameters[label], states, t)
            here = rows.take(v)
            found = self._linearised(placement, here, states, p)
            current = current + rows.spread(found.total * self.to_nA[label])
            slope = slope + rows.spread(found.total_slope * self.to_nA[label])
            if self.keep_currents:
                states[_currents(label)] = found.currents
            if self.ions.sums_currents_of(placement):
                states[IONS] = self.ions.with_currents(placement, states[IONS], found.currents)
                ion_slopes = self.ions.with_currents(placement, ion_slopes, found.slopes)
        return current, slope, ion_slopes, states

    def _linearised(self, placement: Placement, v: Array, states: States, p: dict[str, Array]) -> Linearised:
        """Currents and slopes; what BREAKPOINT keeps is kept in ``states``."""
        mechanism, label = placement.mechanism, placement.label

        def currents(voltage: Array) -> dict[str, Array]:
            found = mechanism.currents_by_name(voltage, states[label], p)
            return {name: jnp.broadcast_to(i, voltage.shape) for name, i in found.items()}

        def remember(voltage: Array) -> None:
            if mechanism.remember is None:
                return
            kept = dict(mechanism.remember(voltage, states[label], p))
            if mechanism.ion_writes:
                states[IONS] = self.ions.written(placement, states[IONS], kept)
            states[label] = states[label] | {k: jnp.broadcast_to(x, v.shape) for k, x in kept.items()}

        if mechanism.conductance is not None:  # NEURON then computes BREAKPOINT once
            at_v = currents(v)
            slope = jnp.broadcast_to(mechanism.conductance(v, states[label], p), v.shape)
            slopes = mechanism.ion_conductances(v, states[label], p) if mechanism.ion_conductances else {}
            result = Linearised(mechanism.total(at_v), slope, at_v, slopes)
        elif self.derivative == "forward_difference":
            # NEURON computes BREAKPOINT at the higher voltage first
            above = currents(v + _NEURON_DV_mV)
            remember(v + _NEURON_DV_mV)
            p = self._now(placement, p, states, p.get("t", 0.0)) if mechanism.remember else p
            at_v = currents(v)
            at_v_total = mechanism.total(at_v)
            slope = (mechanism.total(above) - at_v_total) / _NEURON_DV_mV
            slopes = {name: (above[name] - i) / _NEURON_DV_mV for name, i in at_v.items()}
            result = Linearised(at_v_total, slope, at_v, slopes)
        else:
            at_v, slopes = jax.jvp(currents, (v,), (jnp.ones_like(v),))
            result = Linearised(mechanism.total(at_v), mechanism.total(slopes), at_v, slopes)
        remember(v)
        return result

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
        current, slope, ion_slopes, states = self.membrane_current(v, states, parameters)
        if injected_nA is not None:
            current = current.at[0].add(-injected_nA)
        extra = ((0, self.n_nodes - self.n_compartments), (0, 0))
        diagonal = self.fixed_diagonal + jnp.pad(slope, extra)
        change = self.solver.solve(diagonal, self.solver.axial_current(v) - jnp.pad(current, extra))
        if self.scheme == "second_order" and self.ions.varying:
            states[IONS] = self.ions.at_voltage(states[IONS], ion_slopes, change[: self.n_compartments])
        v = v + self.updates * change
        if self.has_clock:
            clock = states[CLOCK]
            t = clock["t"] + 0.5 * self.dt_ms + 0.5 * self.dt_ms
            states[CLOCK] = {"t": t, "step": clock["step"] + 1}
        now = states[CLOCK]["t"] if self.has_clock else 0.0
        for placement in self.placements:
            label, rows = placement.label, self._rows[placement.label]
            p = self._now(placement, parameters[label], states, now)
            new = self.advanced(placement.mechanism, rows.take(v), states[label], p)
            if placement.mechanism.ion_writes:
                states[IONS] = self.ions.written(placement, states[IONS], new)
            states[label] = {
                name: jnp.broadcast_to(new.get(name, old), old.shape) for name, old in states[label].items()
            }
        return v, states

    def advanced(
        self, mechanism: Mechanism, v: Array, states: dict[str, Array], p: dict[str, Array]
    ) -> dict[str, Array]:
        """A mechanism's states, and what it writes of ions, one step later."""
        if self.scheme == "backward_euler" or not extrapolated(mechanism):
            return dict(mechanism.advance(v, states, p))
        middle = mechanism.advance(v, states, p | {"dt": jnp.asarray(0.5 * self.dt_ms, self.dtype)})
        old = states | p
        return {
            name: 2.0 * x - old[name] if name in mechanism.integrated else x for name, x in middle.items()
        }


def _queue(label: str) -> str:
    return f"{label} self-events"


def _currents(label: str) -> str:
    return f"{label} currents"


def _connections(label: str) -> str:
    return f"{label} connections"
