"""Tables of reported effects in TOML: the shipped one, rows of the user's, and both as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel

from ketune import _toml
from ketune.errors import InputError
from ketune.evidence._rules import KINDS, AllOf, Equivalence, Window
from ketune.evidence._table import EffectTable, ReportedEffect, Source, Target, refuse_doubles


class ReplacingWindow(Window):
    """A window of the user's, from a source, in the place of the window of ``target`` with the same quantity."""

    target: str
    source: str


_KINDS: dict[str, type[BaseModel]] = {
    "source": Source,
    "effect": ReportedEffect,
    "target": Target,
    "window": ReplacingWindow,
}


@dataclass(frozen=True)
class EffectRows:
    """Rows of one file, each complete in itself; what they refer to may stand in another table.

    origin: the file, for messages
    window: windows that take the place of a target's
    """

    origin: str
    source: tuple[Source, ...] = ()
    effect: tuple[ReportedEffect, ...] = ()
    target: tuple[Target, ...] = ()
    window: tuple[ReplacingWindow, ...] = ()


def read_effects(path: str | Path) -> EffectRows:
    """A user's own rows: additional ones, and ones in the place of shipped ones (see `extended`).

    Raises:
        InputError: unreadable, not TOML, or a row that lacks a key, has an unknown one, or cannot be judged; the
            message names file, row and key.
    """
    return _rows(_toml.read(path, "table of reported effects"), str(path))


def extended(base: EffectTable, extra: EffectRows) -> EffectTable:
    """A table with a user's rows: one with an id that is there already replaces that row, others are added.

    A ``[[window]]`` takes the place of the window of its target with the same quantity, and with it that window's part
    in the verdict; as it has a source it is no window of ours. Of an equivalence rule it becomes the margin that
    decides, before the margins that were there.

    Raises:
        InputError: a row cites a source, effect or target that neither has; a window that replaces none, or one in
            another unit.
    """
    targets = _merged(base.target, extra.target)
    for window in extra.window:
        place = f"{extra.origin}: window of '{window.quantity}'"
        found = next((i for i, t in enumerate(targets) if t.id == window.target), None)
        if found is None:
            raise InputError(
                f"{place}: target: there is no '{window.target}'; known: {_listed(t.id for t in targets)}"
            )
        targets[found] = _with_window(targets[found], window, place)
    with _toml.checking(extra.origin):
        return EffectTable(
            source=tuple(_merged(base.source, extra.source)),
            effect=tuple(_merged(base.effect, extra.effect)),
            target=tuple(targets),
        )


@lru_cache(maxsize=1)
def reported_effects() -> EffectTable:
    """The shipped table: topical ketamine and orientation tuning in visual cortex."""
    name = "reported_effects.toml"
    text = (resources.files("ketune.evidence") / name).read_text(encoding="utf-8")
    return extended(EffectTable(), _rows(_toml.parse(text, name), name))


def _rows(content: Mapping[str, Any], origin: str) -> EffectRows:
    if unknown := [key for key in content if key not in _KINDS]:
        raise InputError(
            f"{origin}: '{unknown[0]}' is no kind of row; use {_listed(f'[[{k}]]' for k in _KINDS)}"
        )
    rows: dict[str, tuple[Any, ...]] = {}
    for kind, model in _KINDS.items():
        entries = content.get(kind, [])
        if not isinstance(entries, list):
            raise InputError(f"{origin}: {kind}: not a list of rows; begin each with [[{kind}]]")
        rows[kind] = tuple(
            _row(model, entry, f"{origin}: {_name(kind, i, entry)}") for i, entry in enumerate(entries)
        )
    try:
        refuse_doubles([("source", row.id) for row in rows["source"]])
        refuse_doubles([(kind, row.id) for kind in ("effect", "target") for row in rows[kind]])
        refuse_doubles([("window", f"{row.target}: {row.quantity}") for row in rows["window"]])
    except ValueError as error:
        raise InputError(f"{origin}: {error}") from None
    return EffectRows(origin, **rows)


def _row(model: type[BaseModel], entry: Any, place: str) -> BaseModel:
    with _toml.checking(place, unnamed=KINDS):
        return model.model_validate(entry)


def _name(kind: str, index: int, entry: Any) -> str:
    """How a message calls a row: by its id, or by its place counted from 1."""
    if isinstance(entry, Mapping):
        if isinstance(identifier := entry.get("id"), str):
            return f"{kind} '{identifier}'"
        if kind == "window" and isinstance(quantity := entry.get("quantity"), str):
            return f"window of '{quantity}'"
    return f"{kind} {index + 1}"


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


_R = TypeVar("_R", bound=_HasId)


def _merged(base: Iterable[_R], extra: Iterable[_R]) -> list[_R]:
    return list(({row.id: row for row in base} | {row.id: row for row in extra}).values())


def _with_window(target: Target, window: ReplacingWindow, place: str) -> Target:
    old = next((w for w in target.window if w.quantity == window.quantity), None)
    if old is None:
        known = _listed(f"'{w.quantity}'" for w in target.window) or "none"
        raise InputError(
            f"{place}: quantity: target '{target.id}' has no such window; it has {known}; correct the name"
        )
    if window.unit != old.unit:
        raise InputError(
            f"{place}: unit: '{window.unit}', but the window of target '{target.id}' that it replaces is in "
            f"'{old.unit}'; convert it"
        )
    given = window.model_dump(exclude={"target"}, exclude_unset=True)
    new = Window.model_validate({"species": old.species, **given})
    content = {name: getattr(target, name) for name in type(target).model_fields}
    content["window"] = tuple(new if w is old else w for w in target.window)
    with _toml.checking(place):
        content["rule"] = _with_margin(target.rule, new)
        return Target.model_validate(content)


def _with_margin(rule: Any, window: Window) -> Any:
    """The rule with the window as the margin that decides, where it is an equivalence of that quantity."""
    margin = (window.low, window.high)
    if isinstance(rule, Equivalence) and rule.quantity == window.quantity:
        margins = (margin, *(m for m in rule.margins if m != margin))
        return Equivalence.model_validate({**rule.model_dump(), "margins": margins})
    if isinstance(rule, AllOf):
        return rule.model_copy(update={"rules": tuple(_with_margin(part, window) for part in rule.rules)})
    return rule


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
