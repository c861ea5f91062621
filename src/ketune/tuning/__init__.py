"""Recordings of orientation tuning and their analysis: curves, selectivity, variability and shifts.

A `Recording` holds spike counts by condition, orientation and trial. `summarise_recording` turns one
condition into a `TuningSummary`, `shift` compares two. How every index is defined stands in
docs/recordings.md.
"""

from ketune.recordings import Layout
from ketune.tuning._curves import CurveFit, count_sem, fit_counts, fit_curve
from ketune.tuning._indices import vector_sum
from ketune.tuning._inspect import describe_inspection, inspect_recording
from ketune.tuning._read import (
    neurons_in,
    read_recording,
    shipped_recording,
    shipped_recording_file,
    shipped_recordings,
)
from ketune.tuning._recording import DEFAULT_CONDITION, OrientationCounts, Recording
from ketune.tuning._refine import preferred_errors_deg
from ketune.tuning._search import fit_many
from ketune.tuning._shapes import half_width_deg, shape, wrap_orientation
from ketune.tuning._shift import Shift, fit_counts_many, remeasure, shift
from ketune.tuning._spikes import recording_from_spikes
from ketune.tuning._summary import TuningSummary, summarise, summarise_recording
from ketune.tuning._variability import (
    FanoFactor,
    RateMatchedFano,
    fano_by_orientation,
    fano_factor,
    pooled_fano,
    rate_matched_fano,
    sample_counts,
)

__all__ = [
    "DEFAULT_CONDITION",
    "CurveFit",
    "FanoFactor",
    "Layout",
    "OrientationCounts",
    "RateMatchedFano",
    "Recording",
    "Shift",
    "TuningSummary",
    "count_sem",
    "describe_inspection",
    "fano_by_orientation",
    "fano_factor",
    "fit_counts",
    "fit_counts_many",
    "fit_curve",
    "fit_many",
    "half_width_deg",
    "inspect_recording",
    "neurons_in",
    "pooled_fano",
    "preferred_errors_deg",
    "rate_matched_fano",
    "read_recording",
    "recording_from_spikes",
    "remeasure",
    "sample_counts",
    "shape",
    "shift",
    "shipped_recording",
    "shipped_recording_file",
    "shipped_recordings",
    "summarise",
    "summarise_recording",
    "vector_sum",
    "wrap_orientation",
]
