"""The law of spike counts: a mixture over simulated trials of counts with a calibrated conditional dispersion.

Below dispersion 1, where spike trains are more regular than Poisson, a trial's count is that of a renewal process with
gamma intervals of shape ``1 / dispersion`` (Winkelmann 1995, J Bus Econ Stat 13:467), so that the Fano factor of the
mixture may fall below 1. Above 1 it is negative binomial. Variance from trial to trial comes from the spread of the
simulated trials' expected counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

_SMALLEST = 1e-290


# Between these the two laws and Poisson agree to better than the calibration of the dispersion.
_OVERDISPERSED_FROM = 1.001


def count_law(n: np.ndarray, mean: np.ndarray, dispersion: float) -> tuple[np.ndarray, np.ndarray]:
    """Probability of ``n`` spikes and its derivative with respect to the mean.

    Parameters
    ----------
    n
        Counts, ``int (..., )``.
    mean
        Expected counts, positive, broadcastable with ``n``.
    dispersion
        Variance over mean of the count; 1 is Poisson.
    """
    n, mean = np.asarray(n, float), np.maximum(np.asarray(mean, float), 1e-6)
    if dispersion > _OVERDISPERSED_FROM:
        return _negative_binomial(n, mean, dispersion)
    return _gamma_count(n, mean, dispersion)


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
    # The ordinary renewal process is half an interval's regularity ahead of the equilibrium one; the shift of its
    # argument takes that back, so that the mean count is ``mean`` up to terms of the order of exp(-mean).
    alpha = 1.0 / dispersion
    x = alpha * mean + (alpha - 1.0) / 2.0

    def cumulative(k):
        shape = alpha * k
        return np.where(k > 0, special.gammainc(np.maximum(shape, 1e-12), x), 1.0)

    def complement(k):
        shape = alpha * k
        return np.where(k > 0, special.gammaincc(np.maximum(shape, 1e-12), x), 0.0)

    def density(k):
        shape = np.maximum(alpha * k, 1e-12)
        return np.where(k > 0, np.exp((shape - 1) * np.log(x) - x - special.gammaln(shape)), 0.0)

    # The difference of two numbers near 1 loses digits; take it of the smaller tail.
    upper = alpha * n > x
    p = np.where(upper, cumulative(n) - cumulative(n + 1), complement(n + 1) - complement(n))
    return np.maximum(p, 0.0), alpha * (density(n) - density(n + 1))


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
    correction = 0.5 * p.var(axis=1, ddof=1) / (m * mean**2) if m > 1 else np.zeros_like(mean)
    correction = np.minimum(correction, 0.5)
    return CountLikelihood(
        log_likelihood=float(multiplicity @ (np.log(mean) + correction)),
        bias_correction=float(multiplicity @ correction),
        score=dp / (m * mean[:, None]),
        multiplicity=multiplicity,
    )
