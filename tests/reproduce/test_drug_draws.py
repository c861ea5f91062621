"""A drug's actions as means over the cell, at draws of its numbers."""

import numpy as np
import pytest

from ketune.pharmacology import effect, load_drug, no_effect
from ketune.reproduce import POPULATION_ACTIONS, MeanActions, drug_draws


@pytest.fixture(scope="module")
def reduced(tiny_cell, tiny_layout):
    return MeanActions(tiny_cell, tiny_layout)


def test_no_drug_does_nothing(reduced, tiny_cell):
    found = reduced(no_effect(tiny_cell.table.n))
    assert found == {name: POPULATION_ACTIONS[name].none for name in found}


def test_one_concentration_acts_alike_everywhere(reduced, tiny_cell):
    dosed = effect(load_drug(), np.full(tiny_cell.table.n, 60.0))
    found = reduced(dosed)
    assert found["nmda_basal"] == pytest.approx(1.0 - dosed.nmda_block[0], rel=1e-12)
    assert found["nmda_apical"] == pytest.approx(found["nmda_basal"], rel=1e-12)
    assert found["kv_block"] == pytest.approx(dosed.kv_block[0])
    assert found["pv"] == dosed.pv_drive


def test_a_gradient_of_drug_tells_the_trees_apart(reduced, tiny_cell):
    apical = tiny_cell.table.region == "apical"
    found = reduced(effect(load_drug(), np.where(apical, 50.0, 1.0), interneuron_uM=1.0))
    assert found["nmda_apical"] < 0.5 * found["nmda_basal"]


def test_draws_repeat_and_stay_possible(tiny_cell, tiny_layout):
    draws, again = (drug_draws(tiny_cell, tiny_layout, 3, seed=5) for _ in range(2))
    for name, values in draws.items():
        np.testing.assert_array_equal(values, again[name])
        assert values.shape == (3,)
    for name in ("nmda_basal", "nmda_apical", "hcn_block", "nav_block", "kv_block"):
        assert np.all((draws[name] >= 0) & (draws[name] <= 1)), name
