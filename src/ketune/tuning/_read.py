"""From the trials of a file to a recording: one neuron, one window, orientations in degrees. Formats and rules are in
docs/recordings.md."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from ketune.errors import InputError
from ketune.recordings import Layout, TrialRow, Trials, listed, open_trials
from ketune.tuning._recording import Recording

# Degrees rounded on reading. Radians are written with few digits (3.14, 1.571), so 180 deg needs a coarser
# step to be found again.
_DEGREE_STEP = 1e-4
_RADIAN_STEP_DEG = 0.1
_RADIANS_BELOW = 7.0
_CLOSEST_DEG = 0.25

_DATA = Path(__file__).parent.parent / "data" / "recordings"


def read_recording(
    path: str | Path,
    *,
    window: str | float | None = None,
    neuron: str | None = None,
    condition: str | None = None,
    fold: bool = False,
    radians: bool = False,
    layout: Layout | None = None,
) -> Recording:
    """Read spike counts from a CSV, Parquet, MAT or NWB file, told apart by the extension.

    CSV and Parquet have one row a trial, with the columns `orientation_deg` (empty for a blank trial), `trial`,
    `spikes`; optional `condition` (default "control"), `window_s` and `neuron`. MAT files hold the same as vectors,
    or a matrix of counts; NWB files a table of trials with spike times of units. docs/recordings.md has the layouts.
    Orientation has a period of 180 deg: 0 and 180 are one orientation.

    Args:
        path: the file.
        window: counting window with its unit ("1.28 s"), or seconds as a number; needed without a `window_s`
            column. Spike times of an NWB file are counted for that long after the start of each trial, else for
            the length of the shortest trial.
        neuron: which neuron, where the file holds several.
        condition: keep this condition only; None keeps all.
        fold: the column holds drift directions (0 to 360); map them onto orientations and keep the
            directions.
        radians: the column holds radians.
        layout: names of columns, where they differ from the documented ones.

    Returns:
        The recording, with orientations in [0, 180).

    Raises:
        InputError: one line with file and row for anything that cannot be read or is ambiguous.
    """
    path = Path(path)
    window_s = stated_window_s(window)
    with open_trials(path, layout or Layout()) as trials:
        return recording_of(
            trials,
            _one_neuron(trials, neuron),
            window_s=window_s,
            condition=condition,
            fold=fold,
            radians=radians,
        )


def recording_of(
    trials: Trials,
    neuron: str,
    *,
    window_s: float | None,
    condition: str | None = None,
    fold: bool = False,
    radians: bool = False,
) -> Recording:
    """The recording of one neuron of an open file; arguments and errors as in `read_recording`."""
    path = trials.path
    rows = trials.rows(neuron, window_s)
    if not rows:
        raise InputError(f"{path}: neuron {neuron!r} was recorded in none of the trials; choose another")
    if condition is not None:
        known = dict.fromkeys(row.condition for row in rows)
        if condition not in known:
            raise InputError(f"{path}: no condition {condition!r}; it has {listed(known)}")
        rows = [row for row in rows if row.condition == condition]
    _refuse_repeated(trials, rows)
    window_s = _window(trials, rows, window_s)
    degrees = _degrees(trials, rows, radians=radians)

    if are_directions(degrees) and not fold:
        raise InputError(
            f"{path}: orientations from {np.nanmin(degrees):g} to {np.nanmax(degrees):g} deg look like drift "
            "directions; orientation has a period of 180 deg, pass --fold (fold=True) to map directions onto it"
        )
    stimulus = np.round(degrees, 6) % (360.0 if fold else 180.0)
    recording = Recording(
        name=neuron or path.stem,
        window_s=window_s,
        orientation_deg=stimulus,
        spikes=np.array([row.spikes for row in rows]),
        trial=_renumbered(stimulus, rows),
        condition=np.array([row.condition for row in rows]),
        source=trials.source or path.name,
        sha256=trials.sha256,
    )
    if fold:
        folded = recording.fold()
        object.__setattr__(folded, "sha256", recording.sha256)  # the file is the source of both
        recording = folded
    _check_orientations(path, recording)
    return recording


def shipped_recordings() -> tuple[str, ...]:
    """Names that `shipped_recording` knows."""
    return tuple(sorted(path.stem for path in _DATA.glob("*.csv")))


def shipped_recording(name: str) -> Recording:
    """A recording shipped with the package: "macaque_v1", "macaque_v2" (real) or "example" (synthetic).

    Origin, licence and what is assumed about each stand in data/SOURCES.md and in the comments of the file.

    Raises:
        InputError: unknown name; the message lists the known ones.
    """
    return read_recording(shipped_recording_file(name))


def shipped_recording_file(name: str) -> Path:
    """The file of a shipped recording; errors as `shipped_recording`."""
    if name not in shipped_recordings():
        raise InputError(f"no shipped recording {name!r}; there are {', '.join(shipped_recordings())}")
    return _DATA / f"{name}.csv"


def neurons_in(path: str | Path, layout: Layout | None = None) -> tuple[str, ...]:
    """Names of the neurons of a file, in its order; errors as `read_recording`."""
    with open_trials(Path(path), layout or Layout()) as trials:
        return trials.neurons


def _one_neuron(trials: Trials, neuron: str | None) -> str:
    if neuron is not None:
        if neuron not in trials.neurons:
            has = (
                f"it has {listed(trials.neurons)}" if any(trials.neurons) else "the file has no neuron column"
            )
            raise InputError(f"{trials.path}: no neuron {neuron!r}; {has}")
        return neuron
    if len(trials.neurons) > 1:
        raise InputError(
            f"{trials.path}: holds {len(trials.neurons)} neurons ({listed(trials.neurons)}); "
            "choose one with --neuron"
        )
    return trials.neurons[0]


def _refuse_repeated(trials: Trials, rows: list[TrialRow]) -> None:
    first: dict[tuple[str, str, int], str] = {}
    for row in rows:
        key = (row.condition, repr(row.stimulus), row.trial)
        if key in first:
            what = "blank" if math.isnan(row.stimulus) else f"orientation {row.stimulus:g}"
            raise InputError(
                f"{trials.at(row.row)}: {what}, trial {row.trial}, condition {row.condition} stands already in "
                f"row {first[key]}; number the trials of an orientation differently"
            )
        first[key] = row.row


def stated_window_s(window: str | float | None) -> float | None:
    """The counting window that the user gave, in seconds.

    Raises:
        InputError: no positive time.
    """
    if isinstance(window, str):
        from ketune import units

        stated = units.parse(window, "s", what="--window")
    elif window is None:
        return None
    else:
        stated = float(window)
    if not (math.isfinite(stated) and stated > 0):
        raise InputError(f"--window is {window}; give a positive time such as '1.28 s'")
    return stated


def _window(trials: Trials, rows: list[TrialRow], stated: float | None) -> float:
    reference = next((row for row in rows if row.window_s is not None), None)
    if reference is None or reference.window_s is None:
        if stated is None:
            raise InputError(
                f"{trials.path}: no counting window; add a window_s column or pass --window '1.28 s'"
            )
        return stated
    for row in rows:
        if row.window_s is None:
            raise InputError(f"{trials.at(row.row)}: window_s is empty; give it in every row")
        if row.window_s <= 0:
            raise InputError(
                f"{trials.at(row.row)}: window_s is {row.window_s:g}; it must be a positive time in seconds"
            )
        if not math.isclose(row.window_s, reference.window_s, rel_tol=1e-9):
            raise InputError(
                f"{trials.at(row.row)}: window_s is {row.window_s:g} here and {reference.window_s:g} in row "
                f"{reference.row}; count all trials of a neuron in one window"
            )
    if stated is not None and not math.isclose(stated, reference.window_s, rel_tol=1e-6):
        raise InputError(
            f"{trials.at(reference.row)}: window_s is {reference.window_s:g} s but --window says {stated:g} s; "
            "drop one"
        )
    return reference.window_s


def are_radians(stimulus: np.ndarray) -> bool:
    """Whether orientations, as written, are so small that they are almost surely radians."""
    shown = stimulus[~np.isnan(stimulus)]
    return np.unique(shown).size > 1 and bool(np.abs(shown).max() < _RADIANS_BELOW)


def are_directions(degrees: np.ndarray) -> bool:
    """Whether degrees span more than orientation's period."""
    shown = degrees[~np.isnan(degrees)]
    return shown.size > 0 and bool(shown.max() > 180.0 or np.ptp(shown) > 180.0)


def in_degrees(stimulus: np.ndarray, *, radians: bool) -> np.ndarray:
    """Orientations as written in degrees, rounded as far as they were written exactly."""
    step = _RADIAN_STEP_DEG if radians else _DEGREE_STEP
    return np.round((np.degrees(stimulus) if radians else stimulus) / step) * step


def _degrees(trials: Trials, rows: list[TrialRow], *, radians: bool) -> np.ndarray:
    written = np.array([row.stimulus for row in rows])
    if not radians and are_radians(written):
        raise InputError(
            f"{trials.path}: orientations look like radians (all below {_RADIANS_BELOW:g}); "
            "pass --radians (radians=True) if they are, or write degrees"
        )
    degrees = in_degrees(written, radians=radians)
    for row, value in zip(rows, degrees.tolist(), strict=True):
        if abs(value) > 360.0:
            hint = "; these are not radians" if radians else ""
            raise InputError(f"{trials.at(row.row)}: orientation {row.stimulus:g} is beyond 360 deg{hint}")
    return degrees


def _renumbered(stimulus: np.ndarray, rows: list[TrialRow]) -> np.ndarray:
    """Trial numbers as written, except where merging 0 and 180 deg made two trials share one number."""
    trial = np.array([row.trial for row in rows])
    groups: dict[tuple[str, str], list[int]] = {}
    for index, row in enumerate(rows):
        groups.setdefault((row.condition, repr(float(stimulus[index]))), []).append(index)
    for members in groups.values():
        if len(set(trial[members].tolist())) < len(members):
            trial[members] = np.arange(len(members))
    return trial


def _check_orientations(path: Path, recording: Recording) -> None:
    for condition in recording.conditions():
        tested = recording.orientations(condition)
        if tested.size < 2:
            what = "only blank trials" if tested.size == 0 else f"a single orientation ({tested[0]:g} deg)"
            raise InputError(f"{path}: condition {condition!r} has {what}; a tuning curve needs at least two")
        gaps = np.diff(np.append(tested, tested[0] + 180.0))
        if gaps.min() < _CLOSEST_DEG:
            near = tested[int(np.argmin(gaps))]
            raise InputError(
                f"{path}: condition {condition!r} has two orientations {gaps.min():.3g} deg apart near "
                f"{near:g} deg; round values that mean the same orientation"
            )
