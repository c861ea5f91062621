"""What a fit compares one condition with: counts, counts of two drift directions, or an assumed blank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ketune.fitting._counts import CountLikelihood, mixture_likelihood
from ketune.fitting._spontaneous import SpontaneousRate


@dataclass(frozen=True, eq=False)
class DirectionCounts:
    """Counts of one orientation, apart for each drift direction.

    The model has no direction selectivity. Its expected counts are those of the mean over directions, and each
    direction keeps its recorded share of it, so that the difference between directions does not pass for variability.
    """

    counts: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return sum(map(len, self.counts))

    def mean(self) -> float:
        """Mean over all trials."""
        return float(np.concatenate(self.counts).mean())

    def centred(self) -> np.ndarray:
        """All counts with the mean over all trials and, as their variance (n - 1), the one within directions.

        Where every direction has one trial only, difference and variability cannot be told apart: plain counts.
        """
        n, directions = len(self), len(self.counts)
        if n == directions:
            return np.concatenate(self.counts).astype(float)
        wider = np.sqrt((n - 1) / (n - directions))
        return np.concatenate([self.mean() + wider * (c - c.mean()) for c in self.counts])

    def likelihood(self, expected: np.ndarray, dispersion: float) -> CountLikelihood:
        """Sum over directions; ``expected`` is that of the orientation."""
        mean = self.mean()
        factors = [c.mean() / mean if mean > 0 else 1.0 for c in self.counts]
        laws = [
            mixture_likelihood(c, f * expected, dispersion) for c, f in zip(self.counts, factors, strict=True)
        ]
        return CountLikelihood(
            log_likelihood=sum(law.log_likelihood for law in laws),
            bias_correction=sum(law.bias_correction for law in laws),
            score=np.concatenate([f * law.score for f, law in zip(factors, laws, strict=True)]),
            multiplicity=np.concatenate([law.multiplicity for law in laws]),
        )


Observed = np.ndarray | DirectionCounts | SpontaneousRate


def preferred_deg(orientation_deg: Sequence[float], observed: Sequence[Observed]) -> float:
    """Preferred orientation of the recorded mean counts above their smallest (vector sum); blanks do not count."""
    shown = [
        (orientation, own.mean())
        for orientation, own in zip(orientation_deg, observed, strict=True)
        if np.isfinite(orientation) and not isinstance(own, SpontaneousRate)
    ]
    angle_deg, mean = np.array(shown).T
    vector = np.sum((mean - mean.min()) * np.exp(2j * np.deg2rad(angle_deg)))
    return float(np.rad2deg(np.angle(vector)) / 2)


def likelihood_of(observed: Observed, expected: np.ndarray, dispersion: float) -> CountLikelihood:
    """Likelihood of one condition under the mixture over simulated trials ``expected``."""
    if isinstance(observed, SpontaneousRate):
        return observed.likelihood(expected)
    if isinstance(observed, DirectionCounts):
        return observed.likelihood(expected, dispersion)
    return mixture_likelihood(observed, expected, dispersion)


def fano_of(observed: Observed) -> float:
    """Variance over mean, within directions; 1 where there is nothing to tell it from."""
    if isinstance(observed, SpontaneousRate) or len(observed) < 2:
        return 1.0
    counts = observed.centred() if isinstance(observed, DirectionCounts) else observed
    return float(counts.var(ddof=1) / max(counts.mean(), 0.5))
