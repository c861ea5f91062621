"""What a report is made of: the documents of a fit and of the drugs applied to it, read and checked."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from ketune._toml import complaint
from ketune.errors import InputError
from ketune.storage import read_json

Number = float | None
"""A number, or None where there is none (JSON has no NaN)."""

FIT_FORMAT = "ketune-fit/1"
APPLY_FORMAT = "ketune-apply/1"


class _Part(BaseModel):
    # A later version may write more than this one shows.
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Columns(_Part):
    """A table kept as columns: every list is as long as the others."""

    @model_validator(mode="after")
    def _equally_long(self) -> _Columns:
        columns = {k: v for k in type(self).model_fields if isinstance(v := getattr(self, k), list)}
        if len({len(column) for column in columns.values()}) > 1:
            lengths = ", ".join(f"{key} {len(column)}" for key, column in columns.items())
            raise ValueError(f"columns of different lengths ({lengths})")
        return self


class RecordingPart(_Columns):
    name: str
    source: str = ""
    sha256: str = ""
    window_s: float
    orientation_deg: list[Number]
    n_trials: list[int]
    has_blank: bool = False
    split: str = "all"
    assumed_degrees: bool = False


class ParameterPart(_Part):
    value: Number
    se: Number = None
    unit: str = ""
    low: Number = None
    high: Number = None
    at_bound: bool = False
    meaning: str = ""
    determined: bool = True

    @property
    def circular(self) -> bool:
        """An orientation: it has no bounds, and 0 and 180 degrees are the same."""
        return self.unit == "deg" and self.low == 0 and self.high == 180


class OpenDirection(_Part):
    combination: str
    sd_log: Number = None


class KeptSet(_Part):
    values: dict[str, Number]
    log_likelihood_difference: Number = None


class FittedTuning(_Columns):
    orientation_deg: list[Number]
    recorded_mean: list[Number]
    recorded_sem: list[Number]
    recorded_fano: list[Number]
    recorded_fano_se: list[Number]
    fitted_mean: list[Number]
    fitted_fano: list[Number]


class Spontaneous(_Part):
    """The blank screen: recorded, given, or assumed not to exceed a rate."""

    source: str
    assumed_hz: Number = None
    fitted_hz: Number = None
    spiking_hz: Number = None


class Required(_Part):
    correlation: float = 0.95
    rmse_fraction_of_range: float = 0.12
    fano_ratio: float = 1.3


class Check(_Columns):
    """Spiking simulations of the fitted neuron against trials that were not fitted."""

    n_trials: int
    orientation_deg: list[Number]
    spiking_mean: list[Number]
    spiking_sem: list[Number]
    spiking_fano: list[Number]
    spiking_fano_se: list[Number]
    prediction_mean: list[Number]
    test_mean: list[Number]
    test_sem: list[Number]
    test_fano: list[Number]
    test_fano_se: list[Number]
    # What is required: least correlation, largest error, largest Fano ratio or its inverse.
    required: Required = Required()
    correlation: Number
    correlation_se: Number = None
    rmse_fraction_of_range: Number
    rmse_se: Number = None
    fano_ratio_median: Number
    fano_ratio_se: Number = None
    passed: bool


class Replay(_Part):
    """The same events run again in NEURON."""

    n: int
    identical: bool | None = None
    largest_count_difference: Number = None
    problems: list[str] = []


class Readout(_Part):
    estimator: str = "silent twin"
    hazard: dict[str, Number] = {}
    correlation: Number = None
    dispersion: Any = None
    dt_ms: Number = None
    spiking_dt_ms: Number = None


class Indices(_Part):
    """Tuning indices of one curve, as `ketune.tuning` defines them."""

    preferred_deg: Number = None
    osi_fit: Number = None
    osi_points: Number = None
    gosi: Number = None
    hwhm_deg: Number = None
    peak_rate_hz: Number = None
    orthogonal_rate_hz: Number = None
    spontaneous_rate_hz: Number = None
    # Mean over orientations.
    fano: Number = None


class IndicesPair(_Part):
    recorded: Indices
    spiking: Indices


class Trace(_Columns):
    condition: str
    orientation_deg: Number = None
    time_ms: list[float]
    soma_mV: list[Number]
    dendrite_mV: list[Number]
    dendrite: str = "dendrite"


class Stage(_Part):
    stage: str
    log_likelihood: Number = None


class Identified(_Part):
    verdict: Literal["identified", "one-sided", "unidentified", "at bound"]
    contraction: Number = None
    words: str = ""


class Interval(_Part):
    """An open end is None."""

    low: Number = None
    high: Number = None
    level: Number = None
    method: str = ""


class Ranked(_Part):
    """A set of a drug's actions, ranked by cross-validation."""

    actions: str
    elpd: Number = None
    se: Number = None
    difference: Number = None
    difference_se: Number = None
    words: str = ""


class SamplerRead(_Part):
    status: str = ""
    messages: list[str] = []


class Fit(_Part):
    status: str
    message: str = ""
    recording: RecordingPart
    parameters: dict[str, ParameterPart]
    undetermined: list[OpenDirection] = []
    kept_within: Number = None
    kept_sets: list[KeptSet] = []
    tuning: FittedTuning
    spontaneous: Spontaneous | None = None
    check: Check | None = None
    replay: Replay | None = None
    readout: Readout = Readout()
    identifiability: dict[str, Identified] = {}
    intervals: dict[str, Interval] = {}
    hypotheses: list[Ranked] = []
    diagnostics: SamplerRead | None = None
    summary: IndicesPair | None = None
    traces: list[Trace] = []
    history: list[Stage] = []
    settings: dict[str, Any] = {}
    provenance: dict[str, Any] = {}

    @property
    def usable(self) -> bool:
        """It converged, and it predicts trials that it was not fitted to."""
        return self.status == "converged" and self.check is not None and self.check.passed


class DrugNumber(_Part):
    value: Number
    unit: str = ""
    source: str = ""
    confidence: str = ""
    low: Number = None
    high: Number = None

    @field_validator("confidence", mode="before")
    @classmethod
    def _joined(cls, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, list) else value


class ExposurePart(_Part):
    soma_depth_um: Number = None
    lateral_distance_um: Number = None
    parameters: dict[str, DrugNumber] = {}


class DepthMap(_Part):
    """Drug over time (rows) and depth (columns)."""

    time_min: list[float]
    depth_um: list[float]
    concentration_uM: list[list[Number]]
    nmda_block: list[list[Number]]

    @model_validator(mode="after")
    def _rectangular(self) -> DepthMap:
        shape = (len(self.time_min), len(self.depth_um))
        for name in ("concentration_uM", "nmda_block"):
            rows = getattr(self, name)
            if len(rows) != shape[0] or any(len(row) != shape[1] for row in rows):
                raise ValueError(f"{name} is not a table of {shape[0]} times by {shape[1]} depths")
        return self


class ConditionTuning(_Columns):
    orientation_deg: list[Number]
    mean: list[Number]
    sem: list[Number]
    fano: list[Number]
    fano_se: list[Number]
    n_trials: int | list[int]


class Shift(_Part):
    deg: Number
    null_low: Number = None
    null_high: Number = None
    p: Number = None


ByRegion = Number | dict[str, Number]


class Condition(_Part):
    label: str
    phase: str | None = None
    time_min: Number = None
    concentration_uM: dict[str, Number] = {}
    effect: dict[str, ByRegion] = {}
    tuning: ConditionTuning
    summary: Indices = Indices()
    shift: Shift | None = None

    def effect_in(self, region: str, name: str) -> Number:
        """An effect in one region; one that is the same everywhere is a single number."""
        value = self.effect.get(name)
        return value.get(region) if isinstance(value, dict) else value


class KeptPair(_Part):
    """Indices of one kept parameter set, before and during; the first of an application is the best set."""

    n_trials: int | None = None
    before: Indices
    during: Indices


class Change(_Part):
    """During over before; the range is that of all kept parameter sets."""

    quantity: str
    unit: str
    best: Number
    low: Number = None
    high: Number = None
    determined: bool
    # The direction that all kept sets agree on, by the margins of the result.
    found: str | None = None
    reported: str = "unknown"
    reported_id: str | None = None
    source: str = ""
    agrees: bool | None = None

    @property
    def agrees_with_report(self) -> bool | None:
        """Whether the direction is the reported one; no verdict on what the data do not determine."""
        return self.agrees if self.determined else None


class Synapses(_Part):
    exc_driven: list[int] = []
    pv: list[int] = []
    sst: list[int] = []


class OutlinePart(_Columns):
    """The traced neurites (:class:`ketune.outline.Outline`)."""

    section: list[int]
    x_um: list[float]
    y_um: list[float]
    diam_um: list[float]
    compartment: list[int]


class Neuron(_Columns):
    x_um: list[float]
    y_um: list[float]
    z_um: list[float]
    parent: list[int]
    diam_um: list[float]
    region: list[str]
    nmda_block_during: list[Number]
    concentration_um_during: list[Number]
    synapses: Synapses = Synapses()
    soma_depth_um: float
    # Documents of earlier versions have none: the compartments are drawn.
    outline: OutlinePart | None = None

    @model_validator(mode="after")
    def _connected(self) -> Neuron:
        n = len(self.x_um)
        listed = (*self.synapses.exc_driven, *self.synapses.pv, *self.synapses.sst)
        listed += () if self.outline is None else tuple(self.outline.compartment)
        if n == 0 or any(p < -1 or p >= n for p in self.parent) or any(c < 0 or c >= n for c in listed):
            raise ValueError(
                f"a parent, a synapse or a point lies on a compartment that is not among the {n}"
            )
        return self


class Margins(_Part):
    """What counts as a shift and as no change: choices of ketune, not of the reports."""

    shift_deg: Number = None
    equal: tuple[float, float] | None = None


class Baseline(_Part):
    drug: str
    concentration_uM: Number
    recorded: bool = True


class Choices(_Part):
    """What was switched on and off."""

    block_model: str = "equilibrium"
    targets: list[str] = []
    switched_off: list[str] = []
    baseline: list[Baseline] = []
    dopamine: bool = False
    set: dict[str, Number] = {}
    also_given: list[str] = []


class LevelDifference(_Part):
    one: str
    other: str
    largest: Number
    time_min: Number = None
    mean: Number = None


class Levels(_Part):
    """NMDA block of this cell by each level of detail, mean over its compartments, one value for each label."""

    used: str
    labels: list[str]
    mean_block: dict[str, list[Number] | None]
    differences: list[LevelDifference] = []
    v_bar_mV: tuple[Number, Number, Number] | None = None
    rate_hz: tuple[Number, Number, Number] | None = None


class AssayResult(_Part):
    """What the user's own measurements say of one target."""

    text: str
    source: str = ""
    cautions: list[str] = []


class Application(_Part):
    status: str = ""
    drug: str
    route: str = ""
    dose: str = ""
    cautions: list[str] = []
    exposure: ExposurePart = ExposurePart()
    choices: Choices = Choices()
    levels: Levels | None = None
    assay: list[AssayResult] = []
    # Drawn as it is: see `_dose_figures`.
    dose_response: dict[str, Any] | None = None
    map: DepthMap | None = None
    conditions: list[Condition]
    lacking: list[str] = []
    kept: list[KeptPair] = []
    main_condition: str
    changes: list[Change] = []
    margins: Margins | None = None
    replay: Replay | None = None
    traces: list[Trace] = []
    neuron: Neuron | None = None
    provenance: dict[str, Any] = {}

    @model_validator(mode="after")
    def _main_is_there(self) -> Application:
        labels = [condition.label for condition in self.conditions]
        if self.main_condition not in labels:
            raise ValueError(f"main_condition {self.main_condition!r} is not among the conditions {labels}")
        return self

    def _repr_html_(self) -> str:
        from ketune.report._notebook_displays import application_html

        return application_html(self)

    @property
    def before(self) -> Condition:
        """The condition without the drug."""
        return next((c for c in self.conditions if c.label == "before"), self.conditions[0])

    @property
    def main(self) -> Condition:
        """The condition that the changes are judged at."""
        return next(c for c in self.conditions if c.label == self.main_condition)

    @property
    def compared(self) -> bool:
        """Whether the reported effects speak of it: ketamine on the cortex."""
        if self.changes:
            return any(change.reported_id for change in self.changes)
        return self.drug.lower().startswith("ketamine") and "topical" in self.route

    @property
    def doubtful(self) -> int:
        """Numbers of the drug model that are placeholders or assumptions."""
        return doubtful_numbers(self.cautions)

    @property
    def title(self) -> str:
        """Drug, route and dose."""
        return ", ".join(part for part in (self.drug, self.route, self.dose) if part)


def doubtful_numbers(cautions: Sequence[str]) -> int:
    """How many of a drug's cautions are of a number ("nmda.hill = ..."); the others are gaps."""
    return sum(re.match(r"[\w.]+ = ", line) is not None for line in cautions)


@dataclass(frozen=True)
class Result:
    """A fit and what was applied to it."""

    directory: Path
    fit: Fit
    applications: tuple[Application, ...]
    # Those of the applications: what stands between "apply-" and ".json" in the file's name.
    names: tuple[str, ...]

    def _repr_html_(self) -> str:
        from ketune.report._notebook_displays import fit_html

        return fit_html(self)


def load(directories: Sequence[Path]) -> list[Result]:
    """Read fits with their applications, in the order given.

    Raises InputError, in one line, where there is no directory or a file in it is missing or damaged.
    """
    if not directories:
        raise InputError("no fit to report on: give one directory or more that `ketune fit` wrote")
    return [_load(Path(directory)) for directory in directories]


def _load(directory: Path) -> Result:
    fit = _read(directory / "fit.json", FIT_FORMAT, Fit)
    paths = sorted(directory.glob("apply-*.json"))
    return Result(
        directory,
        fit,
        tuple(_read(path, APPLY_FORMAT, Application) for path in paths),
        tuple(path.stem.removeprefix("apply-") for path in paths),
    )


_Document = TypeVar("_Document", Fit, Application)


def _read(path: Path, format: str, kind: type[_Document]) -> _Document:
    document = read_json(path, format)
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        again = "ketune fit" if kind is Fit else "ketune apply"
        raise InputError(f"{path}: {complaint(error)}; make it again with `{again}`") from None


def array(values: Sequence[Number]) -> npt.NDArray[np.float64]:
    """Numbers as an array, NaN where there is none."""
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)


def mean(values: Sequence[Number]) -> Number:
    """Mean of the numbers that there are; None without any."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def evoked(orientation_deg: Sequence[Number], values: Sequence[Number]) -> list[Number]:
    """The values at orientations, without that of blank trials (whose orientation is None)."""
    return [v for theta, v in zip(orientation_deg, values, strict=True) if theta is not None]
