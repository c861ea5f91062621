"""Gating of the five-state NMDA receptor under synaptic events, averaged over Poisson trains.

The rates come from the translated NMDA5 mechanism: its implicit step is (1 - dt Q)^-1, so the step of every unit
state gives Q. An event is a pulse of glutamate, over within 20 ms; the map of the whole pulse, taken back to the
time of the event with the rates of rest, is a kick K. The mean over Poisson trains of r events per second then obeys
d x/dt = [Q(no glutamate) + r (K - 1)] x. Pulses that overlap are treated as if they did not: at 8 Hz this moves the
mean open probability by 5e-4 of itself, at 32 Hz by 1e-3 (docs/nmda-block.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_MECHANISM = "NMDA5"
_UNBOUND, _BOUND = ("C0", "C1", "C2", "D", "O"), ("C0B", "C1B", "C2B", "DB", "OB")
_PULSE_IN_TAU = 20.0  # glutamate then binds 1e-8 /ms
_PULSE_STEPS = 200  # the map is then exact to 1e-6
_SLOWEST_HZ = 1e-4
"""Rates below one event in three hours count as this: without any opening, block would be undefined."""


@dataclass(frozen=True, eq=False)
class Scheme:
    """The scheme as generators of dx/dt = Q x (/s), with x the five states without drug, then those with it.

    Attributes:
        rest: (10, 10) without glutamate and drug.
        glutamate: (10, 10) what 1 mM of glutamate adds.
        binding, unbinding, escape: (10, 10) what a rate of 1 /s adds: O to OB, OB to O, and closed with drug to
            closed without.
        event: (10, 10) kick of one event.
        open: index of O; that of OB is five more.
    """

    rest: Array
    glutamate: Array
    binding: Array
    unbinding: Array
    escape: Array
    event: Array
    open: int = _UNBOUND.index("O")

    @property
    def n(self) -> int:
        """States of the gating alone."""
        return len(_UNBOUND)

    def averaged_gating(self, rate_hz: Any, xp: Any = np) -> Any:
        """(..., 5, 5) generator of the mean gating without drug at rates of any shape."""
        n = self.n
        rate = xp.asarray(rate_hz)[..., None, None]
        return self.rest[:n, :n] + rate * (self.event[:n, :n] - np.eye(n))


@lru_cache(maxsize=1)
def scheme() -> Scheme:
    """The scheme of NMDA5.mod, read once from the translated mechanism."""
    from ketune._jax import jax

    with jax.ensure_compile_time_eval():  # also where the first caller is being traced
        return _read()


def _read() -> Scheme:
    from ketune import mechanisms

    receptor = mechanisms.load(_MECHANISM)
    states = (*_UNBOUND, *_BOUND)
    unit = np.eye(len(states))
    step_ms = 1.0

    def generator(**rates: float) -> Array:
        # Without magnesium and voltage dependence each parameter is one rate; glutamate stays.
        given = {
            "mg": 0.0,
            "delta": 0.0,
            "k_ref": 1.0,
            "ket": 0.0,
            "k_on": 0.0,
            "k_esc": 0.0,
            "tau_glu": 1e15,
        }
        p = {**receptor.defaults(), **given, **rates, "celsius": 37.0, "dt": step_ms}
        p = {**p, **receptor.derived(p)}
        start = {name: unit[k] for k, name in enumerate(states)} | {"glu": np.full(len(states), p["glu"])}
        after = receptor.advance(0.0, start, p)
        step = np.array([np.broadcast_to(np.asarray(after[name]), len(states)) for name in states])
        q = (unit - np.linalg.inv(step)) * (1e3 / step_ms)
        q[np.abs(q) < 1e-9] = 0.0  # rounding, far below k_esc
        return q

    rest = generator(glu=0.0)
    glutamate = generator(glu=1.0) - rest
    unbinding = generator(glu=0.0, k_on=1.0) - rest
    both = generator(glu=0.0, k_on=1.0, ket=1.0) - rest
    defaults = receptor.defaults()
    return Scheme(
        rest=rest,
        glutamate=glutamate,
        binding=(both - unbinding) / 1e3,  # the mechanism's rates are per ms
        unbinding=unbinding / 1e3,
        escape=(generator(glu=0.0, k_esc=1.0) - rest) / 1e3,
        event=_kick(rest, glutamate, defaults["glu_peak"], defaults["tau_glu"] * 1e-3),
    )


def _kick(rest: Array, glutamate: Array, peak_mM: float, tau_s: float) -> Array:
    """Map of one pulse, as if at once: exp(-T rest) times the propagator over the pulse's time T.

    Propagated by the commutator-free Magnus method of fourth order (Blanes and Moan 2006).
    """
    from scipy.linalg import expm

    total = _PULSE_IN_TAU * tau_s
    h = total / _PULSE_STEPS
    root = np.sqrt(3.0)
    early, late = 0.5 - root / 6.0, 0.5 + root / 6.0
    more, less = 0.25 + root / 6.0, 0.25 - root / 6.0
    propagator = np.eye(len(rest))
    for k in range(_PULSE_STEPS):
        first, second = (rest + glutamate * peak_mM * np.exp(-(k + c) * h / tau_s) for c in (early, late))
        propagator = (
            expm(h * (less * first + more * second)) @ expm(h * (more * first + less * second)) @ propagator
        )
    return np.asarray(expm(-total * rest) @ propagator, dtype=np.float64)


def as_float64(x: Any, xp: Any = np) -> Any:
    """An array of 64-bit floats.

    Raises:
        TypeError: JAX gives 32 bits, with which relaxation over minutes cannot be computed from rates per ms.
    """
    if xp is not np and xp.asarray(0.0).dtype != np.float64:
        raise TypeError(
            "NMDA block in JAX needs float64: jax.config.update('jax_enable_x64', True) comes first"
        )
    return xp.asarray(x, dtype=np.float64)


def at_least_slowest(rate_hz: Any, xp: Any = np) -> Any:
    """Event rates, none below the slowest that has a meaning here."""
    return xp.maximum(as_float64(rate_hz, xp), _SLOWEST_HZ)


def mean_gating(rate_hz: Any, xp: Any = np) -> Any:
    """Mean occupancies (..., 5) of C0, C1, C2, D, O without drug, under Poisson events at ``rate_hz`` (...)."""
    q = scheme().averaged_gating(at_least_slowest(rate_hz, xp), xp)
    # One equation follows from the others; in its place the occupancies sum to 1.
    closed = xp.concatenate([xp.ones_like(q[..., :1, :]), q[..., 1:, :]], axis=-2)
    first = xp.zeros_like(q[..., :, :1]) + np.eye(scheme().n)[:, :1]
    return xp.linalg.solve(closed, first)[..., 0]


def mean_open_probability(rate_hz: Any, xp: Any = np) -> Any:
    """Mean open probability of an NMDA receptor whose synapse gets Poisson events at ``rate_hz``.

    Absolute, magnesium-blocked openings included, without drug; the mean over time of the five states of Destexhe,
    Mainen and Sejnowski 1996 with 1 mM glutamate per event, decaying with 1.2 ms. 0.0048, 0.022, 0.068 and 0.142 at
    0.1, 0.5, 2 and 8 Hz. Regular events give up to 24 % more (2 Hz), see docs/nmda-block.md.

    Args:
        rate_hz: events per second at one synapse, any shape.
        xp: ``numpy``, or ``jax.numpy`` where gradients are wanted.
    """
    return mean_gating(rate_hz, xp)[..., scheme().open]


def excess_open_time_s(rate_hz: Any, xp: Any = np) -> Any:
    """How much longer a receptor that is open now will be open, from now on, than one taken at random (s).

    The integral over t of P(open at t | open at 0) - Po, under Poisson events. Divided by Po it is the mean time
    until a receptor taken at random opens: 12.5 s at 0.1 Hz, 0.15 s at 8 Hz.
    """
    s = scheme()
    pi = mean_gating(rate_hz, xp)
    q = s.averaged_gating(at_least_slowest(rate_hz, xp), xp)
    fundamental = pi[..., :, None] * np.ones(s.n) - q
    return xp.linalg.solve(fundamental, (np.eye(s.n)[s.open] - pi)[..., None])[..., s.open, 0]
