"""Simulations of a fitted neuron that fitting and dosing both need: check, replay in NEURON, traces, mean potential."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import signal

from ketune.afferents import (
    Drive,
    Grating,
    SynapseLayout,
    compartment_rate_hz,
    hard_events,
    place_synapses,
    stratified_gain,
)
from ketune.cell import Cell
from ketune.engines.jax_engine import JaxEngine
from ketune.events import Events
from ketune.fitting import SpikeCounts, drive_at, simulate_counts, synapse_overrides
from ketune.pharmacology import DrugEffect, NmdaDrive, apply_effect
from ketune.progress import Progress
from ketune.tuning import TuningSummary, summarise

# Which dendritic compartment the example traces show: far enough out for its own NMDA spikes.
_TRACE_DISTANCE_UM = 150.0
_TRACE_MS = 700.0


@dataclass(frozen=True, eq=False)
class Condition:
    """A state of the neuron: before, or at some time after a drug.

    Attributes
    ----------
    effect
        What the drug does; None without it.
    """

    label: str
    effect: DrugEffect | None = None


CONTROL = Condition("before")


class FittedNeuron:
    """One parameter set of a fitted cell, ready to simulate.

    Parameters
    ----------
    values
        Fitted parameters.
    placement_seed
        Of its synapses.
    orientation_deg
        Recorded orientations; a blank is added where the recording had none.
    engine
        Simulates spikes.
    """

    def __init__(
        self,
        cell: Cell,
        values: dict[str, float],
        *,
        placement_seed: int,
        orientation_deg: tuple[float, ...],
        window_ms: float,
        engine: JaxEngine,
        drive: Drive | None = None,
    ) -> None:
        self.cell, self.values = cell, values
        self.layout: SynapseLayout = place_synapses(cell, seed=placement_seed)
        shown = tuple(o for o in orientation_deg if np.isfinite(o))
        self.grating = Grating((*shown, float("nan")), window_ms=window_ms)
        self.engine = engine
        self._drive = drive or Drive()
        self._fitted_cell = cell.with_parameters(synapse_overrides(values))

    def shown(self, orientation_deg: tuple[float, ...] | None, contrast: float | None) -> FittedNeuron:
        """The same neuron with other stimuli; itself where neither is given."""
        if orientation_deg is None and contrast is None:
            return self
        other = copy(self)
        wanted = self.grating.orientation_deg[:-1] if orientation_deg is None else orientation_deg
        other.grating = replace(
            self.grating,
            orientation_deg=(*wanted, float("nan")),
            contrast=self.grating.contrast if contrast is None else contrast,
        )
        return other

    def drive(self, condition: Condition) -> Drive:
        """Afferent rates in a condition."""
        drive = drive_at(self.values, self._drive)
        effect = condition.effect
        return (
            drive if effect is None else replace(drive, pv_drive=effect.pv_drive, sst_drive=effect.sst_drive)
        )

    def overrides(self, condition: Condition) -> dict[tuple[str, str], Any]:
        """Parameters that differ from the cell's own: the fitted strengths, and what the drug changes."""
        drugged = {} if condition.effect is None else apply_effect(self._fitted_cell, condition.effect)[0]
        return {**synapse_overrides(self.values), **drugged}

    def counts(
        self,
        condition: Condition,
        *,
        trials: int,
        seed: int,
        progress: Progress,
        text: str,
        first_trial: int = 0,
        stratified: bool = False,
    ) -> SpikeCounts:
        """Spike counts of every orientation and the blank, in trials ``first_trial ...`` of the seed.

        Parameters
        ----------
        stratified
            Take the shared gain at the quantiles of its law. Stimuli share the gains of the trials, so that a few dozen
            random ones would shift the Fano factor at all orientations together.
        """
        seconds = len(self.grating.orientation_deg) * trials * self.grating.duration_ms * 1e-3
        with progress.task(text, seconds) as task:
            return simulate_counts(
                self.engine,
                self.layout,
                self.grating,
                self.drive(condition),
                self.overrides(condition),
                n_trials=trials,
                seed=seed,
                first_trial=first_trial,
                gain=stratified_gain(trials) if stratified else None,
                on_advance=task.advance,
            )

    def summary(self, counts: SpikeCounts) -> TuningSummary:
        """Tuning of the oriented conditions; the blank gives the spontaneous rate."""
        shown = np.isfinite(counts.orientation_deg)
        blank = counts.mean[~shown]
        return summarise(
            counts.orientation_deg[shown],
            counts.mean[shown],
            counts.variance[shown],
            blank=float(blank[0]) if len(blank) else None,
            window_s=self.grating.window_ms * 1e-3,
            n_trials=np.full(int(shown.sum()), counts.n_trials),
        )

    def events(self, condition: Condition, *, trials: int, seed: int, blank: bool) -> Events:
        """Afferent events of the first trials of a seed; lane = stimulus * trials + trial, the blank comes last."""
        shown = self.grating.orientation_deg if blank else self.grating.orientation_deg[:-1]
        return hard_events(
            self.layout,
            replace(self.grating, orientation_deg=shown),
            self.drive(condition),
            trials=range(trials),
            seed=seed,
            dt_ms=self.engine.twin.dt_ms,
        )

    def replay(self, condition: Condition, *, trials: int, seed: int, progress: Progress) -> dict[str, Any]:
        """Replay trials in NEURON and compare their spike counts with the float64 twin's on the same events."""
        from ketune.engines.neuron_engine import NeuronJob, run_in_processes

        if trials == 0:
            return {"n": 0, "identical": None, "largest_count_difference": None, "problems": []}
        events = self.events(condition, trials=trials, seed=seed, blank=False)
        overrides = self.overrides(condition)
        exact = JaxEngine(
            self.cell, dt_ms=self.engine.twin.dt_ms, dtype=np.float64, derivative="forward_difference"
        )
        text = f"NEURON replay, {condition.label}"
        with progress.task(text, events.n_lanes) as task:
            results = run_in_processes(
                [NeuronJob(self.cell, events, lane, overrides=overrides) for lane in range(events.n_lanes)],
                on_done=lambda *_: task.advance(1),
            )
        twin = exact.run(events, overrides=overrides, keep_voltage=False).counts(
            from_ms=self.grating.warm_up_ms
        )
        problems = [f"lane {i}: {r.status}: {r.message}" for i, r in enumerate(results) if r.run is None]
        difference = [
            abs(r.run.count(self.grating.warm_up_ms, np.inf) - int(twin[i]))
            for i, r in enumerate(results)
            if r.run is not None
        ]
        return {
            "n": len(difference),
            "identical": not problems and not any(difference),
            "largest_count_difference": max(difference, default=None),
            "problems": problems,
        }

    def traces(self, condition: Condition, *, orientation_deg: float, seed: int) -> dict[str, Any]:
        """One example trial at the recorded orientation next to the one given: soma and a distal apical dendrite."""
        shown = np.array(self.grating.orientation_deg[:-1])
        nearest = float(shown[np.argmin(np.abs((shown - orientation_deg + 90) % 180 - 90))])
        window = min(_TRACE_MS, self.grating.window_ms)
        grating = replace(self.grating, orientation_deg=(nearest,), window_ms=window)
        table = self.cell.table
        apical = np.flatnonzero(table.region == "apical")
        candidates = apical if len(apical) else np.flatnonzero(table.region == "basal")
        row = int(candidates[np.argmin(np.abs(table.path_um[candidates] - _TRACE_DISTANCE_UM))])
        events = hard_events(
            self.layout,
            grating,
            self.drive(condition),
            trials=range(1),
            seed=seed,
            dt_ms=self.engine.twin.dt_ms,
        )
        run = self.engine.run(events, overrides=self.overrides(condition), record=(0, row), stride=5)
        return {
            "condition": condition.label,
            "orientation_deg": nearest,
            "time_ms": np.round(run.time_ms - grating.warm_up_ms, 3),
            "soma_mV": np.round(run.v_mV[:, 0, 0].astype(float), 2),
            "dendrite_mV": np.round(run.v_mV[:, 1, 0].astype(float), 2),
            "dendrite": f"{table.region[row]}, {table.path_um[row]:.0f} um from the soma",
        }

    def mean_open_potential(self, *, seed: int) -> np.ndarray:
        """Mean potential of each compartment while its NMDA receptors are open, before the drug (mV, ``(n,)``).

        Voltage is weighted by the decaying trace of the compartment's excitatory events, over one trial of every
        orientation. Compartments without an event get the mean of the others.
        """
        stride = round(1.0 / self.engine.twin.dt_ms)
        n = self.cell.table.n
        events = hard_events(
            self.layout,
            self.grating,
            self.drive(CONTROL),
            trials=range(1),
            seed=seed,
            dt_ms=self.engine.twin.dt_ms,
        )
        run = self.engine.run(
            events, overrides=self.overrides(CONTROL), record=range(n), stride=stride, block_lanes=8
        )
        samples = run.v_mV.shape[0]
        arrived = np.zeros((samples, n, events.n_lanes))
        excitatory = events.port == events.port_names.index("exc")
        at = np.minimum(events.step[excitatory] // stride + 1, samples - 1)
        np.add.at(arrived, (at, events.compartment[excitatory], events.lane[excitatory]), 1.0)
        decay_ms = float(self.cell.placement("nmda").parameters["tau_decay"][0])
        weight = signal.lfilter([1.0], [1.0, -np.exp(-1.0 / decay_ms)], arrived, axis=0)
        order = np.argsort(run.recorded)
        voltage = run.v_mV[:, order]
        total = weight.sum(axis=(0, 2))
        mean = (weight * voltage).sum(axis=(0, 2)) / np.where(total > 0, total, 1.0)
        return np.where(total > 0, mean, mean[total > 0].mean())


def nmda_drive(neuron: FittedNeuron, seed: int, progress: Progress) -> NmdaDrive:
    """How the fitted neuron uses its NMDA receptors before the drug."""
    with progress.task("mean potential of open NMDA receptors", None):
        v_bar = neuron.mean_open_potential(seed=seed)
    n = neuron.cell.table.n
    return NmdaDrive(v_bar, compartment_rate_hz(neuron.layout, neuron.grating, neuron.drive(CONTROL), n))


def summary_fields(summary: TuningSummary) -> dict[str, float | None]:
    """The numbers of a tuning summary that files and reports carry."""
    return {
        "preferred_deg": summary.preferred_deg,
        "osi_fit": summary.osi_fit,
        "osi_points": summary.osi_points,
        "gosi": summary.gosi,
        "hwhm_deg": summary.hwhm_deg,
        "peak_rate_hz": summary.peak_rate_hz,
        "orthogonal_rate_hz": summary.orthogonal_rate_hz,
        "spontaneous_rate_hz": summary.spontaneous_rate_hz,
        "direction_index": summary.direction_index,
    }


def counts_fields(counts: SpikeCounts) -> dict[str, Any]:
    """Mean, Fano factor and their errors of every orientation."""
    return {
        "orientation_deg": counts.orientation_deg,
        "mean": counts.mean,
        "sem": counts.sem,
        "fano": counts.fano,
        "fano_se": counts.fano_se,
        "n_trials": counts.n_trials,
    }
