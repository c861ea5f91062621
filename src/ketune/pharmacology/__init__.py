"""Drugs: what they are (data), where they are (exposure over time and depth), and what they do (effect).

    drug = load_drug("ketamine")
    exposure = make_exposure(drug, "topical", "10 mg/ml")
    c = concentration(exposure, depth_um, [30.0])[0]
    overrides, lacking = apply_effect(cell, effect(drug, c, time_min=30.0))

Equations, ranges and sources: docs/pharmacology.md.
"""

from ketune.pharmacology._actions import apply_effect, targets_of
from ketune.pharmacology._diffusion import Medium
from ketune.pharmacology._drug import (
    CONFIDENCE_MEANING,
    Drug,
    Quantity,
    known_drugs,
    load_drug,
    parse_drug,
)
from ketune.pharmacology._effect import (
    PRIMARY_TARGETS,
    TARGETS,
    DrugEffect,
    combined,
    effect,
    effect_fields,
    nmda_block,
    nmda_ic50_uM,
    no_effect,
    relative,
    subunit_fractions,
)
from ketune.pharmacology._exposure import (
    CORTEX_UM,
    ROUTES,
    Bath,
    ConstantSurface,
    Exposure,
    Topical,
    balance,
    concentration,
    depth_below_pia,
    make_exposure,
    topical_concentration,
)
from ketune.pharmacology._listing import describe_drug, describe_list, list_drugs, show_drug
from ketune.pharmacology._sampling import sample_parameters

__all__ = [
    "CONFIDENCE_MEANING",
    "CORTEX_UM",
    "PRIMARY_TARGETS",
    "ROUTES",
    "TARGETS",
    "Bath",
    "ConstantSurface",
    "Drug",
    "DrugEffect",
    "Exposure",
    "Medium",
    "Quantity",
    "Topical",
    "apply_effect",
    "balance",
    "combined",
    "concentration",
    "depth_below_pia",
    "describe_drug",
    "describe_list",
    "effect",
    "effect_fields",
    "known_drugs",
    "list_drugs",
    "load_drug",
    "make_exposure",
    "nmda_block",
    "nmda_ic50_uM",
    "no_effect",
    "parse_drug",
    "relative",
    "sample_parameters",
    "show_drug",
    "subunit_fractions",
    "targets_of",
    "topical_concentration",
]
