"""A fitted neuron for other tools: a model that NEURON runs without ketune, tables of PEtab, figures as vectors."""

from ketune.export._export import FORMS, export_fit

__all__ = ["FORMS", "export_fit"]
