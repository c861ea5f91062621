"""What of a file can be fitted: neurons, conditions, orientations, and the command that fits each."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ketune.errors import InputError
from ketune.progress import NullProgress, Progress
from ketune.recordings import DEFAULT_CONDITION, Layout, Trials, open_trials
from ketune.tuning._read import are_directions, are_radians, in_degrees, recording_of, stated_window_s
from ketune.tuning._recording import Recording

_SHOWN_NEURONS = 20
# Stands in for a window that the user has yet to give; no count depends on it.
_ANY_WINDOW_S = 1.0
_WINDOW_TO_GIVE = "TIME"


def inspect_recording(
    path: str | Path,
    *,
    window: str | float | None = None,
    layout: Layout | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """List what could be fitted from a file.

    Args:
        path, window, layout: as in `read_recording`.
        progress: told of each neuron.

    Returns:
        `file`, `format`, `understood` (part of a recording -> what it is taken from), `unused` (columns that nothing
        is taken from -> number of different values), `notes`, and `neurons`: each with `neuron`, `problem` (None, or
        why it cannot be fitted), `trials`, `spikes`, `window_s` (None where it has to be given), `directions`,
        `radians`, `conditions` (`condition`, `orientation_deg`, `trials` at each, `blank_trials`) and `command`.

    Raises:
        InputError: the file cannot be read, or none of its neurons can be fitted; the message says why.
    """
    path = Path(path)
    layout = layout or Layout()
    window_s = stated_window_s(window)
    given = () if window is None else ("--window", window if isinstance(window, str) else f"{window} s")
    with open_trials(path, layout) as trials:
        neurons = []
        with (progress or NullProgress()).task("counting spikes", total=len(trials.neurons)) as task:
            for neuron in trials.neurons:
                neurons.append(_neuron(trials, neuron, window_s, (*given, *layout.arguments())))
                task.advance()
        if all(entry["problem"] for entry in neurons):
            raise InputError(neurons[0]["problem"])
        return {
            "file": str(path),
            "format": trials.kind,
            "understood": dict(trials.understood),
            "unused": trials.unused(),
            "notes": list(trials.notes),
            "neurons": neurons,
        }


def _neuron(trials: Trials, neuron: str, window_s: float | None, arguments: Sequence[str]) -> dict[str, Any]:
    try:
        rows = trials.rows(neuron, window_s)
        written = np.array([row.stimulus for row in rows])
        unknown = window_s is None and bool(rows) and rows[0].window_s is None
        radians = are_radians(written)
        fold = are_directions(in_degrees(written, radians=radians))
        recording = recording_of(
            trials, neuron, window_s=_ANY_WINDOW_S if unknown else window_s, fold=fold, radians=radians
        )
    except InputError as error:
        return {"neuron": neuron, "problem": str(error), "command": None}
    options = [
        *(("--neuron", neuron) if len(trials.neurons) > 1 else ()),
        *(("--window", _WINDOW_TO_GIVE) if unknown else ()),
        *arguments,
        *(("--fold",) if fold else ()),
        *(("--radians",) if radians else ()),
    ]
    return {
        "neuron": neuron or recording.name,
        "problem": None,
        "trials": recording.spikes.size,
        "spikes": int(recording.spikes.sum()),
        "window_s": None if unknown else recording.window_s,
        "directions": fold,
        "radians": radians,
        "conditions": [_condition(recording, name) for name in recording.conditions()],
        "command": _command(trials.path, neuron, recording.conditions(), options),
    }


def _condition(recording: Recording, condition: str) -> dict[str, Any]:
    orientations = recording.orientations(condition).tolist()
    return {
        "condition": condition,
        "orientation_deg": orientations,
        "trials": [int(recording.counts(o, condition).size) for o in orientations],
        "blank_trials": recording.counts(None, condition).size if recording.has_blank_in(condition) else 0,
    }


def _command(path: Path, neuron: str, conditions: Sequence[str], options: Sequence[str]) -> str:
    name = "-".join(part for part in (path.stem, neuron) if part)
    output = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "fit"
    first = DEFAULT_CONDITION if DEFAULT_CONDITION in conditions else conditions[0]
    chosen = ("--condition", first) if len(conditions) > 1 else ()
    return shlex.join(("ketune", "fit", str(path), "-o", output, *options, *chosen))


def describe_inspection(result: Mapping[str, Any]) -> Iterator[str]:
    """What `inspect_recording` found, for people."""
    neurons = result["neurons"]
    usable = [entry for entry in neurons if entry["problem"] is None]
    yield f"{result['file']}: {result['format']}, {len(neurons)} neuron{'s' if len(neurons) > 1 else ''}"
    for part, what in result["understood"].items():
        yield f"    {part}: {what}"
    if result["unused"]:
        shown = ", ".join(f"{name} ({_values(n)})" for name, n in result["unused"].items())
        yield f"    not used: {shown}"
    yield from (f"    {note}" for note in result["notes"])
    if any(n > 1 for n in result["unused"].values()):
        yield "    trials that differ in a column that is not used are put together"
    before = None
    for entry in usable[:_SHOWN_NEURONS]:
        window = "no window given" if entry["window_s"] is None else f"windows of {entry['window_s']:g} s"
        yield f"neuron {entry['neuron']}: {entry['spikes']} spikes in {entry['trials']} trials, {window}"
        # The neurons of one session saw the same trials.
        if entry["conditions"] != before:
            before = entry["conditions"]
            yield from (f"    {_describe_condition(condition)}" for condition in before)
    hidden = len(usable) - _SHOWN_NEURONS
    if hidden > 0:
        yield f"and {hidden} more; --json lists all"
    for entry in neurons:
        if entry["problem"] is not None:
            yield f"neuron {entry['neuron']} cannot be fitted: {entry['problem']}"
    if any(entry["directions"] for entry in usable):
        yield "directions beyond 180 deg: --fold puts opposite ones together"
    if any(entry["radians"] for entry in usable):
        yield "orientations are so small that they are almost surely radians: --radians"
    if any(entry["window_s"] is None for entry in usable):
        yield f"the file does not say how long spikes were counted: put that in the place of {_WINDOW_TO_GIVE}"
    yield "next:"
    yield from (f"    {entry['command']}" for entry in usable[:_SHOWN_NEURONS])
    others = [c["condition"] for c in usable[0]["conditions"]]
    if len(others) > 1 and DEFAULT_CONDITION in others:
        other = next(c for c in others if c != DEFAULT_CONDITION)
        yield f"add --with {shlex.quote(other)} to fit that condition together with {DEFAULT_CONDITION}"


def _describe_condition(condition: Mapping[str, Any]) -> str:
    each = zip(condition["orientation_deg"], condition["trials"], strict=True)
    shown = ", ".join(f"{degrees:g} ({n})" for degrees, n in each)
    return (
        f"{condition['condition']}: deg (trials) {shown}; blank trials: {condition['blank_trials'] or 'none'}"
    )


def _values(n: int) -> str:
    return "1 value" if n == 1 else f"{n} values"
