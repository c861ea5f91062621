"""A made-up explorer with the shape and size of a real one. Not one number means anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from report_example import ORIENTATIONS, bump, parents_of

from ketune import compartments
from ketune.explorer import EXPLORER_FILE, EXPLORER_FORMAT
from ketune.morphology import default_morphology
from ketune.storage import write_json

TIMES_MIN = [0.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 240.0]
SOMA_DEPTH_UM = 300.0
ROUTES = {
    "topical": ("uM", [x * 3647.0 for x in (0.1, 0.2, 0.3, 0.5, 1, 2, 3, 5, 10, 20, 30, 50, 100)], 0.004),
    "ip": ("mg/kg", [1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 50.0, 100.0], 0.15),
    "bath": ("uM", [0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0], 1.0),
}
CONTROL_HZ = bump(np.array(ORIENTATIONS), 3.0, 12.0, 68.0)


def rounded(values: Any) -> Any:
    return np.vectorize(lambda value: float(f"{value:.4g}"))(np.asarray(values, float)).tolist()


def explorer_document() -> dict[str, Any]:
    """Every route, dose and time has a curve of its own, so that no slider can be confused with another."""
    table = compartments.build(default_morphology())
    depth = SOMA_DEPTH_UM - (table.xyz_um[:, 1] - table.xyz_um[0, 1])
    minutes = np.array(TIMES_MIN)
    routes = []
    for number, (route, (unit, doses, share)) in enumerate(ROUTES.items()):
        course = np.ones(13) if route == "bath" else (minutes / 20) * np.exp(1 - minutes / 20)
        soma = np.array(doses)[:, None] * share * np.where(minutes > 0, course, 0.0)
        falls = np.exp(-(depth - SOMA_DEPTH_UM) / 150) if route == "topical" else np.ones(table.n)
        local = soma[..., None] * falls
        local = local / (local + 6.0)
        block = soma / (soma + 6.0)
        theta = np.array(ORIENTATIONS)
        turned = bump(theta[None, None], 0.0, 1.0, 68.0 + 10.0 * number * block[..., None])
        rate = (1 - 0.7 * block[..., None]) * (3.0 + 12.0 * turned) + 0.01 * number * (soma > 0)[..., None]
        quantities = {
            "peak_rate_hz": rate.max(axis=2),
            "orthogonal_rate_hz": rate.min(axis=2),
            "spontaneous_rate_hz": 0.5 * (1 - block),
            "osi": 0.6 + 0.1 * block,
            "gosi": 0.3 + 0.1 * block,
            "hwhm_deg": 30.0 - 5 * block,
            "preferred_shift_deg": 10.0 * number * block,
            "fano": 1.5 - 0.2 * block,
        }
        listed = {name: rounded(values) for name, values in quantities.items()}
        error = 0.05 + 0.1 * block[..., None] * np.ones(len(theta))
        if route == "bath":
            # The strongest dose silences the neuron, and the one before lies far from all runs.
            for name in ("osi", "gosi", "hwhm_deg", "preferred_shift_deg", "fano"):
                listed[name][-1] = [None] * 13
            error[-2] = 2.0
        texts = [f"{dose:.3g} {unit}" for dose in doses]
        routes.append(
            {
                "route": route,
                "unit": unit,
                "doses": doses,
                "dose_texts": texts,
                "concentration_uM": rounded(soma),
                "nmda_block": rounded(block),
                "pv_drive": rounded(1 - 0.6 * block),
                "sst_drive": rounded(1 - 0.5 * block),
                "rate_hz": rounded(rate),
                "rate_error_hz": rounded(error),
                "quantities": listed,
                "local_block": rounded(local),
            }
        )
    return {
        "status": "ok",
        "drug": "ketamine",
        "orientation_deg": ORIENTATIONS,
        "window_s": 1.28,
        "times_min": TIMES_MIN,
        "soma_depth_um": SOMA_DEPTH_UM,
        "control": {
            "rate_hz": rounded(CONTROL_HZ),
            "quantities": {
                "peak_rate_hz": 15.0,
                "orthogonal_rate_hz": 3.0,
                "spontaneous_rate_hz": 0.5,
                "osi": 0.6,
                "gosi": 0.3,
                "hwhm_deg": 30.0,
                "preferred_shift_deg": 0.0,
                "fano": 1.5,
            },
        },
        "routes": routes,
        "accuracy": {
            "error_of_peak": 0.0134,
            "largest_error_of_peak": 0.041,
            "direct_noise_of_peak": 0.008,
            "tolerance": 0.02,
            "quantity_error": {"peak_rate_hz": 0.41, "osi": 0.02},
            "checks": 8,
            "design_points": 28,
            "trials": 736,
        },
        "neuron": {
            "x_um": rounded(table.xyz_um[:, 0] - table.xyz_um[0, 0]),
            "depth_um": rounded(depth),
            "parent": parents_of(table),
            "diam_um": rounded(table.diam_um),
            "region": [str(region) for region in table.region],
        },
        "choices": {"block_model": "equilibrium", "switched_off": [], "set": {"hcn1.ec50": 67.0}},
        "cautions": ["made.up = 1 (assumed)", "a gap is no number"],
        "provenance": {"command": "ketune explore synthetic"},
    }


def write_explorer(directory: Path) -> None:
    """Beside a fit that is already there."""
    write_json(directory / EXPLORER_FILE, explorer_document(), EXPLORER_FORMAT)
