"""The law of a count with given mean and dispersion, in JAX and differentiable in both."""

from __future__ import annotations

from typing import Any

from jax.scipy.special import expit, gammaln, xlogy
from jaxtyping import Array

from ketune._jax import jnp

_SMALLEST_MEAN = 1e-6
# Between the two laws lies Poisson's; this near to it both equal it to the accuracy of any calibration.
_OVERDISPERSED_FROM = 1.001


def log_count_law(n: Any, mean: Any, dispersion: Any) -> Array:
    """Logarithm of the probability of ``n`` spikes.

    Negative binomial above dispersion 1. Below it the double Poisson law (Efron 1986, J Am Stat Assoc 81:709), whose
    mean and variance over mean are those asked for where the mean is a few spikes; the dispersion goes to 1 where the
    mean goes to zero, as that of every law on whole numbers must.
    """
    mean = jnp.maximum(mean, _SMALLEST_MEAN)
    over = dispersion > _OVERDISPERSED_FROM
    return jnp.where(
        over,
        _negative_binomial(n, mean, jnp.where(over, dispersion, 2.0)),
        _double_poisson(n, mean, jnp.where(over, 1.0, dispersion)),
    )


def _negative_binomial(n: Any, mean: Any, dispersion: Any) -> Array:
    size = mean / (dispersion - 1.0)
    return (
        gammaln(n + size)
        - gammaln(n + 1.0)
        - gammaln(size)
        - size * jnp.log(dispersion)
        + n * jnp.log1p(-1.0 / dispersion)
    )


def _double_poisson(n: Any, mean: Any, dispersion: Any) -> Array:
    share = mean / (mean + 1.0)
    phi = 1.0 / (1.0 + (dispersion - 1.0) * share**2)
    # Efron's approximation to the normalising constant (his eq. 2.8) is good from about one spike up; below, the sum
    # of probabilities goes to one by itself. The weight between them follows the sum, so that the law has no step.
    constant = 1.0 + (1.0 - phi) / (12.0 * mean * phi) * (1.0 + 1.0 / (mean * phi))
    weight = expit(6.0 * jnp.log(mean) + 1.2)
    return (
        0.5 * jnp.log(phi)
        - phi * mean
        - n
        + xlogy(n, n)
        - gammaln(n + 1.0)
        + phi * (n * (1.0 + jnp.log(mean)) - xlogy(n, n))
        - weight * jnp.log(constant)
    )
