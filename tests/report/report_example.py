"""Made-up results with the shape of real ones, for the layout of the report. Not one number means anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ketune import compartments
from ketune.morphology import default_morphology
from ketune.pharmacology import load_drug
from ketune.storage import write_json

ORIENTATIONS = [22.5 * i for i in range(8)]
# Of each kept set against the best, which comes first. Simulated likelihoods are noisy: a set may seem better than it.
LIKELIHOOD_DIFFERENCES = (0.0, -7.5, 5.7, -5.0, 4.0, -7.0, 27.5, -0.9, 1.3)
CONDITIONS = (("before", None, 0.0), ("wash-in", 10.0, 0.7), ("30 min", 30.0, 1.0), ("recovery", 180.0, 0.1))


def bump(theta: np.ndarray, base: float, height: float, preferred: float, sigma: float = 28.0) -> np.ndarray:
    d = (theta - preferred + 90) % 180 - 90
    return base + height * np.exp(-(d**2) / (2 * sigma**2))


def indices(
    preferred: float, gosi: float, peak: float, base: float, spontaneous: float | None
) -> dict[str, Any]:
    return {
        "preferred_deg": preferred,
        "osi_fit": (peak - base) / (peak + base),
        "osi_points": (peak - base) / (peak + base) + 0.02,
        "gosi": gosi,
        "hwhm_deg": 31.4,
        "peak_rate_hz": peak,
        "orthogonal_rate_hz": base,
        "spontaneous_rate_hz": spontaneous,
    }


def fit_document(
    name: str = "SYNTHETIC unit", *, seed: int = 0, blank: bool = False, status: str = "converged"
) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    theta = np.array(ORIENTATIONS)
    orientations: list[float | None] = [*ORIENTATIONS, *([None] if blank else [])]
    n = len(orientations)

    def with_blank(values: np.ndarray, at_blank: float) -> np.ndarray:
        return np.append(values, at_blank) if blank else values

    mean = with_blank(bump(theta, 9.0, 12.0, 68.0), 0.6)
    fano = with_blank(rng.uniform(2.4, 3.8, 8), 1.1)

    def noisy(values: np.ndarray, by: float) -> list[float]:
        return list(np.maximum(values + rng.normal(0, by, n), 0.05))

    sem = list(np.sqrt(mean * fano / 200))
    passed = status == "converged"
    values = {
        "peak_rate_hz": (6.1, 0.8, "Hz", 0.05, 30.0, "driven afferent at its preferred orientation"),
        "background_rate_hz": (0.31, 0.05, "Hz", 0.02, 5.0, "background of every excitatory synapse"),
        "preferred_basal_deg": (64.0, 3.1, "deg", 0.0, 180.0, "mean preference, basal afferents"),
        "preferred_apical_deg": (2.0, 14.0, "deg", 0.0, 180.0, "mean preference, apical afferents"),
        "spread_basal_deg": (21.0, 4.0, "deg", 3.0, 60.0, "spread of preference, basal afferents"),
        "spread_apical_deg": (59.0, 21.0, "deg", 3.0, 60.0, "spread of preference, apical afferents"),
        "ampa_nS": (0.62, 0.11, "nS", 0.05, 3.0, "peak AMPA conductance of one synapse"),
        "nmda_nS": (0.9, 0.42, "nS", 0.05, 3.0, "peak NMDA conductance of one synapse, without Mg block"),
        "pv_nS": (1.4, None, "nS", 0.1, 10.0, "peak conductance of one PV synapse"),
        "sst_nS": (0.8, 0.5, "nS", 0.1, 10.0, "peak conductance of one SST synapse"),
        "gain_sd": (0.33, 0.03, "", 0.02, 0.9, "SD of the log gain that all afferents of a trial share"),
    }
    parameters = {
        key: {
            "value": value,
            "se": se,
            "unit": unit,
            "low": low,
            "high": high,
            "at_bound": key == "spread_apical_deg",
            "meaning": meaning,
            "determined": key not in ("nmda_nS", "pv_nS", "spread_apical_deg"),
        }
        for key, (value, se, unit, low, high, meaning) in values.items()
    }
    kept = [
        {
            "values": {
                key: (
                    (v[0] + rng.normal(0, 5)) % 180
                    if v[4] == 180.0
                    else min(max(v[0] * rng.lognormal(0, 0.3), v[3]), v[4])
                )
                for key, v in values.items()
            },
            "log_likelihood_difference": difference,
            "placement_seed": i % 3,
            "event_seed": i,
        }
        for i, difference in enumerate(LIKELIHOOD_DIFFERENCES)
    ]
    kept[0]["values"] = {key: v[0] for key, v in values.items()}
    return {
        "status": status,
        "message": "" if passed else "no parameter set within the bounds reaches 106 Hz",
        "recording": {
            "name": name,
            "source": "synthetic numbers for the layout of the report",
            "sha256": "0" * 64,
            "window_s": 1.28,
            "orientation_deg": ORIENTATIONS,
            "n_trials": [400] * 8,
            "has_blank": blank,
            "split": "half",
            "assumed_degrees": True,
        },
        "parameters": parameters,
        "undetermined": [
            {"combination": "NMDA up with PV and SST up", "sd_log": 0.8},
            {"combination": "apical spread of preference alone", "sd_log": 9.0},
        ],
        "kept_within": 9.8,
        "kept_sets": kept,
        "tuning": {
            "orientation_deg": orientations,
            "recorded_mean": noisy(mean, 0.2),
            "recorded_sem": sem,
            "recorded_fano": list(fano),
            "recorded_fano_se": [0.3] * n,
            "fitted_mean": noisy(mean, 0.15),
            "fitted_fano": noisy(fano, 0.15),
        },
        "check": {
            "n_trials": 200,
            # The model is always given blank trials too, which nothing was predicted for.
            "orientation_deg": [*ORIENTATIONS, None],
            "spiking_mean": [*noisy(mean, 0.4)[:8], 0.5],
            "spiking_sem": [*sem[:8], 0.05],
            "spiking_fano": [*noisy(fano, 0.3)[:8], 1.1],
            "spiking_fano_se": [0.3] * 9,
            "prediction_mean": [*noisy(mean, 0.2)[:8], None],
            "test_mean": [*noisy(mean, 0.3)[:8], None],
            "test_sem": [*sem[:8], None],
            "test_fano": [*noisy(fano, 0.3)[:8], None],
            "test_fano_se": [*[0.3] * 8, None],
            "correlation": 0.974 if passed else 0.62,
            "correlation_se": 0.011,
            "rmse_fraction_of_range": 0.071 if passed else 0.31,
            "rmse_se": 0.018,
            "fano_ratio_median": 1.08 if passed else 0.4,
            "fano_ratio_se": 0.07,
            "passed": passed,
        },
        "replay": {"n": 16, "identical": True, "largest_count_difference": 0, "problems": []},
        "readout": {
            "hazard": {"threshold_mV": -52.3, "width_mV": 2.1, "slope_hz_per_mV": 11.0, "refractory_ms": 2.0},
            "correlation": 0.91,
            "dispersion": 0.82,
            "dt_ms": 0.1,
            "spiking_dt_ms": 0.025,
        },
        "summary": {
            "recorded": indices(67.9, 0.21, 16.5, 7.0, 0.4 if blank else None),
            "spiking": indices(66.2, 0.2, 16.1, 7.2, 0.5),
        },
        "traces": [trace("before", 0)],
        "history": [
            {"stage": "start 1", "log_likelihood": -9120.4},
            {"stage": "recalibrated", "log_likelihood": -8999.1},
        ],
        "settings": {
            "starts": 3,
            "placements": 3,
            "effort": "standard",
            "model": {"name": "cat V1 L2/3", "d_lambda": 0.3},
            "limit": None,
        },
        "provenance": {
            "ketune": {
                "version": "0.1.0",
                "sha256": "a" * 64,
                "git": {"commit": "b" * 40, "modified": False},
            },
            "mechanisms_sha256": "c" * 64,
            "versions": {"neuron": "9.0.2", "jax": "0.6.0"},
            "python": "3.11.2",
            "machine": {"system": "Linux", "cores": 2},
            "engine": {"name": "native", "precision": "float32", "dt_ms": 0.05},
            "seed": seed,
            "command": "ketune fit synthetic.csv -o synthetic",
            "date": "2026-01-01T00:00:00+00:00",
        },
    }


def trace(condition: str, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed + 10)
    time = np.arange(0, 1280.0, 0.1)
    slow = np.convolve(rng.normal(0, 1, time.size), np.exp(-np.arange(800) / 200), "same")
    dendrite = -62 + (6 if condition == "before" else 2.5) * slow / slow.std()
    soma = -68 + (3 if condition == "before" else 2) * slow / slow.std()
    for start in rng.uniform(50, 1230, 14 if condition == "before" else 11):
        shape = np.exp(-np.maximum(time - start, 0) / 0.9) * (time >= start)
        soma, dendrite = soma + 95 * shape, dendrite + 40 * shape
    return {
        "condition": condition,
        "orientation_deg": 67.5,
        "time_ms": list(time),
        "soma_mV": list(soma),
        "dendrite_mV": list(dendrite),
        "dendrite": "apical, 210 µm from soma",
    }


def apply_document(*, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed + 99)
    drug = load_drug("ketamine")
    theta = np.array(ORIENTATIONS)
    time, depth = np.linspace(-10, 240, 76), np.linspace(0, 900, 46)
    rise = np.where(time > 0, np.minimum(time / 15, 1) * np.exp(-np.maximum(time - 30, 0) / 40), 0.0)
    free = 3000 * rise[:, None] * np.exp(-depth / 110)[None, :]
    table = compartments.build(default_morphology())
    depths = np.maximum(300 - table.xyz_um[:, 1] + table.xyz_um[0, 1], 0)
    concentration = 3000 * np.exp(-depths / 110)
    parent = parents_of(table)
    dendrites = np.flatnonzero(np.isin(table.region, ["basal", "apical"]))
    near = np.flatnonzero(table.path_um < 50)
    conditions = []
    for label, minutes, strength in CONDITIONS:
        at = {
            r: 3000 * strength * float(np.exp(-d / 110))
            for r, d in (("soma", 300), ("basal", 330), ("apical", 190))
        }
        mean = bump(theta, 9.0 + 2.0 * strength, 12.0 + strength, 68.0 + 8.0 * strength)
        fano = rng.uniform(2.4, 3.2, 8) * (1 - 0.3 * strength)
        conditions.append(
            {
                "label": label,
                "time_min": minutes,
                "concentration_uM": at,
                "effect": {
                    "nmda_block": {r: c / (c + 6) for r, c in at.items()},
                    "hcn_block": 0.4 * strength,
                    "hcn_shift_mV": 9.5 * strength,
                    "nav_block": 0.12 * strength,
                    "kv_block": {"soma": 0.4 * strength, "basal": 0.38 * strength, "apical": 0.5 * strength},
                    "kv_shift_mV": 5.0 * strength,
                    "cal_block": 0.8 * strength,
                    "tonic_gaba_gain": 1 + 0.3 * strength,
                    "pv_drive": 1 - 0.58 * strength,
                    "sst_drive": 1 - 0.56 * strength,
                },
                "tuning": {
                    "orientation_deg": [*ORIENTATIONS, None],
                    "mean": [*mean, 0.6],
                    "sem": [*np.sqrt(mean * fano / 50), 0.1],
                    "fano": [*fano, 1.1],
                    "fano_se": [*([0.35] * 8), 0.2],
                    "n_trials": 50,
                },
                "summary": indices(
                    68 + 8 * strength, 0.21 - 0.05 * strength, 16.4 + 2 * strength, 7.1 + 2 * strength, 0.5
                ),
                "shift": None
                if label == "before"
                else {
                    "deg": 8 * strength,
                    "null_low": -3.2,
                    "null_high": 3.1,
                    "p": 0.0004 if strength > 0.5 else 0.41,
                },
            }
        )
    kept = []
    for i, difference in enumerate(LIKELIHOOD_DIFFERENCES):
        before = indices(
            68 + rng.normal(0, 2), 0.21 + rng.normal(0, 0.01), 16.4 + rng.normal(0, 1), 7.1, None
        )
        during = {
            **before,
            "gosi": before["gosi"] * rng.uniform(0.66, 0.9),
            "peak_rate_hz": before["peak_rate_hz"] * rng.uniform(0.8, 1.4),
        }
        during["preferred_deg"] = before["preferred_deg"] + rng.uniform(1, 13)
        kept.append(
            {
                "placement_seed": i % 3,
                "log_likelihood_difference": difference,
                "before": {**before, "fano": 2.8 + rng.normal(0, 0.1)},
                "during": {**during, "fano": 2.1 + rng.normal(0, 0.15)},
            }
        )
    source = "Ouelhazi 2019"
    return {
        "status": "done",
        "drug": "ketamine",
        "route": "topical",
        "dose": "10 mg/ml",
        "at": [10.0, 30.0, 180.0],
        "cautions": list(drug.cautions()),
        "exposure": {
            "soma_depth_um": 300.0,
            "lateral_distance_um": 100.0,
            "parameters": {
                k: {
                    "value": q.value,
                    "unit": q.unit,
                    "source": q.source,
                    "confidence": list(q.confidence),
                    "low": q.low,
                    "high": q.high,
                }
                for k, q in drug.parameters.items()
            },
        },
        "map": {
            "time_min": list(time),
            "depth_um": list(depth),
            "concentration_uM": [list(row) for row in free],
            "nmda_block": [list(row) for row in free / (free + 6)],
        },
        "conditions": conditions,
        "lacking": ["cal"],
        "kept": kept,
        "main_condition": "30 min",
        "changes": [
            change("preferred_deg", "deg", 8.0, 1.2, 13.1, "shifts", "changes", "K1", source, True),
            change("gosi", "ratio", 0.79, 0.66, 0.9, "decrease", "decreases", "K2", source, True),
            change("fano", "ratio", 0.74, 0.68, 0.83, "decrease", "decreases", "K3", source, True),
            change("spontaneous", "ratio", 1.3, 0.7, 1.9, None, "no change", "K4", source, None),
            change("peak_rate", "ratio", 1.13, 0.8, 1.4, None, "unknown", "K5", "", None),
        ],
        "margins": {"shift_deg": 5.0, "equal": [0.8, 1.25]},
        "replay": {"n": 64, "identical": True, "largest_count_difference": 0, "problems": []},
        "traces": [trace("30 min", 1)],
        "neuron": {
            "x_um": list(table.xyz_um[:, 0]),
            "y_um": list(table.xyz_um[:, 1]),
            "z_um": list(table.xyz_um[:, 2]),
            "parent": parent,
            "diam_um": list(table.diam_um),
            "region": [str(r) for r in table.region],
            "nmda_block_during": list(concentration / (concentration + 40)),
            "concentration_um_during": list(concentration),
            "synapses": {
                "exc_driven": [int(c) for c in rng.choice(dendrites, 300)],
                "pv": [int(c) for c in rng.choice(near, 40)],
                "sst": [int(c) for c in rng.choice(dendrites, 60)],
            },
            "soma_depth_um": 300.0,
        },
        "provenance": {"command": "ketune apply synthetic --dose '10 mg/ml'", "seed": seed},
    }


def change(quantity, unit, best, low, high, found, reported, reported_id, source, agrees) -> dict[str, Any]:
    return {
        "quantity": quantity,
        "unit": unit,
        "best": best,
        "low": low,
        "high": high,
        "determined": found is not None,
        "found": found,
        "reported": reported,
        "reported_id": reported_id,
        "source": source,
        "agrees": agrees,
    }


def parents_of(table: compartments.CompartmentTable) -> list[int]:
    """Parent compartment of each compartment: the one before it in its section, or the last of the parent section."""
    parents = np.full(len(table.region), -1)
    for k, above in enumerate(table.section_parent):
        first, count = int(table.section_first[k]), int(table.section_count[k])
        parents[first + 1 : first + count] = np.arange(first, first + count - 1)
        if above >= 0:
            parents[first] = table.section_first[above] + (table.section_count[above] - 1 if above > 0 else 0)
    return [int(p) for p in parents]


def write_example(directory: Path, *, drug: bool = True, **options: Any) -> Path:
    """A fit, with ketamine applied unless told otherwise."""
    directory.mkdir(parents=True, exist_ok=True)
    fit = fit_document(**options)
    write_json(directory / "fit.json", fit, "ketune-fit/1")
    if drug:
        applied = apply_document(seed=options.get("seed", 0))
        write_json(directory / "apply-ketamine-topical.json", applied, "ketune-apply/1")
    return directory
