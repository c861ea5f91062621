"""Many parameter sets in one simulation: each set's conditions and trials are lanes of the same run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ketune.afferents import Drive, Grating, SynapseLayout, hard_events
from ketune.engines.jax_engine import JaxEngine, Run
from ketune.events import Events
from ketune.fitting._parameters import drive_at, synapse_overrides
from ketune.fitting._readout import Hazard

Values = Mapping[str, float]
_SAMPLE_MS = 1.0


def pooled_events(
    layouts: Sequence[SynapseLayout],
    grating: Grating,
    drive: Drive,
    sets: Sequence[Values],
    *,
    trials: int,
    seed: int,
    dt_ms: float,
    gain: np.ndarray | None = None,
) -> Events:
    """Events of every set, orientation and trial: lane = (set, orientation, trial) in that order of significance."""
    parts = [
        hard_events(
            layout,
            grating,
            drive_at(dict(values), drive),
            trials=range(trials),
            seed=seed,
            dt_ms=dt_ms,
            gain=gain,
        )
        for layout, values in zip(layouts, sets, strict=True)
    ]
    lanes = parts[0].n_lanes
    return Events.from_arrays(
        n_lanes=lanes * len(parts),
        n_steps=parts[0].n_steps,
        dt_ms=dt_ms,
        port_names=parts[0].port_names,
        step=np.concatenate([e.step for e in parts]),
        lane=np.concatenate([e.lane + i * lanes for i, e in enumerate(parts)]),
        compartment=np.concatenate([e.compartment for e in parts]),
        port=np.concatenate([e.port for e in parts]),
    )


def pooled_overrides(sets: Sequence[Values], lanes_per_set: int) -> dict[tuple[str, str], Any]:
    """Synaptic strengths of every lane, ``(1, lanes)``."""
    each = [synapse_overrides(dict(values)) for values in sets]
    return {key: np.repeat([o[key] for o in each], lanes_per_set)[None, :] for key in each[0]}


def expected_counts(
    silent: JaxEngine,
    layouts: Sequence[SynapseLayout],
    grating: Grating,
    drive: Drive,
    sets: Sequence[Values],
    hazard: Hazard,
    *,
    trials: int,
    seed: int,
    gain: np.ndarray | None = None,
    on_advance: Callable[[float], None] | None = None,
) -> np.ndarray:
    """Expected spikes in the grating's window, ``(sets, orientations, trials)``."""
    dt_ms = silent.twin.dt_ms
    events = pooled_events(layouts, grating, drive, sets, trials=trials, seed=seed, dt_ms=dt_ms, gain=gain)
    run = silent.run(
        events,
        overrides=pooled_overrides(sets, events.n_lanes // len(sets)),
        stride=round(_SAMPLE_MS / dt_ms),
        on_advance=on_advance,
    )
    return counts_from_voltage(run, grating, hazard).reshape(len(sets), len(grating.orientation_deg), trials)


def counts_from_voltage(run: Run, grating: Grating, hazard: Hazard) -> np.ndarray:
    """Expected spikes of every lane from the recorded voltage of the silent cell's soma."""
    voltage = run.v_mV[run.time_ms > grating.warm_up_ms, 0]
    rate = hazard.rate_hz(voltage, softplus=lambda z: np.logaddexp(0.0, z))
    return rate.mean(axis=0) * grating.window_ms * 1e-3
