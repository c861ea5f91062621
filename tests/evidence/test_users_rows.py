"""A user's rows: beside ours or in their place, and refused in one line that names file, row and key."""

import re
from pathlib import Path

import pytest

from ketune.errors import InputError
from ketune.evidence import EffectTable, extended, read_effects, reported_effects

SOURCE = """
[[source]]
id = "s"
citation = "Somebody 2099"
doi = ""
read = "full text"
"""
EFFECT = """
[[effect]]
id = "E1"
quantity = "q"
direction = "increases"
size = "12 +- 3 %"
n = "20"
preparation = "p"
dose = "d"
route = "r"
source = "s"
confidence = "R"
"""
WINDOW = """
[[window]]
target = "T4"
quantity = "ratio of spontaneous rates"
low = 0.85
high = 1.18
unit = "1"
source = "s"
"""
TARGET = """
[[target]]
id = "T1"
statement = "the index falls"
level = "B"
effects = ["E1", "K2"]
pass_rule = "in its window"
source = "s"

[[target.window]]
quantity = "relative change of the index"
low = -0.4
high = -0.2
unit = "1"
source = "s"

[target.rule]
kind = "range"
quantities = ["relative change of the index"]
source = "s"
"""
GOOD = SOURCE + EFFECT + TARGET + WINDOW


@pytest.fixture
def rows(tmp_path):
    def read(text):
        (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
        return read_effects(tmp_path / "mine.toml")

    return read


def test_rows_are_added_and_ours_stay(rows):
    base = reported_effects()
    table = extended(base, rows(SOURCE + EFFECT))
    assert table.rows() == [*base.effect, table.find("E1"), *base.target]
    assert table.find("E1").size_known
    assert table.citation(table.find("E1")) == "Somebody 2099 (full text read)"
    assert reported_effects().effect == base.effect


def test_a_row_with_an_id_of_ours_takes_its_place(rows):
    table = extended(reported_effects(), rows(SOURCE + EFFECT.replace("E1", "K2")))
    assert [e.id for e in table.effect] == [e.id for e in reported_effects().effect]
    assert table.find("K2").size == "12 +- 3 %"
    assert table.find("K1") == reported_effects().find("K1")


def test_a_target_of_the_user_takes_the_place_of_ours(rows):
    table = extended(reported_effects(), rows(SOURCE + EFFECT + TARGET))
    row = table.find("T1")
    assert row.rule_in_words == "relative change of the index: -0.4 to -0.2"
    assert not row.window_is_ours
    assert [w.quantity for w in row.deciding] == ["relative change of the index"]
    assert [i for i, _ in table.deciding(table.find("T5"))] == ["T1", "T4"]


def test_a_window_with_a_source_takes_the_place_of_ours_and_is_no_longer_ours(rows):
    table = extended(reported_effects(), rows(SOURCE + WINDOW))
    row = table.find("T4")
    (window,) = row.window
    assert (window.low, window.high, window.given_by) == (0.85, 1.18, "s")
    assert table.citation(window) == "Somebody 2099 (full text read)"
    assert not row.window_is_ours
    assert not table.decided_by_our_window(row)
    assert not table.decided_by_our_window(table.find("T5"))
    assert table.decided_by_our_window(table.find("T8"))


def test_the_margin_of_the_user_decides_and_ours_are_still_shown(rows):
    rule = extended(reported_effects(), rows(SOURCE + WINDOW)).find("T4").rule
    assert rule.margins == ((0.85, 1.18), (0.8, 1.25), (0.9, 1.11), (0.67, 1.5), (0.5, 2.0))
    same = WINDOW.replace("0.85", "0.9").replace("1.18", "1.11")
    rule = extended(reported_effects(), rows(SOURCE + same)).find("T4").rule
    assert rule.margins == ((0.9, 1.11), (0.8, 1.25), (0.67, 1.5), (0.5, 2.0))


def test_a_replaced_window_changes_a_range_but_not_the_windows_beside_it(rows):
    text = WINDOW.replace("T4", "T0").replace("ratio of spontaneous rates", "selectivity index")
    row = extended(reported_effects(), rows(SOURCE + text)).find("T0")
    assert "mouse: selectivity index: 0.85 to 1.18" in row.rule_in_words
    assert "cat: mean Gaussian SD: 11.6 to 17.6 deg" in row.rule_in_words
    assert [w.ours for w in row.window] == [True, True, False, True, True]
    assert row.window_is_ours


def test_a_window_fits_the_users_own_target_too(rows):
    """The two may stand in one file, in any order."""
    text = WINDOW.replace("T4", "T1").replace("ratio of spontaneous rates", "relative change of the index")
    row = extended(reported_effects(), rows(SOURCE + text + EFFECT + TARGET)).find("T1")
    assert row.rule_in_words == "relative change of the index: 0.85 to 1.18"


def test_rows_alone_are_a_table_where_nothing_of_ours_is_cited(rows):
    assert [e.id for e in extended(EffectTable(), rows(SOURCE + EFFECT)).effect] == ["E1"]


def test_the_example_of_the_documentation_does_what_is_said_there(rows):
    text = (Path(__file__).parents[2] / "docs" / "evidence.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    table = extended(reported_effects(), rows(example))
    assert table.find("T4").rule.margins[:2] == ((0.85, 1.18), (0.8, 1.25))
    assert not table.decided_by_our_window(table.find("T5"))
    assert table.find("TS1").rule_in_words == "ratio of half widths: 1.1 to 1.5"


def test_an_empty_file_changes_nothing(rows):
    assert extended(reported_effects(), rows("")) == reported_effects()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('n = "20"\n', "", "mine.toml: effect 'E1': n: missing; add it"),
        ('r"\nsource = "s"\n', 'r"\n', "mine.toml: effect 'E1': source: missing; add it"),
        ('id = "E1"\n', "", "mine.toml: effect 1: id: missing; add it"),
        ('confidence = "R"', 'confidence = "high"', "mine.toml: effect 'E1': confidence: "),
        ('n = "20"', "n = 20", "mine.toml: effect 'E1': n: "),
        ('n = "20"', 'n = "20"\nnumber = 3', "mine.toml: effect 'E1': number: unknown key"),
        ("[[effect]]", "[[effect", "not valid TOML"),
        ("[[effect]]", "[[efect]]", "mine.toml: 'efect' is no kind of row; use [[source]], [[effect]]"),
        ("[[effect]]", "[effect]", "mine.toml: effect: not a list of rows; begin each with [[effect]]"),
        ("[[effect]]", SOURCE + "[[effect]]", "mine.toml: source 's' is given twice"),
        ('id = "T1"', 'id = "E1"', "mine.toml: target 'E1' is given twice"),
        ("[[window]]", WINDOW + "[[window]]", "window 'T4: ratio of spontaneous rates' is given twice"),
        ('kind = "range"\n', "", "mine.toml: target 'T1': rule: kind: missing; use one of"),
        ('kind = "range"', 'kind = "falls"', "mine.toml: target 'T1': rule: kind: 'falls' is no kind of rule"),
        ('["relative', '["the', "mine.toml: target 'T1': rule: 'the change of the index' has no window"),
        ("low = -0.4", "low = -0.1", "mine.toml: target 'T1': window.1: window of relative change"),
        ("low = 0.85", 'low = "a"', "mine.toml: window of 'ratio of spontaneous rates': low: "),
        ('high = 1.18\nunit = "1"\nsource = "s"\n', 'high = 1.18\nunit = "1"\n',
         "mine.toml: window of 'ratio of spontaneous rates': source: missing; add it"),
        ('target = "T4"', "", "mine.toml: window of 'ratio of spontaneous rates': target: missing"),
    ],
)  # fmt: skip
def test_a_faulty_row_is_one_line_with_file_row_and_key(rows, old, new, says):
    assert old in GOOD
    with pytest.raises(InputError) as caught:
        rows(GOOD.replace(old, new, 1))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("level", ["A", "B", "C"])
def test_a_judged_target_without_a_rule_is_refused(rows, level):
    text = (SOURCE + EFFECT + TARGET[: TARGET.index("[target.rule]")]).replace(
        'level = "B"', f'level = "{level}"'
    )
    with pytest.raises(InputError, match=f"mine.toml: target 'T1': level {level} is .*give it a pass rule"):
        rows(text)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('r"\nsource = "s"', 'r"\nsource = "t"', "effect 'E1': source: cites 't', which is not in the table"),
        ('["E1", "K2"]', '["E2"]', "target 'T1': effects: rests on 'E2', which is not in the table"),
        ('"]\nsource = "s"', '"]\nsource = "t"', "target 'T1': rule: source: cites 't'"),
        ('high = -0.2\nunit = "1"\nsource = "s"', 'high = -0.2\nunit = "1"\nsource = "t"',
         "target 'T1': window 'relative change of the index': source: cites 't'"),
        ('target = "T4"', 'target = "T99"', "rates': target: there is no 'T99'; known: T0, T1"),
        ('"ratio of spontaneous rates"', '"spontaneous rate"',
         "quantity: target 'T4' has no such window; it has 'ratio of spontaneous rates'"),
        ('high = 1.18\nunit = "1"', 'high = 1.18\nunit = "percent"', "unit: 'percent', but the window"),
        ("high = 1.18", "high = 0.95", "0.85 to 0.95 does not hold 1"),
    ],
)  # fmt: skip
def test_rows_that_fit_nothing_are_one_line_with_the_file(rows, old, new, says):
    assert old in GOOD
    extra = rows(GOOD.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        extended(reported_effects(), extra)
    assert "mine.toml: " in str(caught.value)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_replacing_a_target_by_one_without_a_rule_breaks_those_that_rest_on_it(rows):
    text = TARGET[: TARGET.index("[[target.window]]")].replace('level = "B"', 'level = "none"')
    with pytest.raises(InputError, match="target 'T5': rule: of: 'T1' is no target with a rule"):
        extended(reported_effects(), rows(SOURCE + EFFECT + text))


def test_unreadable_table_is_one_line(tmp_path):
    with pytest.raises(InputError, match="cannot read"):
        read_effects(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not text"):
        read_effects(tmp_path / "binary.toml")
