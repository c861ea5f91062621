"""Are a population's control curves, which come from the response surface, those of the spiking cell?

Prints the table of docs/population.md; takes some minutes.

python docs/scripts/population_spikes.py [--neurons 3] [--trials 100]
"""

from __future__ import annotations

import argparse

import numpy as np

from ketune.afferents import Drive, Grating, place_synapses
from ketune.cell_model import default_cell
from ketune.engines import create
from ketune.inference import simulate_condition
from ketune.population import SPECIES, distributions, draw_population
from ketune.tuning import fit_counts

DT_MS = 0.05
LEAST_COUNT = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--neurons", type=int, default=3, help="of each species")
    parser.add_argument("--trials", type=int, default=100, help="of each stimulus")
    options = parser.parse_args()
    cell, experiment = default_cell(), distributions().experiment
    engine = create(cell, "auto", dt_ms=DT_MS, dtype=np.float32)
    grating = Grating(experiment.stimuli_deg, window_ms=experiment.window_s * 1e3)
    angle = np.array(experiment.orientation_deg[:8])
    print(
        "species neuron | peak Hz | blank Hz | Fano at peak | preferred deg | sigma deg | OSI: surface, spikes"
    )
    gap, ratio, moved, index = [], [], [], []
    for species in SPECIES:
        population = draw_population(species, options.neurons, 1, cell=cell)
        for i, neuron in enumerate(population.neurons):
            counts = simulate_condition(
                engine,
                place_synapses(cell, seed=neuron.placement_seed),
                grating,
                neuron.values,
                "control",
                Drive(),
                trials=options.trials,
                seed=7000 + i,
            ).counts
            counts = np.array(counts)
            mean, variance = counts.mean(axis=1), counts.var(axis=1, ddof=1)
            wanted, fano = population.statistics.mean[i], population.statistics.fano[i]
            fit, expected = (
                fit_counts(angle, mean[:8], variance[:8], options.trials),
                population.statistics.fits[i],
            )
            best, window_s = int(wanted[:-1].argmax()), experiment.window_s
            responds = wanted[:-1] >= LEAST_COUNT
            gap.append((mean - wanted) / wanted[:-1].max())
            ratio.append((variance[:-1] / np.maximum(mean[:-1], 1e-9) / fano[:-1])[responds])
            shift = (fit.preferred_deg - expected.preferred_deg + 90) % 180 - 90
            moved.append(shift)
            index.append(fit.osi - expected.osi)
            print(
                f"{species} {i} | {wanted[best] / window_s:.2f} {mean[best] / window_s:.2f} "
                f"| {wanted[-1] / window_s:.2f} {mean[-1] / window_s:.2f} "
                f"| {fano[best]:.2f} {variance[best] / mean[best]:.2f} "
                f"| {expected.preferred_deg:.1f} {fit.preferred_deg:.1f} "
                f"| {expected.sigma_deg:.1f} {fit.sigma_deg:.1f} | {expected.osi:.3f} {fit.osi:.3f}",
                flush=True,
            )
    size, factor = np.abs(np.concatenate(gap)), np.concatenate(ratio)
    print(
        f"mean count, share of the peak: median error {np.median(size):.3f}, 90 % {np.quantile(size, 0.9):.3f}"
    )
    print(
        f"Fano, spikes over surface: mean {factor.mean():.3f}, SD {factor.std():.3f}, {factor.size} stimuli"
    )
    print(
        f"preferred orientation: median {np.median(np.abs(moved)):.2f} deg, largest {np.max(np.abs(moved)):.2f}"
    )
    print(f"OSI: median {np.median(np.abs(index)):.4f}, largest {np.max(np.abs(index)):.4f}")


if __name__ == "__main__":
    main()
