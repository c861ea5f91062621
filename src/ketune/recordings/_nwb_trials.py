"""Trials of an open NWB file, with the spikes of each: counted from spike times, or counts that stand in the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ketune.recordings._counting import TIME_RESOLUTION_S, FloatArray, count_spikes, counting_window
from ketune.recordings._layout import WINDOW
from ketune.recordings._nwb_table import reading, values_of
from ketune.recordings._trials import TrialRow, Trials, count, is_missing, number

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Presentations:
    """What was shown, one value a row of the table of trials.

    Attributes:
        table: name of the table.
        ids: numbers of the trials.
        degrees: orientation or direction, NaN for a blank trial.
        condition: for example "control".
        used: whether it is a trial: a grating or a blank screen.
        start_s, stop_s: from when to when, seconds; NaN where the file does not say.
    """

    table: str
    ids: npt.NDArray[np.int64]
    degrees: FloatArray
    condition: list[str]
    used: BoolArray
    start_s: FloatArray
    stop_s: FloatArray

    def row(self, index: int, spikes: int, window_s: float | None) -> TrialRow:
        """One of them with its spikes."""
        return TrialRow(
            row=str(index + 1),
            stimulus=float(self.degrees[index]),
            trial=int(self.ids[index]),
            spikes=spikes,
            condition=self.condition[index],
            window_s=window_s,
        )


@dataclass(frozen=True, kw_only=True)
class NwbTrials(Trials):
    """An open file.

    Attributes:
        shown: what was shown.
        other_columns: columns of the table that nothing is taken from.
    """

    shown: Presentations
    other_columns: Mapping[str, Any]

    def unused(self) -> dict[str, int]:
        return {
            name: len(set(values.tolist()))
            for name, column in self.other_columns.items()
            if (values := values_of(self.path, name, column)).ndim == 1 and values.dtype.kind != "O"
        }

    def at(self, row: str) -> str:
        return f"{self.path}: table {self.shown.table}, row {row}"


@dataclass(frozen=True, kw_only=True)
class CountedTrials(NwbTrials):
    """Counts in the table of trials: `counts` is (trials,) or (trials, neurons), its column is `name`."""

    counts: np.ndarray
    name: str
    windows: np.ndarray | None

    def rows(self, neuron: str, window_s: float | None = None) -> list[TrialRow]:
        counts = self.counts if self.counts.ndim == 1 else self.counts[:, self.neurons.index(neuron)]
        found = []
        for index, value in enumerate(counts.tolist()):
            if self.shown.used[index] and not is_missing(value):
                where = self.at(str(index + 1))
                window = None if self.windows is None else number(where, WINDOW, self.windows[index].item())
                found.append(self.shown.row(index, count(where, self.name, value), window))
        return found


@dataclass(frozen=True, kw_only=True)
class TimedTrials(NwbTrials):
    """Spike times of units, counted in the trials in which a unit was recorded.

    Attributes:
        units: the table of units.
        invalid_s: (m, 2) times that the file calls invalid.
    """

    units: Any
    invalid_s: FloatArray

    def rows(self, neuron: str, window_s: float | None = None) -> list[TrialRow]:
        start = self.shown.start_s
        what = f"{self.path}: table {self.shown.table}"
        window_s = counting_window(what, start, self.shown.stop_s, window_s, self.shown.used)
        unit = self.neurons.index(neuron)
        recorded = self.shown.used & ~_meets(self.invalid_s, start, window_s)
        if "obs_intervals" in self.units.colnames:
            observed = reading(
                self.path, f"obs_intervals of unit {neuron}", lambda: self.units.get_unit_obs_intervals(unit)
            )
            recorded &= _inside(np.reshape(observed, (-1, 2)), start, window_s)
        times = reading(
            self.path, f"spike times of unit {neuron}", lambda: self.units.get_unit_spike_times(unit)
        )
        counts = count_spikes(times, start, window_s)
        return [
            self.shown.row(index, int(counts[index]), window_s) for index in np.flatnonzero(recorded).tolist()
        ]


def _meets(intervals: FloatArray, start_s: FloatArray, window_s: float) -> BoolArray:
    """Windows that overlap any of the intervals."""
    begin, end = intervals.T
    found: BoolArray = np.any((start_s[:, None] < end) & (start_s[:, None] + window_s > begin), axis=1)
    return found


def _inside(intervals: FloatArray, start_s: FloatArray, window_s: float) -> BoolArray:
    """Windows that lie wholly inside one interval, or in several that follow each other without a gap."""
    joined: list[list[float]] = []
    for begin, end in intervals[np.argsort(intervals[:, 0])].tolist():
        if joined and begin <= joined[-1][1] + TIME_RESOLUTION_S:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([begin, end])
    low, high = np.reshape(joined, (-1, 2)).T
    begins, ends = start_s[:, None], start_s[:, None] + window_s
    found: BoolArray = np.any(
        (begins >= low - TIME_RESOLUTION_S) & (ends <= high + TIME_RESOLUTION_S), axis=1
    )
    return found
