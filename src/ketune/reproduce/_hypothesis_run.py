"""All that is asked of one hypothesis: share of its prior, fit, held-out populations, spikes, a second morphology."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from ketune.engines.jax_engine import JaxEngine
from ketune.progress import Progress
from ketune.reproduce._arms import Arm, screened
from ketune.reproduce._counts import PopulationCounts
from ketune.reproduce._experiment import Counts, spiking_counts
from ketune.reproduce._folder import Document, RunFolder
from ketune.reproduce._hypotheses import action_ranges
from ketune.reproduce._measure import measure_pair
from ketune.reproduce._members import Members, generator, trial_seed
from ketune.reproduce._pass_rules import PassRules
from ketune.reproduce._verdicts import Verdicts, judge
from ketune.tuning import wrap_orientation

_NEURONS_AT_A_TIME = 2
# Of so many populations a verdict is called stable if this share agrees.
STABLE_SHARE = 0.8


@dataclass(frozen=True, eq=False)
class SpikingBench:
    """A population with the engine that simulates its spikes."""

    name: str
    engine: JaxEngine
    members: Members


@dataclass(frozen=True, eq=False)
class Study:
    """What all hypotheses share.

    Attributes
    ----------
    populations
        By seed; the first is fitted.
    benches
        Populations that are simulated with spikes.
    """

    folder: RunFolder
    populations: Mapping[int, Members]
    benches: Sequence[SpikingBench]
    rules: PassRules
    seed: int
    progress: Progress


def examine(study: Study, arm: Arm) -> Document:
    """Everything about one hypothesis that needs no other; finished parts are read from the run's directory."""
    name = arm.hypothesis.name
    fitted_to = study.populations[min(study.populations)]
    share = study.folder.arrays(f"{name}/share", lambda: _share(study, arm, fitted_to))
    together = np.sum([share[target] for target in study.rules.together], axis=0)
    fit = study.folder.document(f"{name}/fit", lambda: _fit(arm, fitted_to, together, study.rules))
    predicted = study.folder.document(f"{name}/predicted", lambda: _predicted(study, arm, fit["values"]))
    spiking = {bench.name: _spiking(study, arm, bench, fit["values"]) for bench in study.benches}
    return {"share": share, "fit": fit, "predicted": predicted, "spiking": spiking}


def _share(study: Study, arm: Arm, members: Members) -> dict[str, np.ndarray]:
    n = len(next(iter(arm.draws.values())))
    with study.progress.task(f"{arm.hypothesis.name}: over the drug's prior", n) as task:
        found = []
        for draw in range(n):
            found.append(screened(arm, members, study.rules, draw, seed=study.seed))
            task.advance(1)
    return {name: np.array([row[name] for row in found]) for name in found[0]}


def _fit(arm: Arm, members: Members, met: np.ndarray, rules: PassRules) -> Document:
    found = arm.fitted(members, met, rules)
    ranges = action_ranges(arm.draws)
    return {
        "values": found.actions,
        "loss": found.loss,
        "gradients": found.gradients,
        "parameters": {
            name: {
                "value": found.actions[name],
                "low": ranges[name][0],
                "high": ranges[name][1],
                "none": number.none,
                "unit": number.unit,
                "meaning": number.meaning,
                "at_bound": name in found.at_bound,
                "range_is_ours": name in arm.ours,
            }
            for name, number in arm.numbers.items()
        },
    }


def _predicted(study: Study, arm: Arm, values: Mapping[str, float]) -> Document:
    """Verdicts by the response surface in every population, without refitting."""
    rows = {}
    name = f"{arm.hypothesis.name}: {len(study.populations)} populations"
    with study.progress.task(name, len(study.populations)) as task:
        for seed, members in study.populations.items():
            rng = generator(study.seed, "predicted", arm.hypothesis.name, seed)
            counts = arm.experiment(members, values, rng)
            rows[str(seed)] = verdict_rows(judge(counts, seed=study.seed, rules=study.rules))
            task.advance(1)
    return rows


def _spiking(study: Study, arm: Arm, bench: SpikingBench, values: Mapping[str, float]) -> Document | None:
    """Verdicts from spikes; None for a hypothesis without a mechanism."""
    if arm.hypothesis.broadened:
        return None
    control = simulated(study, bench, "control", {})
    drug = simulated(study, bench, arm.hypothesis.name, values)
    population = bench.members.population
    counts = PopulationCounts(control, drug, bench.members.stimuli_deg, population.window_s)

    def make() -> Document:
        verdicts = judge(counts, seed=study.seed, rules=study.rules)
        return {**verdict_rows(verdicts), "neurons": neuron_rows(counts, bench.members)}

    return study.folder.document(f"{arm.hypothesis.name}/{bench.name}", make)


def simulated(study: Study, bench: SpikingBench, condition: str, values: Mapping[str, Any]) -> Counts:
    """Spike counts of a population in one condition, ``(neurons, stimuli, trials)``."""
    members = bench.members
    population = members.population
    n, k = len(population.neurons), len(members.stimuli_deg)

    def make() -> dict[str, np.ndarray]:
        with study.progress.task(f"{condition}: spikes, {bench.name.replace('-', ' ')}", n) as task:

            def counted(i: int) -> Counts:
                found = spiking_counts(
                    bench.engine,
                    population.neurons[i],
                    members.layouts[i],
                    members.stimuli_deg.tolist(),
                    population.window_s,
                    values,
                    turn=float(members.turn[i]),
                    trials=members.trials,
                    seed=trial_seed(study.seed, bench.name, condition, i),
                )
                task.advance(1)
                return found

            # One neuron's events are drawn while another is simulated.
            with ThreadPoolExecutor(_NEURONS_AT_A_TIME) as pool:
                rows = list(pool.map(counted, range(n)))
        return {"counts": np.array(rows, np.int32)}

    counts = study.folder.arrays(f"{condition}/{bench.name}-counts", make)["counts"]
    assert counts.shape == (n, k, members.trials)
    return counts.astype(np.int64)


def verdict_rows(verdicts: Verdicts) -> Document:
    """For the document."""
    return {
        "targets": dict(verdicts.targets),
        "margins": [
            {"low": low, "high": high, "met": verdict.met} for (low, high), verdict in verdicts.spontaneous
        ],
    }


def neuron_rows(counts: PopulationCounts, members: Members) -> Document:
    """What became of each neuron, measured as the verdicts are; NaN where there is nothing to measure."""
    control, drug = measure_pair(counts.tested_deg, *counts.gratings)
    both = control.tuned & drug.tuned
    shift = wrap_orientation(drug.preferred_deg - control.preferred_deg)
    blank = [c.mean(axis=1) / counts.window_s for c in counts.blanks]
    return {
        "disparity_deg": members.disparity_deg,
        "shift_deg": np.where(both, shift, np.nan),
        "osi_control": control.osi,
        "osi_drug": drug.osi,
        "fano_control": control.fano,
        "fano_drug": drug.fano,
        "blank_control": blank[0],
        "blank_drug": blank[1],
    }


def wilson(met: int, of: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of a share (Wilson 1927)."""
    found = stats.binomtest(met, of).proportion_ci(level, method="wilson")
    return float(found.low), float(found.high)
