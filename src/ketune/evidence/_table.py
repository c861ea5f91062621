"""The reported effects and the targets made from them, read from TOML and checked."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator

from ketune import _toml
from ketune.errors import InputError

_FROZEN = ConfigDict(extra="forbid", frozen=True)


class Source(BaseModel):
    """A paper and what of it could be read."""

    model_config = _FROZEN

    id: str
    citation: str
    doi: str
    read: Literal["abstract", "legend", "full text"]


class ReportedEffect(BaseModel):
    """One reported effect. ``size`` and ``n`` are "unknown" where no number was found, and then stay so."""

    model_config = _FROZEN

    id: str
    quantity: str
    direction: str
    size: str
    n: str
    preparation: str
    dose: str
    route: str
    source: str
    confidence: Literal["R", "R*", "MH", "ML", "D", "ASSUMP", "unknown"]

    @property
    def size_known(self) -> bool:
        """Whether the report gives a number."""
        return self.size not in ("unknown", "not applicable")


class Window(BaseModel):
    """A sanity range chosen by this project (``ours``), never a published size."""

    model_config = _FROZEN

    quantity: str
    low: float
    high: float
    unit: str

    @model_validator(mode="after")
    def _ordered(self) -> Window:
        if self.low >= self.high:
            raise ValueError(f"window of {self.quantity}: low must be below high")
        return self


class Target(BaseModel):
    """What a model is held to.

    ``level``: A reported direction, mandatory; A-weak; B reported number with tolerance; C ours; none: not
    judged.
    """

    model_config = _FROZEN

    id: str
    statement: str
    level: Literal["A", "A-weak", "B", "C", "none"]
    effects: tuple[str, ...]
    pass_rule: str
    source: str
    window: tuple[Window, ...]


class EffectTable(BaseModel):
    """Sources, reported effects and targets, each with unique ids that refer to each other."""

    model_config = _FROZEN

    source: tuple[Source, ...] = ()
    effect: tuple[ReportedEffect, ...] = ()
    target: tuple[Target, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> EffectTable:
        for kind, rows in (("source", self.source), ("effect", self.effect), ("target", self.target)):
            ids = [row.id for row in rows]
            if twice := sorted({i for i in ids if ids.count(i) > 1}):
                raise ValueError(f"{kind} '{twice[0]}' is given twice")
        sources = {s.id for s in self.source}
        effects = {e.id for e in self.effect}
        for row in self.rows():
            if row.source not in sources:
                raise ValueError(f"'{row.id}' cites source '{row.source}', which is not in the table")
        for target in self.target:
            if lost := sorted(set(target.effects) - effects):
                raise ValueError(f"target '{target.id}' rests on effect '{lost[0]}', not in the table")
        return self

    def rows(self) -> list[ReportedEffect | Target]:
        """All effects, then all targets."""
        return [*self.effect, *self.target]

    def find(self, identifier: str) -> ReportedEffect | Target:
        """The effect or target with that id.

        Raises:
            InputError: there is none.
        """
        rows = {row.id: row for row in self.rows()}
        if identifier not in rows:
            raise InputError(f"no reported effect or target '{identifier}'; known: {', '.join(rows)}")
        return rows[identifier]

    def citation(self, row: ReportedEffect | Target) -> str:
        """Citation of a row's source, with its DOI and what of it was read."""
        source = next(s for s in self.source if s.id == row.source)
        doi = f", doi:{source.doi}" if source.doi else ""
        return f"{source.citation}{doi} ({source.read} read)"


@lru_cache(maxsize=1)
def reported_effects() -> EffectTable:
    """The shipped table: topical ketamine and orientation tuning in visual cortex."""
    text = (resources.files("ketune.evidence") / "reported_effects.toml").read_text(encoding="utf-8")
    return EffectTable.model_validate(_toml.parse(text, "reported_effects.toml"))


def read_effects(path: str | Path) -> EffectTable:
    """A user's own table in the same format.

    Raises:
        InputError: unreadable, not TOML, a row lacks a key or cites something that is not there.
    """
    content = _toml.read(path, "table of reported effects")
    with _toml.checking(path):
        return EffectTable.model_validate(content)
