"""Reported effects of topical ketamine on orientation tuning, and what a model is held to, as data."""

from ketune.evidence._table import (
    EffectTable,
    ReportedEffect,
    Source,
    Target,
    Window,
    read_effects,
    reported_effects,
)

__all__ = [
    "EffectTable",
    "ReportedEffect",
    "Source",
    "Target",
    "Window",
    "read_effects",
    "reported_effects",
]
