"""The network behind a response surface, and how it learns from single trials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Array, Float

from ketune._jax import jax, jnp
from ketune.surface._law import log_count_law

# Rates are kept below this, and dispersions in this range: outside, the laws of counts mean nothing.
_HIGHEST_HZ = 400.0
_SMALLEST_HZ = 1e-4
_RATE_UNIT_HZ = 10.0
_LOG_DISPERSION = (-3.0, 3.0)
_BATCH = 256

Weights = list[tuple[Any, Any]]


@dataclass(frozen=True)
class Training:
    """How a network is trained.

    Attributes
    ----------
    hidden
        Units of each of the two hidden layers.
    steps
        Steps of the optimiser, each on 256 trials.
    """

    hidden: int = 48
    steps: int = 30_000
    learning_rate: float = 4e-3
    weight_decay: float = 3e-2


def output(weights: Weights, z: Float[Array, "... inputs"]) -> Float[Array, "... 2"]:
    """What the network makes of standardised inputs."""
    hidden = z
    for matrix, bias in weights[:-1]:
        hidden = jax.nn.silu(hidden @ matrix + bias)
    matrix, bias = weights[-1]
    return hidden @ matrix + bias


def moments(out: Float[Array, "... 2"], log_window: Any) -> tuple[Array, Array]:
    """Mean count and dispersion from the network's output and the logarithm of the window (s)."""
    rate = jnp.minimum(_RATE_UNIT_HZ * jax.nn.softplus(out[..., 0]), _HIGHEST_HZ) + _SMALLEST_HZ
    return rate * jnp.exp(log_window), jnp.exp(jnp.clip(out[..., 1], *_LOG_DISPERSION))


def train(z: np.ndarray, log_window: np.ndarray, counts: np.ndarray, how: Training, *, seed: int) -> Weights:
    """Fit the network by maximum likelihood of single-trial counts.

    Parameters
    ----------
    z
        Standardised logarithms of the inputs, ``(n, inputs)``.
    """
    import optax

    x, t, n = (jnp.asarray(a, jnp.float32) for a in (z, log_window, counts))
    sizes = [z.shape[1], how.hidden, how.hidden, 2]
    optimiser = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adamw(
            optax.cosine_onecycle_schedule(how.steps, how.learning_rate), weight_decay=how.weight_decay
        ),
    )

    def loss(weights: Weights, rows: Array) -> Array:
        mean, dispersion = moments(output(weights, x[rows]), t[rows])
        return -log_count_law(n[rows], mean, dispersion).mean()

    @jax.jit
    def trained(key: Array) -> Weights:
        start, key = jax.random.split(key)
        keys = jax.random.split(start, len(sizes) - 1)
        weights = [
            (jax.random.normal(k, (a, b), jnp.float32) / np.sqrt(a), jnp.zeros(b, jnp.float32))
            for k, a, b in zip(keys, sizes[:-1], sizes[1:], strict=True)
        ]

        def step(carry: Any, key: Array) -> tuple[Any, None]:
            weights, state = carry
            slope = jax.grad(loss)(weights, jax.random.randint(key, (_BATCH,), 0, len(n)))
            change, state = optimiser.update(slope, state, weights)
            return (optax.apply_updates(weights, change), state), None

        (weights, _), _ = jax.lax.scan(
            step, (weights, optimiser.init(weights)), jax.random.split(key, how.steps)
        )
        return weights

    return [(np.asarray(matrix), np.asarray(bias)) for matrix, bias in trained(jax.random.PRNGKey(seed))]
