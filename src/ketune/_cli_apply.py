"""The command `ketune apply`: its options and help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ketune import _console
from ketune._cli_options import (
    ACTS,
    GIVEN,
    AsBase,
    ConcentrationTable,
    Dose,
    DoseCount,
    DrugName,
    Engine,
    EngineOption,
    Every,
    Json,
    LateralDistance,
    Overwrite,
    Settings,
    SomaDepth,
    route_option,
)
from ketune.storage import LARGEST_SEED

_SURE = "How sure"


class BlockModel(StrEnum):
    """How NMDA receptors are blocked."""

    equilibrium = "equilibrium"
    kinetic = "kinetic"
    markov = "markov"


def apply(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A fit that `ketune fit` wrote.")],
    drug: DrugName = "ketamine",
    route: Annotated[str | None, route_option("topical; bath for --doses")] = None,
    dose: Dose = None,
    at: Annotated[
        list[str] | None,
        typer.Option(
            "--at",
            metavar="TIME",
            help="When to look, after application, such as '30 min'; repeatable. 'auto': once in each phase "
            "(wash-in, steady, wash-out, recovery).",
            rich_help_panel=GIVEN,
        ),
    ] = None,
    remove: Annotated[
        str | None,
        typer.Option(
            "--remove",
            metavar="TIME",
            help="When the paper is taken off and the surface rinsed.",
            show_default="the drug's: 30 min",
            rich_help_panel=GIVEN,
        ),
    ] = None,
    every: Every = None,
    n_doses: DoseCount = 1,
    base: AsBase = False,
    table: ConcentrationTable = None,
    protocol: Annotated[
        Path | None,
        typer.Option(
            "--protocol",
            metavar="FILE.toml",
            help="Several doses and looks with their own stimuli, in place of --dose and --at.",
            rich_help_panel=GIVEN,
        ),
    ] = None,
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            "--baseline",
            metavar="'DRUG AMOUNT'",
            help="A drug that was there all the time, such as 'isoflurane 0.3 mM' or 'ketamine 1 uM'. Repeatable.",
            rich_help_panel=GIVEN,
        ),
    ] = None,
    baseline_added: Annotated[
        bool,
        typer.Option(
            "--baseline-added",
            help="The fitted recording was made without the baseline: add it to control and drug.",
            rich_help_panel=GIVEN,
        ),
    ] = False,
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
            help="Only these, separated by commas: nmda, ampa, pv, sst, vip, hcn1, nav, kv, cal, gabaa, gabatonic.",
            show_default="all that the drug is known to act on",
            rich_help_panel=ACTS,
        ),
    ] = None,
    without: Annotated[
        str | None,
        typer.Option("--without", metavar="NAMES", help="All but these.", rich_help_panel=ACTS),
    ] = None,
    dopamine: Annotated[
        bool,
        typer.Option(
            "--dopamine",
            help="Add the dopamine layer: an extrapolation from prefrontal cortex.",
            rich_help_panel=ACTS,
        ),
    ] = False,
    set_: Settings = None,
    doses: Annotated[
        str | None,
        typer.Option(
            "--doses",
            metavar="RANGE",
            help="Dose-response with bands: '0.1uM:1mM:log12', '1uM:20uM:lin5' or '1 uM, 10 uM'. Without --route these "
            "are concentrations at the neuron (bath).",
            rich_help_panel=_SURE,
        ),
    ] = None,
    samples: Annotated[
        int,
        typer.Option(
            "--samples",
            help="Draws of the drug's uncertain numbers behind the bands of --doses.",
            rich_help_panel=_SURE,
        ),
    ] = 200,
    assay: Annotated[
        Path | None,
        typer.Option(
            "--assay",
            metavar="FILE.csv",
            help="Your own measurements of block: drug, concentration, unit, target, block_percent (docs/assay.md).",
            rich_help_panel=_SURE,
        ),
    ] = None,
    trials: Annotated[
        int, typer.Option("--trials", min=2, help="Simulated trials for each orientation and condition.")
    ] = 50,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", min=0, max=LARGEST_SEED, help="Seed of every random number.", show_default="the fit's"
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            metavar="NAME",
            help="Of the result, so that several stand side by side.",
            show_default="drug, route and switches",
        ),
    ] = None,
    engine: EngineOption = Engine.auto,
    overwrite: Overwrite = False,
    json: Json = False,
) -> _console.Answer:
    """Apply a drug to a fitted neuron and measure its tuning again.

    Every parameter set that the recording allows gets the drug, not only the best one, so the answer comes with
    its spread. The same afferent events are used before and after.

    Examples:

    ```
    ketune apply cell7 --drug ketamine --dose "10 mg/ml" --at "30 min"
    ketune apply cell7 --route ip --dose "30 mg/kg" --at "5 min" --at "15 min" --at "60 min"
    ketune apply cell7 --dose "10 mg/ml" --at auto --block-model kinetic
    ketune apply cell7 --dose "10 mg/ml" --at "30 min" --targets nmda
    ketune apply cell7 --drug d-apv --route bath --dose "50 uM" --at "10 min" --targets nmda
    ketune apply cell7 --doses 0.1uM:1mM:log12 --samples 200
    ```
    """
    from ketune.workflow import DrugRequest, apply_drug

    request = DrugRequest(
        drug=drug,
        route=route or ("topical" if doses is None or dose is not None else "bath"),
        dose=dose,
        at=tuple(at or ()),
        protocol=protocol,
        table=table,
        every=every,
        n_doses=n_doses,
        as_base=base,
        remove=remove,
        soma_depth=soma_depth,
        lateral_distance=lateral_distance,
        block_model=block_model.value,
        settings=tuple(set_ or ()),
        targets=targets,
        without=without,
        baseline=tuple(baseline or ()),
        baseline_added=baseline_added,
        dopamine=dopamine,
        assay=assay,
    )
    return _console.perform(
        lambda progress: apply_drug(
            directory,
            request,
            name=name,
            trials=trials,
            doses=doses,
            samples=samples,
            seed=seed,
            engine=engine.value,
            progress=progress,
            overwrite=overwrite,
        ),
        _describe,
        as_json=json,
    )


def _describe(result: Mapping[str, Any]) -> Iterator[str]:
    yield from result["summary"]
