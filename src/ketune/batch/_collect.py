"""One tidy table of a batch: a row for each fit and condition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ketune.batch._folder import BatchFolder, read_job
from ketune.errors import InputError
from ketune.progress import NullProgress, Progress
from ketune.storage import read_json, whole_file
from ketune.workflow import APPLY_FORMAT, FIT_FORMAT

if TYPE_CHECKING:
    import pandas as pd

_SUMMARY = (
    "preferred_deg",
    "osi_fit",
    "osi_points",
    "gosi",
    "hwhm_deg",
    "peak_rate_hz",
    "orthogonal_rate_hz",
    "spontaneous_rate_hz",
)
_SCORES = ("correlation", "rmse_fraction_of_range", "fano_ratio_median")
_SUFFIXES = (".csv", ".parquet")
_JOBS_AT_A_TIME = 2


def collect(directory: str | Path, *, progress: Progress | None = None) -> pd.DataFrame:
    """Every finished job of a batch, a row for each condition.

    Conditions: ``recorded`` (the tuning of the recording itself), ``control`` (the fitted neuron, spiking) and each
    look of each drug application. Units stand in the columns' names. Parameters (``fit.*``) are repeated in every row
    of a fit.

    Raises
    ------
    InputError
        There is no batch, or nothing in it is finished.
    """
    import pandas as pd

    folder = BatchFolder(directory)
    done = folder.done()
    rows: list[dict[str, Any]] = []
    with (progress or NullProgress()).task("reading finished jobs", len(folder.jobs)) as task:
        finished = [done[job.key] for job in folder.jobs if job.key in done]
        task.advance(len(folder.jobs) - len(finished))
        # One job is read from the disk while another's documents are taken apart.
        with ThreadPoolExecutor(_JOBS_AT_A_TIME) as pool:
            for found in pool.map(_rows, finished):
                rows += found
                task.advance()
    if not rows:
        raise InputError(f"{directory}: no job is finished yet; see `ketune batch status {directory}`")
    # Columns of text stay text where a value is missing, so that other readers see one type.
    return pd.DataFrame(rows).convert_dtypes(dtype_backend="numpy_nullable")


def check_table(path: Path) -> None:
    """Refuse a table's name that cannot be written, before anything is read.

    Raises
    ------
    InputError
        Its ending is not known, or its directory does not exist.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise InputError(f"{path}: the table's ending says its format; give .csv or .parquet")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no directory {path.parent}; make it, or write elsewhere")


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table as CSV or Parquet, in one step; errors as :func:`check_table`."""
    path = Path(path)
    check_table(path)
    with whole_file(path) as unfinished:
        if path.suffix.lower() == ".csv":
            table.to_csv(unfinished, index=False)
        else:
            table.to_parquet(unfinished, index=False, engine="pyarrow")


def _rows(directory: Path) -> list[dict[str, Any]]:
    return list(_conditions(directory))


def _conditions(directory: Path) -> Iterator[dict[str, Any]]:
    record, fit = read_job(directory), read_json(directory / "fit.json", FIT_FORMAT)
    common = _job_columns(record) | _fit_columns(fit)
    parameters = _parameter_columns(fit)
    summary, tuning, check = fit["summary"], fit["tuning"], fit["check"]
    recorded = _tuning(summary["recorded"], _gratings(tuning, "recorded_fano"))
    control = _tuning(summary["spiking"], _gratings(check, "spiking_fano"))
    yield common | {"condition": "recorded"} | recorded | parameters
    yield common | {"condition": "control"} | control | parameters
    for path in sorted(directory.glob("apply-*.json")):
        applied = read_json(path, APPLY_FORMAT)
        for entry in applied["conditions"]:
            shift = entry["shift"] or {}
            yield (
                common
                | {
                    "condition": entry["label"],
                    "application": applied["name"],
                    "drug": applied["drug"],
                    "route": applied["route"],
                    "dose": applied["dose"],
                    "time_min": entry["time_min"],
                    "phase": entry["phase"],
                    "nmda_block_basal": entry["effect"]["nmda_block"].get("basal"),
                    "nmda_block_apical": entry["effect"]["nmda_block"].get("apical"),
                    "shift_deg": shift.get("deg"),
                    "shift_p": shift.get("p"),
                }
                | _tuning(entry["summary"], _gratings(entry["tuning"], "fano"))
                | parameters
            )


def _job_columns(record: Mapping[str, Any]) -> dict[str, Any]:
    job = record["inputs"]
    return {
        "job": record["job"],
        "recording": job["recording_name"],
        "neuron": job["neuron"],
        "model": job["model_name"],
        "hypothesis": job["hypothesis"],
        "seed": record["seed"],
        "seed_used": record["seed_used"],
        "status": record["status"],
        "seconds": record["seconds"],
        "ketune": record["provenance"]["ketune"]["version"],
    }


def _fit_columns(fit: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "window_s": fit["recording"]["window_s"],
        "n_orientations": len(fit["recording"]["orientation_deg"]),
        "min_trials": min(fit["recording"]["n_trials"]),
        "log_likelihood": fit["settings"]["log_likelihood"],
        **{f"check_{name}": fit["check"][name] for name in _SCORES},
    }


def _parameter_columns(fit: Mapping[str, Any]) -> dict[str, Any]:
    """Value, interval and verdict of each parameter; the unit is part of a parameter's name.

    With a prefix: an afferent's peak rate is not the neuron's.
    """
    columns: dict[str, Any] = {}
    for name, entry in fit["parameters"].items():
        column = f"fit.{name}"
        columns[column] = entry["value"]
        interval = fit.get("intervals", {}).get(name)
        if interval is not None:
            columns[f"{column}.low"], columns[f"{column}.high"] = interval["low"], interval["high"]
            columns[f"{column}.verdict"] = fit["identifiability"][name]["verdict"]
    return columns


def _tuning(summary: Mapping[str, Any], fano: list[float | None]) -> dict[str, Any]:
    finite = [f for f in fano if f is not None]
    return {
        **{name: summary[name] for name in _SUMMARY},
        "fano_mean": float(np.mean(finite)) if finite else None,
    }


def _gratings(tuning: Mapping[str, Any], name: str) -> list[float | None]:
    """Fano factors without the blank's."""
    return [f for o, f in zip(tuning["orientation_deg"], tuning[name], strict=True) if o is not None]
