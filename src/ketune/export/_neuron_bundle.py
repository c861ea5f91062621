"""The NEURON bundle: a folder in which a fitted neuron runs without ketune."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import ketune
from ketune.cell import Cell
from ketune.engines.jax_engine import SPIKE_THRESHOLD_mV
from ketune.engines.neuron_problem import ions_of
from ketune.export import _neuron_files as files
from ketune.export._neuron_trials import (
    Trials,
    connection_table,
    draw_trials,
    neuron_counts,
    seed_of,
    shown_conditions,
)
from ketune.export._templates import rendered
from ketune.progress import Progress
from ketune.storage import write_json, write_text
from ketune.workflow import (
    cell_from,
    check_same_cell,
    morphology_file,
    read_application,
    read_fit,
)

FORMAT = "ketune-neuron-bundle/1"
_OF_FIT = (
    "recording.name",
    "recording.orientation_deg",
    "recording.window_s",
    "kept_sets",
    "check",
    "settings.seed",
    "settings.cell",
    "settings.compartments_sha256",
    "settings.effort.spiking_dt_ms",
    "settings.effort.replay_trials",
)
_OF_APPLICATION = ("name", "conditions", "drug", "route", "provenance.seed")
# Beyond those that NEURON replayed after the fit.
_MORE_TRIALS = 4


def write_bundle(
    directory: Path, folder: Path, *, application: str | None, trials: int | None, progress: Progress
) -> dict[str, Any]:
    """Write the bundle of a fit into an empty folder; returns what it holds.

    Parameters
    ----------
    application
        Name of an application, whose conditions are exported in the place of the fit's check.
    trials
        Of each stimulus; those that NEURON replayed after the fit and four more if not given.

    Raises
    ------
    InputError
        No fit or application, one of an older ketune, or a cell that has changed since.
    """
    fit = read_fit(directory, *_OF_FIT)
    applied = None if application is None else read_application(directory, application, *_OF_APPLICATION)
    cell = cell_from(fit["settings"]["cell"])
    check_same_cell(directory, fit, cell)
    if trials is None:
        trials = int(fit["settings"]["effort"]["replay_trials"]) + _MORE_TRIALS
    shown = shown_conditions(cell, fit, applied)
    drawn = draw_trials(shown, trials=trials, seed=seed_of(fit, applied))
    counts = neuron_counts(cell, drawn, progress=progress)

    files.write_code(folder)
    tree = morphology_file(fit)
    morphology = files.write_morphology(folder, tree)
    files.write_geometry(folder, cell)
    files.write_synapses(folder, shown)
    files.write_events(folder, cell, drawn, connection_table(cell, drawn.events))
    files.write_counts(folder, drawn, counts)
    settings = _settings(folder, cell, drawn)
    write_json(folder / "cell.json", settings, FORMAT)
    text = rendered(
        "neuron.md.j2",
        fit=fit,
        applied=applied,
        settings=settings,
        trials=trials,
        n_lanes=len(counts),
        n_compartments=cell.table.n,
        morphology=morphology,
        attributed=(folder / "morphology" / "SOURCES.md").exists(),
    )
    write_text(folder / "README.md", text)
    return {
        "conditions": [one.condition.label for one in shown],
        "trials_per_stimulus": trials,
        "trials": len(counts),
        "mechanisms": sorted({entry["mod"] for entry in settings["mechanisms"]}),
    }


def _settings(folder: Path, cell: Cell, trials: Trials) -> dict[str, Any]:
    """What `cell.json` holds; writes the mechanisms and their parameters, which it names."""
    mods = files.write_mechanisms(folder, cell)
    tables, folders = files.write_parameters(folder, cell, trials.shown)
    reversal, concentration = ions_of(cell)
    grating = trials.shown[0].neuron.grating
    return {
        "name": cell.name,
        "versions": {"ketune": ketune.__version__, "neuron": version("neuron")},
        "celsius": cell.celsius,
        "v_init_mV": cell.v_init_mV,
        "reversal_mV": reversal,
        "concentration_mM": concentration,
        "dt_ms": trials.events.dt_ms,
        "n_steps": trials.events.n_steps,
        "warm_up_ms": grating.warm_up_ms,
        "window_ms": grating.window_ms,
        "spike_threshold_mV": SPIKE_THRESHOLD_mV,
        "mechanisms": [
            files.placement_settings(placement, table, mods[placement.mechanism.path])
            for placement, table in zip(cell.placements, tables, strict=True)
        ],
        "conditions": {
            one.condition.label: {"folder": own} for one, own in zip(trials.shown, folders, strict=True)
        },
    }
