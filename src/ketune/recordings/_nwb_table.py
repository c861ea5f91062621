"""Columns of a table of trials in an NWB file: which of them say what, and their values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ketune.errors import InputError
from ketune.recordings._layout import Layout
from ketune.recordings._trials import listed

# Names that laboratories use; where a table has several of one line, the user chooses.
ORIENTATIONS = (
    "orientation_deg",
    "orientation",
    "direction_deg",
    "direction",
    "grating_orientation",
    "stimulus_orientation",
)
COUNTS = ("spikes", "spike_count", "spike_counts", "n_spikes")
BLANKS = ("blank", "is_blank", "blank_trial", "is_blank_trial", "blank_sweep")
_BLANK_WORDS = ("", "nan", "null", "none", "blank")
_TRUE_WORDS, _FALSE_WORDS = ("true", "1", "1.0", "yes"), ("false", "0", "0.0", "no")


def reading(path: Path, what: str, read: Callable[[], Any]) -> Any:
    """What `read` returns.

    Raises:
        InputError: it raises. On damaged files h5py and pynwb raise whatever comes first.
    """
    try:
        return read()
    except Exception as error:
        reason = (str(error).strip().partition("\n")[0] or type(error).__name__).rstrip(".").strip("'")
        raise InputError(
            f"{path}: {what} cannot be read ({reason}); the file is damaged or no NWB file: copy it again, or write "
            "it anew with pynwb"
        ) from None


def plain_columns(table: Any) -> dict[str, Any]:
    """Columns with one value, or one row of values, for each trial: no lists of different lengths, no references."""
    columns = {name: table[name] for name in table.colnames}
    return {n: c for n, c in columns.items() if not (hasattr(c, "target") or hasattr(c, "table"))}


def values_of(path: Path, name: str, column: Any) -> np.ndarray:
    """Values of a column; bytes become text."""
    found = np.asarray(reading(path, f"column {name}", lambda: column[:]))
    if found.dtype.kind in "SO":
        found = np.array(
            [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in found.tolist()]
        )
    return found


def choose_table(path: Path, tables: Mapping[str, Any], layout: Layout) -> tuple[str, Any]:
    """The table of trials: the one named, or `trials`, or the only other one with orientations.

    Raises:
        InputError: there is none, or several.
    """
    if not tables:
        raise InputError(f"{path}: no trials; add a trials table with start_time, stop_time and orientation")
    if layout.trials is not None:
        if layout.trials not in tables:
            raise InputError(f"{path}: no table {layout.trials!r}; it has {listed(tables)}")
        return layout.trials, tables[layout.trials]
    wanted = (layout.orientation,) if layout.orientation else ORIENTATIONS
    found = [name for name, table in tables.items() if set(wanted) & set(table.colnames)]
    if "trials" in found or len(found) == 1:
        name = "trials" if "trials" in found else found[0]
        return name, tables[name]
    if found:
        raise InputError(
            f"{path}: several tables have orientations ({listed(found)}); choose one with --trials-table"
        )
    described = "; ".join(f"{name} has {listed(table.colnames)}" for name, table in tables.items())
    mend = "check its name" if layout.orientation else "name it with --orientation-column"
    raise InputError(f"{path}: no column {' or '.join(wanted[:4])} among the trials ({described}); {mend}")


def choose_column(
    where: str, columns: Mapping[str, Any], known: tuple[str, ...], named: str | None, mend: str
) -> str | None:
    """The column named, or the only one of the known names; None where there is none.

    Raises:
        InputError: the one named is missing, or several are there.
    """
    if named is not None:
        if named not in columns:
            raise InputError(f"{where} has no column {named!r}; it has {listed(columns)}")
        return named
    found = [name for name in known if name in columns]
    if len(found) > 1:
        raise InputError(f"{where} has the columns {' and '.join(found)}; {mend}")
    return found[0] if found else None


def stimuli(where: str, name: str, written: np.ndarray) -> np.ndarray:
    """Degrees of each trial, NaN for none; text is taken where it is a number, or says that there is none.

    Raises:
        InputError: something else stands there, or more than one value for a trial.
    """
    if written.ndim != 1:
        raise InputError(f"{where}: column {name} has {written.shape[1:]} values for each trial; give one")
    if written.dtype.kind in "fiu":
        degrees = written.astype(np.float64)
    else:
        degrees = np.empty(written.size)
        for index, value in enumerate(written.tolist()):
            text = str(value).strip()
            try:
                degrees[index] = np.nan if text.lower() in _BLANK_WORDS else float(text)
            except ValueError:
                raise InputError(
                    f"{where}: {name} of trial {index + 1} is {text!r}, not a number; leave it empty for a blank trial"
                ) from None
    if np.isinf(degrees).any():
        raise InputError(f"{where}: {name} of trial {int(np.argmax(np.isinf(degrees))) + 1} is infinite")
    return degrees


def flags(where: str, name: str, written: np.ndarray) -> np.ndarray:
    """Yes or no for each trial.

    Raises:
        InputError: a value is neither.
    """
    words = [str(value).strip().lower() for value in written.tolist()]
    for index, word in enumerate(words):
        if word not in _TRUE_WORDS + _FALSE_WORDS:
            raise InputError(f"{where}: {name} of trial {index + 1} is {word!r}; give true or false")
    return np.array([word in _TRUE_WORDS for word in words], dtype=bool)
