"""The neuron, its recording and the loss that the benchmarks of gradients and optimisers share.

The shipped default cell with one synapse placement; four orientations, 100 ms of warm-up and a counting window of
300 ms. The recording is simulated: 25 trials of the spiking cell at the parameters `TRUTH`. The loss of a parameter
set is

    l = sum_k n (m_k - M_k)^2 / (2 v_k)

with the spiking cell's expected count m_k, and mean M_k, variance v_k and number n of the recorded counts of
orientation k: minus the log-likelihood of the recorded means. Its gradient is the functional that estimators are
compared on: sum_k w_k d m_k / d theta with w_k = n (m_k - M_k) / v_k.

Coordinates are those of a fit (logistic in the log of a rate or conductance), orientations in units of 10 degrees,
so that all have a similar scale.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ketune.afferents import Drive, Grating, SynapseLayout, place_synapses, stratified_gain
from ketune.cell import Cell
from ketune.cell_model import default_cell
from ketune.engines import create
from ketune.engines.jax_engine import JaxEngine
from ketune.fitting import PARAMETERS, drive_at, simulate_counts, synapse_overrides
from ketune.fitting._calibrate import Calibration, calibrate
from ketune.fitting._ensemble import pooled_events, pooled_overrides
from ketune.fitting._parameters import coordinates_of, values_of
from ketune.fitting._prior import WORKING_RANGE
from ketune.fitting._silent import SilentTwin
from ketune.provenance import provenance
from ketune.storage import jsonable

SCALE = np.array([10.0 if p.scale == "orientation" else 1.0 for p in PARAMETERS])
"""Of the coordinates of this file against those of a fit."""
GRATING = Grating((90.0, 65.0, 115.0, 45.0), window_ms=300.0, warm_up_ms=100.0)
RECORDED_TRIALS = 25
DRIVE = Drive()

TRUTH: dict[str, float] = {
    "peak_rate_hz": 2.0, "background_rate_hz": 0.2, "preferred_basal_deg": 90.0, "preferred_apical_deg": 80.0,
    "spread_basal_deg": 18.0, "spread_apical_deg": 22.0, "ampa_nS": 0.5, "nmda_nS": 0.5, "pv_nS": 1.0, "sst_nS": 1.0,
    "gain_sd": 0.2,
}  # fmt: skip
SETS: dict[str, dict[str, float]] = {
    "near": TRUTH | {"peak_rate_hz": 1.8, "preferred_basal_deg": 87.0, "nmda_nS": 0.55, "pv_nS": 1.1},
    "far": TRUTH | {
        "peak_rate_hz": 2.5, "background_rate_hz": 0.15, "preferred_basal_deg": 100.0, "preferred_apical_deg": 96.0,
        "spread_basal_deg": 24.0, "ampa_nS": 0.4, "nmda_nS": 0.65, "pv_nS": 1.6, "sst_nS": 0.7, "gain_sd": 0.12,
    },
}  # fmt: skip
"""Parameter sets at which gradients are compared: close to the recording's own, and as far as a start may be."""

SPIKING_DT_MS, SILENT_DT_MS = 0.05, 0.1
_SECONDS = GRATING.duration_ms * 1e-3
_LANES_AT_A_TIME = 768
_SCREENED = 24
_CALIBRATION_MS = (500.0, 150.0)


@dataclass
class Meter:
    """Simulated seconds, of lanes together: forward runs once, a tape three times (run, run again, adjoint)."""

    spiking_s: float = 0.0
    silent_s: float = 0.0
    reverse_s: float = 0.0

    @property
    def total_s(self) -> float:
        """All together."""
        return self.spiking_s + self.silent_s + self.reverse_s


def x_of(values: dict[str, float]) -> np.ndarray:
    """Scaled coordinates of parameter values."""
    return coordinates_of(values) / SCALE


def values_at(x: np.ndarray) -> dict[str, float]:
    """Parameter values at scaled coordinates."""
    return values_of(np.asarray(x) * SCALE)


@dataclass
class Problem:
    """Compiled engines, calibration and recording; `meter` counts what is simulated with them."""

    seed: int
    engine: str = "auto"
    calibration_sets: int = 12
    meter: Meter = field(default_factory=Meter)

    @cached_property
    def cell(self) -> Cell:
        return default_cell()

    @cached_property
    def layout(self) -> SynapseLayout:
        return place_synapses(self.cell, seed=self.seed)

    @cached_property
    def spiking(self) -> JaxEngine:
        return create(self.cell, self.engine, dt_ms=SPIKING_DT_MS, dtype=np.float32)

    @cached_property
    def twin(self) -> SilentTwin:
        return SilentTwin(
            self.cell, DRIVE, warm_up_ms=GRATING.warm_up_ms, dt_ms=SILENT_DT_MS, engine=self.engine
        )

    def random_sets(self, n: int, seed: int) -> list[dict[str, float]]:
        """Parameter sets drawn from the working range as a fit draws its starts."""
        rng = np.random.default_rng([self.seed, seed])
        sets = []
        for _ in range(n):
            values = {name: float(np.exp(rng.uniform(*np.log(box)))) for name, box in WORKING_RANGE.items()}
            values["preferred_basal_deg"] = 90.0 + 10.0 * rng.standard_normal()
            values["preferred_apical_deg"] = 90.0 + 20.0 * rng.standard_normal()
            sets.append({p.name: values[p.name] for p in PARAMETERS})
        return sets

    def starts(self, n: int) -> dict[str, np.ndarray]:
        """Where optimisers start: the set `far`, then the best of random sets, as a fit screens its starts."""
        found = {"far": x_of(SETS["far"])}
        if n > 1:
            points = [x_of(values) for values in self.random_sets(_SCREENED, 6)]
            with self.unmetered():
                losses = [self.loss_of(c) for c in self.counts(points, 4, 5)]
            for i, best in enumerate(np.argsort(losses)[: n - 1]):
                found[f"screened {i + 1}"] = points[best]
        return found

    @cached_property
    def calibration(self) -> Calibration:
        """The silent twin's escape rate, calibrated on spikes as in a fit."""
        found = calibrate(
            self.cell,
            self.layout,
            DRIVE,
            self.random_sets(self.calibration_sets, 1),
            orientation_deg=GRATING.orientation_deg[::2],
            seed=self.seed + 1000,
            spiking_dt_ms=SPIKING_DT_MS,
            silent_dt_ms=SILENT_DT_MS,
            window_ms=_CALIBRATION_MS[0],
            warm_up_ms=_CALIBRATION_MS[1],
            engine=self.engine,
        )
        seconds = found.n_trials * sum(_CALIBRATION_MS) * 1e-3
        self.meter.spiking_s += seconds
        self.meter.silent_s += seconds
        return found

    @cached_property
    def recorded(self) -> np.ndarray:
        """The recording's counts, ``int (orientations, trials)``."""
        return simulate_counts(
            self.spiking, self.layout, GRATING, drive_at(TRUTH, DRIVE), synapse_overrides(TRUTH),
            n_trials=RECORDED_TRIALS, seed=self.seed + 77,
        ).counts  # fmt: skip

    @property
    def _variance(self) -> np.ndarray:
        # One more: where hardly a spike was recorded its variance says little.
        return self.recorded.var(axis=1, ddof=1) + 1.0

    def weights(self, mean: np.ndarray) -> np.ndarray:
        """Derivative of the loss in the expected counts, ``(orientations,)``."""
        return RECORDED_TRIALS * (mean - self.recorded.mean(axis=1)) / self._variance

    def loss_of(self, counts: np.ndarray) -> float:
        """The loss from simulated counts ``(orientations, trials)``, less what their own noise adds to it."""
        mean, noise = counts.mean(axis=1), counts.var(axis=1, ddof=1) / counts.shape[1]
        error = (mean - self.recorded.mean(axis=1)) ** 2 - noise
        return float(np.sum(0.5 * RECORDED_TRIALS * error / self._variance))

    def counts(self, points: Sequence[np.ndarray], trials: int, seed: int) -> np.ndarray:
        """Spiking counts ``(points, orientations, trials)``; all points see the same random numbers."""
        return np.concatenate([self._counts(part, seed) for part in self._batches(points, trials)], axis=2)

    def _batches(self, points: Sequence[np.ndarray], trials: int) -> Iterator[Any]:
        most = max(1, _LANES_AT_A_TIME // (len(points) * len(GRATING.orientation_deg)))
        for first in range(0, trials, most):
            yield points, first, min(most, trials - first)

    def _counts(self, batch: Any, seed: int) -> np.ndarray:
        points, first, trials = batch
        events, overrides = self._pooled(points, first, trials, seed, SPIKING_DT_MS)
        run = self.spiking.run(events, overrides=overrides, keep_voltage=False)
        self.meter.spiking_s += events.n_lanes * _SECONDS
        return run.counts(from_ms=GRATING.warm_up_ms).reshape(len(points), -1, trials)

    def silent_counts(self, points: Sequence[np.ndarray], trials: int, seed: int) -> np.ndarray:
        """The silent twin's expected counts on the events of :meth:`counts`."""
        events, overrides = self._pooled(points, 0, trials, seed, SILENT_DT_MS)
        run = self.twin.engine.run(events, overrides=overrides, stride=round(1.0 / SILENT_DT_MS))
        self.meter.silent_s += events.n_lanes * _SECONDS
        voltage = run.v_mV[run.time_ms > GRATING.warm_up_ms, 0]
        rate = self.calibration.hazard.rate_hz(voltage, softplus=lambda z: np.logaddexp(0.0, z))
        return (rate.mean(axis=0) * GRATING.window_ms * 1e-3).reshape(len(points), -1, trials)

    def _pooled(
        self, points: Sequence[np.ndarray], first: int, trials: int, seed: int, dt_ms: float
    ) -> tuple[Any, Any]:
        sets = [values_at(x) for x in points]
        events = pooled_events(
            [self.layout] * len(sets),
            GRATING,
            DRIVE,
            sets,
            trials=trials,
            seed=1000 * seed + first,
            dt_ms=dt_ms,
        )
        return events, pooled_overrides(sets, events.n_lanes // len(sets))

    def stratified_counts(self, x: np.ndarray, trials: int, seed: int) -> np.ndarray:
        """Spiking counts with the shared gain at its quantiles, as a fit asks the spiking cell."""
        values = values_at(x)
        self.meter.spiking_s += trials * len(GRATING.orientation_deg) * _SECONDS
        return simulate_counts(
            self.spiking, self.layout, GRATING, drive_at(values, DRIVE), synapse_overrides(values),
            n_trials=trials, seed=seed, gain=stratified_gain(trials),
        ).counts  # fmt: skip

    @contextmanager
    def unmetered(self) -> Iterator[None]:
        """What is simulated inside is not counted: scores on fresh trials, references."""
        kept, self.meter = self.meter, Meter()
        try:
            yield
        finally:
            self.meter = kept


class Stopwatch:
    """Wall time and simulated seconds since it was made, without what runs inside :meth:`paused`."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self._begin, self._paused = problem, time.perf_counter(), 0.0
        self._simulated = problem.meter.total_s

    @contextmanager
    def paused(self) -> Iterator[None]:
        begin = time.perf_counter()
        with self.problem.unmetered():
            yield
        self._paused += time.perf_counter() - begin

    def read(self) -> dict[str, float]:
        """Now."""
        return {
            "wall_s": time.perf_counter() - self._begin - self._paused,
            "simulated_s": self.problem.meter.total_s - self._simulated,
        }


def write(path: Path | None, document: dict[str, Any], seed: int) -> None:
    """Results with seed, versions and machine, as JSON."""
    if path is not None:
        text = json.dumps(jsonable(document | {"provenance": provenance(seed=seed)}), allow_nan=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
