"""How well simulated spike counts agree with recorded ones they were not fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ketune.fitting import SpikeCounts

_RESAMPLES = 500
# The bounds a fit has to meet to be used.
REQUIRED = {"correlation": 0.95, "rmse_fraction_of_range": 0.12, "fano_ratio": 1.3}


@dataclass(frozen=True)
class Scores:
    """Agreement over orientations, with bootstrap standard errors (trials resampled on both sides).

    Attributes
    ----------
    correlation
        Of the means.
    rmse_fraction_of_range
        Root-mean-square difference of the means over the recorded range (largest minus smallest mean).
    fano_ratio_median
        Median over orientations of simulated over recorded Fano factor.
    """

    correlation: float
    correlation_se: float
    rmse_fraction_of_range: float
    rmse_se: float
    fano_ratio_median: float
    fano_ratio_se: float

    @property
    def passed(self) -> bool:
        """Whether all three lie within the bounds."""
        return bool(
            self.correlation >= REQUIRED["correlation"]
            and self.rmse_fraction_of_range <= REQUIRED["rmse_fraction_of_range"]
            and 1 / REQUIRED["fano_ratio"] <= self.fano_ratio_median <= REQUIRED["fano_ratio"]
        )


def score(simulated: SpikeCounts, recorded: Sequence[np.ndarray], *, seed: int) -> Scores:
    """Compare counts of the same orientations; ``recorded`` may have unequal trial numbers."""
    rng = np.random.default_rng([seed, 3])
    best = _measures([row for row in simulated.counts], recorded)
    draws = np.array(
        [
            _measures(
                [rng.choice(row, len(row)) for row in simulated.counts],
                [rng.choice(r, len(r)) for r in recorded],
            )
            for _ in range(_RESAMPLES)
        ]
    )
    known = (column[np.isfinite(column)] for column in draws.T)
    se = [float(x.std(ddof=1)) if len(x) > 1 else np.nan for x in known]
    return Scores(best[0], se[0], best[1], se[1], best[2], se[2])


def _measures(simulated: Sequence[np.ndarray], recorded: Sequence[np.ndarray]) -> tuple[float, float, float]:
    model, data = (np.array([x.mean() for x in side]) for side in (simulated, recorded))
    fano_model, fano_data = (np.array([_fano(x) for x in side]) for side in (simulated, recorded))
    correlation = np.corrcoef(model, data)[0, 1] if np.ptp(model) > 0 and np.ptp(data) > 0 else np.nan
    rmse = np.sqrt(np.mean((model - data) ** 2)) / max(np.ptp(data), 1e-9)
    known = np.isfinite(fano_model) & (fano_data > 0)
    ratio = np.median(fano_model[known] / fano_data[known]) if known.any() else np.nan
    return float(correlation), float(rmse), float(ratio)


def _fano(counts: np.ndarray) -> float:
    return counts.var(ddof=1) / counts.mean() if len(counts) > 1 and counts.any() else np.nan
