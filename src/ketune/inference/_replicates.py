"""Replicated recordings of a fitted neuron, for posterior predictive checks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ketune._jax import jax, jnp
from ketune.inference._density import GAIN_SHARE, likely_deviation
from ketune.inference._model import JointModel

_REGULAR_FROM = 3.0


@dataclass(frozen=True, eq=False)
class Laws:
    """Laws of the counts of one neuron at several coordinates.

    Attributes
    ----------
    mean, dispersion
        ``(n, conditions, stimuli, nodes)``, at each range of the shared gain (see :data:`GAIN_SHARE`).
    """

    mean: np.ndarray
    dispersion: np.ndarray


def conditional_laws(model: JointModel, x: np.ndarray, rng: np.random.Generator) -> Laws:
    """Laws of the recorded neuron at coordinates ``(n, parameters)``.

    The placement of its synapses is drawn from what the recording says of it at each of the coordinates.
    """
    predicted = model.many_moments(x)
    data = model.data
    deviation, precision = jax.vmap(lambda m: likely_deviation(data, m))(jax.tree.map(jnp.asarray, predicted))
    covariance = np.asarray(predicted.covariance)
    size = covariance.shape[-1]
    root = np.sqrt(np.asarray(precision))
    inner = np.eye(size) + root[:, :, None] * covariance * root[:, None, :]
    solved = np.linalg.solve(inner, root[:, :, None] * covariance)
    after = covariance - covariance @ (root[:, :, None] * solved)
    lower = np.linalg.cholesky((after + after.transpose(0, 2, 1)) / 2 + 1e-10 * np.eye(size))
    drawn = np.asarray(deviation) + np.einsum("nij,nj->ni", lower, rng.standard_normal((len(x), size)))
    factor = np.exp(drawn.reshape(np.shape(predicted.mean)))
    return Laws(predicted.at_gain * factor[..., None], np.asarray(predicted.dispersion))


def replicated_counts(laws: Laws, trials: int, rng: np.random.Generator) -> np.ndarray:
    """Counts ``(n, conditions, stimuli, trials)`` drawn from the laws, each trial with a gain of its own."""
    shape = (*laws.mean.shape[:-1], trials)
    node = rng.choice(len(GAIN_SHARE), size=shape, p=GAIN_SHARE / GAIN_SHARE.sum())
    mean = np.take_along_axis(laws.mean, node, axis=-1)
    dispersion = np.take_along_axis(laws.dispersion, node, axis=-1)
    return _drawn(mean, dispersion, rng)


def _drawn(mean: np.ndarray, dispersion: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Negative binomial above dispersion 1; below it a rounded normal count of that variance, Poisson at low means."""
    over = dispersion > 1.001
    excess = np.where(over, dispersion - 1.0, 1.0)
    rate = np.where(over, rng.gamma(mean / excess, excess), mean)
    counts = rng.poisson(rate)
    regular = (~over) & (mean > _REGULAR_FROM)
    sd = np.sqrt(np.maximum(dispersion * mean - 1.0 / 12.0, 0.0))
    rounded = np.maximum(np.rint(mean + sd * rng.standard_normal(mean.shape)), 0).astype(int)
    return np.where(regular, rounded, counts)
