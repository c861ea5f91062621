"""The coordinates in which parameters are inferred: of order one, and straight where counts depend on products."""

from __future__ import annotations

from typing import Any

import numpy as np

from ketune.fitting import FitParameter

ANGLE_UNIT_DEG = 20.0
"""Degrees in one unit of an orientation's coordinate, so that all coordinates are of order one."""


def value_at(parameter: FitParameter, coordinate: Any, xp: Any = np) -> Any:
    """Value of a parameter: counts depend on products of rates and conductances, which are straight in logarithms."""
    if parameter.scale == "log":
        return xp.exp(coordinate)
    if parameter.scale == "orientation":
        return coordinate * ANGLE_UNIT_DEG
    return parameter.value(coordinate, xp)


def coordinate_of(parameter: FitParameter, value: float) -> float:
    """Inverse of :func:`value_at`."""
    if parameter.scale == "log":
        return float(np.log(value))
    return value / ANGLE_UNIT_DEG if parameter.scale == "orientation" else parameter.coordinate(value)
