"""One cylinder with mechanisms, stepped twice: by NEURON, and by the few lines of JAX that copy NEURON's fixed step.

The order within a step from t to t + dt is NEURON's: events at t are delivered; currents are linearised at the old
voltage by a forward difference of 0.001 mV; backward Euler gives the new voltage; states advance with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ketune.mechanisms import Mechanism

LENGTH_UM = 20.0
AREA_UM2 = math.pi * LENGTH_UM**2
REVERSAL = {"ena": 60.0, "ek": -80.0, "eca": 120.0}
NUDGE_MV = 0.001


@dataclass(frozen=True)
class Protocol:
    """What happens to the cylinder. `steps` are (onset ms, duration ms, nA); `events` are step numbers."""

    mechanisms: tuple[tuple[Mechanism, dict[str, float]], ...]
    steps: tuple[tuple[float, float, float], ...] = ()
    events: tuple[int, ...] = ()
    weight: float = 1.0
    celsius: float = 37.0
    v_init: float = -70.0
    dt: float = 0.025
    n_steps: int = 8000
    leak: dict[str, float] = field(default_factory=lambda: {"g": 1e-4, "e": -70.0})


def run_jax(protocol: Protocol, leak: Mechanism) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Voltage (n_steps + 1,), mV, and each state "mechanism.state" at the same times."""
    import jax
    import jax.numpy as jnp

    dt = protocol.dt
    parts = []
    for mechanism, values in (*protocol.mechanisms, (leak, protocol.leak)):
        p: dict[str, Any] = {
            **mechanism.defaults(),
            **values,
            **REVERSAL,
            "celsius": protocol.celsius,
            "dt": dt,
        }
        p = {key: jnp.asarray(value, jnp.float64) for key, value in p.items()}
        parts.append((mechanism, {**p, **mechanism.derived(p)}))

    middle = (np.arange(protocol.n_steps) + 0.5) * dt
    stimulus = np.zeros(protocol.n_steps)
    for onset, duration, amplitude in protocol.steps:
        stimulus += amplitude * ((middle >= onset) & (middle < onset + duration))
    arriving = np.bincount(protocol.events, minlength=protocol.n_steps)[: protocol.n_steps] * protocol.weight
    per_area = {"density": 1.0, "point": 100.0 / AREA_UM2}  # to mA/cm2

    def total(v: Any, states: Any) -> Any:
        return sum(per_area[m.kind] * m.current(v, s, p) for (m, p), s in zip(parts, states, strict=True))

    def step(carry: Any, inputs: Any) -> Any:
        v, states = carry
        injected, events = inputs
        states = [
            {**s, **{k: s[k] + events * jump for k, jump in m.event_jump(p).items()}}
            for (m, p), s in zip(parts, states, strict=True)
        ]
        current = total(v, states)
        conductance = (total(v + NUDGE_MV, states) - current) / NUDGE_MV
        capacity = 1e-3 / dt  # 1 uF/cm2
        v = v + (injected * 100.0 / AREA_UM2 - current) / (capacity + conductance)
        states = [m.advance(v, s, p) for (m, p), s in zip(parts, states, strict=True)]
        return (v, states), (v, states)

    v = jnp.asarray(protocol.v_init, jnp.float64)
    states = [m.init(v, p) for m, p in parts]
    _, (trace, history) = jax.lax.scan(step, (v, states), (jnp.asarray(stimulus), jnp.asarray(arriving)))
    named = {}
    for (m, _), first, rest in zip(parts, states, history, strict=True):
        for key in first:
            named[f"{m.name}.{key}"] = np.concatenate([[first[key]], rest[key]])
    return np.concatenate([[protocol.v_init], trace]), named


def run_neuron(protocol: Protocol) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The same from NEURON, whose own `pas` is the leak; carried variables are not recorded."""
    from neuron import h

    h.load_file("stdrun.hoc")
    soma = h.Section(name="soma")
    soma.L = soma.diam = LENGTH_UM
    soma.cm = 1.0
    soma.insert("pas")
    centre = soma(0.5)
    centre.pas.g, centre.pas.e = protocol.leak["g"], protocol.leak["e"]
    kept, recorded, connections = [], {}, []
    for mechanism, values in protocol.mechanisms:
        if mechanism.kind == "density":
            soma.insert(mechanism.name)
            instance = getattr(centre, mechanism.name)
        else:
            instance = getattr(h, mechanism.name)(centre)
            connection = h.NetCon(None, instance)
            connection.weight[0] = protocol.weight
            connections.append(connection)
        for name, value in values.items():
            setattr(instance, name, value)
        for state in set(mechanism.states) - set(mechanism.carried):
            recorded[f"{mechanism.name}.{state}"] = h.Vector().record(getattr(instance, f"_ref_{state}"))
        kept.append(instance)
    if h.ismembrane("na_ion", sec=soma):
        soma.ena = REVERSAL["ena"]
    if h.ismembrane("k_ion", sec=soma):
        soma.ek = REVERSAL["ek"]
    if h.ismembrane("ca_ion", sec=soma):
        soma.eca = REVERSAL["eca"]
    for onset, duration, amplitude in protocol.steps:
        clamp = h.IClamp(centre)
        clamp.delay, clamp.dur, clamp.amp = onset, duration, amplitude
        kept.append(clamp)

    def send() -> None:
        for connection in connections:
            for event in protocol.events:
                connection.event(event * protocol.dt)

    handler = h.FInitializeHandler(send)
    voltage = h.Vector().record(centre._ref_v)
    h.celsius, h.dt, h.steps_per_ms, h.secondorder = protocol.celsius, protocol.dt, 1.0 / protocol.dt, 0
    h.cvode.active(False)
    h.finitialize(protocol.v_init)
    h.continuerun((protocol.n_steps - 0.5) * protocol.dt)
    del handler
    return np.array(voltage), {name: np.array(vector) for name, vector in recorded.items()}
