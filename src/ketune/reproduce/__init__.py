"""Which actions of a drug suffice for the reported changes of tuning, in a population: its parts.

Hypotheses and their priors (:data:`HYPOTHESES`, :func:`drug_draws`), populations whose counts a response surface
predicts (:class:`PredictedPopulation`), the search for shared actions (:func:`shared_fit`), and experiments with
independent trials, predicted or simulated with spikes.
"""

from ketune.reproduce._actions import POPULATION_ACTIONS, Action
from ketune.reproduce._drug_draws import MeanActions, TopicalDose, drug_draws
from ketune.reproduce._experiment import drawn_counts, spiking_counts
from ketune.reproduce._hypotheses import (
    HYPOTHESES,
    OUR_RANGES,
    Hypothesis,
    action_ranges,
    hypotheses_named,
    prior_draws,
)
from ketune.reproduce._predicted import PopulationMoments, PredictedPopulation
from ketune.reproduce._search import SharedFit, shared_fit, smooth_changes

__all__ = [
    "HYPOTHESES",
    "OUR_RANGES",
    "POPULATION_ACTIONS",
    "Action",
    "Hypothesis",
    "MeanActions",
    "PopulationMoments",
    "PredictedPopulation",
    "SharedFit",
    "TopicalDose",
    "action_ranges",
    "drawn_counts",
    "drug_draws",
    "hypotheses_named",
    "prior_draws",
    "shared_fit",
    "smooth_changes",
    "spiking_counts",
]
