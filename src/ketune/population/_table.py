"""How virtual neurons are distributed, as data: ``distributions.toml``, read and checked."""

from __future__ import annotations

import math
from functools import lru_cache
from importlib import resources
from typing import Literal, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy import special

from ketune import _toml
from ketune.errors import InputError

_FROZEN = ConfigDict(extra="forbid", frozen=True)
_FILE = "distributions.toml"

Species = Literal["cat", "mouse"]
SPECIES: tuple[Species, ...] = get_args(Species)


class Law(BaseModel):
    """How one quantity differs between neurons: normal with ``sd``, or lognormal with ``log_sd``.

    ``bounds`` takes the place of the bounds that are given to `at`.
    """

    model_config = _FROZEN

    median: float
    sd: float | None = Field(default=None, gt=0)
    log_sd: float | None = Field(default=None, gt=0)
    bounds: tuple[float, float] | None = None
    reason: str

    @model_validator(mode="after")
    def _one_width(self) -> Law:
        if (self.sd is None) == (self.log_sd is None):
            raise ValueError("give either sd (normal) or log_sd (lognormal)")
        if self.log_sd is not None and self.median <= 0:
            raise ValueError("the median of a lognormal law must be positive")
        if self.bounds is not None and not self.bounds[0] <= self.median <= self.bounds[1]:
            raise ValueError("the bounds of a law must hold its median")
        return self

    def at(self, deviate: float, bounds: tuple[float, float] | None = None) -> float:
        """Value of a standard normal deviate; between ``bounds``, where given, the law is cut off and spread again."""
        bounds = self.bounds or bounds
        scale = float(self.sd or self.log_sd or 0.0)
        centre = self.median if self.sd else math.log(self.median)
        if bounds is not None:
            low, high = special.ndtr((np.array(bounds if self.sd else np.log(bounds)) - centre) / scale)
            deviate = float(special.ndtri(low + (high - low) * special.ndtr(deviate)))
        value = centre + scale * deviate
        value = value if self.sd else math.exp(value)
        # The inverse of a distribution function may leave its bounds by the last digit.
        return value if bounds is None else min(max(value, bounds[0]), bounds[1])


class Correlation(BaseModel):
    """Of two standard normal deviates."""

    model_config = _FROZEN

    value: float = Field(ge=-1, le=1)
    reason: str


class Distributions(BaseModel):
    """What a species' neurons are drawn from; every entry carries its reason."""

    model_config = _FROZEN

    disparity_deg: Law
    spread_deg: Law
    ampa_nS: Law
    nmda_nS: Law
    pv_nS: Law
    sst_nS: Law
    gain_sd: Law
    peak_hz: Law
    spontaneous_hz: Law
    rate_correlation: Correlation

    def law(self, name: str) -> Law:
        """Law of a quantity; both trees draw their spread from one law, independently."""
        found: Law = getattr(self, "spread_deg" if name.startswith("spread_") else name)
        return found


class Experiment(BaseModel):
    """Stimuli, repetitions and counting window; a blank comes last."""

    model_config = _FROZEN

    orientation_deg: tuple[float, ...] = Field(min_length=4)
    trials: int = Field(ge=2)
    window_s: float = Field(gt=0)
    reason: str

    @property
    def stimuli_deg(self) -> tuple[float, ...]:
        """Orientation of every stimulus, ``nan`` for the blank."""
        return (*self.orientation_deg, math.nan)


class Selection(BaseModel):
    """Which neurons an experimenter would have recorded."""

    model_config = _FROZEN

    least_peak_hz: float
    least_osi: float
    reason: str


class Table(BaseModel):
    """All of ``distributions.toml``."""

    model_config = _FROZEN

    experiment: Experiment
    selection: Selection
    cat: Distributions
    mouse: Distributions

    def of(self, species: str) -> Distributions:
        """Of one species.

        Raises
        ------
        InputError
            No such species.
        """
        if species not in SPECIES:
            raise InputError(f"population '{species}': there are {' and '.join(SPECIES)}; choose one")
        found: Distributions = getattr(self, species)
        return found


@lru_cache(maxsize=1)
def distributions() -> Table:
    """The shipped table."""
    text = (resources.files("ketune.population") / _FILE).read_text(encoding="utf-8")
    with _toml.checking(_FILE):
        return Table.model_validate(_toml.parse(text, _FILE))
