"""The drug's side of an experiment under one hypothesis: its prior, its fit, and counts at any of its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ketune.reproduce._actions import POPULATION_ACTIONS, Action
from ketune.reproduce._broadened import BROADENING, BROADENING_RANGES, broadened_counts, broadened_draws
from ketune.reproduce._counts import PopulationCounts
from ketune.reproduce._experiment import Counts
from ketune.reproduce._hypotheses import OUR_RANGES, Hypothesis, prior_draws
from ketune.reproduce._members import Members, generator
from ketune.reproduce._pass_rules import PassRules
from ketune.reproduce._search import SharedFit, shared_fit
from ketune.reproduce._verdicts import screen

FloatArray = np.ndarray
Draws = dict[str, FloatArray]


@dataclass(frozen=True, eq=False)
class Arm:
    """One hypothesis with draws of its prior.

    Attributes
    ----------
    draws
        ``(n,)`` of each number.
    """

    hypothesis: Hypothesis
    draws: Draws

    @classmethod
    def of(cls, hypothesis: Hypothesis, drug: Mapping[str, FloatArray], *, seed: int) -> Arm:
        """Draw the prior: the drug's actions as they are drawn, the others over our ranges."""
        if hypothesis.broadened:
            n = len(next(iter(drug.values())))
            return cls(hypothesis, broadened_draws(n, generator(seed, "broadening")))
        return cls(hypothesis, prior_draws(hypothesis, drug, seed=seed))

    @property
    def numbers(self) -> dict[str, Action]:
        """What its numbers are."""
        every = {**POPULATION_ACTIONS, **BROADENING}
        return {name: every[name] for name in self.draws}

    @property
    def ours(self) -> frozenset[str]:
        """Numbers whose range is ours."""
        return frozenset(self.draws) & (OUR_RANGES.keys() | BROADENING_RANGES.keys())

    def values(self, draw: int) -> dict[str, float]:
        """Its numbers in one draw."""
        return {name: float(x[draw]) for name, x in self.draws.items()}

    def predicted_counts(
        self, members: Members, values: Mapping[str, float], rng: np.random.Generator
    ) -> Counts:
        """Counts under the drug, ``(neurons, stimuli, trials)``."""
        if self.hypothesis.broadened:
            return broadened_counts(members.control_curves, values, members.trials, rng)
        return members.predicted_counts(values, rng)

    def experiment(
        self, members: Members, values: Mapping[str, float], rng: np.random.Generator
    ) -> PopulationCounts:
        """A predicted experiment; control and drug have trials of their own."""
        control = members.predicted_counts({}, rng)
        return PopulationCounts(
            control,
            self.predicted_counts(members, values, rng),
            members.stimuli_deg,
            members.population.window_s,
        )

    def fitted(self, members: Members, met: FloatArray, rules: PassRules) -> SharedFit:
        """Shared numbers that come nearest to the targets together.

        Parameters
        ----------
        met
            ``(n,)``: how many of the members of T5 each draw met. Broadened curves have no gradient and take the
            first of the best draws.
        """
        if self.hypothesis.broadened:
            return SharedFit(self.values(int(np.argmax(met))), float("nan"), (), 0)
        return shared_fit(members.prediction, self.draws, rules.margins[0], members.trials)


def screened(arm: Arm, members: Members, rules: PassRules, draw: int, *, seed: int) -> dict[str, float]:
    """Which targets one draw of the prior meets in an experiment of its own, and what it leaves of the response.

    ``response_left`` is the median over neurons of spikes evoked by all gratings, drug over control.
    """
    rng = generator(seed, "share", arm.hypothesis.name, draw)
    counts = arm.experiment(members, arm.values(draw), rng)
    control, drug = (x.sum(axis=(1, 2)) for x in counts.gratings)
    fired = control > 0
    left = float(np.median(drug[fired] / control[fired])) if fired.any() else np.nan
    verdicts = screen(counts, rules=rules)
    return {**{name: verdict.met for name, verdict in verdicts.targets.items()}, "response_left": left}
