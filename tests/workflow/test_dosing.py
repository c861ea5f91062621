"""From what is asked of `ketune apply` to what a neuron meets."""

import pytest

from ketune.cell_model import default_cell
from ketune.workflow._demo import KETAMINE
from ketune.workflow._dosing import prepare


def test_the_demonstration_asks_for_what_can_be_given() -> None:
    plan = prepare(KETAMINE, default_cell())
    assert (plan.drug.name, plan.route, plan.dose) == ("ketamine", "topical", "10 mg/ml")
    assert plan.times_min == pytest.approx((5.0, 30.0, 120.0))
    assert plan.phases[0] == "wash-in"
    assert plan.phases[-1] == "recovery"
