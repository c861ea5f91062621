"""Draws docs/figures/convergence.png and prints the tables of docs/convergence.md: errors of space and time steps.

    python docs/scripts/convergence.py [--trials 32]

Takes about ten minutes on two cores.
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
from ketune.engines import create
from ketune.engines.jax_engine import JaxEngine, Run
from ketune.engines.schemes import Scheme
from ketune.events import Events

FIGURE = Path(__file__).parents[1] / "figures" / "convergence.png"
D_LAMBDA = (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 1.0)
# Fixed here, so that the page does not follow every change of the defaults.
DRIVE = Drive(background_rate_hz=0.15, afferent_untuned=0.0)
DT_ms = (0.0125, 0.025, 0.05, 0.1)
REFERENCE_MS = 0.00625  # in second-order steps
_SPOKEN: dict[Scheme, str] = {"backward_euler": "backward Euler", "second_order": "second order"}
ORIENTATIONS = (90.0, 60.0)  # at the afferents' preference, and on the flank
GRATING = Grating(ORIENTATIONS, window_ms=800.0, warm_up_ms=200.0)


def admittance(cell: Cell, frequency_hz: float) -> np.ndarray:
    """Nodal admittance matrix (uS) of the resting cell, complex at a frequency above zero.

    At frequency zero gates follow the voltage; otherwise they are frozen, as at 100 Hz most of them nearly are.
    """
    table = cell.table
    matrix = np.zeros((table.n_nodes, table.n_nodes), complex)
    child = np.arange(1, table.n_nodes)
    parent, g = table.node_parent[1:], table.node_g_uS[1:]
    for row, column, value in (
        (child, child, g),
        (parent, parent, g),
        (child, parent, -g),
        (parent, child, -g),
    ):
        np.add.at(matrix, (row, column), value)
    here = np.arange(table.n)
    matrix[here, here] += 2j * np.pi * frequency_hz * 1e-8 * table.cm_uF_cm2 * table.area_um2
    for placement in cell.placements:
        if placement.mechanism.kind != "density":
            continue
        p = {**placement.parameters, **cell.environment(0.025)}
        p |= placement.mechanism.derived(p)
        rest = np.full(len(placement.compartments), cell.v_init_mV)
        frozen = placement.mechanism.init(rest, p)

        def current(dv, mechanism=placement.mechanism, p=p, rest=rest, frozen=frozen):
            states = frozen if frequency_hz > 0 else mechanism.init(rest + dv, p)
            return np.asarray(mechanism.current(rest + dv, states, p))

        slope = (current(0.01) - current(-0.01)) / 0.02
        where = placement.compartments
        matrix[where, where] += 1e-2 * slope * table.area_um2[where]
    return matrix


def cable_readouts(cell: Cell) -> tuple[float, float]:
    """Steady input resistance of the soma (MOhm), and transfer impedance at 100 Hz from dendrite to soma (MOhm).

    The latter is a mean over dendritic length: how much of a synaptic current arrives.
    """
    unit = np.zeros(cell.table.n_nodes)
    unit[0] = 1.0
    resistance = np.linalg.solve(admittance(cell, 0.0), unit)[0].real
    transfer = np.abs(np.linalg.solve(admittance(cell, 100.0), unit))[: cell.table.n]
    dendrite = cell.table.in_region("basal", "apical")
    length = cell.table.length_um[dendrite]
    return float(resistance), float(np.sum(transfer[dendrite] * length) / length.sum())


def moved(events: Events, fine: Cell, coarse: Cell) -> Events:
    """The same events on another discretisation: each at the compartment with a receptor that lies nearest."""
    compartment = events.compartment.copy()
    for index, port in enumerate(events.port_names):
        rows = coarse.placement(coarse.ports[port][0]).compartments
        here = events.port == index
        for k in np.unique(events.compartment[here]):
            # Along the neurite first: a neighbouring branch may be closer in space.
            section = fine.table.section[k]
            own = rows[coarse.table.section[rows] == section]
            choice = own if own.size else rows
            away = np.linalg.norm(coarse.table.xyz_um[choice] - fine.table.xyz_um[k], axis=1)
            compartment[here & (events.compartment == k)] = choice[np.argmin(away)]
    return replace(events, compartment=compartment)


def with_step(events: Events, factor: int) -> Events:
    """The same events on steps that are `factor` times as long."""
    return Events.from_arrays(
        n_lanes=events.n_lanes,
        n_steps=events.n_steps // factor,
        dt_ms=events.dt_ms * factor,
        port_names=events.port_names,
        step=events.step // factor,
        lane=events.lane,
        compartment=events.compartment,
        port=events.port,
    )


def simulated(cell: Cell, events: Events, scheme: Scheme = "backward_euler") -> Run:
    """The spikes of every lane."""
    if scheme == "backward_euler":
        engine = create(cell, dt_ms=events.dt_ms, dtype=np.float32)
    else:
        engine = JaxEngine(cell, dt_ms=events.dt_ms, scheme=scheme)
    return engine.run(events, keep_voltage=False)


def counts(run: Run, n_trials: int) -> np.ndarray:
    """Spikes in the window, (orientations, trials)."""
    return run.counts(from_ms=GRATING.warm_up_ms).reshape(len(ORIENTATIONS), n_trials)


def in_time(run: Run, reference: Run) -> tuple[float, float]:
    """Of the reference's spikes the share (%) with a spike within 1 ms, and the median shift of those (ms)."""
    shift = []
    for lane in range(run.n_lanes):
        own, theirs = (r.spike_ms[r.spike_lane == lane] for r in (run, reference))
        theirs = theirs[theirs >= GRATING.warm_up_ms]
        apart = own[None, :] - theirs[:, None] if len(own) else np.full((len(theirs), 1), np.inf)
        nearest = np.argmin(np.abs(apart), axis=1)
        shift.append(apart[np.arange(len(theirs)), nearest])
    every = np.concatenate(shift)
    near = np.abs(every) < 1.0
    return float(100 * near.mean()), float(np.median(every[near]))


def relative(found: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Error of the mean count (%) and its standard error over trials that share their events, by orientation."""
    mean = reference.mean(axis=1)
    difference = found - reference
    error = difference.mean(axis=1) / mean
    se = difference.std(axis=1, ddof=1) / np.sqrt(difference.shape[1]) / mean
    return 100 * error, 100 * se


def described(found: np.ndarray, error: np.ndarray, se: np.ndarray) -> list[str]:
    """Mean counts with their errors."""
    return [f"{c.mean():.2f} ({e:+.1f} ± {s:.1f} %)" for c, e, s in zip(found, error, se, strict=True)]


def table_row(entries: list[str]) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(entries)} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=32, help="of each orientation")
    n_trials = parser.parse_args().trials

    fine = default_cell(d_lambda=D_LAMBDA[0])
    drawn = hard_events(
        place_synapses(fine, seed=1), GRATING, DRIVE, trials=range(n_trials), seed=1, dt_ms=REFERENCE_MS
    )

    print(
        "| d_lambda | compartments | input resistance | transfer at 100 Hz | count, 90 deg | count, 60 deg |"
    )
    print("|---|---|---|---|---|---|")
    events = with_step(drawn, round(0.05 / REFERENCE_MS))
    space, reference, first = [], None, None
    for d_lambda in D_LAMBDA:
        cell = default_cell(d_lambda=d_lambda)
        resistance, transfer = cable_readouts(cell)
        found = counts(simulated(cell, moved(events, fine, cell)), n_trials)
        if reference is None or first is None:
            reference, first = found, (resistance, transfer)
        error, se = relative(found, reference)
        cable = [100 * (resistance / first[0] - 1), 100 * (transfer / first[1] - 1)]
        space.append((cell.table.n, *cable, *error, *se))
        entries = [f"{resistance:.2f} MOhm ({cable[0]:+.2f} %)", f"{transfer:.2f} MOhm ({cable[1]:+.2f} %)"]
        print(
            table_row([f"{d_lambda:g}", f"{cell.table.n}", *entries, *described(found, error, se)]),
            flush=True,
        )

    print("\n| scheme | step ms | count, 90 deg | count, 60 deg | spikes in time | shift ms |")
    print("|---|---|---|---|---|---|")
    cell = default_cell()
    on_cell = moved(drawn, fine, cell)
    best = simulated(cell, on_cell, "second_order")
    reference = counts(best, n_trials)
    error, se = relative(reference, reference)
    print(
        table_row(["second order", f"{REFERENCE_MS:g}", *described(reference, error, se), "", ""]), flush=True
    )
    time: dict[Scheme, list[tuple[float, ...]]] = {"backward_euler": [], "second_order": []}
    for scheme, rows in time.items():
        for dt in DT_ms:
            run = simulated(cell, with_step(on_cell, round(dt / REFERENCE_MS)), scheme)
            found = counts(run, n_trials)
            error, se = relative(found, reference)
            share, shift = in_time(run, best)
            rows.append((dt, *error, *se))
            entries = [*described(found, error, se), f"{share:.0f} %", f"{shift:+.3f}"]
            print(table_row([_SPOKEN[scheme], f"{dt:g}", *entries]), flush=True)
    draw(np.array(space), {scheme: np.array(rows) for scheme, rows in time.items()}, cell.table.n)


def draw(space: np.ndarray, time: dict[Scheme, np.ndarray], chosen: int) -> None:
    """The figure: cable readouts and counts against compartments, counts against the step."""
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
    n = space[:, 0]
    for column, label, marker in ((1, "input resistance", "o"), (2, "transfer impedance, 100 Hz", "s")):
        axes[0].plot(n, space[:, column], marker=marker, ms=5, label=label)
    axes[0].set_title("resting cable")
    axes[0].set_ylabel(f"error against {n[0]:.0f} compartments (%)")
    for k, (orientation, marker) in enumerate(zip(ORIENTATIONS, "os", strict=True)):
        axes[1].errorbar(
            n * (1 + 0.015 * k),
            space[:, 3 + k],
            space[:, 5 + k],
            marker=marker,
            ms=5,
            capsize=2,
            label=f"{orientation:g}°",
        )
        for (scheme, rows), style in zip(time.items(), ("-", "--"), strict=True):
            axes[2].errorbar(
                rows[:, 0] * (1 + 0.015 * k),
                rows[:, 1 + k],
                rows[:, 3 + k],
                color=f"C{k}",
                ls=style,
                marker=marker,
                ms=5,
                capsize=2,
                label=f"{orientation:g}°, {_SPOKEN[scheme]}",
            )
    axes[1].set_title("spike count, step 0.05 ms")
    axes[1].set_ylabel(f"error against {n[0]:.0f} compartments (%)")
    axes[2].set_title(f"spike count, {chosen} compartments")
    axes[2].set_ylabel("error against the finest step (%)")
    for axis in axes[:2]:
        axis.set_xscale("log")
        axis.set_xticks([100, 200, 500, 1000], ["100", "200", "500", "1000"])
        axis.minorticks_off()
        axis.set_xlabel("compartments")
        axis.axvline(chosen, color="0.6", lw=1, ls="--", zorder=0)
        axis.annotate(
            "default", (chosen, 0.98), xycoords=("data", "axes fraction"), va="top", color="0.4", fontsize=8
        )
    axes[2].set_xscale("log")
    axes[2].set_xticks(DT_ms, [f"{dt:g}" for dt in DT_ms])
    axes[2].minorticks_off()
    axes[2].set_xlabel("step (ms)")
    for axis in axes:
        axis.axhspan(-2, 2, color="0.93", zorder=-1)
        axis.axhline(0, color="0.6", lw=0.8)
        axis.legend(frameon=False, fontsize=8)
    figure.savefig(FIGURE, dpi=150)


if __name__ == "__main__":
    main()
