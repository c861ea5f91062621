"""Conditions as the joint model takes them, and what is refused."""

import numpy as np
import pytest

from ketune.errors import InputError
from ketune.fitting import DirectionCounts, SpontaneousRate
from ketune.inference import ConditionCounts, check_conditions
from ketune.inference._conditions import rows_of

SOME = np.array([0, 3, 3, 1])
SILENT = np.zeros(4, int)


def refused(*conditions):
    with pytest.raises(InputError) as caught:
        check_conditions(conditions, "neuron.csv")
    message = str(caught.value)
    assert message.startswith("neuron.csv: ")
    assert "\n" not in message
    return message


def test_nothing_to_refuse():
    check_conditions([ConditionCounts("control", (SILENT, SOME, SpontaneousRate(0.1)))], "neuron.csv")


def test_a_label_twice():
    condition = ConditionCounts("control", (SOME,))
    assert "'control' is given twice" in refused(condition, condition)


@pytest.mark.parametrize(
    "counts",
    [(SILENT, SILENT), (SpontaneousRate(5.0),), (DirectionCounts((SILENT, SILENT)), SpontaneousRate(5.0))],
)
def test_no_spike(counts):
    message = refused(ConditionCounts("control", (SOME,)), ConditionCounts("drug", counts))
    assert "no spike in any trial of condition 'drug'" in message


def test_one_trial_each():
    assert "condition 'control' has one trial" in refused(
        ConditionCounts("control", (np.array([3]), np.array([1])))
    )


def test_rows_hold_every_trial_once():
    fast, slow = np.array([8, 9, 8]), np.array([1, 2, 2])
    conditions = (
        ConditionCounts("control", (SOME, DirectionCounts((fast, slow)), SpontaneousRate(0.1))),
        ConditionCounts("drug", (SILENT, SOME + 1, SOME)),
    )
    rows = rows_of(conditions)
    np.testing.assert_array_equal(rows.at, [(0, 0), (0, 1), (0, 1), (1, 0), (1, 1), (1, 2)])
    expected = [SOME, fast, slow, SILENT, SOME + 1, SOME]
    for values, times, trials in zip(rows.counts, rows.times, expected, strict=True):
        np.testing.assert_array_equal(np.repeat(values, times.astype(int)), np.sort(trials))
    np.testing.assert_allclose(rows.share, [1, 5 / 3, 1 / 3, 1, 1, 1])
    np.testing.assert_array_equal(rows.summed(rows.times.sum(axis=1), (2, 3)), [[4, 6, 0], [4, 4, 4]])


def test_factors_are_named_after_their_condition():
    nmda, sst = ConditionCounts("MK-801", (SOME,), ("nmda", "sst")).parameters()
    assert (nmda.name, sst.name) == ("MK-801.nmda", "MK-801.sst")
    assert nmda.low < 1 < nmda.high
    assert ConditionCounts("control", (SOME,)).parameters() == ()
