"""Virtual neurons, populations of them, and how a population is drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import numpy as np

from ketune.errors import InputError
from ketune.fitting import NAMES
from ketune.fitting._prior import WORKING_RANGE
from ketune.population._table import (
    SPECIES,
    Distributions,
    Experiment,
    Selection,
    Species,
    distributions,
)
from ketune.tuning import CurveFit, wrap_orientation

if TYPE_CHECKING:
    from ketune.cell import Cell
    from ketune.evidence import Target
    from ketune.population._check import ControlCheck
    from ketune.population._control import Control, ControlCurve
    from ketune.surface import Surface

# A neuron that so many draws do not give is not in this cell's range.
_ATTEMPTS = 200
_SEED_TAG = 0x90B
_LARGEST_PLACEMENT = 2**31
_DRAWN = (
    "disparity_deg",
    "spread_basal_deg",
    "spread_apical_deg",
    "ampa_nS",
    "nmda_nS",
    "pv_nS",
    "sst_nS",
    "gain_sd",
)

REFUSALS = ("rates not reached", "peak too low", "not tuned")
"""Why a drawn neuron does not enter: no drive within the working range gives its rates, or it fails the selection."""


@dataclass(frozen=True)
class VirtualNeuron:
    """One neuron of the default cell.

    Attributes
    ----------
    values
        By the names of :data:`ketune.fitting.PARAMETERS`, orientations in [0, 180) degrees.
    placement_seed
        Of its synapses: ``ketune.afferents.place_synapses(cell, seed=placement_seed)``.
    """

    values: dict[str, float]
    placement_seed: int

    @property
    def disparity_deg(self) -> float:
        """Orientation that the apical tree prefers minus the basal tree's, in [-90, 90)."""
        return float(
            wrap_orientation(self.values["preferred_apical_deg"] - self.values["preferred_basal_deg"])
        )


@dataclass(frozen=True, eq=False)
class ControlStatistics:
    """Expected control responses of a population, and how it was selected.

    Attributes
    ----------
    mean, fano
        ``(neurons, stimuli)``: expected spike count in the window and its Fano factor over trials; the blank is last.
    fits
        Gaussian curve through each neuron's expected counts (:func:`ketune.tuning.fit_curve`).
    refused
        Number of drawn neurons that did not enter, by reason (:data:`REFUSALS`).
    """

    mean: np.ndarray
    fano: np.ndarray
    fits: tuple[CurveFit, ...]
    refused: dict[str, int]

    @property
    def drawn(self) -> int:
        """Neurons that were drawn in all."""
        return len(self.fits) + sum(self.refused.values())

    @property
    def share_kept(self) -> float:
        """Neurons that entered over neurons drawn."""
        return len(self.fits) / self.drawn


@dataclass(frozen=True, eq=False)
class Population:
    """Virtual neurons that saw one experiment.

    Attributes
    ----------
    species
        Whose control tuning the distributions are calibrated to; the cell is the same for both.
    neurons
        The first ones are the same however many there are.
    seed
        Of the draw; others give other neurons and placements.
    orientation_deg
        Of each stimulus, ``nan`` for the blank, which is last.
    window_s
        Counting window.
    statistics
        What the neurons do without a drug, by the response surface.
    """

    species: Species
    neurons: tuple[VirtualNeuron, ...]
    seed: int
    orientation_deg: tuple[float, ...]
    window_s: float
    statistics: ControlStatistics

    def control_check(self, target: Target | None = None) -> ControlCheck:
        """Whether control tuning meets T0, or the user's version of it.

        Raises
        ------
        InputError
            A window of the target is of something that is not measured here.
        """
        from ketune.population._check import check_control

        return check_control(self, target)


def draw_population(
    species: str, n: int, seed: int, surface: Surface | None = None, cell: Cell | None = None
) -> Population:
    """Draw the neurons of a population that an experimenter would have recorded.

    A neuron's strengths, trees and gain are drawn from :func:`ketune.population.distributions`, with a placement of its
    synapses and the rates at which it fires to its best orientation and to a blank. The drive that yields these rates
    is found on the response surface. It is kept if it passes the selection, and drawn again otherwise. Neuron ``i``
    depends on ``species``, ``seed``, ``i``, the cell and its surface only.

    Parameters
    ----------
    species
        ``"cat"`` or ``"mouse"``.
    n
        Number of neurons.
    surface, cell
        The default cell and its shipped surface if not given. The surface of another cell is built where it is not
        known, which takes minutes.

    Raises
    ------
    InputError
        No such species, no neurons, a negative seed, or distributions that do not suit the cell.
    """
    from ketune.cell_model import default_cell
    from ketune.population._control import Control
    from ketune.surface import surface_of

    table = distributions()
    laws = table.of(species)
    if n < 1:
        raise InputError(f"population of {n} neurons: give at least 1")
    if seed < 0:
        raise InputError(f"population seed {seed}: give 0 or a positive number")
    cell = cell or default_cell()
    control = Control(surface or surface_of(cell), cell, table.experiment)
    refused = dict.fromkeys(REFUSALS, 0)
    found = [_entered(species, i, seed, laws, table.selection, control, refused) for i in range(n)]
    curves = [curve for _, curve in found]
    chosen = next(s for s in get_args(Species) if s == species)
    return Population(
        chosen,
        tuple(neuron for neuron, _ in found),
        seed,
        table.experiment.stimuli_deg,
        table.experiment.window_s,
        ControlStatistics(
            np.array([c.mean for c in curves]),
            np.array([c.fano for c in curves]),
            tuple(c.fit for c in curves),
            refused,
        ),
    )


def _entered(
    species: str,
    index: int,
    seed: int,
    laws: Distributions,
    selection: Selection,
    control: Control,
    refused: dict[str, int],
) -> tuple[VirtualNeuron, ControlCurve]:
    rng = np.random.default_rng([seed, SPECIES.index(species), index, _SEED_TAG])
    for _ in range(_ATTEMPTS):
        placement_seed = int(rng.integers(_LARGEST_PLACEMENT))
        values, peak_hz, spontaneous_hz = _drawn(laws, rng)
        model = control.placed(placement_seed)
        driven = control.driven(model, values, peak_hz=peak_hz, spontaneous_hz=spontaneous_hz)
        if driven is None:
            refused["rates not reached"] += 1
            continue
        curve = control.curve(model, driven)
        if (reason := refusal(curve, selection, control.experiment)) is None:
            return VirtualNeuron({name: driven[name] for name in NAMES}, placement_seed), curve
        refused[reason] += 1
    raise InputError(
        f"population '{species}', seed {seed}: none of {_ATTEMPTS} draws gives a tuned neuron of this cell; "
        "its distributions are made for the default cell, use that"
    )


def _drawn(laws: Distributions, rng: np.random.Generator) -> tuple[dict[str, float], float, float]:
    """Parameters of one neuron without its afferent rates, and the rates at which it shall fire."""
    preferred_deg = rng.uniform(0.0, 180.0)
    drawn = {name: laws.law(name).at(rng.standard_normal(), WORKING_RANGE.get(name)) for name in _DRAWN}
    peak, own = rng.standard_normal(2)
    rho = laws.rate_correlation.value
    disparity_deg = drawn.pop("disparity_deg")
    values = {
        **drawn,
        "preferred_basal_deg": preferred_deg,
        # Twice, because the remainder of a tiny negative number rounds to 180 itself.
        "preferred_apical_deg": (preferred_deg + disparity_deg) % 180.0 % 180.0,
        "background_rate_hz": 1.0,
    }
    return values, laws.peak_hz.at(peak), laws.spontaneous_hz.at(rho * peak + math.sqrt(1 - rho**2) * own)


def refusal(curve: ControlCurve, selection: Selection, experiment: Experiment) -> str | None:
    """Why a neuron would not have been recorded; None if it would."""
    if curve.mean[:-1].max() < selection.least_peak_hz * experiment.window_s:
        return "peak too low"
    # A flat curve has no index at all.
    return None if curve.fit.osi >= selection.least_osi else "not tuned"
