"""Fit a cell to the spike counts of one recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ketune.afferents import Drive, Grating, SynapseLayout, place_synapses, stratified_gain
from ketune.cell import Cell
from ketune.engines import create
from ketune.fitting._calibrate import Calibration, calibrate
from ketune.fitting._correction import Correction
from ketune.fitting._effort import Effort
from ketune.fitting._ensemble import expected_counts
from ketune.fitting._observed import DirectionCounts, Observed, fano_of, likelihood_of, preferred_deg
from ketune.fitting._optimise import Ascent, ascend
from ketune.fitting._parameters import (
    NAMES,
    PARAMETERS,
    coordinates_of,
    drive_at,
    normalised,
    synapse_overrides,
    values_of,
)
from ketune.fitting._prior import PRECISION, WORKING_RANGE, Posterior, log_prior, working_values
from ketune.fitting._silent import SilentTwin
from ketune.fitting._spiking import SpikeCounts, simulate_counts
from ketune.fitting._spontaneous import SpontaneousRate
from ketune.fitting._step_size import StepSizes, measure_steps
from ketune.fitting._surrogate import Surrogate
from ketune.fitting._undetermined import UNDETERMINED_DEG, UNDETERMINED_LOG_SD, combination_in_words
from ketune.progress import NullProgress, Progress, Task

# The likelihood bends away from its quadratic form along open directions: each draw is tried at several lengths.
_DRAW_SCALES = (1.0, 0.5, 0.2)
# Half the 95 % quantile of chi-squared with 11 degrees of freedom: sets within it cannot be told from the best.
KEPT_WITHIN = 9.8
# Where the error of time steps is measured: at the peak and on the flank of the tuning curve.
_PEAK_DEG, _FLANK_DEG = 90.0, 30.0


@dataclass(frozen=True, eq=False)
class KeptSet:
    """A parameter set that the data cannot tell from the best."""

    values: dict[str, float]
    log_likelihood_difference: float
    placement_seed: int


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted cell.

    Attributes
    ----------
    values, standard_error
        Best parameters, and standard errors from the curvature of the likelihood: lower bounds, since they ignore
        which synapses and events were drawn.
    determined
        Whether a parameter's standard error stays below a factor of two (or 30 degrees).
    undetermined
        Combinations of parameters that the data leave open, each with the standard deviation of its logarithm.
    status
        ``"converged"``, or ``"stopped"`` when the last round still gained more than the tolerance.
    kept
        Parameter sets within :data:`KEPT_WITHIN` of the best of their placement; the first is the best.
    expected
        Corrected expected counts at the best set, ``(orientations, trials)``; an assumed blank comes last.
    """

    values: dict[str, float]
    standard_error: dict[str, float]
    determined: dict[str, bool]
    undetermined: tuple[tuple[str, float], ...]
    status: str
    log_likelihood: float
    bias_correction: float
    kept: tuple[KeptSet, ...]
    calibration: Calibration
    correction: Correction
    expected: np.ndarray
    history: tuple[tuple[str, float], ...]

    @property
    def _trials(self) -> np.ndarray:
        m = self.expected.shape[1]
        return np.array([self.correction.matrix(k, m) @ e for k, e in enumerate(self.expected)])

    @property
    def fitted_mean(self) -> np.ndarray:
        """Mean count of each orientation under the fitted law."""
        return self._trials.mean(axis=1)

    @property
    def fitted_fano(self) -> np.ndarray:
        """Fano factor of each orientation under the fitted law."""
        return self.correction.dispersion + np.var(self._trials, axis=1) / np.maximum(self.fitted_mean, 1e-9)


class Fitter:
    """The stages of a fit, sharing compiled engines.

    Parameters
    ----------
    cell
        Spiking cell at rest.
    orientation_deg, counts
        Recorded conditions (``nan`` for a blank) and the spikes of each one's trials, apart for each drift direction
        where the recording was folded.
    window_ms
        Counting window.
    spontaneous
        What is assumed of a blank that was not recorded: it becomes one more condition, the last.
    drive
        Afferent parameters that are not fitted.
    effort, seed
        How much work, and the seed of everything random.
    engine
        What simulates spikes: see :func:`ketune.engines.create`.
    """

    def __init__(
        self,
        cell: Cell,
        orientation_deg: Sequence[float],
        counts: Sequence[np.ndarray | DirectionCounts],
        *,
        window_ms: float,
        spontaneous: SpontaneousRate | None = None,
        drive: Drive | None = None,
        effort: Effort | None = None,
        engine: str = "auto",
        seed: int = 1,
        progress: Progress | None = None,
    ) -> None:
        self.cell, self.window_ms, self.seed, self.engine = cell, window_ms, seed, engine
        self.drive, self.effort = drive or Drive(), effort or Effort()
        blank = () if spontaneous is None else (spontaneous,)
        self.orientation_deg = (*(float(o) for o in orientation_deg), *(np.nan for _ in blank))
        self.observed: tuple[Observed, ...] = (*counts, *blank)
        self.progress = progress or NullProgress()
        self._short = Grating(
            self.orientation_deg, window_ms=min(window_ms, self.effort.window_ms), warm_up_ms=100.0
        )
        self._full = Grating(self.orientation_deg, window_ms=window_ms)
        self._scale = window_ms / self._short.window_ms
        self.spiking = create(cell, engine, dt_ms=self.effort.spiking_dt_ms, dtype=np.float32)
        self._twin = SilentTwin(
            cell,
            self.drive,
            warm_up_ms=self._short.warm_up_ms,
            dt_ms=self.effort.silent_dt_ms,
            engine=engine,
        )
        self._layouts: dict[int, SynapseLayout] = {}
        self._history: list[tuple[str, float]] = []

    def layout(self, placement_seed: int) -> SynapseLayout:
        """The synapses of one placement."""
        if placement_seed not in self._layouts:
            self._layouts[placement_seed] = place_synapses(self.cell, seed=placement_seed)
        return self._layouts[placement_seed]

    def random_sets(self, n: int) -> list[dict[str, float]]:
        """Parameter sets drawn from the working range, both trees near the recorded preferred orientation."""
        rng = np.random.default_rng([self.seed, 1])
        preferred = preferred_deg(self.orientation_deg, self.observed)
        sets = []
        for _ in range(n):
            values = {name: float(np.exp(rng.uniform(*np.log(box)))) for name, box in WORKING_RANGE.items()}
            values["preferred_basal_deg"] = preferred + 10.0 * rng.standard_normal()
            values["preferred_apical_deg"] = preferred + 20.0 * rng.standard_normal()
            sets.append({name: values[name] for name in NAMES})
        return sets

    def step_sizes(self, bound: float) -> StepSizes:
        """The largest steps that keep the error of the expected count below a bound, at a working drive."""
        with self.progress.task("measuring the error of time steps") as task:
            return measure_steps(
                self.cell,
                self.layout(self.seed),
                self.drive,
                working_values(_PEAK_DEG),
                orientation_deg=(_PEAK_DEG, _PEAK_DEG - _FLANK_DEG),
                seed=self.seed + 3000,
                bound=bound,
                engine=self.engine,
                on_advance=task.advance,
            )

    def run(self) -> Fit:
        """All stages."""
        calibration = self._calibrate()
        surrogate = self._surrogate(0, calibration)
        ascents = self._ascend_from(self._screen(surrogate), surrogate)
        ascent, surrogate = self._correct(max(ascents, key=lambda a: a.log_likelihood), surrogate)
        error, determined, undetermined = _uncertainty(ascent)
        return Fit(
            values=normalised(values_of(ascent.coordinates)),
            standard_error=error,
            determined=determined,
            undetermined=undetermined,
            status=ascent.status,
            log_likelihood=ascent.log_likelihood - log_prior(ascent.coordinates),
            bias_correction=surrogate.bias_correction(ascent.coordinates),
            kept=self._keep(ascent, calibration, surrogate.correction),
            calibration=calibration,
            correction=surrogate.correction,
            expected=surrogate.expected(ascent.coordinates),
            history=tuple(self._history),
        )

    def _calibrate(self) -> Calibration:
        n, trials = self.effort.calibration_sets, 2
        seconds = n * len(self.orientation_deg[::2]) * trials * 0.65 * 2
        with self.progress.task("calibrating the escape rate on spikes", seconds) as task:
            return calibrate(
                self.cell,
                self.layout(self.seed),
                self.drive,
                self.random_sets(n),
                orientation_deg=self.orientation_deg[::2],
                seed=self.seed + 1000,
                spiking_dt_ms=self.effort.spiking_dt_ms,
                silent_dt_ms=self.effort.silent_dt_ms,
                trials=trials,
                engine=self.engine,
                on_advance=task.advance,
            )

    def _likelihood_of_sets(
        self,
        sets: Sequence[dict[str, float]],
        layout: SynapseLayout,
        calibration: Calibration,
        correction: Correction,
        trials: int,
        description: str,
    ) -> np.ndarray:
        """Log-likelihood of many parameter sets, all lanes of one run; events are kept or not, never softly."""
        seconds = len(sets) * len(self.observed) * trials * self._short.duration_ms * 1e-3
        with self.progress.task(description, seconds) as task:
            expected = self._scale * expected_counts(
                self._twin.engine,
                [layout] * len(sets),
                self._short,
                self.drive,
                sets,
                calibration.hazard,
                trials=trials,
                seed=self.seed,
                gain=stratified_gain(trials),
                on_advance=task.advance,
            )
        return np.array([self._total(e, correction) for e in expected])

    def _total(self, expected: np.ndarray, correction: Correction) -> float:
        laws = (
            likelihood_of(
                observed,
                correction.matrix(k, expected.shape[1]) @ expected[k],
                float(correction.dispersion[k]),
            )
            for k, observed in enumerate(self.observed)
        )
        return sum(law.log_likelihood for law in laws)

    def _screen(self, surrogate: Surrogate) -> list[dict[str, float]]:
        sets = self.random_sets(self.effort.screening_sets)
        value = self._likelihood_of_sets(
            sets,
            surrogate.layout,
            surrogate.calibration,
            surrogate.correction,
            3,
            "screening starting points",
        )
        order = np.argsort(-value)
        self._history.append(("screening", float(value[order[0]])))
        return [sets[i] for i in order[: self.effort.starts]]

    def _surrogate(
        self, placement: int, calibration: Calibration, correction: Correction | None = None
    ) -> Surrogate:
        fano = np.array([fano_of(o) for o in self.observed])
        early = Correction.before_spikes(fano, self._short.window_ms / self.window_ms)
        return Surrogate(
            self._twin,
            self.layout(self.seed + placement),
            self.drive,
            self._short,
            self.observed,
            window_ms=self.window_ms,
            calibration=calibration,
            trials=self.effort.trials,
            seed=self.seed,
            correction=correction or early,
        )

    def _climb(self, surrogate: Surrogate, start: np.ndarray, iterations: int, stage: str) -> Ascent:
        with self.progress.task(f"climbing the likelihood, {stage}", iterations) as task:
            ascent = ascend(
                Posterior(surrogate), start, iterations=iterations, on_iteration=lambda *_: task.advance(1)
            )
        self._history += [(stage, value) for value in ascent.history]
        return ascent

    def _ascend_from(self, starts: list[dict[str, float]], surrogate: Surrogate) -> list[Ascent]:
        return [
            self._climb(surrogate, coordinates_of(s), self.effort.iterations, f"start {i + 1}")
            for i, s in enumerate(starts)
        ]

    def simulate(
        self,
        values: dict[str, float],
        *,
        trials: int,
        seed: int,
        placement_seed: int,
        stratified: bool,
        task: Task,
    ) -> SpikeCounts:
        """Spiking counts of the recorded orientations in the recording's window."""
        return simulate_counts(
            self.spiking,
            self.layout(placement_seed),
            self._full,
            drive_at(values, self.drive),
            synapse_overrides(values),
            n_trials=trials,
            seed=seed,
            gain=stratified_gain(trials) if stratified else None,
            on_advance=task.advance,
        )

    def _correct(self, best: Ascent, surrogate: Surrogate) -> tuple[Ascent, Surrogate]:
        """Alternate between correcting the silent twin to the spiking cell and climbing (space mapping).

        The ratio of the two changes along the way, so each round uses its own, from new trials.
        """
        for i, (trials, iterations) in enumerate(self.effort.corrections):
            seconds = len(self.observed) * trials * self._full.duration_ms * 1e-3
            with self.progress.task(f"asking the spiking cell, round {i + 1}", seconds) as task:
                spiking = self.simulate(
                    values_of(best.coordinates),
                    trials=trials,
                    seed=self.seed + 2000 + i,
                    placement_seed=self.seed,
                    stratified=True,
                    task=task,
                )
            correction = Correction.between(
                surrogate.expected(best.coordinates), spiking.counts, surrogate.correction.window_ratio
            )
            surrogate = surrogate.with_correction(correction)
            best = self._climb(surrogate, best.coordinates, iterations, f"round {i + 1}")
        return best, surrogate

    def _keep(self, ascent: Ascent, calibration: Calibration, correction: Correction) -> tuple[KeptSet, ...]:
        """Parameter sets that the data cannot tell from the best, over several placements.

        Draws follow the curvature of the likelihood, stretched along the directions it leaves open; each is judged by
        its own simulated likelihood against the best of its placement.
        """
        rng = np.random.default_rng([self.seed, 2])
        kept = [KeptSet(normalised(values_of(ascent.coordinates)), 0.0, self.seed)]
        for placement in range(self.effort.placements):
            centre, layout_seed = ascent.coordinates, self.seed + placement
            if placement:
                surrogate = self._surrogate(placement, calibration, correction)
                stage = f"synapse placement {placement + 1}"
                centre = self._climb(surrogate, centre, self.effort.placement_iterations, stage).coordinates
            steps = _draws(ascent.information, self.effort.draws, rng)
            sets = [values_of(centre)] + [
                values_of(centre + x * step) for step in steps for x in _DRAW_SCALES
            ]
            text = f"other parameter sets, placement {placement + 1}"
            value = self._likelihood_of_sets(
                sets, self.layout(layout_seed), calibration, correction, self.effort.trials, text
            )
            below = value - value[0]
            first = 1 if placement == 0 else 0
            kept += [
                KeptSet(normalised(sets[i]), float(below[i]), layout_seed)
                for i in range(first, len(sets))
                if below[i] >= -KEPT_WITHIN
            ]
        return tuple(most_different(kept, self.effort.kept))


def _eigen(information: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and vectors of the information matrix with angles in units of 10 degrees."""
    scale = np.where([p.scale == "orientation" for p in PARAMETERS], 10.0, 1.0)
    values, vectors = np.linalg.eigh(information * np.outer(scale, scale))
    return np.maximum(values, 1e-9), vectors * scale[:, None]


def _draws(information: np.ndarray, n: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Steps with the covariance that the curvature implies, each direction limited to one unit."""
    values, vectors = _eigen(information)
    spread = np.minimum(1.0 / np.sqrt(values), 1.0)
    return [vectors @ (spread * rng.standard_normal(len(values))) for _ in range(n)]


def _uncertainty(
    ascent: Ascent,
) -> tuple[dict[str, float], dict[str, bool], tuple[tuple[str, float], ...]]:
    u = ascent.coordinates
    values, vectors = _eigen(ascent.information - np.diag(PRECISION))
    # A direction that the data do not constrain at all still has the width of the bounds.
    variance = np.minimum(1.0 / values, 25.0)
    coordinate_sd = np.sqrt((vectors**2) @ variance)
    slope = np.array([p.slope(x) for p, x in zip(PARAMETERS, u, strict=True)])
    error = {p.name: float(abs(s) * sd) for p, s, sd in zip(PARAMETERS, slope, coordinate_sd, strict=True)}
    fitted = values_of(u)
    determined = {
        p.name: bool(
            error[p.name] < UNDETERMINED_DEG
            if p.scale == "orientation"
            else error[p.name] < UNDETERMINED_LOG_SD * float(fitted[p.name])
        )
        for p in PARAMETERS
    }
    combinations = []
    for value, vector in zip(values, vectors.T, strict=True):
        log_change = vector * np.array(
            [UNDETERMINED_LOG_SD / UNDETERMINED_DEG if p.scale == "orientation" else s / float(fitted[p.name])
             for p, s in zip(PARAMETERS, slope, strict=True)]
        )  # fmt: skip
        size = float(np.linalg.norm(log_change) / np.sqrt(max(value, 1 / 25.0)))
        if size > UNDETERMINED_LOG_SD:
            combinations.append((combination_in_words(NAMES, log_change), size))
    return error, determined, tuple(combinations)


def most_different(kept: list[KeptSet], n: int) -> list[KeptSet]:
    """The best set and those that lie furthest from the ones already chosen, in coordinates."""
    if len(kept) <= n:
        return kept
    scale = np.where([p.scale == "orientation" for p in PARAMETERS], 20.0, 1.0)
    at = np.array([coordinates_of(k.values) for k in kept]) / scale
    angle = np.array([p.scale == "orientation" for p in PARAMETERS])
    chosen = [0]
    while len(chosen) < n:
        apart = at[:, None] - at[chosen]
        apart[..., angle] = (apart[..., angle] * 20.0 + 90.0) % 180.0 / 20.0 - 4.5
        distance = np.linalg.norm(apart, axis=-1).min(axis=1)
        distance[chosen] = -1
        chosen.append(int(np.argmax(distance)))
    return [replace(kept[i]) for i in chosen]
