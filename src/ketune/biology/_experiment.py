"""Experiments on the calibrated cell. Conditions share their random events, trial by trial."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ketune.afferents import Drive, Grating, SynapseLayout, hard_events, place_synapses
from ketune.biology._ablation import Ablation
from ketune.biology._reference import Reference
from ketune.cell import Overrides
from ketune.engines import create
from ketune.events import Events
from ketune.fitting._readout import silent_cell

ORIENTATION_deg = tuple(np.arange(0.0, 180.0, 22.5))
PREFERRED = ORIENTATION_deg.index(90.0)
ORTHOGONAL = ORIENTATION_deg.index(0.0)
CONTRAST = (0.06, 0.1, 0.15, 0.2, 0.27, 0.36, 0.5, 0.7, 1.0)

CONTROL: Overrides = {}
NO_NMDA: Overrides = {("nmda", "block"): np.array(1.0)}
NO_AMPA: Overrides = {("ampa", "gmax"): np.array(0.0)}

_WINDOW_ms, _WARM_UP_ms = 1000.0, 250.0
_SPIKING_DT_ms, _SILENT_DT_ms = 0.05, 0.1
_SAMPLE_ms = 1.0
_LANES_AT_A_TIME = 256


@dataclass(frozen=True, eq=False)
class Bench:
    """The calibrated cell with its engines, ready for stimuli.

    Attributes
    ----------
    on_advance
        Called with simulated seconds as they accrue.
    """

    reference: Reference
    layout: SynapseLayout
    engine: Any
    silent: Any
    engine_name: str
    seed: int
    on_advance: Callable[[float], None] | None = None

    @classmethod
    def of(
        cls,
        reference: Reference,
        *,
        engine: str,
        seed: int,
        on_advance: Callable[[float], None] | None = None,
    ) -> Bench:
        """Build cell, synapses and engines."""
        cell = reference.cell()
        return cls(
            reference,
            place_synapses(cell, seed=reference.placement_seed),
            create(cell, engine, dt_ms=_SPIKING_DT_ms, dtype=np.float32),
            create(silent_cell(cell), engine, dt_ms=_SILENT_DT_ms, dtype=np.float32),
            engine,
            seed,
            on_advance,
        )

    @property
    def cell(self) -> Any:
        """The intact cell."""
        return self.engine.twin.cell

    def gratings(
        self, orientation_deg: Sequence[float], contrast: tuple[float, ...] | float = 1.0
    ) -> Grating:
        """The stimulus of every experiment, but for these."""
        return Grating(tuple(orientation_deg), _WINDOW_ms, _WARM_UP_ms, contrast=contrast)

    def _events(self, grating: Grating, drive: Drive, trials: np.ndarray, dt_ms: float) -> Events:
        return hard_events(self.layout, grating, drive, trials=trials, seed=self.seed, dt_ms=dt_ms)

    def rates_hz(
        self,
        grating: Grating,
        conditions: Sequence[Overrides] = (CONTROL,),
        *,
        n_trials: int,
        drive: Drive | None = None,
    ) -> np.ndarray:
        """Spike rate of each condition and trial on the same events, ``(conditions, stimuli, trials)``."""
        drive = drive or self.reference.drive
        k = len(grating.orientation_deg)
        found = np.empty((len(conditions), k, n_trials))
        for trials in _batches(n_trials, k):
            events = self._events(grating, drive, trials, _SPIKING_DT_ms)
            for i, condition in enumerate(conditions):
                found[i][:, trials] = self._count(self.engine, events, condition, k)
        return found

    def ablated_rates_hz(
        self, grating: Grating, ablated: Sequence[tuple[Ablation, Any]], *, n_trials: int, drive: Drive
    ) -> np.ndarray:
        """Spike rate of the intact cell and of each ablated one with its engine, on the same events."""
        k = len(grating.orientation_deg)
        found = np.empty((1 + len(ablated), k, n_trials))
        for trials in _batches(n_trials, k):
            events = self._events(grating, drive, trials, _SPIKING_DT_ms)
            found[0][:, trials] = self._count(self.engine, events, CONTROL, k)
            for i, (ablation, engine) in enumerate(ablated, start=1):
                found[i][:, trials] = self._count(engine, ablation.events(events), CONTROL, k)
        return found

    def _count(self, engine: Any, events: Events, condition: Overrides, k: int) -> np.ndarray:
        run = engine.run(
            events,
            overrides={**self.reference.synapses, **condition},
            keep_voltage=False,
            on_advance=self.on_advance,
        )
        return run.counts(from_ms=_WARM_UP_ms).reshape(k, -1) / (_WINDOW_ms * 1e-3)

    def silent_mV(self, grating: Grating, conditions: Sequence[Overrides], *, n_trials: int) -> np.ndarray:
        """Mean somatic potential in the window without action potentials, ``(conditions, stimuli, trials)``."""
        k = len(grating.orientation_deg)
        found = np.empty((len(conditions), k, n_trials))
        for trials in _batches(n_trials, k):
            events = self._events(grating, self.reference.drive, trials, _SILENT_DT_ms)
            for i, condition in enumerate(conditions):
                run = self.silent.run(
                    events,
                    overrides={**self.reference.synapses, **condition},
                    stride=round(_SAMPLE_ms / _SILENT_DT_ms),
                    on_advance=self.on_advance,
                )
                counted = run.v_mV[run.time_ms > _WARM_UP_ms, 0].astype(float)
                found[i][:, trials] = counted.mean(axis=0).reshape(k, -1)
        return found

    def ablated(self, ablation: Ablation) -> Any:
        """An engine for an ablated cell."""
        return create(ablation.cell, self.engine_name, dt_ms=_SPIKING_DT_ms, dtype=np.float32)

    def drive(self, **changes: float) -> Drive:
        """The reference drive with some fields replaced."""
        return replace(self.reference.drive, **changes)


def _batches(n_trials: int, n_stimuli: int) -> list[np.ndarray]:
    n = -(-n_trials * n_stimuli // _LANES_AT_A_TIME)
    return np.array_split(np.arange(n_trials), min(n, n_trials))
