"""Draws docs/figures/own_mechanisms.png: a firing cell with a calcium pool in NEURON and in JAX, and their difference.

    python docs/scripts/own_mechanisms.py

The cell is docs/examples/my_cell.toml without its synapse, with calcium channels, a pool and the potassium channel that
the pool opens. Takes half a minute, and the first time as long again for the compiler.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from ketune.cell import Cell
from ketune.cell_model import CellModel, build_cell, read_model
from ketune.engines.jax_engine import JaxEngine
from ketune.engines.neuron_engine import run_neuron
from ketune.events import Events
from ketune.morphology import SMALL_MORPHOLOGY, read_morphology
from ketune.report._style import PREDICTED, RC, SPIKING

DOCS = Path(__file__).parents[1]
FIGURE = DOCS / "figures" / "own_mechanisms.png"
DT_ms, DURATION_ms, CURRENT_nA = 0.025, 400.0, 0.4
CALCIUM: dict[str, dict[str, float]] = {
    "cahva": {"gbar": 3e-4},
    "capool": {"gamma": 0.02, "decay": 80.0},
    "sk": {"gbar": 2e-4},
}
SAME = 1e-16
"""Smaller differences are drawn as this: a logarithm has no zero."""


def cell() -> Cell:
    """The example with calcium, on a small morphology."""
    model = read_model(DOCS / "examples" / "my_cell.toml").model_dump()
    model["synapse"] = ()
    own = [{"label": name, "mechanism": name, "parameters": values} for name, values in CALCIUM.items()]
    model["density"] = (*model["density"], *own)
    return build_cell(CellModel.model_validate(model), read_morphology(SMALL_MORPHOLOGY))


def simulate() -> tuple[np.ndarray, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Times, and by name the course in NEURON and in JAX at the soma."""
    found, n_steps = cell(), round(DURATION_ms / DT_ms)
    events = Events.none(n_lanes=1, n_steps=n_steps, dt_ms=DT_ms)
    t = np.arange(n_steps) * DT_ms
    current = CURRENT_nA * ((t >= 50.0) & (t < 300.0))
    variables = [("ions", "cai"), ("slow", "m"), ("sk", "z")]
    engine = JaxEngine(found, dt_ms=DT_ms, dtype=np.float64, derivative="forward_difference")
    twin = engine.run(events, injected_nA=current, variables=variables)
    neuron = run_neuron(found, events, injected_nA=current, record="soma", variables=variables)
    courses = {"v": (neuron.v_mV[:, 0], twin.v_mV[:, 0, 0])}
    for label, name in variables:
        courses[name] = (neuron.variables[label, name][:, 0], twin.variables[label, name][:, 0, 0])
    return neuron.time_ms, courses


def draw(time_ms: np.ndarray, courses: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Two courses above, the differences of all below."""
    plt.rcParams.update(RC)
    figure, axes = plt.subplots(3, 1, figsize=(6.4, 6.0), sharex=True, layout="constrained")
    dots: dict[str, Any] = {"ls": "", "marker": "o", "ms": 2.6, "color": SPIKING, "label": "JAX (every 3 ms)"}
    for axis, name, scale, label in ((axes[0], "v", 1.0, "soma (mV)"), (axes[1], "cai", 1e3, "[Ca] (µM)")):
        neuron, twin = courses[name]
        axis.plot(time_ms, scale * neuron, color=PREDICTED, lw=1.2, label="NEURON")
        axis.plot(time_ms[::120], scale * twin[::120], **dots)
        axis.set_ylabel(label)
    axes[0].legend(loc="upper right")
    for (name, (neuron, twin)), style in zip(courses.items(), ("-", "--", ":", "-."), strict=True):
        share = np.abs(neuron - twin) / np.abs(neuron).max()
        axes[2].semilogy(time_ms[::4], np.maximum(share, SAME)[::4], style, lw=1.0, label=name)
    axes[2].axhline(1e-8, color="0.6", lw=0.8)
    axes[2].text(0.0, 5e-9, "allowed for states", va="top", fontsize=8, color="0.4")
    ticks = [1e-8, 1e-10, 1e-12, 1e-14, 1e-16]
    axes[2].set_yticks(ticks, [f"{x:g}" for x in ticks])
    axes[2].set(ylim=(SAME / 2, 1e-6), xlabel="time (ms)", ylabel="difference /\nlargest value")
    axes[2].legend(ncols=4, loc="upper left", labels=["v", "[Ca]", "m of kslow", "z of sk"])
    figure.align_ylabels(axes)
    figure.savefig(FIGURE, dpi=150)


def main() -> None:
    time_ms, courses = simulate()
    v = courses["v"][0]
    print(f"{np.sum((v[1:] >= -20) & (v[:-1] < -20))} spikes")
    for name, (neuron, twin) in courses.items():
        largest = np.abs(neuron - twin).max()
        print(f"{name:4} {largest:.1e}, {largest / np.abs(neuron).max():.1e} of its largest value")
    draw(time_ms, courses)


if __name__ == "__main__":
    main()
