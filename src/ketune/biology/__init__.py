"""Reference single-cell experiments that the calibrated cell has to reproduce: ``ketune verify --biology``.

These are calibration checks. The cell was improved until they held; none of them is a prediction.
"""

from ketune.biology._checks import BOUNDS, Bound, Check, describe
from ketune.biology._reference import Reference, reference
from ketune.biology._run import Trials, run_biology
from ketune.biology._statistics import fit_contrast, jackknife, naka_rushton

__all__ = [
    "BOUNDS",
    "Bound",
    "Check",
    "Reference",
    "Trials",
    "describe",
    "fit_contrast",
    "jackknife",
    "naka_rushton",
    "reference",
    "run_biology",
]
