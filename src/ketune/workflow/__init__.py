"""The whole jobs: fit a recording, apply a drug to the fit, report, and the demonstration."""

from ketune.workflow._apply import FORMAT as APPLY_FORMAT
from ketune.workflow._apply import apply_drug, apply_name
from ketune.workflow._attribution import DoseAttribution, attribute, relevant_parameters
from ketune.workflow._demo import run_demo
from ketune.workflow._dose_range import DoseRange, dose_range
from ketune.workflow._dose_response import DoseResponse, dose_response
from ketune.workflow._dosing import DrugRequest
from ketune.workflow._dosing import prepare as drug_plan
from ketune.workflow._emulator import Budget
from ketune.workflow._exposure import describe as describe_exposure
from ketune.workflow._exposure import run_exposure
from ketune.workflow._fit import FORMAT as FIT_FORMAT
from ketune.workflow._fit import fit_as_requested, fit_recording
from ketune.workflow._fit_plan import cell_from
from ketune.workflow._fit_request import FitRequest
from ketune.workflow._report import write_report

__all__ = [
    "APPLY_FORMAT",
    "FIT_FORMAT",
    "Budget",
    "DoseAttribution",
    "DoseRange",
    "DoseResponse",
    "DrugRequest",
    "FitRequest",
    "apply_drug",
    "apply_name",
    "attribute",
    "cell_from",
    "describe_exposure",
    "dose_range",
    "dose_response",
    "drug_plan",
    "fit_as_requested",
    "fit_recording",
    "relevant_parameters",
    "run_demo",
    "run_exposure",
    "write_report",
]
