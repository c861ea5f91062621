"""Data and estimates of a fit as tables of PEtab 1 (https://petab.readthedocs.io), without a model.

PEtab 1 takes models in SBML. This one is a branched cable that thousands of random events reach; no SBML would stand
for it honestly. So the list of models is empty, and formulas name a quantity that a simulator outside PEtab computes.
PEtab 2 lets a problem name any model language, but its library refuses those that it does not know.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ketune.export._tables import distinct, write_columns
from ketune.export._templates import rendered
from ketune.fitting import PARAMETERS
from ketune.inference import ACTIONS
from ketune.storage import write_text
from ketune.tuning import DEFAULT_CONDITION, Recording
from ketune.workflow import FIT_FILE, read_fit, recording_of

_OBSERVABLE = "spikes"
_SCALES = {p.name: "log10" if p.scale == "log" else "lin" for p in PARAMETERS}
# Counts that are all alike would have no spread: that of rounding to a whole number remains.
_SMALLEST_SD = 12**-0.5

_PROBLEM = """\
# Data and estimates of a fit by ketune. The model is no SBML, so that the list of models is empty: see README.md.
format_version: 1
parameter_file: parameters.tsv
problems:
  - sbml_files: []
    condition_files: [conditions.tsv]
    observable_files: [observables.tsv]
    measurement_files: [measurements.tsv]
"""


@dataclass(frozen=True, eq=False)
class _Stimulus:
    """What was shown in one condition, with the counts of its trials."""

    identifier: str
    condition: str
    orientation_deg: float | None
    counts: np.ndarray

    @property
    def sd(self) -> float:
        spread = float(self.counts.std(ddof=1)) if len(self.counts) > 1 else 0.0
        return max(spread, _SMALLEST_SD)


def write_petab(directory: Path, folder: Path) -> dict[str, Any]:
    """Write problem, tables, explanation and the fit itself into a folder; returns what they hold.

    Raises
    ------
    InputError
        No fit, one of an older ketune, or its recording is missing or changed.
    """
    fit = read_fit(directory, "parameters", "recording.orientation_deg", "recording.n_trials")
    recording = recording_of(directory, fit)
    labels = [entry["label"] for entry in fit.get("conditions", ())] or [
        fit["settings"]["condition"] or DEFAULT_CONDITION
    ]
    # Conditions that came from files of their own have no copy in the directory of the fit.
    there = [label for label in labels if label in recording.conditions()]
    left_out = [label for label in labels if label not in there]
    stimuli = list(_stimuli(recording, there))
    names = dict(zip(fit["parameters"], distinct(map(_identifier, fit["parameters"])), strict=True))

    _write_parameters(folder, fit, names)
    _write_conditions(folder, fit, stimuli, names)
    write_columns(
        folder / "observables.tsv",
        {
            "observableId": [_OBSERVABLE],
            "observableName": ["spikes in the counting window"],
            "observableFormula": ["spike_count"],
            "noiseFormula": [f"noiseParameter1_{_OBSERVABLE}"],
            "noiseDistribution": ["normal"],
        },
    )
    measured = [
        (s, number, count) for s in stimuli for number, count in enumerate(s.counts.tolist(), start=1)
    ]
    write_columns(
        folder / "measurements.tsv",
        {
            "observableId": [_OBSERVABLE] * len(measured),
            "simulationConditionId": [s.identifier for s, _, _ in measured],
            "measurement": [count for _, _, count in measured],
            "time": [recording.window_s] * len(measured),
            "noiseParameters": [s.sd for s, _, _ in measured],
            "replicateId": [f"trial_{number}" for _, number, _ in measured],
        },
    )
    write_text(folder / "problem.yaml", _PROBLEM)
    shutil.copyfile(directory / FIT_FILE, folder / FIT_FILE)
    write_text(folder / "README.md", rendered("petab.md.j2", fit=fit, left_out=left_out))
    return {"measurements": len(measured), "stimuli": len(stimuli), "left_out": left_out}


def _stimuli(recording: Recording, labels: list[str]) -> Iterator[_Stimulus]:
    shown: list[tuple[str, float | None]] = [
        (label, orientation)
        for label in labels
        for orientation in (
            *recording.orientations(label).tolist(),
            *([None] if recording.has_blank_in(label) else []),
        )
    ]
    texts = (f"{label}_{'blank' if o is None else f'{o:g}_deg'}" for label, o in shown)
    for identifier, (label, orientation) in zip(distinct(map(_identifier, texts)), shown, strict=True):
        yield _Stimulus(identifier, label, orientation, recording.counts(orientation, label))


def _identifier(text: str) -> str:
    """PEtab's identifiers are letters, digits and underscores and begin with no digit."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", text)
    return f"_{plain}" if plain[:1].isdigit() else plain


def _write_parameters(folder: Path, fit: dict[str, Any], names: dict[str, str]) -> None:
    entries = [(name, fit["parameters"][name]) for name in names]
    intervals, verdicts = fit.get("intervals", {}), fit.get("identifiability", {})
    write_columns(
        folder / "parameters.tsv",
        {
            "parameterId": list(names.values()),
            "parameterName": [entry["meaning"] for _, entry in entries],
            "parameterScale": [_SCALES.get(name, "lin") for name, _ in entries],
            "lowerBound": [entry["low"] for _, entry in entries],
            "upperBound": [entry["high"] for _, entry in entries],
            "nominalValue": [entry["value"] for _, entry in entries],
            "estimate": [1] * len(entries),
            # Columns that PEtab does not know, which it allows.
            "unit": [entry["unit"] for _, entry in entries],
            "standardError": [entry["se"] for _, entry in entries],
            "intervalLow": [intervals.get(name, {}).get("low") for name, _ in entries],
            "intervalHigh": [intervals.get(name, {}).get("high") for name, _ in entries],
            "verdict": [verdicts.get(name, {}).get("verdict") for name, _ in entries],
        },
    )


def _write_conditions(
    folder: Path, fit: dict[str, Any], stimuli: list[_Stimulus], names: dict[str, str]
) -> None:
    """Stimuli as values of the model's inputs; a drug of a joint fit as the factors that were fitted for it."""
    factors = {
        f"{action}_factor": [names.get(f"{s.condition}.{action}", 1.0) for s in stimuli] for action in ACTIONS
    }
    write_columns(
        folder / "conditions.tsv",
        {
            "conditionId": [s.identifier for s in stimuli],
            # On a blank screen the orientation means nothing.
            "orientation_deg": [s.orientation_deg or 0.0 for s in stimuli],
            "contrast": [0.0 if s.orientation_deg is None else 1.0 for s in stimuli],
            **(factors if len(fit.get("conditions", ())) > 1 else {}),
        },
    )
