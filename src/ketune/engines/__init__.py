"""Simulation of a cell: NEURON as the reference, a JAX twin for many lanes and for gradients."""

import jax

# The twin contract is a float64 contract; fits choose float32 explicitly.
jax.config.update("jax_enable_x64", True)
