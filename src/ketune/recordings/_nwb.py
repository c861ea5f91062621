"""NWB files: a table of trials with orientations, and spike times of units or counts in the table."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ketune.errors import InputError
from ketune.recordings._counting import FloatArray
from ketune.recordings._layout import CONDITION, NEURON, ORIENTATION, SPIKES, TRIAL, WINDOW, Layout
from ketune.recordings._nwb_table import (
    BLANKS,
    COUNTS,
    ORIENTATIONS,
    choose_column,
    choose_table,
    flags,
    plain_columns,
    reading,
    stimuli,
    values_of,
)
from ketune.recordings._nwb_trials import BoolArray, CountedTrials, NwbTrials, Presentations, TimedTrials
from ketune.recordings._trials import DEFAULT_CONDITION, Trials, name_of

_BORDERS = ("start_time", "stop_time")


@contextmanager
def open_nwb(path: Path, layout: Layout) -> Iterator[Trials]:
    """The trials of an NWB file.

    Raises:
        InputError: pynwb is not installed; no NWB file; no trials, no orientations or no spikes in it.
    """
    try:
        from pynwb import NWBHDF5IO
    except ImportError:
        raise InputError(
            f"{path}: NWB files are read by pynwb, which is not installed; pip install 'ketune[nwb]'"
        ) from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of namespaces, and of what the writer could have done better
        with reading(path, "the file", lambda: NWBHDF5IO(str(path), mode="r", load_namespaces=True)) as io:
            yield _trials_of(path, reading(path, "the file", io.read), layout)


def _trials_of(path: Path, nwb: Any, layout: Layout) -> NwbTrials:
    tables = dict((nwb.intervals or {}).items())
    invalid = tables.pop("invalid_times", None)
    name, table = choose_table(path, tables, layout)
    where = f"{path}: table {name}"
    columns = plain_columns(table)
    if len(table) == 0:
        raise InputError(f"{where} has no rows; add one for each trial")
    chosen = _choose_columns(where, columns, layout)
    units = nwb.units
    timed = layout.spikes is None and units is not None and "spike_times" in units.colnames
    counts = (
        None
        if timed
        else choose_column(where, columns, COUNTS, layout.spikes, "choose one with --spikes-column")
    )
    if counts is None and not timed:
        what = "no units" if units is None else "no spike times in its units"
        raise InputError(
            f"{path}: {what}, and table {name} has no column {' or '.join(COUNTS)}; add units with their "
            "spike_times, or name the column of counts with --spikes-column"
        )
    if timed and len(units) == 0:
        raise InputError(f"{path}: its table of units has no rows; add units with their spike_times")
    shown, notes = _presentations(path, name, table, columns, chosen)
    taken = {part: f"column {column} of {name}" for part, column in chosen.items()} | {TRIAL: f"id of {name}"}
    used = {*chosen.values(), *_BORDERS}
    common: dict[str, Any] = {
        "path": path,
        "kind": "NWB",
        "source": f"{path.name}, {name}",
        "notes": notes,
        "shown": shown,
    }
    if counts is None:
        return TimedTrials(
            **common,
            neurons=_unit_names(path, units),
            understood=taken
            | {SPIKES: "spike times of units, counted from start_time", NEURON: "id of units"},
            other_columns={c: columns[c] for c in columns if c not in used},
            units=units,
            invalid_s=np.empty((0, 2)) if invalid is None else _borders(path, invalid),
        )
    values = values_of(path, counts, columns[counts])
    taken[SPIKES] = f"column {counts} of {name}"
    if WINDOW in columns:
        taken[WINDOW] = f"column {WINDOW} of {name}"
    return CountedTrials(
        **common,
        neurons=_counted_names(path, () if units is None else _unit_names(path, units), values, counts),
        understood=taken,
        other_columns={c: columns[c] for c in columns if c not in {*used, counts, WINDOW}},
        counts=values,
        name=counts,
        windows=values_of(path, WINDOW, columns[WINDOW]) if WINDOW in columns else None,
    )


def _choose_columns(where: str, columns: Mapping[str, Any], layout: Layout) -> dict[str, str]:
    """Columns of the stimulus by what they say: orientation_deg, and if there are any condition and blank."""
    orientation = choose_column(
        where, columns, ORIENTATIONS, layout.orientation, "choose one with --orientation-column"
    )
    if orientation is None:
        raise InputError(
            f"{where} has no column {' or '.join(ORIENTATIONS[:4])}; it has {', '.join(columns)}; "
            "name one with --orientation-column"
        )
    found = {
        ORIENTATION: orientation,
        CONDITION: choose_column(where, columns, (CONDITION,), layout.condition, ""),
        "blank": choose_column(where, columns, BLANKS, None, "keep one of them"),
    }
    return {part: column for part, column in found.items() if column is not None}


def _presentations(
    path: Path, name: str, table: Any, columns: Mapping[str, Any], chosen: Mapping[str, str]
) -> tuple[Presentations, tuple[str, ...]]:
    """What was shown, and what to tell of it."""
    where = f"{path}: table {name}"
    orientation = chosen[ORIENTATION]
    degrees = stimuli(where, orientation, values_of(path, orientation, columns[orientation]))
    used: BoolArray = np.ones(degrees.size, dtype=bool)
    notes: tuple[str, ...] = ()
    if "blank" in chosen:
        column = chosen["blank"]
        blank = flags(where, column, values_of(path, column, columns[column]))
        # Without an orientation and not blank: another stimulus.
        used = blank | np.isfinite(degrees)
        degrees = np.where(blank, np.nan, degrees)
        if not used.all():
            notes = (
                f"{np.count_nonzero(~used)} rows of {name} without an orientation are not {column}: left out",
            )
    condition = [DEFAULT_CONDITION] * degrees.size
    if CONDITION in chosen:
        written = values_of(path, chosen[CONDITION], columns[chosen[CONDITION]])
        condition = [name_of(value) or DEFAULT_CONDITION for value in written.tolist()]
    start, stop = _borders(path, table).T
    ids = np.asarray(reading(path, f"ids of {name}", lambda: table.id[:]), dtype=np.int64)
    return Presentations(name, ids, degrees, condition, used, start, stop), notes


def _borders(path: Path, table: Any) -> FloatArray:
    """(m, 2) starts and stops of a table of intervals, seconds."""
    columns = [np.asarray(values_of(path, name, table[name]), dtype=np.float64) for name in _BORDERS]
    return np.stack(columns, axis=1)


def _unit_names(path: Path, units: Any) -> tuple[str, ...]:
    names = tuple(str(i) for i in reading(path, "ids of units", lambda: units.id[:]))
    if len(set(names)) < len(names):
        raise InputError(f"{path}: two units have one id; give each its own")
    return names


def _counted_names(path: Path, units: tuple[str, ...], counts: np.ndarray, name: str) -> tuple[str, ...]:
    """Whose counts they are: the units', where there are as many, else numbers."""
    n_neurons = 1 if counts.ndim == 1 else counts.shape[1]
    if counts.ndim > 2 or (1 < n_neurons != len(units) > 0):
        raise InputError(
            f"{path}: column {name} has {'x'.join(map(str, counts.shape[1:]))} values for each trial and there are "
            f"{len(units)} units; give one count for each unit"
        )
    if n_neurons == len(units):
        return units
    return tuple(str(i) for i in range(n_neurons)) if n_neurons > 1 else ("",)
