"""The whole jobs: fit a recording, apply a drug to the fit, report, and the demonstration."""

from ketune.workflow._apply import apply_drug
from ketune.workflow._attribution import DoseAttribution, attribute, relevant_parameters
from ketune.workflow._demo import run_demo
from ketune.workflow._dose_range import DoseRange, dose_range
from ketune.workflow._dose_response import DoseResponse, dose_response
from ketune.workflow._dosing import DrugRequest
from ketune.workflow._dosing import prepare as drug_plan
from ketune.workflow._emulator import Budget
from ketune.workflow._explore import explore
from ketune.workflow._exposure import describe as describe_exposure
from ketune.workflow._exposure import run_exposure
from ketune.workflow._fit import fit_as_requested, fit_recording
from ketune.workflow._fit_files import (
    APPLY_FORMAT,
    APPLY_SEED,
    CHECK_SEED,
    FIT_FILE,
    FIT_FORMAT,
    cell_from,
    check_same_cell,
    morphology_file,
    neuron_of,
    read_application,
    read_fit,
    recording_of,
)
from ketune.workflow._fit_request import FitRequest
from ketune.workflow._report import write_report
from ketune.workflow._simulation import CONTROL, Condition, FittedNeuron

__all__ = [
    "APPLY_FORMAT",
    "APPLY_SEED",
    "CHECK_SEED",
    "CONTROL",
    "FIT_FILE",
    "FIT_FORMAT",
    "Budget",
    "Condition",
    "DoseAttribution",
    "DoseRange",
    "DoseResponse",
    "DrugRequest",
    "FitRequest",
    "FittedNeuron",
    "apply_drug",
    "attribute",
    "cell_from",
    "check_same_cell",
    "describe_exposure",
    "dose_range",
    "dose_response",
    "drug_plan",
    "explore",
    "fit_as_requested",
    "fit_recording",
    "morphology_file",
    "neuron_of",
    "read_application",
    "read_fit",
    "recording_of",
    "relevant_parameters",
    "run_demo",
    "run_exposure",
    "write_report",
]
