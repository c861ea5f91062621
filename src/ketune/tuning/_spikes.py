"""A recording from spike times in memory: arrays, or what pynapple holds them in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ketune.errors import InputError
from ketune.recordings import (
    DEFAULT_CONDITION,
    TableTrials,
    TrialRow,
    count_spikes,
    counting_window,
    listed,
)
from ketune.tuning._read import recording_of, stated_window_s
from ketune.tuning._recording import Recording

# Spikes never follow each other this evenly, bins do.
_BINNED_FROM, _BINNED_S = 10, 1e-9


def recording_from_spikes(
    spikes: Any,
    trials: Any,
    orientation_deg: npt.ArrayLike,
    *,
    neuron: Any = None,
    window: str | float | None = None,
    condition: str | Sequence[str] = DEFAULT_CONDITION,
    fold: bool = False,
    radians: bool = False,
) -> Recording:
    """Count the spikes of one neuron in each trial.

    pynapple's objects are taken as they are. Its tuning curves (`compute_tuning_curves`) hold means, from which trials
    cannot be had back, and are refused. The time support is not asked whether the neuron was recorded: unless it was
    given, pynapple ends it at the first and the last spike. Give only trials in which the neuron was recorded.

    Args:
        spikes: spike times in seconds: an array, a pynapple Ts or Tsd (the values are ignored) or TsGroup, or a
            mapping of names to any of them.
        trials: when something was shown, blank trials too: a pynapple IntervalSet, or an (n, 2) array of starts and
            stops in seconds. An IntervalSet is sorted by time, and drops and joins trials that overlap.
        orientation_deg: (n,) orientation of each of `trials` (of an IntervalSet in its order), NaN for a blank one.
        neuron: which, where `spikes` holds several: its key. Of a single neuron, its name.
        window: how long to count after the start of each trial ("1 s", or seconds); the length of the shortest trial if
            not given, where all are of one length to 5 %.
        condition: of all trials, or (n,) of each.
        fold, radians: as in `read_recording`.

    Raises:
        InputError: no spike times; lengths that differ; several neurons without a choice; and all that
            `read_recording` refuses.
    """
    times, name = _one_neuron(spikes, neuron)
    starts, stops = _trial_times(trials)
    degrees = np.asarray(orientation_deg, dtype=np.float64)
    conditions = [condition] * starts.size if isinstance(condition, str) else [str(c) for c in condition]
    for what, size in (("orientation_deg", degrees.size), ("condition", len(conditions))):
        if size != starts.size:
            raise InputError(
                f"{name}: {what} has {size} values and there are {starts.size} trials; give one for each "
                "(a pynapple IntervalSet drops and joins trials that overlap)"
            )
    window_s = counting_window(name, starts, stops, stated_window_s(window), np.ones(starts.size, dtype=bool))
    counts = count_spikes(times, starts, window_s)
    rows = [
        TrialRow(str(index + 1), stimulus, index, spikes_seen, label, window_s)
        for index, (stimulus, spikes_seen, label) in enumerate(
            zip(degrees.ravel().tolist(), counts.tolist(), conditions, strict=True)
        )
    ]
    held = TableTrials(
        path=Path(name),
        kind="spike times",
        neurons=(name,),
        understood={},
        source=f"spike times of {name}, counted for {window_s:g} s",
        by_neuron={name: rows},
    )
    return recording_of(held, name, window_s=window_s, fold=fold, radians=radians)


def _one_neuron(spikes: Any, neuron: Any) -> tuple[npt.NDArray[np.float64], str]:
    """Spike times of the neuron, and its name."""
    _refuse_tables(spikes)
    if not hasattr(spikes, "keys"):
        return _times(spikes), "neuron" if neuron is None else str(neuron)
    known = {str(key): key for key in spikes.keys()}  # noqa: SIM118  (a TsGroup iterates over what it holds)
    if neuron is None and len(known) == 1:
        neuron = next(iter(known))
    if neuron is None:
        raise InputError(f"spikes: {len(known)} neurons ({listed(known)}); choose one with neuron=...")
    if str(neuron) not in known:
        raise InputError(f"spikes: no neuron {neuron!r}; there are {listed(known)}")
    return _times(spikes[known[str(neuron)]]), str(neuron)


def _refuse_tables(spikes: Any) -> None:
    """Tuning curves, as pynapple returns them, and binned counts are tables of pandas, xarray or pynapple."""
    of_package = type(spikes).__module__.partition(".")[0]
    if of_package in ("pandas", "xarray") or type(spikes).__name__ in ("TsdFrame", "TsdTensor"):
        raise InputError(
            f"spikes is a {type(spikes).__name__}: a tuning curve or binned counts, which do not hold the spikes of "
            "each trial; give the spike times (pynapple Ts or TsGroup) and the trials (IntervalSet)"
        )


def _times(spikes: Any) -> npt.NDArray[np.float64]:
    _refuse_tables(spikes)
    try:
        times = np.asarray(getattr(spikes, "t", spikes), dtype=np.float64)
    except (TypeError, ValueError):
        times = np.empty((0, 0))
    if times.ndim != 1 or not np.isfinite(times).all():
        raise InputError(
            f"spikes is a {type(spikes).__name__}; give finite spike times in seconds, as a vector or a pynapple object"
        )
    if times.size >= _BINNED_FROM and np.ptp(np.diff(times)) < _BINNED_S:
        raise InputError(
            "spikes follow each other evenly, like bins; give the times of the spikes, not binned counts"
        )
    return times


def _trial_times(trials: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    try:
        borders = np.asarray(
            np.stack([trials.start, trials.end], axis=1) if hasattr(trials, "start") else trials,
            dtype=np.float64,
        )
    except (TypeError, ValueError):
        borders = np.empty(0)
    if borders.ndim != 2 or borders.shape[1] != 2 or len(borders) == 0:
        raise InputError(
            "trials: give an (n, 2) array of starts and stops in seconds, or a pynapple IntervalSet; one row a trial"
        )
    return borders[:, 0], borders[:, 1]
