"""`ketune translate`: a user's `.mod` files, simulated by NEURON and by their JAX translation, and compared.

Each file alone, and all of them together where there are several, on a small cell: a soma with a dendrite and a short
axon, a leak, current steps, a family of clamped voltages, and for whatever receives events a train of them through
three connections. At several temperatures where a file reads the temperature.
"""

from ketune.verify_files._run import translate_files
from ketune.verify_files._tables import read_tables

__all__ = ["read_tables", "translate_files"]
