"""The reported effects and the targets made from them, checked against each other."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, model_validator

from ketune.errors import InputError
from ketune.evidence._rules import FROZEN, AllOf, Equivalence, Given, Rule, Together, Window

_JUDGED = ("A", "B", "C")


class Source(BaseModel):
    """A paper and what of it could be read."""

    model_config = FROZEN

    id: str
    citation: str
    doi: str
    read: Literal["abstract", "legend", "abstract or legend", "full text"]


class ReportedEffect(BaseModel):
    """One reported effect. ``size`` and ``n`` are "unknown" where no number was found, and then stay so."""

    model_config = FROZEN

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


class Target(BaseModel):
    """What a model is held to.

    ``level``: A reported direction, mandatory; A-weak reported direction of little weight; B reported number with
    tolerance; C ours; optional; none: not judged. Levels A, B and C need a ``rule``, the machine's form of the
    sentence in ``pass_rule``; without a rule there is no verdict. The numbers of windows stand in ``window``
    alone, so that a window of the user's takes effect everywhere.
    """

    model_config = FROZEN

    id: str
    statement: str
    level: Literal["A", "A-weak", "B", "C", "optional", "none"]
    effects: tuple[str, ...]
    pass_rule: str
    source: str
    window: tuple[Window, ...] = ()
    rule: Rule | None = None

    @model_validator(mode="after")
    def _can_be_judged(self) -> Target:
        if self.level in _JUDGED and self.rule is None:
            raise ValueError(
                f"level {self.level} is judged, and no verdict can be reached; "
                "give it a pass rule: [target.rule] with its kind"
            )
        if self.level == "none" and self.rule is not None:
            raise ValueError("level none is not judged; leave the rule out or give another level")
        quantities = [w.quantity for w in self.window]
        if twice := sorted({q for q in quantities if quantities.count(q) > 1}):
            raise ValueError(f"window: '{twice[0]}' has two; leave one out")
        for quantity in self.rule.judged_by_window if self.rule else ():
            if quantity not in quantities:
                raise ValueError(
                    f"rule: '{quantity}' has no window; add one with this quantity or correct the name"
                )
        for rule in self._rules():
            if isinstance(rule, Equivalence):
                window = self.window[quantities.index(rule.quantity)]
                if rule.margins[0] != (window.low, window.high):
                    raise ValueError(
                        f"rule: margins: the first decides and must be the window of '{rule.quantity}', "
                        f"{window.low:g} to {window.high:g}; make them the same"
                    )
        return self

    @property
    def deciding(self) -> tuple[Window, ...]:
        """Its windows that enter its verdict; the others stand beside it."""
        used = self.rule.judged_by_window if self.rule else ()
        return tuple(w for w in self.window if w.quantity in used)

    @property
    def window_is_ours(self) -> bool:
        """Whether any of its windows was chosen by this project."""
        return any(w.ours for w in self.window)

    @property
    def rule_in_words(self) -> str:
        """What decides, from the rule itself, with the numbers of the windows."""
        return "no rule: not judged" if self.rule is None else self.rule.words(self.window)

    def sources(self) -> list[tuple[str, str]]:
        """Each source that it cites, after the key that cites it."""
        parts: list[tuple[str, Given]] = [(f"window '{w.quantity}': ", w) for w in self.window]
        parts += [("rule: ", rule) for rule in self._rules()]
        return [("", self.source), *((key, part.source) for key, part in parts if part.source)]

    def _rules(self) -> list[Given]:
        """The rule, and the parts it is made of."""
        if self.rule is None:
            return []
        return [self.rule, *(self.rule.rules if isinstance(self.rule, AllOf) else ())]


class EffectTable(BaseModel):
    """Sources, reported effects and targets, each with unique ids that refer to each other."""

    model_config = FROZEN

    source: tuple[Source, ...] = ()
    effect: tuple[ReportedEffect, ...] = ()
    target: tuple[Target, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> EffectTable:
        refuse_doubles([("source", s.id) for s in self.source])
        refuse_doubles([(_kind(row), row.id) for row in self.rows()])
        sources = {s.id for s in self.source}
        effects = {e.id for e in self.effect}
        for row in self.rows():
            cited = row.sources() if isinstance(row, Target) else [("", row.source)]
            for key, source in cited:
                if source not in sources:
                    raise ValueError(
                        f"{_kind(row)} '{row.id}': {key}source: cites '{source}', which is not in the table; "
                        "add a [[source]] with this id or correct it"
                    )
        for target in self.target:
            if lost := sorted(set(target.effects) - effects):
                raise ValueError(
                    f"target '{target.id}': effects: rests on '{lost[0]}', which is not in the table; "
                    "add an [[effect]] with this id or correct it"
                )
            if isinstance(target.rule, Together):
                self._check_together(target.id, target.rule)
        return self

    def _check_together(self, identifier: str, rule: Together) -> None:
        judged = {t.id for t in self.target if t.rule is not None and not isinstance(t.rule, Together)}
        if lost := [i for i in rule.of if i not in judged]:
            raise ValueError(
                f"target '{identifier}': rule: of: '{lost[0]}' is no target with a rule of its own; "
                f"give it one or leave it out"
            )

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

    def deciding(self, target: Target) -> list[tuple[str, Window]]:
        """The windows that enter the verdict on a target, each after the id of the target whose window it is.

        The verdict on targets that have to hold together rests on the windows of each.
        """
        of = target.rule.of if isinstance(target.rule, Together) else (target.id,)
        by_id = {t.id: t for t in self.target}
        return [(i, window) for i in of for window in by_id[i].deciding]

    def decided_by_our_window(self, target: Target) -> bool:
        """Whether a window that this project chose enters the verdict on a target."""
        return any(window.ours for _, window in self.deciding(target))

    def citation(self, row: ReportedEffect | Target | Given) -> str:
        """Citation of a row's source, with its DOI and what of it was read; "ours" where there is none."""
        if isinstance(row, Given) and row.ours:
            return "ours"
        source = next(s for s in self.source if s.id == row.source)
        doi = f", doi:{source.doi}" if source.doi else ""
        return f"{source.citation}{doi} ({source.read} read)"


def refuse_doubles(rows: list[tuple[str, str]]) -> None:
    """Refuse an id that is given twice; rows are (kind, id).

    Raises:
        ValueError: one is.
    """
    seen: set[str] = set()
    for kind, identifier in rows:
        if identifier in seen:
            raise ValueError(f"{kind} '{identifier}' is given twice; leave one out or rename it")
        seen.add(identifier)


def _kind(row: ReportedEffect | Target) -> str:
    return "target" if isinstance(row, Target) else "effect"
