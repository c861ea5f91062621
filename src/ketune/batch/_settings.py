"""The configuration of a batch: what its TOML file may say."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from ketune import _toml, units
from ketune.errors import InputError
from ketune.recordings import Layout
from ketune.storage import LARGEST_SEED
from ketune.workflow import DrugRequest

Name = Annotated[str, Field(min_length=1)]
Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class RecordingSettings(_Strict):
    """Which recordings, and how to read them: one of ``file``, ``table`` and ``shipped``.

    Attributes
    ----------
    file
        A path or a glob, from the configuration's directory.
    table
        A CSV file with one recording a row, whose columns are the other keys.
    shipped
        A recording that comes with ketune.
    name
        In results; the file's name without ending where it is not given.
    neuron
        ``"*"`` takes every neuron of the file.
    orientation_column, condition_column, spikes_column, trials_table
        Names in the file that differ from those of docs/recordings.md.
    joint
        ``with`` in the file: further conditions, or files, that are fitted together with the control.
    """

    file: str | None = None
    table: str | None = None
    shipped: str | None = None
    name: Name | None = None
    neuron: str | tuple[str, ...] | None = None
    condition: str | None = None
    window: str | None = None
    fold: bool = False
    radians: bool = False
    spontaneous: str | None = None
    orientation_column: str | None = None
    condition_column: str | None = None
    spikes_column: str | None = None
    trials_table: str | None = None
    joint: tuple[str, ...] = Field((), alias="with")

    @property
    def layout(self) -> Layout:
        """The names that differ."""
        return Layout(self.orientation_column, self.condition_column, self.spikes_column, self.trials_table)

    @field_validator("joint", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_source(self) -> RecordingSettings:
        if sum(x is not None for x in (self.file, self.table, self.shipped)) != 1:
            raise ValueError("say where it is with one of file, table and shipped")
        return self


class ModelSettings(_Strict):
    """A model neuron: a model file, a morphology, or both; the shipped ones where they are not given."""

    name: Name = "default"
    file: str | None = None
    morphology: str | None = None


class HypothesisSettings(_Strict):
    """What the drug may do.

    Attributes
    ----------
    actions
        What conditions fitted jointly may change ("nmda,pv"): each such hypothesis is a fit of its own.
    targets, without
        What the drugs of ``[[apply]]`` may act on: these hypotheses share one fit.
    """

    name: Name
    actions: str | None = None
    targets: str | None = None
    without: str | None = None

    @model_validator(mode="after")
    def _one_side(self) -> HypothesisSettings:
        if self.targets is not None and self.without is not None:
            raise ValueError("give targets or without, not both")
        return self


class FitSettings(_Strict):
    """How each recording is fitted; see :func:`ketune.workflow.fit_recording`."""

    effort: str = "standard"
    starts: Annotated[int, Field(ge=1)] | None = None
    engine: str = "auto"
    dt: str | None = None
    dt_error: float | None = None
    estimator: str = "auto"
    posterior: bool | None = None
    compare: bool = False
    priors: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    correction_trials: tuple[int, ...] | None = None
    check_trials: int | None = None
    replay_trials: int | None = None


_REQUEST_KEYS = {f.name for f in dataclasses.fields(DrugRequest)}


class ApplySettings(_Strict):
    """A drug given after each fit: the options of `ketune apply` by their names in Python.

    Attributes
    ----------
    request
        Drug, route, dose, times and so on: keys of the same table in the file.
    """

    name: Name | None = None
    trials: Annotated[int, Field(ge=2)] = 50
    doses: str | None = None
    samples: int = 200
    request: DrugRequest = DrugRequest()

    @model_validator(mode="before")
    @classmethod
    def _one_table(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "request" in given:
            return given
        own = {key: value for key, value in given.items() if key not in _REQUEST_KEYS}
        request = {key: value for key, value in given.items() if key in _REQUEST_KEYS}
        for key in ("at", "settings", "baseline"):
            if isinstance(request.get(key), str):
                request[key] = (request[key],)
        return {**own, "request": request}


class BatchSettings(_Strict):
    """Every recording with every model, hypothesis and seed.

    Attributes
    ----------
    time_limit
        Of one attempt at one job.
    attempts
        At one job, each with a fresh seed after one that raised, ran out of time or gave no numbers.
    """

    name: Name | None = None
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (1,)
    attempts: Annotated[int, Field(ge=1, le=20)] = 2
    time_limit: str = "2 h"
    recording: Annotated[tuple[RecordingSettings, ...], Field(min_length=1)]
    model: Annotated[tuple[ModelSettings, ...], Field(min_length=1)] = (ModelSettings(),)
    hypothesis: tuple[HypothesisSettings, ...] = ()
    fit: FitSettings = FitSettings()
    apply: tuple[ApplySettings, ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> BatchSettings:
        for what, names in (
            ("seeds", self.seeds),
            ("model", [m.name for m in self.model]),
            ("hypothesis", [h.name for h in self.hypothesis]),
        ):
            twice = next((n for n in names if list(names).count(n) > 1), None)
            if twice is not None:
                raise ValueError(f"{what}: {twice!r} is there twice; two jobs would write the same place")
        return self

    @model_validator(mode="after")
    def _hypotheses_have_their_use(self) -> BatchSettings:
        for h in self.hypothesis:
            if (h.targets or h.without) and not self.apply:
                raise ValueError(
                    f"hypothesis '{h.name}' says what a drug may act on, but no [[apply]] gives one"
                )
        return self

    @property
    def time_limit_s(self) -> float:
        """In seconds."""
        return units.parse(self.time_limit, "s", "time_limit")


def read_settings(path: str | Path) -> BatchSettings:
    """Read and check a configuration; what it names is not looked at yet.

    Raises
    ------
    InputError
        One line with file and key; for an unknown key, the nearest valid one.
    """
    content = _toml.read(path, "batch configuration")
    try:
        settings = BatchSettings.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}: {_toml.complaint(error, ('request',))}{_mended(error)}") from None
    try:
        limit_s = settings.time_limit_s
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if not limit_s > 0:
        raise InputError(
            f"{path}: time_limit: '{settings.time_limit}' is no time above 0; give one such as '2 h'"
        )
    return settings


def _mended(error: ValidationError) -> str:
    first = error.errors()[0]
    if first["type"] != "extra_forbidden":
        return "; add it" if first["type"] == "missing" else ""
    *table, key = (part for part in first["loc"] if isinstance(part, str))
    known = sorted(_keys(table))
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?" if near else f"; there are {', '.join(known)}"


def _keys(table: list[str]) -> Iterator[str]:
    """The keys that a table of the file may have."""
    model: type[BaseModel] = BatchSettings
    for name in table:
        model = _model_in(model.model_fields[name].annotation)
    for name, field in model.model_fields.items():
        if name == "request":
            yield from _REQUEST_KEYS
        else:
            yield field.alias or name


def _model_in(annotation: Any) -> type[BaseModel]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(m for m in map(_model_in, (a for a in get_args(annotation) if a is not ...)))
