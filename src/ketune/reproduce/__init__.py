"""Which actions of a drug suffice for the reported changes of tuning, in a population: its parts.

Hypotheses and their priors (:data:`HYPOTHESES`, :func:`drug_draws`), populations whose counts a response surface
predicts (:class:`PredictedPopulation`), the search for shared actions (:func:`shared_fit`), experiments with
independent trials, predicted or simulated with spikes, and the verdicts on the targets T1 to T5 from the counts of such
an experiment (:func:`judge`, and :func:`screen` for thousands of them). Beside them what the same population says about
the targets that nothing is fitted to (:func:`population_predictions`).
"""

from ketune.reproduce._actions import POPULATION_ACTIONS, Action
from ketune.reproduce._counts import PopulationCounts
from ketune.reproduce._document import sufficient
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
from ketune.reproduce._listing import describe as describe_verdicts
from ketune.reproduce._pass_rules import PassRules, Window, shipped_rules
from ketune.reproduce._predicted import PopulationMoments, PredictedPopulation
from ketune.reproduce._prediction_effort import PredictionEffort
from ketune.reproduce._prediction_rules import PredictionRow
from ketune.reproduce._predictions import (
    DisparityConflict,
    Prediction,
    PredictionResults,
    population_predictions,
)
from ketune.reproduce._report import read_verdicts, report_verdicts
from ketune.reproduce._run import reproduce, smallest_sufficient
from ketune.reproduce._search import SharedFit, expected_changes, shared_fit
from ketune.reproduce._settings import ReproduceSettings, examine_settings
from ketune.reproduce._verdicts import TargetVerdict, Verdicts, judge, screen

__all__ = [
    "HYPOTHESES",
    "OUR_RANGES",
    "POPULATION_ACTIONS",
    "Action",
    "DisparityConflict",
    "Hypothesis",
    "MeanActions",
    "PassRules",
    "PopulationCounts",
    "PopulationMoments",
    "PredictedPopulation",
    "Prediction",
    "PredictionEffort",
    "PredictionResults",
    "PredictionRow",
    "ReproduceSettings",
    "SharedFit",
    "TargetVerdict",
    "TopicalDose",
    "Verdicts",
    "Window",
    "action_ranges",
    "describe_verdicts",
    "drawn_counts",
    "drug_draws",
    "examine_settings",
    "expected_changes",
    "hypotheses_named",
    "judge",
    "population_predictions",
    "prior_draws",
    "read_verdicts",
    "report_verdicts",
    "reproduce",
    "screen",
    "shared_fit",
    "shipped_rules",
    "smallest_sufficient",
    "spiking_counts",
    "sufficient",
]
