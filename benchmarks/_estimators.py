"""Estimators of the gradient of weighted expected counts, all with one signature and one budget of simulated seconds.

Another estimator is a function under `@estimator(name, meaning)`: it takes the setting, scaled coordinates, weights
of the orientations, seed, and the budget in simulated seconds, and returns the gradient in scaled coordinates; NaN
where it says nothing. The gradient of a response surface has its place here: it needs no simulation once the
surface is built, so it ignores the budget, and the cost of building is stated beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from _escape_cell import PULSES, EscapeCell, calibrate_escape, to_coordinates
from _tuning_problem import DRIVE, GRATING, SCALE, SILENT_DT_MS, SPIKING_DT_MS, Problem, values_at

from ketune._jax import jax, jnp
from ketune.afferents import STREAMS, Candidates, candidates, gain_deviates, rate_hz, stratified_gain
from ketune.fitting import NAMES, PARAMETERS, drive_at, synapse_overrides
from ketune.fitting._correction import Correction
from ketune.fitting._silent import SilentTwin
from ketune.inference import ANGLE_UNIT_DEG, ConditionCounts, JointModel, Trees
from ketune.inference._density import moments
from ketune.surface import surface_of

N = len(PARAMETERS)
K = len(GRATING.orientation_deg)
TRIAL_S = K * GRATING.duration_ms * 1e-3
"""Simulated seconds of one trial of every orientation."""
STEP = 0.1
LONG_STEP = 0.3
_EVOLUTION_SD = 0.15
_SOFTNESS = 0.1
_TINY = 1e-4
_CORRECTION_TRIALS = 4
_TAPE_RUNS = 3
_CONDUCTANCES = np.array([name.endswith("_nS") for name in NAMES])


@dataclass(frozen=True, eq=False)
class Setting:
    """The problem, and what estimators need once: calibrations and the control variate's coefficient."""

    problem: Problem
    pulses: Sequence[tuple[float, float]] = PULSES
    variate_sets: int = 3

    @cached_property
    def escape(self) -> EscapeCell:
        """The cell with escape noise, calibrated on spikes."""
        return EscapeCell(self.problem, calibrate_escape(self.problem, self.pulses))

    @cached_property
    def variate_coefficient(self) -> float:
        """Regression of spiking on silent differences that share their events, over a few random parameter sets."""
        pairs = []
        for i, values in enumerate(self.problem.random_sets(self.variate_sets, 4)):
            x = np.array([p.coordinate(values[p.name]) for p in PARAMETERS]) / SCALE
            points = [x, *(x + STEP * np.eye(N))]
            spiking, silent = (
                np.asarray(run(points, 4, 500 + i), float)
                for run in (self.problem.counts, self.problem.silent_counts)
            )
            change = [(c[1:] - c[:1]) for c in (spiking, silent)]
            pairs.append([(c - c.mean(axis=2, keepdims=True)).ravel() for c in change])
        y, z = np.concatenate(pairs, axis=1)
        return float(y @ z / (z @ z))


Estimate = Callable[[Setting, np.ndarray, np.ndarray, int, float], np.ndarray]


@dataclass(frozen=True)
class Estimator:
    """A way to the gradient."""

    name: str
    meaning: str
    estimate: Estimate


ESTIMATORS: dict[str, Estimator] = {}


def estimator(name: str, meaning: str) -> Callable[[Estimate], Estimate]:
    """Register an estimator."""

    def register(function: Estimate) -> Estimate:
        ESTIMATORS[name] = Estimator(name, meaning, function)
        return function

    return register


def _silent_gradient(
    problem: Problem, x: np.ndarray, weights: np.ndarray, trials: int, seed: int
) -> np.ndarray:
    u = x * SCALE
    found = candidates(
        problem.layout, GRATING, drive_at(values_at(x), DRIVE), trials=range(trials), seed=seed,
        dt_ms=SILENT_DT_MS, softness=_SOFTNESS, gain=stratified_gain(trials),
    )  # fmt: skip
    features = problem.twin.features(found)
    problem.meter.reverse_s += _TAPE_RUNS * trials * TRIAL_S
    hazard = problem.calibration.hazard
    return problem.twin.gradient(u, features, hazard, np.repeat(weights, trials)) * SCALE / trials


def _trials(budget_s: float, runs: float) -> int:
    return max(1, int(budget_s / (runs * TRIAL_S) + 1e-9))


@estimator("silent twin", "reverse mode through the silent cell and its escape rate")
def silent_twin(setting: Setting, x: np.ndarray, weights: np.ndarray, seed: int, budget_s: float) -> Any:
    return _silent_gradient(setting.problem, x, weights, _trials(budget_s, _TAPE_RUNS), seed)


@estimator(
    "silent twin, corrected", "the same, counts scaled to those of a few spiking trials, as a fit does"
)
def silent_corrected(setting: Setting, x: np.ndarray, weights: np.ndarray, seed: int, budget_s: float) -> Any:
    problem, trials = setting.problem, _CORRECTION_TRIALS
    spiking = problem.stratified_counts(x, trials, seed)
    silent = problem.silent_counts([x], trials, seed)[0]
    ratio = Correction.between(silent, spiking).ratio
    left = _trials(budget_s - 2 * trials * TRIAL_S, _TAPE_RUNS)
    return _silent_gradient(problem, x, weights * ratio, left, seed)


@estimator("common random numbers, forward", f"spiking differences on shared events, step {STEP}")
def forward(setting: Setting, x: np.ndarray, weights: np.ndarray, seed: int, budget_s: float) -> Any:
    points = [x, *(x + STEP * np.eye(N))]
    mean = setting.problem.counts(points, _trials(budget_s, len(points)), seed).mean(axis=2)
    return (mean[1:] - mean[0]) @ weights / STEP


def _central(
    problem: Problem, x: np.ndarray, weights: np.ndarray, seed: int, budget_s: float, step: float
) -> np.ndarray:
    points = [x + s * step * e for s in (1, -1) for e in np.eye(N)]
    mean = problem.counts(points, _trials(budget_s, len(points)), seed).mean(axis=2)
    return (mean[:N] - mean[N:]) @ weights / (2 * step)


@estimator("common random numbers, central", f"the same on both sides, step {STEP}")
def central(setting: Setting, x: np.ndarray, weights: np.ndarray, seed: int, budget_s: float) -> Any:
    return _central(setting.problem, x, weights, seed, budget_s, STEP)


@estimator("common random numbers, long step", f"the same, step {LONG_STEP}")
def central_long(setting: Setting, x: np.ndarray, weights: np.ndarray, seed: int, budget_s: float) -> Any:
    return _central(setting.problem, x, weights, seed, budget_s, LONG_STEP)


@estimator(
    "control variate", "spiking differences, less silent ones on the same events, plus the silent gradient"
)
def control_variate(setting: Setting, x: np.ndarray, weights: np.ndarray, seed: int, budget_s: float) -> Any:
    problem, points = setting.problem, [x, *(x + STEP * np.eye(N))]
    coefficient = setting.variate_coefficient
    trials = _trials(0.6 * budget_s, 2 * len(points))
    left = _trials(budget_s - 2 * trials * len(points) * TRIAL_S, _TAPE_RUNS)
    spiking, silent = (
        run(points, trials, seed).mean(axis=2) for run in (problem.counts, problem.silent_counts)
    )
    remainder = spiking - coefficient * silent
    known = _silent_gradient(problem, x, weights, left, seed + 1)
    return coefficient * known + (remainder[1:] - remainder[0]) @ weights / STEP


@estimator(
    "evolution strategy", f"antithetic normal parameter noise, SD {_EVOLUTION_SD}, shared events in a pair"
)
def evolution(setting: Setting, x: np.ndarray, weights: np.ndarray, seed: int, budget_s: float) -> Any:
    pairs = _trials(budget_s, 2)
    noise = np.random.default_rng([seed, 8]).standard_normal((pairs, N))
    points = [x + s * _EVOLUTION_SD * e for e in noise for s in (1, -1)]
    # Each pair has events of its own.
    counts = np.stack(
        [
            setting.problem.counts(points[i : i + 2], 1, 1000 * seed + i)[..., 0]
            for i in range(0, 2 * pairs, 2)
        ]
    )
    return ((counts[:, 0] - counts[:, 1]) @ weights) @ noise / (2 * _EVOLUTION_SD * pairs)


@estimator(
    "event score", "score function of the Poisson events and the shared gain; nothing about conductances"
)
def event_score(setting: Setting, x: np.ndarray, weights: np.ndarray, seed: int, budget_s: float) -> Any:
    problem, trials = setting.problem, _trials(budget_s, 1)
    counts = problem.counts([x], trials, seed)[0]
    found = []
    # In the batches in which the counts were simulated, whose seeds they carry.
    for _, first, n in problem._batches([x], trials):
        found.append(event_scores(problem, x, n, 1000 * seed + first))
    scores = np.concatenate(found, axis=1)
    others = (counts.sum(axis=1, keepdims=True) - counts) / max(trials - 1, 1)
    gradient = np.einsum("k,kt,ktp->p", weights, counts - others, scores) / trials
    return np.where(_CONDUCTANCES, np.nan, gradient)


def event_scores(problem: Problem, x: np.ndarray, trials: int, seed: int) -> np.ndarray:
    """Derivative of the log-probability of each lane's events and gain, ``(orientations, trials, parameters)``.

    By differences of the probability of the same events, which is smooth. Events beyond the most that a port takes
    in a step are few; that they are moved by a step does not matter here.
    """
    values = values_at(x)
    found = candidates(
        problem.layout, GRATING, drive_at(values, DRIVE), trials=range(trials), seed=seed, dt_ms=SPIKING_DT_MS
    )
    deviate = gain_deviates(seed, np.arange(trials))
    log_gain = values["gain_sd"] * deviate - 0.5 * values["gain_sd"] ** 2
    scores = np.zeros((K, trials, N))
    for i in np.flatnonzero(~_CONDUCTANCES):
        low, high = (
            _log_probability(problem, values_at(x + h * np.eye(N)[i]), found, log_gain, trials)
            for h in (-_TINY, _TINY)
        )
        scores[..., i] = (high - low) / (2 * _TINY)
    return scores


def _log_probability(
    problem: Problem, values: dict[str, float], found: Candidates, log_gain: np.ndarray, trials: int
) -> np.ndarray:
    """Of events given the gain, and of the gain, whose logarithm is normal; up to constants, ``(k, trials)``."""
    drive, sd = drive_at(values, DRIVE), values["gain_sd"]
    # The deviate at which the drive's gain is the one drawn, whatever its standard deviation.
    own = (log_gain + 0.5 * sd**2) / sd
    total = np.zeros(K * trials)
    for stream in (STREAMS.index("driven"), STREAMS.index("background")):
        here = np.flatnonzero(found.stream == stream)
        lane = found.events.lane[here]
        rate = rate_hz(
            drive, stream, gain_deviate=own[lane % trials], orientation_deg=found.orientation_deg[here],
            tree=found.tree[here], deviate=found.deviate[here], time_course=found.time_course[here],
        )  # fmt: skip
        total += np.bincount(lane, np.log(rate), minlength=K * trials)
    layout = problem.layout
    driven = rate_hz(
        drive, STREAMS.index("driven"), gain_deviate=own[None, :, None],
        orientation_deg=np.asarray(GRATING.orientation_deg)[:, None, None], tree=layout.tree, deviate=layout.deviate,
    ).sum(axis=2)  # fmt: skip
    background = rate_hz(drive, STREAMS.index("background"), gain_deviate=own)
    expected = (
        driven * GRATING.window_ms + background * len(layout.compartment["exc"]) * GRATING.duration_ms
    ) * 1e-3
    # Inhibition depends on the gain that was drawn, not on the parameters. The gain's own density comes last.
    return total.reshape(K, trials) - expected - 0.5 * own**2 - np.log(sd)


@estimator(
    "event score and differences", "event score for rates, central differences for the four conductances"
)
def score_and_differences(
    setting: Setting, x: np.ndarray, weights: np.ndarray, seed: int, budget_s: float
) -> Any:
    rates = event_score(setting, x, weights, seed, 0.5 * budget_s)
    own = np.eye(N)[_CONDUCTANCES]
    points = [x + s * STEP * e for s in (1, -1) for e in own]
    mean = setting.problem.counts(points, _trials(0.5 * budget_s, len(points)), seed + 1).mean(axis=2)
    gradient = rates.copy()
    gradient[_CONDUCTANCES] = (mean[: len(own)] - mean[len(own) :]) @ weights / (2 * STEP)
    return gradient


@estimator("escape noise score", "score function of spikes drawn from a rate, after-spike conductance")
def escape_score(setting: Setting, x: np.ndarray, weights: np.ndarray, seed: int, budget_s: float) -> Any:
    return setting.escape.gradient(x, weights, _trials(budget_s, 1 + _TAPE_RUNS), seed)


def through_spikes(
    problem: Problem, x: np.ndarray, weights: np.ndarray, seed: int, trials: int, width_mV: float, taper: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Smooth counts of each lane through the spiking cell, and the gradient of their weighted mean.

    The smooth count sums the rises of a sigmoid of the somatic voltage around the threshold of -20 mV. With a taper
    each rise counts by a cosine window with the same integral as the counting window, so that spike times matter.
    """
    u = x * SCALE
    found = candidates(
        problem.layout, GRATING, drive_at(values_at(x), DRIVE), trials=range(trials), seed=seed,
        dt_ms=SPIKING_DT_MS, softness=_SOFTNESS, gain=stratified_gain(trials),
    )  # fmt: skip
    twin: SilentTwin = problem.twin
    features = twin.features(found)
    events, overrides = twin._at(u, features)
    synapses = list(synapse_overrides(values_at(x)))
    tape = problem.spiking.tape(events, wrt=synapses, overrides=overrides)
    problem.meter.reverse_s += _TAPE_RUNS * trials * TRIAL_S
    v = tape.v_mV[:, 0].astype(float)
    share = (np.arange(1, len(v)) * SPIKING_DT_MS - GRATING.warm_up_ms) / GRATING.window_ms
    inside = (share >= 0) & (share < 1)
    window = inside * (1.0 - np.cos(2 * np.pi * share) if taper else 1.0)
    s = 1.0 / (1.0 + np.exp(-(v + 20.0) / width_mV))
    rises = np.diff(s, axis=0) > 0
    counts = (window[:, None] * np.where(rises, np.diff(s, axis=0), 0.0)).sum(axis=0)
    each = np.repeat(weights, trials)[None] * window[:, None] * rises
    slope = s * (1 - s) / width_mV
    cotangent = np.zeros(tape.v_mV.shape)
    cotangent[1:, 0] += each * slope[1:]
    cotangent[:-1, 0] -= each * slope[:-1]
    gradient = tape.gradient(cotangent)
    return counts, to_coordinates(twin, u, features, gradient, gradient.weight) * SCALE / trials


@estimator(
    "through spikes, 2 mV", "reverse mode through the spiking cell, sigmoid of 2 mV about the threshold"
)
def narrow(setting: Setting, x: np.ndarray, weights: np.ndarray, seed: int, budget_s: float) -> Any:
    trials = _trials(budget_s, _TAPE_RUNS)
    return through_spikes(setting.problem, x, weights, seed, trials, 2.0, taper=False)[1]


@estimator("through spikes, 10 mV", "the same, sigmoid of 10 mV")
def wide(setting: Setting, x: np.ndarray, weights: np.ndarray, seed: int, budget_s: float) -> Any:
    trials = _trials(budget_s, _TAPE_RUNS)
    return through_spikes(setting.problem, x, weights, seed, trials, 10.0, taper=False)[1]


@estimator(
    "through spike times", "the same, 2 mV, each spike counted by a smooth window: moves with its time"
)
def spike_times(setting: Setting, x: np.ndarray, weights: np.ndarray, seed: int, budget_s: float) -> Any:
    trials = _trials(budget_s, _TAPE_RUNS)
    return through_spikes(setting.problem, x, weights, seed, trials, 2.0, taper=True)[1]


def surface_model(problem: Problem) -> JointModel:
    """The recording under the cell's response surface, at the problem's placement."""
    apical = problem.cell.table.region == "apical"
    return JointModel(
        surface_of(problem.cell),
        (ConditionCounts("control", tuple(problem.recorded)),),
        GRATING.orientation_deg,
        GRATING.window_ms * 1e-3,
        Trees.of([problem.layout], apical),
        DRIVE,
        layout=problem.layout,
        apical=apical,
    )


@estimator("response surface", "gradient of the cell's response surface at this placement; no simulation")
def response_surface(setting: Setting, x: np.ndarray, weights: np.ndarray, seed: int, budget_s: float) -> Any:
    model = surface_model(setting.problem)

    def total(x: Any) -> Any:
        scaled = x * jnp.asarray(SCALE)
        values = {p.name: p.value(scaled[i], jnp) for i, p in enumerate(PARAMETERS)}
        own = [
            values[p.name] / ANGLE_UNIT_DEG if p.scale == "orientation" else jnp.log(values[p.name])
            for p in PARAMETERS
        ]
        return moments(model.structure, model.data, jnp.stack(own)).mean[0] @ weights

    return np.asarray(jax.grad(total)(jnp.asarray(x, float)))
