"""How long a dose-response takes on a fitted neuron, and how far its emulator is from direct runs.

The error is what the emulator says itself, and what runs tell that it was not made from.

Ketamine in a bath, all uncertain parameters drawn from their ranges. Wall and processor time of each stage, the first
run of the neuron apart because it compiles the kernel; then the attribution at the steepest dose.

    python benchmarks/dose_response.py FIT_DIRECTORY [--doses 0.1uM:1mM:log12] [--samples 200] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ketune.engines import create
from ketune.pharmacology import DrugEffect, effect, load_drug, sample_parameters, sobol_design
from ketune.progress import NullProgress
from ketune.storage import jsonable
from ketune.workflow._attribution import attribute, relevant_parameters
from ketune.workflow._dose_range import dose_range
from ketune.workflow._dose_response import DoseResponse, dose_response
from ketune.workflow._emulator import Budget
from ketune.workflow._fit_files import cell_from, neuron_of, read_fit
from ketune.workflow._simulation import CONTROL, Condition


def fitted_neuron(directory: Path) -> Any:
    """The best parameter set of a fit, with the engine that `ketune apply` uses."""
    fit = read_fit(directory)
    cell = cell_from(fit["settings"]["cell"])
    engine = create(cell, "auto", dt_ms=fit["settings"]["effort"]["spiking_dt_ms"], dtype=np.float32)
    return neuron_of(cell, fit, fit["kept_sets"][0], engine)


def independent_error(
    response: DoseResponse, neuron: Any, effect_at: Callable[[int], DrugEffect], n: int, seed: int
) -> tuple[float, float]:
    """Root-mean-square and largest difference from direct runs of the whole pool, as shares of the control's peak.

    Effects are drawn evenly over the strength of what the drug does, apart from all that the emulator was made from.
    """
    grown = response.grown
    used = {*grown.design, *(check.row for check in grown.checks)}
    points = response.points([response.reader(effect_at(row)) for row in range(response.nmda_block.size)])
    strength = np.linalg.norm(points, axis=1)
    free = np.array([row for row in range(len(points)) if row not in used])
    wanted = np.random.default_rng(seed).uniform(0.0, strength.max(), n)
    rows = sorted({int(free[np.argmin(np.abs(strength[free] - at))]) for at in wanted})
    difference = []
    for row in rows:
        direct = neuron.counts(
            Condition("dosed", effect_at(row)),
            trials=grown.pool.counts.shape[1],
            seed=seed,
            progress=NullProgress(),
            text="",
        )
        difference.append(grown.emulator(points[[row]]).mean[0] - direct.mean)
    shares = np.array(difference) / grown.pool.peak
    return float(np.sqrt(np.mean(shares**2))), float(np.abs(shares).max())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", type=Path)
    parser.add_argument("--doses", default="0.1uM:1mM:log12")
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=Budget().seconds)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--base", type=int, default=256, help="base size of the Sobol design")
    parser.add_argument("--independent", type=int, default=12, help="direct runs that judge the stated error")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()

    stages: dict[str, dict[str, float]] = {}
    last = [time.monotonic(), processor_s()]

    def done(stage: str) -> None:
        now = [time.monotonic(), processor_s()]
        stages[stage] = {"wall_s": round(now[0] - last[0], 2), "processor_s": round(now[1] - last[1], 2)}
        last[:] = now
        print(
            f"{stage:24s} wall {stages[stage]['wall_s']:7.1f} s, processor {stages[stage]['processor_s']:7.1f} s"
        )

    neuron = fitted_neuron(arguments.directory)
    drug, n = load_drug("ketamine"), neuron.cell.table.n
    neuron.counts(CONTROL, trials=2, seed=0, progress=NullProgress(), text="")
    v_bar = neuron.mean_open_potential(seed=arguments.seed)
    done("start and compilation")
    default = drug.values()["pyramid.v_bar"]

    def effect_of(dose: float, overrides: Mapping[str, float]) -> DrugEffect:
        # The range of the mean potential is drawn around what this neuron shows.
        shift = overrides.get("pyramid.v_bar", default) - default
        return effect(drug, np.full(n, dose), v_bar + shift, overrides=overrides)

    samples = [{}, *sample_parameters(drug, arguments.samples - 1, arguments.seed)]
    budget = replace(Budget(), seconds=arguments.seconds)
    response = dose_response(
        neuron, effect_of, dose_range(arguments.doses), samples, seed=arguments.seed, budget=budget
    )
    done("dose-response")

    def effect_at(row: int) -> DrugEffect:
        i, j = divmod(row, len(response.doses.values))
        return effect_of(response.doses.values[j], samples[i])

    actual = independent_error(response, neuron, effect_at, arguments.independent, arguments.seed)
    done("independent runs")
    dose = response.steepest_dose()
    names = relevant_parameters(response, drug, effect_of, dose)
    shares = attribute(
        response, effect_of, sobol_design(drug, names, arguments.base, arguments.seed), dose=dose
    )
    done("attribution")
    document = {
        "response": response.as_dict(),
        "attribution": shares.as_dict(),
        "independent": {"error_of_peak": actual[0], "largest_error_of_peak": actual[1]},
        "stages": stages,
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
    }
    error = response.error
    print(f"seconds: { {k: round(v, 1) for k, v in response.seconds.items()} }")
    print(
        f"emulator: RMS {100 * error.rms:.2f} % of the peak, largest {100 * error.largest:.1f} %, noise of direct runs "
        f"{100 * error.direct_noise:.2f} %, leave-one-out {100 * error.leave_one_out:.2f} %, Fano factor "
        f"{100 * error.fano_rms:.0f} %; {len(response.grown.design)} points, {response.grown.simulated_trials} trials; "
        f"load {document['load']:.1f}"
    )
    print(f"independent runs: RMS {100 * actual[0]:.2f} % of the peak, largest {100 * actual[1]:.1f} %")
    print("errors of quantities: " + ", ".join(f"{k} {v:.3g}" for k, v in response.quantity_error.items()))
    for name, reason in shares.left_out.items():
        print(f"{name}: {reason}")
    for name, rows in shares.shares.items():
        leading = ", ".join(f"{r.factor} {r.total:.2f} +- {r.total_ci:.2f}" for r in rows[:4])
        print(f"{name} at {dose:.3g} uM: {leading}")
    if arguments.json:
        arguments.json.write_text(json.dumps(jsonable(document), allow_nan=False) + "\n", encoding="utf-8")


def processor_s() -> float:
    """Processor time of this process, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
