"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the result that is already there.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of every random number.")]


class Engine(StrEnum):
    """What simulates many trials at once."""

    auto = "auto"
    native = "native"
    xla = "xla"


EngineOption = Annotated[
    Engine,
    typer.Option(
        "--engine", help="What simulates spikes: compiled for this CPU (native) or under XLA; auto chooses."
    ),
]
