"""What decides the verdicts on T1 to T5, and the ranges beside them: from the table of reported effects."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from ketune import evidence
from ketune.errors import InputError
from ketune.evidence import EffectTable, Target
from ketune.reproduce._fano import LEVEL as FANO_LEVEL
from ketune.reproduce._spontaneous import ONE_SIDED_LEVEL

Margin = tuple[float, float]
JUDGED = ("T1", "T2", "T3a", "T3b", "T4", "T5")
"""Targets that counts of a population are judged by."""

_Kind = TypeVar("_Kind")


@dataclass(frozen=True)
class Window:
    """A range that a value is compared with.

    Attributes:
        low, high: inclusive.
        ours: chosen by us because no published size was found; False where a source gives it.
    """

    low: float
    high: float
    ours: bool = True

    def holds(self, value: float) -> bool:
        """Whether a value lies inside; False for NaN."""
        return self.low <= value <= self.high


@dataclass(frozen=True)
class PassRules:
    """Numbers of the rules, and ranges that are reported beside the verdicts.

    Attributes:
        falls: rule of T1.
        moves: rule of T2.
        margins: of T4, of which the first decides.
        margin_is_ours: whether that one is.
        together: the members of T5.
        levels: of the evidence, by target.
        osi_change, median_shift_deg, mean_shift_deg, raw_fano, matched_fano: ranges that decide nothing.
    """

    falls: evidence.PairedDecrease
    moves: evidence.ShareBeyondNull
    margins: tuple[Margin, ...]
    margin_is_ours: bool
    together: tuple[str, ...]
    levels: dict[str, str]
    osi_change: Window
    median_shift_deg: Window
    mean_shift_deg: Window
    raw_fano: Window
    matched_fano: Window

    @classmethod
    def of(cls, table: EffectTable) -> PassRules:
        """Those of a table, which may hold a user's rows.

        Raises:
            InputError: a target is missing, or its rule is of a kind, or at a level, that is not computed from counts.
        """
        targets = {name: _target(table, name) for name in JUDGED}
        for name in ("T3a", "T3b"):
            rule = _rule(targets[name], evidence.RatioAgainstOne)
            if rule.kind != "ratio below one" or rule.level != FANO_LEVEL:
                raise InputError(
                    f"target '{name}': its verdict is an interval of {FANO_LEVEL:.0%} below 1; "
                    f'write kind = "ratio below one" and level = {FANO_LEVEL:g}'
                )
        unchanged = _rule(targets["T4"], evidence.Equivalence)
        if unchanged.level != ONE_SIDED_LEVEL:
            raise InputError(f"target 'T4': its two tests are at {ONE_SIDED_LEVEL:g}; write this level")
        together = _rule(targets["T5"], evidence.Together).of
        if unknown := [name for name in together if name not in JUDGED]:
            raise InputError(
                f"target 'T5': rule: of: '{unknown[0]}' has no verdict from counts; use {', '.join(JUDGED[:-1])}"
            )
        return cls(
            falls=_rule(targets["T1"], evidence.PairedDecrease),
            moves=_rule(targets["T2"], evidence.ShareBeyondNull),
            margins=unchanged.margins,
            margin_is_ours=table.decided_by_our_window(targets["T4"]),
            together=together,
            levels={name: target.level for name, target in targets.items()},
            osi_change=_window(targets["T1"], "relative change of the index"),
            median_shift_deg=_window(targets["T2"], "median absolute shift"),
            mean_shift_deg=_window(targets["T2"], "mean signed shift"),
            raw_fano=_window(targets["T3a"], "ratio of Fano factors"),
            matched_fano=_window(targets["T3b"], "ratio of rate-matched Fano factors"),
        )


@lru_cache(maxsize=1)
def shipped_rules() -> PassRules:
    """Those of the shipped table."""
    return PassRules.of(evidence.reported_effects())


def _target(table: EffectTable, name: str) -> Target:
    found = next((t for t in table.target if t.id == name), None)
    if found is None:
        raise InputError(f"the table of reported effects has no target '{name}'; add it")
    return found


def _rule(target: Target, kind: type[_Kind]) -> _Kind:
    if not isinstance(target.rule, kind):
        raise InputError(
            f"target '{target.id}': its rule cannot be judged from counts; keep the kind of ours"
        )
    return target.rule


def _window(target: Target, quantity: str) -> Window:
    found = next((w for w in target.window if w.quantity == quantity), None)
    if found is None:
        raise InputError(f"target '{target.id}': has no window of '{quantity}'; add it")
    return Window(found.low, found.high, found.ours)
