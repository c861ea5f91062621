"""Hypotheses: which actions a drug is allowed, and over which range."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ketune.errors import InputError
from ketune.reproduce._actions import POPULATION_ACTIONS

Array = NDArray[np.float64]

_NMDA = ("nmda_basal", "nmda_apical")
_HCN = ("hcn_shift_mV", "hcn_block")
_SECONDARY = ("nav_block", "kv_block", "kv_shift_mV", "tonic_gaba_gain")
# Ranges of what no pharmacology limits: ours.
OUR_RANGES = {"recurrent_drive": (0.5, 1.5), "retuning_deg": (0.0, 40.0), "gain_noise": (0.2, 1.0)}
"""Low and high end, uniform between them."""


@dataclass(frozen=True)
class Hypothesis:
    """A set of actions.

    Attributes
    ----------
    actions
        Names of :data:`ketune.reproduce.POPULATION_ACTIONS`; the others stay at no drug.
    words
        For people.
    control
        Whether it is there to show that the analysis can say no.
    counterfactual
        Whether no dose could do this alone.
    broadened
        Whether each neuron keeps its preferred orientation and only responds more weakly and broadly.
    """

    name: str
    actions: tuple[str, ...]
    words: str
    control: bool = False
    counterfactual: bool = False
    broadened: bool = False


HYPOTHESES: dict[str, Hypothesis] = {
    h.name: h
    for h in (
        Hypothesis("nmda", _NMDA, "block of the pyramidal cell's NMDA receptors, nothing else"),
        Hypothesis(
            "nmda-basal", ("nmda_basal",), "NMDA receptors of the basal tree alone", counterfactual=True
        ),
        Hypothesis(
            "nmda-apical", ("nmda_apical",), "NMDA receptors of the apical tree alone", counterfactual=True
        ),
        Hypothesis(
            "nmda+pv",
            (*_NMDA, "pv"),
            "NMDA receptors of the pyramidal cell, and of PV cells, which then fire less",
        ),
        Hypothesis(
            "nmda+sst",
            (*_NMDA, "sst"),
            "NMDA receptors of the pyramidal cell, and of SST cells, which then fire less",
        ),
        Hypothesis("nmda+pv+sst", (*_NMDA, "pv", "sst"), "NMDA receptors of all three"),
        Hypothesis("nmda+hcn", (*_NMDA, *_HCN), "NMDA receptors and HCN1 of the pyramidal cell"),
        Hypothesis("nmda+pv+sst+hcn", (*_NMDA, "pv", "sst", *_HCN), "NMDA receptors of all three, and HCN1"),
        Hypothesis(
            "drug",
            (*_NMDA, "pv", "sst", *_HCN, *_SECONDARY),
            "all that the drug does to this cell and its inhibition, Na, Kv and tonic GABA included",
        ),
        Hypothesis(
            "nmda+recurrent",
            (*_NMDA, "recurrent_drive"),
            "NMDA receptors, and a network that drives the neuron less or more",
        ),
        Hypothesis(
            "nmda+retuning",
            (*_NMDA, "retuning_deg"),
            "NMDA receptors, and afferents of the apical tree that prefer other orientations",
        ),
        Hypothesis(
            "everything",
            tuple(POPULATION_ACTIONS),
            "the drug's actions, a changed network and less shared noise",
        ),
        Hypothesis("gain-noise", ("gain_noise",), "only less noise that neurons share", control=True),
        Hypothesis(
            "no-shift",
            (),
            "no neuron's preference moves; responses are only weaker and broader",
            control=True,
            broadened=True,
        ),
    )
}
"""By name; the order is that of reports."""


def hypotheses_named(names: Sequence[str]) -> tuple[Hypothesis, ...]:
    """Those with these names, all for none.

    Raises
    ------
    InputError
        A name that does not exist.
    """
    for name in names:
        if name not in HYPOTHESES:
            near = difflib.get_close_matches(name, HYPOTHESES, n=1)
            hint = f"did you mean '{near[0]}'? " if near else ""
            raise InputError(f"--hypothesis '{name}': not known; {hint}known are {', '.join(HYPOTHESES)}")
    return tuple(HYPOTHESES[name] for name in dict.fromkeys(names)) or tuple(HYPOTHESES.values())


def prior_draws(hypothesis: Hypothesis, drug: Mapping[str, Array], *, seed: int) -> dict[str, Array]:
    """Draws of a hypothesis's actions: those of the drug from its own draws, the others uniform over our ranges."""
    n = len(next(iter(drug.values())))
    rng = np.random.default_rng([seed, 73])
    ours = {name: rng.uniform(low, high, n) for name, (low, high) in OUR_RANGES.items()}
    return {name: np.asarray({**drug, **ours}[name], float) for name in hypothesis.actions}


def action_ranges(draws: Mapping[str, Array]) -> dict[str, tuple[float, float]]:
    """Range of each action that holds 95 % of its draws."""
    return {
        name: (float(np.quantile(values, 0.025)), float(np.quantile(values, 0.975)))
        for name, values in draws.items()
    }
