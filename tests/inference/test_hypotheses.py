"""Which actions predict held-out trials: nested sets, and a drug that did something."""

from __future__ import annotations

import numpy as np
import pytest

from ketune.inference import ConditionCounts, compare_hypotheses, every_hypothesis, find_optimum
from ketune.inference._replicates import Laws, replicated_counts


def test_every_set_of_actions():
    found = every_hypothesis(("nmda", "pv"))
    assert found == ((), ("nmda",), ("pv",), ("nmda", "pv"))
    assert len(every_hypothesis()) == 8


def test_replicates_have_the_laws_moments():
    rng = np.random.default_rng(4)
    mean = np.broadcast_to(np.array([0.5, 5.0, 20.0])[:, None], (3, 15))[None, None]
    for dispersion in (0.5, 1.0, 2.0):
        counts = replicated_counts(Laws(mean, np.full_like(mean, dispersion)), 40_000, rng)[0, 0]
        np.testing.assert_allclose(counts.mean(axis=1), [0.5, 5.0, 20.0], rtol=0.02)
        fano = counts.var(axis=1) / counts.mean(axis=1)
        # Below three spikes counts that are more regular than Poisson are drawn as Poisson.
        expected = [max(dispersion, 1.0), dispersion, dispersion]
        np.testing.assert_allclose(fano, expected, rtol=0.05)


@pytest.mark.slow
def test_a_drug_that_acts_is_told_from_none(one_condition):
    """Under the drug counts fall to a third."""
    rng = np.random.default_rng(6)
    control = one_condition.conditions[0]
    drugged = tuple(rng.binomial(np.asarray(o, int), 0.3) for o in control.counts)
    actions = ("nmda",)
    model = one_condition.with_conditions((control, ConditionCounts("drug", drugged, actions)))
    best = find_optimum(model, seed=3, screened=32, followed=2).coordinates
    ranked = compare_hypotheses(model, best, [(), actions], folds=2, seed=1)
    by_name = {h.name: h for h in ranked}
    assert ranked[0].name == "+".join(actions)
    assert by_name["no action"].difference < -4
