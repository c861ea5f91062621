"""What users say of a joint fit: further conditions, actions, priors, starts."""

from __future__ import annotations

import numpy as np
import pytest

from ketune.errors import InputError
from ketune.fitting import PARAMETERS
from ketune.inference import ACTIONS, ConditionCounts
from ketune.tuning import Recording
from ketune.workflow._joint import (
    check_alike,
    further_conditions,
    parse_actions,
    parse_priors,
    parse_start,
)

DRUGGED = (*PARAMETERS, *ConditionCounts("ketamine", (np.ones(3, int),), ACTIONS).parameters())


def recording(
    orientations=(0.0, 45.0, 90.0, 135.0), window_s=0.5, conditions=("control", "ketamine"), blank=True
):
    shown = [*orientations, *([np.nan] if blank else [])]
    rows = [(o, t, c) for c in conditions for o in shown for t in range(4)]
    return Recording(
        name="unit",
        window_s=window_s,
        orientation_deg=np.array([r[0] for r in rows]),
        spikes=np.ones(len(rows), int),
        trial=np.array([r[1] for r in rows]),
        condition=np.array([r[2] for r in rows]),
        source="unit.csv",
    )


def never(path):
    raise AssertionError(path)


def one_line(caught) -> str:
    text = str(caught.value)
    assert "\n" not in text
    return text


class TestFurtherConditions:
    def test_a_condition_of_the_same_file(self):
        own = recording()
        assert further_conditions(["ketamine"], own, never) == [(own, "ketamine")]

    def test_another_file_is_named_after_its_condition_or_itself(self, tmp_path):
        own, other = recording(conditions=("control",)), recording(conditions=("control",))
        file = tmp_path / "saline.csv"
        file.write_text("x")
        assert further_conditions([str(file)], own, lambda path: other) == [(other, "saline")]
        washed = recording(conditions=("washout",))
        assert further_conditions([str(file)], own, lambda path: washed) == [(washed, "washout")]

    def test_neither(self):
        with pytest.raises(InputError) as caught:
            further_conditions(["ketmine"], recording(), never)
        assert "control, ketamine" in one_line(caught)

    def test_a_file_with_several_conditions(self, tmp_path):
        file = tmp_path / "two.csv"
        file.write_text("x")
        with pytest.raises(InputError, match="one only"):
            further_conditions([str(file)], recording(conditions=("control",)), lambda path: recording())


class TestCheckAlike:
    def test_the_same_conditions_pass(self):
        own = recording()
        check_alike(own, "control", [(own, "ketamine")], ["ketamine"])

    @pytest.mark.parametrize(
        ("other", "words"),
        [
            (recording(window_s=0.4, conditions=("control",)), "window of 0.4 s, the control 0.5 s"),
            (recording(orientations=(0.0, 60.0, 120.0), conditions=("control",)), "0, 60, 120"),
            (recording(blank=False, conditions=("control",)), "blank"),
        ],
        ids=["window", "orientations", "blank"],
    )
    def test_what_cannot_be_fitted_together(self, other, words):
        with pytest.raises(InputError) as caught:
            check_alike(recording(), "control", [(other, "control")], ["drug"])
        assert words in one_line(caught)


class TestActions:
    def test_in_order_and_all_by_default(self):
        assert parse_actions(None) == ACTIONS
        assert parse_actions("sst, nmda") == ("nmda", "sst")

    @pytest.mark.parametrize("text", ["", "nmda,nmda", "hcn"])
    def test_bad(self, text):
        with pytest.raises(InputError, match="--actions"):
            parse_actions(text)


class TestPriors:
    def test_the_range_holds_95_percent(self):
        from scipy import stats

        prior = parse_priors(["nmda_nS=0.3..0.9"], DRUGGED)["nmda_nS"]
        law = stats.norm(prior.centre, prior.sd)
        assert law.cdf(np.log(0.9)) - law.cdf(np.log(0.3)) == pytest.approx(0.95, abs=1e-4)

    def test_a_factor(self):
        assert set(parse_priors(["ketamine.nmda=0.2..0.6"], DRUGGED)) == {"ketamine.nmda"}

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("nmda_ns=0.3..0.9", "did you mean nmda_nS"),
            ("nmda_nS=0.3", "is no range"),
            ("nmda_nS=a..b", "is no range"),
            ("nmda_nS=0.9..0.3", "no range within its bounds"),
            ("nmda_nS=0.3..99", "no range within its bounds"),
            ("preferred_basal_deg=10..20", "learnt from the data alone"),
        ],
    )
    def test_bad(self, text, words):
        with pytest.raises(InputError) as caught:
            parse_priors([text], DRUGGED)
        assert words in one_line(caught)


class TestStart:
    def test_read(self):
        assert parse_start(["nmda_nS=0.5"], DRUGGED, {}) == {"nmda_nS": 0.5}
        assert parse_start([], DRUGGED, {}) is None

    def test_a_prior_that_excludes_it(self):
        priors = parse_priors(["nmda_nS=0.3..0.4"], DRUGGED)
        with pytest.raises(InputError, match="excluded by its prior"):
            parse_start(["nmda_nS=2.5"], DRUGGED, priors)

    @pytest.mark.parametrize("text", ["nmda_nS=x", "nmda_nS=50", "what=1"])
    def test_bad(self, text):
        with pytest.raises(InputError, match="--start"):
            parse_start([text], DRUGGED, {})
