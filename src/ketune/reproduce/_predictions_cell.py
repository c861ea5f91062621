"""The cell itself changed: silenced and hyperpolarised (T9), cut (T10); and how long a drug stays (T6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ketune.biology._statistics import gosi
from ketune.reproduce._prediction_bench import (
    CONTROL,
    HYPERPOLARISED,
    NO_NMDA,
    HYPERPOLARISED_mV,
    PredictionBench,
    gratings,
)
from ketune.reproduce._prediction_changes import changes, peak_ratio, preferred_change_deg, width_change
from ketune.reproduce._predictions_block import ORIENTATION_DEG
from ketune.tuning import vector_sum

FloatArray = NDArray[np.float64]

FINE_ORIENTATION_DEG = tuple(float(x) for x in np.arange(0.0, 180.0, 15.0))


@dataclass(frozen=True, eq=False)
class Subthreshold:
    """What T9 measures, ``(chosen,)`` each. Depolarisations are above the cell's own rest without any input.

    Attributes
    ----------
    blocked_selectivity, hyperpolarised_selectivity
        gOSI over control's; NaN where a depolarisation is below rest.
    loss_ratio
        Share of the depolarisation that NMDA block leaves at the preferred orientation over the share that it leaves
        at the orthogonal one.
    blocked_modulation, hyperpolarised_modulation
        Difference between preferred and orthogonal potential over control's, for which no rest is needed.
    blank_change_mV
        What the current does to the potential on the blank.
    """

    blocked_selectivity: FloatArray
    loss_ratio: FloatArray
    hyperpolarised_selectivity: FloatArray
    blocked_modulation: FloatArray
    hyperpolarised_modulation: FloatArray
    blank_change_mV: FloatArray


def subthreshold(bench: PredictionBench, chosen: Sequence[int], trials: int) -> Subthreshold:
    """NMDA block in the recorded cell alone, and hyperpolarisation, without action potentials."""
    theta, k = np.array(ORIENTATION_DEG), len(ORIENTATION_DEG)
    rest = bench.resting_mV - np.array([0.0, 0.0, HYPERPOLARISED_mV])[:, None]
    stimuli = [gratings((*theta, np.nan))] * len(chosen)
    found = bench.silent_mV(chosen, "subthreshold", stimuli, (CONTROL, NO_NMDA, HYPERPOLARISED), trials)
    rows = []
    for v in np.moveaxis(found.mean(axis=3), 1, 0):
        above = v[:, :-1] - rest
        best = int(np.round(vector_sum(theta, above[0] - above[0].min())[0] / (180.0 / k))) % k
        orthogonal = (best + k // 2) % k
        index = np.array([gosi(theta, x) if x.min() > 0 else np.nan for x in above])
        left = above[1] / above[0] if above.min() > 0 else np.full(k, np.nan)
        modulation = above[:, best] - above[:, orthogonal]
        rows.append(
            [
                index[1] / index[0],
                left[best] / left[orthogonal],
                index[2] / index[0],
                modulation[1] / modulation[0],
                modulation[2] / modulation[0],
                v[2, -1] - v[0, -1],
            ]
        )
    return Subthreshold(*np.array(rows).T)


@dataclass(frozen=True, eq=False)
class Cut:
    """What the removal of a dendrite does, ``(chosen,)`` each; NaN where a neuron is not tuned with or without it.

    ``*_sure`` is half the neuron's own 95 % interval over trials. ``dendrite`` is which was removed from each.
    """

    dendrite: tuple[str, ...]
    preferred_deg: FloatArray
    preferred_sure: FloatArray
    width: FloatArray
    width_sure: FloatArray
    peak: FloatArray


APICAL, BASAL = "apical tree", "one basal dendrite"


def dendrites_cut(bench: PredictionBench, chosen: Sequence[int], trials: int) -> dict[str, Cut]:
    """Without the apical tree, and without the basal dendrite that carries most of the neuron's driven synapses.

    Leaves out what the cell does not have.
    """
    labels = bench.dendrites()
    # The last dendrite cannot be removed: nothing would drive the cell.
    if len(labels) < 2:
        return {}
    removed: dict[str, list[str]] = {}
    if APICAL in labels:
        removed[APICAL] = [APICAL] * len(chosen)
    if basal := [label for label in labels if label != APICAL]:
        driven = [[bench.driven_on(i, label) for label in basal] for i in chosen]
        removed[BASAL] = [basal[int(np.argmax(own))] for own in driven]
    counts = bench.counts(
        chosen,
        "ablation",
        [gratings(FINE_ORIENTATION_DEG)] * len(chosen),
        (CONTROL,),
        trials,
        cut=list(removed.values()),
    )
    found = {}
    for row, (what, own) in enumerate(removed.items(), start=1):
        (po, po_sure), (width, width_sure), (peak, _) = changes(
            np.array(FINE_ORIENTATION_DEG),
            counts[0],
            counts[row],
            (preferred_change_deg, width_change, peak_ratio),
        )
        found[what] = Cut(tuple(own), po, po_sure, width, width_sure, peak)
    return found
