"""How often the excitatory synapses of a neuron are active, averaged over a stimulus."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ketune.afferents._drive import STREAMS, Drive, rate_hz
from ketune.afferents._layout import SynapseLayout
from ketune.afferents._stimulus import Grating

_TIMES = 256


def excitatory_rate_hz(layout: SynapseLayout, grating: Grating, drive: Drive) -> NDArray[np.float64]:
    """Mean rate of events at each excitatory synapse, ``float (n_synapses,)`` (Hz).

    Over the stimulus window of every condition of the grating, each as long as the others, and over trials (the
    shared gain has mean 1). Synapses that the grating does not drive have their background alone.
    """
    mean_gain = 0.5 * drive.gain_sd  # the deviate at which the lognormal gain is 1
    rate = np.full(
        len(layout.compartment["exc"]),
        float(rate_hz(drive, STREAMS.index("background"), gain_deviate=mean_gain)),
    )
    within = grating.warm_up_ms + (np.arange(_TIMES) + 0.5) / _TIMES * grating.window_ms
    course = grating.time_course(within[:, None], layout.phase).mean(axis=0)
    driven = rate_hz(
        drive,
        STREAMS.index("driven"),
        gain_deviate=mean_gain,
        orientation_deg=np.asarray(grating.orientation_deg, float)[:, None],
        tree=layout.tree,
        deviate=layout.deviate,
        time_course=course,
    )
    rate[layout.driven] += driven.mean(axis=0)
    return rate


def compartment_rate_hz(
    layout: SynapseLayout, grating: Grating, drive: Drive, n_compartments: int
) -> NDArray[np.float64]:
    """Mean rate per excitatory synapse of each compartment, ``float (n_compartments,)`` (Hz).

    The mean over the synapses of a compartment of :func:`excitatory_rate_hz`. Compartments without a synapse get the
    mean over all synapses.
    """
    rate = excitatory_rate_hz(layout, grating, drive)
    where = layout.compartment["exc"]
    count = np.bincount(where, minlength=n_compartments)
    total = np.bincount(where, weights=rate, minlength=n_compartments)
    return np.where(count > 0, total / np.maximum(count, 1), rate.mean())
