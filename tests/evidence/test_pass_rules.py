"""Pass rules: every judged target has one that says what its sentence says, and faulty ones are refused."""

import math

import pytest
from pydantic import ValidationError

from ketune.evidence import (
    EffectTable,
    Equivalence,
    PairedDecrease,
    RatioAgainstOne,
    ShareBeyondNull,
    Target,
    Together,
    Window,
    reported_effects,
)

TABLE = reported_effects()
MARGIN = {"quantity": "q", "low": 0.8, "high": 1.25, "unit": "1", "ours": True}


def target(rule=None, window=(MARGIN,), **given):
    row = {"id": "X", "statement": "s", "level": "A", "effects": [], "pass_rule": "p", "source": "s"}
    return Target.model_validate({**row, "window": list(window), **({"rule": rule} if rule else {}), **given})


def test_targets_at_level_A_B_C_can_be_judged_and_others_need_not():
    for t in TABLE.target:
        assert (t.rule is not None) == (t.level in ("A", "B", "C")), t.id


def test_rules_of_the_five_that_decide():
    t1, t2, t3a, t3b, t4, t5 = (TABLE.find(i).rule for i in ("T1", "T2", "T3a", "T3b", "T4", "T5"))
    assert isinstance(t1, PairedDecrease)
    assert (t1.alpha, t1.least_share, t1.lost_tuning_fails) == (0.05, 0.6, True)
    assert isinstance(t2, ShareBeyondNull)
    assert (t2.threshold_deg, t2.alpha) == (5.0, 0.05)
    for ratio in (t3a, t3b):
        assert isinstance(ratio, RatioAgainstOne)
        assert (ratio.kind, ratio.level) == ("ratio below one", 0.95)
    assert isinstance(t4, Equivalence)
    assert t4.margins == ((0.8, 1.25), (0.9, 1.11), (0.67, 1.5), (0.5, 2.0))
    assert t4.level == 0.95
    assert isinstance(t5, Together)
    assert t5.of == ("T1", "T2", "T3a", "T4")


def test_margins_of_a_ratio_are_as_wide_downwards_as_upwards():
    """But for rounding to two digits, a ratio and its inverse get the same verdict."""
    for low, high in TABLE.find("T4").rule.margins:
        assert abs(1 / low - high) < 0.01


def test_half_width_of_cats_is_the_standard_deviation_in_other_words():
    """Half width at half height of a Gaussian: sqrt(2 ln 2) SD."""
    by_name = {w.quantity: w for w in TABLE.find("T0").window}
    sd, width = by_name["mean Gaussian SD"], by_name["half width at half height"]
    factor = math.sqrt(2 * math.log(2))
    assert (round(factor * sd.low), round(factor * sd.high)) == (width.low, width.high)
    assert (sd.low + sd.high) / 2 == pytest.approx(14.6)


@pytest.mark.parametrize(
    ("identifier", "deciding"),
    [
        ("T1", []),
        ("T2", []),
        ("T3a", []),
        ("T4", [("T4", "ratio of spontaneous rates")]),
        ("T5", [("T4", "ratio of spontaneous rates")]),
        ("T7", []),
        (
            "T8",
            [
                ("T8", "response under NMDA block over control"),
                ("T8", "response under AMPA block over control"),
            ],
        ),
        (
            "T12",
            [
                ("T12", "relative change of the semisaturation contrast"),
                ("T12", "relative change of the exponent"),
            ],
        ),
    ],
)
def test_windows_that_enter_a_verdict_are_known_and_those_of_others_held_together(identifier, deciding):
    row = TABLE.find(identifier)
    assert [(i, w.quantity) for i, w in TABLE.deciding(row)] == deciding
    assert TABLE.decided_by_our_window(row) == bool(deciding)


def test_reported_values_lie_inside_the_bands_around_them():
    nmda, ampa = TABLE.find("T8").window
    assert nmda.low < 0.45 < nmda.high
    assert ampa.low < 0.117 < ampa.high
    share, recovery = TABLE.find("T14").window
    assert share.low < 0.58 < share.high
    assert recovery.low < 60 < recovery.high


def test_every_window_says_who_gave_it_and_none_passes_for_published():
    for t in TABLE.target:
        assert all(w.ours and not w.source for w in t.window)
        assert t.rule is None or t.rule.given_by == "ours"


def test_words_hold_the_numbers_of_rule_and_window():
    words = {t.id: t.rule_in_words for t in TABLE.target}
    assert "p < 0.05 and more than 60 % of cells down; loss of all tuning fails" in words["T1"]
    assert "more than 5 deg" in words["T2"]
    assert "95 % interval lies below 1" in words["T3a"]
    assert "within 0.8 to 1.25" in words["T4"]
    assert "also for 0.9 to 1.11, 0.67 to 1.5, 0.5 to 2" in words["T4"]
    assert words["T5"] == "T1, T2, T3a and T4 met by the same parameters"
    assert "0.25 to 0.8;" in words["T8"]
    assert "for at least one set of parameters" in words["T11"]
    assert "interval excludes 1; and relative change of the semisaturation contrast: -0.15 to" in words["T12"]
    assert "cat: " in words["T13"]
    assert "mouse: " in words["T13"]
    assert words["T7"] == "no rule: not judged"


def test_a_rule_of_another_window_has_other_words():
    wider = {**MARGIN, "low": 0.5, "high": 2.0}
    rule = {"kind": "range", "quantities": ["q"], "ours": True}
    assert target(rule).rule_in_words == "q: 0.8 to 1.25"
    assert target(rule, [wider]).rule_in_words == "q: 0.5 to 2"


RANGE = {"kind": "range", "quantities": ["q"], "ours": True}
EQUAL = {"kind": "equivalence", "quantity": "q", "margins": [[0.8, 1.25]], "level": 0.95, "ours": True}


@pytest.mark.parametrize("level", ["A", "B", "C"])
def test_a_judged_target_without_a_rule_is_refused(level):
    with pytest.raises(ValidationError, match=f"level {level} is judged.*give it a pass rule"):
        target(level=level)
    target(level="A-weak")


@pytest.mark.parametrize(
    ("rule", "given", "says"),
    [
        (RANGE, {"level": "none"}, "not judged; leave the rule out"),
        ({**RANGE, "quantities": ["r"]}, {}, "'r' has no window"),
        ({**RANGE, "quantities": []}, {}, "at least 1 item"),
        ({**RANGE, "kind": "rnage"}, {}, "'rnage' is no kind of rule; use one of: paired decrease"),
        ({**RANGE, "kind": ["range"]}, {}, "is no kind of rule"),
        ({"quantities": ["q"], "ours": True}, {}, "kind: missing"),
        ("falls", {}, "not a table of keys"),
        ({**RANGE, "ours": False}, {}, "nobody gives its numbers"),
        ({**RANGE, "source": "s"}, {}, "both ours = true and a source"),
        (RANGE, {"window": [MARGIN, MARGIN]}, "'q' has two"),
        (RANGE, {"window": [{**MARGIN, "high": math.nan}]}, "finite"),
        (RANGE, {"window": [{**MARGIN, "high": "2"}]}, "valid number"),
        ({**EQUAL, "margins": [[0.9, 1.11]]}, {}, "must be the window of 'q', 0.8 to 1.25"),
        ({**EQUAL, "margins": [[0.8, 1.25], [1.1, 1.3]]}, {}, "1.1 to 1.3 does not hold 1"),
        ({**EQUAL, "level": 95.0}, {}, "less than 1"),
        ({"kind": "all of", "rules": [RANGE], "ours": True}, {}, "at least 2 items"),
        (
            {"kind": "all of", "rules": [RANGE, {"kind": "together"}], "ours": True},
            {},
            "'together' is no kind",
        ),
    ],
)
def test_faulty_rules_are_refused(rule, given, says):
    with pytest.raises(ValidationError) as caught:
        target(rule, **given)
    assert says in str(caught.value)


def test_window_ends_in_order():
    with pytest.raises(ValidationError, match="low must be below high"):
        Window(quantity="q", low=2.0, high=1.0, unit="1", ours=True)


@pytest.mark.parametrize("of", [["T1", "T99"], ["T1", "T7"], ["T1", "T5"], ["T1", "X"]])
def test_targets_held_together_must_each_be_judged(of):
    row = target({"kind": "together", "of": of, "ours": True}, source="ouelhazi2019")
    with pytest.raises(ValidationError, match=f"'{of[1]}' is no target with a rule of its own"):
        EffectTable(source=TABLE.source, effect=TABLE.effect, target=(*TABLE.target, row))
