"""Draws docs/figures/working_range.png and prints the numbers of docs/working-range.md: what the default cell can do.

    python docs/scripts/working_range.py [--trials 16]

Takes about four minutes on two cores.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from ketune.afferents import Drive, Grating, hard_events, place_synapses
from ketune.cell import Cell
from ketune.cell_model import default_cell
from ketune.engines.jax_engine import JaxEngine
from ketune.events import Events
from ketune.plateaus import THRESHOLD_mV, nmda_spikes

FIGURE = Path(__file__).parents[1] / "figures" / "working_range.png"
DT_ms = 0.05
WARM_UP_ms, WINDOW_ms = 200.0, 1000.0
CURRENT_nA = np.r_[0.0, 0.1, 0.2, 0.3, 0.32, 0.34, 0.36, 0.38, np.arange(0.4, 2.41, 0.2)]
PEAK_RATE_hz = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)
ORIENTATION_deg = (*np.arange(0.0, 180.0, 15.0), np.nan)
N_SYNAPSES = (1, 2, 4, 6, 8, 10, 12, 15, 20, 25, 30, 40)


def at_rest(engine: JaxEngine, n_lanes: int, duration_ms: float) -> Events:
    """No event in any lane."""
    ports = tuple(engine.twin.cell.ports)
    return Events.none(n_lanes=n_lanes, n_steps=round(duration_ms / DT_ms), dt_ms=DT_ms, port_names=ports)


def current_response(engine: JaxEngine) -> dict[str, np.ndarray]:
    """Steady rate (Hz), smallest spike peak (mV) and mean voltage of the last 800 ms for each current step."""
    quiet = at_rest(engine, len(CURRENT_nA), WINDOW_ms)
    run = engine.run(quiet, injected_nA=np.tile(CURRENT_nA, (quiet.n_steps, 1)))
    late = run.v_mV[round(200.0 / DT_ms) :, 0]
    return {"rate": run.counts(from_ms=200.0) / 0.8, "peak": late.max(axis=0), "trough": late.min(axis=0)}


def drive_response(engine: JaxEngine, n_trials: int) -> dict[str, np.ndarray]:
    """Mean rate (Hz) and its standard error for each peak rate of the driven afferents, at their preference."""
    layout = place_synapses(engine.twin.cell, seed=1)
    grating = Grating((90.0,), WINDOW_ms, WARM_UP_ms)
    parts = [
        hard_events(
            layout, grating, replace(Drive(), peak_rate_hz=peak), trials=range(n_trials), seed=1, dt_ms=DT_ms
        )
        for peak in PEAK_RATE_hz
    ]
    run = engine.run(Events.stack(parts), keep_voltage=False)
    rate = run.counts(from_ms=WARM_UP_ms).reshape(len(parts), n_trials) / (WINDOW_ms * 1e-3)
    return {"mean": rate.mean(axis=1), "se": rate.std(axis=1, ddof=1) / np.sqrt(n_trials)}


def tuning(engine: JaxEngine, n_trials: int) -> dict[str, np.ndarray]:
    """Mean rate (Hz), its standard error and the Fano factor for each orientation, a blank at last."""
    layout = place_synapses(engine.twin.cell, seed=1)
    grating = Grating(ORIENTATION_deg, WINDOW_ms, WARM_UP_ms)
    events = hard_events(layout, grating, Drive(), trials=range(n_trials), seed=2, dt_ms=DT_ms)
    counts = engine.run(events, keep_voltage=False).counts(from_ms=WARM_UP_ms).reshape(-1, n_trials)
    mean, variance = counts.mean(axis=1), counts.var(axis=1, ddof=1)
    seconds = WINDOW_ms * 1e-3
    return {
        "mean": mean / seconds,
        "se": np.sqrt(variance / n_trials) / seconds,
        "fano": variance / np.maximum(mean, 1e-9),
    }


def clustered_input(engine: JaxEngine) -> dict[str, np.ndarray]:
    """Voltage where N synapses on one basal tip are active together, with NMDA receptors and without."""
    cell, table = engine.twin.cell, engine.twin.cell.table
    basal = cell.placement("nmda").compartments
    basal = basal[table.region[basal] == "basal"]
    tip = int(basal[np.argmin(np.abs(table.path_um[basal] - 150.0))])
    n = np.concatenate([N_SYNAPSES, N_SYNAPSES])
    lane = np.repeat(np.arange(len(n)), n)
    order = np.concatenate([np.arange(k) for k in n])
    events = Events.from_arrays(
        n_lanes=len(n),
        n_steps=round(150.0 / DT_ms),
        dt_ms=DT_ms,
        port_names=tuple(cell.ports),
        step=round(20.0 / DT_ms) + 2 * order,  # one every 0.1 ms
        lane=lane,
        compartment=np.full(len(lane), tip),
        port=np.full(len(lane), tuple(cell.ports).index("exc")),
    )
    gmax = cell.placement("nmda").parameters["gmax"][:, None]
    overrides = {("nmda", "gmax"): gmax * (np.arange(len(n)) < len(N_SYNAPSES))}
    run = engine.run(events, overrides=overrides, record=range(table.n))
    half = len(N_SYNAPSES)
    found = [len(nmda_spikes(run.v_mV[:, :, k], run.v_mV[:, :, half + k], table, DT_ms)) for k in range(half)]
    local = run.v_mV[:, tip]
    return {
        "time": run.time_ms,
        "with": local[:, :half],
        "without": local[:, half:],
        "soma": run.v_mV[:, 0, :half],
        "spikes": np.array(found),
        "path_um": np.array(table.path_um[tip]),
    }


def backpropagation(engine: JaxEngine) -> dict[str, np.ndarray]:
    """Voltage of every compartment around one action potential that a 2 ms pulse into the soma evokes."""
    table = engine.twin.cell.table
    quiet = at_rest(engine, 1, 30.0)
    t = np.arange(quiet.n_steps) * DT_ms
    run = engine.run(quiet, injected_nA=np.where((t >= 5) & (t < 7), 1.5, 0.0), record=range(table.n))
    v = run.v_mV[:, :, 0]
    return {"time": run.time_ms, "v": v, "amplitude": v.max(axis=0) - v[0]}


def report(cell: Cell, current, drive, tuned, cluster, back) -> None:
    """The numbers behind the figure."""
    table = cell.table
    print(
        "current (nA):", *(f"{c:.2f}:{r:.0f}" for c, r in zip(CURRENT_nA, current["rate"], strict=True)), "Hz"
    )
    print("peak of the late voltage (mV):", *(f"{p:.0f}" for p in current["peak"]))
    print("lowest late voltage (mV):", *(f"{p:.0f}" for p in current["trough"]))
    print(
        "afferent peak (Hz):",
        *(f"{p:g}:{r:.1f}" for p, r in zip(PEAK_RATE_hz, drive["mean"], strict=True)),
        "Hz",
    )
    pairs = zip(ORIENTATION_deg, tuned["mean"], tuned["se"], tuned["fano"], strict=True)
    print("tuning:", *(f"{o:g}:{m:.1f}±{s:.1f} (F {f:.1f})" for o, m, s, f in pairs))
    peaks = zip(
        N_SYNAPSES,
        cluster["with"].max(axis=0),
        cluster["without"].max(axis=0),
        cluster["spikes"],
        strict=True,
    )
    print(
        f"synapses at {cluster['path_um']:.0f} um:",
        *(f"{n}: {a:.0f}/{b:.0f} mV ({k})" for n, a, b, k in peaks),
    )
    for region in ("basal", "apical"):
        rows = table.in_region(region)
        far = rows[np.argsort(table.path_um[rows])][[0, len(rows) // 2, -1]]
        print(
            f"backpropagation, {region}:",
            *(f"{table.path_um[k]:.0f} um {back['amplitude'][k]:.0f} mV;" for k in far),
        )
    print(f"soma: {back['amplitude'][0]:.0f} mV")


def draw(cell: Cell, current, drive, tuned, cluster, back) -> None:
    """Six panels."""
    figure, axes = plt.subplots(2, 3, figsize=(12, 7), layout="constrained")
    axis = axes[0, 0]
    axis.plot(CURRENT_nA, current["rate"], "o-", ms=4)
    axis.axhspan(0, 150, color="0.93", zorder=0)
    axis.set(xlabel="current into the soma (nA)", ylabel="firing rate (Hz)", title="f-I curve")

    axis = axes[0, 1]
    axis.errorbar(PEAK_RATE_hz, drive["mean"], drive["se"], marker="o", ms=4, capsize=2)
    axis.axvline(Drive().peak_rate_hz, color="0.6", ls="--", lw=1)
    axis.annotate(
        "default",
        (Drive().peak_rate_hz, 2),
        xytext=(4, 0),
        textcoords="offset points",
        color="0.4",
        fontsize=8,
    )
    axis.set(
        xlabel="rate of a driven afferent (Hz)",
        ylabel="firing rate (Hz)",
        title="synaptic drive, preferred orientation",
    )

    axis = axes[0, 2]
    axis.errorbar(
        ORIENTATION_deg[:-1],
        tuned["mean"][:-1],
        tuned["se"][:-1],
        marker="o",
        ms=4,
        capsize=2,
        label="gratings",
    )
    axis.axhline(tuned["mean"][-1], color="C1", label=f"blank: {tuned['mean'][-1]:.1f} Hz")
    axis.set(
        xlabel="orientation (deg)",
        ylabel="firing rate (Hz)",
        title="tuning at the default drive",
        xticks=range(0, 181, 45),
    )
    axis.legend(frameon=False, fontsize=8)

    axis = axes[1, 0]
    shown = N_SYNAPSES.index(25)
    axis.plot(cluster["time"], cluster["with"][:, shown], label="dendrite")
    axis.plot(cluster["time"], cluster["without"][:, shown], label="dendrite, no NMDA conductance")
    axis.plot(cluster["time"], cluster["soma"][:, shown], color="0.3", lw=1, label="soma")
    axis.set(
        xlabel="time (ms)",
        ylabel="voltage (mV)",
        title=f"NMDA spike: {N_SYNAPSES[shown]} synapses at {cluster['path_um']:.0f} µm",
    )
    axis.legend(frameon=False, fontsize=8)

    axis = axes[1, 1]
    for name, label, marker in (("with", "with NMDA conductance", "o"), ("without", "without", "s")):
        lasting = np.sum(cluster[name] > THRESHOLD_mV, axis=0) * DT_ms
        axis.plot(N_SYNAPSES, lasting, marker=marker, ms=4, label=label)
    axis.set(
        xlabel="synapses active within a few ms",
        ylabel=f"time above {THRESHOLD_mV:g} mV in the dendrite (ms)",
        title="clustered input",
    )
    axis.legend(frameon=False, fontsize=8)

    axis = axes[1, 2]
    for region, marker in (("basal", "o"), ("apical", "s")):
        rows = cell.table.in_region(region)
        axis.plot(cell.table.path_um[rows], back["amplitude"][rows], marker, ms=3, alpha=0.7, label=region)
    axis.plot(0, back["amplitude"][0], "k^", ms=6, label="soma")
    axis.set(
        xlabel="distance from the soma (µm)",
        ylabel="amplitude (mV)",
        title="backpropagating action potential",
        ylim=(0, 190),
        yticks=range(0, 121, 20),
    )
    axis.legend(frameon=False, fontsize=8, loc="upper left")
    inset = axis.inset_axes((0.5, 0.66, 0.48, 0.32))
    apical = cell.table.in_region("apical")
    for target in (0.0, 100.0, 250.0):
        k = 0 if target == 0 else apical[np.argmin(np.abs(cell.table.path_um[apical] - target))]
        inset.plot(
            back["time"], back["v"][:, k], lw=1, label="soma" if k == 0 else f"{cell.table.path_um[k]:.0f} µm"
        )
    inset.set_xlim(4, 20)
    inset.tick_params(labelsize=6)
    inset.set_xlabel("ms", fontsize=6, labelpad=1)
    inset.set_ylabel("mV", fontsize=6, labelpad=0)
    inset.legend(frameon=False, fontsize=6)
    figure.savefig(FIGURE, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=16, help="of each condition")
    n_trials = parser.parse_args().trials
    cell = default_cell()
    engine = JaxEngine(cell, dt_ms=DT_ms)
    results = (
        current_response(engine),
        drive_response(engine, n_trials),
        tuning(engine, n_trials),
        clustered_input(engine),
        backpropagation(engine),
    )
    report(cell, *results)
    draw(cell, *results)


if __name__ == "__main__":
    main()
