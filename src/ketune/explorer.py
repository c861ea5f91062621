"""A fitted neuron under a drug by every route, dose and time of a grid: what `ketune explore` writes, read back.

The report draws it with sliders that stop at the points of the grid, so that its numbers are the ones found here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from ketune._toml import complaint
from ketune.errors import InputError
from ketune.storage import read_json

Array = NDArray[np.float64]
Number = float | None

EXPLORER_FILE = "explorer.json"
EXPLORER_FORMAT = "ketune-explorer/1"

# A change is told from none where it exceeds so many times the emulator's error; a setting lies far from every run
# where the emulator's own standard deviation does.
_CLEAR = 2.0
_SAME = 1e-3  # relative difference up to which a dose or time is that of the grid


class _Part(BaseModel):
    # A later version of ketune may write more than this one reads.
    model_config = ConfigDict(extra="ignore", frozen=True)


class Control(_Part):
    """The neuron without the drug, from direct runs; ``quantities`` as of :class:`RouteGrid`."""

    rate_hz: list[float]
    quantities: dict[str, Number]


class RouteGrid(_Part):
    """One route: lists over doses and then times, and then orientations or compartments.

    Attributes
    ----------
    unit
        Of ``doses``; ``dose_texts`` are the same as a person writes them.
    concentration_uM
        Free drug at the soma.
    nmda_block
        Share of NMDA conductance blocked, mean over excitatory synapses; ``local_block`` at each compartment.
    pv_drive, sst_drive
        Factor on the firing of these interneurons.
    rate_hz, rate_error_hz
        Emulated mean rate at each orientation, and the standard deviation of that prediction.
    quantities
        Rates, tuning and Fano factor by name; None where one is not defined, and tuning where the neuron is silent
        but for the emulator's error.
    """

    route: str
    unit: str
    doses: list[float]
    dose_texts: list[str]
    concentration_uM: list[list[float]]
    nmda_block: list[list[float]]
    pv_drive: list[list[float]]
    sst_drive: list[list[float]]
    rate_hz: list[list[list[float]]]
    rate_error_hz: list[list[list[float]]]
    quantities: dict[str, list[list[Number]]]
    local_block: list[list[list[float]]]


class Tree(_Part):
    """Compartments to draw: sideways position and depth below the pia, index of the parent (-1: none), diameter."""

    x_um: list[float]
    depth_um: list[float]
    parent: list[int]
    diam_um: list[float]
    region: list[str]


class Accuracy(_Part):
    """How far the emulator was from direct runs that it had not seen, as shares of the control's peak.

    Attributes
    ----------
    quantity_error
        The same for each quantity, in its unit.
    checks, design_points
        Settings that were held out, and settings that the emulator was made from.
    trials
        Simulated trials of every stimulus, in all.
    """

    error_of_peak: float
    largest_error_of_peak: float
    direct_noise_of_peak: float
    tolerance: float
    quantity_error: dict[str, Number]
    checks: int
    design_points: int
    trials: int


@dataclass(frozen=True, eq=False)
class Setting:
    """The neuron at one route, dose and time; see :class:`RouteGrid` for the numbers.

    ``remarks`` say, in sentences, what limits them.
    """

    route: str
    dose: float
    dose_text: str
    time_min: float
    concentration_uM: float
    nmda_block: float
    pv_drive: float
    sst_drive: float
    orientation_deg: Array
    rate_hz: Array
    rate_error_hz: Array
    control_rate_hz: Array
    quantities: dict[str, Number]
    local_block: Array
    remarks: tuple[str, ...]


class Explorer(_Part):
    """Every setting of a grid, for the best parameter set and the drug's default numbers.

    Attributes
    ----------
    orientation_deg
        ``(k,)`` without the blank.
    times_min
        Since application, the same for every route.
    soma_depth_um
        Below the pia.
    choices
        What was switched on, off or set by hand, as in the document of `ketune apply`.
    """

    drug: str
    orientation_deg: list[float]
    window_s: float
    times_min: list[float]
    soma_depth_um: float
    control: Control
    routes: list[RouteGrid]
    accuracy: Accuracy
    neuron: Tree
    choices: dict[str, Any] = {}
    cautions: list[str] = []
    provenance: dict[str, Any] = {}

    @model_validator(mode="after")
    def _shapes(self) -> Explorer:
        if not self.routes or not self.times_min or not self.orientation_deg:
            raise ValueError("no route, no time or no orientation")
        times, k, n = len(self.times_min), len(self.orientation_deg), len(self.neuron.x_um)
        tree = self.neuron
        _check("control.rate_hz", self.control.rate_hz, (k,))
        for name in ("depth_um", "parent", "diam_um", "region"):
            _check(f"neuron.{name}", getattr(tree, name), (n,))
        if "peak_rate_hz" not in self.accuracy.quantity_error:
            raise ValueError("accuracy.quantity_error has no peak_rate_hz")
        for grid in self.routes:
            shape = (len(grid.doses), times)
            _check("dose_texts", grid.dose_texts, shape[:1])
            for name in ("concentration_uM", "nmda_block", "pv_drive", "sst_drive"):
                _check(name, getattr(grid, name), shape)
            for name, last in (("rate_hz", k), ("rate_error_hz", k), ("local_block", n)):
                _check(name, getattr(grid, name), (*shape, last))
            for name, values in grid.quantities.items():
                _check(name, values, shape)
            if "gosi" not in grid.quantities:
                raise ValueError(f"route {grid.route} has no gosi")
        return self

    @classmethod
    def read(cls, directory: str | Path) -> Explorer:
        """The explorer of a fit's directory.

        Raises
        ------
        InputError
            There is none, it is damaged, or another version of ketune wrote it.
        """
        path = Path(directory) / EXPLORER_FILE
        document = read_json(path, EXPLORER_FORMAT)
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            raise InputError(f"{path}: {complaint(error)}; make it again with `ketune explore`") from None

    def setting(self, route: str, dose: float, time_min: float) -> Setting:
        """What the emulator predicts at a point of the grid.

        Parameters
        ----------
        dose
            In the route's unit.

        Raises
        ------
        InputError
            No such route, or the dose or time is not on the grid.
        """
        grid = self._grid(route)
        i = _place(dose, grid.doses, f"dose of {dose:g} {grid.unit}", grid.unit)
        j = _place(time_min, self.times_min, f"time of {time_min:g} min", "min")
        return Setting(
            route=grid.route,
            dose=grid.doses[i],
            dose_text=grid.dose_texts[i],
            time_min=self.times_min[j],
            concentration_uM=grid.concentration_uM[i][j],
            nmda_block=grid.nmda_block[i][j],
            pv_drive=grid.pv_drive[i][j],
            sst_drive=grid.sst_drive[i][j],
            orientation_deg=np.array(self.orientation_deg),
            rate_hz=np.array(grid.rate_hz[i][j]),
            rate_error_hz=np.array(grid.rate_error_hz[i][j]),
            control_rate_hz=np.array(self.control.rate_hz),
            quantities={name: values[i][j] for name, values in grid.quantities.items()},
            local_block=np.array(grid.local_block[i][j]),
            remarks=self.remarks(grid, i, j),
        )

    def curve(self, route: str, dose: float, time_min: float) -> Array:
        """``(k,)`` mean rate at each orientation (Hz); parameters and errors of :meth:`setting`."""
        return self.setting(route, dose, time_min).rate_hz

    def remarks(self, grid: RouteGrid, dose: int, time: int) -> tuple[str, ...]:
        """What limits the numbers at a dose and time, by their indices, in sentences."""
        rate, peak = np.array(grid.rate_hz[dose][time]), max(self.control.rate_hz)
        error = self.accuracy.error_of_peak * peak
        said = []
        spread = float(np.sqrt(np.mean(np.square(grid.rate_error_hz[dose][time]))))
        if spread > _CLEAR * max(error, self.accuracy.tolerance * peak):
            said.append("No direct run lies near this setting: the emulator extrapolates.")
        if grid.quantities["gosi"][dose][time] is None:
            said.append("The response is too near to the emulator’s error to speak of tuning.")
        elif np.abs(rate - np.array(self.control.rate_hz)).max() <= _CLEAR * error:
            said.append("The change is within twice the emulator’s error: it cannot be told from none.")
        return tuple(said)

    def _grid(self, route: str) -> RouteGrid:
        for grid in self.routes:
            if grid.route == route:
                return grid
        known = ", ".join(grid.route for grid in self.routes)
        raise InputError(f"route '{route}' was not explored; there are {known}")


def _place(value: float, grid: Sequence[float], what: str, unit: str) -> int:
    i = int(np.argmin(np.abs(np.array(grid) - value)))
    if not math.isclose(value, grid[i], rel_tol=_SAME, abs_tol=1e-12):
        raise InputError(f"{what} is not on the grid; the nearest is {grid[i]:g} {unit}")
    return i


def _check(name: str, values: Any, shape: tuple[int, ...]) -> None:
    def fits(part: Any, left: tuple[int, ...]) -> bool:
        return not left or (len(part) == left[0] and all(fits(p, left[1:]) for p in part))

    if not fits(values, shape):
        raise ValueError(f"{name} is not {' x '.join(map(str, shape))}")
