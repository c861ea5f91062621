"""The trials that a NEURON bundle holds: which conditions, their afferent events, and what NEURON makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ketune.cell import Cell
from ketune.engines.connections import connections
from ketune.engines.jax_engine import JaxEngine
from ketune.errors import InputError
from ketune.events import Events
from ketune.pharmacology import effect_from_record
from ketune.progress import Progress
from ketune.workflow import APPLY_SEED, CHECK_SEED, CONTROL, Condition, FittedNeuron, neuron_of


@dataclass(frozen=True, eq=False)
class Shown:
    """One condition with its stimuli.

    Attributes
    ----------
    neuron
        Its grating has the condition's orientations, then the blank.
    reported
        Columns ``orientation_deg``, ``mean``, ``sem`` and ``n_trials`` of the tuning curve in the report.
    """

    condition: Condition
    neuron: FittedNeuron
    reported: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Trials:
    """Trials of all conditions as lanes of one set of events.

    Attributes
    ----------
    of_lane
        For each lane its condition (index), orientation (degrees, NaN for the blank) and number (from 1).
    """

    shown: tuple[Shown, ...]
    events: Events
    of_lane: tuple[tuple[int, float, int], ...]


@dataclass(frozen=True, eq=False)
class ConnectionTable:
    """The connections that events come by, and the point processes that each of them reaches.

    Attributes
    ----------
    of_event
        ``int (n_events,)``: the connection of each event.
    port, compartment
        ``int (n_connections,)``.
    connection, placement, row
        ``int (n_receivers,)``: connection, index of the placement, and row of its parameters; sorted by connection.
    """

    of_event: np.ndarray
    port: np.ndarray
    compartment: np.ndarray
    connection: np.ndarray
    placement: np.ndarray
    row: np.ndarray


def shown_conditions(cell: Cell, fit: dict[str, Any], applied: dict[str, Any] | None) -> tuple[Shown, ...]:
    """The conditions of the best parameter set: the fit's check, or all conditions of an application.

    Raises
    ------
    InputError
        An older ketune wrote the application.
    """
    engine = JaxEngine(cell, dt_ms=fit["settings"]["effort"]["spiking_dt_ms"])
    best = neuron_of(cell, fit, fit["kept_sets"][0], engine)
    if applied is None:
        check = fit["check"]
        reported = {
            "orientation_deg": check["orientation_deg"],
            "mean": check["spiking_mean"],
            "sem": check["spiking_sem"],
            "n_trials": check["n_trials"],
        }
        return (Shown(CONTROL, best, reported),)
    found = []
    for entry in applied["conditions"]:
        if "by_compartment" not in entry:
            raise InputError(
                f"apply-{applied['name']}.json: written by an older ketune; apply the drug again with --overwrite"
            )
        record, tuning = entry["by_compartment"], entry["tuning"]
        effect = None if record is None else effect_from_record(record, cell.table.n)
        orientations = tuple(o for o in tuning["orientation_deg"] if o is not None)
        found.append(
            Shown(Condition(entry["label"], effect), best.shown(orientations, entry["contrast"]), tuning)
        )
    return tuple(found)


def seed_of(fit: dict[str, Any], applied: dict[str, Any] | None) -> int:
    """The seed of the trials that the report shows, which NEURON replayed too."""
    if applied is None:
        return CHECK_SEED + int(fit["settings"]["seed"])
    return APPLY_SEED + int(applied["provenance"]["seed"])


def draw_trials(shown: tuple[Shown, ...], *, trials: int, seed: int) -> Trials:
    """The first trials of every stimulus in every condition."""
    of_lane = [
        (index, orientation, number + 1)
        for index, one in enumerate(shown)
        for orientation in one.neuron.grating.orientation_deg
        for number in range(trials)
    ]
    parts = [one.neuron.events(one.condition, trials=trials, seed=seed, blank=True) for one in shown]
    return Trials(shown, Events.stack(parts), tuple(of_lane))


def connection_table(cell: Cell, events: Events) -> ConnectionTable:
    """Number the connections of the events, and find what each reaches as the NEURON engine does."""
    name = np.zeros(len(events.step), np.int64) if events.connection is None else events.connection
    keys, of_event = np.unique(
        np.stack([events.port.astype(np.int64), events.compartment, name]), axis=1, return_inverse=True
    )
    of_event = of_event.reshape(-1)
    parts = [np.empty((3, 0), np.int64)]
    for index, placement in enumerate(cell.placements):
        if any(placement.label in labels for labels in cell.ports.values()):
            found = connections(cell, placement, events)
            connection, first = np.unique(of_event[found.event], return_index=True)
            parts.append(np.stack([connection, np.full(len(connection), index), found.row[first]]))
    receivers = np.concatenate(parts, axis=1)
    receivers = receivers[:, np.lexsort((receivers[1], receivers[0]))]
    return ConnectionTable(of_event, keys[0], keys[1], *receivers)


def neuron_counts(cell: Cell, trials: Trials, *, progress: Progress) -> np.ndarray:
    """Spike counts of every lane by the NEURON engine, ``int (n_lanes,)``.

    Raises
    ------
    InputError
        NEURON did not finish a trial.
    """
    from ketune.engines.neuron_engine import NeuronJob, run_in_processes

    overrides = [one.neuron.overrides(one.condition) for one in trials.shown]
    jobs = [
        NeuronJob(cell, trials.events, lane, overrides=overrides[condition])
        for lane, (condition, _, _) in enumerate(trials.of_lane)
    ]
    with progress.task("spike counts in NEURON", len(jobs)) as task:
        results = run_in_processes(jobs, on_done=lambda *_: task.advance(1))
    counts = np.empty(len(jobs), np.int64)
    for lane, (result, (condition, _, _)) in enumerate(zip(results, trials.of_lane, strict=True)):
        if result.run is None:
            raise InputError(
                f"NEURON did not simulate trial {lane + 1} of {len(jobs)} ({result.status}: {result.message}); "
                "see `ketune verify`"
            )
        counts[lane] = result.run.count(trials.shown[condition].neuron.grating.warm_up_ms)
    return counts
