"""The command `ketune exposure`: its options and help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ketune import _console
from ketune._cli_options import (
    GIVEN,
    PLACE,
    AsBase,
    ConcentrationTable,
    Dose,
    DoseCount,
    DrugName,
    Every,
    Json,
    LateralDistance,
    Overwrite,
    Settings,
    SomaDepth,
    require_output,
    route_option,
)


def exposure(
    dose: Dose = None,
    route: Annotated[str | None, route_option()] = None,
    drug: DrugName = "ketamine",
    at: Annotated[
        list[str] | None,
        typer.Option(
            "--at",
            metavar="TIME",
            help="When to look, after the first dose. Repeatable.",
            show_default="10, 30 and 60 min",
            rich_help_panel=GIVEN,
        ),
    ] = None,
    depth: Annotated[
        list[str] | None,
        typer.Option(
            "--depth",
            metavar="LENGTH",
            help="Below the pia. Repeatable.",
            show_default="0 to 600 um",
            rich_help_panel=PLACE,
        ),
    ] = None,
    soma_depth: SomaDepth = None,
    lateral_distance: LateralDistance = None,
    as_base: AsBase = False,
    table: ConcentrationTable = None,
    every: Every = None,
    doses: DoseCount = 1,
    settings: Settings = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Add the other routes at equal NMDA block at the target depth.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Where numbers (JSON, CSV) and figure go."),
    ] = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> _console.Answer:
    """Show where a drug is, and what each target sees of it, by time and depth. Needs no fit.

    Examples:

    ```
    ketune exposure --route topical --dose "10 mg/ml"
    ketune exposure --route ip --dose "30 mg/kg" --at "15 min"
    ketune exposure --route ip --dose "30 mg/kg" --every "24 h" --n-doses 5
    ketune exposure --route topical --dose "0.5 mg/ml" --compare -o routes
    ketune exposure --route table --table measured.csv
    ```
    """
    require_output(output, overwrite)
    from ketune.workflow import describe_exposure, run_exposure

    return _console.perform(
        lambda progress: run_exposure(
            drug=drug,
            route=route,
            dose=dose,
            at=at or (),
            depth=depth or (),
            soma_depth=soma_depth,
            lateral_distance=lateral_distance,
            as_base=as_base,
            table=table,
            every=every,
            doses=doses,
            settings=settings or (),
            compare=compare,
            output=output,
            overwrite=overwrite,
        ),
        describe_exposure,
        as_json=json,
    )
