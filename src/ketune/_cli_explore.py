"""The command `ketune explore`: its options and help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ketune import _console
from ketune._cli_apply import BlockModel
from ketune._cli_options import (
    ACTS,
    GIVEN,
    DrugName,
    Engine,
    EngineOption,
    Json,
    LateralDistance,
    Overwrite,
    Settings,
    SomaDepth,
)
from ketune.storage import LARGEST_SEED


def explore(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A fit that `ketune fit` wrote.")],
    drug: DrugName = "ketamine",
    route: Annotated[
        list[str] | None,
        typer.Option(
            "--route",
            metavar="NAME",
            help="topical, topical-constant, bath, ip, iv, focal-pressure, focal-iontophoresis; repeatable.",
            show_default="topical, ip and bath, as far as the drug has their numbers",
            rich_help_panel=GIVEN,
        ),
    ] = None,
    doses: Annotated[
        list[str] | None,
        typer.Option(
            "--doses",
            metavar="ROUTE=RANGE",
            help="Doses of a route, such as 'ip=1mg/kg:30mg/kg:log7' or 'bath=1 uM, 10 uM'; repeatable.",
            show_default="1, 2, 3, 5, 10, ... over two to four decades",
            rich_help_panel=GIVEN,
        ),
    ] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(
            "--at",
            metavar="TIME",
            help="When to look, after application, such as '30 min'; repeatable.",
            show_default="13 times from 0 to 240 min",
            rich_help_panel=GIVEN,
        ),
    ] = None,
    soma_depth: SomaDepth = None,
    lateral_distance: LateralDistance = None,
    block_model: Annotated[
        BlockModel,
        typer.Option(
            "--block-model",
            help="NMDA block in equilibrium with activity, building up (kinetic), or by a receptor scheme (markov).",
            rich_help_panel=ACTS,
        ),
    ] = BlockModel.equilibrium,
    targets: Annotated[
        str | None,
        typer.Option(
            "--targets",
            metavar="NAMES",
            help="Only these, separated by commas, as for `ketune apply`.",
            show_default="all that the drug is known to act on",
            rich_help_panel=ACTS,
        ),
    ] = None,
    without: Annotated[
        str | None,
        typer.Option("--without", metavar="NAMES", help="All but these.", rich_help_panel=ACTS),
    ] = None,
    set_: Settings = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", min=0, max=LARGEST_SEED, help="Seed of every random number.", show_default="the fit's"
        ),
    ] = None,
    engine: EngineOption = Engine.auto,
    overwrite: Overwrite = False,
    json: Json = False,
) -> _console.Answer:
    """Predict a fitted neuron's tuning over routes, doses and times, for the sliders of its report.

    Some settings are simulated, an emulator predicts the others, and its error is measured on settings that it has
    not seen. Writes explorer.json beside the fit; `ketune report` then shows it. Takes some minutes on two cores.

    Examples:

    ```
    ketune explore cell7
    ketune explore cell7 --route topical --route iv --at "5 min" --at "30 min" --at "2 h"
    ketune explore cell7 --drug mk-801 --doses "bath=1nM:10uM:log9"
    ```
    """
    from ketune.workflow import DrugRequest
    from ketune.workflow import explore as explore_fit

    request = DrugRequest(
        drug=drug,
        at=tuple(at or ()),
        soma_depth=soma_depth,
        lateral_distance=lateral_distance,
        block_model=block_model.value,
        settings=tuple(set_ or ()),
        targets=targets,
        without=without,
    )
    return _console.perform(
        lambda progress: explore_fit(
            directory,
            request,
            routes=route or (),
            doses=doses or (),
            seed=seed,
            engine=engine.value,
            overwrite=overwrite,
            progress=progress,
        ),
        _describe,
        as_json=json,
    )


def _describe(result: Mapping[str, Any]) -> Iterator[str]:
    accuracy, times = result["accuracy"], len(result["times_min"])
    settings = sum(len(one["doses"]) for one in result["routes"]) * times
    routes = ", ".join(f"{one['route']} ({len(one['doses'])} doses)" for one in result["routes"])
    yield f"{result['drug']} by {routes} at {times} time{'s' * (times != 1)}: {settings} settings"
    yield (
        f"emulated from {accuracy['design_points'] + accuracy['checks']} of them; error on {accuracy['checks']} "
        f"held-out ones {100 * accuracy['error_of_peak']:.2g} % of the peak before the drug"
        + ("" if result["within_tolerance"] else f", more than the {100 * accuracy['tolerance']:g} % wanted")
    )
    yield f"written: {result['file']}"
    yield f"next: ketune report {result['directory']}"
