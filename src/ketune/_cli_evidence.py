"""The command `ketune evidence`: its options and help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ketune import _console
from ketune._cli_options import Json


def evidence(
    identifier: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="One effect or target, in full.", show_default="the whole table"),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="ROWS.toml", help="Rows of your own, beside ours or in their place."),
    ] = None,
    json: Json = False,
) -> _console.Answer:
    """Show what was reported of topical ketamine and tuning, and what a model is held to.

    Each effect has direction, size, n, confidence and source; a size that was not found is "unknown". Each target has
    its level, the rule that decides, and its windows. "ours" was chosen by this project, anything else names its
    source; a window either decides or stands beside the verdict.

    Examples:

    ```
    ketune evidence
    ketune evidence T4
    ketune evidence --file rows.toml --json
    ```

    A row of ROWS.toml with an id of ours takes its place, others are added. A [[window]] replaces that of a target with
    the same quantity, and is then no longer ours. The paper in this example is made up:

    ```
    [[source]]
    id = "somebody"
    citation = "Somebody 2099, Journal 1:1"
    doi = ""
    read = "full text"              # or "abstract", "legend"

    [[window]]
    target = "T1"
    quantity = "relative change of the index"
    low = -0.4
    high = -0.2
    unit = "1"                      # a share, not per cent
    source = "somebody"

    [[effect]]
    id = "K2"
    quantity = "orientation selectivity index"
    direction = "decreases"
    size = "median -0.3, quartiles -0.4 and -0.2"
    n = "40 cells"
    preparation = "anaesthetised mouse, V1"
    dose = "10 mg/ml"
    route = "topical"
    source = "somebody"
    confidence = "R"                # R: read in the source
    ```

    A [[target]] of level A, B or C needs a rule (docs/evidence.md).
    """
    from ketune.evidence import describe_effects, show_effects

    return _console.perform(lambda progress: show_effects(identifier, file), describe_effects, as_json=json)
