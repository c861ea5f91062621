"""The command `ketune exposure`: its options and help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ketune import _console
from ketune._cli_options import Json, Overwrite


def exposure(
    dose: Annotated[
        str | None,
        typer.Option(
            "--dose",
            metavar="AMOUNT",
            help="With its unit: '10 mg/ml' topical or in a pipette, '5 uM' bath, '30 mg/kg' ip or iv, '40 nA'.",
        ),
    ] = None,
    route: Annotated[
        str | None,
        typer.Option(
            "--route",
            metavar="NAME",
            help="topical, topical-constant, bath, ip, iv, focal-pressure, focal-iontophoresis or table.",
        ),
    ] = None,
    drug: Annotated[str, typer.Option("--drug", metavar="NAME", help="Which drug.")] = "ketamine",
    at: Annotated[
        list[str] | None,
        typer.Option(
            "--at",
            metavar="TIME",
            help="When to look, after the first dose. Repeatable.",
            show_default="10, 30 and 60 min",
        ),
    ] = None,
    depth: Annotated[
        list[str] | None,
        typer.Option(
            "--depth", metavar="LENGTH", help="Below the pia. Repeatable.", show_default="0 to 600 um"
        ),
    ] = None,
    soma_depth: Annotated[
        str | None,
        typer.Option(
            "--soma-depth", metavar="LENGTH", help="Of the target below the pia.", show_default="300 um"
        ),
    ] = None,
    lateral_distance: Annotated[
        str | None,
        typer.Option(
            "--lateral-distance",
            metavar="LENGTH",
            help="From the paper's edge (below zero: under it) or the pipette's tip to the neuron.",
            show_default="100 um; pipette 50 um",
        ),
    ] = None,
    as_base: Annotated[
        bool, typer.Option("--base", help="The mass is of the free base, not of the salt.")
    ] = False,
    table: Annotated[
        Path | None,
        typer.Option(
            "--table", metavar="FILE.csv", help="Of the route table: time_min, depth_um, concentration_uM."
        ),
    ] = None,
    every: Annotated[
        str | None, typer.Option("--every", metavar="TIME", help="Between doses, such as '24 h'.")
    ] = None,
    doses: Annotated[int, typer.Option("--n-doses", min=1, help="How many, by injection or pipette.")] = 1,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Another number of the drug. Repeatable."),
    ] = None,
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
