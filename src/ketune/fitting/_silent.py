"""The silent twin: expected spike counts of soft events, differentiable in the fitted parameters."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from jaxtyping import Array, Float

from ketune._jax import jax, jnp
from ketune.afferents import MAX_PER_STEP, STREAMS, Candidates, Drive, rate_hz
from ketune.cell import Cell, Overrides
from ketune.engines.slots import lay_out
from ketune.engines.twin import Twin
from ketune.errors import InputError
from ketune.fitting._parameters import drive_at, synapse_overrides, values_of
from ketune.fitting._readout import Hazard, silent_cell

_BACKGROUND = STREAMS.index("background")
_STREAM_OF_PORT = {"exc": STREAMS.index("driven"), "pv": STREAMS.index("pv"), "sst": STREAMS.index("sst")}
# A mark that no rate reaches: an empty slot has weight zero and gradient zero.
_NEVER_HZ = 1e6
# Lanes of one forward run: parameter sets share the cores. In reverse mode the lanes themselves are shared out, and
# what is stored for them limits their number.
_FORWARD_LANES, _REVERSE_LANES = 128, 36

Features = dict[str, dict[str, np.ndarray]]


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
    checkpoint_steps
        Steps between stored states in reverse mode.
    """

    def __init__(
        self,
        cell: Cell,
        drive: Drive,
        *,
        warm_up_ms: float,
        dt_ms: float = 0.1,
        dtype: Any = jnp.float32,
        checkpoint_steps: int = 32,
        overrides: Overrides | None = None,
    ) -> None:
        if cell.tells_connections_apart:
            raise InputError(
                f"cell '{cell.name}' cannot be fitted: gradients need synapses whose events add up, without short-term "
                "plasticity or states of their own"
            )
        self.drive, self.dt_ms, self.warm_up_ms = drive, dt_ms, warm_up_ms
        self.twin = Twin(silent_cell(cell), dt_ms=dt_ms, dtype=dtype)
        self._fixed = dict(overrides or {})
        self._checkpoint_steps = checkpoint_steps
        self._expected = jax.jit(self.expected)
        self._pullback = jax.jit(
            jax.grad(lambda u, cotangent, *args: jnp.sum(cotangent * self.expected(u, *args)))
        )

    def features(self, candidates: Candidates) -> Features:
        """Candidates in slots: what the soft weight of each depends on."""
        layout = lay_out(candidates.events, MAX_PER_STEP)
        features: Features = {}
        for index, port in enumerate(candidates.events.port_names):
            here = candidates.events.port == index
            at = layout.event_at[port]
            shape = layout.compartment[port].shape

            def filled(values, empty, dtype, shape=shape, at=at):
                array = np.full(shape, empty, dtype)
                array.reshape(-1)[at] = values
                return array

            f = {
                "compartment": layout.compartment[port],
                "height": filled(candidates.height_hz[here], _NEVER_HZ, np.float32),
                "scale": filled(np.maximum(candidates.scale_hz[here], 1e-6), 1.0, np.float32),
                "course": filled(candidates.time_course[here], 0.0, np.float32),
            }
            if port == "exc":
                f["deviate"] = filled(candidates.deviate[here], 0.0, np.float32)
                f["tree"] = filled(candidates.tree[here], 0, np.int8)
                f["stream"] = filled(candidates.stream[here], 0, np.int8)
            features[port] = f
        return features

    def _weights(
        self, drive: Drive, slots: dict[str, dict[str, Array]], orientation: Array, gain: Array
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        compartment, weight = {}, {}
        for port, f in slots.items():
            rate = rate_hz(
                drive,
                _STREAM_OF_PORT[port],
                gain_deviate=gain,
                orientation_deg=orientation,
                tree=f.get("tree"),
                deviate=f.get("deviate"),
                time_course=f["course"],
                xp=jnp,
            )
            if port == "exc":
                background = rate_hz(drive, _BACKGROUND, gain_deviate=gain, xp=jnp)
                rate = jnp.where(f["stream"] == _BACKGROUND, background, rate)
            compartment[port] = f["compartment"]
            weight[port] = jax.nn.sigmoid((rate - f["height"]) / f["scale"]).astype(self.twin.dtype)
        return compartment, weight

    def expected(
        self,
        coordinates: Float[Array, " parameters"],
        features: Features,
        orientation: Float[Array, " lanes"],
        gain: Float[Array, " lanes"],
        hazard: Sequence[float],
    ) -> Float[Array, " lanes"]:
        """Expected spikes of every lane in the window; pure, and differentiable forward and in reverse.

        Parameters
        ----------
        coordinates
            Unbounded coordinates of the fitted parameters.
        features
            See :meth:`features`.
        orientation, gain
            Stimulus (``nan`` for a blank) and gain deviate of each lane.
        hazard
            ``(threshold_mV, width_mV, slope_hz_per_mV, refractory_ms)``.
        """
        values = values_of(coordinates.astype(self.twin.dtype), jnp)
        drive = drive_at(values, self.drive)
        parameters = self.twin.parameters(self._fixed)
        for (label, name), value in synapse_overrides(values).items():
            parameters[label] = {**parameters[label], name: jnp.reshape(value, (1, 1))}
        n_steps = features["exc"]["height"].shape[0]
        read = Hazard(*hazard)
        counting = (np.arange(n_steps) + 1) * self.dt_ms > self.warm_up_ms

        def step(carry, inputs):
            v, states, total = carry
            slots, counts = inputs
            arrived = self.twin.arrivals(*self._weights(drive, slots, orientation, gain))
            v, states = self.twin.step(v, states, parameters, arrived)
            total = total + jnp.where(counts, read.rate_hz(v[0]) * (self.dt_ms * 1e-3), 0.0)
            return (v, states, total), None

        @jax.checkpoint
        def segment(carry, inputs):
            return jax.lax.scan(step, carry, inputs)

        carry = (
            *self.twin.initial(parameters, orientation.shape[0]),
            jnp.zeros(orientation.shape, self.twin.dtype),
        )
        inputs = (features, jnp.asarray(counting))
        whole = n_steps // self._checkpoint_steps * self._checkpoint_steps
        if whole:
            shaped = jax.tree.map(
                lambda x: jnp.reshape(x[:whole], (-1, self._checkpoint_steps, *x.shape[1:])), inputs
            )
            carry, _ = jax.lax.scan(segment, carry, shaped)
        carry, _ = segment(carry, jax.tree.map(lambda x: x[whole:], inputs))
        return carry[2]

    def counts(
        self,
        coordinates: Sequence[np.ndarray],
        features: Features,
        orientation: np.ndarray,
        gain: np.ndarray,
        hazard: Hazard,
    ) -> np.ndarray:
        """Expected spikes ``(sets, lanes)`` of several parameter sets on the same soft events."""
        points = [jnp.asarray(u, jnp.float64) for u in coordinates]
        blocks = self._blocks(features, orientation, gain, -(-len(gain) // _FORWARD_LANES))
        work = [(u, *block) for u in points for block in blocks]
        h = tuple(hazard.as_dict().values())
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            results = list(pool.map(lambda args: np.asarray(self._expected(*args, h)), work))
        per_set = len(blocks)
        return np.stack([np.concatenate(results[i : i + per_set]) for i in range(0, len(results), per_set)])

    def gradient(
        self,
        coordinates: np.ndarray,
        features: Features,
        orientation: np.ndarray,
        gain: np.ndarray,
        hazard: Hazard,
        cotangent: np.ndarray,
    ) -> np.ndarray:
        """Gradient ``(parameters,)`` of the sum of the lanes' expected spikes, each times its cotangent."""
        h = tuple(hazard.as_dict().values())
        u = jnp.asarray(coordinates, jnp.float64)
        weights = np.asarray(cotangent, self.twin.dtype)
        cores = os.cpu_count() or 1
        n_blocks = -(-len(weights) // (_REVERSE_LANES * cores)) * cores
        blocks = self._blocks(features, orientation, gain, n_blocks)
        parts = [weights[part] for part in _parts(len(weights), n_blocks)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            results = pool.map(lambda w, block: np.asarray(self._pullback(u, w, *block, h)), parts, blocks)
            return np.sum(list(results), axis=0, dtype=float)

    def _blocks(
        self, features: Features, orientation: np.ndarray, gain: np.ndarray, n_blocks: int
    ) -> list[tuple[Features, np.ndarray, np.ndarray]]:
        o, g = (np.asarray(x, self.twin.dtype) for x in (orientation, gain))
        parts = _parts(len(o), n_blocks)
        return [(jax.tree.map(lambda x, p=p: x[:, :, p], features), o[p], g[p]) for p in parts]


def _parts(lanes: int, n_blocks: int) -> list[slice]:
    """Blocks of one size, so that one compiled function serves all but perhaps the last."""
    size = -(-lanes // n_blocks)
    return [slice(start, start + size) for start in range(0, lanes, size)]
