"""`ketune verify --biology`: reference single-cell experiments on the default calibrated cell."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ketune.biology._ablation import ablations
from ketune.biology._checks import BOUNDS, Check
from ketune.biology._experiment import (
    CONTRAST,
    CONTROL,
    NO_AMPA,
    NO_NMDA,
    ORTHOGONAL,
    PREFERRED,
    Bench,
    ORIENTATION_deg,
)
from ketune.biology._reference import Reference, reference
from ketune.biology._rest import BATH_uM, rest_changes
from ketune.biology._statistics import evoked_ratio, fit_contrast, gosi, jackknife, preferred_shift_deg
from ketune.engines import check_choice, describe
from ketune.pharmacology import load_drug
from ketune.progress import NullProgress, Progress
from ketune.provenance import provenance
from ketune.storage import check_output_directory, result_directory, write_json
from ketune.tuning import summarise

FORMAT = "ketune-biology/1"
DISPARITY_deg = (0.0, 10.0, 20.0, 30.0, 45.0, 60.0, 90.0)


@dataclass(frozen=True)
class Trials:
    """Trials of each stimulus and condition, by experiment."""

    tuning: int = 24
    contrast: int = 96
    subthreshold: int = 8
    ablation: int = 12
    disparity: int = 4


def run_biology(
    *,
    engine: str = "auto",
    seed: int = 1,
    trials: Trials | None = None,
    disparities_deg: tuple[float, ...] = DISPARITY_deg,
    output: str | Path | None = None,
    overwrite: bool = False,
    parameters: Reference | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Reference experiments on the calibrated cell, held against the bounds of :data:`ketune.biology.BOUNDS`.

    Parameters
    ----------
    engine
        See :func:`ketune.engines.create`.
    trials
        How many of each.
    disparities_deg
        Between the trees' preferred orientations, for the curve of what ablation moves; the checks are at 0.
    output
        Directory for ``biology.json`` and ``biology.png``.
    parameters
        Instead of the shipped set.

    Returns
    -------
    dict
        ``ok``; ``checks``, each with ``name``, ``value``, ``se`` (Monte Carlo standard error), ``low``, ``high``,
        ``unit``, ``source``, ``meaning``, ``ok`` and ``details``; ``control``, the tuning that the set was calibrated
        to; ``curves``, what the figure shows; ``reference``, the parameters; ``seconds``.

    Raises
    ------
    InputError
        The engine is unknown or cannot be had, or the directory cannot take the result.
    """
    progress, trials = progress or NullProgress(), trials or Trials()
    check_choice(engine)
    if output is not None:
        check_output_directory(Path(output), "biology", overwrite=overwrite)
    begin = time.perf_counter()
    parameters = parameters or reference()
    total = _simulated_s(trials, len(disparities_deg), 4)
    with progress.task("reference experiments", total=total) as task:
        bench = Bench.of(parameters, engine=engine, seed=seed, on_advance=task.advance)
        task.describe("receptor block")
        checks, control, curves = _receptor_block(bench, trials.tuning)
        task.describe("subthreshold tuning")
        more, curve = _subthreshold(bench, trials.subthreshold)
        checks, curves = checks + more, curves | {"subthreshold": curve}
        task.describe("ablation")
        more, curve = _ablation(bench, trials.ablation, trials.disparity, disparities_deg)
        checks, curves = checks + more, curves | {"ablation": curve}
        task.describe("contrast")
        more, curve = _contrast(bench, trials.contrast)
        checks, curves = checks + more, curves | {"contrast": curve}
        task.describe("resting potential")
        more, curve = _rest(bench)
        checks, curves = checks + more, curves | {"rest": curve}
    result = {
        "ok": all(check.ok for check in checks),
        "checks": [check.as_dict() for check in checks],
        "control": control,
        "curves": curves,
        "reference": parameters.as_dict(),
        "trials": trials,
        "seed": seed,
        "engine": describe(bench.engine),
        "seconds": time.perf_counter() - begin,
    }
    if output is not None:
        from ketune.biology._figure import draw

        with result_directory(Path(output), "biology", overwrite=overwrite) as directory:
            write_json(directory / "biology.json", result | {"provenance": provenance()}, FORMAT)
            draw(result, directory / "biology.png")
    return result


def _simulated_s(trials: Trials, n_disparities: int, n_dendrites: int) -> float:
    k = len(ORIENTATION_deg)
    lanes = trials.tuning * (3 * (k + 1) + 4) + trials.subthreshold * 2 * (k + 1)
    lanes += (1 + n_dendrites) * k * (trials.ablation + n_disparities * trials.disparity)
    return 1.25 * (lanes + trials.contrast * 2 * (len(CONTRAST) + 1))


def _receptor_block(bench: Bench, n_trials: int) -> tuple[list[Check], dict[str, Any], dict[str, Any]]:
    """NMDA and AMPA block of the cell, inhibition intact; beside them with the interneurons blocked as well."""
    grating = bench.gratings((*ORIENTATION_deg, np.nan))
    control, no_nmda, no_ampa = bench.rates_hz(grating, (CONTROL, NO_NMDA, NO_AMPA), n_trials=n_trials)
    share = {kind: load_drug("ketamine").values()[f"{kind}.nmda_share"] for kind in ("pv", "sst")}
    at = [PREFERRED, len(ORIENTATION_deg)]
    preferred = bench.gratings((90.0, np.nan))

    def disinhibited(condition: Any, **drives: float) -> float:
        (rates,) = bench.rates_hz(preferred, (condition,), n_trials=n_trials, drive=bench.drive(**drives))
        return jackknife(evoked_ratio, control[at], rates)[0]

    without_nmda = disinhibited(NO_NMDA, pv_drive=1 - share["pv"], sst_drive=1 - share["sst"])
    without_ampa = disinhibited(NO_AMPA, pv_drive=share["pv"], sst_drive=share["sst"])
    checks = [
        Check(name, *jackknife(evoked_ratio, control[at], blocked[at]), {"interneurons_blocked_too": also})
        for name, blocked, also in (
            ("nmda_block_response", no_nmda, without_nmda),
            ("ampa_block_response", no_ampa, without_ampa),
        )
    ]
    curve = {
        "orientation_deg": ORIENTATION_deg,
        "control_hz": control.mean(axis=1),
        "no_nmda_hz": no_nmda.mean(axis=1),
        "no_ampa_hz": no_ampa.mean(axis=1),
        "control_sem_hz": control.std(axis=1, ddof=1) / np.sqrt(n_trials),
        "no_nmda_sem_hz": no_nmda.std(axis=1, ddof=1) / np.sqrt(n_trials),
    }
    return checks, _control(control), {"block": curve}


def _control(rates_hz: np.ndarray) -> dict[str, float | None]:
    """Tuning of the control, in a window of 1 s."""
    oriented, blank = rates_hz[:-1], rates_hz[-1]
    tuning = summarise(
        np.array(ORIENTATION_deg),
        oriented.mean(axis=1),
        oriented.var(axis=1, ddof=1),
        blank=float(blank.mean()),
        window_s=1.0,
        n_trials=np.full(len(oriented), oriented.shape[1]),
    )
    preferred = oriented[PREFERRED]
    return {
        "peak_hz": float(preferred.mean()),
        "orthogonal_hz": float(oriented[ORTHOGONAL].mean()),
        "spontaneous_hz": float(blank.mean()),
        "hwhm_deg": tuning.hwhm_deg,
        "osi": tuning.osi_fit,
        "gosi": tuning.gosi,
        "fano_preferred": float(preferred.var(ddof=1) / preferred.mean()) if preferred.any() else None,
    }


def _subthreshold(bench: Bench, n_trials: int) -> tuple[list[Check], dict[str, Any]]:
    """NMDA block in the recorded cell alone, spikes silenced: depolarisation above the blank's potential."""
    grating = bench.gratings((*ORIENTATION_deg, np.nan))
    v = bench.silent_mV(grating, (CONTROL, NO_NMDA), n_trials=n_trials)
    depolarisation = v[:, :-1] - v[:, -1:]
    theta = np.array(ORIENTATION_deg)

    def ratio(before: np.ndarray, after: np.ndarray) -> float:
        return gosi(theta, after) / gosi(theta, before)

    def losses(before: np.ndarray, after: np.ndarray) -> float:
        lost = 1 - after / before
        return float(lost[ORTHOGONAL] / lost[PREFERRED])

    mean = depolarisation.mean(axis=2)
    details = {
        "gosi_control": gosi(theta, mean[0]),
        "gosi_blocked": gosi(theta, mean[1]),
        "lost_preferred_mV": mean[0, PREFERRED] - mean[1, PREFERRED],
        "lost_orthogonal_mV": mean[0, ORTHOGONAL] - mean[1, ORTHOGONAL],
        "blank_mV": v[:, -1].mean(axis=1),
    }
    checks = [
        Check("nmda_cell_subthreshold_gosi", *jackknife(ratio, *depolarisation), details),
        Check("nmda_cell_loss_ratio", *jackknife(losses, *depolarisation)),
    ]
    curve = {"orientation_deg": ORIENTATION_deg, "control_mV": mean[0], "no_nmda_mV": mean[1]}
    return checks, curve


def _ablation(
    bench: Bench, n_trials: int, n_for_curve: int, disparities_deg: tuple[float, ...]
) -> tuple[list[Check], dict[str, Any]]:
    """Each dendrite removed with its synapses; the checks where both trees prefer the same orientation."""
    removed = [(a, bench.ablated(a)) for a in ablations(bench.reference, bench.cell)]
    grating = bench.gratings(ORIENTATION_deg)
    theta = np.array(ORIENTATION_deg)

    def shift(before: np.ndarray, after: np.ndarray) -> float:
        return preferred_shift_deg(theta, before, after)

    def shifts(disparity_deg: float, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        drive = bench.reference.with_disparity(disparity_deg).drive
        rates = bench.ablated_rates_hz(grating, removed, n_trials=n, drive=drive)
        both = np.array([jackknife(shift, rates[0], after) for after in rates[1:]])
        return both[:, 0], both[:, 1], rates.mean(axis=2)

    value, se, rates = shifts(0.0, n_trials)
    by_disparity = [shifts(d, n_for_curve) for d in disparities_deg]
    moved = np.array([s[0] for s in by_disparity]).reshape(-1, len(removed))
    checks = []
    for region in ("apical", "basal"):
        own = [i for i, (a, _) in enumerate(removed) if a.region == region]
        worst = max(own, key=lambda i: np.nan_to_num(abs(value[i]), nan=np.inf))
        details = {
            "disparity_deg": 0.0,
            "dendrite": removed[worst][0].label,
            "holds_to_disparity_deg": _holds_to(
                disparities_deg, moved[:, own], BOUNDS[f"{region}_ablation_po_deg"].high or 0.0
            ),
            "shift_deg": {removed[i][0].label: value[i] for i in own},
            "peak_hz": {"intact": rates[0].max()} | {removed[i][0].label: rates[1 + i].max() for i in own},
        }
        checks.append(Check(f"{region}_ablation_po_deg", abs(value[worst]), se[worst], details))
    curve = {
        "disparity_deg": disparities_deg,
        "dendrite": [a.label for a, _ in removed],
        "shift_deg": moved,
        "se_deg": np.array([s[1] for s in by_disparity]).reshape(-1, len(removed)),
        "orientation_deg": ORIENTATION_deg,
        "intact_hz": rates[0],
        "ablated_hz": rates[1:],
    }
    return checks, curve


def _holds_to(disparities_deg: tuple[float, ...], moved_deg: np.ndarray, most_deg: float) -> float | None:
    """The largest disparity up to which no dendrite's removal moves the preferred orientation by more."""
    held = np.cumprod(np.all(np.abs(moved_deg) <= most_deg, axis=1)).astype(bool)
    return float(np.array(disparities_deg)[held][-1]) if held.any() else None


def _contrast(bench: Bench, n_trials: int) -> tuple[list[Check], dict[str, Any]]:
    """Contrast response at the preferred orientation with and without NMDA, both fitted by Naka and Rushton."""
    grating = bench.gratings((*[90.0] * len(CONTRAST), np.nan), (*CONTRAST, 1.0))
    rates = bench.rates_hz(grating, (CONTROL, NO_NMDA), n_trials=n_trials)
    above = rates[:, :-1] - rates[:, -1:].mean(axis=2, keepdims=True)
    contrast = np.array(CONTRAST)

    def ratio_of(which: int) -> Callable[[np.ndarray, np.ndarray], float]:
        def ratio(before: np.ndarray, after: np.ndarray) -> float:
            return float(fit_contrast(contrast, after)[which] / fit_contrast(contrast, before)[which])

        return ratio

    fits = [fit_contrast(contrast, x.mean(axis=1)) for x in above]
    names = ("largest_hz", "c50", "exponent")
    details = {
        "control": dict(zip(names, fits[0], strict=True)),
        "no_nmda": dict(zip(names, fits[1], strict=True)),
    }
    checks = [
        Check("contrast_c50_ratio", *jackknife(ratio_of(1), *above), details),
        Check("contrast_exponent_ratio", *jackknife(ratio_of(2), *above)),
        Check("contrast_gain_ratio", *jackknife(ratio_of(0), *above)),
    ]
    curve = {
        "contrast": CONTRAST,
        "control_hz": above[0].mean(axis=1),
        "no_nmda_hz": above[1].mean(axis=1),
        "control_sem_hz": above[0].std(axis=1, ddof=1) / np.sqrt(n_trials),
        "no_nmda_sem_hz": above[1].std(axis=1, ddof=1) / np.sqrt(n_trials),
        "control_fit": fits[0],
        "no_nmda_fit": fits[1],
    }
    return checks, curve


def _rest(bench: Bench) -> tuple[list[Check], dict[str, Any]]:
    """Ketamine in the bath, every target that the cell has, in the wild type and in the HCN1 null."""
    changes = rest_changes(bench.cell, bench.engine_name)
    checks = [
        Check(
            f"hcn_{genotype}_dv_mV",
            changes[f"{genotype}_bath"],
            0.0,
            {
                "bath_uM": BATH_uM,
                "hcn_alone_mV": changes[f"{genotype}_bath_hcn"],
                "hcn_alone_saturating_mV": changes[f"{genotype}_saturating_hcn"],
            },
        )
        for genotype in ("wild_type", "null")
    ]
    return checks, changes
