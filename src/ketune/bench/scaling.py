"""Speed against lanes, compartments, synapses and threads, on W2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from ketune.bench.contenders import Contender
from ketune.bench.plan import Plan
from ketune.bench.team import Team
from ketune.bench.timing import interleaved
from ketune.bench.workloads import Workload
from ketune.progress import Progress

AXES = ("lanes", "compartments", "synapses", "threads")


def points(plan: Plan, contender: Contender, cores: int) -> dict[str, dict[int, Workload]]:
    """By axis, the workload at each of its values; of lanes only where a contender runs many together."""
    base = replace(plan.timed("W2", contender, cores), window_ms=plan.scaling_window_ms)
    axes = {
        "compartments": {tree.table().n: replace(base, tree=tree) for tree in plan.scaling_trees},
        "synapses": {n: replace(base, synapses=n) for n in plan.scaling_synapses},
    }
    if not contender.one_process_per_core:
        axes["lanes"] = {n: replace(base, lanes=n) for n in plan.scaling_lanes}
    return axes


def measure(
    contenders: Sequence[Contender], plan: Plan, cores: int, cache: Path | None, progress: Progress
) -> dict[str, Any]:
    """``{axis: {contender: {"at": [...], "sim_s_per_wall_s": [...]}}}``."""
    found: dict[str, Any] = {axis: {} for axis in AXES}
    for contender in contenders:
        by_axis = points(plan, contender, cores)
        with Team(contender, cores, cache=cache) as team, Team(contender, 1, cache=cache) as alone:
            n_points = sum(map(len, by_axis.values())) + 2
            with progress.task(f"scaling of {contender.name}", total=n_points * (plan.rounds + 1)) as task:
                for axis, workloads in by_axis.items():
                    for workload in workloads.values():
                        team.prepare(workload)
                        task.advance()
                    runs = {n: _run(team, workload, plan) for n, workload in workloads.items()}
                    found[axis][contender.name] = _curve(interleaved(runs, plan.rounds, task))
                runs = {}
                for n, some in ((1, alone), (cores, team)):
                    workload = plan.timed("W2", contender, n)
                    some.prepare(workload)
                    task.advance()
                    runs[n] = _run(some, workload, plan)
                found["threads"][contender.name] = _curve(interleaved(runs, plan.rounds, task))
    return found


def _run(team: Team, workload: Workload, plan: Plan) -> Any:
    return lambda: team.forward(workload, plan.at_least_s)


def _curve(speeds: dict[int, list[float]]) -> dict[str, list[float]]:
    at = sorted(speeds)
    return {"at": [float(n) for n in at], "sim_s_per_wall_s": [median(speeds[n]) for n in at]}
