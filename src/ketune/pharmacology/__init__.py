"""Drugs: what they are (data), where they are (exposure over time and depth), and what they do (effect).

    drug = load_drug("ketamine")
    exposure = make_exposure(drug, "topical", "10 mg/ml")
    c = concentration(exposure, depth_um, [30.0])[0]
    overrides, lacking = apply_effect(cell, effect(drug, c, time_min=30.0))

Equations, ranges and sources: docs/pharmacology.md.
"""

from ketune.pharmacology._actions import (
    apply_effect,
    field_overrides,
    targets_of,
)
from ketune.pharmacology._administer import (
    DOSE_UNITS,
    ROUTES,
    canonical_route,
    exposure_from,
    make_exposure,
    read_dose,
)
from ketune.pharmacology._assay import (
    AssayPosterior,
    assay_overrides,
    drug_with_assay,
    fit_assay,
)
from ketune.pharmacology._assay_file import (
    ASSAY_TARGETS,
    Assay,
    AssayRow,
    read_assay,
)
from ketune.pharmacology._block import (
    BLOCK_MODELS,
    equilibrium_block,
    kinetic_block,
)
from ketune.pharmacology._block_levels import (
    BlockDifference,
    BlockLevels,
    block_levels,
)
from ketune.pharmacology._block_markov import (
    markov_block,
)
from ketune.pharmacology._combined import combined, relative
from ketune.pharmacology._diffusion import (
    Medium,
)
from ketune.pharmacology._drug import (
    CONFIDENCE_MEANING,
    Drug,
    Quantity,
    known_drugs,
    load_drug,
    parse_drug,
)
from ketune.pharmacology._effect import (
    NEUTRAL,
    PRIMARY_TARGETS,
    TARGETS,
    DrugEffect,
    effect,
    effect_fields,
    nmda_block,
    nmda_ic50_uM,
    no_effect,
    subunit_fractions,
)
from ketune.pharmacology._effect_record import effect_from_record, effect_record
from ketune.pharmacology._exposure import (
    CORTEX_UM,
    Bath,
    ConstantSurface,
    Exposure,
    Iontophoresis,
    Puff,
    Schedule,
    Systemic,
    Topical,
    balance,
    concentration,
    depth_below_pia,
    metabolites,
    topical_concentration,
)
from ketune.pharmacology._gating import (
    mean_open_probability,
)
from ketune.pharmacology._listing import (
    describe_drug,
    describe_list,
    list_drugs,
    show_drug,
)
from ketune.pharmacology._mixture import (
    Administration,
    Baseline,
    Dosing,
)
from ketune.pharmacology._nmda_levels import (
    NmdaDrive,
    interneuron_block,
    nmda_drive,
    pyramid_block,
    pyramid_levels,
)
from ketune.pharmacology._protocol import (
    PHASES,
    Dose,
    Look,
    Protocol,
    check_increasing,
    phase_times,
    phases,
    read_protocol,
)
from ketune.pharmacology._routes import (
    COMPARED,
    equal_dose,
    shown_fields,
    target_effects,
)
from ketune.pharmacology._sampling import (
    SAMPLING_METHODS,
    Attribution,
    SobolDesign,
    SobolIndices,
    attribution,
    joint_names,
    quantile,
    sample_parameters,
    sobol_design,
    sobol_indices,
    uncertain_parameters,
)
from ketune.pharmacology._settings import read_settings
from ketune.pharmacology._table import (
    Table,
    read_table,
)

__all__ = [
    "ASSAY_TARGETS",
    "BLOCK_MODELS",
    "COMPARED",
    "CONFIDENCE_MEANING",
    "CORTEX_UM",
    "DOSE_UNITS",
    "NEUTRAL",
    "PHASES",
    "PRIMARY_TARGETS",
    "ROUTES",
    "SAMPLING_METHODS",
    "TARGETS",
    "Administration",
    "Assay",
    "AssayPosterior",
    "AssayRow",
    "Attribution",
    "Baseline",
    "Bath",
    "BlockDifference",
    "BlockLevels",
    "ConstantSurface",
    "Dose",
    "Dosing",
    "Drug",
    "DrugEffect",
    "Exposure",
    "Iontophoresis",
    "Look",
    "Medium",
    "NmdaDrive",
    "Protocol",
    "Puff",
    "Quantity",
    "Schedule",
    "SobolDesign",
    "SobolIndices",
    "Systemic",
    "Table",
    "Topical",
    "apply_effect",
    "assay_overrides",
    "attribution",
    "balance",
    "block_levels",
    "canonical_route",
    "check_increasing",
    "combined",
    "concentration",
    "depth_below_pia",
    "describe_drug",
    "describe_list",
    "drug_with_assay",
    "effect",
    "effect_fields",
    "effect_from_record",
    "effect_record",
    "equal_dose",
    "equilibrium_block",
    "exposure_from",
    "field_overrides",
    "fit_assay",
    "interneuron_block",
    "joint_names",
    "kinetic_block",
    "known_drugs",
    "list_drugs",
    "load_drug",
    "make_exposure",
    "markov_block",
    "mean_open_probability",
    "metabolites",
    "nmda_block",
    "nmda_drive",
    "nmda_ic50_uM",
    "no_effect",
    "parse_drug",
    "phase_times",
    "phases",
    "pyramid_block",
    "pyramid_levels",
    "quantile",
    "read_assay",
    "read_dose",
    "read_protocol",
    "read_settings",
    "read_table",
    "relative",
    "sample_parameters",
    "show_drug",
    "shown_fields",
    "sobol_design",
    "sobol_indices",
    "subunit_fractions",
    "target_effects",
    "targets_of",
    "topical_concentration",
    "uncertain_parameters",
]
