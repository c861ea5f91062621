"""One job of a batch: a recording, a model neuron, a hypothesis and a seed, known by the hash of what goes in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from ketune.batch._settings import ApplySettings, FitSettings
from ketune.recordings import Layout
from ketune.storage import slug
from ketune.workflow import DrugRequest, FitRequest

_KEY_DIGITS = 12
# Fresh seeds lie far from each other and from the small numbers that people choose.
_NEXT_SEED = 1_000_003


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InputFile(_Strict):
    """A file that goes into a job.

    Attributes
    ----------
    path
        Of the batch's own copy, from its directory.
    sha256
        Of the content, that of files it refers to included.
    original
        Where it was copied from.
    """

    path: str
    sha256: str
    original: str


class Application(_Strict):
    """A drug given after the fit, with the files that its settings name."""

    name: str
    settings: ApplySettings
    files: dict[str, InputFile] = {}

    def request(self, place: Callable[[InputFile], Path]) -> DrugRequest:
        """As `ketune apply` takes it, with its files where ``place`` says."""
        files: dict[str, Any] = {key: place(file) for key, file in self.files.items()}
        return replace(self.settings.request, **files)


class Job(_Strict):
    """What is fitted how, and what is applied then.

    Attributes
    ----------
    recording_name, model_name, hypothesis
        As people call them; they do not enter the key.
    joint
        Conditions of the recording fitted with the control; ``joint_files`` are those in files of their own.
    """

    recording_name: str
    model_name: str
    hypothesis: str | None
    recording: InputFile
    neuron: str | None = None
    condition: str | None = None
    window: str | None = None
    fold: bool = False
    radians: bool = False
    layout: Layout = Layout()
    spontaneous: str | None = None
    joint: tuple[str, ...] = ()
    joint_files: tuple[InputFile, ...] = ()
    model: InputFile | None = None
    morphology: InputFile | None = None
    actions: str | None = None
    seed: int
    fit: FitSettings
    applications: tuple[Application, ...] = ()

    @cached_property
    def key(self) -> str:
        """Hash of everything that decides the numbers; where files lie and what things are called does not."""
        fields = self.model_dump(mode="json", exclude={"recording_name", "model_name", "hypothesis"})
        text = json.dumps(_contents(fields), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:_KEY_DIGITS]

    @property
    def label(self) -> str:
        """For people: recording, neuron, model, hypothesis, seed."""
        parts = (self.recording_name, self.neuron, self.model_name, self.hypothesis, f"seed {self.seed}")
        return ", ".join(p for p in parts if p and p != "default")

    @property
    def folder(self) -> str:
        """Name of its directory."""
        return f"{slug(self.label)[:80]}-{self.key}"

    @property
    def cell_key(self) -> tuple[str | None, str | None]:
        """Jobs with equal ones have the same model neuron."""
        model, morphology = (f.sha256 if f else None for f in (self.model, self.morphology))
        return model, morphology

    def seed_of(self, attempt: int) -> int:
        """The seed of an attempt; 0 is the first."""
        return self.seed + attempt * _NEXT_SEED

    def data(self, root: Path) -> Path:
        """The recording's file."""
        return root / self.recording.path

    def fit_request(self, root: Path, *, attempt: int = 0) -> FitRequest:
        """The fit as `ketune fit` takes it, in the batch's directory."""
        fit = {name: getattr(self.fit, name) for name in FitSettings.model_fields}
        return FitRequest(
            model=root / self.model.path if self.model else None,
            morphology=root / self.morphology.path if self.morphology else None,
            neuron=self.neuron,
            condition=self.condition,
            window=self.window,
            fold=self.fold,
            radians=self.radians,
            layout=self.layout,
            spontaneous=self.spontaneous,
            joint=(*self.joint, *(str(root / f.path) for f in self.joint_files)),
            actions=self.actions,
            seed=self.seed_of(attempt),
            **fit,
        )


def _contents(value: Any) -> Any:
    """The value with files replaced by their hashes."""
    if isinstance(value, dict):
        if value.keys() == InputFile.model_fields.keys():
            return value["sha256"]
        return {key: _contents(item) for key, item in value.items()}
    return [_contents(item) for item in value] if isinstance(value, list) else value
