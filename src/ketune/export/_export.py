"""`ketune export`: one form of a fit, put into a directory of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ketune.errors import InputError
from ketune.progress import NullProgress, Progress
from ketune.storage import check_output_directory, result_directory
from ketune.workflow import read_fit

FORMS = ("neuron", "petab", "figures")
"""What a fit can be exported as."""
PICTURES = ("svg", "pdf")


def export_fit(
    directory: str | Path,
    output: str | Path,
    *,
    form: str = "neuron",
    application: str | None = None,
    trials: int | None = None,
    pictures: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write a fitted neuron in the form of another tool.

    Parameters
    ----------
    directory
        A fit that :func:`ketune.workflow.fit_recording` wrote.
    output
        Directory of the export.
    form
        "neuron": a folder that NEURON runs without ketune; "petab": tables of data and estimates; "figures": the
        report's figures as vector graphics.
    application
        Of "neuron": the name of a drug's application, whose conditions are exported.
    trials
        Of "neuron": trials of each stimulus (default: those that NEURON replayed after the fit, and four more).
    pictures
        Of "figures": "svg" (default) or "pdf".

    Returns
    -------
    dict
        ``status``, ``directory``, ``form``, ``files`` and what the form has to say.

    Raises
    ------
    InputError
        The directory holds no fit or no such application, the fit's cell has changed, an argument belongs to another
        form, or the output holds another result. Nothing is written then.
    """
    directory, output, progress = Path(directory), Path(output), progress or NullProgress()
    if form not in FORMS:
        raise InputError(f"--to: '{form}' is not known; choose one of {', '.join(FORMS)}")
    for option, value, owner in (
        ("--apply", application, "neuron"),
        ("--trials", trials, "neuron"),
        ("--format", pictures, "figures"),
    ):
        if value is not None and form != owner:
            raise InputError(f"{option}: is for --to {owner}; leave it out of --to {form}")
    if trials is not None and trials < 1:
        raise InputError(f"--trials {trials}: at least 1 is needed")
    if pictures is not None and pictures not in PICTURES:
        raise InputError(f"--format: '{pictures}' is not known; choose one of {', '.join(PICTURES)}")
    read_fit(directory)
    if output.resolve() == directory.resolve():
        raise InputError(f"--output: {output} is the fit itself; give another directory")
    check_output_directory(output, "export", overwrite=overwrite)
    with result_directory(output, "export", overwrite=overwrite) as folder:
        if form == "neuron":
            from ketune.export._neuron_bundle import write_bundle

            told = write_bundle(directory, folder, application=application, trials=trials, progress=progress)
        elif form == "petab":
            from ketune.export._petab import write_petab

            told = write_petab(directory, folder)
        else:
            from ketune import report

            with progress.task("drawing the figures"):
                told = {"figures": report.write_figures(directory, folder, pictures or "svg")}
        names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return {"status": "ok", "directory": str(output), "form": form, "files": names, **told}
