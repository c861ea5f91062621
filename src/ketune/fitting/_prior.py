"""What is assumed of the fitted parameters before any data: the working range of the default cell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ketune.fitting._optimise import Derivatives, Likelihood
from ketune.fitting._parameters import PARAMETERS

WORKING_RANGE: dict[str, tuple[float, float]] = {
    "peak_rate_hz": (0.4, 6.0),
    "background_rate_hz": (0.05, 0.8),
    "spread_basal_deg": (6.0, 40.0),
    "spread_apical_deg": (6.0, 40.0),
    "ampa_nS": (0.2, 1.2),
    "nmda_nS": (0.2, 1.2),
    "pv_nS": (0.4, 3.0),
    "sst_nS": (0.4, 3.0),
    "gain_sd": (0.04, 0.4),
}
"""Where the default cell works (docs/working-range.md): starts are drawn from it, and a fit prefers it.

The prior is normal in the logistic coordinate of each parameter, and this is its 95 % range; orientations have none.
Hundreds of trials outweigh it wherever they say anything. Where they say nothing it keeps a parameter from drifting to
a bound, for example inhibition to zero.
"""

_VIGOROUS = 0.7


def working_values(preferred_deg: float) -> dict[str, float]:
    """A parameter set at which the default cell fires at about 80 Hz to its preferred orientation.

    The middle of the working range, but for rate and strength of the excitation, which lie above it.
    """
    values = {"preferred_basal_deg": preferred_deg, "preferred_apical_deg": preferred_deg}
    for name, (low, high) in WORKING_RANGE.items():
        share = _VIGOROUS if name in ("peak_rate_hz", "ampa_nS") else 0.5
        values[name] = float(low * (high / low) ** share)
    return values


_RANGE = [WORKING_RANGE.get(p.name) for p in PARAMETERS]
_LOW, _HIGH = (
    np.array([0.0 if r is None else p.coordinate(r[side]) for p, r in zip(PARAMETERS, _RANGE, strict=True)])
    for side in (0, 1)
)
_CENTRE = (_LOW + _HIGH) / 2
PRECISION = np.array(
    [
        0.0 if r is None else (2 * 1.96 / (high - low)) ** 2
        for r, low, high in zip(_RANGE, _LOW, _HIGH, strict=True)
    ]
)
"""Inverse variance of the prior in each coordinate."""


def log_prior(coordinates: np.ndarray) -> float:
    """Logarithm of the prior up to a constant."""
    return float(-0.5 * np.sum(PRECISION * (coordinates - _CENTRE) ** 2))


class Posterior:
    """A likelihood with the prior."""

    def __init__(self, likelihood: Likelihood) -> None:
        self.likelihood = likelihood

    def log_likelihoods(self, coordinates: Sequence[np.ndarray]) -> np.ndarray:
        """Log-likelihood plus log-prior at each of several coordinates."""
        return self.likelihood.log_likelihoods(coordinates) + [log_prior(u) for u in coordinates]

    def derivatives(self, coordinates: np.ndarray, *, information: bool) -> Derivatives:
        """Derivatives of the sum."""
        at = self.likelihood.derivatives(coordinates, information=information)
        return Derivatives(
            at.gradient - PRECISION * (coordinates - _CENTRE),
            None if at.information is None else at.information + np.diag(PRECISION),
        )
