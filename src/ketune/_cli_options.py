"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ketune.errors import InputError
from ketune.storage import LARGEST_SEED

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the result that is already there.")]
Seed = Annotated[int, typer.Option("--seed", min=0, max=LARGEST_SEED, help="Seed of every random number.")]


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

Window = Annotated[
    str | None,
    typer.Option("--window", metavar="TIME", help="Length of the counting window, such as '1.28 s'."),
]
COLUMNS = "Where columns have other names"
OrientationColumn = Annotated[
    str | None,
    typer.Option(
        "--orientation-column",
        metavar="NAME",
        help="Of orientations or directions.",
        rich_help_panel=COLUMNS,
    ),
]
ConditionColumn = Annotated[
    str | None,
    typer.Option("--condition-column", metavar="NAME", help="Of conditions.", rich_help_panel=COLUMNS),
]
SpikesColumn = Annotated[
    str | None,
    typer.Option("--spikes-column", metavar="NAME", help="Of spike counts.", rich_help_panel=COLUMNS),
]
TrialsTable = Annotated[
    str | None,
    typer.Option(
        "--trials-table", metavar="NAME", help="Table of trials of an NWB file.", rich_help_panel=COLUMNS
    ),
]


def require_output(output: Path | None, overwrite: bool) -> None:
    """Refuse --overwrite where nothing is written.

    Raises
    ------
    InputError
        It was given without --output.
    """
    if overwrite and output is None:
        raise InputError("--overwrite needs --output; give it or leave --overwrite out")


GIVEN, PLACE, ACTS = "What is given, and when", "Where the neuron is", "What the drug may do"


def route_option(show_default: str | bool = True) -> Any:
    """The option --route, whose default is the command's own."""
    return typer.Option(
        "--route",
        metavar="NAME",
        help="topical, topical-constant (kept wet), bath, ip, iv, focal-pressure, focal-iontophoresis, table.",
        show_default=show_default,
        rich_help_panel=GIVEN,
    )


DrugName = Annotated[
    str,
    typer.Option(
        "--drug",
        metavar="NAME",
        help="A shipped drug (see `ketune drugs list`) or a drug file of your own, FILE.toml.",
        rich_help_panel=GIVEN,
    ),
]
Dose = Annotated[
    str | None,
    typer.Option(
        "--dose",
        metavar="AMOUNT",
        help="With its unit: '10 mg/ml' on the cortex or in a pipette, '30 mg/kg' injected, '5 uM' in a bath, "
        "'40 nA' ejected.",
        rich_help_panel=GIVEN,
    ),
]
Every = Annotated[
    str | None,
    typer.Option(
        "--every",
        metavar="TIME",
        help="Between doses by injection or pipette, such as '24 h'.",
        rich_help_panel=GIVEN,
    ),
]
DoseCount = Annotated[
    int, typer.Option("--n-doses", min=1, help="How many doses in all.", rich_help_panel=GIVEN)
]
AsBase = Annotated[
    bool,
    typer.Option("--base", help="The mass is of the free base, not of the salt.", rich_help_panel=GIVEN),
]
ConcentrationTable = Annotated[
    Path | None,
    typer.Option(
        "--table",
        metavar="FILE.csv",
        help="Your own concentrations for the route table: columns time_min, depth_um, concentration_uM.",
        rich_help_panel=GIVEN,
    ),
]
SomaDepth = Annotated[
    str | None,
    typer.Option(
        "--soma-depth",
        metavar="LENGTH",
        help="Of the soma below the pia.",
        show_default="300 um",
        rich_help_panel=PLACE,
    ),
]
LateralDistance = Annotated[
    str | None,
    typer.Option(
        "--lateral-distance",
        metavar="LENGTH",
        help="From the edge of the drug-soaked paper (below zero: under it), or from the pipette, to the neuron.",
        show_default="100 um; pipette 50 um",
        rich_help_panel=PLACE,
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Another value of a number of the drug (`ketune drugs show NAME`), such as 'hcn1.ec50=67 uM'. "
        "Repeatable.",
        rich_help_panel=ACTS,
    ),
]
