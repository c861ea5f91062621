"""Simulation of a cell: NEURON as the reference, a JAX twin for many lanes and for gradients."""
