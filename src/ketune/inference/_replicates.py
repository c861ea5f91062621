"""Replicated recordings of a fitted neuron, for posterior predictive checks."""

from __future__ import annotations

import numpy as np

from ketune._jax import jax, jnp
from ketune.inference._density import Moments, likely_deviation
from ketune.inference._model import JointModel
from ketune.surface import log_count_law

_LARGEST_COUNT_FACTOR = 6.0
_SMALLEST_GRID = 30


def conditional_moments(
    model: JointModel, x: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Means and Fano factors ``(n, conditions, stimuli)`` of the recorded neuron at coordinates ``(n, parameters)``.

    The placement of its synapses is drawn from what the recording says of it at each of the coordinates.
    """
    predicted = model.many_moments(x)
    data = model.data
    deviation, precision = jax.vmap(lambda m, f, c: likely_deviation(data, Moments(m, f, c)))(
        jnp.asarray(predicted.mean), jnp.asarray(predicted.fano), jnp.asarray(predicted.covariance)
    )
    covariance = np.asarray(predicted.covariance)
    size = covariance.shape[-1]
    root = np.sqrt(np.asarray(precision))
    inner = np.eye(size) + root[:, :, None] * covariance * root[:, None, :]
    solved = np.linalg.solve(inner, root[:, :, None] * covariance)
    after = covariance - covariance @ (root[:, :, None] * solved)
    lower = np.linalg.cholesky((after + after.transpose(0, 2, 1)) / 2 + 1e-10 * np.eye(size))
    drawn = np.asarray(deviation) + np.einsum("nij,nj->ni", lower, rng.standard_normal((len(x), size)))
    mean = predicted.mean * np.exp(drawn.reshape(predicted.mean.shape))
    return mean, np.asarray(predicted.fano)


def replicated_counts(
    mean: np.ndarray, fano: np.ndarray, trials: int, rng: np.random.Generator
) -> np.ndarray:
    """Counts ``(..., trials)`` drawn from the law of counts with these means and Fano factors."""
    top = int(
        max(_SMALLEST_GRID, _LARGEST_COUNT_FACTOR * np.max(mean * np.maximum(1.0, np.sqrt(fano / mean))))
    )
    grid = np.arange(top + 1.0)
    result = np.empty((*mean.shape, trials), int)
    for i in range(len(mean)):
        log_p = np.asarray(log_count_law(grid, mean[i][..., None], fano[i][..., None]))
        cumulative = np.cumsum(np.exp(log_p - log_p.max(axis=-1, keepdims=True)), axis=-1)
        cumulative /= cumulative[..., -1:]
        u = rng.random((*mean[i].shape, trials))
        result[i] = (cumulative[..., None, :] < u[..., None]).sum(axis=-1)
    return result
