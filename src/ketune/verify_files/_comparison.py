"""Simulation of the benches by NEURON and in JAX, and the largest differences between the two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ketune.engines.jax_engine import JaxEngine, Run
from ketune.engines.neuron_engine import NeuronJob, NeuronResult, run_in_processes
from ketune.ions import total_currents
from ketune.progress import Progress
from ketune.verify import CONTRACT_STATE, CONTRACT_mV, least_scale, relative_difference
from ketune.verify_cases import DT_ms
from ketune.verify_files._bench import TRAINS, Bench
from ketune.verify_files._entries import fail

CONTRACT_CURRENT = 1e-6
"""Largest difference of a current, relative to its largest value over the time (at least 1e-9 nA or mA/cm2)."""
_SMALL_CURRENT = 1e-9
_CONTRACT = (
    ("max_dv_mV", CONTRACT_mV),
    ("max_dstate_rel", CONTRACT_STATE),
    ("max_di_rel", CONTRACT_CURRENT),
)

_DIVERGED_mV = 2000.0
_TIMEOUT_S = 300.0


def compare_all(
    benches: Sequence[Bench],
    compiled: tuple[Path, ...],
    entries: list[dict[str, Any]],
    together: dict[str, Any],
    progress: Progress,
) -> None:
    jobs = [
        NeuronJob(
            cell,
            bench.events,
            lane,
            bench.overrides,
            bench.injected_nA[:, lane],
            record="all",
            variables=bench.variables,
            compiled_with=compiled,
        )
        for bench in benches
        for cell in (replace(bench.cell, celsius=celsius) for celsius in bench.temperatures_degC)
        for lane in range(len(bench.protocols))
    ]
    with progress.task("NEURON", total=len(jobs)) as task:
        results = run_in_processes(
            jobs,
            timeout_s=_TIMEOUT_S,
            on_done=lambda *_: task.advance(),
        )
    done = 0
    with progress.task("JAX, and comparison", total=len(benches)) as task:
        for bench in benches:
            n = len(bench.protocols) * len(bench.temperatures_degC)
            figures = _compare_or_explain(bench, results[done : done + n])
            done += n
            if len(bench.of) > 1:
                together["mechanisms"] = [entries[i]["mechanism"] for i in bench.of]
                _merge(together, figures)
            else:
                _merge(entries[bench.of[0]], figures)
            task.advance()
    for entry in (*(entries[b.of[0]] for b in benches if len(b.of) == 1), *([together] if together else [])):
        entry["agrees"] = not entry.get("errors") and _agrees(entry)
    if together:
        together["ok"] = together.pop("agrees")
        together["too_large"] = too_large(together)


def _agrees(entry: Mapping[str, Any]) -> bool:
    simulated = entry["max_dv_mV"] is not None
    return simulated and all(entry[key] is None or entry[key] <= limit for key, limit in _CONTRACT)


def too_large(entry: Mapping[str, Any]) -> dict[str, str]:
    """Where the figures that break the contract come from."""
    return {key: entry["worst"].get(key, "") for key, limit in _CONTRACT if (entry[key] or 0.0) > limit}


def _merge(entry: dict[str, Any], figures: Mapping[str, Any]) -> None:
    entry.setdefault("errors", [])
    entry.setdefault("worst", {})
    for key in ("max_dv_mV", "max_dstate_rel", "max_di_rel"):
        new, old = figures[key], entry.get(key)
        if new is not None and (old is None or new > old):
            entry[key] = new
            entry["worst"][key] = figures["worst"].get(key)
        entry.setdefault(key, None)
    for message in figures["errors"]:
        if message not in [e["message"] for e in entry["errors"]]:
            fail(entry, message)


def _compare_or_explain(bench: Bench, results: Sequence[NeuronResult]) -> dict[str, Any]:
    """As :func:`_compare`; what goes wrong with one file is that file's error, not the end of the others."""
    try:
        return _compare(bench, results)
    except Exception as error:
        message = f"cannot be simulated in JAX: {type(error).__name__}: {error}"
        none = dict.fromkeys(("max_dv_mV", "max_dstate_rel", "max_di_rel"))
        return {"errors": [" ".join(message.split())[:500]], "worst": {}} | none


def _compare(bench: Bench, results: Sequence[NeuronResult]) -> dict[str, Any]:
    """The largest differences of one bench, or why there are none."""
    figures: dict[str, Any] = {"errors": [], "diverged": [], "worst": {}} | dict.fromkeys(
        ("max_dv_mV", "max_dstate_rel", "max_di_rel")
    )
    engine = JaxEngine(
        bench.cell, dt_ms=DT_ms, dtype=np.float64, derivative="forward_difference", keep_currents=True
    )
    n = len(bench.protocols)
    for k, celsius in enumerate(bench.temperatures_degC):
        run = engine.run(
            bench.events,
            overrides=bench.overrides,
            injected_nA=bench.injected_nA,
            record=range(bench.cell.table.n),
            variables=bench.variables,
            celsius=celsius,
            block_lanes=n,
        )
        for lane in range(n):
            _compare_lane(bench, run, lane, results[k * n + lane], celsius, figures)
        if len(figures["diverged"]) == len(TRAINS):
            figures["errors"] += figures["diverged"]
        figures["diverged"] = []
    return figures


def _compare_lane(
    bench: Bench, run: Run, lane: int, result: NeuronResult, celsius: float, figures: dict[str, Any]
) -> None:
    protocol = bench.protocols[lane]
    place = f"{protocol} at {celsius:g} degC"
    if result.run is None:
        figures["errors"].append(f"NEURON, {place}: {result.message}")
        return
    v = result.run.v_mV
    sane = (np.abs(v) < _DIVERGED_mV).all(axis=1)  # false for nan too
    if not sane.all():
        first = int(np.argmin(sane))
        message = (
            f"diverges in NEURON, {place}: after {first * DT_ms:g} ms the voltage is no longer between "
            f"-{_DIVERGED_mV:g} and {_DIVERGED_mV:g} mV"
        )
        # which of the weights suits a synapse its file does not say
        figures["diverged" if protocol in TRAINS else "errors"].append(message)
        return
    difference = np.nan_to_num(np.abs(run.v_mV[:, :, lane] - v), nan=np.inf)
    _note(figures, "max_dv_mV", float(np.max(difference)), place)
    totals = total_currents(bench.cell)
    for label, name in bench.variables:
        # the currents at time 0 belong to the initialisation, which the twin has no step for
        current = (
            name in totals if label == "ions" else name in bench.cell.placement(label).mechanism.currents
        )
        mine, theirs = run.variables[label, name][:, :, lane], result.run.variables[label, name]
        if current:
            mine, theirs = mine[1:], theirs[1:]
        least = _SMALL_CURRENT if current else least_scale(bench.cell, label, result.run.variables)
        relative = relative_difference(mine, theirs, least=least)
        _note(figures, "max_di_rel" if current else "max_dstate_rel", relative, f"{name}, {place}")


def _note(figures: dict[str, Any], key: str, value: float, place: str) -> None:
    if figures[key] is None or value > figures[key]:
        figures[key] = float(value)
        figures["worst"][key] = place
