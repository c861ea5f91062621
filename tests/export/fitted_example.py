"""A fit that nobody made: the small cell with parameters at which it fires, as `ketune fit` and `apply` write it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ketune.afferents import Drive
from ketune.cell_model import build_cell
from ketune.fitting import PARAMETERS, effort_named
from ketune.morphology import SMALL_MORPHOLOGY, read_morphology
from ketune.pharmacology import effect, effect_record, load_drug
from ketune.storage import result_directory, write_json
from ketune.surface import surface_key
from ketune.tuning import Recording

ORIENTATIONS = [0.0, 45.0, 90.0, 135.0]
WINDOW_S = 0.2
VALUES = {
    "peak_rate_hz": 20.0,
    "background_rate_hz": 0.3,
    "preferred_basal_deg": 90.0,
    "preferred_apical_deg": 80.0,
    "spread_basal_deg": 15.0,
    "spread_apical_deg": 20.0,
    "ampa_nS": 1.0,
    "nmda_nS": 1.2,
    "pv_nS": 0.3,
    "sst_nS": 0.3,
    "gain_sd": 0.2,
}
MEAN, FANO = [1.5, 6.0, 12.0, 4.0, 0.6], [1.1, 1.3, 1.2, 1.2, 1.0]


def recording() -> Recording:
    rng = np.random.default_rng(5)
    stimuli = np.repeat([*ORIENTATIONS, np.nan], 6)
    return Recording(
        name="unit 7",
        window_s=WINDOW_S,
        orientation_deg=stimuli,
        spikes=rng.poisson(np.repeat(MEAN, 6)),
        trial=np.tile(np.arange(1, 7), 5),
        condition=np.full(len(stimuli), "control"),
        source="made up for the tests",
    )


def fit_document() -> dict[str, Any]:
    cell = build_cell(morphology=read_morphology(SMALL_MORPHOLOGY))
    stimuli = [*ORIENTATIONS, None]
    return {
        "status": "converged",
        "message": "",
        "recording": {
            "name": "unit 7",
            "window_s": WINDOW_S,
            "orientation_deg": ORIENTATIONS,
            "n_trials": [6] * 4,
            "has_blank": True,
        },
        "parameters": {
            p.name: {
                "value": VALUES[p.name],
                "se": 0.1 * VALUES[p.name],
                "unit": p.unit,
                "low": p.low,
                "high": p.high,
                "at_bound": False,
                "meaning": p.meaning,
                "determined": True,
            }
            for p in PARAMETERS
        },
        "kept_sets": [
            {"values": VALUES, "log_likelihood_difference": 0.0, "placement_seed": 3, "event_seed": 3}
        ],
        "tuning": {"orientation_deg": stimuli, "fitted_mean": MEAN, "fitted_fano": FANO},
        "check": {
            "n_trials": 50,
            "orientation_deg": stimuli,
            "spiking_mean": MEAN,
            "spiking_sem": [0.2] * 5,
            "passed": True,
        },
        "settings": {
            "seed": 3,
            "condition": None,
            "reading": {"fold": False},
            "effort": asdict(effort_named("quick")),
            "cell": {"model": None, "morphology": str(SMALL_MORPHOLOGY)},
            "drive": Drive().as_dict(),
            "compartments": cell.table.n,
            "compartments_sha256": cell.table.sha256(),
            "cell_key": surface_key(cell),
        },
    }


def apply_document() -> dict[str, Any]:
    """Ketamine at 20 uM: NMDA, HCN1, Na, Kv and the interneurons' firing change."""
    cell = build_cell(morphology=read_morphology(SMALL_MORPHOLOGY))
    drugged = effect(load_drug("ketamine"), np.full(cell.table.n, 20.0), label="30 min", time_min=30.0)
    tuning = {"orientation_deg": [*ORIENTATIONS, None], "mean": MEAN, "sem": [0.2] * 5, "n_trials": 50}
    return {
        "name": "ketamine-bath",
        "drug": "ketamine",
        "route": "bath",
        "dose": "20 uM",
        "conditions": [
            {"label": "before", "contrast": 1.0, "by_compartment": None, "tuning": tuning},
            {"label": "30 min", "contrast": 1.0, "by_compartment": effect_record(drugged), "tuning": tuning},
        ],
        "provenance": {"seed": 3},
    }


def write_fit(directory: Path) -> Path:
    with result_directory(directory, "fit") as folder:
        write_json(folder / "fit.json", fit_document(), "ketune-fit/1")
        recording().to_csv(folder / "recording.csv")
    with result_directory(directory, "apply-ketamine-bath", onto="fit") as folder:
        write_json(folder / "apply-ketamine-bath.json", apply_document(), "ketune-apply/1")
    return directory
