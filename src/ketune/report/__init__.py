"""Reports: one HTML file on one or several fits and on the drugs applied to them, and the same in ten lines.

A run of `ketune reproduce` has a page of its own. The functions `draw_...` draw one figure each on axes of yours
(docs/notebooks.md).

Importing this package is light; figures and templates are loaded when a report is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketune.report._notebook_figures import (
    draw_block,
    draw_concentration,
    draw_dose_response,
    draw_neuron,
    draw_preferred,
    draw_tuning,
)
from ketune.report._population import Population

if TYPE_CHECKING:
    import pandas as pd

    from ketune.report._results import Result

__all__ = [
    "Population",
    "draw_block",
    "draw_concentration",
    "draw_dose_response",
    "draw_neuron",
    "draw_preferred",
    "draw_tuning",
    "open_fit",
    "pdf_browser",
    "readme_figure",
    "summary_lines",
    "write",
    "write_batch",
    "write_figures",
    "write_pdf",
    "write_reproduction",
]


def open_fit(directory: str | Path) -> Result:
    """A fit and the drugs applied to it, read and checked, for looking at.

    Parameters
    ----------
    directory: a fit, with `fit.json` and any number of `apply-*.json`

    Returns
    -------
    A frozen view: `fit` and `applications` with the documents' keys as attributes, and the applications' `names`.
    Notebooks show it, and each application, as tables with a figure.

    Raises
    ------
    InputError: a file is missing or damaged
    """
    from ketune.report._results import load

    (result,) = load([Path(directory)])
    return result


def write(directories: Sequence[Path], output: Path) -> Path:
    """Write a report that needs no other file and no network.

    Parameters
    ----------
    directories: fits, each with `fit.json` and any number of `apply-*.json`, in the order of the report
    output: the HTML file; its directory exists

    Returns
    -------
    `output`

    Raises
    ------
    InputError: no directory given; a file is missing or damaged; `output` cannot be written
    """
    from ketune.report._page import write_page

    return write_page(directories, Path(output))


def write_figures(directory: Path, folder: Path, ending: str = "svg") -> list[str]:
    """Write the figures of a fit's report as vector graphics, each in a file of its own.

    Parameters
    ----------
    directory: as in `write`
    folder: where they go; it exists
    ending: "svg" or "pdf"

    Returns
    -------
    The files' names in the report's order: "tuning.svg", and "ketamine-topical-tuning.svg" of an applied drug

    Raises
    ------
    InputError: a file of the fit is missing or damaged
    """
    from ketune.report._figure_files import write_files
    from ketune.report._results import load

    (result,) = load([Path(directory)])
    return write_files(result, Path(folder), ending)


def pdf_browser() -> str:
    """The browser that :func:`write_pdf` prints with: Chromium, Chrome or Edge, or what ``KETUNE_BROWSER`` names.

    Raises
    ------
    InputError: there is none
    """
    from ketune.report._pdf import browser

    return browser()


def write_pdf(page: Path, output: Path | None = None) -> Path:
    """Print a page of ketune as a PDF.

    Parameters
    ----------
    page: an HTML file that a function of this package wrote
    output: the PDF; beside the page if not given

    Returns
    -------
    `output`

    Raises
    ------
    InputError: there is no browser to print with, or it failed; `output` cannot be written
    """
    from ketune.report._pdf import browser
    from ketune.report._pdf import write_pdf as printed

    return printed(Path(page), Path(output or Path(page).with_suffix(".pdf")), browser())


def summary_lines(directories: Sequence[Path]) -> list[str]:
    """The verdicts as about ten plain lines for a terminal.

    Parameters and errors as in `write`.
    """
    from ketune.report._results import load
    from ketune.report._verdict import summary_lines as lines

    return lines(load(directories))


def write_reproduction(document: Mapping[str, Any], output: Path) -> Path:
    """Write the page of `ketune reproduce`, which needs no other file and no network.

    Parameters
    ----------
    document: what `verdicts.json` holds (docs/reproduce.md)
    output: the HTML file; its directory exists

    Returns
    -------
    `output`

    Raises
    ------
    InputError: the document is of another format or damaged; `output` cannot be written
    """
    from ketune.report._reproduce_page import write_page

    return write_page(document, Path(output))


def write_batch(
    status: Mapping[str, Any],
    table: pd.DataFrame | None,
    links: Mapping[str, str],
    output: Path,
    population: Population | None = None,
) -> Path:
    """Write the page of a batch, which needs no other file and no network.

    Parameters
    ----------
    status: as `ketune.batch.batch_status` returns it
    table: as `ketune.batch.collect` returns it; None where nothing is finished
    links: where each finished job's own page or directory is, relative to `output`
    output: the HTML file; its directory exists
    population: a run of `ketune reproduce` whose verdicts are shown, too

    Returns
    -------
    `output`

    Raises
    ------
    InputError: `output` cannot be written; the population's document is of another format or damaged
    """
    from ketune.report._batch_page import write_page

    return write_page(status, table, links, output, population)


def readme_figure(directory: Path, path: Path) -> Path:
    """Draw one fit with its first applied drug as one compact PNG.

    It shows tuning and Fano factor before and during, and the neuron coloured by block.

    Parameters
    ----------
    directory: a fit with a drug applied to it
    path: the PNG, 1800 pixels wide (900 on a page, twice that for dense displays)

    Raises
    ------
    InputError: a file is missing or damaged; no drug with a picture of the neuron was applied
    """
    from ketune.report._readme import draw

    return draw(Path(directory), Path(path))
