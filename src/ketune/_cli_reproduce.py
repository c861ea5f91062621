"""The command `ketune reproduce`: its options and help."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ketune import _console
from ketune._cli_options import Engine, EngineOption, Json, Overwrite, Seed


class Species(StrEnum):
    """Whose control tuning the neurons have."""

    cat = "cat"
    mouse = "mouse"


def reproduce(
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="DIR", help="Where verdicts, page and finished parts go."),
    ],
    population: Annotated[
        Species, typer.Option("--population", help="Whose control tuning the virtual neurons have.")
    ] = Species.cat,
    hypothesis: Annotated[
        list[str] | None,
        typer.Option(
            "--hypothesis",
            metavar="NAME",
            help="Only this one, such as 'nmda', 'nmda+pv' or 'drug'; repeatable. A later run may add others.",
            show_default="all",
        ),
    ] = None,
    neurons: Annotated[int, typer.Option("--neurons", help="In each population.")] = 48,
    draws: Annotated[
        int, typer.Option("--draws", help="Of the drug's uncertain numbers, for the share of its prior.")
    ] = 256,
    trials: Annotated[
        int, typer.Option("--trials", help="Of each stimulus and condition; 25 in the experiments.")
    ] = 25,
    evidence: Annotated[
        Path | None,
        typer.Option(
            "--evidence",
            metavar="ROWS.toml",
            help="Reported effects of your own, beside ours or in their place (see `ketune evidence`).",
        ),
    ] = None,
    predictions: Annotated[
        bool, typer.Option(help="Also simulate the targets that nothing was fitted to (T6, T8 to T12).")
    ] = True,
    seed: Seed = 1,
    engine: EngineOption = Engine.auto,
    overwrite: Overwrite = False,
    json: Json = False,
) -> _console.Answer:
    """Ask which actions of topical ketamine suffice for the reported changes of tuning, together, in a population.

    Each hypothesis allows the drug some of its actions. Over draws of all that is uncertain about the drug at the
    default topical exposure, the share is taken for which T1, T2, T3a and T4 hold together (T5); the actions that come
    nearest are fitted and then held, without refitting, against held-out populations, direct simulation of spikes,
    and a second morphology. Control and drug never share trials. Exit code 0 whatever the verdict.

    An interrupted run goes on where it stopped when the same command is given again.

    Examples:

    ```
    ketune reproduce -o runs/cat
    ketune reproduce -o runs/mouse --population mouse --neurons 48
    ketune reproduce -o runs/small --neurons 6 --trials 10 --draws 32
    ketune reproduce -o runs/cat --hypothesis nmda --hypothesis no-shift --json
    ```
    """
    from ketune.reproduce import describe_verdicts, examine_settings
    from ketune.reproduce import reproduce as run

    settings = examine_settings(
        population=population.value,
        neurons=neurons,
        seed=seed,
        draws=draws,
        trials=trials,
        hypotheses=hypothesis or (),
        evidence=evidence,
        predictions=predictions,
    )
    return _console.perform(
        lambda progress: run(settings, output, engine=engine.value, overwrite=overwrite, progress=progress),
        describe_verdicts,
        as_json=json,
    )
