"""What reaches the neuron: gratings, the synapses they drive, and frozen marked event streams."""

from ketune.afferents._drive import Drive, rate_hz
from ketune.afferents._layout import SynapseLayout, place_synapses
from ketune.afferents._stimulus import Grating
from ketune.afferents._streams import STREAMS, Candidates, candidates, hard_events

__all__ = [
    "STREAMS",
    "Candidates",
    "Drive",
    "Grating",
    "SynapseLayout",
    "candidates",
    "hard_events",
    "place_synapses",
    "rate_hz",
]
