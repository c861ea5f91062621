"""The neuron in the cortex: where its synapses are, and how much of its NMDA conductance is blocked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ketune.report import _style as s
from ketune.report import _words as w
from ketune.report._neuron_drawing import (
    Drawn,
    THINNEST_um,
    dendritic,
    draw_block,
    draw_neuron,
    draw_synapses,
)
from ketune.report._results import Application, Neuron, Number, array

Array = npt.NDArray[np.float64]


def block_picture(application: Application) -> s.Picture | None:
    """The neuron coloured by block; None where the result has no neuron, or no block."""
    neuron = application.neuron
    if neuron is None:
        return None
    block = array(neuron.nmda_block_during)[dendritic(neuron)]
    block = block[np.isfinite(block)]
    if not block.size:
        return None
    fig = s.figure(*_size(neuron))
    axes = fig.subplots()
    colours = draw_block(axes, neuron)
    start = "The colours do not begin at zero. " if np.min(colours.get_clim()[0] or 0.0) > 0 else ""
    fig.colorbar(colours, ax=axes, label="NMDA conductance blocked (fraction)", shrink=0.75)
    lowest, highest = _ends(array(neuron.concentration_um_during)[dendritic(neuron)])
    range_ = w.span(100 * float(block.min()), 100 * float(block.max()), 3, "%")
    return s.picture(
        fig,
        name="neuron-block",
        alt=f"The neuron below the pia, coloured by NMDA block, {range_} over soma and dendrites; soma at "
        f"{w.number(neuron.soma_depth_um, 3, 'um')}.",
        caption=f"Block at {application.main_condition}: {range_} over soma and dendrites, free drug "
        f"{w.span(lowest, highest, 2, 'uM')}. "
        f"{start}Grey: axon, without NMDA receptors.{_above(neuron)} n = 1 neuron. {_drawing(neuron)}",
        origin=("literature", "assumption"),
        adaptive=False,
    )


def synapses_picture(applications: Sequence[Application]) -> s.Picture | None:
    """The fitted neuron with its synapses, which are the same whatever is applied to it."""
    neuron = next((a.neuron for a in applications if a.neuron is not None), None)
    if neuron is None:
        return None
    fig = s.figure(*_size(neuron))
    axes = fig.subplots()
    draw_neuron(axes, neuron)
    counts = draw_synapses(axes, neuron)
    s.legend_above(axes, ncols=3, markerscale=1.6)
    return s.picture(
        fig,
        name="neuron-synapses",
        alt=f"The neuron with its synapses: {counts}.",
        caption=f"One placement of the synapses: {counts}. Within its compartment a synapse is drawn beside the "
        f"dendrite so that it can be seen. {_drawing(neuron)}",
        origin=("literature", "assumption"),
    )


def _ends(values: Array) -> tuple[Number, Number]:
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if known.size else (None, None)


def _drawing(neuron: Neuron) -> str:
    if neuron.outline is None:
        return "Drawn as compartments: the result is of an earlier ketune."
    return f"The model’s morphology as traced, seen from the side; pieces under {THINNEST_um:g} µm are drawn that wide."


def _above(neuron: Neuron) -> str:
    n = int((Drawn(neuron).place[1] < 0).sum())
    return f" {w.counted(n, 'compartment')} above the pia: the drug is computed as at the pia." if n else ""


def _size(neuron: Neuron) -> tuple[float, float]:
    left, right, high, low = Drawn(neuron).extent
    tall = (low - high + 30) / (right - left + 30)
    return s.PANEL[0], float(np.clip(s.PANEL[0] * 0.8 * tall + 0.6, 3.3, 6.5))
