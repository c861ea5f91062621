"""What a directory of a fit holds, read back: document, cell, recording, parameter sets as neurons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ketune.afferents import Drive
from ketune.cell import Cell
from ketune.cell_model import build_cell, read_model
from ketune.engines.jax_engine import JaxEngine
from ketune.errors import InputError
from ketune.morphology import DEFAULT_MORPHOLOGY, read_morphology
from ketune.storage import read_json, slug
from ketune.surface import surface_key
from ketune.tuning import Recording, read_recording
from ketune.workflow._simulation import FittedNeuron

FIT_FORMAT, APPLY_FORMAT = "ketune-fit/1", "ketune-apply/1"
FIT_FILE, RECORDING_FILE = "fit.json", "recording.csv"
# A fit's check with spikes and what is applied to it have trials of their own: these are added to its seed.
CHECK_SEED, APPLY_SEED = 700_001, 800_001


def read_fit(directory: Path, *needed: str) -> dict[str, Any]:
    """The document of a fit, which has the ``needed`` entries ("settings.effort").

    Raises
    ------
    InputError
        There is none, it is damaged, or an older ketune wrote it.
    """
    fit = read_json(directory / FIT_FILE, FIT_FORMAT)
    if "drive" not in fit.get("settings", {}):
        raise older(directory)
    _require(fit, directory / FIT_FILE, needed)
    return fit


def read_application(directory: Path, name: str, *needed: str) -> dict[str, Any]:
    """The document of what `ketune apply` added to a fit under this name, which has the ``needed`` entries.

    Raises
    ------
    InputError
        There is none of this name, or it is damaged.
    """
    path = directory / f"apply-{slug(name)}.json"
    if not path.exists():
        known = [file.stem.removeprefix("apply-") for file in sorted(directory.glob("apply-*.json"))]
        there = f"there are {', '.join(known)}" if known else "nothing has been applied to this fit"
        raise InputError(f"{directory}: no application '{name}'; {there}")
    applied = read_json(path, APPLY_FORMAT)
    _require(applied, path, needed)
    return applied


def _require(document: dict[str, Any], path: Path, keys: Sequence[str]) -> None:
    for key in keys:
        inside: Any = document
        for part in key.split("."):
            inside = inside.get(part) if isinstance(inside, dict) else None
        if inside in (None, [], {}):
            raise InputError(f"{path}: '{key}' is missing; make it again with the command that wrote it")


def older(directory: Path) -> InputError:
    """What to say of a fit that lacks something."""
    return InputError(f"{directory / FIT_FILE}: written by an older ketune; fit again with --overwrite")


def cell_from(source: Mapping[str, str | Path | None]) -> Cell:
    """The cell that a fit's settings describe: paths of model and morphology, or None for the shipped ones."""
    model, morphology = source.get("model"), source.get("morphology")
    return build_cell(
        read_model(model) if model else None, read_morphology(morphology) if morphology else None
    )


def check_same_cell(directory: Path, fit: dict[str, Any], cell: Cell) -> None:
    """Refuse a cell that is not the fitted one any more.

    Raises
    ------
    InputError
        Its compartments, mechanisms or their parameters are others: a file of the model has changed.
    """
    settings = fit["settings"]
    # Fits of earlier versions have no key.
    same_model = settings.get("cell_key") in (None, surface_key(cell))
    if cell.table.sha256() != settings["compartments_sha256"] or not same_model:
        raise InputError(
            f"{directory / FIT_FILE}: its cell has changed since the fit; fit again with --overwrite"
        )


def morphology_file(fit: dict[str, Any]) -> Path:
    """The file of the fitted cell's dendritic tree."""
    own = fit["settings"]["cell"].get("morphology")
    return DEFAULT_MORPHOLOGY if own is None else Path(own)


def neuron_of(cell: Cell, fit: dict[str, Any], kept: dict[str, Any], engine: JaxEngine) -> FittedNeuron:
    """One of the fit's kept parameter sets, ready to simulate."""
    return FittedNeuron(
        cell,
        kept["values"],
        placement_seed=int(kept["placement_seed"]),
        orientation_deg=tuple(fit["recording"]["orientation_deg"]),
        window_ms=fit["recording"]["window_s"] * 1e3,
        engine=engine,
        drive=Drive(**fit["settings"]["drive"]),
    )


def recording_of(directory: Path, fit: dict[str, Any]) -> Recording:
    """The fitted recording, from its copy in the directory.

    Raises
    ------
    InputError
        The copy is missing or another, or an older ketune wrote the fit.
    """
    if "reading" not in fit["settings"]:
        raise older(directory)
    recording = read_recording(directory / RECORDING_FILE, **fit["settings"]["reading"])
    condition = fit["settings"]["condition"]
    counts = [len(recording.counts(o, condition)) for o in recording.orientations(condition)]
    if (
        list(recording.orientations(condition)) != fit["recording"]["orientation_deg"]
        or counts != fit["recording"]["n_trials"]
    ):
        raise InputError(
            f"{directory / RECORDING_FILE}: its trials are not those of the fit; put the fitted recording back"
        )
    return recording
