"""Recordings of orientation tuning and their analysis: curves, selectivity, variability and shifts.

A `Recording` holds spike counts by condition, orientation and trial. `summarise_recording` turns one
condition into a `TuningSummary`. How every index is defined stands in docs/recordings.md.
"""

from ketune.tuning._curves import CurveFit, count_sem, fit_curve
from ketune.tuning._read import read_recording, shipped_recording, shipped_recordings
from ketune.tuning._recording import DEFAULT_CONDITION, OrientationCounts, Recording
from ketune.tuning._summary import TuningSummary, summarise, summarise_recording

__all__ = [
    "DEFAULT_CONDITION",
    "CurveFit",
    "OrientationCounts",
    "Recording",
    "TuningSummary",
    "count_sem",
    "fit_curve",
    "read_recording",
    "shipped_recording",
    "shipped_recordings",
    "summarise",
    "summarise_recording",
]
