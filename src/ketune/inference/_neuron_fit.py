"""Fit one neuron: what its recordings determine, and one placement of synapses with which the spiking cell agrees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ketune.afferents import Drive, Grating, SynapseLayout, place_synapses, stratified_gain
from ketune.cell import Cell
from ketune.engines.jax_engine import JaxEngine
from ketune.fitting import KEPT_WITHIN, PARAMETERS, SpikeCounts, drive_at, simulate_counts, synapse_overrides
from ketune.inference._conditions import ConditionCounts, factors_of
from ketune.inference._model import JointModel
from ketune.inference._placement_noise import Trees
from ketune.inference._priors import Prior
from ketune.inference._profile import Profile, profiles
from ketune.inference._sample import Draws, sample_modes
from ketune.inference._starts import Optimum, curvature, find_optimum, refine
from ketune.progress import NullProgress, Progress
from ketune.surface import Surface, SurfaceError, surface_of

_TREE_PLACEMENTS = 8
_STEPS = 200
# Half a spike is added to both means before their ratio: below one spike it says little.
_HALF_SPIKE = 0.5
_RATIO_RANGE, _FANO_RATIO_RANGE = (0.2, 5.0), (0.2, 5.0)
# What the surface still errs by, as a factor on the rates, where it was just corrected by the spiking cell.
_CORRECTED_SD = 0.003
_TRIALS_SEED = 2000
_KEPT_PLACEMENTS, _KEPT_DRAWS = 3, 24


@dataclass(frozen=True)
class InferenceEffort:
    """How much work an inference does.

    Attributes
    ----------
    screened, followed
        Starting points drawn, and how many of them are followed.
    corrections
        Trials per stimulus and condition of the spiking cell, for each correction of the surface.
    chains, warm_up, draws
        Of the sampler; no draws leave the posterior out.
    """

    screened: int = 256
    followed: int = 8
    corrections: tuple[int, ...] = (48, 96, 192)
    chains: int = 4
    warm_up: int = 120
    draws: int = 250


@dataclass(frozen=True, eq=False)
class Correction:
    """One correction of the surface: where it was made, and the largest deviations that it took up."""

    trials: int
    log_density: float
    largest_mean_ratio: float
    largest_fano_ratio: float


@dataclass(frozen=True, eq=False)
class NeuronFit:
    """What was found.

    Attributes
    ----------
    model, optimum, covariance, profiles, draws
        Of the neuron whose synapses are unknown: what the data determine. ``draws`` is None where none were asked for.
    placed, estimate
        Model and coordinates of one placement of the synapses, corrected by the spiking cell.
    status
        ``"converged"``, or ``"stopped"`` where the last ascent used up its steps.
    kept
        Coordinates, loss of log density against the best of the placement, and placement seed of parameter sets that
        the data cannot tell from the best; the first is the estimate.
    simulated_s
        Simulated seconds of the spiking cell.
    """

    model: JointModel
    optimum: Optimum
    covariance: np.ndarray
    profiles: tuple[Profile, ...]
    draws: Draws | None
    placed: JointModel
    estimate: np.ndarray
    log_density: float
    status: str
    kept: tuple[tuple[np.ndarray, float, int], ...]
    corrections: tuple[Correction, ...]
    gradients: int
    simulated_s: float

    @property
    def values(self) -> dict[str, float]:
        """Estimate of every parameter, orientations in [0, 180)."""
        return plain(self.placed, self.estimate)


def plain(model: JointModel, x: np.ndarray) -> dict[str, float]:
    """Parameter values as floats, orientations in [0, 180)."""
    found = model.values(x)
    angles = {p.name for p in model.parameters if p.scale == "orientation"}
    return {n: float(v) % 180.0 % 180.0 if n in angles else float(v) for n, v in found.items()}


def condition_drive(values: Mapping[str, float], label: str, drive: Drive) -> tuple[Drive, dict[str, float]]:
    """Afferent rates and parameters of the cell's synapses in a condition."""
    factor = factors_of(values, label)
    shared = {p.name: values[p.name] for p in PARAMETERS}
    dosed = replace(drive_at(shared, drive), pv_drive=factor["pv"], sst_drive=factor["sst"])
    return dosed, {**shared, "nmda_nS": shared["nmda_nS"] * factor["nmda"]}


def simulate_condition(
    engine: JaxEngine,
    layout: SynapseLayout,
    grating: Grating,
    values: Mapping[str, float],
    label: str,
    drive: Drive,
    *,
    trials: int,
    seed: int,
    stratified: bool = False,
) -> SpikeCounts:
    """Spike counts of one condition from the spiking cell."""
    dosed, synapses = condition_drive(values, label, drive)
    return simulate_counts(
        engine,
        layout,
        grating,
        dosed,
        synapse_overrides(synapses),
        n_trials=trials,
        seed=seed,
        gain=stratified_gain(trials) if stratified else None,
    )


def fit_neuron(
    cell: Cell,
    conditions: Sequence[ConditionCounts],
    orientation_deg: Sequence[float],
    *,
    window_s: float,
    spiking: JaxEngine,
    drive: Drive | None = None,
    fitted: Sequence[ConditionCounts] | None = None,
    priors: Mapping[str, Prior] | None = None,
    start: Mapping[str, float] | None = None,
    effort: InferenceEffort | None = None,
    surface: Surface | None = None,
    engine: str = "auto",
    seed: int = 1,
    progress: Progress | None = None,
) -> NeuronFit:
    """All stages of a fit by the cell's response surface.

    Parameters
    ----------
    conditions
        The control first; a drug's factors are those of its condition.
    orientation_deg
        Stimuli of every condition, ``nan`` for a blank.
    spiking
        Engine of the spiking cell.
    fitted
        Counts that the estimate of one placement is fitted to, where some trials are kept for a check; intervals always
        come from all.
    start
        One more starting point, by parameter; those left out start in the middle of their priors.
    surface
        Response surface; the cell's own if not given, which is built where it is not known yet.

    Raises
    ------
    InputError
        The priors exclude the start.
    """
    drive, effort, progress = drive or Drive(), effort or InferenceEffort(), progress or NullProgress()
    surface = surface or surface_of(cell, engine=engine, progress=progress)
    apical = cell.table.region == "apical"
    trees = Trees.of([place_synapses(cell, seed=seed + i) for i in range(_TREE_PLACEMENTS)], apical)
    model = JointModel(
        surface,
        tuple(conditions),
        tuple(map(float, orientation_deg)),
        window_s,
        trees,
        drive,
        dict(priors or {}),
    )
    with progress.task("searching from many starts", None):
        optimum = find_optimum(
            model,
            seed=seed,
            screened=effort.screened,
            followed=effort.followed,
            start=None if start is None else _start(model, start),
        )
        covariance = curvature(model, optimum.coordinates)
    with progress.task("profiles", len(model.parameters)) as task:
        profiled = profiles(model, optimum.coordinates, covariance, on_done=lambda: task.advance(1))
    draws = None
    if effort.draws:
        with progress.task("sampling the posterior", effort.chains) as task:
            draws = sample_modes(
                model,
                optimum.modes,
                seed=seed,
                chains=effort.chains,
                warm_up=effort.warm_up,
                draws=effort.draws,
                on_chain=lambda: task.advance(1),
            )
    estimated = model if fitted is None else model.with_conditions(fitted)
    placed, estimate, log_density, status, corrections, used = _corrected(
        estimated, optimum.coordinates, cell, spiking, effort, seed, progress
    )
    kept = _kept(placed, estimate, cell, seed)
    window_ms = window_s * 1e3
    per_trial = Grating(model.orientation_deg, window_ms=window_ms).duration_ms * 1e-3
    return NeuronFit(
        model,
        optimum,
        covariance,
        profiled,
        draws,
        placed,
        estimate,
        log_density,
        status,
        kept,
        corrections,
        optimum.gradients + sum(p.gradients for p in profiled) + used + (draws.gradients if draws else 0),
        sum(effort.corrections) * len(model.conditions) * len(model.orientation_deg) * per_trial,
    )


def _start(model: JointModel, start: Mapping[str, float]) -> np.ndarray:
    x = np.array([p.centre for p in model.prior])
    for i, name in enumerate(model.names):
        if name in start:
            x[i] = model.coordinates({**model.values(x), name: start[name]})[i]
    return x


def _corrected(
    model: JointModel,
    x: np.ndarray,
    cell: Cell,
    spiking: JaxEngine,
    effort: InferenceEffort,
    seed: int,
    progress: Progress,
) -> tuple[JointModel, np.ndarray, float, str, tuple[Correction, ...], int]:
    """Alternate between asking the spiking cell of one placement and climbing (space mapping)."""
    placed = _at_placement(model, cell, seed)
    grating = Grating(model.orientation_deg, window_ms=model.window_s * 1e3)
    result = refine(placed, x, _STEPS)
    used, made = result.nfev, []
    for i, trials in enumerate(effort.corrections):
        with progress.task(f"asking the spiking cell, round {i + 1}", len(model.conditions)) as task:
            counts = []
            for c, condition in enumerate(model.conditions):
                assert placed.layout is not None
                counts.append(
                    simulate_condition(
                        spiking,
                        placed.layout,
                        grating,
                        plain(placed, result.x),
                        condition.label,
                        model.drive,
                        trials=trials,
                        seed=seed + _TRIALS_SEED + 100 * i + c,
                        stratified=True,
                    )
                )
                task.advance(1)
        predicted = replace(placed, ratio=None, fano_ratio=None).moments(result.x)
        mean = np.array([c.mean for c in counts])
        variance = np.array([c.variance for c in counts])
        ratio = np.clip((mean + _HALF_SPIKE) / (predicted.mean + _HALF_SPIKE), *_RATIO_RANGE)
        # The Fano factor of few spikes is uncertain: it is shrunk towards the surface's by one spike's worth.
        fano = (variance + predicted.fano) / (mean + 1.0)
        fano_ratio = np.clip(fano / predicted.fano, *_FANO_RATIO_RANGE)
        made.append(
            Correction(trials, float(result.fun), float(_furthest(ratio)), float(_furthest(fano_ratio)))
        )
        placed = replace(_surely(placed), ratio=ratio, fano_ratio=fano_ratio)
        result = refine(placed, result.x, _STEPS)
        used += result.nfev
    return (
        placed,
        result.x,
        float(result.fun),
        "converged" if result.success else "stopped",
        tuple(made),
        int(used),
    )


def _furthest(ratio: np.ndarray) -> np.ndarray:
    return np.exp(np.abs(np.log(ratio)).max())


def _surely(model: JointModel) -> JointModel:
    """The model with a surface whose error was just taken off."""
    error = SurfaceError(location_sd=0.0, surface_sd=_CORRECTED_SD)
    return replace(model, surface=replace(model.surface, error=error))


def _at_placement(model: JointModel, cell: Cell, seed: int) -> JointModel:
    return replace(model, layout=place_synapses(cell, seed=seed), apical=cell.table.region == "apical")


def _kept(
    placed: JointModel, estimate: np.ndarray, cell: Cell, seed: int
) -> tuple[tuple[np.ndarray, float, int], ...]:
    """Parameter sets that the data cannot tell from the best, over several placements.

    Draws follow the curvature at each placement's own best; those count that lose little against it. Other placements
    keep the corrections of the first.
    """
    rng = np.random.default_rng([seed, 61])
    kept: list[tuple[np.ndarray, float, int]] = [(estimate, 0.0, seed)]
    for i in range(_KEPT_PLACEMENTS):
        model = placed if i == 0 else _at_placement(placed, cell, seed + i)
        centre = estimate
        if i:
            centre = refine(model, centre, _STEPS).x
        lower = np.linalg.cholesky(curvature(model, centre))
        sets = centre + np.concatenate(
            [np.zeros((1, len(centre))), rng.standard_normal((_KEPT_DRAWS, len(centre))) @ lower.T]
        )
        lost = model.log_densities(sets)
        lost = lost - lost[0]
        first = 1 if i == 0 else 0
        kept += [
            (sets[j], float(lost[j]), seed + i) for j in range(first, len(sets)) if lost[j] >= -KEPT_WITHIN
        ]
    return tuple(kept)
