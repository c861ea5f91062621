"""The law of spike counts: a mixture over simulated trials of counts with a calibrated conditional dispersion.

Below dispersion 1, where spike trains are more regular than Poisson, a trial's count is that of a stationary renewal
process with gamma intervals of shape ``1 / dispersion``, so that the Fano factor of the mixture may fall below 1; its
mean is exact, and its variance over mean goes from 1 at few spikes to ``dispersion`` at many. Above 1 the count is
negative binomial. Variance from trial to trial comes from the spread of the simulated trials' expected counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

_SMALLEST = 1e-290
_SMALLEST_MEAN = 1e-6
# The second-order correction means nothing where it is larger than this.
_LARGEST_CORRECTION = 0.5

# Between these the two laws and Poisson agree to better than the calibration of the dispersion.
_OVERDISPERSED_FROM = 1.001


def count_law(n: np.ndarray, mean: np.ndarray, dispersion: float) -> tuple[np.ndarray, np.ndarray]:
    """Probability of ``n`` spikes and its derivative with respect to the mean.

    Parameters
    ----------
    n
        Counts, ``int (..., )``.
    mean
        Expected counts, broadcastable with ``n``. Below ``1e-6``, also where a correction made them negative, they
        count as that much, and the derivative is zero.
    dispersion
        Variance over mean of the count; 1 is Poisson.
    """
    n, mean = np.asarray(n, float), np.asarray(mean, float)
    law = _negative_binomial if dispersion > _OVERDISPERSED_FROM else _gamma_count
    p, slope = law(n, np.maximum(mean, _SMALLEST_MEAN), dispersion)
    return p, np.where(mean > _SMALLEST_MEAN, slope, 0.0)


def _negative_binomial(n: np.ndarray, mean: np.ndarray, dispersion: float) -> tuple[np.ndarray, np.ndarray]:
    size = mean / (dispersion - 1.0)
    log_p = (
        special.gammaln(n + size)
        - special.gammaln(n + 1)
        - special.gammaln(size)
        - size * np.log(dispersion)
        + n * np.log1p(-1.0 / dispersion)
    )
    p = np.exp(log_p)
    slope = special.digamma(n + size) - special.digamma(size) - np.log(dispersion)
    return p, p * slope / (dispersion - 1.0)


def _gamma_count(n: np.ndarray, mean: np.ndarray, dispersion: float) -> tuple[np.ndarray, np.ndarray]:
    # The process is watched from a random moment, not from a spike (Cox 1962, Renewal Theory, ch. 3): the probability
    # of k or more spikes grows with time as the distribution function of the (k-1)th minus that of the k-th spike.
    alpha = 1.0 / min(dispersion, 1.0)
    x = alpha * mean

    def fired(k: np.ndarray) -> np.ndarray:
        return np.where(k > 0, special.gammainc(np.maximum(alpha * k, alpha), x), 1.0)

    def waiting(k: np.ndarray) -> np.ndarray:
        return np.where(k > 0, special.gammaincc(np.maximum(alpha * k, alpha), x), 0.0)

    def fired_integral(k: np.ndarray) -> np.ndarray:
        return x * fired(k) - alpha * k * special.gammainc(alpha * k + 1, x)

    def waiting_integral(k: np.ndarray) -> np.ndarray:
        return alpha * k * special.gammaincc(alpha * k + 1, x) - x * waiting(k)

    def second_difference(of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        return of(n + 1) - 2 * of(n) + of(np.maximum(n - 1, 0))

    # The second differences of both integrals are the same; those of the smaller one keep their digits.
    rare = alpha * n > x
    p = np.where(rare, second_difference(fired_integral), second_difference(waiting_integral)) / alpha
    return np.maximum(p, 0.0), np.where(rare, second_difference(fired), -second_difference(waiting))


@dataclass(frozen=True, eq=False)
class CountLikelihood:
    """Log-likelihood of one orientation's counts, and its derivative with respect to each trial's expected count.

    Attributes
    ----------
    log_likelihood
        Sum over the recorded trials, with the second-order correction for the finite number of simulated trials.
    bias_correction
        That correction: the logarithm of a mean over ``m`` simulated trials is too low by about this much.
    score
        ``(unique counts, m)``: derivative of one observation's log-likelihood.
    multiplicity
        How often each unique count was recorded.
    """

    log_likelihood: float
    bias_correction: float
    score: np.ndarray
    multiplicity: np.ndarray


def mixture_likelihood(counts: np.ndarray, expected: np.ndarray, dispersion: float) -> CountLikelihood:
    """Likelihood of recorded counts under the mixture over simulated trials.

    Parameters
    ----------
    counts
        Recorded spikes per trial, ``int (n,)``.
    expected
        Expected count of each simulated trial, ``(m,)``.
    dispersion
        Conditional variance over mean of a trial's count.
    """
    values, multiplicity = np.unique(counts, return_counts=True)
    p, dp = count_law(values[:, None], expected[None, :], dispersion)
    mean = np.maximum(p.mean(axis=1), _SMALLEST)
    m = len(expected)
    correction, d_correction = _bias_correction(p, mean)
    return CountLikelihood(
        log_likelihood=float(multiplicity @ (np.log(mean) + correction)),
        bias_correction=float(multiplicity @ correction),
        score=dp * (1.0 / (m * mean[:, None]) + d_correction),
        multiplicity=multiplicity,
    )


def _bias_correction(p: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Half the squared relative error of the mean over trials ``p (n, m)``, and its derivative by each ``p``."""
    m = p.shape[1]
    if m == 1:
        return np.zeros_like(mean), np.zeros_like(p)
    relative = p / mean[:, None]
    variance = relative.var(axis=1, ddof=1)
    correction = 0.5 * variance / m
    derivative = ((relative - 1) / (m - 1) - variance[:, None] / m) / (m * mean[:, None])
    allowed = correction < _LARGEST_CORRECTION
    return np.where(allowed, correction, _LARGEST_CORRECTION), np.where(allowed[:, None], derivative, 0.0)
