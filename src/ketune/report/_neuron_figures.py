"""The neuron in the cortex: where its synapses are, and how much of its NMDA conductance is blocked."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.patches import Circle

from ketune.report import _style as s
from ketune.report import _words as w
from ketune.report._results import Application, Neuron, Number, array

Array = npt.NDArray[np.float64]
_AXONAL = ("ais", "axon")


def neuron_pictures(application: Application) -> list[s.Picture]:
    """The neuron coloured by block, and with its synapses; none where the result has no neuron."""
    neuron = application.neuron
    if neuron is None:
        return []
    block = array(neuron.nmda_block_during)[_dendritic(neuron)]
    block = block[np.isfinite(block)]
    pictures = []
    if block.size:
        fig = s.figure(*_size(neuron))
        axes = fig.subplots()
        colours = draw_block(axes, neuron)
        start = "The colours do not begin at zero. " if np.min(colours.get_clim()[0] or 0.0) > 0 else ""
        fig.colorbar(colours, ax=axes, label="NMDA conductance blocked (fraction)", shrink=0.75)
        lowest, highest = _ends(array(neuron.concentration_um_during)[_dendritic(neuron)])
        range_ = w.span(100 * float(block.min()), 100 * float(block.max()), 3, "%")
        pictures.append(
            s.picture(
                fig,
                name="neuron-block",
                alt=f"The neuron below the pia, coloured by NMDA block, {range_} over soma and dendrites; soma at "
                f"{w.number(neuron.soma_depth_um, 3, 'um')}.",
                caption=f"Block at {application.main_condition}: {range_} over soma and dendrites, free drug "
                f"{w.span(lowest, highest, 2, 'uM')}. "
                f"{start}Grey: axon, without NMDA receptors.{_above(neuron)} n = 1 neuron.",
            )
        )
    fig = s.figure(*_size(neuron))
    axes = fig.subplots()
    draw_neuron(axes, neuron, "#aab0ba")
    counts = _draw_synapses(axes, neuron)
    s.legend_above(axes, ncols=3, markerscale=1.6)
    pictures.append(
        s.picture(
            fig,
            name="neuron-synapses",
            alt=f"The neuron with its synapses: {counts}.",
            caption=f"One placement of the synapses: {counts}. Within its compartment a synapse is drawn beside the "
            "dendrite so that it can be seen.",
        )
    )
    return pictures


def draw_block(axes: Axes, neuron: Neuron) -> ScalarMappable:
    """The neuron coloured by its NMDA block; returns what a colour bar needs."""
    block = array(neuron.nmda_block_during)
    dendritic = _dendritic(neuron)
    known = block[dendritic & np.isfinite(block)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    low, high = np.floor(20 * low) / 20, np.ceil(20 * high) / 20
    # At least a tenth wide: noise must not look like a gradient.
    low = min(low, max(high - 0.1, 0.0))
    colours = ScalarMappable(Normalize(low, max(high, low + 0.1)), s.BLOCK_MAP)
    shades = np.asarray(colours.to_rgba(np.nan_to_num(block, nan=low)))
    shades[~dendritic | ~np.isfinite(block)] = (0.75, 0.77, 0.8, 1.0)
    draw_neuron(axes, neuron, shades)
    return colours


def draw_neuron(axes: Axes, neuron: Neuron, colour: str | Array) -> None:
    """Compartments as lines to their parents, depth downwards, with the pia."""
    x, depth = _place(neuron)
    parent = np.asarray(neuron.parent)
    child = np.flatnonzero(parent >= 0)
    ends = np.stack(
        [np.stack([x[parent[child]], depth[parent[child]]], -1), np.stack([x[child], depth[child]], -1)], 1
    )
    diameter = np.asarray(neuron.diam_um)
    shade = colour if isinstance(colour, str) else colour[child]
    axes.add_collection(
        LineCollection(list(ends), colors=shade, linewidths=0.7 + 0.75 * diameter[child], capstyle="round")
    )
    for soma in np.flatnonzero(parent < 0):
        face = colour if isinstance(colour, str) else tuple(colour[soma])
        axes.add_patch(
            Circle((x[soma], depth[soma]), diameter[soma] / 2, facecolor=face, edgecolor="none", zorder=3)
        )
    margin = 15.0
    axes.set_xlim(x.min() - margin, x.max() + margin)
    axes.set_ylim(max(depth.max() + margin, margin), min(depth.min(), 0.0) - margin)
    axes.set_aspect("equal")
    axes.axhline(0.0, color=s.INK, lw=1.4)
    axes.annotate(
        "pia",
        (0.995, 0.0),
        xycoords=("axes fraction", "data"),
        xytext=(0, 2),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=8.5,
    )
    axes.set_ylabel("depth below the pia (µm)")
    axes.set_xlabel("across (µm)")


def _draw_synapses(axes: Axes, neuron: Neuron) -> str:
    x, depth = _place(neuron)
    parent = np.asarray(neuron.parent)
    kinds = [
        ("driven excitatory", neuron.synapses.exc_driven, s.EXCITATORY, "o", 5.0),
        ("PV", neuron.synapses.pv, s.PV, "^", 9.0),
        ("SST", neuron.synapses.sst, s.SST, "s", 7.0),
    ]
    parts = []
    for side, (name, compartments, color, marker, size) in enumerate(kinds):
        parts.append(f"{len(compartments)} {name}")
        if not compartments:
            continue
        where = np.asarray(sorted(compartments))
        # The k-th of n synapses of a compartment, spread along its line and to alternating sides.
        starts = np.searchsorted(where, where)
        rank, total = np.arange(len(where)) - starts, np.searchsorted(where, where, side="right") - starts
        up = np.where(parent[where] < 0, where, parent[where])
        along = np.stack([x[where] - x[up], depth[where] - depth[up]], -1)
        length = np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
        beside = np.stack([-along[:, 1], along[:, 0]], -1) / length
        on_soma = (parent[where] < 0)[:, None]
        angle = 2 * np.pi * (rank + 0.2 + side / 3) / total
        round_ = (
            0.55 * np.asarray(neuron.diam_um)[where][:, None] * np.stack([np.cos(angle), np.sin(angle)], -1)
        )
        reach = 2.0 + 1.5 * side
        spots = np.stack([x[where], depth[where]], -1) - along * ((rank + 0.5) / total)[:, None] * 0.9
        spots = np.where(
            on_soma, spots + round_, spots + beside * reach * np.where((rank % 2)[:, None], -1.0, 1.0)
        )
        axes.scatter(
            spots[:, 0],
            spots[:, 1],
            s=size,
            c=color,
            marker=marker,
            lw=0,
            alpha=0.85,
            zorder=4 + side,
            label=name,
        )
    return ", ".join(parts) + " synapses"


def _place(neuron: Neuron) -> tuple[Array, Array]:
    """Sideways position and depth of each compartment; the morphology's +y points towards the pia."""
    y = np.asarray(neuron.y_um)
    root = int(np.flatnonzero(np.asarray(neuron.parent) < 0)[0]) if -1 in neuron.parent else 0
    return np.asarray(neuron.x_um) - neuron.x_um[root], neuron.soma_depth_um - (y - y[root])


def _dendritic(neuron: Neuron) -> npt.NDArray[np.bool_]:
    return np.array([region not in _AXONAL for region in neuron.region])


def _ends(values: Array) -> tuple[Number, Number]:
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if known.size else (None, None)


def _above(neuron: Neuron) -> str:
    n = int((_place(neuron)[1] < 0).sum())
    return f" {w.counted(n, 'compartment')} above the pia: the drug is computed as at the pia." if n else ""


def _size(neuron: Neuron) -> tuple[float, float]:
    x, depth = _place(neuron)
    tall = (max(depth.max(), 0) - min(depth.min(), 0) + 30) / (np.ptp(x) + 30)
    return s.PANEL[0], float(np.clip(s.PANEL[0] * 0.72 * tall + 0.6, 3.3, 6.0))
