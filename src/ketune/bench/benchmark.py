"""The whole benchmark: gate, timing, gradients, memory, scaling; as results that a table and a figure show."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from ketune.bench import scaling
from ketune.bench.accuracy import judge, tracer
from ketune.bench.contenders import Contender, selected
from ketune.bench.plan import QUICK, STANDARD, Plan
from ketune.bench.team import ContenderError, Team, cores
from ketune.bench.timing import interleaved, ratio
from ketune.bench.workloads import DESCRIPTIONS, NAMES, Name, Workload, build
from ketune.errors import InputError
from ketune.progress import NullProgress, Progress
from ketune.provenance import provenance
from ketune.storage import check_output_directory, result_directory, write_json

DOCUMENT = "ketune-bench/1"
_EMPTY: dict[str, Any] = dict.fromkeys(
    (
        "sim_s_per_wall_s", "threads", "lanes", "gradient_sim_s_per_wall_s", "setup_s", "compile_s", "max_dv_mV",
        "accurate",
    )
)  # fmt: skip


def run_bench(
    against: Sequence[str],
    *,
    quick: bool = False,
    output: Path | None = None,
    overwrite: bool = False,
    progress: Progress = NullProgress(),
) -> dict[str, Any]:
    """Compare ketune's engines with each other and with others' simulators on this machine.

    Parameters
    ----------
    against
        Names of :data:`ketune.bench.contenders.PEERS`; NEURON is the reference and always there.
    quick
        A few minutes: few lanes, short windows, few points of scaling.
    output
        Directory for ``bench.json`` and ``bench.png``.

    Returns
    -------
    ``machine``, ``workloads`` (by workload and contender), ``gradient_in_forwards`` (the same), ``scaling``, and what
    was simulated. ``ok`` tells whether ketune's own engines passed the gate.
    """
    contenders = selected(against)
    if output is not None:
        check_output_directory(output, "bench", overwrite=overwrite)
    result = measure(contenders, QUICK if quick else STANDARD, progress)
    if output is not None:
        from ketune.bench.figure import save_figure

        with result_directory(output, "bench", overwrite=overwrite) as folder:
            write_json(folder / "bench.json", result, DOCUMENT)
            save_figure(result, folder / "bench.png")
        result["directory"] = str(output)
    return result


def measure(contenders: Sequence[Contender], plan: Plan, progress: Progress) -> dict[str, Any]:
    """The results of a plan."""
    n_cores = len(cores())
    workloads: dict[str, Any] = {}
    in_forwards: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="ketune-bench-") as folder:
        cache = Path(folder) if plan.cold else None
        for name in NAMES:
            workloads[name], in_forwards[name] = _measure_workload(
                name, contenders, plan, n_cores, cache, progress
            )
        memory = _gradient_memory(workloads["W2"], contenders, plan, n_cores, cache)
        curves = scaling.measure(
            [c for c in contenders if c.name in plan.scaled and workloads["W2"][c.name]["accurate"]],
            plan,
            n_cores,
            cache,
            progress,
        )
    origin = provenance()
    return {
        "machine": origin["machine"] | {"cores_used": n_cores},
        "quick": plan.quick,
        "simulated": {name: _simulated(name, plan) for name in NAMES},
        "workloads": workloads,
        "gradient_in_forwards": in_forwards,
        "gradient_memory": memory,
        "scaling": curves,
        "ok": all(
            entries[c.name]["accurate"] for entries in workloads.values() for c in contenders if not c.is_peer
        ),
        "provenance": origin,
    }


def _simulated(name: Name, plan: Plan) -> dict[str, Any]:
    """What all contenders of a workload have in common."""
    workload = Workload(name, plan.gate_lanes, plan.window_ms)
    work = build(workload)
    table = work.cell.table
    return {
        "what": DESCRIPTIONS[name],
        "morphology": workload.tree.morphology.stem,
        "compartments": table.n,
        "compartments_sha256": table.sha256(),
        "dt_ms": workload.dt_ms,
        "window_ms": workload.window_ms,
        "events_per_lane_s": len(work.events.step) / workload.simulated_s,
    }


def _gradient_memory(
    entries: dict[str, Any], contenders: Sequence[Contender], plan: Plan, n_cores: int, cache: Path | None
) -> dict[str, Any]:
    """What differentiating a long window of many lanes adds to the memory of running it, of the native engine."""
    workload, found = plan.gradient_memory, {}
    for contender in contenders:
        if workload is None or contender.name != "native_f32" or not entries[contender.name]["accurate"]:
            continue
        with Team(contender, n_cores, cache=cache) as team:
            team.prepare(workload)
            before_MiB = team.peak_memory_MiB()
            team.prepare_gradient(workload)
            added_MiB = team.peak_memory_MiB() - before_MiB
        found[contender.name] = {"lanes": workload.lanes, "window_ms": workload.window_ms, "MiB": added_MiB}
    return found


def _measure_workload(
    name: Name,
    contenders: Sequence[Contender],
    plan: Plan,
    n_cores: int,
    cache: Path | None,
    progress: Progress,
) -> tuple[dict[str, Any], dict[str, float]]:
    """An entry for each contender, gate first, then those that passed in turns; and gradients' costs in forwards."""
    neuron = next(c for c in contenders if c.name == "neuron")
    traced = tracer(plan.gate(name))
    entries: dict[str, dict[str, Any]] = {}
    with ExitStack() as stack:
        teams = {c.name: stack.enter_context(Team(c, n_cores, cache=cache)) for c in contenders}

        def entry_of(contender: Contender) -> dict[str, Any]:
            if why := contender.cannot_run(name):
                return {**_EMPTY, "not_available": why}
            try:
                verdict = judge(contender, neuron, traced).as_dict()
                if not verdict["accurate"]:
                    return {**_EMPTY, **verdict}
                prepared = _prepared(teams[contender.name], name, plan, n_cores, cache)
                return {**_EMPTY, **verdict, **prepared}
            except ContenderError as error:
                if contender is neuron:
                    raise InputError(f"NEURON, the reference, cannot run: {error}") from None
                if not contender.is_peer:
                    raise RuntimeError(f"{contender.name}: {error}\n{error.details}") from None
                return {**_EMPTY, "not_available": str(error)}

        with (
            progress.task(f"{name}: comparing and preparing", total=len(contenders)) as task,
            ThreadPoolExecutor(plan.at_once) as pool,
        ):
            for contender, entry in zip(contenders, pool.map(entry_of, contenders), strict=True):
                entries[contender.name] = entry
                task.advance()
        ready = {who: team for who, team in teams.items() if entries[who]["accurate"]}
        return entries, _time(name, ready, entries, plan, n_cores, progress)


def _prepared(team: Team, name: Name, plan: Plan, n_cores: int, cache: Path | None) -> dict[str, Any]:
    workload = plan.timed(name, team.contender, n_cores)
    prepared = team.prepare(workload)
    entry = {
        "threads": team.threads,
        "lanes": prepared.lanes,
        "setup_s": prepared.setup_s,
        "compile_s": prepared.compile_s,
    }
    if cache is not None:
        with Team(team.contender, n_cores, cache=cache) as again:
            entry["compile_cached_s"] = again.prepare(workload).compile_s
    if plan.wants_gradient(team.contender):
        gradient = team.prepare_gradient(workload)
        entry |= {"gradient_compile_s": gradient.compile_s, "gradient_lanes": gradient.lanes}
    return entry


def _time(
    name: Name, teams: dict[str, Team], entries: dict[str, Any], plan: Plan, n_cores: int, progress: Progress
) -> dict[str, float]:
    """Speeds and memory of the teams, put into their entries; what gradients cost in forward runs."""
    runs: dict[tuple[str, str], Any] = {}
    for who, team in teams.items():
        workload = plan.timed(name, team.contender, n_cores)
        runs["sim_s_per_wall_s", who] = _run(team.forward, workload, plan)
        if plan.wants_gradient(team.contender):
            runs["gradient_sim_s_per_wall_s", who] = _run(team.gradient, workload, plan)
    with progress.task(f"{name}: timing", total=len(runs) * plan.rounds) as task:
        speeds = interleaved(runs, plan.rounds, task)
    for (what, who), values in speeds.items():
        entries[who][what] = median(values)
    forward, gradient = "sim_s_per_wall_s", "gradient_sim_s_per_wall_s"
    for who, team in teams.items():
        entries[who]["times_neuron"] = ratio(speeds[forward, who], speeds[forward, "neuron"])
        entries[who]["peak_memory_MiB"] = team.peak_memory_MiB()
    return {
        who: ratio(speeds[forward, who], speeds[gradient, who]) for who in teams if (gradient, who) in speeds
    }


def _run(method: Any, workload: Workload, plan: Plan) -> Any:
    return lambda: method(workload, plan.at_least_s)
