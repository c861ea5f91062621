"""NEURON's side of the reference engine: a simulation described by plain data, run here or in a worker process.

Nothing but NumPy and NEURON is imported, so that a worker starts quickly. A worker reads pickled `Problem`s from
its standard input and answers each with a pickled `(voltages, None)` or `(None, message)`.
"""

from __future__ import annotations

import os
import pickle
import sys
import traceback
from dataclasses import dataclass, replace
from typing import IO, Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Placed:
    """A mechanism on compartments (k,) with its parameters (k,); `name` is its SUFFIX or POINT_PROCESS."""

    name: str
    kind: str
    compartments: np.ndarray
    parameters: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Problem:
    """One simulation.

    Attributes
    ----------
    libraries
        Compiled mechanisms that NEURON does not have yet.
    parent
        (m,) for each run of compartments the run at whose end it starts; -1 for the soma, 0 starts at its middle.
    first, count
        (m,) a run's compartments. All compartments of a run carry the same density mechanisms.
    length_um, diam_um, cm_uF_cm2, ra_ohm_cm
        (n,) of the compartments.
    placed
        Density mechanisms and point processes.
    event_placed, event_row, event_step, event_weight
        (e,) the events: index into `placed`, row of its arrays, step at whose beginning it arrives, weight.
    injected_nA
        (n_steps,) current into the soma, or None.
    record
        Compartments whose voltage is returned.
    """

    libraries: tuple[str, ...]
    parent: np.ndarray
    first: np.ndarray
    count: np.ndarray
    length_um: np.ndarray
    diam_um: np.ndarray
    cm_uF_cm2: np.ndarray
    ra_ohm_cm: np.ndarray
    placed: tuple[Placed, ...]
    reversal_mV: dict[str, float]
    celsius: float
    v_init_mV: float
    event_placed: np.ndarray
    event_row: np.ndarray
    event_step: np.ndarray
    event_weight: np.ndarray
    injected_nA: np.ndarray | None
    dt_ms: float
    n_steps: int
    record: np.ndarray


def simulate(problem: Problem) -> np.ndarray:
    """Voltages (n_steps + 1, len(record)) from time 0 on, by NEURON's fixed-step backward Euler."""
    # Without a display NEURON would print that it has none.
    os.environ.setdefault("NEURON_MODULE_OPTIONS", "-nogui")
    from neuron import h

    for library in problem.libraries:
        if not h.nrn_load_dll(library):
            raise RuntimeError(f"NEURON cannot load {library}")
    segments, keep = _build_cable(h, problem)
    points = _place(h, problem, segments)
    _set_reversals(h, problem, segments)
    connections, times = _connect(h, problem, points)
    keep.append(_inject(h, problem, segments[0]))
    voltages = [h.Vector().record(segments[c]._ref_v) for c in problem.record]

    h.celsius = problem.celsius
    h.secondorder = 0
    h.CVode().active(False)
    h.dt = problem.dt_ms
    solver = h.ParallelContext()
    solver.set_maxstep(10)
    h.finitialize(problem.v_init_mV)
    # Initialisation empties the event queue, so the events come after it.
    for connection, time in zip(connections, times, strict=True):
        connection.event(time)
    solver.psolve(problem.n_steps * problem.dt_ms)

    result = np.empty((problem.n_steps + 1, len(voltages)))
    for column, voltage in enumerate(voltages):
        result[:, column] = voltage.as_numpy()
    return result


def _build_cable(h: Any, problem: Problem) -> tuple[list[Any], list[Any]]:
    """The segment of every compartment, and the sections (which vanish when nobody holds them)."""
    sections: list[Any] = []
    segments: list[Any] = []
    for k, (first, count) in enumerate(zip(problem.first.tolist(), problem.count.tolist(), strict=True)):
        section = h.Section(name=f"ketune_{k}")
        run = slice(first, first + count)
        section.nseg = count
        section.L = problem.length_um[run].sum()
        section.Ra = problem.ra_ohm_cm[first]
        for segment, diam, cm in zip(section, problem.diam_um[run], problem.cm_uF_cm2[run], strict=True):
            segment.diam, segment.cm = diam, cm
            segments.append(segment)
        if problem.parent[k] >= 0:
            section.connect(sections[problem.parent[k]](0.5 if problem.parent[k] == 0 else 1.0), 0)
        sections.append(section)
    return segments, sections


def _place(h: Any, problem: Problem, segments: list[Any]) -> dict[tuple[int, int], Any]:
    """Insert every mechanism; point processes by (index into `placed`, row)."""
    points = {}
    for index, placed in enumerate(problem.placed):
        for row, compartment in enumerate(placed.compartments.tolist()):
            segment = segments[compartment]
            if placed.kind == "density":
                # Inserting twice does nothing.
                segment.sec.insert(placed.name)
                target = getattr(segment, placed.name)
            else:
                target = points[index, row] = getattr(h, placed.name)(segment)
            for name, values in placed.parameters.items():
                setattr(target, name, float(values[row]))
    return points


def _set_reversals(h: Any, problem: Problem, segments: list[Any]) -> None:
    for name, value in problem.reversal_mV.items():
        ion = f"{name.removeprefix('e')}_ion"
        for segment in segments:
            if h.ismembrane(ion, sec=segment.sec):
                setattr(segment, name, value)


def _connect(h: Any, problem: Problem, points: dict[tuple[int, int], Any]) -> tuple[list[Any], list[float]]:
    """A connection and a delivery time for every event; events of one weight share a connection."""
    shared: dict[tuple[int, int, float], Any] = {}
    connections = []
    events = (problem.event_placed, problem.event_row, problem.event_weight)
    for key in zip(*(column.tolist() for column in events), strict=True):
        if key not in shared:
            shared[key] = h.NetCon(None, points[key[:2]])
            shared[key].weight[0] = key[2]
        connections.append(shared[key])
    return connections, (problem.event_step * problem.dt_ms).tolist()


def _inject(h: Any, problem: Problem, soma: Any) -> Any:
    if problem.injected_nA is None:
        return None
    electrode = h.IClamp(soma)
    electrode.delay, electrode.dur = 0.0, 1e9
    # Played as steps, each of which is an event at the beginning of its step: interpolation in between would turn the
    # rounding of NEURON's clock into an error of the current wherever that jumps.
    times = h.Vector(np.arange(problem.n_steps) * problem.dt_ms)
    values = h.Vector(np.asarray(problem.injected_nA, dtype=np.float64))
    values.play(electrode._ref_amp, times, False)
    return electrode, times, values


def read_message(stream: IO[bytes]) -> Any:
    """The next pickled object of a pipe. Raises EOFError at its end."""
    header = _read_exactly(stream, 8)
    return pickle.loads(_read_exactly(stream, int.from_bytes(header, "little")))


def write_message(stream: IO[bytes], message: Any) -> None:
    """Send an object through a pipe."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    stream.write(len(body).to_bytes(8, "little"))
    stream.write(body)
    stream.flush()


def _read_exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def serve() -> None:
    """Answer problems from standard input until it closes."""
    # Answers keep the original standard output; whatever NEURON prints goes to standard error.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    loaded: set[str] = set()
    while True:
        try:
            problem = read_message(sys.stdin.buffer)
        except EOFError:
            return
        answer: tuple[np.ndarray | None, str | None]
        try:
            needed = tuple(path for path in problem.libraries if path not in loaded)
            loaded.update(needed)
            answer = (simulate(replace(problem, libraries=needed)), None)
        except Exception as error:  # the parent reports it as the job's status
            answer = (None, "".join(traceback.format_exception_only(error)).strip())
        write_message(answers, answer)
