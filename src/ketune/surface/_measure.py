"""How far a response surface is from the spiking cell, on fresh trials."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ketune.afferents import place_synapses
from ketune.cell import Cell
from ketune.engines import create
from ketune.errors import InputError
from ketune.progress import NullProgress, Progress
from ketune.surface._design import random_points
from ketune.surface._inputs import INPUTS
from ketune.surface._surface import Surface, SurfaceError
from ketune.surface._trials import Trials, inputs_of, simulate_points

_LANES = 256
_FRESH_SEED = 90_000
_WINDOW_S = 0.5
# Drives at which placements are compared, placements of each, and trials of each placement.
_DRIVES, _PLACEMENTS, _REPEATS = 24, 8, 8
_MEAN_RANGES = ((0.1, 1.0), (1.0, 4.0), (4.0, 15.0), (15.0, 60.0))
# Relative change of all rates by which the surface's response to them is judged.
_RATE_STEP = 0.05


def measured(
    surface: Surface,
    cell: Cell,
    *,
    engine: str = "auto",
    dt_ms: float = 0.05,
    seed: int = 1,
    progress: Progress | None = None,
) -> Surface:
    """The surface with its error, from trials and placements that it has not seen.

    Placements that receive the same event rates respond differently, because their synapses sit elsewhere. That is
    expressed as a factor on the rates: the variance between placements of the logarithm of the mean count, beyond what
    the finite number of trials explains, over the squared logarithmic slope of the surface in the rates.
    """
    progress = progress or NullProgress()
    spiking = create(cell, engine, dt_ms=dt_ms, dtype=np.float32)
    rng = np.random.default_rng([seed, 41])
    apical = cell.table.region == "apical"
    layouts = [place_synapses(cell, seed=_FRESH_SEED + i) for i in range(_PLACEMENTS)]
    drawn = random_points(4000, rng, placements=1, actions=surface.inputs != INPUTS)
    candidates = [p for p in drawn if np.isfinite(p.orientation_deg)]
    candidates = [replace(p, gain_deviate=0.0) for p in candidates]
    mean = _predicted(surface, np.array([inputs_of(p, layouts[0], apical, _WINDOW_S) for p in candidates]))
    chosen = [candidates[i] for i in np.flatnonzero((mean > 1.5) & (mean < 30.0))[:_DRIVES]]
    if not chosen:
        raise InputError(
            f"cell '{cell.name}' hardly fires anywhere in its working range, so no response surface can be measured; "
            "make it more excitable"
        )
    points = [
        replace(p, placement=place) for p in chosen for place in range(_PLACEMENTS) for _ in range(_REPEATS)
    ]
    fresh: list[Trials] = []
    batches = [points[i : i + _LANES] for i in range(0, len(points), _LANES)]
    with progress.task("comparing the response surface with fresh trials", len(batches)) as task:
        for i, batch in enumerate(batches):
            fresh += simulate_points(
                spiking, layouts, batch, window_s=_WINDOW_S, seed=seed + 60_000, first_trial=_LANES * i
            )
            task.advance(1)
    trials = Trials.joined(fresh)
    predicted = _predicted(surface, trials.inputs)
    higher = trials.inputs.copy()
    higher[:, :5] *= 1 + _RATE_STEP
    slope = np.log(_predicted(surface, higher) / predicted) / np.log1p(_RATE_STEP)
    bias = []
    for low, high in _MEAN_RANGES:
        here = (predicted > low) & (predicted <= high)
        if here.sum() > 20:
            total = predicted[here].sum()
            off = trials.counts[here] - predicted[here]
            bias.append((low, high, float(1 + off.sum() / total), float(np.sqrt(np.sum(off**2)) / total)))
    return replace(
        surface,
        error=SurfaceError(
            location_sd=_location_sd(trials.counts, predicted, slope),
            surface_sd=_surface_sd(trials.counts, predicted, slope),
            bias=tuple(bias),
        ),
    )


def _predicted(surface: Surface, inputs: np.ndarray) -> np.ndarray:
    return np.asarray(surface.moments(np.log(inputs))[0])


def _grouped(*values: np.ndarray) -> list[np.ndarray]:
    return [v.reshape(-1, _PLACEMENTS, _REPEATS) for v in values]


def _location_sd(counts: np.ndarray, predicted: np.ndarray, slope: np.ndarray) -> float:
    n, expected, steep = _grouped(counts, predicted, slope)
    ratio = n.mean(axis=2) / expected.mean(axis=2)
    noise = (n / expected.mean(axis=2, keepdims=True)).var(axis=2, ddof=1) / _REPEATS
    between = ratio.var(axis=1, ddof=1) - noise.mean(axis=1)
    return _as_factor(between, noise.mean(axis=1), steep)


def _surface_sd(counts: np.ndarray, predicted: np.ndarray, slope: np.ndarray) -> float:
    n, expected, steep = _grouped(counts, predicted, slope)
    ratio = n.mean(axis=2) / expected.mean(axis=2)
    noise = ratio.var(axis=1, ddof=1) / _PLACEMENTS
    return _as_factor((ratio.mean(axis=1) - 1.0) ** 2 - noise, noise, steep)


def _as_factor(variance: np.ndarray, noise: np.ndarray, steep: np.ndarray) -> float:
    """Standard deviation of a factor on the rates that explains these relative variances, weighted by their noise."""
    steep2 = np.mean(steep, axis=(1, 2)) ** 2
    weight = steep2 / np.maximum(noise, np.median(noise)) ** 2
    return float(np.sqrt(max(np.sum(weight * variance) / np.sum(weight * steep2), 0.0)))
