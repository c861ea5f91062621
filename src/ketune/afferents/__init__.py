"""What reaches the neuron: gratings, the synapses they drive, and frozen marked event streams."""

from ketune.afferents._drive import STREAMS, Drive, contrast_factor, rate_hz
from ketune.afferents._event_rates import compartment_rate_hz, excitatory_rate_hz
from ketune.afferents._layout import SynapseLayout, place_synapses
from ketune.afferents._stimulus import Grating
from ketune.afferents._streams import (
    MAX_PER_STEP,
    Candidates,
    candidates,
    gain_deviates,
    hard_events,
    stratified_gain,
)

__all__ = [
    "MAX_PER_STEP",
    "STREAMS",
    "Candidates",
    "Drive",
    "Grating",
    "SynapseLayout",
    "candidates",
    "compartment_rate_hz",
    "contrast_factor",
    "excitatory_rate_hz",
    "gain_deviates",
    "hard_events",
    "place_synapses",
    "rate_hz",
    "stratified_gain",
]
