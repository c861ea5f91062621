"""What a contender does in its process, and what it says about it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ketune.bench.workloads import Workload


@dataclass(frozen=True)
class Prepared:
    """Seconds of set-up (building the simulator's objects) and of compilation; lanes that it runs at once."""

    setup_s: float
    compile_s: float
    lanes: int


@dataclass(frozen=True, eq=False)
class Trace:
    """What the accuracy gate sees.

    Attributes
    ----------
    v_mV
        Voltage of the first lane in every compartment, ``(n_steps + 1, compartments)``.
    spike_ms
        Times of the somatic spikes, for each lane.
    """

    v_mV: np.ndarray
    spike_ms: tuple[np.ndarray, ...]


class Runner(Protocol):
    """A contender at work, made with its options. It may have several workloads ready at a time."""

    def prepare(self, workload: Workload) -> Prepared:
        """Get ready to run; compilation is over when it returns."""
        ...

    def forward(self, workload: Workload) -> float:
        """Simulate a workload that is ready, ``seconds``."""
        ...

    def prepare_gradient(self, workload: Workload) -> Prepared:
        """Get ready to differentiate a workload that is ready to run."""
        ...

    def gradient(self, workload: Workload) -> float:
        """Simulate and differentiate the mean somatic voltage in every parameter, ``seconds``."""
        ...

    def trace(self, workload: Workload) -> Trace:
        """Voltages and spikes of a workload that need not be ready."""
        ...


def repeated(body: Callable[[], float], at_least_s: float) -> float:
    """Seconds of one call, from as many as last so long together: a single short one is mostly noise."""
    seconds = [body()]
    while sum(seconds) < at_least_s:
        seconds.append(body())
    return sum(seconds) / len(seconds)


def seconds_of(body: Callable[[], object]) -> float:
    """Wall time of a call."""
    begin = time.perf_counter()
    body()
    return time.perf_counter() - begin


def spike_times(v_mV: np.ndarray, dt_ms: float, threshold_mV: float) -> tuple[np.ndarray, ...]:
    """First sample at or above the threshold, for each lane of ``(n_steps + 1, lanes)``."""
    above = v_mV >= threshold_mV
    crossing = above[1:] & ~above[:-1]
    return tuple((np.flatnonzero(lane) + 1) * dt_ms for lane in crossing.T)
