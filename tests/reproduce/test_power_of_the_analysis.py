"""Can the analysis say yes, and can it say no? On truths that are known, with the shipped response surface."""

import numpy as np
import pytest

from ketune.cell_model import default_cell
from ketune.progress import NullProgress
from ketune.reproduce import HYPOTHESES, Hypothesis, judge, shipped_rules
from ketune.reproduce._arms import Arm, screened
from ketune.reproduce._fewest import fewest_actions
from ketune.reproduce._members import generator, members_of
from ketune.surface import acting_surface, surface_of

# A drug that makes all reported changes in this population: chosen for that, not measured.
TRUTH = {"retuning_deg": 20.0, "gain_noise": 0.5, "pv": 0.45, "nmda_basal": 0.67, "nmda_apical": 0.67}
KNOWN = Hypothesis("known", tuple(TRUTH), "what made the changes")
DRAWS = 24


@pytest.fixture(scope="module")
def members():
    cell = default_cell()
    return members_of("cat", 48, 1, cell, surface_of(cell), acting_surface(cell), trials=25)


@pytest.fixture(scope="module")
def known():
    """The hypothesis with a prior around the truth."""
    rng = np.random.default_rng(1)
    spread = {"retuning_deg": 10.0, "gain_noise": 0.2, "pv": 0.2, "nmda_basal": 0.2, "nmda_apical": 0.2}
    return Arm(KNOWN, {n: x + rng.uniform(-1, 1, DRAWS) * spread[n] for n, x in TRUTH.items()})


def met_together(arm, members, values, seeds=4):
    return [
        judge(arm.experiment(members, values, generator(seed, "experiment")), seed=seed).together
        for seed in range(seeds)
    ]


def test_the_hypothesis_that_made_the_changes_is_found_sufficient(known, members):
    assert sum(met_together(known, members, TRUTH)) >= 3
    fit = known.fitted(members, np.zeros(DRAWS), shipped_rules())
    assert sum(met_together(known, members, fit.actions)) >= 3


def test_the_controls_are_not(known, members):
    rules = shipped_rules()
    for name in ("no-shift", "gain-noise"):
        arm = Arm.of(HYPOTHESES[name], known.draws, seed=1)
        rows = [screened(arm, members, rules, i, seed=1) for i in range(DRAWS)]
        assert sum(row["T5"] for row in rows) <= 2, name
        best = int(np.argmax([sum(row[t] for t in rules.together) for row in rows]))
        assert sum(met_together(arm, members, arm.values(best))) <= 1, name


def test_without_a_drug_nothing_is_met_but_that_the_spontaneous_rate_stays(known, members):
    unchanged = 0
    for seed in range(3):
        verdicts = judge(known.experiment(members, {}, generator(seed, "nothing")), seed=seed)
        assert [t for t in ("T1", "T2", "T3a", "T3b", "T5") if verdicts[t].met] == []
        unchanged += verdicts["T4"].met
    assert unchanged >= 2  # about 900 spikes on the blanks do not always suffice for the margin


def test_what_is_not_needed_is_left_out(known, members):
    arm = Arm(KNOWN, {**known.draws, "hcn_block": np.full(DRAWS, 0.01)})
    fit = arm.fitted(members, np.zeros(DRAWS), shipped_rules())
    kept = fewest_actions(arm, members, fit.actions, shipped_rules(), seed=1, progress=NullProgress())
    assert kept is not None
    assert "hcn_block" not in kept
    assert {"retuning_deg", "gain_noise"} <= set(kept)
