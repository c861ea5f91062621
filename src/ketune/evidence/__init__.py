"""Reported effects of topical ketamine on orientation tuning, and what a model is held to, as data.

`reported_effects` is the shipped table; `read_effects` reads a user's rows, and `extended` puts them into it.
"""

from ketune.evidence._listing import describe_effects, show_effects
from ketune.evidence._read import EffectRows, ReplacingWindow, extended, read_effects, reported_effects
from ketune.evidence._rules import (
    AllOf,
    Equivalence,
    PairedDecrease,
    RatioAgainstOne,
    Rule,
    ShareBeyondNull,
    SlopeBelowNull,
    Together,
    Window,
    WithinWindows,
)
from ketune.evidence._table import EffectTable, ReportedEffect, Source, Target

__all__ = [
    "AllOf",
    "EffectRows",
    "EffectTable",
    "Equivalence",
    "PairedDecrease",
    "RatioAgainstOne",
    "ReplacingWindow",
    "ReportedEffect",
    "Rule",
    "ShareBeyondNull",
    "SlopeBelowNull",
    "Source",
    "Target",
    "Together",
    "Window",
    "WithinWindows",
    "describe_effects",
    "extended",
    "read_effects",
    "reported_effects",
    "show_effects",
]
