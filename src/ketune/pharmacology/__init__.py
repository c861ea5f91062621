"""Drugs: what they are (data), where they are (exposure over time and depth), and what they do (effect).

    drug = load_drug("ketamine")
    exposure = make_exposure(drug, "topical", "10 mg/ml")
    c = concentration(exposure, depth_um, [30.0])[0]
    overrides, lacking = apply_effect(cell, effect(drug, c, time_min=30.0))

Equations, ranges and sources: docs/pharmacology.md.
"""

from ketune.pharmacology._actions import apply_effect, targets_of
from ketune.pharmacology._block import BLOCK_MODELS, equilibrium_block, kinetic_block
from ketune.pharmacology._block_levels import BlockDifference, BlockLevels, block_levels
from ketune.pharmacology._block_markov import markov_block
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
from ketune.pharmacology._gating import mean_open_probability
from ketune.pharmacology._listing import describe_drug, describe_list, list_drugs, show_drug
from ketune.pharmacology._sampling import sample_parameters

__all__ = [
    "BLOCK_MODELS",
    "CONFIDENCE_MEANING",
    "CORTEX_UM",
    "PRIMARY_TARGETS",
    "ROUTES",
    "TARGETS",
    "Bath",
    "BlockDifference",
    "BlockLevels",
    "ConstantSurface",
    "Drug",
    "DrugEffect",
    "Exposure",
    "Medium",
    "Quantity",
    "Topical",
    "apply_effect",
    "balance",
    "block_levels",
    "combined",
    "concentration",
    "depth_below_pia",
    "describe_drug",
    "describe_list",
    "effect",
    "effect_fields",
    "equilibrium_block",
    "kinetic_block",
    "known_drugs",
    "list_drugs",
    "load_drug",
    "make_exposure",
    "markov_block",
    "mean_open_probability",
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
