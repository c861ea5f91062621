"""NEURON and CoreNEURON in the benchmark: the reference engine's model, with building and running timed apart.

A process simulates its lanes one after the other (NEURON), or all of them together, as CoreNEURON is meant to be used.
Synapses of one kind on one compartment are one point process, as in ketune.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ketune import mechanisms
from ketune.bench.runner import Prepared, Trace, seconds_of, spike_times
from ketune.bench.workloads import Work, Workload, build
from ketune.engines import neuron_model
from ketune.engines.jax_engine import SPIKE_THRESHOLD_mV
from ketune.engines.neuron_problem import NeuronJob, problem_of


class Runner:
    """NEURON in float64; ``core`` hands the time steps to CoreNEURON."""

    def __init__(self, core: str = "") -> None:
        self._core = bool(core)
        self._compile_s: float | None = None
        self._ready: dict[Workload, list[_Batch]] = {}

    def prepare(self, workload: Workload) -> Prepared:
        work = build(workload)
        compile_s = self._load(work)
        batches = self._ready[workload] = self._of(work, "soma")
        setup_s = 0.0
        for batch in batches:
            setup_s += seconds_of(batch.start)
            batch.clear()
        return Prepared(setup_s, compile_s, workload.lanes)

    def forward(self, workload: Workload) -> float:
        seconds = 0.0
        for batch in self._ready[workload]:
            batch.start()
            seconds += seconds_of(batch.advance)
            batch.clear()
        return seconds

    def trace(self, workload: Workload) -> Trace:
        work = build(workload).first_lanes(1)
        self._load(work)
        (batch,) = self._of(work, "all")
        batch.start()
        batch.advance()
        v_mV = batch.voltage()
        batch.clear()
        return Trace(v_mV, spike_times(v_mV[:, :1], workload.dt_ms, SPIKE_THRESHOLD_mV))

    def _load(self, work: Work) -> float:
        """Compile the cell's mechanisms and load them, ``seconds`` of the compilation."""
        if self._compile_s is None:
            files = {p.mechanism.path for p in work.cell.placements}
            self._compile_s = seconds_of(lambda: mechanisms.library(files, coreneuron=self._core))
            library = mechanisms.library(files, coreneuron=self._core)
            if self._core:
                os.environ["CORENEURONLIB"] = str(library.with_name(mechanisms.CORENEURON_LIBRARY))
            self._h = _neuron_with(library)
            if self._core:
                from neuron import coreneuron

                coreneuron.enable = True
                coreneuron.verbose = 0
        return self._compile_s

    def _of(self, work: Work, record: Literal["all", "soma"]) -> list[_Batch]:
        lanes = [_Lane(work, lane, record) for lane in range(work.events.n_lanes)]
        return [_Batch(self._h, lanes)] if self._core else [_Batch(self._h, [lane]) for lane in lanes]


def _neuron_with(library: Path) -> Any:
    # Without a display NEURON would print that it has none.
    os.environ.setdefault("NEURON_MODULE_OPTIONS", "-nogui")
    from neuron import h

    if not h.nrn_load_dll(str(library)):
        raise RuntimeError(f"NEURON cannot load {library}")
    return h


class _Lane:
    """One simulation: the reference engine's problem, and an electrode for the step of current.

    An electrode with a delay, and not the problem's own current, which NEURON would play step by step.
    """

    def __init__(self, work: Work, lane: int, record: Literal["all", "soma"]) -> None:
        self.problem = problem_of(NeuronJob(work.cell, work.events, lane, record=record), libraries=())
        self.delay_ms = self.amplitude_nA = 0.0
        if work.injected_nA is not None:
            current = work.injected_nA[:, lane]
            self.delay_ms = float(np.argmax(current != 0) * self.problem.dt_ms)
            self.amplitude_nA = float(current[-1])

    def electrode(self, h: Any, soma: Any) -> Any:
        """NEURON's IClamp, which has to be held."""
        clamp = h.IClamp(soma)
        clamp.delay, clamp.dur, clamp.amp = self.delay_ms, 1e9, self.amplitude_nA
        return clamp


class _Batch:
    """Lanes that NEURON advances together: every section that exists takes part in a step."""

    def __init__(self, h: Any, lanes: list[_Lane]) -> None:
        self._h, self._lanes = h, lanes
        self._recorded: list[Any] = []
        self._alive: list[Any] = []

    def start(self) -> None:
        """Build and initialise, up to the first step."""
        h, first = self._h, self._lanes[0].problem
        models = [neuron_model.build(h, lane.problem) for lane in self._lanes]
        for lane, model in zip(self._lanes, models, strict=True):
            if lane.amplitude_nA:
                self._alive.append(lane.electrode(h, model.segments[0]))
            record = [h.Vector().record(model.segments[c]._ref_v) for c in lane.problem.record]
            self._recorded.append(record)
        self._alive += models
        h.celsius, h.secondorder, h.dt = first.celsius, 0, first.dt_ms
        h.CVode().active(False)
        h.CVode().cache_efficient(True)
        h.ParallelContext().set_maxstep(10)
        h.finitialize(first.v_init_mV)
        for model in models:
            for connection, time_ms in zip(model.connections, model.times_ms, strict=True):
                connection.event(time_ms)

    def advance(self) -> None:
        """All time steps."""
        first = self._lanes[0].problem
        self._h.ParallelContext().psolve(first.n_steps * first.dt_ms)

    def voltage(self) -> np.ndarray:
        """Of the first lane, ``(n_steps + 1, recorded)``."""
        return np.array([np.array(vector) for vector in self._recorded[0]]).T

    def clear(self) -> None:
        """Take the cells out of NEURON."""
        self._recorded, self._alive = [], []
