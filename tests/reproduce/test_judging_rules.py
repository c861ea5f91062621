"""The rules by which counts are judged come from the table of reported effects, the user's rows included."""

import pytest

from ketune.errors import InputError
from ketune.evidence import extended, read_effects, reported_effects
from ketune.reproduce import PassRules, screen, shipped_rules

PAPER = """
[[source]]
id = "paper"
citation = "Somebody 2099, Journal 1:1"
doi = ""
read = "full text"
"""
WINDOW = """
[[window]]
target = "{target}"
quantity = "{quantity}"
low = {low}
high = {high}
unit = "1"
source = "paper"
"""


@pytest.fixture
def with_rows(tmp_path):
    def rules(text: str) -> PassRules:
        file = tmp_path / "rows.toml"
        file.write_text(PAPER + text)
        return PassRules.of(extended(reported_effects(), read_effects(file)))

    return rules


def test_shipped_rules_are_those_of_the_evidence_page():
    rules = shipped_rules()
    assert (rules.falls.alpha, rules.falls.least_share, rules.falls.lost_tuning_fails) == (0.05, 0.6, True)
    assert (rules.moves.threshold_deg, rules.moves.alpha) == (5.0, 0.05)
    assert rules.margins[0] == (0.8, 1.25)
    assert rules.margin_is_ours
    assert rules.together == ("T1", "T2", "T3a", "T4")
    assert rules.levels["T3b"] == "C"


def test_a_users_window_stands_beside_the_verdict(with_rows, recorded_population):
    text = WINDOW.format(target="T3a", quantity="ratio of Fano factors", low=0.97, high=1.5)
    counts, rules = recorded_population(11, 16), with_rows(text)
    ours, theirs = screen(counts)["T3a"], screen(counts, rules=rules)["T3a"]
    assert (ours.window_is_ours, theirs.window_is_ours) == (True, False)
    assert (ours.met, ours.value) == (theirs.met, theirs.value)
    assert theirs.in_window == (0.97 <= theirs.value <= 1.5)


def test_a_users_margin_decides(with_rows, recorded_population):
    rules = with_rows(WINDOW.format(target="T4", quantity="ratio of spontaneous rates", low=0.4, high=2.5))
    counts = recorded_population(12, blank_ratio=1.5)
    ours, theirs = screen(counts)["T4"], screen(counts, rules=rules)["T4"]
    assert (ours.met, theirs.met) == (False, True)
    assert (ours.window_is_ours, theirs.window_is_ours) == (True, False)


TARGET = """
[[target]]
id = "{id}"
statement = "as the user sees it"
level = "A"
effects = ["K1"]
pass_rule = "its own"
source = "paper"
{window}
[target.rule]
ours = true
{rule}
"""


@pytest.mark.parametrize(
    ("identifier", "rule", "message"),
    [
        ("T2", 'kind = "slope below null"\nalpha = 0.05', "'T2': its rule cannot be judged from counts"),
        ("T2", 'kind = "share beyond null"\nthreshold_deg = 8.0\nalpha = 0.05', "no window of 'median"),
        ("T3a", 'kind = "ratio below one"\nquantities = ["x"]\nlevel = 0.9', "'T3a'.*level = 0.95"),
        ("T3a", 'kind = "ratio above one"\nquantities = ["x"]\nlevel = 0.95', "'T3a'.*below 1"),
        ("T5", 'kind = "together"\nof = ["T1", "T9"]', "'T9' has no verdict from counts; use T1"),
    ],
)  # fmt: skip
def test_rules_that_counts_cannot_decide(with_rows, identifier, rule, message):
    with pytest.raises(InputError, match=message):
        with_rows(TARGET.format(id=identifier, rule=rule, window=""))


def test_a_threshold_of_the_users(with_rows, recorded_population):
    text = TARGET.format(
        id="T2",
        rule='kind = "share beyond null"\nthreshold_deg = 20.0\nalpha = 0.05',
        window=(
            'window = [{quantity = "median absolute shift", low = 5, high = 25, unit = "deg", source = "paper"},'
            ' {quantity = "mean signed shift", low = -3, high = 3, unit = "deg", source = "paper"}]'
        ),
    )
    counts, rules = recorded_population(13, shift_sd_deg=12.0), with_rows(text)
    assert screen(counts, rules=rules)["T2"].value < screen(counts)["T2"].value


def test_targets_that_are_missing():
    table = reported_effects().model_copy(update={"target": ()})
    with pytest.raises(InputError, match="no target 'T1'; add it"):
        PassRules.of(table)
