"""A neuron in NEURON, described by plain data: its cable, mechanisms, connections and events.

Nothing but NumPy and NEURON is imported: a worker process starts quickly, and `ketune export` ships this very file with
a fitted neuron, which then runs where there is no ketune.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Placed:
    """A mechanism on compartments (k,) with its parameters (k,); `name` is its SUFFIX or POINT_PROCESS.

    `shared` are its GLOBAL parameters, `elements` the array and index of parameters that are elements of arrays,
    `tables` the values of each FUNCTION_TABLE.
    """

    name: str
    kind: str
    compartments: np.ndarray
    parameters: dict[str, np.ndarray]
    shared: dict[str, float] = field(default_factory=dict)
    elements: dict[str, tuple[str, int]] = field(default_factory=dict)
    tables: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Variable:
    """What to record beside the voltage: a variable of a placement's row, or (placed is -1) an ion's variable."""

    placed: int
    row: int
    name: str
    element: int | None = None


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
    concentration_mM
        The ions' concentrations, inside and outside, by name.
    variables
        What else is returned; the row of an ion's variable is its compartment.
    connection
        (e,) the events' connections: those of equal number, placed and row share one. None: those of equal weight do.
    second_order
        NEURON's `secondorder` is 2, else 0.
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
    concentration_mM: dict[str, float] = field(default_factory=dict)
    variables: tuple[Variable, ...] = ()
    connection: np.ndarray | None = None
    second_order: bool = False


Traces = tuple[np.ndarray, np.ndarray]
"""Voltages (n_steps + 1, len(record)), and the other variables (n_steps + 1, len(variables))."""


def simulate(problem: Problem) -> Traces:
    """What is recorded, from time 0 on, by NEURON's fixed steps."""
    # Without a display NEURON would print that it has none.
    os.environ.setdefault("NEURON_MODULE_OPTIONS", "-nogui")
    from neuron import h

    for library in problem.libraries:
        if not h.nrn_load_dll(library):
            raise RuntimeError(f"NEURON cannot load {library}")
    model = build(h, problem)
    segments, points = model.segments, model.points
    voltages = [h.Vector().record(segments[c]._ref_v) for c in problem.record]
    others = [h.Vector().record(_reference(problem, segments, points, x)) for x in problem.variables]

    h.celsius = problem.celsius
    h.secondorder = 2 if problem.second_order else 0
    h.CVode().active(False)
    h.dt = problem.dt_ms
    solver = h.ParallelContext()
    solver.set_maxstep(10)
    h.finitialize(problem.v_init_mV)
    # Initialisation empties the event queue, so the events come after it.
    for connection, time_ms in zip(model.connections, model.times_ms, strict=True):
        connection.event(time_ms)
    solver.psolve(problem.n_steps * problem.dt_ms)

    return _columns(voltages, problem), _columns(others, problem)


@dataclass(frozen=True, eq=False)
class Model:
    """A problem's cell in NEURON, which is there as long as this is held.

    `connections` and `times_ms` say what to deliver when, after the initialisation.
    """

    segments: list[Any]
    points: dict[tuple[int, int], Any]
    connections: list[Any]
    times_ms: list[float]
    kept: list[Any]


def build(h: Any, problem: Problem) -> Model:
    """Cable, mechanisms, connections and electrode of a problem."""
    segments, keep = _build_cable(h, problem)
    points = _place(h, problem, segments)
    _set_ions(h, problem, segments)
    keep += _set_shared(h, problem)
    connections, times_ms = _connect(h, problem, points)
    keep.append(_inject(h, problem, segments[0]))
    return Model(segments, points, connections, times_ms, keep)


def _columns(vectors: list[Any], problem: Problem) -> np.ndarray:
    result = np.empty((problem.n_steps + 1, len(vectors)))
    for column, vector in enumerate(vectors):
        result[:, column] = vector.as_numpy()
    return result


def _reference(problem: Problem, segments: list[Any], points: dict[tuple[int, int], Any], x: Variable) -> Any:
    """NEURON's pointer to a variable."""
    if x.placed < 0:
        return getattr(segments[x.row], f"_ref_{x.name}")
    placed = problem.placed[x.placed]
    if placed.kind == "density":
        owner = getattr(segments[placed.compartments[x.row]], placed.name)
    else:
        owner = points[x.placed, x.row]
    reference = getattr(owner, f"_ref_{x.name}")
    return reference if x.element is None else reference[x.element]


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
            elif placed.kind == "point":
                target = points[index, row] = getattr(h, placed.name)(segment)
            else:
                target = points[index, row] = getattr(h, placed.name)()
            for name, values in placed.parameters.items():
                if name in placed.elements:
                    array, element = placed.elements[name]
                    getattr(target, array)[element] = float(values[row])
                else:
                    setattr(target, name, float(values[row]))
    return points


def _set_ions(h: Any, problem: Problem, segments: list[Any]) -> None:
    for name, value in {**problem.reversal_mV, **problem.concentration_mM}.items():
        ion = f"{name[1:] if name in problem.reversal_mV else name[:-1]}_ion"
        start = f"{name}0_{ion}"
        if name in problem.concentration_mM and hasattr(h, start):
            # where a mechanism writes the concentration NEURON starts from this
            setattr(h, start, value)
        for segment in segments:
            if h.ismembrane(ion, sec=segment.sec):
                setattr(segment, name, value)


def _set_shared(h: Any, problem: Problem) -> list[Any]:
    """GLOBAL parameters, tables that are given, and tables that interpolate switched off; what has to be kept."""
    keep = []
    for placed in problem.placed:
        if hasattr(h, f"usetable_{placed.name}"):
            setattr(h, f"usetable_{placed.name}", 0)
        for name, value in placed.shared.items():
            if name in placed.elements:
                array, element = placed.elements[name]
                getattr(h, f"{array}_{placed.name}")[element] = value
            else:
                setattr(h, f"{name}_{placed.name}", value)
        for name, (x, y) in placed.tables.items():
            vectors = h.Vector(y), h.Vector(x)
            getattr(h, f"table_{name}_{placed.name}")(*vectors)
            keep.append(vectors)
    return keep


def _connect(h: Any, problem: Problem, points: dict[tuple[int, int], Any]) -> tuple[list[Any], list[float]]:
    """A connection and a delivery time for every event."""
    shared: dict[tuple[int, int, float], Any] = {}
    connections = []
    name = problem.event_weight if problem.connection is None else problem.connection
    events = (problem.event_placed, problem.event_row, name)
    keys = zip(*(column.tolist() for column in events), strict=True)
    for key, weight in zip(keys, problem.event_weight.tolist(), strict=True):
        if key not in shared:
            shared[key] = h.NetCon(None, points[key[:2]])
            shared[key].weight[0] = weight
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


def spike_ms(v_mV: np.ndarray, dt_ms: float, threshold_mV: float) -> np.ndarray:
    """Times of the spikes of one voltage trace: the first sample at or above the threshold."""
    above = v_mV >= threshold_mV
    return (np.flatnonzero(above[1:] & ~above[:-1]) + 1) * dt_ms
