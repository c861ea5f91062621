"""A cell and its events as plain data for NEURON: which mechanisms sit where, and who delivers what."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ketune.cell import Cell, Overrides, Placement
from ketune.engines import neuron_model as model
from ketune.engines.connections import connections
from ketune.engines.schemes import Scheme, check
from ketune.errors import InputError
from ketune.events import Events


@dataclass(frozen=True, eq=False)
class NeuronJob:
    """One lane to simulate; the fields are the arguments of `run_neuron`.

    ``compiled_with`` names mechanism files that are compiled together with the cell's own: jobs of many cells that name
    the same ones share a library, and so a compilation and a process.
    """

    cell: Cell
    events: Events
    lane: int = 0
    overrides: Overrides | None = None
    injected_nA: np.ndarray | None = None
    record: Literal["all", "soma"] | Sequence[int] = "soma"
    variables: Sequence[tuple[str, str]] = ()
    compiled_with: tuple[Path, ...] = ()
    scheme: Scheme = "backward_euler"


def own_files(cell: Cell) -> list[Path]:
    """The user's own mechanisms among the cell's."""
    from ketune.mechanisms import MOD_DIRECTORY

    return sorted({p.mechanism.path for p in cell.placements if p.mechanism.path.parent != MOD_DIRECTORY})


def libraries_of(cell: Cell, compiled_with: tuple[Path, ...] = ()) -> tuple[str, ...]:
    """Compiled mechanisms for a worker, built here where a failure is an exception with the compiler's words.

    A cell with mechanisms of its own gets a library of just what it uses: these may be called like shipped ones.
    """
    from ketune import mechanisms

    if not own_files(cell) and not compiled_with:
        return (str(mechanisms.library()),)
    return (str(mechanisms.library({*compiled_with, *(p.mechanism.path for p in cell.placements)})),)


def problem_of(job: NeuronJob, libraries: tuple[str, ...]) -> model.Problem:
    """A job as plain data."""
    cell, events, table = job.cell, job.events, job.cell.table
    check(cell, job.scheme)
    if not 0 <= job.lane < events.n_lanes:
        raise ValueError(f"lane {job.lane} is not one of the events' {events.n_lanes}")
    recorded = {label for label, _ in job.variables}
    placed, targets = _placed(cell, _of_lane(job), events, job.lane, recorded)
    parent, first, count = uniform_runs(cell)
    reversal, concentration = ions_of(cell)
    event, placed_of, row, name = targets
    return model.Problem(
        libraries=libraries,
        parent=parent,
        first=first,
        count=count,
        length_um=table.length_um,
        diam_um=table.diam_um,
        cm_uF_cm2=table.cm_uF_cm2,
        ra_ohm_cm=table.ra_ohm_cm,
        placed=placed,
        reversal_mV=reversal,
        concentration_mM=concentration,
        celsius=cell.celsius,
        v_init_mV=cell.v_init_mV,
        event_placed=placed_of,
        event_row=row,
        event_step=events.step[event],
        event_weight=events.weight[event],
        connection=name,
        injected_nA=None if job.injected_nA is None else np.asarray(job.injected_nA, dtype=np.float64),
        dt_ms=events.dt_ms,
        second_order=job.scheme == "second_order",
        n_steps=events.n_steps,
        record=_recorded(job, table.n),
        variables=tuple(variable for _, _, variable in variable_columns(job, placed)),
    )


def ions_of(cell: Cell) -> tuple[dict[str, float], dict[str, float]]:
    """Reversal potentials and concentrations of the ions that the cell uses, as the twin takes them."""
    from ketune.ions import DEFAULT_CONCENTRATION_mM, DEFAULT_REVERSAL_mV

    reversal, concentration = {}, {}
    for ion in {ion.name: ion for p in cell.placements for ion in p.mechanism.ions}.values():
        known = DEFAULT_REVERSAL_mV.get(ion.reversal, 0.0)
        reversal[ion.reversal] = cell.reversal_mV.get(ion.reversal, known)
        for name in ion.concentrations:
            known = DEFAULT_CONCENTRATION_mM.get(name, 1.0)
            concentration[name] = cell.concentration_mM.get(name, known)
    return reversal, concentration


def _of_lane(job: NeuronJob) -> dict[tuple[str, str], np.ndarray]:
    """Overrides with one value per row."""
    values = {key: np.asarray(value, dtype=np.float64) for key, value in (job.overrides or {}).items()}
    lane = {key: min(job.lane, v.shape[1] - 1) for key, v in values.items() if v.ndim == 2}
    return {key: v[:, lane[key]] if key in lane else v for key, v in values.items()}


def _recorded(job: NeuronJob, n: int) -> np.ndarray:
    if isinstance(job.record, str):
        return np.arange(n if job.record == "all" else 1)
    return np.array([0, *(c for c in job.record if c != 0)])


def _placed(
    cell: Cell,
    overrides: dict[tuple[str, str], np.ndarray],
    events: Events,
    lane: int,
    whole: Collection[str],
) -> tuple[tuple[model.Placed, ...], tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """The placements that matter for a lane, and (event, placement, row, connection) of every delivery.

    Those labelled ``whole`` are there on all of their compartments.
    """
    placed: list[model.Placed] = []
    targets = [np.empty((4, 0), dtype=np.int64)]
    own = np.flatnonzero(events.lane == lane)
    of_lane = events.take(own)
    changed = cell.with_parameters(overrides)
    for index, placement in enumerate(changed.placements):
        rows = np.arange(len(placement.compartments))
        heard = any(placement.label in labels for labels in cell.ports.values())
        if heard:
            sums = placement.mechanism.merging in ("linear", "plastic")
            # synapses of their own are numbered over all lanes, as in the twin; others need only this lane's events
            found = connections(cell, placement, of_lane if sums else events)
            event = own[found.event] if sums else found.event
            mine = events.lane[event] == lane
            at = found.row[mine]
            # before its first event a synapse that only sums events has no current
            if sums and placement.label not in whole:
                rows = np.unique(at)
            row = np.searchsorted(rows, at)
            which = np.full(len(at), index)
            targets.append(np.stack([event[mine], which, row, found.slot[mine]]))
        placed.append(placed_on(placement, rows))
    event, which, row, slot = np.concatenate(targets, axis=1)
    order = np.argsort(event, kind="stable")
    return tuple(placed), (event[order], which[order], row[order], slot[order])


def placed_on(placement: Placement, rows: np.ndarray) -> model.Placed:
    mechanism = placement.mechanism
    elements = {name: mechanism.element(name) for name in placement.parameters}
    own, shared = {}, {}
    for name, values in placement.parameters.items():
        parameter = mechanism.parameters.get(name)
        if parameter is not None and not parameter.is_range:
            if len(values) and np.ptp(values) > 0:
                raise InputError(
                    f"'{placement.label}': {name} is GLOBAL in {mechanism.path.name}, so it has one value for all "
                    "compartments; make it RANGE"
                )
            shared[name] = float(values[0]) if len(values) else parameter.value
        else:
            own[name] = values[rows]
    return model.Placed(
        name=mechanism.name,
        kind=mechanism.kind,
        compartments=placement.compartments[rows],
        parameters=own,
        shared=shared,
        elements={name: element for name, element in elements.items() if element is not None},
        tables=dict(mechanism.tables),
    )


def uniform_runs(cell: Cell) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parent, first compartment and number of each run of compartments that becomes a NEURON section.

    A section is cut where a density mechanism begins or ends, since NEURON inserts into whole sections. The cut
    changes no equation: the two halves meet in series.
    """
    table = cell.table
    present = np.zeros((table.n, len(cell.placements)), dtype=bool)
    carried: dict[str, np.ndarray] = {}
    for column, placement in enumerate(cell.placements):
        if placement.mechanism.kind != "density":
            continue
        present[placement.compartments, column] = True
        twice = np.intersect1d(placement.compartments, carried.get(placement.mechanism.name, []))
        if twice.size:
            raise InputError(
                f"cell '{cell.name}': placement '{placement.label}' puts {placement.mechanism.name} on compartment "
                f"{int(twice[0])}, which another placement did already; a compartment can carry it once"
            )
        carried[placement.mechanism.name] = np.union1d(
            placement.compartments, carried.get(placement.mechanism.name, [])
        )
    new_section = np.diff(table.section) != 0
    starts = np.append(True, new_section | np.any(present[1:] != present[:-1], axis=1))
    first = np.flatnonzero(starts)
    count = np.diff(np.append(first, table.n))
    run_of = np.cumsum(starts) - 1
    parent = run_of[np.maximum(first - 1, 0)]
    head = np.isin(first, table.section_first)
    above = table.section_parent[table.section[first]]
    last = table.section_first[above] + table.section_count[above] - 1
    parent = np.where(head, run_of[last], parent)
    parent[0] = -1
    return parent, first, count


def variable_columns(
    job: NeuronJob, placed: tuple[model.Placed, ...]
) -> Iterator[tuple[str, str, model.Variable]]:
    """Label, name and place of every variable to record, row by row."""
    labels = [p.label for p in job.cell.placements]
    for label, name in job.variables:
        if label == "ions":
            for row in np.flatnonzero(_has_ion(job.cell, name)).tolist():
                yield label, name, model.Variable(-1, row, name)
            continue
        index = labels.index(label)
        array, element = job.cell.placement(label).mechanism.element(name) or (name, None)
        for row in range(len(placed[index].compartments)):
            yield label, name, model.Variable(index, row, array, element)


def _has_ion(cell: Cell, variable: str) -> np.ndarray:
    """Compartments with a mechanism that uses a variable's ion."""
    mask = np.zeros(cell.table.n, bool)
    for placement in cell.placements:
        for ion in placement.mechanism.ions:
            if variable in (ion.current, ion.reversal, *ion.concentrations):
                mask[placement.compartments] = True
    return mask
