"""The files of a NEURON bundle: sources, geometry, parameters, synapses, events, counts."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from ketune.cell import Cell, Placement
from ketune.engines import neuron_model
from ketune.engines.neuron_problem import placed_on, uniform_runs
from ketune.export._neuron_trials import ConnectionTable, Shown, Trials
from ketune.export._tables import distinct, write_columns, write_rows
from ketune.mechanisms import loading_order
from ketune.morphology import DEFAULT_MORPHOLOGY
from ketune.storage import slug, write_json

_AFFERENTS_FORMAT = "ketune-afferents/1"


def write_code(folder: Path) -> None:
    """The scripts: the engine's own model and what runs it."""
    shutil.copyfile(neuron_model.__file__, folder / "neuron_model.py")
    with resources.as_file(resources.files("ketune.export") / "bundle" / "run.py") as script:
        shutil.copyfile(script, folder / "run.py")


def write_mechanisms(folder: Path, cell: Cell) -> dict[Path, str]:
    """The `.mod` files; by source their names, numbered in the order in which the engine's library has them.

    NEURON sums the currents of a compartment in the order in which mechanisms were compiled, and `nrnivmodl` takes a
    folder in the order of the user's language settings.
    """
    files = sorted({p.mechanism.path for p in cell.placements}, key=loading_order)
    names = {file: f"{number:02d}_{file.name}" for number, file in enumerate(files, start=1)}
    (folder / "mod").mkdir()
    for file, name in names.items():
        shutil.copyfile(file, folder / "mod" / name)
    return names


def write_morphology(folder: Path, file: Path) -> str:
    """The dendritic tree as SWC, with its attribution where it is a shipped one; returns its name."""
    import morphio

    target = folder / "morphology" / f"{file.stem}.swc"
    target.parent.mkdir()
    if file.suffix.lower() == ".swc":
        shutil.copyfile(file, target)
    else:
        morphio.mut.Morphology(str(file)).write(str(target))
    if file.parent == DEFAULT_MORPHOLOGY.parent:
        shutil.copyfile(file.with_name("SOURCES.md"), target.with_name("SOURCES.md"))
    return target.name


def write_geometry(folder: Path, cell: Cell) -> None:
    """The compartment table, and the runs of compartments that become NEURON's sections."""
    table = cell.table
    parent, first, count = uniform_runs(cell)
    section = np.repeat(np.arange(len(first)), count)
    columns = {
        "compartment": np.arange(table.n),
        "section": section,
        "region": table.region,
        "length_um": table.length_um,
        "diam_um": table.diam_um,
        "cm_uF_cm2": table.cm_uF_cm2,
        "ra_ohm_cm": table.ra_ohm_cm,
        "path_um": table.path_um,
        **dict(zip(("x_um", "y_um", "z_um"), table.xyz_um.T, strict=True)),
    }
    write_rows(
        folder / "compartments.csv", list(columns), zip(*(c.tolist() for c in columns.values()), strict=True)
    )
    sections = {
        "section": np.arange(len(first)),
        "parent": parent,
        "first_compartment": first,
        "n_compartments": count,
    }
    write_rows(
        folder / "sections.csv", list(sections), zip(*(c.tolist() for c in sections.values()), strict=True)
    )


def write_parameters(folder: Path, cell: Cell, shown: Sequence[Shown]) -> tuple[list[str], list[str | None]]:
    """Parameters of the first condition, and of each other one those that differ.

    Returns
    -------
    tuple
        The file of each placement, and the folder of each condition (None: nothing differs from the first).
    """
    files = [f"{name}.csv" for name in distinct(slug(p.label) for p in cell.placements)]
    first = cell.with_parameters(shown[0].neuron.overrides(shown[0].condition)).placements
    (folder / "parameters").mkdir()
    for placement, file in zip(first, files, strict=True):
        _write_placement(folder / "parameters" / file, placement)
    folders: list[str | None] = []
    for name, one in zip(distinct(slug(s.condition.label) for s in shown), shown, strict=True):
        own = cell.with_parameters(one.neuron.overrides(one.condition)).placements
        changed = [
            (placement, file)
            for before, placement, file in zip(first, own, files, strict=True)
            if any(np.any(placement.parameters[n] != before.parameters[n]) for n in placement.parameters)
        ]
        folders.append(f"parameters/{name}" if changed else None)
        for placement, file in changed:
            (folder / "parameters" / name).mkdir(exist_ok=True)
            _write_placement(folder / "parameters" / name / file, placement)
    return files, folders


def _write_placement(path: Path, placement: Placement) -> None:
    write_columns(path, {"compartment": placement.compartments, **placement.parameters})


def placement_settings(placement: Placement, file: str, mod: str) -> dict[str, Any]:
    """What `cell.json` says of a placement beside its parameters."""
    placed = placed_on(placement, np.arange(len(placement.compartments)))
    return {
        "label": placement.label,
        "mechanism": placed.name,
        "kind": placed.kind,
        "mod": mod,
        "file": file,
        "global": list(placed.shared),
        "elements": placed.elements,
        "tables": placed.tables,
    }


def write_synapses(folder: Path, shown: Sequence[Shown]) -> None:
    """Every synapse with its compartment and preferred orientation, and the rates of the afferents."""
    layout, drive = shown[0].neuron.layout, shown[0].neuron.drive(shown[0].condition)
    apical = layout.tree == 1
    preferred = np.where(apical, drive.preferred_apical_deg, drive.preferred_basal_deg)
    preferred = (
        preferred + np.where(apical, drive.spread_apical_deg, drive.spread_basal_deg) * layout.deviate
    ) % 180
    own = dict(zip(layout.driven.tolist(), preferred.tolist(), strict=True))
    rows = [
        (port, number, compartment, own.get(number) if port == "exc" else None)
        for port, compartments in layout.compartment.items()
        for number, compartment in enumerate(compartments.tolist())
    ]
    write_rows(folder / "synapses.csv", ("port", "synapse", "compartment", "preferred_deg"), rows)
    afferents = {
        one.condition.label: {
            "rates": one.neuron.drive(one.condition).as_dict(),
            "contrast": one.neuron.grating.contrast,
        }
        for one in shown
    }
    write_json(folder / "afferents.json", {"conditions": afferents}, _AFFERENTS_FORMAT)


def write_events(folder: Path, cell: Cell, trials: Trials, wired: ConnectionTable) -> None:
    """The connections with the point processes that they reach, and the events of every lane."""
    events, labels = trials.events, [p.label for p in cell.placements]
    receivers = zip(
        wired.connection.tolist(),
        [events.port_names[k] for k in wired.port[wired.connection]],
        wired.compartment[wired.connection].tolist(),
        [labels[k] for k in wired.placement],
        wired.row.tolist(),
        strict=True,
    )
    write_rows(
        folder / "connections.csv",
        ("connection", "port", "compartment", "mechanism", "row", "weight", "delay_ms"),
        ((*receiver, 1.0, 0.0) for receiver in receivers),
    )
    order = np.argsort(events.lane, kind="stable")
    np.savez_compressed(
        folder / "events.npz",
        first=np.searchsorted(events.lane[order], np.arange(events.n_lanes + 1)),
        step=events.step[order].astype(np.min_scalar_type(events.n_steps)),
        connection=wired.of_event[order].astype(np.min_scalar_type(len(wired.port))),
    )


def write_counts(folder: Path, trials: Trials, counts: np.ndarray) -> None:
    """What the NEURON engine counted in every trial, and the report's tuning curves."""
    labels = [one.condition.label for one in trials.shown]
    expected = (
        (labels[condition], float(orientation) if np.isfinite(orientation) else None, number, spikes)
        for (condition, orientation, number), spikes in zip(trials.of_lane, counts.tolist(), strict=True)
    )
    write_rows(folder / "expected_counts.csv", ("condition", "orientation_deg", "trial", "spikes"), expected)
    reported = (
        (label, None if orientation is None else float(orientation), mean, sem, one.reported["n_trials"])
        for label, one in zip(labels, trials.shown, strict=True)
        for orientation, mean, sem in zip(
            *(one.reported[name] for name in ("orientation_deg", "mean", "sem")), strict=True
        )
    )
    write_rows(folder / "report.csv", ("condition", "orientation_deg", "mean", "sem", "n_trials"), reported)
