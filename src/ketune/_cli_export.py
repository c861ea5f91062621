"""The command `ketune export`: its options and help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ketune import _console
from ketune._cli_options import Json, Overwrite


class Form(StrEnum):
    """What a fit is exported as."""

    neuron = "neuron"
    petab = "petab"
    figures = "figures"


class Vector(StrEnum):
    """Formats of figures."""

    svg = "svg"
    pdf = "pdf"


def export(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A fit that `ketune fit` wrote.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT", help="The directory that is written.")
    ],
    to: Annotated[
        Form,
        typer.Option("--to", help="A model for NEURON, the tables of PEtab, or the figures of the report."),
    ] = Form.neuron,
    apply: Annotated[
        str | None,
        typer.Option(
            "--apply",
            metavar="NAME",
            help="neuron: the conditions of this `ketune apply`, apply-NAME.json.",
            show_default="the fit alone",
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            "--trials",
            metavar="N",
            help="neuron: trials of each stimulus.",
            show_default="those replayed after the fit and 4 more",
        ),
    ] = None,
    format: Annotated[
        Vector | None, typer.Option("--format", help="figures: the format.", show_default="svg")
    ] = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> _console.Answer:
    """Write a fitted neuron for other tools.

    neuron: a folder that runs in NEURON without ketune (`nrnivmodl mod`, `python run.py`) and reproduces the tuning
    curve, with the same spike count in every trial. petab: the recorded trials and the estimates as tables of PEtab 1,
    without a model. figures: every figure of the report as a file of its own.

    Examples:

    ```
    ketune export cell7 -o cell7-neuron
    ketune export cell7 --apply ketamine-topical -o cell7-ketamine
    ketune export cell7 --to petab -o cell7-petab
    ketune export cell7 --to figures --format pdf -o cell7-figures
    ```
    """
    from ketune.export import export_fit

    return _console.perform(
        lambda progress: export_fit(
            directory,
            output,
            form=to.value,
            application=apply,
            trials=trials,
            pictures=None if format is None else format.value,
            overwrite=overwrite,
            progress=progress,
        ),
        _describe,
        as_json=json,
    )


def _describe(result: Mapping[str, Any]) -> Iterator[str]:
    if result["form"] == "neuron":
        conditions = ", ".join(result["conditions"])
        yield f"{result['trials']} trials ({conditions}), {result['trials_per_stimulus']} of each stimulus"
        yield f"next: cd {result['directory']} && nrnivmodl mod && python run.py --check"
    elif result["form"] == "petab":
        yield f"{result['measurements']} trials of {result['stimuli']} stimuli; no model (see README.md)"
        if result["left_out"]:
            yield f"left out, recorded in files of their own: {', '.join(result['left_out'])}"
    else:
        yield from result["figures"]
    yield f"written: {result['directory']}"
