"""Hypotheses and their priors."""

import numpy as np
import pytest

from ketune.errors import InputError
from ketune.reproduce import (
    HYPOTHESES,
    OUR_RANGES,
    POPULATION_ACTIONS,
    action_ranges,
    hypotheses_named,
    prior_draws,
)

DRUG = {
    name: np.linspace(0.1, 0.9, 40)
    for name in POPULATION_ACTIONS
    if name not in ("recurrent_drive", "retuning_deg", "gain_noise")
}


def test_every_action_is_known_and_used():
    used = {name for h in HYPOTHESES.values() for name in h.actions}
    assert used == set(POPULATION_ACTIONS)
    assert [h.name for h in HYPOTHESES.values() if h.control] == ["gain-noise", "no-shift"]
    assert {h.name for h in HYPOTHESES.values() if h.counterfactual} == {"nmda-basal", "nmda-apical"}


def test_a_name_that_does_not_exist_has_a_neighbour():
    with pytest.raises(InputError, match=r"--hypothesis 'nmda\+hnc'.*did you mean 'nmda\+hcn'"):
        hypotheses_named(["nmda", "nmda+hnc"])
    assert [h.name for h in hypotheses_named(["drug", "nmda", "drug"])] == ["drug", "nmda"]
    assert hypotheses_named([]) == tuple(HYPOTHESES.values())


@pytest.mark.parametrize("name", HYPOTHESES)
def test_draws_are_of_the_hypothesis_and_keep_what_belongs_together(name):
    draws = prior_draws(HYPOTHESES[name], DRUG, seed=3)
    assert tuple(draws) == HYPOTHESES[name].actions
    for action, values in draws.items():
        if action in OUR_RANGES:
            low, high = OUR_RANGES[action]
            assert low <= values.min() < values.max() <= high
        else:
            np.testing.assert_array_equal(values, DRUG[action])
    again = prior_draws(HYPOTHESES[name], DRUG, seed=3)
    for action in draws:
        np.testing.assert_array_equal(draws[action], again[action])


def test_ranges_hold_95_percent():
    (low, high) = action_ranges({"pv": np.arange(1001) / 1000})["pv"]
    assert (low, high) == pytest.approx((0.025, 0.975))
