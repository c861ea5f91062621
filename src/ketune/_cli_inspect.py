"""The command `ketune inspect`: its options and help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ketune import _console
from ketune._cli_options import ConditionColumn, Json, OrientationColumn, SpikesColumn, TrialsTable, Window


def inspect(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recording: .csv, .parquet, .mat or .nwb.")],
    window: Window = None,
    orientation_column: OrientationColumn = None,
    condition_column: ConditionColumn = None,
    spikes_column: SpikesColumn = None,
    trials_table: TrialsTable = None,
    json: Json = False,
) -> _console.Answer:
    """List what can be fitted from a file: neurons, conditions, orientations, trials, and which column says what.

    Ends with the commands that fit it. A file that cannot be used is refused in one line, with exit code 2.

    Examples:

    ```
    ketune inspect session.nwb
    ketune inspect session.nwb --window "500 ms" --json
    ketune inspect cell.mat --orientation-column theta
    ```
    """
    from ketune.recordings import Layout
    from ketune.tuning import describe_inspection, inspect_recording

    layout = Layout(
        orientation=orientation_column, condition=condition_column, spikes=spikes_column, trials=trials_table
    )
    return _console.perform(
        lambda progress: inspect_recording(file, window=window, layout=layout, progress=progress),
        describe_inspection,
        as_json=json,
    )
