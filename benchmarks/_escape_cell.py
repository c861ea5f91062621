"""The cell with escape noise: spikes are drawn from a rate of the somatic voltage, and each leaves a stereotyped
pulse.

The cell without sodium and fast potassium (the silent twin) gets one more synapse at the soma, a conductance that
every spike opens (after Gerstner and Kistler 2002, ch. 5: an escape rate with after-spike currents). In a step a
spike is emitted with probability 1 - exp(-rate dt), never within 2 ms of the one before. Rate and pulse are
calibrated on the spiking cell: its spikes open the conductance, and the rate's constants maximise the likelihood of
those spikes.

The derivative of an expected count is then that of the likelihood of the drawn spikes, weighted by the counts
(score function): the spikes are data to the silent cell, so it is one reverse run through the engine's tape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from _tuning_problem import DRIVE, GRATING, SCALE, SILENT_DT_MS, SPIKING_DT_MS, Problem, values_at
from scipy import optimize

from ketune import mechanisms
from ketune._jax import jax, jnp
from ketune.afferents import MAX_PER_STEP, candidates, stratified_gain
from ketune.cell import Cell, Placement
from ketune.engines.slots import lay_out
from ketune.events import Events
from ketune.fitting import drive_at, synapse_overrides
from ketune.fitting._ensemble import pooled_events, pooled_overrides
from ketune.fitting._parameters import values_of
from ketune.fitting._readout import Hazard
from ketune.fitting._silent import Features, SilentTwin, _filled

_REFRACTORY_MS = 2.0
_REVERSAL_mV = -80.0
PULSES = tuple((g, tau) for g in (0.1, 0.2, 0.4, 0.8) for tau in (1.0, 2.0, 4.0))
"""Tried pulses: peak conductance (uS) and decay (ms)."""
_PORT, _LABEL = "spike", "afterspike"


def with_pulse(cell: Cell, peak_uS: float, decay_ms: float) -> Cell:
    """The cell with a conductance at its soma that events of the port `spike` open."""
    mechanism = mechanisms.load("GABAA")
    given = {"gmax": peak_uS, "tau_rise": 0.2, "tau_decay": decay_ms, "e": _REVERSAL_mV}
    parameters = {name: np.full(1, given.get(name, value)) for name, value in mechanism.defaults().items()}
    pulse = Placement(_LABEL, mechanism, np.zeros(1, int), parameters)
    return replace(cell, placements=(*cell.placements, pulse), ports={**cell.ports, _PORT: (_LABEL,)})


def with_spikes(events: Events, step: np.ndarray, lane: np.ndarray) -> tuple[Events, np.ndarray]:
    """Events and spikes together, and where the events went."""
    n = len(step)
    columns = {
        "step": np.concatenate([events.step, step]),
        "lane": np.concatenate([events.lane, lane]),
        "port": np.concatenate([events.port, np.full(n, len(events.port_names))]),
    }
    order = np.lexsort((columns["port"], columns["lane"], columns["step"]))
    joined = Events.from_arrays(
        n_lanes=events.n_lanes,
        n_steps=events.n_steps,
        dt_ms=events.dt_ms,
        port_names=(*events.port_names, _PORT),
        compartment=np.concatenate([events.compartment, np.zeros(n, int)]),
        weight=np.concatenate([events.weight, np.ones(n)]),
        **columns,
    )
    where = np.empty(len(order), int)
    where[order] = np.arange(len(order))
    return joined, where[: len(events.step)]


def refractory(spikes: np.ndarray, dt_ms: float) -> np.ndarray:
    """Where no spike can be drawn, ``bool (steps, lanes)``: within 2 ms after a spike."""
    steps = round(_REFRACTORY_MS / dt_ms)
    summed = np.cumsum(np.vstack([np.zeros((steps + 1, spikes.shape[1]), int), spikes]), axis=0)
    return (summed[steps:-1] - summed[: -steps - 1]) > 0


@dataclass(frozen=True, eq=False)
class EscapeNoise:
    """Calibrated constants: pulse and rate; nats per spike that they gain over a constant rate."""

    peak_uS: float
    decay_ms: float
    hazard: Hazard
    nats_per_spike: float


def calibrate_escape(
    problem: Problem, pulses: Sequence[tuple[float, float]] = PULSES, trials: int = 2
) -> EscapeNoise:
    """Pulse and rate from the spiking cell's spikes at random parameter sets."""
    sets = problem.random_sets(problem.calibration_sets, 1)
    layouts = [problem.layout] * len(sets)
    pooled = partial(pooled_events, layouts, GRATING, DRIVE, sets, trials=trials, seed=problem.seed + 1000)
    overrides = pooled_overrides(sets, len(GRATING.orientation_deg) * trials)
    run = problem.spiking.run(pooled(dt_ms=SPIKING_DT_MS), overrides=overrides, keep_voltage=False)
    events = pooled(dt_ms=SILENT_DT_MS)
    spikes = np.zeros((events.n_steps, events.n_lanes), int)
    step = np.minimum(np.floor(run.spike_ms / SILENT_DT_MS).astype(int), events.n_steps - 1)
    np.add.at(spikes, (step, run.spike_lane), 1)
    spikes = np.minimum(spikes, 1)
    blocked = refractory(spikes, SILENT_DT_MS)
    at, lane = np.nonzero(spikes[:-1])
    forced, _ = with_spikes(events, at + 1, lane)
    seconds = events.n_lanes * GRATING.duration_ms * 1e-3
    problem.meter.spiking_s += seconds
    problem.meter.silent_s += len(pulses) * seconds
    found = []
    for peak, decay in pulses:
        twin = SilentTwin(
            with_pulse(problem.cell, peak, decay), DRIVE, warm_up_ms=GRATING.warm_up_ms, engine=problem.engine
        )
        voltage = twin.engine.run(forced, overrides=overrides).v_mV[:-1, 0].astype(float)
        found.append((*_fit_rate(voltage, spikes.astype(bool), blocked), peak, decay))
    best, hazard, peak, decay = max(found, key=lambda f: f[0])
    n = spikes.sum()
    constant = n * np.log(n / ((~blocked).sum() * SILENT_DT_MS * 1e-3)) - n
    return EscapeNoise(peak, decay, hazard, float((best - constant) / n))


def _fit_rate(v: np.ndarray, spikes: np.ndarray, blocked: np.ndarray) -> tuple[float, Hazard]:
    """Log-likelihood and constants of the rate that makes the spikes most likely."""
    free, fired = v[~blocked], v[spikes & ~blocked]
    # Every fourth step of the integral is enough.
    free, step_s = free[::4], 4 * SILENT_DT_MS * 1e-3

    def hazard(x: np.ndarray) -> Hazard:
        width, slope = np.exp(np.clip(x[1:], -3.0, 8.0))
        return Hazard(float(x[0]), float(width), float(slope), 0.0)

    def cost(x: np.ndarray) -> float:
        def rate(v: np.ndarray) -> np.ndarray:
            return hazard(x).rate_hz(v, softplus=lambda z: np.logaddexp(0.0, z))

        return float(rate(free).sum() * step_s - np.log(rate(fired) + 1e-9).sum())

    best = optimize.minimize(cost, [-52.0, 0.5, 3.0], method="Nelder-Mead", options={"maxiter": 400})
    return -float(best.fun), hazard(best.x)


class EscapeCell:
    """Draws spikes of the cell with escape noise, and takes the derivative of their likelihood."""

    def __init__(self, problem: Problem, noise: EscapeNoise) -> None:
        self.problem, self.noise = problem, noise
        self.twin = SilentTwin(
            with_pulse(problem.cell, noise.peak_uS, noise.decay_ms),
            DRIVE,
            warm_up_ms=GRATING.warm_up_ms,
            engine=problem.engine,
        )
        self._draw = jax.jit(self._scan)
        self._slope = jax.jit(jax.grad(self._log_probability))

    def gradient(self, x: np.ndarray, weights: np.ndarray, trials: int, seed: int) -> np.ndarray:
        """Score-function gradient of the weighted expected counts, in scaled coordinates.

        A step's score is weighted by the counts that follow it, less their mean over the other trials.
        """
        u = x * SCALE
        features = self.features(u, trials, seed)
        soft, overrides = self.twin._at(u, features)
        spikes = self.draw(soft, overrides, seed)
        reward = np.repeat(weights, trials) * self._to_come(spikes)
        by_trial = reward.reshape(len(reward), len(weights), trials)
        others = (by_trial.sum(axis=2, keepdims=True) - by_trial) / max(trials - 1, 1)
        advantage = (by_trial - others).reshape(reward.shape)
        return self._score(u, features, soft, overrides, spikes, advantage) * SCALE / trials

    def mean_counts(self, x: np.ndarray, trials: int, seed: int) -> np.ndarray:
        """Mean drawn count of each orientation."""
        u = x * SCALE
        soft, overrides = self.twin._at(u, self.features(u, trials, seed))
        counts = self._to_come(self.draw(soft, overrides, seed))[0]
        return counts.reshape(-1, trials).mean(axis=1)

    def features(self, u: np.ndarray, trials: int, seed: int) -> Features:
        """Soft events, as the silent twin has them."""
        drive = drive_at(values_at(u / SCALE), DRIVE)
        return self.twin.features(
            candidates(
                self.problem.layout, GRATING, drive, trials=range(trials), seed=seed, dt_ms=SILENT_DT_MS,
                softness=0.1, gain=stratified_gain(trials),
            )
        )  # fmt: skip

    def _to_come(self, spikes: np.ndarray) -> np.ndarray:
        """Counted spikes of a lane from each step on."""
        counted = spikes * (np.arange(len(spikes)) * SILENT_DT_MS >= GRATING.warm_up_ms)[:, None]
        return np.cumsum(counted[::-1], axis=0)[::-1]

    def draw(self, events: Events, overrides: Any, seed: int) -> np.ndarray:
        """Spikes ``int (steps, lanes)``, one step after the other in JAX: what a step draws acts on the next."""
        slots = lay_out(events, MAX_PER_STEP)
        weight = {}
        for index, name in enumerate(events.port_names):
            weight[name] = np.zeros(slots.compartment[name].shape, np.float32)
            weight[name].reshape(-1)[slots.event_at[name]] = events.weight[events.port == index]
        self.problem.meter.silent_s += events.n_lanes * events.n_steps * events.dt_ms * 1e-3
        return np.asarray(
            self._draw(slots.compartment, weight, overrides_list(overrides), jax.random.key(seed))
        )

    def _scan(self, compartment: Any, weight: Any, overrides: Any, key: Any) -> Any:
        twin = self.twin.engine.twin
        parameters = twin.parameters(dict(zip(_KEYS, overrides, strict=True)))
        n_steps, _, lanes = compartment["exc"].shape
        v, states = twin.initial(parameters, lanes)
        dead = round(_REFRACTORY_MS / SILENT_DT_MS)

        def body(carry: Any, given: Any) -> Any:
            v, states, fired, since, key = carry
            places, weights = given
            key, now = jax.random.split(key)
            # As on the tape: the rate is that of the voltage at the beginning of the step.
            rate = self.noise.hazard.rate_hz(v[0]) * (since > dead)
            spike = jax.random.uniform(now, (lanes,)) < -jnp.expm1(-rate * SILENT_DT_MS * 1e-3)
            arrived = twin.arrivals(places, weights)
            arrived[_PORT] = jnp.zeros((twin.n_compartments, lanes), v.dtype).at[0].set(fired.astype(v.dtype))
            v, states = twin.step(v, states, parameters, arrived)
            return (v, states, spike, jnp.where(spike, 1, since + 1), key), spike

        start = (v, states, jnp.zeros(lanes, bool), jnp.full(lanes, dead + 1), key)
        return jax.lax.scan(body, start, (compartment, weight), length=n_steps)[1]

    def _log_probability(self, v: Any, spikes: Any, free: Any, advantage: Any) -> Any:
        expected = self.noise.hazard.rate_hz(v) * SILENT_DT_MS * 1e-3
        each = jnp.where(spikes, jnp.log(-jnp.expm1(-jnp.maximum(expected, 1e-12))), -expected)
        return jnp.sum(jnp.where(free, each, 0.0) * advantage)

    def _score(
        self,
        u: np.ndarray,
        features: Features,
        soft: Events,
        overrides: Any,
        spikes: np.ndarray,
        advantage: np.ndarray,
    ) -> np.ndarray:
        """Derivative of the log-probability of the spikes, each step times its advantage."""
        at, lane = np.nonzero(spikes[:-1])
        forced, where = with_spikes(soft, at + 1, lane)
        synapses = list(synapse_overrides(values_at(u / SCALE)))
        tape = self.twin.engine.tape(forced, wrt=synapses, overrides=overrides)
        self.problem.meter.reverse_s += 3 * forced.n_lanes * GRATING.duration_ms * 1e-3
        cotangent = np.zeros(tape.v_mV.shape)
        cotangent[:-1, 0] = self._slope(
            jnp.asarray(tape.v_mV[:-1, 0], jnp.float64), spikes.astype(bool),
            ~refractory(spikes, SILENT_DT_MS), advantage,
        )  # fmt: skip
        found = tape.gradient(cotangent)
        return to_coordinates(self.twin, u, features, found, found.weight[where])


_KEYS = (("ampa", "gmax"), ("nmda", "gmax"), ("gaba_pv", "gmax"), ("gaba_sst", "gmax"))


def overrides_list(overrides: Any) -> list[Any]:
    """Synaptic strengths in the order in which the compiled function takes them."""
    return [jnp.asarray(overrides[key]) for key in _KEYS]


def to_coordinates(
    twin: SilentTwin, u: np.ndarray, features: Features, found: Any, weight: np.ndarray
) -> np.ndarray:
    """From derivatives in synaptic strengths and event weights to the coordinates of a fit."""
    at = jnp.asarray(u, jnp.float64)
    _, pull = jax.vjp(lambda u: synapse_overrides(values_of(u, jnp)), at)
    (total,) = pull({key: jnp.asarray(found.parameters[key].sum(), jnp.float64) for key in _KEYS})
    for stream, here in features.index.items():
        total = total + twin._pull[stream](at, features.of_stream[stream], _filled(weight[here], 0.0))
    return np.asarray(total)
