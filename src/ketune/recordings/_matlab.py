"""MAT files: equally long vectors, or a matrix of counts, orientations x trials."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ketune.errors import InputError
from ketune.recordings._layout import NEURON, ORIENTATION, SPIKES, TRIAL, Layout
from ketune.recordings._matlab_file import OPAQUE, UNNAMED, read_variables
from ketune.recordings._trials import TableTrials, group_rows, is_missing

COUNTS = "counts"


def read_matlab(path: Path, layout: Layout) -> TableTrials:
    """The trials of a MAT file, v4 to v7.3.

    Vectors: `spikes` and `orientation_deg`, one value a trial. Matrix: `counts` with one row for each value of
    `orientation_deg` and one column a trial. `condition`, `window_s` and `neuron` have as many values, or one for
    all. A NaN orientation is a blank trial, a NaN count a trial that was not recorded.

    Raises:
        InputError: another layout; the message says what is there.
    """
    variables, others = read_variables(path)
    if layout.trials is not None:
        raise InputError(f"{path}: --trials-table is for NWB files; leave it out")
    names = layout.columns()
    names[SPIKES] = layout.spikes or _counts_variable(path, variables, others)
    _refuse_absent(path, variables, others, names, layout)

    values = {part: variables[name] for part, name in names.items() if name in variables}
    counts = values[SPIKES]
    matrix = counts.ndim > 2 or (counts.ndim == 2 and min(counts.shape) > 1)
    columns = _from_matrix(path, names, values) if matrix else _from_vectors(path, names, values)
    recorded = [not is_missing(value) for value in columns[SPIKES]]
    if not any(recorded):
        raise InputError(f"{path}: {names[SPIKES]} has no counts; give one for each trial")
    by_neuron = group_rows(
        {
            part: [v for v, kept in zip(column, recorded, strict=True) if kept]
            for part, column in columns.items()
            if part != "row"
        },
        names,
        [str(row) for row, kept in zip(columns["row"], recorded, strict=True) if kept],
        path,
    )
    n_left_out = recorded.count(False)
    used = {names[part] for part in values}
    return TableTrials(
        path=path,
        kind="MAT",
        neurons=tuple(by_neuron),
        understood={part: f"variable {names[part]}" for part in values if part in columns},
        notes=(f"{n_left_out} trials without a count (NaN) are left out",) if n_left_out else (),
        by_neuron=by_neuron,
        other_columns={name: len(np.unique(v)) for name, v in variables.items() if name not in used},
    )


def _counts_variable(path: Path, variables: dict[str, np.ndarray], others: dict[str, str]) -> str:
    found = [name for name in (SPIKES, COUNTS) if name in variables or name in others]
    if len(found) == 2:
        raise InputError(f"{path}: holds both spikes and counts; choose one with --spikes-column")
    return found[0] if found else SPIKES


def _refuse_absent(
    path: Path,
    variables: dict[str, np.ndarray],
    others: dict[str, str],
    names: dict[str, str],
    layout: Layout,
) -> None:
    for part, name in names.items():
        if name in others:
            kind = others[name]
            mend = {
                OPAQUE: f"save cellstr({name})",
                "sparse matrix": f"save full({name})",
            }.get(kind, "save a vector of numbers" if part not in (NEURON, "condition") else "save text")
            raise InputError(f"{path}: {name} is a {kind}; {mend}")
    if others.get(UNNAMED) == OPAQUE:
        raise InputError(
            f"{path}: holds a MATLAB string array, table or object, which only MATLAB can read; "
            "save text as cellstr(...) and leave out the rest"
        )
    wanted = [names[ORIENTATION], names[SPIKES]] + ([layout.condition] if layout.condition else [])
    missing = [name for name in wanted if name not in variables]
    if missing:
        structs = [name for name, kind in others.items() if kind == "struct"]
        there = ", ".join([*variables, *(f"{name} ({kind})" for name, kind in others.items())]) or "nothing"
        hint = (
            f"; save the fields of a struct by save(file, '-struct', '{structs[0]}')"
            if structs
            else "; it needs spikes or counts, and orientation_deg (docs/recordings.md)"
        )
        raise InputError(f"{path}: no variable {', '.join(missing)}; it holds {there}{hint}")


def _from_vectors(path: Path, names: dict[str, str], values: dict[str, np.ndarray]) -> dict[str, list]:
    counts = values[SPIKES].ravel()
    columns: dict[str, list] = {"row": list(range(1, counts.size + 1)), SPIKES: counts.tolist()}
    for part, value in values.items():
        if part != SPIKES:
            columns[part] = _spread(
                path, names, part, value, counts.size, f"{names[SPIKES]} has {counts.size}"
            )
    return columns


def _from_matrix(path: Path, names: dict[str, str], values: dict[str, np.ndarray]) -> dict[str, list]:
    """The matrix row by row."""
    counts = values[SPIKES]
    if counts.ndim != 2:
        raise InputError(
            f"{path}: {names[SPIKES]} has {counts.ndim} dimensions; give orientations x trials of one neuron"
        )
    n_rows, n_trials = counts.shape
    n_stimuli = values[ORIENTATION].size
    if n_stimuli != n_rows:
        turned = f"; transpose it: {names[SPIKES]}.'" if n_stimuli == n_trials else ""
        raise InputError(
            f"{path}: {names[SPIKES]} is {n_rows} x {n_trials} and {names[ORIENTATION]} has {n_stimuli} values; "
            f"give orientations x trials{turned}"
        )
    columns: dict[str, list] = {
        "row": [f"{row}, column {trial}" for row in range(1, n_rows + 1) for trial in range(1, n_trials + 1)],
        SPIKES: counts.ravel().tolist(),
    }
    for part, value in values.items():
        if part not in (SPIKES, TRIAL):
            spread = _spread(path, names, part, value, n_rows, f"{names[SPIKES]} has {n_rows} rows")
            columns[part] = [entry for entry in spread for _ in range(n_trials)]
    return columns


def _spread(
    path: Path, names: dict[str, str], part: str, value: np.ndarray, size: int, against: str
) -> list[object]:
    """One value for each of `size` rows; a single one stands for all, but of what must differ between rows."""
    entries = value.ravel(order="F").tolist()
    if len(entries) == 1 and part not in (ORIENTATION, TRIAL):
        return entries * size
    if len(entries) != size:
        raise InputError(f"{path}: {names[part]} has {len(entries)} values and {against}; give one for each")
    return entries
