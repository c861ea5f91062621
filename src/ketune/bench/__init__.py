"""Speed of ketune's engines against NEURON, CoreNEURON and Jaxley on this machine, accuracy first."""

from ketune.bench.benchmark import run_bench
from ketune.bench.table import describe

__all__ = ["describe", "run_bench"]
