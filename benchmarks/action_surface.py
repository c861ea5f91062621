"""Makes the shipped response surface that knows a drug's actions on the cell, and measures its error.

    python benchmarks/action_surface.py TRIALS_DIR [--output cat_v1_l23_actions.npz]

Trials without and with actions are simulated into TRIALS_DIR (about 25 minutes each on two cores; finished batches
stay), one network is trained on both, and what it predicts of virtual neurons under the actions of topical ketamine is
compared with the spiking cell.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from ketune._progress_display import progress_display
from ketune.afferents import place_synapses
from ketune.cell_model import default_cell
from ketune.engines import create, describe
from ketune.population import draw_population
from ketune.progress import Progress
from ketune.reproduce import HYPOTHESES, PredictedPopulation, drug_draws, prior_draws, spiking_counts
from ketune.surface import Surface, SurfaceEffort, Training, build_surface, measured, surface_key
from ketune.surface._trials import Trials
from ketune.tuning import count_sem, fit_curve, wrap_orientation

PLAIN, ACTING = SurfaceEffort(), SurfaceEffort(actions=True, window_s=(0.3, 1.0))
TRAINING = Training(hidden=64, steps=60_000)
SEED = 77
POINTS, CANDIDATES, TRIALS = 24, 120, 300
# Points at which the drug leaves less than this are all alike: nothing fires, and the surface says so.
LEAST_PEAK_HZ = 1.5


def with_actions(trials: Trials) -> Trials:
    """Trials of a cell without a drug, in the inputs of one with it: a logarithm of 0 for each action."""
    n_actions = 17 - trials.inputs.shape[1]
    none = np.ones((len(trials), n_actions))
    inputs = np.concatenate([trials.inputs[:, :-1], none, trials.inputs[:, -1:]], axis=1)
    return replace(trials, inputs=inputs)


def trained(kept: Path, progress: Progress) -> Surface:
    """One network from the trials of both designs."""
    cell = default_cell()
    parts: list[Trials] = []
    for name, effort in (("plain", PLAIN), ("acting", ACTING)):
        folder = kept / name
        folder.mkdir(parents=True, exist_ok=True)
        if len(list(folder.glob("trials-*.npz"))) < effort.trials // 256:
            build_surface(cell, effort, kept=folder, progress=progress)
        parts += [with_actions(Trials.load(file)) for file in sorted(folder.glob("trials-*.npz"))]
    made = {
        "cell": cell.name,
        "key": surface_key(cell),
        "trials": sum(map(len, parts)) // 2,
        "placements": PLAIN.placements,
        "seed": 1,
        "engine": describe(create(cell, "auto", dt_ms=PLAIN.dt_ms, dtype=np.float32)),
    }
    with progress.task("training the response surface"):
        surface = Surface.trained(Trials.joined(parts), TRAINING, seed=1, made=made)
    return measured(surface, cell, progress=progress)


def check(surface: Surface, progress: Progress) -> dict[str, object]:
    """Error of predicted tuning under fresh actions, against the spiking cell with synapses that it has not seen."""
    cell = default_cell()
    population = draw_population("cat", CANDIDATES, SEED)
    layouts = [place_synapses(cell, seed=neuron.placement_seed) for neuron in population.neurons]
    drug = drug_draws(cell, layouts[0], CANDIDATES, seed=SEED, progress=progress)
    actions = prior_draws(HYPOTHESES["everything"], drug, seed=SEED)
    turn = np.random.default_rng(SEED).standard_normal(CANDIDATES)
    angle = np.array(population.orientation_deg)
    predicted = PredictedPopulation(
        surface, cell, population.neurons, layouts, angle, population.window_s, turn=turn
    )
    engine = create(cell, "auto", dt_ms=PLAIN.dt_ms, dtype=np.float32)
    rows, silent = [], 0
    with progress.task("comparing with the spiking cell", POINTS) as task:
        for i in range(CANDIDATES):
            if len(rows) == POINTS:
                break
            values = {name: float(x[i]) for name, x in actions.items()}
            moments = predicted.moments(values)
            mean, fano = np.asarray(moments.mean)[i], np.asarray(moments.fano)[i]
            if mean[:-1].max() < LEAST_PEAK_HZ * population.window_s:
                silent += 1
                continue
            counts = spiking_counts(
                engine,
                population.neurons[i],
                layouts[i],
                angle,
                population.window_s,
                values,
                turn=float(turn[i]),
                trials=TRIALS,
                seed=SEED + i,
            )
            rows.append(compared(angle, mean, fano, counts, population.window_s))
            print(i, np.round(rows[-1], 3), flush=True)
            task.advance(1)
    return summary(rows, silent)


def summary(rows: list[list[float]], silent: int) -> dict[str, object]:
    """Median errors over points, against what was asked."""
    error = np.nanmedian(np.abs(rows), axis=0)[:4]
    asked = {"rate over the peak rate": ("1", 0.05), "selectivity index": ("1", 0.03),
             "preferred orientation": ("deg", 2.0), "Fano factor": ("1", 0.10)}  # fmt: skip
    return {
        "points": len(rows),
        "silent": silent,
        "trials": TRIALS,
        "rows": [
            {"quantity": name, "unit": unit, "error": float(e), "asked": most, "met": bool(e <= most)}
            for (name, (unit, most)), e in zip(asked.items(), error, strict=True)
        ],
        "blank_ratio": float(np.nansum([r[4] for r in rows]) / np.nansum([r[5] for r in rows])),
    }


def compared(
    angle: np.ndarray, mean: np.ndarray, fano: np.ndarray, counts: np.ndarray, window_s: float
) -> list[float]:
    """Median error of the rate over the peak, of OSI, of preferred orientation, relative one of Fano; blank rates."""
    found, variance = counts.mean(axis=1), counts.var(axis=1, ddof=1)
    distinct = slice(0, 8)
    fits = [
        fit_curve(angle[distinct], m[distinct], count_sem(m[distinct], v[distinct], np.full(8, TRIALS)))
        for m, v in ((mean, fano * mean), (found, variance))
    ]
    evoked = np.flatnonzero((mean[:-1] > 1.0) & (found[:-1] > 1.0))
    noise = np.nan
    if len(evoked):
        noise = np.mean(fano[evoked]) / np.mean(variance[evoked] / found[evoked]) - 1.0
    return [
        float(np.median(np.abs(mean - found)[:-1]) / found[:-1].max()),
        fits[0].osi - fits[1].osi,
        float(wrap_orientation(fits[0].preferred_deg - fits[1].preferred_deg)),
        float(noise),
        mean[-1] / window_s,
        found[-1] / window_s,
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("trials", type=Path)
    parser.add_argument("--output", type=Path, default=Path("cat_v1_l23_actions.npz"))
    options = parser.parse_args()
    with progress_display() as progress:
        surface = trained(options.trials, progress)
        surface.save(options.output)
        surface.made["check"] = check(surface, progress)
        surface.save(options.output)
    print(surface.made["check"], surface.error)


if __name__ == "__main__":
    main()
