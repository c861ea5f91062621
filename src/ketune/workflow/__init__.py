"""The whole jobs: fit a recording, apply a drug to the fit, report, and the demonstration."""

from ketune.workflow._apply import apply_drug
from ketune.workflow._demo import run_demo
from ketune.workflow._dosing import DrugRequest
from ketune.workflow._exposure import describe as describe_exposure
from ketune.workflow._exposure import run_exposure
from ketune.workflow._fit import fit_recording
from ketune.workflow._report import write_report

__all__ = [
    "DrugRequest",
    "apply_drug",
    "describe_exposure",
    "fit_recording",
    "run_demo",
    "run_exposure",
    "write_report",
]
