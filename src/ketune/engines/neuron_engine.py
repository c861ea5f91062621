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
from ketune.cores import available_cores
from ketune.engines import neuron_model as model
from ketune.engines import neuron_worker as worker
from ketune.engines.neuron_problem import NeuronJob, libraries_of, own_files, problem_of, variable_columns
from ketune.engines.schemes import Scheme
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

        return model.spike_ms(self.v_mV[:, 0], self.dt_ms, SPIKE_THRESHOLD_mV)

    def count(self, from_ms: float = 0.0, to_ms: float = np.inf) -> int:
        """Spikes in ``from_ms <= t < to_ms``."""
        return int(np.sum((self.spike_ms >= from_ms) & (self.spike_ms < to_ms)))


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
    scheme: Scheme = "backward_euler",
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
    scheme
        See :mod:`ketune.engines.schemes`.
    """
    from ketune import mechanisms

    mechanisms.load_into_neuron()
    if own := own_files(cell):
        mechanisms.load_into_neuron(own)
    job = NeuronJob(cell, events, lane, overrides, injected_nA, record, variables, scheme=scheme)
    problem = problem_of(job, libraries=())
    return _run(job, problem, model.simulate(problem))


def run_in_processes(
    jobs: Sequence[NeuronJob],
    *,
    n_processes: int | None = None,
    timeout_s: float = 600.0,
    on_done: Callable[[int, NeuronResult], None] | None = None,
) -> list[NeuronResult]:
    """Simulate jobs in worker processes; whatever happens to a worker is a status, not an exception.

    Parameters
    ----------
    jobs
        What to simulate. The order of the results is theirs.
    n_processes
        Workers at most (default: the number of cores); each simulates one job at a time.
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
    libraries = {key: libraries_of(*key) for key in {(job.cell, job.compiled_with) for job in jobs}}
    problems = [problem_of(job, libraries[job.cell, job.compiled_with]) for job in jobs]
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for index in range(len(jobs)):
        waiting.put(index)
    results: dict[int, NeuronResult] = {}
    raised: list[BaseException] = []
    lock, stopping = threading.Lock(), threading.Event()
    workers = [_Worker() for _ in range(min(n_processes or available_cores(), len(jobs)))]

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

    def solve(self, job: NeuronJob, problem: model.Problem, timeout_s: float) -> NeuronResult:
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


def _run(job: NeuronJob, problem: model.Problem, traces: model.Traces) -> NeuronRun:
    voltages, others = traces
    wanted: dict[tuple[str, str], list[int]] = {}
    for column, (label, name, _) in enumerate(variable_columns(job, problem.placed)):
        wanted.setdefault((label, name), []).append(column)
    variables = {key: others[:, columns] for key, columns in wanted.items()}
    return NeuronRun(problem.dt_ms, tuple(problem.record.tolist()), voltages, variables)
