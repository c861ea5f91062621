"""What data determine: verdicts, diagnostics, predictive checks, comparison of hypotheses, and results on disk."""

from ketune.inference._compare import Hypothesis, compare, stratified_folds
from ketune.inference._diagnostics import Diagnostics, diagnose
from ketune.inference._predictive import (
    SURPRISING,
    CurveCheck,
    IndexCheck,
    PredictiveCheck,
    check_predictive,
    tail_probability,
)
from ketune.inference._profile_verdict import identify_profile
from ketune.inference._text import fit_report, posterior_correlations
from ketune.inference._tree import posterior_tree, read_posterior, write_posterior
from ketune.inference._verdict import Identifiability, Verdict, identify

__all__ = [
    "SURPRISING",
    "CurveCheck",
    "Diagnostics",
    "Hypothesis",
    "Identifiability",
    "IndexCheck",
    "PredictiveCheck",
    "Verdict",
    "check_predictive",
    "compare",
    "diagnose",
    "fit_report",
    "identify",
    "identify_profile",
    "posterior_correlations",
    "posterior_tree",
    "read_posterior",
    "stratified_folds",
    "tail_probability",
    "write_posterior",
]
