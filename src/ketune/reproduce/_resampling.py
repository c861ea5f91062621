"""Intervals over neurons."""

from __future__ import annotations

from math import sqrt

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def neuron_weights(n: int, n_boot: int, generator: np.random.Generator) -> FloatArray:
    """How often each neuron is drawn in each bootstrap sample, (n_boot, n)."""
    return generator.multinomial(n, np.full(n, 1.0 / n), n_boot).astype(np.float64)


def expanded_interval(samples: FloatArray, n: int, level: float) -> tuple[float, float]:
    """Percentile interval of bootstrap samples, widened for few neurons (Hesterberg 2015, Am Stat 69:371).

    The plain percentile interval of n neurons is too narrow by sqrt((n - 1) / n) and by the normal law in place of
    Student's; its percentiles are moved outwards by both.
    """
    from scipy.special import ndtr

    tail = float(ndtr(-sqrt(n / (n - 1)) * student(n, level)))
    low, high = np.quantile(samples, [tail, 1.0 - tail])
    return float(low), float(high)


def student(n: int, level: float) -> float:
    """Half width of a two-sided Student interval of n values, in standard errors."""
    from scipy.special import stdtrit

    return float(stdtrit(n - 1, 0.5 + 0.5 * level))


def jackknife_error(left_out: FloatArray) -> float:
    """Standard error from the values without one neuron each."""
    n = left_out.size
    return float(np.sqrt((n - 1) / n * np.sum((left_out - left_out.mean()) ** 2)))
