"""Estimators of the gradient of a spiking cell's expected counts: bias, variance, wall time, and descent to one loss.

Part `gradients`: at parameter sets of the default cell every estimator gets the same budget of simulated seconds,
again and again with new seeds; the reference is a central difference of the spiking cell's mean counts on shared
events with many trials. Part `descent`: Adam (optax) with each estimator from the same starts, scored by fresh
trials of the spiking cell.

    python benchmarks/gradient_estimators.py [--part gradients|descent] [--quick] [--seed 1] [--json FILE]

On two cores that other work shared the parts took 17 and 10 minutes, `--quick` (one set, rough reference) about one.
Simulated seconds are those of all lanes; a tape counts three times (run, run again, adjoint).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from _escape_cell import PULSES
from _estimators import ESTIMATORS, STEP, TRIAL_S, N, Setting
from _tuning_problem import RECORDED_TRIALS, SCALE, SETS, Problem, Stopwatch, values_at, write, x_of

from ketune.fitting import NAMES
from ketune.fitting._prior import _CENTRE, PRECISION, log_prior

DESCENDED = (
    "silent twin",
    "silent twin, corrected",
    "common random numbers, forward",
    "event score and differences",
    "through spike times",
)
"""Those that say something about every parameter and are not dominated by another of their kind."""
REACHED = 4.0
"""Loss at which the means of the four orientations are within about 1.4 standard errors of the recording."""
# Shorter memories than Adam's usual ones: from a start whose slope is a hundred times steeper it otherwise shoots on
# until the cell is silent, where every gradient vanishes.
_DECAYS = (0.5, 0.9)
_BASE_TRIALS, _SCORE_TRIALS, _SCORED_EVERY = 4, 24, 3


def reference(problem: Problem, x: np.ndarray, trials: int, seed: int) -> dict[str, np.ndarray]:
    """Weights of the orientations, and the central difference with its standard error over trials."""
    points = [x, *(x + s * STEP * e for s in (1, -1) for e in np.eye(N))]
    counts = problem.counts(points, trials, seed)
    weights = problem.weights(counts[0].mean(axis=1))
    by_trial = np.einsum("pkt,k->pt", counts[1 : N + 1] - counts[N + 1 :], weights) / (2 * STEP)
    return {
        "weights": weights,
        "mean_count": counts[0].mean(axis=1),
        "gradient": by_trial.mean(axis=1),
        "standard_error": by_trial.std(axis=1, ddof=1) / np.sqrt(trials),
    }


def compared(estimates: np.ndarray, known: dict[str, np.ndarray]) -> dict[str, float]:
    """Figures of an estimator from its replicates ``(replicates, parameters)``, relative to the reference's length.

    `bias` is the length of the mean's deviation after what the noise of mean and reference adds to it on average is
    taken off; `bias_noise` is that noise. `sd` is the length of the standard deviation of one estimate.
    """
    told = np.isfinite(estimates).all(axis=0)
    g, ref, error = estimates[:, told], known["gradient"][told], known["standard_error"][told]
    size, mean, variance = np.linalg.norm(ref), g.mean(axis=0), g.var(axis=0, ddof=1)
    noise = float(np.sum(variance / len(g) + error**2))
    deviation = float(np.sum((mean - ref) ** 2))
    lengths = np.maximum(np.linalg.norm(g, axis=1), 1e-300)
    return {
        "n_told": int(told.sum()),
        "cosine": float(mean @ ref / (max(np.linalg.norm(mean), 1e-300) * size)),
        "norm": float(np.linalg.norm(mean) / size),
        "bias": float(np.sqrt(max(deviation - noise, 0.0)) / size),
        "bias_noise": float(np.sqrt(noise) / size),
        "sd": float(np.sqrt(variance.sum()) / size),
        "cosine_of_one": float(np.mean(g @ ref / (lengths * size))),
    }


def row(f: dict[str, float]) -> str:
    """Figures of an estimator in a line."""
    direction = f"{f['cosine']:6.3f} {f['norm']:6.2f} {f['bias']:6.2f} ({f['bias_noise']:.2f}) {f['sd']:8.2f}"
    return f"{direction} {f['cosine_of_one']:14.2f} {f['simulated_s']:12.1f} {f['wall_s']:8.2f}"


def gradients(
    setting: Setting, labels: Sequence[str], *, replicates: int, reference_trials: int, budget_s: float
) -> dict[str, Any]:
    """All estimators at all parameter sets."""
    problem, once = setting.problem, {}
    for name, get in {
        "escape rate of the silent twin": lambda: problem.calibration,
        "escape noise": lambda: setting.escape,
        "control variate's coefficient": lambda: setting.variate_coefficient,
    }.items():
        watch = Stopwatch(problem)
        get()
        once[name] = watch.read()
    sets: dict[str, Any] = {}
    for label in labels:
        x = x_of(SETS[label])
        begin = time.perf_counter()
        known = reference(problem, x, reference_trials, problem.seed + 9)
        size = np.linalg.norm(known["gradient"])
        own: dict[str, Any] = {}
        sets[label] = {
            "reference": {name: value.tolist() for name, value in known.items()}
            | {"relative_error": float(np.linalg.norm(known["standard_error"]) / size)}
            | {"trials": reference_trials, "wall_s": time.perf_counter() - begin},
            "estimators": own,
        }
        print(
            f"\n{label}: mean counts {known['mean_count'].round(2)}, weights {known['weights'].round(2)}, reference "
            f"length {size:.0f}, relative error {sets[label]['reference']['relative_error']:.3f}"
        )
        print(
            f"{'estimator':34s} cosine   norm   bias (noise)     sd  cosine of one  simulated s   wall s",
            flush=True,
        )
        for name, way in ESTIMATORS.items():
            with problem.unmetered():  # compiles
                way.estimate(setting, x, known["weights"], 50, budget_s)
            watch = Stopwatch(problem)
            found = np.array(
                [way.estimate(setting, x, known["weights"], 100 + r, budget_s) for r in range(replicates)]
            )
            spent = {key: value / replicates for key, value in watch.read().items()}
            own[name] = (
                compared(found, known)
                | spent
                | {"meaning": way.meaning, "mean": found.mean(axis=0), "sd_each": found.std(axis=0, ddof=1)}
            )
            print(f"{name:34s} {row(own[name])}", flush=True)
    return {"once": once, "sets": sets, "replicates": replicates, "budget_s": budget_s}


def descend(
    setting: Setting, name: str, start: np.ndarray, *, steps: int, budget_s: float, rate: float
) -> list[dict[str, float]]:
    """Adam's way down with one estimator: step, simulated seconds, wall time, and loss by fresh spiking trials."""
    import optax

    problem, way = setting.problem, ESTIMATORS[name]
    adam = optax.adam(rate, *_DECAYS)
    x, state, trace = start.copy(), adam.init(start), []
    with problem.unmetered():
        way.estimate(setting, x, np.ones(len(problem.recorded)), 50, budget_s)
    watch = Stopwatch(problem)
    for step in range(steps + 1):
        if step % _SCORED_EVERY == 0:
            spent = watch.read()
            with watch.paused():
                loss = problem.loss_of(problem.counts([x], _SCORE_TRIALS, 7000 + step)[0])
            trace.append({"step": step, **spent, "loss": loss, "log_prior": log_prior(x * SCALE)})
        if step < steps:
            base = problem.counts([x], _BASE_TRIALS, 3000 + step)[0]
            weights = problem.weights(base.mean(axis=1))
            gradient = way.estimate(setting, x, weights, 200 + step, budget_s) + prior_slope(x)
            update, state = adam.update(gradient, state, x)
            x = np.asarray(optax.apply_updates(x, update))
    return trace


def prior_slope(x: np.ndarray) -> np.ndarray:
    """Gradient of minus the log-prior of a fit."""
    return PRECISION * (x * SCALE - _CENTRE) * SCALE


def descents(problem: Problem, *, steps: int, budget_s: float, starts: int, rate: float) -> dict[str, Any]:
    """All estimators of :data:`DESCENDED` from the same starts."""
    setting = Setting(problem)
    points = problem.starts(starts)
    found: dict[str, Any] = {}
    print(
        f"{'start':10s} {'estimator':34s}  loss: first  best   last  to {REACHED:g}: steps  simulated s   wall s"
    )
    _ = problem.calibration
    for label, x in points.items():
        for name in DESCENDED:
            trace = descend(setting, name, x, steps=steps, budget_s=budget_s, rate=rate)
            loss = [t["loss"] for t in trace]
            there = next((t for t in trace if t["loss"] <= REACHED), None)
            found.setdefault(label, {})[name] = {"trace": trace, "reached": there}
            end = (
                "never"
                if there is None
                else f"{there['step']:9d} {there['simulated_s']:12.0f} {there['wall_s']:8.1f}"
            )
            print(
                f"{label:10s} {name:34s} {loss[0]:11.1f} {min(loss):6.1f} {loss[-1]:6.1f}     {end}",
                flush=True,
            )
    return {
        "starts": {k: values_at(x) for k, x in points.items()},
        "ways": found,
        "reached": REACHED,
        "learning_rate": rate,
        "budget_s": budget_s,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", choices=("gradients", "descent"), default="gradients")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    begin, quick = time.perf_counter(), arguments.quick
    problem = Problem(arguments.seed, calibration_sets=6 if quick else 12)
    document: dict[str, Any] = {
        "benchmark": f"gradient_estimators/{arguments.part}",
        "quick": quick,
        "parameters": NAMES,
        "recorded_mean": problem.recorded.mean(axis=1),
        "recorded_trials": RECORDED_TRIALS,
        "libraries": {name: metadata.version(name) for name in ("jax", "optax")},
    }
    if arguments.part == "gradients":
        document |= gradients(
            Setting(problem, PULSES[3:5], variate_sets=1) if quick else Setting(problem),
            ("far",) if quick else tuple(SETS),
            replicates=2 if quick else 6,
            reference_trials=4 if quick else 64,
            budget_s=(11 if quick else 44) * TRIAL_S,
        )
    else:
        document |= descents(
            problem,
            steps=2 if quick else 30,
            budget_s=(12 if quick else 24) * TRIAL_S,
            starts=1 if quick else 2,
            rate=0.05,
        )
    document["seconds"] = time.perf_counter() - begin
    print(f"{document['seconds']:.0f} s")
    write(arguments.json, document, arguments.seed)


if __name__ == "__main__":
    main()
