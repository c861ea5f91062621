"""Priors of the joint model's parameters, in the coordinates in which a fit moves them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ketune.errors import InputError
from ketune.fitting import FitParameter
from ketune.fitting._prior import WORKING_RANGE
from ketune.inference._coordinates import ANGLE_UNIT_DEG, coordinate_of

_HALF_WIDTH = 1.96
KINDS = ("normal", "uniform", "circle")


@dataclass(frozen=True)
class Prior:
    """Density of one coordinate.

    Attributes
    ----------
    kind
        ``"normal"`` with ``centre`` and ``sd``; ``"uniform"`` over the parameter's bounds, which is the logistic
        density of the coordinate; ``"circle"``, uniform over orientations.
    """

    kind: str
    centre: float = 0.0
    sd: float = 1.0

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Coordinates drawn from it; orientations in units of 20 degrees."""
        if self.kind == "normal":
            return rng.normal(self.centre, self.sd, n)
        return rng.logistic(size=n) if self.kind == "uniform" else rng.uniform(0.0, 180.0 / ANGLE_UNIT_DEG, n)


def default_priors(parameters: Sequence[FitParameter]) -> dict[str, Prior]:
    """Working range of the default cell for its parameters, all factors alike for a drug's."""
    return {
        p.name: Prior("circle")
        if p.scale == "orientation"
        else normal_over(p, *WORKING_RANGE[p.name])
        if p.name in WORKING_RANGE
        else Prior("uniform")
        for p in parameters
    }


def normal_over(parameter: FitParameter, low: float, high: float) -> Prior:
    """Normal in the coordinate, with this 95 % range.

    Raises
    ------
    InputError
        The range is empty, or not inside the parameter's bounds.
    """
    if parameter.scale == "orientation":
        raise InputError(
            f"prior of '{parameter.name}': orientations are learnt from the data alone; leave it out"
        )
    if not parameter.low <= low < high <= parameter.high:
        raise InputError(
            f"prior of '{parameter.name}': {low:g} to {high:g} is no range within its bounds, {parameter.low:g} to "
            f"{parameter.high:g}"
        )
    ends = [coordinate_of(parameter, x) for x in (low, high)]
    return Prior("normal", (ends[0] + ends[1]) / 2, (ends[1] - ends[0]) / (2 * _HALF_WIDTH))
