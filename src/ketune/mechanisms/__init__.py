"""Channels and synapses: NMODL files as the one source of truth, for NEURON and as JAX functions."""

from ketune.mechanisms._library import (
    CompilationError,
    cache_directory,
    cache_key,
    library,
    load_into_neuron,
)
from ketune.mechanisms._mechanism import MOD_DIRECTORY, Mechanism, load, mod_path, names
from ketune.mechanisms._syntax import Ion, Parameter, Problem, TranslationError

__all__ = [
    "MOD_DIRECTORY",
    "CompilationError",
    "Ion",
    "Mechanism",
    "Parameter",
    "Problem",
    "TranslationError",
    "cache_directory",
    "cache_key",
    "library",
    "load",
    "load_into_neuron",
    "mod_path",
    "names",
]
