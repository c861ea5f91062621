"""Trials as they stand in a file, before anything is decided about them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ketune.errors import InputError
from ketune.recordings._layout import CONDITION, NEURON, ORIENTATION, SPIKES, TRIAL, WINDOW

DEFAULT_CONDITION = "control"


class TrialRow(NamedTuple):
    """One trial of one neuron.

    Attributes:
        row: which row of the file it is, as the user counts: "3", or "3, column 2" of a matrix.
        stimulus: orientation or direction as written; NaN for a blank trial.
        trial: its number.
        spikes: spikes in the window.
        condition: for example "control".
        window_s: counting window in seconds, None where the file does not say.
    """

    row: str
    stimulus: float
    trial: int
    spikes: int
    condition: str
    window_s: float | None


@dataclass(frozen=True)
class Trials(ABC):
    """The trials of one file.

    Attributes:
        path: the file.
        kind: its format, in a word.
        neurons: their names in the order of the file; one empty name where it names none.
        understood: part of a recording ("orientation_deg", "spikes", ...) -> what of the file it is taken from.
        source: where the counts come from, in words; empty where the file does not say.
        notes: what a user should know of how the file was understood, one line each.
        sha256: of the file; empty for NWB, which holds raw data too and may be too large to read through.
    """

    path: Path
    kind: str
    neurons: tuple[str, ...]
    understood: Mapping[str, str]
    source: str = ""
    notes: tuple[str, ...] = ()
    sha256: str = ""

    @abstractmethod
    def rows(self, neuron: str, window_s: float | None = None) -> list[TrialRow]:
        """Trials of one of `neurons`. Where the file holds spike times, `window_s` says how long to count.

        Raises:
            InputError: a value that cannot be used, with its row.
        """

    @abstractmethod
    def unused(self) -> dict[str, int]:
        """Columns that nothing is taken from, and how many different values each has."""

    def at(self, row: str) -> str:
        """A row of the file, as messages cite it."""
        return f"{self.path}: row {row}"


@dataclass(frozen=True)
class TableTrials(Trials):
    """A long table that has been read: one row a trial and neuron."""

    by_neuron: Mapping[str, list[TrialRow]] = field(default_factory=dict)
    other_columns: Mapping[str, int] = field(default_factory=dict)
    separator: str = ": row "

    def rows(self, neuron: str, window_s: float | None = None) -> list[TrialRow]:
        return self.by_neuron[neuron]

    def unused(self) -> dict[str, int]:
        return dict(self.other_columns)

    def at(self, row: str) -> str:
        return f"{self.path}{self.separator}{row}"


def group_rows(
    columns: Mapping[str, Sequence[object]],
    names: Mapping[str, str],
    labels: Sequence[str],
    path: Path,
    separator: str = ": row ",
) -> dict[str, list[TrialRow]]:
    """Checked rows by neuron, in order of first appearance.

    Args:
        columns: values by part of a recording, None, NaN or empty text where there is none; without a `trial`
            the trials of a neuron, condition and orientation are numbered in their order.
        names: what the file calls each part.
        labels: which row of the file each is.
        path: the file.
        separator: what stands between file and row in a message.

    Raises:
        InputError: the first value that is of no use.
    """
    found: dict[str, list[TrialRow]] = {}
    seen: dict[tuple[str, str, str], int] = {}
    numbered = TRIAL in columns
    for index, label in enumerate(labels):
        where = f"{path}{separator}{label}"
        value = {part: values[index] for part, values in columns.items()}
        neuron = name_of(value.get(NEURON))
        condition = name_of(value.get(CONDITION)) or DEFAULT_CONDITION
        stimulus = (
            math.nan
            if is_missing(value[ORIENTATION])
            else number(
                where, names[ORIENTATION], value[ORIENTATION], "leave the field empty for a blank trial"
            )
        )
        key = (neuron, condition, repr(stimulus))
        seen[key] = seen.get(key, -1) + 1
        window = value.get(WINDOW)
        found.setdefault(neuron, []).append(
            TrialRow(
                row=label,
                stimulus=stimulus,
                trial=_whole(where, names[TRIAL], value[TRIAL]) if numbered else seen[key],
                spikes=count(where, names[SPIKES], value[SPIKES]),
                condition=condition,
                window_s=None if is_missing(window) else number(where, names[WINDOW], window),
            )
        )
    return found


def is_missing(value: object) -> bool:
    """Nothing, not a number, or empty text."""
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or (isinstance(value, str) and not value.strip())


def name_of(value: object) -> str:
    """A neuron or condition as text: 7.0, as MATLAB and pandas write whole numbers, is "7"."""
    if is_missing(value):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value).strip()


def number(where: str, name: str, value: object, if_not_finite: str = "") -> float:
    """A finite number, from a number or its text.

    Raises:
        InputError: it is none.
    """
    shown = value.strip() if isinstance(value, str) else value
    try:
        found = float(shown)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise InputError(f"{where}: {name} is {shown!r}, not a number") from None
    if not math.isfinite(found):
        hint = f"; {if_not_finite}" if if_not_finite else ""
        raise InputError(f"{where}: {name} is {shown}, not a finite number{hint}")
    return found


def _whole(where: str, name: str, value: object, hint: str = "") -> int:
    if is_missing(value) and not isinstance(value, float):
        raise InputError(f"{where}: {name} is empty; remove the row if the trial was not recorded")
    found = number(where, name, value, "remove the row if the trial was not recorded")
    if found != round(found):
        raise InputError(f"{where}: {name} is {str(value).strip()}, not a whole number{hint}")
    return int(found)


def count(where: str, name: str, value: object) -> int:
    """A number of spikes.

    Raises:
        InputError: it is none.
    """
    found = _whole(where, name, value, "; give spike counts, not rates")
    if found < 0:
        raise InputError(f"{where}: {name} is {str(value).strip()}; a count cannot be negative")
    return found


def listed(names: Iterable[str]) -> str:
    """Names in a message: the first twenty."""
    shown = [name or "(unnamed)" for name in names]
    return ", ".join(shown[:20]) + (f" and {len(shown) - 20} more" if len(shown) > 20 else "")
