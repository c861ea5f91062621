"""The native engine in `ketune verify`: against the twin under XLA, which in turn is compared with NEURON.

The kernel linearises currents analytically, NEURON by a forward difference over 0.001 mV, so the two differ by more
than rounding. What the kernel has to reproduce is the twin with the analytic derivative: that is held to the contract,
and the distance to NEURON is a figure beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ketune.engines import create, describe
from ketune.engines.jax_engine import JaxEngine, Run
from ketune.engines.neuron_engine import NeuronResult
from ketune.verify_cases import Case, DT_ms

CONTRACT_mV = 1e-6
"""Largest difference of any voltage from the twin's, both in float64, over one second."""
SPIKE_WITHIN_ms = 0.1
MIN_SPIKES_KEPT = 0.95
"""In float32: the share of spikes that lie so close to one in float64, and the other way round."""


def native_entries(case: Case, neuron: Sequence[NeuronResult | None]) -> list[dict[str, Any]]:
    """An entry for each temperature and condition of a case.

    Parameters
    ----------
    neuron
        NEURON's result of each, where there is one.

    Returns
    -------
    list of dict
        ``engine`` ("native", or "xla" where the kernel hands the cell over) and ``reason`` for that; ``max_dv_mV``, the
        largest difference from the twin, with ``compartment`` and ``at_ms``; ``max_dv_neuron_mV``; of synaptic cases
        ``float32``; ``ok`` and ``problem``.
    """
    twin: JaxEngine | None = None
    entries = []
    n = len(case.conditions)
    for k, celsius in enumerate(case.temperatures_degC):
        cell = replace(case.cell, celsius=celsius)
        native = create(cell, "native", dt_ms=DT_ms, dtype=np.float64, scheme=case.scheme)
        found = _run(native, case) if describe(native)["name"] == "native" else None
        is_now = describe(native)  # whether its kernel compiles shows when it runs
        if found is None or is_now["name"] != "native":
            entries += [_handed_over(is_now["not_native"])] * n
            continue
        twin = twin or JaxEngine(case.cell, dt_ms=DT_ms, dtype=np.float64, scheme=case.scheme)
        expected = _run(twin, case, celsius=celsius)
        single = None
        if case.synaptic:
            single = create(cell, "native", dt_ms=DT_ms, dtype=np.float32, scheme=case.scheme).run(
                case.events, overrides=case.overrides, injected_nA=case.injected_nA, keep_voltage=False
            )
        entries += [
            _entry(found, expected, single, lane, result)
            for lane, result in enumerate(neuron[k * n : (k + 1) * n])
        ]
    return entries


def _run(engine: JaxEngine, case: Case, celsius: float | None = None) -> Run:
    return engine.run(
        case.events,
        overrides=case.overrides,
        injected_nA=case.injected_nA,
        record=range(case.cell.table.n),
        celsius=celsius,
    )


def _handed_over(reason: str) -> dict[str, Any]:
    return {
        "engine": "xla",
        "reason": reason,
        "max_dv_mV": None,
        "max_dv_neuron_mV": None,
        "float32": None,
        "ok": True,
        "problem": "",
    }


def _entry(
    found: Run, expected: Run, single: Run | None, lane: int, neuron: NeuronResult | None
) -> dict[str, Any]:
    v = found.v_mV[:, :, lane]
    # A voltage that is not a number differs infinitely.
    difference = np.nan_to_num(np.abs(v - expected.v_mV[:, :, lane]), nan=np.inf)
    step, compartment = np.unravel_index(np.argmax(difference), difference.shape)
    worst = float(difference[step, compartment])
    problems = []
    if not worst <= CONTRACT_mV:
        problems.append(
            f"native differs from JAX by {worst:.1e} mV in compartment {compartment} at {step * DT_ms:g} ms"
        )
    figures = None if single is None else float32_figures(_spikes(single, lane), _spikes(expected, lane))
    if figures is not None and not figures["share_kept"] >= MIN_SPIKES_KEPT:
        problems.append(
            f"native in float32 has {figures['share_kept']:.0%} of the spikes within {SPIKE_WITHIN_ms:g} ms, "
            f"at least {MIN_SPIKES_KEPT:.0%} are needed"
        )
    return {
        "engine": "native",
        "reason": None,
        "max_dv_mV": worst,
        "compartment": int(compartment),
        "at_ms": float(step * DT_ms),
        "max_dv_neuron_mV": None
        if neuron is None or neuron.run is None
        else float(np.nan_to_num(np.abs(v - neuron.run.v_mV), nan=np.inf).max()),
        "float32": figures,
        "ok": not problems,
        "problem": "; ".join(problems),
    }


def _spikes(run: Run, lane: int) -> np.ndarray:
    return run.spike_ms[run.spike_lane == lane]


def float32_figures(single_ms: np.ndarray, double_ms: np.ndarray) -> dict[str, Any]:
    """Spikes in both precisions, and the smaller share of either that has one of the other close to it."""
    return {
        "n_spikes": len(single_ms),
        "n_spikes_float64": len(double_ms),
        "share_kept": min(_share_near(single_ms, double_ms), _share_near(double_ms, single_ms)),
    }


def _share_near(spikes_ms: np.ndarray, others_ms: np.ndarray) -> float:
    if not len(spikes_ms):
        return 1.0
    nearest = np.min(np.abs(spikes_ms[:, None] - others_ms), axis=1, initial=np.inf)
    # half a step above the limit: both lie on the grid of the steps
    return float(np.mean(nearest <= SPIKE_WITHIN_ms + 0.5 * DT_ms))
