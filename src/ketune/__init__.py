"""Dendritic neurons of visual cortex, fitted to orientation tuning curves and dosed with drugs in silico."""

__version__ = "0.1.0"
