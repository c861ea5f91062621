"""Build the response surface of a cell: simulate, train, choose better trials, train again, measure the error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ketune.afferents import SynapseLayout, place_synapses
from ketune.cell import Cell
from ketune.engines import create, describe
from ketune.engines.jax_engine import JaxEngine
from ketune.progress import NullProgress, Progress, Task
from ketune.surface._design import WINDOW_S, DesignPoint, random_points
from ketune.surface._network import Training
from ketune.surface._surface import Surface
from ketune.surface._trials import Trials, inputs_of, simulate_points

_LANES = 256
_PLACEMENT_SEED = 50_000
# The first round is spread over the prior; the second goes where the cell responds and where it begins to.
_PILOT_SHARE = 0.2
_CANDIDATES = 6
_RATE_RANGE_HZ = (0.3, 70.0)
_NATURAL_SHARE = 0.25


@dataclass(frozen=True)
class SurfaceEffort:
    """How a surface is built.

    Attributes
    ----------
    trials
        Simulated trials of 0.2 to 2 s.
    placements
        Placements of the synapses among them.
    dt_ms
        Time step of the spiking cell.
    actions
        Whether a drug's actions on channels are inputs too.
    window_s
        Shortest and longest counting window.
    """

    trials: int = 24_576
    placements: int = 64
    dt_ms: float = 0.05
    actions: bool = False
    window_s: tuple[float, float] = WINDOW_S
    training: Training = field(default_factory=Training)


def build_surface(
    cell: Cell,
    effort: SurfaceEffort | None = None,
    *,
    engine: str = "auto",
    seed: int = 1,
    kept: Path | None = None,
    progress: Progress | None = None,
) -> Surface:
    """Simulate a cell over its working range and train its response surface.

    Parameters
    ----------
    kept
        Folder in which finished batches of trials stay, so that an interrupted build goes on where it was.

    Returns
    -------
    Surface
        With ``error`` yet unknown: see :func:`ketune.surface.measured`.
    """
    effort, progress = effort or SurfaceEffort(), progress or NullProgress()
    spiking = create(cell, engine, dt_ms=effort.dt_ms, dtype=np.float32)
    layouts = [place_synapses(cell, seed=_PLACEMENT_SEED + i) for i in range(effort.placements)]
    batches = max(2, round(effort.trials / _LANES))
    pilot = max(1, round(_PILOT_SHARE * batches))
    found: list[Trials] = []

    def simulate(numbers: range, surface: Surface | None, task: Task) -> None:
        for number in numbers:
            file = None if kept is None else kept / f"trials-{number}.npz"
            if file is not None and file.exists():
                found.append(Trials.load(file))
            else:
                found.append(_batch(spiking, layouts, number, effort, surface, seed))
                if file is not None:
                    found[-1].save(file)
            task.advance(1)

    with progress.task("simulating the cell over its working range (once for each cell)", batches) as task:
        simulate(range(pilot), None, task)
        early = replace(effort.training, steps=effort.training.steps // 3)
        first = Surface.trained(Trials.joined(found), early, seed=seed)
        simulate(range(pilot, batches), first, task)
    with progress.task("training the response surface"):
        made = {
            "cell": cell.name,
            "seed": seed,
            "trials": batches * _LANES,
            "placements": effort.placements,
            "engine": describe(spiking),
        }
        return Surface.trained(Trials.joined(found), effort.training, seed=seed, made=made)


def _batch(
    spiking: JaxEngine,
    layouts: Sequence[SynapseLayout],
    number: int,
    effort: SurfaceEffort,
    surface: Surface | None,
    seed: int,
) -> Trials:
    """One run of trials of the same length, each counted in its whole window and in a part of it."""
    rng = np.random.default_rng([seed, 11, number])
    shorter_s, window_s = sorted(
        round(float(np.exp(rng.uniform(*np.log(effort.window_s)))), 3) for _ in range(2)
    )
    return Trials.joined(
        simulate_points(
            spiking,
            layouts,
            _points(rng, effort, surface, layouts, spiking, window_s),
            window_s=window_s,
            shorter_s=[shorter_s],
            seed=seed + 40_000,
            first_trial=_LANES * number,
        )
    )


def _points(
    rng: np.random.Generator,
    effort: SurfaceEffort,
    surface: Surface | None,
    layouts: Sequence[SynapseLayout],
    spiking: JaxEngine,
    window_s: float,
) -> list[DesignPoint]:
    """Trials of one run: random ones, or mostly those whose predicted rates are spread evenly in their logarithm."""
    if surface is None:
        return random_points(_LANES, rng, placements=effort.placements, actions=effort.actions)
    apical = spiking.twin.cell.table.region == "apical"
    candidates = random_points(
        _CANDIDATES * _LANES, rng, placements=effort.placements, actions=effort.actions
    )
    inputs = np.array([inputs_of(p, layouts[p.placement], apical, window_s) for p in candidates])
    rate = np.asarray(surface.moments(np.log(inputs))[0]) / window_s
    natural = round(_NATURAL_SHARE * _LANES)
    slowest, fastest = np.log(_RATE_RANGE_HZ)
    wanted = np.exp(rng.uniform(slowest, fastest, _LANES - natural))
    chosen = set(range(natural))
    order = np.argsort(rate)
    place = np.searchsorted(rate[order], wanted)
    for at in place.tolist():
        # The nearest candidate that is not taken yet.
        nearest = (i for d in range(len(order)) for i in (at + d, at - d) if 0 <= i < len(order))
        chosen.add(next(int(order[i]) for i in nearest if int(order[i]) not in chosen))
    return [candidates[i] for i in sorted(chosen)]
