"""The largest time steps whose error in the expected count is small enough, measured on the cell itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ketune.afferents import Drive, Grating, SynapseLayout, hard_events
from ketune.cell import Cell, Overrides
from ketune.engines import create
from ketune.engines.jax_engine import JaxEngine
from ketune.engines.schemes import Scheme, has_second_order
from ketune.errors import InputError
from ketune.events import Events
from ketune.fitting._calibrate import fit_hazard
from ketune.fitting._parameters import drive_at, synapse_overrides
from ketune.fitting._readout import Hazard, silent_cell

CANDIDATES_MS = (0.2, 0.1, 0.05, 0.025, 0.0125)
"""Steps to choose from; each divides 1 ms, at which the silent voltage is sampled."""
REFERENCE_MS = 0.0125
"""The step against which errors are measured: of second order, or half of it where the cell has none."""
BOUND = 0.01
"""Largest error of the expected count, as a share of it."""

# So far the error may lie from its measured value: an error that noise could push over the bound counts as too large.
_CERTAIN_SE = 2.0
_SAMPLE_MS = 1.0
_TRIALS, _BATCHES = 16, 4
_WINDOW_MS, _WARM_UP_MS = 500.0, 100.0


@dataclass(frozen=True)
class StepError:
    """Error of the expected count at one step, as a share of it, and its standard error over lanes."""

    dt_ms: float
    error: float
    standard_error: float

    def within(self, bound: float) -> bool:
        """Whether the error is below the bound, whatever the noise."""
        return abs(self.error) + _CERTAIN_SE * self.standard_error <= bound

    def undecided(self, bound: float) -> bool:
        """Whether more lanes could tell."""
        return not self.within(bound) and abs(self.error) - _CERTAIN_SE * self.standard_error <= bound


@dataclass(frozen=True)
class StepChoice:
    """The step chosen for one engine.

    Attributes
    ----------
    within
        False where even the smallest candidate errs by more than the bound; it is taken then.
    errors
        Of every candidate, the largest step first.
    """

    dt_ms: float
    within: bool
    errors: tuple[StepError, ...]


@dataclass(frozen=True)
class StepSizes:
    """The steps of the spiking and of the silent cell.

    Attributes
    ----------
    bound
        What the errors were to stay below.
    reference_ms, reference_scheme
        What they were measured against.
    n_lanes, mean_count
        Simulated trials, and the spikes of each.
    """

    bound: float
    spiking: StepChoice
    silent: StepChoice
    reference_ms: float
    reference_scheme: Scheme
    n_lanes: int
    mean_count: float


def choose(errors: Sequence[StepError], bound: float) -> StepChoice:
    """The largest step that, like all smaller ones, stays within the bound.

    A larger one that does so by chance, where the error changes its sign, is not taken.
    """
    ordered = sorted(errors, key=lambda e: e.dt_ms)
    n_good = next((i for i, e in enumerate(ordered) if not e.within(bound)), len(ordered))
    chosen = ordered[max(n_good - 1, 0)]
    return StepChoice(chosen.dt_ms, n_good > 0, tuple(reversed(ordered)))


def measure_steps(
    cell: Cell,
    layout: SynapseLayout,
    drive: Drive,
    values: dict[str, float],
    *,
    orientation_deg: tuple[float, ...],
    seed: int,
    bound: float = BOUND,
    trials: int = _TRIALS,
    window_ms: float = _WINDOW_MS,
    engine: str = "auto",
    on_advance: Callable[[float], None] | None = None,
) -> StepSizes:
    """Choose steps for the cell at one parameter set.

    All steps see the same events at the same times, which lie on the coarsest grid, so the differences between lanes
    cancel. Trials are added until every candidate of the spiking cell is decided, at most four times as many. The
    silent cell is read out by the escape rate that is calibrated on the reference runs themselves.

    Parameters
    ----------
    layout, drive, values, orientation_deg
        The synapses and their input; ``values`` are the fitted parameters, at which the cell has to fire.
    seed, trials, window_ms
        Of the events; trials of each orientation at first, and their counting window.
    engine
        See :func:`ketune.engines.create`.
    on_advance
        Called with simulated seconds, as many for every step.

    Raises
    ------
    InputError
        The cell never fires.
    """
    grating = Grating(orientation_deg, window_ms=window_ms, warm_up_ms=_WARM_UP_MS)
    scheme: Scheme = "second_order" if has_second_order(cell) else "backward_euler"
    reference_ms = REFERENCE_MS if scheme == "second_order" else 0.5 * REFERENCE_MS

    def engines(of: Cell) -> list[JaxEngine]:
        """The reference, then one for each candidate."""
        reference = create(of, engine, dt_ms=reference_ms, dtype=np.float32, scheme=scheme)
        return [reference, *(create(of, engine, dt_ms=dt, dtype=np.float32) for dt in CANDIDATES_MS)]

    def drawn(batch: int) -> Events:
        numbers = range(batch * trials, (batch + 1) * trials)
        rates = drive_at(values, drive)
        return hard_events(layout, grating, rates, trials=numbers, seed=seed, dt_ms=CANDIDATES_MS[0])

    overrides = synapse_overrides(values)

    spiking = engines(cell)
    counts: list[list[np.ndarray]] = [[] for _ in spiking]
    first = drawn(0)
    for batch in range(_BATCHES):
        events = drawn(batch) if batch else first
        for simulator, found in zip(spiking, counts, strict=True):
            found.append(_counts(simulator, events, overrides, on_advance))
        reference, *others = (np.concatenate(found) for found in counts)
        spiking_errors = _errors(others, reference)
        if not any(e.undecided(bound) for e in spiking_errors):
            break
    if not reference.any():
        raise InputError(
            f"--dt auto: cell '{cell.name}' fires no spike at its working drive, so no error of its counts can be "
            "measured; state the step, such as --dt '0.05 ms'"
        )
    best, *silent = (
        _silent_voltage(simulator, first, overrides, on_advance) for simulator in engines(silent_cell(cell))
    )
    hazard = fit_hazard(best, reference[: best.shape[1]], window_ms).hazard
    silent_errors = _errors(
        [_expected(v, hazard, window_ms) for v in silent], _expected(best, hazard, window_ms)
    )
    return StepSizes(
        bound=bound,
        spiking=choose(spiking_errors, bound),
        silent=choose(silent_errors, bound),
        reference_ms=reference_ms,
        reference_scheme=scheme,
        n_lanes=len(reference),
        mean_count=float(reference.mean()),
    )


def on_grid(events: Events, dt_ms: float) -> Events:
    """The same events at the same times on a finer grid."""
    factor = round(events.dt_ms / dt_ms)
    return replace(events, dt_ms=dt_ms, n_steps=events.n_steps * factor, step=events.step * np.int32(factor))


def _counts(
    engine: JaxEngine, events: Events, overrides: Overrides, on_advance: Callable[[float], None] | None
) -> np.ndarray:
    events = on_grid(events, engine.twin.dt_ms)
    run = engine.run(events, overrides=overrides, keep_voltage=False, on_advance=on_advance)
    return run.counts(from_ms=_WARM_UP_MS)


def _silent_voltage(
    engine: JaxEngine, events: Events, overrides: Overrides, on_advance: Callable[[float], None] | None
) -> np.ndarray:
    stride = round(_SAMPLE_MS / engine.twin.dt_ms)
    events = on_grid(events, engine.twin.dt_ms)
    run = engine.run(events, overrides=overrides, stride=stride, on_advance=on_advance)
    return run.v_mV[run.time_ms > _WARM_UP_MS, 0].astype(float)


def _expected(voltage_mV: np.ndarray, hazard: Hazard, window_ms: float) -> np.ndarray:
    rate_hz = hazard.rate_hz(voltage_mV, softplus=lambda z: np.logaddexp(0.0, z))
    return rate_hz.mean(axis=0) * window_ms * 1e-3


def _errors(counts: Sequence[np.ndarray], reference: np.ndarray) -> list[StepError]:
    """Of each candidate the error of the mean over lanes, and its standard error over lanes that share their events."""
    mean = max(float(reference.mean()), 1e-9)
    found = []
    for dt, count in zip(CANDIDATES_MS, counts, strict=True):
        difference = count - reference
        se = difference.std(ddof=1) / np.sqrt(len(difference))
        found.append(StepError(dt, float(difference.mean()) / mean, float(se) / mean))
    return found
