"""The reference engine: NEURON, built from the same compartment table and fed the same events as the twin."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from ketune.cell import Cell, Overrides, Placement
from ketune.engines import neuron_worker as worker
from ketune.engines.connections import connections
from ketune.errors import InputError
from ketune.events import Events

Status = Literal["done", "failed", "timeout", "crashed"]


@dataclass(frozen=True, eq=False)
class NeuronRun:
    """One lane simulated by NEURON.

    Attributes
    ----------
    dt_ms
        Step.
    recorded
        Compartments whose voltage was kept; the soma (0) comes first.
    v_mV
        ``float (n_steps + 1, len(recorded))`` from time 0 on.
    variables
        Recorded variables by ``(label, name)``, ``float (n_steps + 1, rows)``; the label of an ion's is "ions".
    """

    dt_ms: float
    recorded: tuple[int, ...]
    v_mV: np.ndarray
    variables: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)

    @property
    def time_ms(self) -> np.ndarray:
        """Times of the voltage samples."""
        return np.arange(len(self.v_mV)) * self.dt_ms

    @property
    def spike_ms(self) -> np.ndarray:
        """Times of the somatic spikes: first sample at or above the threshold, as in the twin."""
        from ketune.engines.jax_engine import SPIKE_THRESHOLD_mV

        above = self.v_mV[:, 0] >= SPIKE_THRESHOLD_mV
        return (np.flatnonzero(above[1:] & ~above[:-1]) + 1) * self.dt_ms

    def count(self, from_ms: float = 0.0, to_ms: float = np.inf) -> int:
        """Spikes in ``from_ms <= t < to_ms``."""
        return int(np.sum((self.spike_ms >= from_ms) & (self.spike_ms < to_ms)))


@dataclass(frozen=True, eq=False)
class NeuronJob:
    """One lane to simulate; the fields are the arguments of `run_neuron`."""

    cell: Cell
    events: Events
    lane: int = 0
    overrides: Overrides | None = None
    injected_nA: np.ndarray | None = None
    record: Literal["all", "soma"] | Sequence[int] = "soma"
    variables: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, eq=False)
class NeuronResult:
    """What became of a job.

    Attributes
    ----------
    status
        "done"; "failed" (NEURON raised an error), "timeout" (stopped at the time limit) or "crashed" (the process
        ended by itself).
    run
        The simulation if it is done, else None.
    message
        Why it is not done, one line.
    seconds
        Wall time.
    """

    status: Status
    run: NeuronRun | None
    message: str
    seconds: float


def run_neuron(
    cell: Cell,
    events: Events,
    lane: int = 0,
    *,
    overrides: Overrides | None = None,
    injected_nA: np.ndarray | None = None,
    record: Literal["all", "soma"] | Sequence[int] = "all",
    variables: Sequence[tuple[str, str]] = (),
) -> NeuronRun:
    """Simulate one lane of the events in this process.

    Parameters
    ----------
    cell
        What to simulate. A synapse that a port drives exists only where the lane has an event for it: before its
        first event it carries no current.
    events, lane
        The lane's events; step and duration are those of the events.
    overrides
        Parameters that replace the cell's, as for the twin; two-dimensional values are per lane.
    injected_nA
        Current into the soma at each step, ``(n_steps,)``; positive depolarises.
    record
        Compartments whose voltage is kept: "all", "soma", or a list (the soma is added in front).
    variables
        What else is kept: ``(label, state)`` of a placement, or ``("ions", name)`` in every compartment.
    """
    from ketune import mechanisms

    mechanisms.load_into_neuron()
    if own := _own_files(cell):
        mechanisms.load_into_neuron(own)
    job = NeuronJob(cell, events, lane, overrides, injected_nA, record, variables)
    problem = _problem(job, libraries=())
    return _run(job, problem, worker.simulate(problem))


def run_in_processes(
    jobs: Sequence[NeuronJob],
    *,
    n_processes: int = 2,
    timeout_s: float = 600.0,
    on_done: Callable[[int, NeuronResult], None] | None = None,
) -> list[NeuronResult]:
    """Simulate jobs in worker processes; whatever happens to a worker is a status, not an exception.

    Parameters
    ----------
    jobs
        What to simulate. The order of the results is theirs.
    n_processes
        Workers at most; each simulates one job at a time.
    timeout_s
        Wall time that a job may take before its worker is stopped and replaced. A worker's first job includes
        the start of Python and NEURON.
    on_done
        Called from a worker's thread with the job's index and result, one call at a time.

    Raises
    ------
    InputError
        A job or its mechanisms cannot be used; nothing was started.
    """
    libraries = {cell: _libraries(cell) for cell in {job.cell for job in jobs}}
    problems = [_problem(job, libraries[job.cell]) for job in jobs]
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for index in range(len(jobs)):
        waiting.put(index)
    results: dict[int, NeuronResult] = {}
    raised: list[BaseException] = []
    lock, stopping = threading.Lock(), threading.Event()
    workers = [_Worker() for _ in range(min(n_processes, len(jobs)))]

    def work(mine: _Worker) -> None:
        try:
            while not stopping.is_set():
                index = waiting.get_nowait()
                result = mine.solve(jobs[index], problems[index], timeout_s)
                with lock:
                    results[index] = result
                    if on_done is not None:
                        on_done(index, result)
        except queue.Empty:
            return
        except BaseException as error:  # a thread cannot raise into its caller: hand it over
            raised.append(error)
            stopping.set()

    threads = [threading.Thread(target=work, args=(w,), daemon=True) for w in workers]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        stopping.set()
        for mine in workers:
            mine.stop()
    if raised:
        raise raised[0]
    return [results[index] for index in range(len(jobs))]


@dataclass(eq=False)
class _Worker:
    """A process that simulates problems, started when needed and replaced after it died."""

    process: subprocess.Popen[bytes] | None = field(default=None)
    libraries: tuple[str, ...] = ()

    def solve(self, job: NeuronJob, problem: worker.Problem, timeout_s: float) -> NeuronResult:
        begin = time.perf_counter()
        process = self._started(problem.libraries)
        assert process.stdin is not None
        assert process.stdout is not None
        late = threading.Event()

        def give_up() -> None:
            late.set()
            process.kill()

        alarm = threading.Timer(timeout_s, give_up)
        alarm.start()
        try:
            worker.write_message(process.stdin, problem)
            traces, message = worker.read_message(process.stdout)
        except (EOFError, OSError):
            process.kill()
            code = process.wait()
            self.process = None
            seconds = time.perf_counter() - begin
            if late.is_set():
                return NeuronResult("timeout", None, f"stopped after the limit of {timeout_s:g} s", seconds)
            return NeuronResult("crashed", None, f"the NEURON process ended with code {code}", seconds)
        finally:
            alarm.cancel()
        seconds = time.perf_counter() - begin
        if message is not None:
            return NeuronResult("failed", None, message, seconds)
        return NeuronResult("done", _run(job, problem, traces), "", seconds)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _started(self, libraries: tuple[str, ...]) -> subprocess.Popen[bytes]:
        if self.libraries != libraries:  # mechanisms cannot be taken out of NEURON again
            self.stop()
            self.libraries = libraries
        if self.process is None:
            # A plain command, unlike multiprocessing, does not import the caller's main module again.
            root = Path(__file__).parents[2]
            paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
            self.process = subprocess.Popen(
                [sys.executable, "-c", f"from {worker.__name__} import serve; serve()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                # Ctrl-C is for the parent, which stops its workers.
                start_new_session=True,
            )
        return self.process


def _run(job: NeuronJob, problem: worker.Problem, traces: worker.Traces) -> NeuronRun:
    voltages, others = traces
    wanted: dict[tuple[str, str], list[int]] = {}
    for column, (label, name, _) in enumerate(_columns(job, problem.placed)):
        wanted.setdefault((label, name), []).append(column)
    variables = {key: others[:, columns] for key, columns in wanted.items()}
    return NeuronRun(problem.dt_ms, tuple(problem.record.tolist()), voltages, variables)


def _columns(job: NeuronJob, placed: tuple[worker.Placed, ...]) -> Iterator[tuple[str, str, worker.Variable]]:
    """Label, name and place of every variable to record, row by row."""
    labels = [p.label for p in job.cell.placements]
    for label, name in job.variables:
        if label == "ions":
            for row in np.flatnonzero(_has_ion(job.cell, name)).tolist():
                yield label, name, worker.Variable(-1, row, name)
            continue
        index = labels.index(label)
        array, element = job.cell.placement(label).mechanism.element(name) or (name, None)
        for row in range(len(placed[index].compartments)):
            yield label, name, worker.Variable(index, row, array, element)


def _has_ion(cell: Cell, variable: str) -> np.ndarray:
    """Compartments with a mechanism that uses a variable's ion."""
    mask = np.zeros(cell.table.n, bool)
    for placement in cell.placements:
        for ion in placement.mechanism.ions:
            if variable in (ion.current, ion.reversal, *ion.concentrations):
                mask[placement.compartments] = True
    return mask


def _own_files(cell: Cell) -> list[Path]:
    """The user's own mechanisms among the cell's."""
    from ketune.mechanisms import MOD_DIRECTORY

    return sorted({p.mechanism.path for p in cell.placements if p.mechanism.path.parent != MOD_DIRECTORY})


def _libraries(cell: Cell) -> tuple[str, ...]:
    """Compiled mechanisms for a worker, built here where a failure is an exception with the compiler's words.

    A cell with mechanisms of its own gets a library of just what it uses: these may be called like shipped ones.
    """
    from ketune import mechanisms

    if not _own_files(cell):
        return (str(mechanisms.library()),)
    return (str(mechanisms.library(sorted({p.mechanism.path for p in cell.placements}))),)


def _problem(job: NeuronJob, libraries: tuple[str, ...]) -> worker.Problem:
    """A job as plain data."""
    cell, events, table = job.cell, job.events, job.cell.table
    if not 0 <= job.lane < events.n_lanes:
        raise ValueError(f"lane {job.lane} is not one of the events' {events.n_lanes}")
    recorded = {label for label, _ in job.variables}
    placed, targets = _placed(cell, _of_lane(job), events, job.lane, recorded)
    parent, first, count = _uniform_runs(cell)
    reversal, concentration = _ions(cell)
    event, placed_of, row, name = targets
    return worker.Problem(
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
        n_steps=events.n_steps,
        record=_recorded(job, table.n),
        variables=tuple(variable for _, _, variable in _columns(job, placed)),
    )


def _ions(cell: Cell) -> tuple[dict[str, float], dict[str, float]]:
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
) -> tuple[tuple[worker.Placed, ...], tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """The placements that matter for a lane, and (event, placement, row, connection) of every delivery.

    Those labelled ``whole`` are there on all of their compartments.
    """
    placed: list[worker.Placed] = []
    targets = [np.empty((4, 0), dtype=np.int64)]
    changed = cell.with_parameters(overrides)
    for index, placement in enumerate(changed.placements):
        rows = np.arange(len(placement.compartments))
        heard = any(placement.label in labels for labels in cell.ports.values())
        if heard:
            found = connections(cell, placement, events)
            mine = events.lane[found.event] == lane
            at = found.row[mine]
            # before its first event a synapse that only sums events has no current
            sums = placement.mechanism.merging in ("linear", "plastic")
            if sums and placement.label not in whole:
                rows = np.unique(at)
            row = np.searchsorted(rows, at)
            which = np.full(len(at), index)
            targets.append(np.stack([found.event[mine], which, row, found.slot[mine]]))
        placed.append(_on_rows(placement, rows))
    event, which, row, slot = np.concatenate(targets, axis=1)
    order = np.argsort(event, kind="stable")
    return tuple(placed), (event[order], which[order], row[order], slot[order])


def _on_rows(placement: Placement, rows: np.ndarray) -> worker.Placed:
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
    return worker.Placed(
        name=mechanism.name,
        kind=mechanism.kind,
        compartments=placement.compartments[rows],
        parameters=own,
        shared=shared,
        elements={name: element for name, element in elements.items() if element is not None},
        tables=dict(mechanism.tables),
    )


def _uniform_runs(cell: Cell) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
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
