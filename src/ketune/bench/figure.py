"""The results as one figure: who is how fast, and how speed depends on the size of the work."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

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
    """Forward and gradient; a contender off the contract is struck out, one that cannot run says why."""
    for row, (name, entry) in enumerate(entries.items()):
        bars = ((-0.18, "sim_s_per_wall_s", 1.0, ""), (0.18, "gradient_sim_s_per_wall_s", 0.45, ", gradient"))
        for shift, key, alpha, what in bars:
            if (speed := entry[key]) is not None:
                axes.barh(row + shift, speed, 0.34, color=_COLOURS[name], alpha=alpha)
                axes.annotate(f" {speed:.3g}{what}", (speed, row + shift), va="center", fontsize=7.5)
        if entry["sim_s_per_wall_s"] is None:
            at: dict[str, Any] = {
                "xycoords": ("axes fraction", "data"),
                "va": "center",
                "fontsize": 7.5,
                "color": MUTED,
            }
            axes.annotate(_absence(entry), (0.02, row), **at)
    labels = [_struck(name) if entry["accurate"] is False else name for name, entry in entries.items()]
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xscale("log")
    axes.margins(x=0.4)
    _plain(axes.xaxis)
    axes.set_xlabel("simulated seconds per second")
    axes.set_title(title)


def _struck(name: str) -> str:
    """With combining strokes, so that the name stays readable."""
    return "".join(f"{letter}\u0336" for letter in name)


def _absence(entry: Mapping[str, Any]) -> str:
    if "not_available" in entry:
        return textwrap.shorten(f"not available: {entry['not_available']}", 64, placeholder=" ...")
    return f"off the contract: {entry['max_dv_mV']:.1e} mV"


def _plain(axis: Axis) -> None:
    """Numbers as they are instead of powers of ten, which the pages' style does not typeset."""
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1.0,) if high > 300 * low else (1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axis.set_minor_formatter(NullFormatter())


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
    speeds = [x for curve in curves.values() for x in curve["sim_s_per_wall_s"]]
    if speeds:
        axes.set_ylim(min(speeds) / 2, max(speeds) * 2)
    _plain(axes.yaxis)
    if axis == "threads":
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        axes.set_xscale("log")
        _plain(axes.xaxis)
    axes.set_xlabel(_AXES[axis])
    axes.set_ylabel("simulated seconds per second")
    if curves:
        axes.legend()
