"""The neuron in the cortex as traced: neurites with their diameters and depth, coloured or with synapses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PathCollection
from matplotlib.colors import Normalize
from matplotlib.patches import Circle
from matplotlib.path import Path

from ketune.report import _style as s
from ketune.report._results import Neuron, array

Array = npt.NDArray[np.float64]
Colours = npt.NDArray[np.float64]

THINNEST_um = 1.5
"""Neurites thinner than this are drawn so wide, or they could not be seen."""
SCALE_BAR_um = 100.0
_AXONAL = ("ais", "axon")
_GREY = (0.67, 0.69, 0.73, 1.0)
_WITHOUT_NMDA = (0.75, 0.77, 0.8, 1.0)


@dataclass(frozen=True, eq=False)
class Drawn:
    """A neuron's neurites as pieces in the plane, depth downwards.

    Attributes
    ----------
    neuron
        What is drawn.
    """

    neuron: Neuron

    @cached_property
    def place(self) -> tuple[Array, Array]:
        """Sideways position and depth of each compartment; the morphology's +y points towards the pia."""
        return self._in_cortex(np.asarray(self.neuron.x_um), np.asarray(self.neuron.y_um))

    @cached_property
    def pieces(self) -> tuple[Array, Array, npt.NDArray[np.int_]]:
        """Ends ``(n, 2, 2)``, diameters ``(n, 2)`` and compartment ``(n,)`` of every piece."""
        traced, parent = self.neuron.outline, np.asarray(self.neuron.parent)
        if traced is None:
            child = np.flatnonzero(parent >= 0)
            at, diam = np.stack(self.place, -1), np.asarray(self.neuron.diam_um)
            thin = np.stack([np.minimum(diam[parent[child]], diam[child]), diam[child]], 1)
            return np.stack([at[parent[child]], at[child]], 1), thin, child
        section = np.asarray(traced.section)
        at = np.stack(self._in_cortex(np.asarray(traced.x_um), np.asarray(traced.y_um)), -1)
        diam = np.asarray(traced.diam_um)
        end = 1 + np.flatnonzero(section[1:] == section[:-1])
        return (
            np.stack([at[end - 1], at[end]], 1),
            np.stack([diam[end - 1], diam[end]], 1),
            np.asarray(traced.compartment)[end],
        )

    @property
    def somata(self) -> npt.NDArray[np.int_]:
        """Compartments without a parent."""
        return np.flatnonzero(np.asarray(self.neuron.parent) < 0)

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, highest and lowest point, the pia among them."""
        ends = np.concatenate([self.pieces[0].reshape(-1, 2), np.stack(self.place, -1)])
        (left, high), (right, low) = ends.min(axis=0), ends.max(axis=0)
        return float(left), float(right), min(float(high), 0.0), max(float(low), 0.0)

    def _in_cortex(self, x: Array, y: Array) -> tuple[Array, Array]:
        neuron = self.neuron
        root = int(self.somata[0]) if len(self.somata) else 0
        return x - neuron.x_um[root], neuron.soma_depth_um - (y - neuron.y_um[root])


def dendritic(neuron: Neuron) -> npt.NDArray[np.bool_]:
    """Which compartments are soma or dendrite."""
    return np.array([region not in _AXONAL for region in neuron.region])


def draw_neuron(axes: Axes, neuron: Neuron, colours: Colours | None = None) -> Axes:
    """Draw the neurites with their diameters, the soma, the pia and a scale bar.

    Parameters
    ----------
    colours
        ``(n, 4)`` of each compartment; grey if not given.
    """
    drawn = Drawn(neuron)
    colours = np.tile(_GREY, (len(neuron.parent), 1)) if colours is None else colours
    ends, diam, compartment = drawn.pieces
    strips = _strips(ends, diam)
    shown = np.unique(compartment)
    # One path for each compartment: a path for each piece makes the page twice as large.
    paths = [
        Path.make_compound_path(*(Path(strip, closed=False) for strip in strips[compartment == c]))
        for c in shown
    ]
    axes.add_collection(PathCollection(paths, facecolors=colours[shown], edgecolors="none"))
    x, depth = drawn.place
    for soma in drawn.somata:
        axes.add_patch(
            Circle((x[soma], depth[soma]), neuron.diam_um[soma] / 2, facecolor=tuple(colours[soma]), edgecolor="none",
                   zorder=3)
        )  # fmt: skip
    _frame(axes, drawn)
    return axes


def draw_block(axes: Axes, neuron: Neuron) -> ScalarMappable:
    """The neuron coloured by its NMDA block; returns what a colour bar needs."""
    block = array(neuron.nmda_block_during)
    known = dendritic(neuron) & np.isfinite(block)
    low, high = (float(block[known].min()), float(block[known].max())) if known.any() else (0.0, 1.0)
    low, high = np.floor(20 * low) / 20, np.ceil(20 * high) / 20
    # At least a tenth wide: noise must not look like a gradient.
    low = min(low, max(high - 0.1, 0.0))
    scale = ScalarMappable(Normalize(low, max(high, low + 0.1)), s.BLOCK_MAP)
    colours = np.asarray(scale.to_rgba(np.nan_to_num(block, nan=low)))
    colours[~known] = _WITHOUT_NMDA
    draw_neuron(axes, neuron, colours)
    return scale


def draw_synapses(axes: Axes, neuron: Neuron) -> str:
    """One placement of the synapses beside the neurites of a drawn neuron; returns their numbers in words."""
    drawn = Drawn(neuron)
    kinds = [
        ("driven excitatory", neuron.synapses.exc_driven, s.EXCITATORY, "o", 1.6),
        ("PV", neuron.synapses.pv, s.PV, "^", 6.0),
        ("SST", neuron.synapses.sst, s.SST, "s", 3.5),
    ]
    parts = []
    for side, (name, compartments, colour, marker, size) in enumerate(kinds):
        parts.append(f"{len(compartments)} {name}")
        if compartments:
            spots = _spots(drawn, np.asarray(sorted(compartments)), side)
            axes.scatter(
                spots[:, 0],
                spots[:, 1],
                s=size,
                c=colour,
                marker=marker,
                lw=0,
                alpha=0.85,
                zorder=4 + side,
                label=name,
            )
    return ", ".join(parts) + " synapses"


def _strips(ends: Array, diam: Array) -> Array:
    """``(n, 4, 2)`` outline of each piece; where pieces meet in a bend their sides meet as well."""
    along = ends[:, 1] - ends[:, 0]
    unit = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    before, after = unit.copy(), unit.copy()
    joined = 1 + np.flatnonzero(np.all(np.isclose(ends[1:, 0], ends[:-1, 1]), axis=1))
    # A sharp turn has no common side of the same width.
    joined = joined[np.sum(unit[joined] * unit[joined - 1], axis=1) > 0]
    mean = unit[joined] + unit[joined - 1]
    before[joined] = after[joined - 1] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    half = 0.5 * np.maximum(diam, THINNEST_um)[..., None]
    side = np.stack([before, after], 1)[..., ::-1] * [-1.0, 1.0] * half
    return np.stack(
        [ends[:, 0] + side[:, 0], ends[:, 1] + side[:, 1], ends[:, 1] - side[:, 1], ends[:, 0] - side[:, 0]],
        1,
    )


def _spots(drawn: Drawn, where: npt.NDArray[np.int_], side: int) -> Array:
    """``(n, 2)`` places of synapses on compartments ``where``, which rise: spread along each, on alternating sides."""
    ends, diam, compartment = drawn.pieces
    starts = np.searchsorted(where, where)
    rank, total = np.arange(len(where)) - starts, np.searchsorted(where, where, side="right") - starts
    x, depth = drawn.place
    spots = np.empty((len(where), 2))
    reach = 2.0 + 1.5 * side
    for i, c in enumerate(where):
        pieces = np.flatnonzero(compartment == c)
        if not len(pieces):  # the soma
            angle = 2 * np.pi * (rank[i] + 0.2 + side / 3) / total[i]
            ring = 0.55 * drawn.neuron.diam_um[c]
            spots[i] = x[c] + ring * np.cos(angle), depth[c] + ring * np.sin(angle)
            continue
        share, k = np.modf((rank[i] + 0.5) / total[i] * len(pieces))
        piece = ends[pieces[int(k)]]
        along = piece[1] - piece[0]
        beside = np.array([-along[1], along[0]]) / max(float(np.linalg.norm(along)), 1e-9)
        out = reach + 0.5 * float(diam[pieces[int(k)]].mean())
        spots[i] = piece[0] + share * along + beside * out * (-1.0 if rank[i] % 2 else 1.0)
    return spots


def _frame(axes: Axes, drawn: Drawn) -> None:
    left, right, high, low = drawn.extent
    margin = 15.0
    axes.set_xlim(left - margin, right + margin)
    axes.set_ylim(low + margin, high - margin)
    axes.set_aspect("equal")
    axes.axhline(0.0, color=s.INK, lw=1.4)
    axes.annotate(
        "pia", (0.995, 0.0), xycoords=("axes fraction", "data"), xytext=(0, 2), textcoords="offset points", ha="right",
        va="bottom", fontsize=8.5,
    )  # fmt: skip
    axes.set_ylabel("depth below the pia (µm)")
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    bar = SCALE_BAR_um if right - left > 2 * SCALE_BAR_um else SCALE_BAR_um / 10
    end = right + margin
    axes.plot([end - bar, end], [low + margin] * 2, color=s.INK, lw=2.2, solid_capstyle="butt", clip_on=False)
    axes.annotate(
        f"{bar:g} µm", (end - bar / 2, low + margin), xytext=(0, -4), textcoords="offset points", ha="center", va="top",
        fontsize=8.5, annotation_clip=False,
    )  # fmt: skip
