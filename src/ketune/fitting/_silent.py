"""The silent twin: expected spike counts of soft events, differentiable in the fitted parameters.

An engine simulates the cell without somatic action potentials and, with its tape, takes the derivative of the expected
counts back to event weights and synaptic strengths; JAX takes these to the fitted parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Array, Float

from ketune._jax import jax, jnp
from ketune.afferents import STREAMS, Candidates, Drive, rate_hz
from ketune.cell import Cell, Overrides
from ketune.engines import create
from ketune.engines.tape import Gradient, Key
from ketune.errors import InputError
from ketune.events import Events
from ketune.fitting._parameters import drive_at, synapse_overrides, values_of
from ketune.fitting._readout import Hazard, silent_cell
from ketune.pharmacology import field_overrides

# A mark that no rate reaches: an event that fills up an array has weight zero and gradient zero.
_NEVER_HZ = 1e6
# Arrays are filled up to a multiple of this, so that few functions have to be compiled.
_FILLED_TO = 1 << 16
# Factors on the drive of PV and SST cells without a drug.
_UNCHANGED = np.ones(2)


@dataclass(frozen=True, eq=False)
class Features:
    """Soft events, and what the weight of each depends on.

    Attributes
    ----------
    events
        Their weights mean nothing.
    index
        By stream, which of the events are its own.
    of_stream
        By stream the arguments of the weight, ``(n, ...)`` each, filled up.
    """

    events: Events
    index: dict[int, np.ndarray]
    of_stream: dict[int, dict[str, np.ndarray]]


class SilentTwin:
    """Expected spike counts of the cell without somatic action potentials.

    Parameters
    ----------
    cell
        The spiking cell; it is silenced here.
    drive
        Afferent parameters that are not fitted.
    warm_up_ms
        Time before counting begins.
    dt_ms, dtype
        The silent cell has no fast transients: a step of 0.1 ms in float32 changes expected counts by less than the
        error of the readout; the fit states the measured difference.
    engine
        See :func:`ketune.engines.create`.
    overrides
        Parameters of the cell that are not fitted.
    """

    def __init__(
        self,
        cell: Cell,
        drive: Drive,
        *,
        warm_up_ms: float,
        dt_ms: float = 0.1,
        dtype: Any = jnp.float32,
        engine: str = "auto",
        overrides: Overrides | None = None,
    ) -> None:
        if cell.tells_connections_apart:
            raise InputError(
                f"cell '{cell.name}' cannot be fitted: gradients need synapses whose events add up, without short-term "
                "plasticity or states of their own"
            )
        self.drive, self.dt_ms, self.warm_up_ms = drive, dt_ms, warm_up_ms
        self.engine = create(silent_cell(cell), engine, dt_ms=dt_ms, dtype=dtype)
        self._fixed = dict(overrides or {})
        self._weights = {k: jax.jit(partial(self._weight, k)) for k in range(len(STREAMS))}
        self._count_slope = jax.jit(jax.grad(self._weighted_count))
        self._pull = {k: jax.jit(partial(self._pulled, k)) for k in range(len(STREAMS))}

    def features(self, candidates: Candidates) -> Features:
        """Candidates, sorted by what their weights depend on."""
        index, of_stream = {}, {}
        for stream in range(len(STREAMS)):
            here = np.flatnonzero(candidates.stream == stream)
            if len(here):
                index[stream] = here
                of_stream[stream] = {
                    "height": _filled(candidates.height_hz[here], _NEVER_HZ),
                    "scale": _filled(np.maximum(candidates.scale_hz[here], 1e-6), 1.0),
                    "course": _filled(candidates.time_course[here], 0.0),
                    "deviate": _filled(candidates.deviate[here], 0.0),
                    "tree": _filled(candidates.tree[here], 0),
                    "orientation": _filled(candidates.orientation_deg[here], 0.0),
                    "gain": _filled(candidates.gain_deviate[here], 0.0),
                }
        return Features(candidates.events, index, of_stream)

    def _weight(
        self,
        stream: int,
        coordinates: Float[Array, " parameters"],
        f: dict[str, Array],
        inhibition: Any = _UNCHANGED,
    ) -> Float[Array, " events"]:
        """Soft presence of a stream's events; ``inhibition`` multiplies the drive of PV and of SST cells."""
        drive = drive_at(values_of(coordinates, jnp), self.drive)
        drive = replace(
            drive, pv_drive=drive.pv_drive * inhibition[0], sst_drive=drive.sst_drive * inhibition[1]
        )
        rate = rate_hz(
            drive,
            stream,
            gain_deviate=f["gain"],
            orientation_deg=f["orientation"],
            tree=f["tree"],
            deviate=f["deviate"],
            time_course=f["course"],
            xp=jnp,
        )
        return jax.nn.sigmoid((rate - f["height"]) / f["scale"])

    def _pulled(self, stream: int, coordinates: Array, f: dict[str, Array], cotangent: Array) -> Array:
        return jax.vjp(lambda u: self._weight(stream, u, f), coordinates)[1](cotangent)[0]

    def _at(
        self, coordinates: np.ndarray, features: Features, inhibition: np.ndarray = _UNCHANGED
    ) -> tuple[Events, Overrides]:
        """Events with their weights, and the cell's parameters."""
        u, factors = jnp.asarray(coordinates, jnp.float64), jnp.asarray(inhibition, jnp.float64)
        weight = np.empty(len(features.events.step))
        for stream, here in features.index.items():
            found = self._weights[stream](u, features.of_stream[stream], factors)
            weight[here] = np.asarray(found)[: len(here)]
        return replace(features.events, weight=weight), self._strengths(coordinates)

    def _strengths(self, coordinates: np.ndarray) -> Overrides:
        synapses = synapse_overrides(values_of(np.asarray(coordinates, float)))
        return {**self._fixed, **{key: np.asarray(value) for key, value in synapses.items()}}

    def _counting(self, n_samples: int) -> np.ndarray:
        """Which samples of the voltage count."""
        return np.arange(n_samples) * self.dt_ms > self.warm_up_ms

    def _weighted_count(self, v: Array, hazard: Sequence[float], cotangent: Array) -> Array:
        return jnp.sum(Hazard(*hazard).rate_hz(v) * cotangent) * (self.dt_ms * 1e-3)

    def counts(
        self, coordinates: Sequence[np.ndarray], features: Features, hazard: Hazard
    ) -> Float[np.ndarray, "sets lanes"]:
        """Expected spikes in the window, of several parameter sets on the same soft events."""
        results = []
        for u in coordinates:
            events, overrides = self._at(u, features)
            run = self.engine.run(events, overrides=overrides)
            v = run.v_mV[self._counting(len(run.v_mV)), 0].astype(float)
            rate = hazard.rate_hz(v, softplus=lambda z: np.logaddexp(0.0, z))
            results.append(rate.sum(axis=0) * self.dt_ms * 1e-3)
        return np.stack(results)

    def gradient(
        self, coordinates: np.ndarray, features: Features, hazard: Hazard, cotangent: np.ndarray
    ) -> Float[np.ndarray, " parameters"]:
        """Gradient of the sum of the lanes' expected spikes, each times its cotangent."""
        events, overrides = self._at(coordinates, features)
        synapses = list(synapse_overrides(values_of(np.asarray(coordinates, float))))
        _, found = self._pull_back(events, synapses, overrides, hazard, cotangent)
        u = jnp.asarray(coordinates, jnp.float64)
        _, pull = jax.vjp(lambda u: synapse_overrides(values_of(u, jnp)), u)
        (total,) = pull({key: jnp.asarray(found.parameters[key].sum(), jnp.float64) for key in synapses})
        for stream, here in features.index.items():
            f = features.of_stream[stream]
            total = total + self._pull[stream](u, f, _filled(found.weight[here].astype(float), 0.0))
        return np.asarray(total)

    def _pull_back(
        self, events: Events, wrt: Sequence[Key], overrides: Overrides, hazard: Hazard, cotangent: np.ndarray
    ) -> tuple[Float[Array, "samples lanes"], Gradient]:
        """The counting voltage, and the derivative of the lanes' expected spikes, each times its cotangent."""
        tape = self.engine.tape(events, wrt=list(wrt), overrides=overrides)
        counting = self._counting(len(tape.v_mV))
        v = jnp.asarray(tape.v_mV[counting, 0], jnp.float64)
        slope = np.zeros(tape.v_mV.shape)
        slope[counting, 0] = self._count_slope(
            v, tuple(hazard.as_dict().values()), jnp.asarray(cotangent, jnp.float64)
        )
        return v, tape.gradient(slope)

    def drug_gradient(
        self,
        coordinates: np.ndarray,
        features: Features,
        hazard: Hazard,
        numbers: Mapping[str, float],
        effect: Callable[[Mapping[str, Any]], Mapping[str, Any]],
        cotangent: np.ndarray,
    ) -> tuple[Float[np.ndarray, " lanes"], dict[str, float]]:
        """Expected spikes of the dosed neuron, and the slope of their weighted sum in each number of the drug.

        Parameters
        ----------
        numbers
            The drug's numbers by dotted name, in which the slope is taken.
        effect
            From these numbers to the fields of a drug's effect, in JAX: see :func:`ketune.pharmacology.effect_fields`.
        cotangent
            ``(lanes,)`` weights of the expected spikes.
        """
        strengths = self._strengths(coordinates)

        keys: list[tuple[str, str]] = []

        def acts(values: Mapping[str, Any]) -> tuple[list[Array], Array]:
            fields = effect(values)
            own = field_overrides(self.engine.twin.cell, fields, base=strengths)
            named = [jnp.asarray(x, jnp.float64) for x in own.values()]
            keys[:] = own
            return named, jnp.stack([jnp.asarray(fields["pv_drive"]), jnp.asarray(fields["sst_drive"])])

        at = {name: jnp.asarray(value, jnp.float64) for name, value in numbers.items()}
        (drugged, inhibition), pull = jax.vjp(acts, at)
        overrides = dict(zip(keys, map(np.asarray, drugged), strict=True))
        events, _ = self._at(coordinates, features, np.asarray(inhibition))
        v, found = self._pull_back(events, keys, {**strengths, **overrides}, hazard, cotangent)
        by_drive = jnp.zeros(2)
        u = jnp.asarray(coordinates, jnp.float64)
        for stream, here in features.index.items():
            f, own = features.of_stream[stream], _filled(found.weight[here].astype(float), 0.0)
            by_drive = (
                by_drive + jax.vjp(lambda x, s=stream, f=f: self._weight(s, u, f, x), inhibition)[1](own)[0]
            )
        (total,) = pull(([jnp.asarray(found.parameters[k], jnp.float64) for k in keys], by_drive))
        counts = np.asarray(hazard.rate_hz(v)).sum(axis=0) * self.dt_ms * 1e-3
        return counts, {name: float(x) for name, x in total.items()}


def _filled(values: np.ndarray, empty: float) -> np.ndarray:
    size = -(-len(values) // _FILLED_TO) * _FILLED_TO
    result = np.full(size, empty, np.asarray(values).dtype)
    result[: len(values)] = values
    return result
