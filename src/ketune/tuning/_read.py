"""Reading recordings: long CSV files and the files shipped with the package. The format is in
docs/recordings.md."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ketune.errors import InputError
from ketune.tuning._recording import DEFAULT_CONDITION, Recording

_REQUIRED = ("orientation_deg", "trial", "spikes")
_OPTIONAL = ("condition", "window_s", "neuron")
# Degrees rounded on reading. Radians are written with few digits (3.14, 1.571), so 180 deg needs a coarser
# step to be found again.
_DEGREE_STEP = 1e-4
_RADIAN_STEP_DEG = 0.1
_RADIANS_BELOW = 7.0
_CLOSEST_DEG = 0.25

_DATA = Path(__file__).parent.parent / "data" / "recordings"


class _Row(NamedTuple):
    line: int
    stimulus: float  # as written; NaN for blank
    trial: int
    spikes: int
    condition: str
    window_s: float | None
    neuron: str


def read_recording(
    path: str | Path,
    *,
    window: str | float | None = None,
    neuron: str | None = None,
    condition: str | None = None,
    fold: bool = False,
    radians: bool = False,
) -> Recording:
    """Read spike counts from a long CSV file, one row a trial.

    Columns: `orientation_deg` (empty for a blank trial), `trial`, `spikes`; optional `condition` (default
    "control"), `window_s` and `neuron`. Other columns are ignored, lines that begin with # are comments.
    Orientation has a period of 180 deg: 0 and 180 are one orientation.

    Args:
        path: the file.
        window: counting window with its unit ("1.28 s"), or seconds as a number; needed without a `window_s`
            column.
        neuron: which neuron, where the file holds several.
        condition: keep this condition only; None keeps all.
        fold: the column holds drift directions (0 to 360); map them onto orientations and keep the
            directions.
        radians: the column holds radians.

    Returns:
        The recording, with orientations in [0, 180).

    Raises:
        InputError: one line with file and row for anything that cannot be read or is ambiguous.
    """
    path = Path(path)
    content = _read_bytes(path)
    rows, source = _parse(path, content)
    rows = _one_neuron(path, rows, neuron)
    if condition is not None:
        known = dict.fromkeys(row.condition for row in rows)
        if condition not in known:
            raise InputError(f"{path}: no condition {condition!r}; it has {_listed(known)}")
        rows = [row for row in rows if row.condition == condition]
    _refuse_repeated(path, rows)
    window_s = _window(path, rows, window)
    degrees = _degrees(path, rows, radians=radians)

    span = (
        (float(np.nanmin(degrees)), float(np.nanmax(degrees))) if np.isfinite(degrees).any() else (0.0, 0.0)
    )
    directional = span[1] > 180.0 or span[1] - span[0] > 180.0
    if directional and not fold:
        raise InputError(
            f"{path}: orientations from {span[0]:g} to {span[1]:g} deg look like drift directions; "
            "orientation has a period of 180 deg, pass --fold (fold=True) to map directions onto it"
        )
    stimulus = np.round(degrees, 6) % (360.0 if fold else 180.0)
    recording = Recording(
        name=rows[0].neuron or path.stem,
        window_s=window_s,
        orientation_deg=stimulus,
        spikes=np.array([row.spikes for row in rows]),
        trial=_renumbered(stimulus, rows),
        condition=np.array([row.condition for row in rows]),
        source=source or path.name,
        sha256=hashlib.sha256(content).hexdigest(),
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


def neurons_in(path: str | Path) -> tuple[str, ...]:
    """Names of the neurons of a file, in its order; errors as `read_recording`."""
    path = Path(path)
    rows, _ = _parse(path, _read_bytes(path))
    return tuple(dict.fromkeys(row.neuron for row in rows))


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the path of a CSV file") from None


def _parse(path: Path, content: bytes) -> tuple[list[_Row], str]:
    """Rows of the file, and the text of its `# source:` comment."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file in UTF-8; save the table as CSV (UTF-8)") from None
    source = ""
    lines: list[tuple[int, str]] = []
    for number, line in enumerate(io.StringIO(text), start=1):
        if line.startswith("#"):
            key, _, value = line[1:].partition(":")
            if key.strip() == "source" and not source:
                source = value.strip()
        elif line.strip(" \t\r\n,"):
            lines.append((number, line))
    if not lines:
        raise InputError(
            f"{path}: empty; it needs a header line with {', '.join(_REQUIRED)} and one row a trial"
        )

    cells = [(number, next(csv.reader([line], skipinitialspace=True))) for number, line in lines]
    header = [name.strip() for name in cells[0][1]]
    missing = [name for name in _REQUIRED if name not in header]
    if missing:
        hint = "; separate columns by commas" if len(header) == 1 else ""
        raise InputError(
            f"{path}:{cells[0][0]}: missing column {', '.join(missing)}; "
            f"the header has {', '.join(header)}{hint}"
        )
    repeated = [name for name in _REQUIRED + _OPTIONAL if header.count(name) > 1]
    if repeated:
        raise InputError(f"{path}:{cells[0][0]}: column {repeated[0]} appears twice; keep one")
    if len(cells) == 1:
        raise InputError(f"{path}: no rows after the header; give one row a trial")
    column = {name: header.index(name) for name in _REQUIRED + _OPTIONAL if name in header}
    return [_row(path, number, fields, column, len(header)) for number, fields in cells[1:]], source


def _row(path: Path, line: int, fields: list[str], column: dict[str, int], width: int) -> _Row:
    where = f"{path}:{line}"
    if len(fields) != width:
        raise InputError(
            f"{where}: {len(fields)} fields where the header has {width}; write one value a column"
        )
    text = {name: fields[index].strip() for name, index in column.items()}
    window = text.get("window_s", "")
    return _Row(
        line=line,
        stimulus=_number(where, "orientation_deg", text["orientation_deg"])
        if text["orientation_deg"]
        else math.nan,
        trial=_whole(where, "trial", text["trial"]),
        spikes=_whole(where, "spikes", text["spikes"]),
        condition=text.get("condition", "") or DEFAULT_CONDITION,
        window_s=_number(where, "window_s", window) if window else None,
        neuron=text.get("neuron", ""),
    )


def _number(where: str, name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{where}: {name} is {text!r}, not a number") from None
    if not math.isfinite(value):
        hint = "; leave the field empty for a blank trial" if name == "orientation_deg" else ""
        raise InputError(f"{where}: {name} is {text}, not a finite number{hint}")
    return value


def _whole(where: str, name: str, text: str) -> int:
    if not text:
        raise InputError(f"{where}: {name} is empty; remove the row if the trial was not recorded")
    value = _number(where, name, text)
    if value != round(value):
        hint = "; give spike counts, not rates" if name == "spikes" else ""
        raise InputError(f"{where}: {name} is {text}, not a whole number{hint}")
    if value < 0 and name == "spikes":
        raise InputError(f"{where}: spikes is {text}; a count cannot be negative")
    return int(value)


def _one_neuron(path: Path, rows: list[_Row], neuron: str | None) -> list[_Row]:
    known = dict.fromkeys(row.neuron for row in rows)
    if neuron is not None:
        if neuron not in known:
            has = f"it has {_listed(known)}" if any(known) else "the file has no neuron column"
            raise InputError(f"{path}: no neuron {neuron!r}; {has}")
        return [row for row in rows if row.neuron == neuron]
    if len(known) > 1:
        raise InputError(f"{path}: holds {len(known)} neurons ({_listed(known)}); choose one with --neuron")
    return rows


def _listed(names: Iterable[str]) -> str:
    shown = [name or "(unnamed)" for name in names]
    return ", ".join(shown[:20]) + (f" and {len(shown) - 20} more" if len(shown) > 20 else "")


def _refuse_repeated(path: Path, rows: list[_Row]) -> None:
    first: dict[tuple[str, str, int], int] = {}
    for row in rows:
        key = (row.condition, repr(row.stimulus), row.trial)
        if key in first:
            what = "blank" if math.isnan(row.stimulus) else f"orientation {row.stimulus:g}"
            raise InputError(
                f"{path}:{row.line}: {what}, trial {row.trial}, condition {row.condition} stands already in "
                f"row {first[key]}; number the trials of an orientation differently"
            )
        first[key] = row.line


def _window(path: Path, rows: list[_Row], window: str | float | None) -> float:
    stated: float | None = None
    if isinstance(window, str):
        from ketune import units

        stated = units.parse(window, "s", what="--window")
    elif window is not None:
        stated = float(window)
    if stated is not None and not (math.isfinite(stated) and stated > 0):
        raise InputError(f"--window is {window}; give a positive time such as '1.28 s'")

    reference = next((row for row in rows if row.window_s is not None), None)
    if reference is None or reference.window_s is None:
        if stated is None:
            raise InputError(f"{path}: no counting window; add a window_s column or pass --window '1.28 s'")
        return stated
    for row in rows:
        if row.window_s is None:
            raise InputError(f"{path}:{row.line}: window_s is empty; give it in every row")
        if row.window_s <= 0:
            raise InputError(
                f"{path}:{row.line}: window_s is {row.window_s:g}; it must be a positive time in seconds"
            )
        if not math.isclose(row.window_s, reference.window_s, rel_tol=1e-9):
            raise InputError(
                f"{path}:{row.line}: window_s is {row.window_s:g} here and {reference.window_s:g} in row "
                f"{reference.line}; count all trials of a neuron in one window"
            )
    if stated is not None and not math.isclose(stated, reference.window_s, rel_tol=1e-6):
        raise InputError(
            f"{path}:{reference.line}: window_s is {reference.window_s:g} s but --window says {stated:g} s; "
            "drop one"
        )
    return reference.window_s


def _degrees(path: Path, rows: list[_Row], *, radians: bool) -> np.ndarray:
    written = np.array([row.stimulus for row in rows])
    shown = written[~np.isnan(written)]
    if not radians and np.unique(shown).size > 1 and np.abs(shown).max() < _RADIANS_BELOW:
        raise InputError(
            f"{path}: orientations look like radians (all below {_RADIANS_BELOW:g}); "
            "pass --radians (radians=True) if they are, or write degrees"
        )
    step = _RADIAN_STEP_DEG if radians else _DEGREE_STEP
    degrees = np.round((np.degrees(written) if radians else written) / step) * step
    for row, value in zip(rows, degrees.tolist(), strict=True):
        if abs(value) > 360.0:
            hint = "; these are not radians" if radians else ""
            raise InputError(f"{path}:{row.line}: orientation {row.stimulus:g} is beyond 360 deg{hint}")
    return degrees


def _renumbered(stimulus: np.ndarray, rows: list[_Row]) -> np.ndarray:
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
