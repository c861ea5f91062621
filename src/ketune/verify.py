"""`ketune verify`: the JAX twin against NEURON, and the native engine against the twin, compartment by compartment."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ketune._compiled import compiler
from ketune.cell import Cell
from ketune.engines import check_choice
from ketune.engines.jax_engine import JaxEngine, Run
from ketune.engines.neuron_engine import NeuronJob, NeuronResult, run_in_processes
from ketune.events import Events
from ketune.ions import total_currents
from ketune.plateaus import nmda_spikes
from ketune.progress import NullProgress, Progress
from ketune.verify_cases import DOSE, DRUG, MINUTES, ROUTE, Case, DT_ms, SOMA_DEPTH_um, cases
from ketune.verify_native import native_entries

CONTRACT_mV = 1e-6
"""Largest difference of any voltage over one second."""
CONTRACT_STATE = 1e-8
"""Largest difference of a state or concentration, relative to its largest value over the time.

A state below a ten-thousandth of its mechanism's largest one is measured by that: where states add up to 1, rounding
alone makes 1e-16 of the sum and more.
"""
_SMALL_STATE = 1e-4
MIN_SPIKES = 10
MIN_NMDA_SPIKES = 5

_TIMEOUT_S = 600.0


def run_verify(
    *, duration_ms: float = 1000.0, engine: str = "auto", progress: Progress | None = None
) -> dict[str, Any]:
    """Simulate every case in all engines, in float64 at the reference step, and compare all compartments.

    Parameters
    ----------
    engine
        ``"xla"``: only the twin against NEURON; ``"native"``: only the native engine against the twin, without NEURON;
        ``"auto"``: both, the latter where a compiler is installed.

    Returns
    -------
    dict
        ``ok``; ``max_dv_mV`` over all cases, and ``max_dv_native_mV``; ``cases``, each with ``name``, ``condition``,
        ``celsius``, ``scheme``, ``max_dv_mV`` (None where NEURON did not run or finish), ``max_dstate_rel`` (mechanisms
        alone), where and when the voltages differed most (``compartment``, ``at_ms``), their range, ``ok`` and, where
        that is false, ``problem``; synaptic cases also with ``n_spikes`` and ``n_nmda_spikes``
        (:func:`ketune.plateaus.nmda_spikes`); ``native`` (:func:`ketune.verify_native.native_entries`) or None; what
        was required (``contract_mV``, ``min_spikes``, ``min_nmda_spikes``), ``duration_ms``, ``dt_ms``, the drugged
        condition, and ``seconds``.

    Raises
    ------
    InputError
        The engine is unknown, or native and there is no compiler.
    """
    progress = progress or NullProgress()
    begin = time.perf_counter()
    with_neuron, with_native = _engines(engine)
    todo = list(cases(duration_ms))
    results = _run_neuron(todo, progress) if with_neuron else []
    found: list[dict[str, Any]] = []
    with progress.task("JAX, and comparison", total=sum(_work(case.cell) for case in todo)) as task:
        for case in todo:
            task.describe(f"JAX: {case.name}")
            n = len(case.conditions) * len(case.temperatures_degC)
            theirs = results[len(found) : len(found) + n]
            entries = _compare(case, theirs) if with_neuron else _not_compared(case)
            if with_native:
                for entry, native in zip(entries, native_entries(case, theirs or [None] * n), strict=True):
                    entry |= {"native": native, "ok": entry["ok"] and native["ok"]}
                    entry["problem"] = "; ".join(p for p in (entry["problem"], native["problem"]) if p)
            found += entries
            task.advance(_work(case.cell))
    natives = [entry["native"] for entry in found if entry["native"] is not None]
    return {
        "ok": all(entry["ok"] for entry in found),
        "max_dv_mV": max((e["max_dv_mV"] for e in found if e["max_dv_mV"] is not None), default=None),
        "max_dv_native_mV": max(
            (e["max_dv_mV"] for e in natives if e["max_dv_mV"] is not None), default=None
        ),
        "cases": found,
        "contract_mV": CONTRACT_mV,
        "min_spikes": MIN_SPIKES,
        "min_nmda_spikes": MIN_NMDA_SPIKES,
        "duration_ms": duration_ms,
        "dt_ms": DT_ms,
        "drugged": f"{DRUG}, {ROUTE}, {DOSE}, {MINUTES:g} min, soma {SOMA_DEPTH_um:g} um deep",
        "seconds": time.perf_counter() - begin,
    }


def _engines(engine: str) -> tuple[bool, bool]:
    """Whether the twin is compared with NEURON, and the native engine with the twin."""
    check_choice(engine)
    return engine != "native", engine == "native" or (engine == "auto" and compiler() is not None)


def _run_neuron(todo: list[Case], progress: Progress) -> list[NeuronResult]:
    """NEURON's result of every case, temperature and condition."""
    jobs = [
        NeuronJob(
            cell,
            case.events,
            lane,
            case.overrides,
            case.injected_nA,
            record="all",
            variables=case.variables,
            scheme=case.scheme,
        )
        for case in todo
        for cell in (replace(case.cell, celsius=celsius) for celsius in case.temperatures_degC)
        for lane in range(len(case.conditions))
    ]
    with progress.task("NEURON", total=sum(_work(job.cell) for job in jobs)) as task:
        return run_in_processes(
            jobs,
            timeout_s=_TIMEOUT_S,
            on_done=lambda index, _: task.advance(_work(jobs[index].cell)),
        )


def _work(cell: Any) -> int:
    """Roughly proportional to the time that a case takes: starting and compiling, and the compartments."""
    return 30 + int(cell.table.n)


def _compare(case: Case, results: list[NeuronResult]) -> list[dict[str, Any]]:
    """An entry for each temperature and condition."""
    entries = []
    n = len(case.conditions)
    for k, (celsius, run) in enumerate(zip(case.temperatures_degC, _run_twin(case), strict=True)):
        for lane, condition in enumerate(case.conditions):
            entry = _compare_lane(case, run, lane, results[k * n + lane])
            entries.append(_named(case, condition, celsius) | entry)
    return entries


def _named(case: Case, condition: str, celsius: float) -> dict[str, Any]:
    return {
        "name": case.name,
        "condition": condition,
        "celsius": celsius,
        "scheme": case.scheme,
        "native": None,
    }


def _not_compared(case: Case) -> list[dict[str, Any]]:
    """Entries without NEURON."""
    return [
        _named(case, condition, celsius)
        | {"max_dv_mV": None, "max_dstate_rel": None, "ok": True, "problem": ""}
        for celsius in case.temperatures_degC
        for condition in case.conditions
    ]


def _compare_lane(case: Case, run: Run, lane: int, result: NeuronResult) -> dict[str, Any]:
    entry: dict[str, Any] = {"max_dv_mV": None, "max_dstate_rel": None}
    problems = []
    v = run.v_mV[:, :, lane]
    if result.run is None:
        problems.append(f"NEURON: {result.message}")
    else:
        # Comparisons with a voltage that is not a number are false: such a difference is an infinite one.
        difference = np.nan_to_num(np.abs(v - result.run.v_mV), nan=np.inf)
        step, compartment = np.unravel_index(np.argmax(difference), difference.shape)
        worst = float(difference[step, compartment])
        entry |= {"max_dv_mV": worst, "compartment": int(compartment), "at_ms": float(step * DT_ms)}
        if not worst <= CONTRACT_mV:
            problems.append(f"differs by {worst:.1e} mV in compartment {compartment} at {step * DT_ms:g} ms")
        entry["max_dstate_rel"] = 0.0 if case.variables else None
        currents = {("ions", name) for name in total_currents(case.cell)}
        for key in case.variables:
            first = 1 if key in currents else 0  # before the first step the twin has computed no current
            mine, theirs = run.variables[key][first:, :, lane], result.run.variables[key][first:]
            least = least_scale(case.cell, key[0], result.run.variables)
            relative = relative_difference(mine, theirs, least=least)
            entry["max_dstate_rel"] = max(entry["max_dstate_rel"], relative)
            if not relative <= CONTRACT_STATE:
                problems.append(f"{key[1]} differs by {relative:.1e} of its largest value")
    entry |= {"min_mV": float(v.min()), "max_mV": float(v.max()), "n_compartments": case.cell.table.n}
    if case.synaptic:
        without = run.v_mV[:, :, len(case.conditions) + lane]
        entry["n_spikes"] = int(run.counts()[lane])
        entry["n_nmda_spikes"] = len(nmda_spikes(v, without, case.cell.table, DT_ms))
        for what, least in (("n_spikes", MIN_SPIKES), ("n_nmda_spikes", MIN_NMDA_SPIKES)):
            if entry[what] < least:
                problems.append(f"{what} is {entry[what]}, at least {least} are needed to test the cell")
    return entry | {"ok": not problems, "problem": "; ".join(problems)}


def relative_difference(mine: np.ndarray, theirs: np.ndarray, *, least: float = 0.0) -> float:
    """The largest difference relative to the largest value, or to ``least`` where that is larger.

    What is not a number differs infinitely.
    """
    difference = np.nan_to_num(np.abs(mine - theirs), nan=np.inf)
    scale = max(float(np.max(np.abs(theirs), initial=0.0)), least)
    worst = float(np.max(difference, initial=0.0))
    return worst / scale if scale > 0 else worst


def least_scale(cell: Cell, label: str, variables: Mapping[tuple[str, str], np.ndarray]) -> float:
    """What a placement's smallest states are measured by: see :data:`CONTRACT_STATE`."""
    if label == "ions":
        return 0.0
    states = [
        x
        for (of, name), x in variables.items()
        if of == label and name in cell.placement(label).mechanism.states
    ]
    return _SMALL_STATE * max((float(np.nanmax(np.abs(x), initial=0.0)) for x in states), default=0.0)


def _run_twin(case: Case) -> list[Run]:
    """All conditions in JAX, at each temperature.

    A synaptic case's again without NMDA conductance, which shows what NMDA spikes are.
    """
    events, overrides = case.events, dict(case.overrides)
    n = len(case.conditions)
    if case.synaptic:
        events = Events.stack([events, events])
        overrides = {key: np.concatenate([value, value], axis=1) for key, value in overrides.items()}
        for label in case.cell.ports["exc"]:
            placement = case.cell.placement(label)
            if placement.mechanism.name == "NMDA":
                gmax = placement.parameters["gmax"][:, None]
                overrides[label, "gmax"] = np.repeat(gmax, 2 * n, axis=1) * (np.arange(2 * n) < n)
    engine = JaxEngine(
        case.cell, dt_ms=DT_ms, dtype=np.float64, derivative="forward_difference", scheme=case.scheme
    )
    return [
        engine.run(
            events,
            overrides=overrides,
            injected_nA=case.injected_nA,
            record=range(case.cell.table.n),
            variables=case.variables,
            celsius=celsius,
        )
        for celsius in case.temperatures_degC
    ]
