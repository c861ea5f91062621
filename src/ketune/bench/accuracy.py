"""The accuracy gate: nobody is timed before what he computes has been compared.

NEURON is the reference. What is compared with what, and the bound, depends on what a contender promises:

- CoreNEURON and ketune's XLA engine in float64, with NEURON's own difference quotient for the slope of the current,
  against NEURON: the twin contract, 1e-6 mV in every compartment. XLA is then timed with the analytic slope.
- The native engine in float64 against the XLA engine, both with the analytic slope: 1e-6 mV.
- Jaxley in float64 against NEURON: 0.01 mV, because it cannot put dendrites on the middle of the soma.
- Engines in float32 against themselves in float64: spike counts within 0.5 %, 95 % of the spikes within 0.1 ms.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np

from ketune.bench.contenders import Contender
from ketune.bench.runner import Trace
from ketune.bench.team import Team, cores
from ketune.bench.workloads import Workload

CONTRACT_mV = 1e-6
JAXLEY_mV = 1e-2
COUNTS_WITHIN = 0.005
SPIKES_WITHIN_ms = 0.1
SHARE_OF_SPIKES = 0.95

Traced = Callable[[Contender, Mapping[str, str]], Trace]
"""Runs a contender with other options, for its trace."""


@dataclass(frozen=True)
class Verdict:
    """Of one contender.

    Attributes
    ----------
    max_dv_mV
        Largest difference of any compartment's voltage; in float32 from the same engine in float64.
    compared
        With what, and by which bound, in words.
    """

    accurate: bool
    max_dv_mV: float
    compared: str

    def as_dict(self) -> dict[str, Any]:
        """Its entries in the results."""
        return {"max_dv_mV": self.max_dv_mV, "accurate": self.accurate, "compared": self.compared}


def tracer(workload: Workload) -> Traced:
    """Traces of a workload, each computed once, in a process of its own; contenders may ask at the same time."""
    known: dict[Hashable, Trace] = {}
    locks: defaultdict[Hashable, Lock] = defaultdict(Lock)

    def traced(contender: Contender, options: Mapping[str, str]) -> Trace:
        every = {**dict(contender.options), **options}
        key = contender.runner, tuple(sorted(every.items()))
        with locks[key]:
            if key in known:
                return known[key]
            threads = 1 if contender.one_process_per_core else len(cores())
            with Team(contender, threads, options=every) as team:
                known[key] = team.trace(workload)
            return known[key]

    return traced


def judge(contender: Contender, neuron: Contender, traced: Traced) -> Verdict:
    """Compare a contender with what it has to agree with."""
    if contender.name == neuron.name:
        return Verdict(True, 0.0, "the reference")
    if contender.precision == "float32":
        return _against_float64(contender, neuron, traced)
    reference, mine, with_what = traced(neuron, {}), {}, "NEURON"
    if contender.name.startswith("xla"):
        mine, with_what = {"derivative": "forward_difference"}, "NEURON, slope by its difference quotient"
    elif contender.name.startswith("native"):
        reference, with_what = traced(contender, {"engine": "xla"}), "XLA in float64"
    dv_mV = _largest(traced(contender, mine).v_mV, reference.v_mV)
    return Verdict(dv_mV <= CONTRACT_mV, dv_mV, f"{with_what}: {CONTRACT_mV:g} mV")


def _against_float64(contender: Contender, neuron: Contender, traced: Traced) -> Verdict:
    single, double = traced(contender, {}), traced(contender, {"precision": "float64"})
    dv_mV = _largest(single.v_mV, double.v_mV)
    off, near = count_difference(single, double), share_of_spikes_near(single, double)
    accurate = off <= COUNTS_WITHIN and near >= SHARE_OF_SPIKES
    compared = (
        f"float64: counts {off:.2%} off ({COUNTS_WITHIN:.1%}), "
        f"{near:.1%} of spikes within {SPIKES_WITHIN_ms:g} ms ({SHARE_OF_SPIKES:.0%})"
    )
    if contender.name == "jaxley":
        own_mV = _largest(double.v_mV, traced(neuron, {}).v_mV)
        accurate = accurate and own_mV <= JAXLEY_mV
        compared = f"in float64 with NEURON: {own_mV:.1e} mV ({JAXLEY_mV:g} mV); {compared}"
    return Verdict(accurate and bool(np.isfinite(dv_mV)), dv_mV, compared)


def _largest(a: np.ndarray, b: np.ndarray) -> float:
    """Largest difference; infinite where one is not a number or they differ in length."""
    if a.shape != b.shape:
        return float("inf")
    difference = float(np.max(np.abs(a.astype(float) - b.astype(float))))
    return difference if np.isfinite(difference) else float("inf")


def count_difference(single: Trace, double: Trace) -> float:
    """Of all spikes together, relative to the reference."""
    n, expected = (sum(map(len, trace.spike_ms)) for trace in (single, double))
    return abs(n - expected) / max(expected, 1)


def share_of_spikes_near(single: Trace, double: Trace) -> float:
    """Share of the reference's spikes that have one close to them."""
    near = total = 0
    for mine, theirs in zip(single.spike_ms, double.spike_ms, strict=True):
        total += len(theirs)
        if len(mine):
            distance = np.abs(np.asarray(theirs)[:, None] - np.asarray(mine)[None]).min(axis=1)
            # Times lie on steps; a difference of four steps is 0.1 ms but for its rounding.
            near += int(np.sum(distance <= SPIKES_WITHIN_ms + 1e-9))
    return near / total if total else 1.0
