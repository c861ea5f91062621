"""The reference engine: NEURON, built from the same compartment table and fed the same events as the twin."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from ketune.cell import Cell, Overrides
from ketune.engines import neuron_worker as worker
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
    """

    dt_ms: float
    recorded: tuple[int, ...]
    v_mV: np.ndarray

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
    """
    from ketune import mechanisms

    mechanisms.load_into_neuron()
    if own := _own_files(cell):
        mechanisms.load_into_neuron(own)
    problem = _problem(NeuronJob(cell, events, lane, overrides, injected_nA, record), libraries=())
    return _run(problem, worker.simulate(problem))


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
                result = mine.solve(problems[index], timeout_s)
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

    def solve(self, problem: worker.Problem, timeout_s: float) -> NeuronResult:
        begin = time.perf_counter()
        process = self._started()
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
            voltages, message = worker.read_message(process.stdout)
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
        return NeuronResult("done", _run(problem, voltages), "", seconds)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _started(self) -> subprocess.Popen[bytes]:
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


def _run(problem: worker.Problem, voltages: np.ndarray) -> NeuronRun:
    return NeuronRun(problem.dt_ms, tuple(problem.record.tolist()), voltages)


def _own_files(cell: Cell) -> list[Path]:
    """The user's own mechanisms among the cell's."""
    from ketune.mechanisms import MOD_DIRECTORY

    return sorted({p.mechanism.path for p in cell.placements if p.mechanism.path.parent != MOD_DIRECTORY})


def _libraries(cell: Cell) -> tuple[str, ...]:
    """Compiled mechanisms for a worker, built here where a failure is an exception with the compiler's words."""
    from ketune import mechanisms

    own = _own_files(cell)
    return (str(mechanisms.library()), *([str(mechanisms.library(own))] if own else []))


def _problem(job: NeuronJob, libraries: tuple[str, ...]) -> worker.Problem:
    """A job as plain data."""
    cell, events, table = job.cell, job.events, job.cell.table
    if not 0 <= job.lane < events.n_lanes:
        raise ValueError(f"lane {job.lane} is not one of the events' {events.n_lanes}")
    mine = np.flatnonzero(events.lane == job.lane)
    placed, targets = _placed(cell, _of_lane(job), events, mine)
    parent, first, count = _uniform_runs(cell)
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
        reversal_mV=dict(cell.reversal_mV),
        celsius=cell.celsius,
        v_init_mV=cell.v_init_mV,
        event_placed=targets[0],
        event_row=targets[1],
        event_step=events.step[mine][targets[2]],
        event_weight=events.weight[mine][targets[2]],
        injected_nA=None if job.injected_nA is None else np.asarray(job.injected_nA, dtype=np.float64),
        dt_ms=events.dt_ms,
        n_steps=events.n_steps,
        record=_recorded(job, table.n),
    )


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
    cell: Cell, overrides: dict[tuple[str, str], np.ndarray], events: Events, mine: np.ndarray
) -> tuple[tuple[worker.Placed, ...], np.ndarray]:
    """The placements that matter for some events, and (placement, row, event) of every delivery, shape (3, e)."""
    placed: list[worker.Placed] = []
    targets = [np.empty((3, 0), dtype=np.int64)]
    for placement in cell.with_parameters(overrides).placements:
        rows = np.arange(len(placement.compartments))
        ports = [name for name, labels in cell.ports.items() if placement.label in labels]
        if ports:
            numbers = [k for k, name in enumerate(events.port_names) if name in ports]
            arriving = np.flatnonzero(np.isin(events.port[mine], numbers))
            at = events.compartment[mine][arriving]
            here = np.isin(at, placement.compartments)
            arriving, at = arriving[here], at[here]
            rows = np.searchsorted(placement.compartments, np.unique(at))
            row = np.searchsorted(placement.compartments[rows], at)
            targets.append(np.stack([np.full(len(row), len(placed)), row, arriving]))
        placed.append(
            worker.Placed(
                placement.mechanism.name,
                placement.mechanism.kind,
                placement.compartments[rows],
                {name: values[rows] for name, values in placement.parameters.items()},
            )
        )
    return tuple(placed), np.concatenate(targets, axis=1)


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
