"""Quantiles of recorded mouse units, which the mouse-like population is held against."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator
from scipy import special

from ketune import _toml

_FILE = "mouse_units.toml"


class RecordedUnits(BaseModel):
    """Quantiles over units.

    Attributes
    ----------
    orientation_deg
        At which the units were recorded.
    least_peak_hz, least_gosi
        Of the units that were selected.
    n
        Number of selected units.
    probability
        Of the quantiles.
    gosi, peak_hz, spontaneous_hz
        Global selectivity index and largest mean rate over these orientations, and rate without a stimulus.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    selection: str
    orientation_deg: tuple[float, ...]
    least_peak_hz: float
    least_gosi: float
    n: int
    rank_correlation_of_rates: float
    probability: tuple[float, ...]
    gosi: tuple[float, ...]
    peak_hz: tuple[float, ...]
    spontaneous_hz: tuple[float, ...]

    @model_validator(mode="after")
    def _rectangular(self) -> RecordedUnits:
        if {len(self.gosi), len(self.peak_hz), len(self.spontaneous_hz)} != {len(self.probability)}:
            raise ValueError("one quantile is needed for each probability")
        return self

    def gosi_range(self, probability: float, n: int, *, together: int = 1) -> tuple[float, float]:
        """Where this quantile of ``n`` further units would lie in 95 % of cases.

        ``together`` quantiles are within their ranges in 95 % of cases at once (Bonferroni). The rank of a quantile is
        binomial in both samples; their variances add (normal approximation).
        """
        half = -special.ndtri(0.025 / together) * np.sqrt(
            probability * (1 - probability) * (1 / n + 1 / self.n)
        )
        at = np.clip([probability - half, probability + half], self.probability[0], self.probability[-1])
        low, high = np.interp(at, self.probability, self.gosi)
        return float(low), float(high)


@lru_cache(maxsize=1)
def mouse_units() -> RecordedUnits:
    """Layer 2/3 regular-spiking units of mouse primary visual cortex (Allen Neuropixels)."""
    text = (resources.files("ketune.population") / _FILE).read_text(encoding="utf-8")
    with _toml.checking(_FILE):
        return RecordedUnits.model_validate(_toml.parse(text, _FILE))
