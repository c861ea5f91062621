"""A drug in the tissue by route: concentration against depth, and what each target sees of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from ketune.report import _style as s

_SMALLEST_UM = 0.01
# field: label, colour, line style; factors on firing and gains are drawn as what is lost or added
_LOOKS: dict[str, tuple[str, str, str]] = {
    "nmda_block": ("NMDA block", s.DURING, "-"),
    "ampa_block": ("AMPA block", s.OTHERS[2], "-"),
    "pv_drive": ("PV firing lost", s.PV, "--"),
    "hcn_block": ("HCN block", s.SST, "-"),
    "nav_block": ("Nav block", s.INK, ":"),
    "kv_block": ("Kv block", s.MUTED, "-"),
    "cal_block": ("L-type Ca block", s.OTHERS[0], "-."),
    "gabaa_gain": ("synaptic GABA-A change", s.OTHERS[3], "-"),
    "tonic_gaba_gain": ("tonic GABA-A gain", s.OTHERS[2], "--"),
}
_BESIDE: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0), "borderaxespad": 0.3}
_FACTORS = {"pv_drive": -1.0, "gabaa_gain": 1.0, "tonic_gaba_gain": 1.0}


def save_figure(result: Mapping[str, Any], path: Path) -> None:
    """Write the figure as PNG: for each route concentrations by time and, at the main time, what the targets see."""
    entries = result["routes"]
    with s.style():
        one = len(entries) == 1
        fig = Figure(figsize=(9.4, 3.9) if one else (2.2 + 2.9 * len(entries), 7.4), layout="constrained")
        FigureCanvasAgg(fig)
        panels = fig.subplots(*((1, 2) if one else (2, len(entries))), squeeze=False, sharey=True)
        pairs = panels if one else panels.T
        top = max(float(np.max(entry["concentration_uM"])) for entry in entries)
        for (above, below), entry in zip(pairs, entries, strict=True):
            last = entry is entries[-1]
            _concentrations(above, result, entry, top, legend=last)
            _targets(below, result, entry, legend=last)
            above.set_title(f"{entry['route']}, {entry['dose']}", loc="left")
        for axes in panels[:, 0]:
            axes.set_ylabel("depth below the pia (µm)")
        panels[0, 0].set_ylim(float(result["depth_um"][-1]), float(result["depth_um"][0]))
        words = f"{result['drug']}; dotted: target depth {result['soma_depth_um']:g} µm"
        if not one:
            words += f"; doses give equal NMDA block there after {result['main_time_min']:g} min"
        fig.suptitle(words, fontsize=9.5)
        fig.savefig(path, dpi=150)


def _concentrations(
    axes: Axes, result: Mapping[str, Any], entry: Mapping[str, Any], top: float, *, legend: bool
) -> None:
    times = list(result["times_min"])
    colours = matplotlib.colormaps["viridis"](np.linspace(0.0, 0.85, len(times)))
    for i, time in enumerate(times):
        free = np.asarray(entry["concentration_uM"])[i]
        shown = np.where(free >= _SMALLEST_UM, free, np.nan)
        main = time == result["main_time_min"]
        style = "-" if main else ("--", "-.", ":")[i % 3]
        axes.plot(
            shown, result["depth_um"], style, color=colours[i], label=f"{time:g} min", lw=2.2 if main else 1.5
        )
    axes.set_xscale("log")
    axes.set_xlim(_SMALLEST_UM, max(3.0 * top, 1.0))
    axes.xaxis.set_major_locator(LogLocator(numticks=6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("free drug (µM)")
    _depth_line(axes, result)
    axes.grid(axis="x", color=s.FAINT, lw=0.6)
    if legend:
        axes.legend(**_BESIDE, title="after the dose", title_fontsize=8.0)


def _targets(axes: Axes, result: Mapping[str, Any], entry: Mapping[str, Any], *, legend: bool) -> None:
    i = list(result["times_min"]).index(result["main_time_min"])
    for name, (label, colour, line) in _LOOKS.items():
        if name not in entry["effects"]:
            continue
        value = np.asarray(entry["effects"][name])[i]
        if name in _FACTORS:
            value = _FACTORS[name] * (value - 1.0)
        axes.plot(value, result["depth_um"], line, color=colour, label=label)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel(f"share after {result['main_time_min']:g} min")
    _depth_line(axes, result)
    axes.grid(axis="x", color=s.FAINT, lw=0.6)
    if legend:
        axes.legend(**_BESIDE)


def _depth_line(axes: Axes, result: Mapping[str, Any]) -> None:
    axes.axhline(result["soma_depth_um"], color=s.INK, lw=0.9, ls=":", zorder=0)
