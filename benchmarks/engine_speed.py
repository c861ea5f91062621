"""Speed of the JAX and native engines against NEURON on the shipped cell: same cell, events, step and machine.

Accuracy comes first: before anything is timed, one trial is simulated in float64. JAX must agree with NEURON to 1e-6 mV
in every compartment, the native engine with JAX, and the timed trials of every engine must have NEURON's spike counts
within 2 %. Every engine may use all cores: NEURON as independent processes, the others as threads. Compilation is timed
apart. Speed is simulated seconds, summed over trials, per wall second.

    python benchmarks/engine_speed.py [--lanes 256] [--seconds 0.3] [--dt 0.025] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from ketune.afferents import Drive, Grating, hard_events, place_synapses
from ketune.cell_model import default_cell
from ketune.engines.jax_engine import JaxEngine
from ketune.engines.native_engine import NativeEngine
from ketune.engines.neuron_engine import NeuronJob, run_in_processes
from ketune.events import Events
from ketune.provenance import provenance

ENGINES = {"JAX": JaxEngine, "native": NativeEngine}
PRECISIONS = {"float64": np.float64, "float32": np.float32}


def check_accuracy(cell: Any, events: Events) -> float:
    """Largest voltage difference of one trial (mV)."""
    one = events.select([0])
    engine = JaxEngine(cell, dt_ms=events.dt_ms, dtype=np.float64, derivative="forward_difference")
    mine = engine.run(one, record=range(cell.table.n)).v_mV[:, :, 0]
    (result,) = run_in_processes([NeuronJob(cell, one, record="all")], n_processes=1)
    if result.run is None:
        sys.exit(f"NEURON: {result.message}")
    difference = float(np.max(np.abs(mine - result.run.v_mV)))
    if not difference <= 1e-6:
        sys.exit(f"the engines differ by {difference:.1e} mV: nothing to compare")
    return difference


def check_native(cell: Any, events: Events) -> None:
    """The native engine computes what the JAX engine computes."""
    one = events.select([0])
    native, jax = (
        kind(cell, dt_ms=events.dt_ms, dtype=np.float64).run(one, record=range(cell.table.n)).v_mV
        for kind in (NativeEngine, JaxEngine)
    )
    if not (difference := float(np.abs(native - jax).max())) <= 1e-6:
        sys.exit(f"the native engine differs from JAX by {difference:.1e} mV: nothing to compare")


def time_neuron(cell: Any, events: Events, cores: int) -> tuple[float, np.ndarray]:
    """Speed with a process on every core, and the trials' spike counts."""
    n_jobs = min(events.n_lanes, 3 * cores)
    results = run_in_processes([NeuronJob(cell, events, lane) for lane in range(n_jobs)], n_processes=cores)
    if any(result.run is None for result in results):
        sys.exit("NEURON did not finish")
    # A worker's first job includes the start of Python, and its last may run beside an idle core: take the typical one.
    typical = float(np.median([result.seconds for result in results[cores:]]))
    counts = np.array([result.run.count() for result in results if result.run is not None])
    return cores * events.n_steps * events.dt_ms * 1e-3 / typical, counts


def time_engine(kind: Any, cell: Any, events: Events, dtype: Any) -> tuple[float, float, np.ndarray]:
    """Speed, seconds of compilation, and the trials' spike counts."""
    engine = kind(cell, dt_ms=events.dt_ms, dtype=dtype)
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        run = engine.run(events, keep_voltage=False)
        seconds.append(time.perf_counter() - begin)
    wall = min(seconds[1:])
    return (
        events.n_lanes * events.n_steps * events.dt_ms * 1e-3 / wall,
        max(seconds[0] - wall, 0.0),
        run.counts(),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--lanes", type=int, default=256, help="trials that JAX and the native engine simulate"
    )
    parser.add_argument("--seconds", type=float, default=0.3, help="duration of each trial")
    parser.add_argument("--dt", type=float, default=0.025, help="step (ms)")
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    given = parser.parse_args()

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cell = default_cell()
    window_ms = given.seconds * 1e3
    events = hard_events(
        place_synapses(cell, seed=1),
        Grating((90.0,), window_ms=0.8 * window_ms, warm_up_ms=0.2 * window_ms),
        Drive(),
        trials=range(given.lanes),
        seed=1,
        dt_ms=given.dt,
    )
    load = os.getloadavg()[0]
    print(
        f"{cell.name}: {cell.table.n} compartments, {len(events.step) / given.lanes / given.seconds:.0f} events/s"
    )
    print(
        f"step {given.dt} ms, {given.lanes} trials of {given.seconds} s, {cores} cores, load before {load:.1f}"
    )
    difference = check_accuracy(cell, events)
    print(f"accuracy: float64 differs from NEURON by {difference:.1e} mV at most")

    neuron, reference = time_neuron(cell, events, cores)
    rows: list[dict[str, Any]] = [
        {"engine": "NEURON", "precision": "float64", "speed": neuron, "compile_s": 0.0}
    ]
    check_native(cell, events)
    for (engine, kind), (name, dtype) in product(ENGINES.items(), PRECISIONS.items()):
        speed, compile_s, counts = time_engine(kind, cell, events, dtype)
        n, total = len(reference), reference.sum()
        lost = int(np.abs(counts[:n] - reference).sum())
        if lost > 0.02 * total:
            sys.exit(f"{engine} {name}: {lost} of {total} spikes differ from NEURON")
        rows.append(
            {
                "engine": engine,
                "precision": name,
                "speed": speed,
                "compile_s": compile_s,
                "spikes_off": lost,
            }
        )

    print(f"\n{'engine':8}{'precision':11}{'simulated s per s':>18}{'ratio':>8}{'compile':>10}   spikes off")
    for row in rows:
        row["ratio"] = row["speed"] / neuron
        off = "reference" if "spikes_off" not in row else f"{row['spikes_off']} of {reference.sum()}"
        print(
            f"{row['engine']:8}{row['precision']:11}{row['speed']:18.2f}{row['ratio']:8.1f}"
            f"{row['compile_s']:8.1f} s   {off}"
        )
    if given.json:
        document = {
            "cores": cores,
            "load_before": load,
            "compartments": cell.table.n,
            "dt_ms": given.dt,
            "lanes": given.lanes,
            "seconds": given.seconds,
            "max_dv_mV": difference,
            "engines": rows,
            "provenance": provenance(seed=1),
        }
        given.json.write_text(json.dumps(document, indent=2, default=str) + "\n")


if __name__ == "__main__":
    main()
