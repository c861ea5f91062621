"""What recorded spike counts say of a neuron: joint model, optimum, profiles, posterior, verdicts and checks."""

from ketune.inference._compare import Hypothesis, compare, stratified_folds
from ketune.inference._conditions import ACTIONS, ConditionCounts, check_conditions
from ketune.inference._coordinates import ANGLE_UNIT_DEG, coordinate_of
from ketune.inference._density import Moments
from ketune.inference._diagnostics import Diagnostics, diagnose
from ketune.inference._hypotheses import compare_hypotheses, every_hypothesis
from ketune.inference._model import JointModel
from ketune.inference._neuron_fit import (
    InferenceEffort,
    NeuronFit,
    condition_drive,
    fit_neuron,
    plain,
    simulate_condition,
)
from ketune.inference._placement_noise import Trees
from ketune.inference._predictive import (
    SURPRISING,
    CurveCheck,
    IndexCheck,
    PredictiveCheck,
    check_predictive,
    tail_probability,
)
from ketune.inference._priors import Prior, normal_over
from ketune.inference._profile import Profile, profiles
from ketune.inference._profile_verdict import identify_profile
from ketune.inference._replicates import Laws, conditional_laws, replicated_counts
from ketune.inference._sample import Draws, sample, sample_modes
from ketune.inference._starts import Optimum, Start, curvature, find_optimum
from ketune.inference._summary import DEPENDS_ON, LEVEL, Findings, dependent, findings
from ketune.inference._text import fit_report, posterior_correlations
from ketune.inference._tree import POSTERIOR_FILE, posterior_tree, read_posterior, write_posterior
from ketune.inference._verdict import Identifiability, Verdict, identify

__all__ = [
    "ACTIONS",
    "ANGLE_UNIT_DEG",
    "DEPENDS_ON",
    "LEVEL",
    "POSTERIOR_FILE",
    "SURPRISING",
    "ConditionCounts",
    "CurveCheck",
    "Diagnostics",
    "Draws",
    "Findings",
    "Hypothesis",
    "Identifiability",
    "IndexCheck",
    "InferenceEffort",
    "JointModel",
    "Laws",
    "Moments",
    "NeuronFit",
    "Optimum",
    "PredictiveCheck",
    "Prior",
    "Profile",
    "Start",
    "Trees",
    "Verdict",
    "check_conditions",
    "check_predictive",
    "compare",
    "compare_hypotheses",
    "condition_drive",
    "conditional_laws",
    "coordinate_of",
    "curvature",
    "dependent",
    "diagnose",
    "every_hypothesis",
    "find_optimum",
    "findings",
    "fit_neuron",
    "fit_report",
    "identify",
    "identify_profile",
    "normal_over",
    "plain",
    "posterior_correlations",
    "posterior_tree",
    "profiles",
    "read_posterior",
    "replicated_counts",
    "sample",
    "sample_modes",
    "simulate_condition",
    "stratified_folds",
    "tail_probability",
    "write_posterior",
]
