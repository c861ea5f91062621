"""The document of a run, ``verdicts.json``, read and checked: what the page and the listing are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from ketune._toml import complaint
from ketune.errors import InputError

FORMAT = "ketune-reproduce/1"
TARGETS = ("T1", "T2", "T3a", "T3b", "T4", "T5")
"""Targets of a hypothesis, in the order of reports."""
SAME_VERDICT_SHARE = 0.8
"""A verdict is stable if this share of the populations gives it."""

Number = float | None
"""A number, or None where there is none (JSON has no NaN)."""
Interval = tuple[Number, Number] | None
State = Literal["met", "not met", "undecided"]


def sufficient(entry: Mapping[str, Any]) -> bool:
    """Whether all targets hold together in spikes of a held-out population, and the response surface agrees.

    Neither a control nor what no dose could do is eligible.
    """
    eligible = not entry["control"] and not entry["counterfactual"]
    return bool(eligible and entry["spiking_together"] and entry["held_out_together"])


class _Part(BaseModel):
    # A later version may write more than this one shows.
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Columns(_Part):
    @model_validator(mode="after")
    def _equally_long(self) -> Self:
        lengths = {
            name: len(v) for name in type(self).model_fields if isinstance(v := getattr(self, name), list)
        }
        if len(set(lengths.values())) > 1:
            named = ", ".join(f"{name} {n}" for name, n in lengths.items())
            raise ValueError(f"columns of different lengths ({named})")
        return self


class CellPart(_Part):
    name: str
    compartments: int
    neurons: int | None = None


class DosePart(_Part):
    solution: str
    time_min: Number = None
    draws: int


class ControlRowPart(_Part):
    quantity: str
    value: Number
    unit: str = "1"
    low: Number = None
    high: Number = None
    given_by: str = "ours"
    judged: bool = True
    met: bool | None = None
    selection: str = ""
    n: int | None = None
    note: str = ""


class ControlCheckPart(_Part):
    met: bool | None = None
    rows: list[ControlRowPart] = []


class EmulatorRow(_Part):
    quantity: str
    unit: str = "1"
    error: Number
    asked: Number = None
    met: bool | None = None


class EmulatorPart(_Part):
    """Error of the response surface.

    ``silent``: points left out because hardly a spike is predicted there; ``blank_ratio``: predicted over simulated
    spontaneous rate, of which nothing was asked.
    """

    rows: list[EmulatorRow] = []
    points: int | None = None
    silent: int | None = None
    blank_ratio: Number = None


class ParameterPart(_Part):
    value: Number
    low: Number = None
    high: Number = None
    none: Number = None
    unit: str = "1"
    meaning: str = ""
    at_bound: bool = False
    range_is_ours: bool = False


class VerdictPart(_Part):
    """One target; what its numbers are: see :class:`ketune.reproduce.TargetVerdict`."""

    met: bool | None
    decided: bool = True
    value: Number = None
    interval: Interval = None
    window_is_ours: bool = False
    window_decides: bool = False
    in_window: bool | None = None
    words: str = ""
    level: str = ""
    numbers: dict[str, Number] = {}

    @property
    def state(self) -> State:
        """In a word; what could not be decided is not met."""
        return state(self.met if self.decided else None)


class MarginPart(_Part):
    low: float
    high: float
    met: bool | None


class StablePart(_Part):
    met: int
    of: int

    @property
    def same(self) -> bool:
        """Whether enough of the populations give the same verdict."""
        return max(self.met, self.of - self.met) >= SAME_VERDICT_SHARE * self.of


class NeuronsPart(_Columns):
    """A neuron in each place; None where there is nothing to measure."""

    disparity_deg: list[Number]
    shift_deg: list[Number]
    osi_control: list[Number]
    osi_drug: list[Number]
    fano_control: list[Number]
    fano_drug: list[Number]
    blank_control: list[Number]
    blank_drug: list[Number]


class LeftPart(_Part):
    """Quantiles over the draws (5, 50 and 95 %)."""

    low: Number
    median: Number
    high: Number


class HypothesisPart(_Part):
    name: str
    words: str = ""
    control: bool = False
    counterfactual: bool = False
    actions: list[str] = []
    parameters: dict[str, ParameterPart] = {}
    loss: Number = None
    gradients: int | None = None
    prior_share_meeting_T5: Number
    prior_share_interval: Interval = None
    prior_share_by_target: dict[str, Number] = {}
    prior_response_left: LeftPart | None = None
    targets: dict[str, VerdictPart]
    targets_from: Literal["spiking", "predicted"] = "spiking"
    spontaneous_margins: list[MarginPart] = []
    predicted_targets: dict[str, VerdictPart] | None = None
    stable: dict[str, StablePart] | None = None
    together: bool | None = None
    held_out_together: bool | None = None
    spiking_together: bool | None = None
    second_morphology_together: bool | None = None
    second_morphology_targets: dict[str, VerdictPart] | None = None
    fails: list[str] = []
    shifts: NeuronsPart | None = None

    @property
    def sufficient(self) -> bool:
        """See :func:`sufficient`."""
        return sufficient(vars(self))


class PredictionRow(_Part):
    quantity: str
    value: Number
    interval: Interval = None
    low: Number = None
    high: Number = None
    unit: str = "1"
    ours: bool | None = None
    met: bool | None = None
    settled: bool | None = None
    n: int | None = None
    note: str = ""


class PredictionPart(_Part):
    target: str
    statement: str
    level: str = ""
    met: bool | None
    words: str = ""
    rows: list[PredictionRow] = []
    note: str = ""


class ConflictPart(_Columns):
    disparity_deg: list[Number]
    moved_deg: list[Number]
    what: str
    words: str = ""


class PredictedSize(_Part):
    hypothesis: str
    value: Number
    interval: Interval = None


class ExperimentPart(_Part):
    manipulation: str
    observable: str
    unit: str = "1"
    words: str = ""
    predicted: list[PredictedSize]
    separation: Number = None


class EvidencePart(_Part):
    files: list[str] = []
    windows_of_ours: list[str] = []


class Reproduction(_Part):
    """A whole run."""

    format: Literal["ketune-reproduce/1"]
    ketune: str
    command: str = ""
    provenance: dict[str, Any] = {}
    population: str
    neurons: int
    trials: int
    window_s: float
    orientation_deg: list[Number] = []
    cell: CellPart | None = None
    second_morphology: CellPart | None = None
    population_seeds: list[int]
    spiking_seed: int | None = None
    seconds: Number = None
    dose: DosePart
    control_check: ControlCheckPart | None = None
    emulator: EmulatorPart | None = None
    hypotheses: list[HypothesisPart]
    smallest_sufficient: list[str] = []
    predictions: list[PredictionPart] = []
    conflict: ConflictPart | None = None
    experiments: list[ExperimentPart] = []
    evidence: EvidencePart = EvidencePart()

    @model_validator(mode="after")
    def _named(self) -> Self:
        if not self.hypotheses:
            raise ValueError("hypotheses: none is there")
        names = {h.name for h in self.hypotheses}
        if unknown := [name for name in self.smallest_sufficient if name not in names]:
            raise ValueError(f"smallest_sufficient: {unknown[0]!r} is not among the hypotheses")
        return self

    @property
    def examined(self) -> list[HypothesisPart]:
        """Hypotheses proper: no controls."""
        return [h for h in self.hypotheses if not h.control]

    @property
    def controls(self) -> list[HypothesisPart]:
        """Those that must fail."""
        return [h for h in self.hypotheses if h.control]

    @property
    def smallest(self) -> list[HypothesisPart]:
        """Sufficient ones of which no smaller set among them is sufficient."""
        return [h for h in self.hypotheses if h.name in self.smallest_sufficient]

    @property
    def nearest(self) -> HypothesisPart:
        """The hypothesis that meets most targets; of equals, that over the largest share of its prior."""
        return max(
            self.examined or self.hypotheses,
            key=lambda h: (n_met(h), h.prior_share_meeting_T5 or 0.0, not h.counterfactual),
        )


def state(met: bool | None) -> State:
    """A verdict in a word."""
    return "undecided" if met is None else "met" if met else "not met"


def n_met(hypothesis: HypothesisPart) -> float:
    """How many of the targets that have to hold together are met."""
    together = hypothesis.targets.get("T5")
    return 0.0 if together is None or together.value is None else together.value


def read_document(document: Mapping[str, Any]) -> Reproduction:
    """Check the document of a run.

    Raises
    ------
    InputError
        It is of another format, or something is missing or wrong in it.
    """
    found = document.get("format")
    if found != FORMAT:
        raise InputError(
            f"verdicts of `ketune reproduce`: format is {found!r}, this ketune reads {FORMAT!r}; make them again"
        )
    try:
        return Reproduction.model_validate(document)
    except ValidationError as error:
        raise InputError(
            f"verdicts of `ketune reproduce`: {complaint(error)}; make them again with `ketune reproduce`"
        ) from None
