"""What a run of `ketune reproduce` is asked to do."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ketune
from ketune.errors import InputError
from ketune.evidence import EffectTable, extended, read_effects, reported_effects
from ketune.population import distributions
from ketune.reproduce._counts import FEWEST_NEURONS, FEWEST_TRIALS
from ketune.reproduce._drug_draws import TopicalDose
from ketune.reproduce._hypotheses import HYPOTHESES, Hypothesis, hypotheses_named
from ketune.reproduce._pass_rules import PassRules

POPULATIONS = 5
"""Populations of a run, each with a seed of its own: one is fitted, the others are held out."""
FEWEST_DRAWS = 16


@dataclass(frozen=True)
class ReproduceSettings:
    """Settings of a run.

    Attributes
    ----------
    population
        ``"cat"`` or ``"mouse"``.
    neurons
        In each population.
    seed
        Of the first population; the held-out ones have the seeds that follow.
    draws
        Of the drug's uncertain numbers, over which the share of the prior is taken.
    trials
        Of each stimulus and condition: 25 in the experiments (Nemri et al. 2009).
    hypotheses
        Those that are examined.
    table
        Reported effects and the rules by which they count as met.
    predictions
        Whether the targets that nothing was fitted to are looked at too.
    """

    population: str = "cat"
    neurons: int = 48
    seed: int = 1
    draws: int = 256
    trials: int = 25
    hypotheses: tuple[Hypothesis, ...] = tuple(HYPOTHESES.values())
    table: EffectTable = field(default_factory=reported_effects)
    dose: TopicalDose = field(default_factory=TopicalDose)
    predictions: bool = True

    def __post_init__(self) -> None:
        if self.neurons < FEWEST_NEURONS:
            raise InputError(
                f"--neurons {self.neurons}: verdicts over a population need at least {FEWEST_NEURONS}; 48 is usual"
            )
        if self.trials < FEWEST_TRIALS:
            raise InputError(
                f"--trials {self.trials}: a Fano factor needs at least {FEWEST_TRIALS}; 25 is usual"
            )
        if self.draws < FEWEST_DRAWS:
            raise InputError(f"--draws {self.draws}: a share of the prior needs at least {FEWEST_DRAWS}")

    @property
    def population_seeds(self) -> tuple[int, ...]:
        """The first is fitted."""
        return tuple(range(self.seed, self.seed + POPULATIONS))

    @property
    def spiking_seed(self) -> int:
        """The held-out population that is simulated with spikes."""
        return self.population_seeds[1]

    def document(self, surfaces: dict[str, str]) -> dict[str, Any]:
        """What two runs must share so that one can go on where the other stopped.

        Parameters
        ----------
        surfaces
            Keys of the response surfaces, which stand for the cells and all of their mechanisms.

        Hypotheses are not among it: a later run may add some.
        """
        table, laws = (
            hashlib.sha256(model.model_dump_json().encode()).hexdigest()[:16]
            for model in (self.table, distributions())
        )
        return {
            "ketune": ketune.__version__,
            "population": self.population,
            "neurons": self.neurons,
            "seed": self.seed,
            "draws": self.draws,
            "trials": self.trials,
            "solution": self.dose.solution,
            "time_min": self.dose.time_min,
            "reported_effects": table,
            "distributions": laws,
            **surfaces,
        }


def examine_settings(
    *,
    population: str = "cat",
    neurons: int = 48,
    seed: int = 1,
    draws: int = 256,
    trials: int = 25,
    hypotheses: Sequence[str] = (),
    evidence: str | Path | None = None,
    predictions: bool = True,
) -> ReproduceSettings:
    """Settings by name.

    Parameters
    ----------
    hypotheses
        Names of :data:`ketune.reproduce.HYPOTHESES`; all for none.
    evidence
        File with reported effects of the user's (:func:`ketune.evidence.read_effects`).

    Raises
    ------
    InputError
        An unknown name, a file that cannot be read or judged by, too few neurons or draws.
    """
    table = reported_effects()
    if evidence is not None:
        table = extended(table, read_effects(evidence))
    PassRules.of(table)
    return ReproduceSettings(
        population=population,
        neurons=neurons,
        seed=seed,
        draws=draws,
        trials=trials,
        hypotheses=hypotheses_named(hypotheses),
        table=table,
        predictions=predictions,
    )
