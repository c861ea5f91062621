"""Proposed experiments: they separate what differs, and nothing else."""

import numpy as np
import pytest

from ketune.population import Population
from ketune.population._population import ControlStatistics
from ketune.reproduce._discriminate import MANIPULATIONS, meeting, proposed_experiments
from ketune.reproduce._members import Members


@pytest.fixture(scope="session")
def members(population, neurons, layouts):
    angle = tuple(population.orientation_deg)
    nothing = ControlStatistics(np.zeros((3, 7)), np.ones((3, 7)), (), {})
    drawn = Population("cat", tuple(neurons), 1, angle, 0.5, nothing)

    class OneBlank(Members):
        stimuli_deg = np.array(angle)

    return OneBlank(drawn, tuple(layouts), np.zeros(3), 25, population)


def draws(low: float, high: float, name: str = "nmda_basal") -> list[dict[str, float]]:
    return [{name: x} for x in np.linspace(low, high, 8)]


def test_different_strengths_are_told_apart(members):
    found = proposed_experiments(members, {"weak": draws(0.9, 1.0), "strong": draws(0.05, 0.1)})
    assert 1 <= len(found) <= 3
    assert found[0].separation > 1.0
    by = {p.hypothesis: p for p in found[0].predicted}
    assert by["weak"].value != pytest.approx(by["strong"].value, rel=0.05)
    for p in by.values():
        assert p.interval[0] <= p.value <= p.interval[1]
    assert "weak" in found[0].words
    assert "strong" in found[0].words


def test_the_same_draws_cannot_be_told_apart(members):
    found = proposed_experiments(members, {"one": draws(0.2, 0.9), "other": draws(0.2, 0.9)})
    assert all(e.separation == 0.0 for e in found)


def test_a_manipulation_that_holds_an_action_takes_its_part_away(members):
    """Where the cell's NMDA receptors are blocked beforehand, a drug on them alone does nothing more."""
    found = proposed_experiments(members, {"weak": draws(0.9, 1.0), "strong": draws(0.05, 0.1)})
    blocked = next(m for m in MANIPULATIONS if "MK-801" in m.words)
    assert all(e.manipulation != blocked.words for e in found)
    moments = [members.prediction.moments({**row, **blocked.held}) for row in draws(0.05, 1.0)]
    np.testing.assert_allclose(moments[0].mean, moments[-1].mean)


def test_too_few_draws_or_hypotheses_give_no_experiment(members):
    assert proposed_experiments(members, {"weak": draws(0.9, 1.0)}) == []
    assert proposed_experiments(members, {"weak": draws(0.9, 1.0), "strong": draws(0.1, 0.2)[:4]}) == []


def test_draws_that_met():
    values = {"pv": np.array([0.1, 0.2, 0.3]), "sst": np.array([1.0, 2.0, 3.0])}
    assert meeting(values, np.array([True, False, True])) == [
        {"pv": 0.1, "sst": 1.0},
        {"pv": 0.3, "sst": 3.0},
    ]
