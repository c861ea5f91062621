"""The neurons of one population, with their synapses and what the response surface says of them."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ketune.afferents import SynapseLayout, place_synapses
from ketune.cell import Cell
from ketune.population import Population, draw_population
from ketune.reproduce._broadened import ControlCurves
from ketune.reproduce._experiment import Counts, drawn_counts
from ketune.reproduce._predicted import PredictedPopulation
from ketune.surface import Surface

BLANKS = 3
"""Blanks among the stimuli: with one, half a second long, spontaneous rates below 1 Hz cannot be compared (T4)."""


@dataclass(frozen=True, eq=False)
class Members:
    """A population that can be predicted and simulated.

    Attributes
    ----------
    layouts
        Where the synapses of each neuron sit.
    turn
        Standard normal of each neuron: which way, and how far, retuning turns its apical afferents.
    trials
        Of each stimulus and condition.
    predicted
        None for a cell whose response surface does not know a drug's actions.
    """

    population: Population
    layouts: tuple[SynapseLayout, ...]
    turn: np.ndarray
    trials: int
    predicted: PredictedPopulation | None = None

    @property
    def disparity_deg(self) -> np.ndarray:
        """Of each neuron's trees."""
        return np.array([neuron.disparity_deg for neuron in self.population.neurons])

    @property
    def stimuli_deg(self) -> np.ndarray:
        """Gratings, then blanks (NaN)."""
        shown = [x for x in self.population.orientation_deg if np.isfinite(x)]
        return np.array([*shown, *[np.nan] * BLANKS])

    @property
    def prediction(self) -> PredictedPopulation:
        """The predicted population, which must be known."""
        assert self.predicted is not None
        return self.predicted

    @cached_property
    def control_curves(self) -> ControlCurves:
        """What the response surface predicts without a drug."""
        moments = self.prediction.moments({})
        return ControlCurves.of(
            self.stimuli_deg, np.asarray(moments.mean), np.asarray(moments.fano), trials=self.trials
        )

    def predicted_counts(self, actions: Mapping[str, float], rng: np.random.Generator) -> Counts:
        """Counts of a predicted experiment, ``(neurons, stimuli, trials)``; no actions for the control."""
        return drawn_counts(self.prediction.moments(actions), self.trials, rng)


def members_of(
    species: str,
    n: int,
    seed: int,
    cell: Cell,
    surface: Surface,
    acting: Surface | None = None,
    *,
    trials: int,
) -> Members:
    """Draw a population.

    Parameters
    ----------
    surface
        Of the cell without a drug: decides which neurons are drawn.
    acting
        Of the cell under a drug's actions.
    """
    population = draw_population(species, n, seed, surface, cell)
    layouts = tuple(place_synapses(cell, seed=neuron.placement_seed) for neuron in population.neurons)
    turn = generator(seed, "turn").standard_normal(n)
    members = Members(population, layouts, turn, trials)
    if acting is None:
        return members
    predicted = PredictedPopulation(
        acting,
        cell,
        population.neurons,
        layouts,
        members.stimuli_deg.tolist(),
        population.window_s,
        turn=turn,
    )
    return replace(members, predicted=predicted)


def generator(seed: int, *words: str | int) -> np.random.Generator:
    """Random numbers of their own for each purpose, so that nothing depends on what else is run."""
    return np.random.default_rng(_key(seed, words))


def trial_seed(seed: int, *words: str | int) -> int:
    """Seed of simulated trials for each purpose."""
    return int(np.random.SeedSequence(_key(seed, words)).generate_state(1)[0] >> 1)


def _key(seed: int, words: Sequence[str | int]) -> list[int]:
    return [seed, *(w if isinstance(w, int) else zlib.crc32(w.encode()) for w in words)]
