"""CMA-ES on the spiking cell against the fit's own way, from the same starts to the same loss.

CMA-ES (the library `cma`) sees the loss of `_tuning_problem.py` with a fit's prior, on trials that stay the same:
what users of BluePyOpt would do. The fit's way climbs the silent twin's likelihood with gradients and asks the
spiking cell for corrections; its calibration counts. The way by the response surface climbs that instead; the surface
of the default cell is shipped, and its building does not count. All are scored by fresh trials of the spiking cell,
which do not count.

    python benchmarks/gradient_free.py [--quick] [--starts 2] [--seconds 4000] [--seed 1] [--json FILE]

Six minutes on two cores that other work shared, `--quick` about one.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from _estimators import TRIAL_S, surface_model
from _tuning_problem import (
    GRATING,
    RECORDED_TRIALS,
    SCALE,
    Problem,
    Stopwatch,
    values_at,
    write,
    x_of,
)
from gradient_estimators import REACHED
from optimisers import Objective, OwnLikelihood, surrogate_of, within

from ketune.fitting._correction import Correction
from ketune.fitting._optimise import ascend
from ketune.fitting._prior import log_prior
from ketune.inference import curvature, plain
from ketune.inference._starts import climb

_TRIALS = 6
_SCORE_TRIALS = 48
_SCORED_EVERY = 2
_SIGMA = 0.5
# As in a fit: steps before the first correction, then spiking trials and steps of each.
_FIRST_STEPS, _ROUNDS = 3, ((48, 3), (96, 3))
_SURFACE_STEPS = 60

Trace = list[dict[str, Any]]


def scored(problem: Problem, watch: Stopwatch, x: np.ndarray, stage: str, number: int) -> dict[str, Any]:
    """Cost so far, and the loss by fresh trials."""
    spent = watch.read()
    with watch.paused():
        loss = problem.loss_of(problem.counts([within(x)], _SCORE_TRIALS, 8000 + number)[0])
    return {"stage": stage, **spent, "loss": loss}


def evolve(problem: Problem, start: np.ndarray, seconds: float, seed: int) -> Trace:
    """CMA-ES until it reaches the loss or its simulated seconds are spent."""
    import cma

    watch = Stopwatch(problem)
    way = cma.CMAEvolutionStrategy(start, _SIGMA, {"seed": seed, "verbose": -9})
    trace = [scored(problem, watch, start, "start", 0)]
    generation = 0
    while watch.read()["simulated_s"] < seconds and trace[-1]["loss"] > REACHED and not way.stop():
        points = way.ask()
        counts = problem.counts([within(x) for x in points], _TRIALS, 9)
        way.tell(
            points,
            [problem.loss_of(c) - log_prior(within(x) * SCALE) for c, x in zip(counts, points, strict=True)],
        )
        generation += 1
        if generation % _SCORED_EVERY == 0:
            trace.append(scored(problem, watch, way.result.xfavorite, f"generation {generation}", generation))
    return trace


def fit(problem: Problem, start: np.ndarray, calibration_s: dict[str, float]) -> Trace:
    """The fit's way: climb the silent twin, correct it to the spiking cell, climb again."""
    surrogate = surrogate_of(problem)
    watch = Stopwatch(problem)
    trace = [scored(problem, watch, start, "start", 0)]
    u, objective = start * SCALE, Objective(surrogate, np.inf)

    def climb(steps: int, stage: str) -> np.ndarray:
        before = objective.simulated_s
        found = ascend(OwnLikelihood(objective), u, iterations=steps).coordinates
        problem.meter.silent_s += objective.simulated_s - before
        trace.append(scored(problem, watch, found / SCALE, stage, len(trace)))
        return found

    u = climb(_FIRST_STEPS, "before spikes")
    for i, (trials, steps) in enumerate(_ROUNDS):
        spiking = problem.stratified_counts(u / SCALE, trials, 40 + i)
        problem.meter.silent_s += surrogate.trials * TRIAL_S
        objective.surrogate = surrogate.with_correction(Correction.between(surrogate.expected(u), spiking))
        objective.forget()
        u = climb(steps, f"correction {i + 1}")
    for entry in trace[1:]:
        for key, value in calibration_s.items():
            entry[key] += value
    return trace


def fit_by_surface(problem: Problem, start: np.ndarray) -> Trace:
    """The fit's way by the response surface, which is known beforehand: climb, correct by spikes, climb."""
    model = surface_model(problem)
    watch = Stopwatch(problem)
    trace = [scored(problem, watch, start, "start", 0)]
    x = model.coordinates(values_at(start))
    for i, trials in enumerate((0, *(trials for trials, _ in _ROUNDS))):
        if trials:
            spiking = problem.stratified_counts(x_of(plain(model, x)), trials, 40 + i)
            before = replace(model, ratio=None).moments(x).mean
            model = replace(model, ratio=(spiking.mean(axis=1) + 0.5) / (before + 0.5))
        x = climb(model, x, _SURFACE_STEPS).x
        x = climb(model, x, _SURFACE_STEPS, spread=np.linalg.cholesky(curvature(model, x))).x
        stage = f"correction {i}" if trials else "before spikes"
        trace.append(scored(problem, watch, x_of(plain(model, x)), stage, len(trace)))
    return trace


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--starts", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=4000.0, help="simulated, of each run of CMA-ES")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    begin, quick = time.perf_counter(), arguments.quick
    problem = Problem(arguments.seed, calibration_sets=6 if quick else 12)
    starts = problem.starts(1 if quick else arguments.starts)
    watch = Stopwatch(problem)
    _ = problem.calibration
    calibration_s = watch.read()
    # Compiles what both use.
    with problem.unmetered():
        problem.counts([starts["far"]], 1, 0)
        warm = Objective(surrogate_of(problem), np.inf)
        warm.value_and_gradient(starts["far"])
        model = surface_model(problem)
        model.value_and_gradient(model.coordinates(values_at(starts["far"])))
    seconds = 300.0 if quick else arguments.seconds
    found: dict[str, Any] = {}
    for label, x in starts.items():
        found[label] = {
            "response surface": fit_by_surface(problem, x),
            "silent twin": fit(problem, x, calibration_s),
            "CMA-ES": evolve(problem, x, seconds, arguments.seed),
        }
        for name, trace in found[label].items():
            there = next((t for t in trace if t["loss"] <= REACHED), None)
            words = (
                "never"
                if there is None
                else f"{there['stage']}, {there['simulated_s']:.0f} simulated s, wall {there['wall_s']:.1f} s"
            )
            losses = " ".join(f"{t['loss']:.1f}" for t in trace)
            print(f"{label:10s} {name:16s} to {REACHED:g}: {words}; losses {losses}", flush=True)
    document = {
        "benchmark": "gradient_free",
        "quick": quick,
        "recorded_trials": RECORDED_TRIALS,
        "trials": _TRIALS,
        "conditions": len(GRATING.orientation_deg),
        "reached": REACHED,
        "calibration": calibration_s,
        "runs": found,
        "libraries": {name: metadata.version(name) for name in ("cma", "jax")},
        "seconds": time.perf_counter() - begin,
    }
    print(f"{document['seconds']:.0f} s")
    write(arguments.json, document, arguments.seed)


if __name__ == "__main__":
    main()
