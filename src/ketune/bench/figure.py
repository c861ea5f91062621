"""The results as one figure: who is how fast, and how speed depends on the size of the work."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ketune.report._style import BEFORE, DURING, FAINT, INK, MUTED, OTHERS, PANEL, RC

_COLOURS = dict(
    zip(
        ("neuron", "coreneuron", "jaxley", "xla_f32", "xla_f64", "native_f32", "native_f64"),
        (INK, MUTED, OTHERS[2], OTHERS[3], BEFORE, DURING, OTHERS[0]),
        strict=True,
    )
)
_MARKERS = {"neuron": "s", "xla_f32": "^", "native_f32": "o", "native_f64": "D"}
_AXES = {
    "lanes": "lanes",
    "compartments": "compartments",
    "synapses": "synapses that share one event rate",
    "threads": "threads",
}


def save_figure(result: Mapping[str, Any], path: Path) -> None:
    """Write the figure as PNG."""
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(2 * PANEL[0], 3 * PANEL[1]), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(3, 2)
        for axes, (name, entries) in zip(panels[0], result["workloads"].items(), strict=True):
            _bars(axes, f"{name}: {result['simulated'][name]['what']}", entries)
        for axes, (axis, curves) in zip(panels[1:].flat, result["scaling"].items(), strict=True):
            _curves(axes, axis, curves)
        machine = result["machine"]
        quick = "; quick, not to be quoted" if result["quick"] else ""
        figure.suptitle(f"{machine['processor']}, {machine['cores_used']} cores{quick}", fontsize=9.0)
        figure.savefig(path, dpi=130)


def _bars(axes: Axes, title: str, entries: Mapping[str, Any]) -> None:
    """Forward and gradient; a contender off the contract is struck out, one that cannot run says so."""
    names = list(entries)
    for row, name in enumerate(names):
        entry = entries[name]
        forward, gradient = entry["sim_s_per_wall_s"], entry["gradient_sim_s_per_wall_s"]
        if forward is not None:
            axes.barh(row - 0.18, forward, 0.34, color=_COLOURS[name])
            axes.annotate(f" {forward:.3g}", (forward, row - 0.18), va="center", fontsize=7.5)
        if gradient is not None:
            axes.barh(row + 0.18, gradient, 0.34, color=_COLOURS[name], alpha=0.45)
            axes.annotate(f" {gradient:.3g}, gradient", (gradient, row + 0.18), va="center", fontsize=7.5)
        if forward is None:
            axes.annotate(
                f" {_absence(entry)}",
                (0.0, row),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=7.5,
                color=MUTED,
            )
    axes.set_yticks(range(len(names)), names)
    for name, label in zip(names, axes.get_yticklabels(), strict=True):
        if entries[name]["accurate"] is False:
            label.set_color(MUTED)
            # Combining strokes: the name stays readable.
            label.set_text("".join(f"{letter}\u0336" for letter in name))
    axes.set_yticklabels([label.get_text() for label in axes.get_yticklabels()])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.margins(x=0.35)
    axes.set_xlabel("simulated seconds per second")
    axes.set_title(title)


def _absence(entry: Mapping[str, Any]) -> str:
    if "not_available" in entry:
        reason = entry["not_available"].split(":")[0]
        return f"not available: {reason if len(reason) < 50 else reason[:48] + ' ...'}"
    return f"off the contract: {entry['max_dv_mV']:.1e} mV"


def _curves(axes: Axes, axis: str, curves: Mapping[str, Any]) -> None:
    for name, curve in curves.items():
        axes.plot(
            curve["at"],
            curve["sim_s_per_wall_s"],
            marker=_MARKERS.get(name, "o"),
            color=_COLOURS[name],
            label=name,
        )
        if axis == "compartments":
            # Cost in proportion to compartments, through the first point.
            at, speed = curve["at"], curve["sim_s_per_wall_s"]
            axes.plot(at, [speed[0] * at[0] / x for x in at], color=FAINT, zorder=0, linewidth=1.0)
    axes.set_yscale("log")
    axes.set_xscale("linear" if axis == "threads" else "log")
    if axis == "threads" and curves:
        axes.set_xticks(next(iter(curves.values()))["at"])
    axes.set_xlabel(_AXES[axis])
    axes.set_ylabel("simulated seconds per second")
    if curves:
        axes.legend()
