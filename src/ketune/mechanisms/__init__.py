"""Channels and synapses: NMODL files as the one source of truth, for NEURON and as JAX functions."""

from ketune.mechanisms._library import (
    CORENEURON_LIBRARY,
    CompilationError,
    built_in_names,
    cache_directory,
    cache_key,
    library,
    load_into_neuron,
    loading_order,
)
from ketune.mechanisms._mechanism import MOD_DIRECTORY, Mechanism, function_tables, load, mod_path, names
from ketune.mechanisms._syntax import Ion, Parameter, Problem, TranslationError, find_line
from ketune.mechanisms._unit_check import unit_complaint

__all__ = [
    "CORENEURON_LIBRARY",
    "MOD_DIRECTORY",
    "CompilationError",
    "Ion",
    "Mechanism",
    "Parameter",
    "Problem",
    "TranslationError",
    "built_in_names",
    "cache_directory",
    "cache_key",
    "find_line",
    "function_tables",
    "library",
    "load",
    "load_into_neuron",
    "loading_order",
    "mod_path",
    "names",
    "unit_complaint",
]
