"""What a drug does to a neuron, kept in a document and read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from ketune.errors import InputError
from ketune.pharmacology._effect import NEUTRAL, DrugEffect

_BY_COMPARTMENT = frozenset(field.name for field in fields(DrugEffect) if field.type == "Array")


def effect_record(effect: DrugEffect) -> dict[str, Any]:
    """Every field for JSON; what is the same in all compartments as one number."""
    record: dict[str, Any] = {}
    for field in fields(effect):
        value = getattr(effect, field.name)
        uniform = field.name in _BY_COMPARTMENT and np.all(value == value[0])
        record[field.name] = float(value[0]) if uniform else value
    return record


def effect_from_record(record: Mapping[str, Any], n: int) -> DrugEffect:
    """The effect that :func:`effect_record` kept, on ``n`` compartments.

    Raises
    ------
    InputError
        A field is missing, or has another number of compartments.
    """
    values: dict[str, Any] = {}
    for name in NEUTRAL:
        if name not in record:
            raise InputError(f"effect of a drug: '{name}' is missing; apply the drug again")
        value = np.asarray(record[name], dtype=np.float64)
        if value.shape not in ((), (n,)):
            raise InputError(
                f"effect of a drug: '{name}' has {value.size} compartments, the cell {n}; apply the drug again"
            )
        values[name] = np.broadcast_to(value, (n,)).copy() if name in _BY_COMPARTMENT else float(value)
    time_min = record.get("time_min")
    return DrugEffect(
        label=str(record.get("label", "")),
        time_min=float("nan") if time_min is None else float(time_min),
        **values,
    )
