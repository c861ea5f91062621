"""Files of recordings: what stands in them, trial by trial, whatever the format.

`open_trials` reads CSV, Parquet, MAT and NWB files; `ketune.tuning.read_recording` makes a `Recording` of what it
finds. The layouts are in docs/recordings.md.
"""

from ketune.recordings._counting import count_spikes, counting_window
from ketune.recordings._files import is_csv, open_trials
from ketune.recordings._layout import Layout
from ketune.recordings._trials import DEFAULT_CONDITION, TableTrials, TrialRow, Trials, listed

__all__ = [
    "DEFAULT_CONDITION",
    "Layout",
    "TableTrials",
    "TrialRow",
    "Trials",
    "count_spikes",
    "counting_window",
    "is_csv",
    "listed",
    "open_trials",
]
