"""The header of a long table: which of its columns a recording is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ketune.errors import InputError
from ketune.recordings._layout import CONDITION, ORIENTATION, SPIKES, TRIAL, Layout


def check_columns(where: str, header: Sequence[str], layout: Layout, hint: str = "") -> dict[str, str]:
    """Names of the columns that are there, by part of a recording.

    Args:
        where: file, and the line of the header if it has one.
        header: all names.
        layout: the user's names.
        hint: what to add where columns are missing.

    Raises:
        InputError: a needed column, or one that the user named, is missing or stands there twice.
    """
    if layout.trials is not None:
        raise InputError(f"{where}: --trials-table is for NWB files; leave it out")
    names = layout.columns()
    needed = [names[part] for part in (ORIENTATION, TRIAL, SPIKES)]
    if layout.condition is not None:
        needed.append(names[CONDITION])
    missing = [name for name in needed if name not in header]
    if missing:
        raise InputError(
            f"{where}: missing column {', '.join(missing)}; the header has {', '.join(header)}{hint}"
        )
    repeated = [name for name in names.values() if header.count(name) > 1]
    if repeated:
        raise InputError(f"{where}: column {repeated[0]} appears twice; keep one")
    return {part: name for part, name in names.items() if name in header}


def understood(found: Mapping[str, str]) -> dict[str, str]:
    """`found` in words."""
    return {part: f"column {name}" for part, name in found.items()}
