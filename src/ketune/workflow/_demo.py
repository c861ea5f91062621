"""The demonstration: two macaque units, ketamine, one report."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ketune import tuning
from ketune.progress import NullProgress, Progress
from ketune.storage import check_output_directory
from ketune.workflow._apply import apply_drug
from ketune.workflow._dosing import DrugRequest
from ketune.workflow._explore import explore
from ketune.workflow._fit import fit_as_requested
from ketune.workflow._fit_request import FitRequest
from ketune.workflow._report import write_report

_UNITS = ("macaque_v2", "macaque_v1")
KETAMINE = DrugRequest(dose="10 mg/ml", at=("5 min", "30 min", "120 min"))
"""What both units get: topical, at wash-in, 30 min and recovery."""


def run_demo(
    output: Path, *, seed: int = 1, overwrite: bool = False, progress: Progress | None = None
) -> dict[str, Any]:
    """Fit both shipped units, apply topical ketamine (wash-in, 30 min, recovery), and write ``report.html``.

    The report has sliders for ketamine's routes, doses and times.

    Returns
    -------
    dict
        ``report`` (path), ``seconds``, ``fits`` (one entry per unit) and ``summary`` (lines of text).

    Raises
    ------
    InputError
        ``output`` holds other results and ``overwrite`` is False.
    """
    begun = time.monotonic()
    output, progress = Path(output), progress or NullProgress()
    directories = [output / name.removeprefix("macaque_").upper() for name in _UNITS]
    for directory in directories:
        check_output_directory(directory, "fit", overwrite=overwrite)
    fits = []
    for name, directory in zip(_UNITS, directories, strict=True):
        fit = fit_as_requested(
            tuning.shipped_recording(name),
            directory,
            # Profiles say what is determined; sampling the posteriors too would double the demonstration's time.
            FitRequest(seed=seed, posterior=False),
            overwrite=overwrite,
            progress=progress,
        )
        applied = apply_drug(directory, KETAMINE, overwrite=overwrite, progress=progress)
        explore(directory, overwrite=overwrite, progress=progress)
        replays = (fit["replay"], applied["replay"])
        fits.append(
            {
                "recording": name,
                "status": fit["status"],
                "message": fit["message"],
                "correlation_spiking": fit["check"]["correlation"],
                "rmse_fraction_of_range": fit["check"]["rmse_fraction_of_range"],
                "fano_ratio_median": fit["check"]["fano_ratio_median"],
                "trials_spiking": fit["check"]["n_trials"],
                "neuron_replay_identical": all(r["identical"] for r in replays),
            }
        )
    report = write_report(directories, output=output / "report.html", progress=progress)
    return {
        "report": report["report"],
        "seconds": round(time.monotonic() - begun, 1),
        "fits": fits,
        "summary": report["summary"],
    }
