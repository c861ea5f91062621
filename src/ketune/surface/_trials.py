"""Simulated single trials of the spiking cell: what a response surface learns from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ketune.afferents import Grating, SynapseLayout, hard_events
from ketune.engines.jax_engine import JaxEngine
from ketune.events import Events
from ketune.storage import whole_file
from ketune.surface._actions import CellActions, action_overrides
from ketune.surface._design import DesignPoint
from ketune.surface._inputs import trial_inputs

WARM_UP_MS = 200.0
_SYNAPSES = {"ampa_nS": "ampa", "nmda_nS": "nmda", "pv_nS": "gaba_pv", "sst_nS": "gaba_sst"}


@dataclass(frozen=True, eq=False)
class Trials:
    """Inputs and spike counts of single trials.

    Attributes
    ----------
    inputs
        ``(n, 10)``, in the order of :data:`ketune.surface.INPUTS`, or ``(n, 17)`` in that of
        :data:`ketune.surface.INPUTS_AND_ACTIONS`.
    counts
        ``int (n,)``.
    placement
        ``int (n,)``: which placement of the synapses.
    """

    inputs: np.ndarray
    counts: np.ndarray
    placement: np.ndarray

    def __len__(self) -> int:
        return len(self.counts)

    def save(self, path: Path) -> None:
        """Write the trials in one step."""
        with whole_file(path) as unfinished, unfinished.open("wb") as file:
            np.savez_compressed(file, inputs=self.inputs, counts=self.counts, placement=self.placement)

    @classmethod
    def load(cls, path: Path) -> Trials:
        """Read what :meth:`save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            return cls(file["inputs"], file["counts"], file["placement"])

    @classmethod
    def joined(cls, parts: Sequence[Trials]) -> Trials:
        """Several sets of trials as one."""
        return cls(
            np.concatenate([p.inputs for p in parts]),
            np.concatenate([p.counts for p in parts]),
            np.concatenate([p.placement for p in parts]),
        )


def inputs_of(point: DesignPoint, layout: SynapseLayout, apical: np.ndarray, window_s: float) -> np.ndarray:
    """Inputs of a trial, ``(10,)``, or ``(17,)`` where a drug's actions on the cell are inputs."""
    rates = trial_inputs(
        point.drive,
        layout,
        apical,
        orientation_deg=point.orientation_deg,
        gain_deviate=point.gain_deviate,
    )
    actions = () if point.actions is None else point.actions.inputs()
    return np.array([*rates, *(point.strengths_nS[n] for n in _SYNAPSES), *actions, window_s])


def simulate_points(
    engine: JaxEngine,
    layouts: Sequence[SynapseLayout],
    points: Sequence[DesignPoint],
    *,
    window_s: float,
    shorter_s: Sequence[float] = (),
    seed: int,
    first_trial: int = 0,
    on_advance: Callable[[float], None] | None = None,
) -> list[Trials]:
    """Simulate each point once; counts in the window, and in shorter ones of the same trials."""
    apical = engine.twin.cell.table.region == "apical"
    dt_ms = engine.twin.dt_ms
    window_ms = round(window_s * 1e3 / dt_ms) * dt_ms
    parts = [
        hard_events(
            layouts[p.placement],
            Grating((p.orientation_deg,), window_ms=window_ms, warm_up_ms=WARM_UP_MS),
            p.drive,
            trials=range(first_trial + i, first_trial + i + 1),
            seed=seed,
            dt_ms=dt_ms,
            gain=np.array([p.gain_deviate]),
        )
        for i, p in enumerate(points)
    ]
    events = Events.stack(parts)
    overrides = {
        (synapse, "gmax"): np.array([p.strengths_nS[name] * 1e-3 for p in points])[None, :]
        for name, synapse in _SYNAPSES.items()
    }
    if any(p.actions is not None for p in points):
        actions = [p.actions or CellActions() for p in points]
        overrides = action_overrides(engine.twin.cell, actions, overrides)
    run = engine.run(events, overrides=overrides, keep_voltage=False, on_advance=on_advance)
    placement = np.array([p.placement for p in points])
    rows = np.array([inputs_of(p, layouts[p.placement], apical, window_s) for p in points])
    results = []
    for seconds in (window_s, *shorter_s):
        inputs = rows.copy()
        inputs[:, -1] = seconds
        counts = run.counts(from_ms=WARM_UP_MS, to_ms=WARM_UP_MS + seconds * 1e3)
        results.append(Trials(inputs, counts, placement))
    return results
