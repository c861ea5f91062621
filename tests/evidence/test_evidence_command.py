"""`ketune evidence`: the same content for people and as JSON, one row in full, and one line for bad input."""

import json
import re
import textwrap

import pytest

from ketune import _console, cli
from ketune.evidence import reported_effects


@pytest.fixture
def ketune_evidence(capfd, monkeypatch):
    def run(*arguments, width=120):
        monkeypatch.setenv("COLUMNS", str(width))
        code = _console.run(cli.app, ["evidence", *arguments])
        shown = capfd.readouterr()
        return code, shown.out, shown.err

    return run


def squeezed(text):
    return " ".join(text.split())


@pytest.fixture
def rows(ketune_evidence, tmp_path):
    """The example in the help, as a user would copy it."""
    _, shown, _ = ketune_evidence("--help")
    start = shown.index("[[source]]")
    (example,) = re.findall(r"\[\[source\]\].*?confidence = [^\n]*\n", shown[start - 2 :], re.DOTALL)
    path = tmp_path / "rows.toml"
    path.write_text(textwrap.dedent("  " + example), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("width", [80, 120, 200])
def test_all_rows_are_shown_and_fit_the_terminal(ketune_evidence, width):
    code, shown, errors = ketune_evidence(width=width)
    assert (code, errors) == (0, "")
    for row in reported_effects().rows():
        assert re.search(rf"^{row.id}  ", shown, re.MULTILINE), row.id
    assert max(map(len, shown.splitlines())) <= width
    assert squeezed(shown).count("doi:10.1016/j.brainres.2019.146462") == 1


def test_rules_and_windows_say_whose_they_are_and_what_decides(ketune_evidence):
    shown = squeezed(ketune_evidence()[1])
    assert "rule (ours): paired test p < 0.05 and more than 60 % of cells down" in shown
    assert "window (ours; stands beside the verdict): relative change of the index: -0.5 to -0.05" in shown
    assert "window (ours; decides): ratio of spontaneous rates: 0.8 to 1.25" in shown
    assert "decided by the window of T4 (ours): ratio of spontaneous rates: 0.8 to 1.25" in shown
    assert "T7 evoked rate (level none; rests on K5) no rule: not judged" in shown


def test_json_is_the_table(ketune_evidence):
    code, shown, _ = ketune_evidence("--json")
    result = json.loads(shown)
    table = reported_effects()
    assert code == 0
    assert [e["id"] for e in result["effects"]] == [e.id for e in table.effect]
    assert [t["id"] for t in result["targets"]] == [t.id for t in table.target]
    for entry in result["targets"]:
        row = table.find(entry["id"])
        assert entry["rule"] == (row.rule and json.loads(row.rule.model_dump_json()))
        assert entry["window_is_ours"] == row.window_is_ours
        assert entry["decided_by_our_window"] == table.decided_by_our_window(row)
    assert {s["id"] for s in result["sources"]} == {s.id for s in table.source}


def test_people_read_what_programs_read(ketune_evidence):
    """Every text of every row in JSON stands in what is shown for that row, and nothing is cut off."""
    for identifier in ("K1", "N1", "T0", "T4", "T5", "T8", "T12"):
        (entry,) = [
            e
            for kind in ("effects", "targets")
            for e in json.loads(ketune_evidence(identifier, "--json")[1])[kind]
            if e["id"] == identifier
        ]
        shown = squeezed(ketune_evidence(identifier)[1])
        keys = (
            "quantity",
            "direction",
            "size",
            "n",
            "preparation",
            "dose",
            "route",
            "statement",
            "pass_rule",
        )
        texts = [entry[key] for key in (*keys, "rule_in_words", "citation") if key in entry]
        texts += [text for w in entry.get("windows", ()) for text in (w["words"], w["note"])]
        for text in texts:
            assert squeezed(text) in shown


def test_one_target_is_shown_with_what_it_rests_on(ketune_evidence):
    code, shown, _ = ketune_evidence("T8", "--json")
    result = json.loads(shown)
    assert code == 0
    assert [t["id"] for t in result["targets"]] == ["T8"]
    assert [e["id"] for e in result["effects"]] == ["N1", "N2", "N5", "N9"]
    assert [s["id"] for s in result["sources"]] == ["sato1999", "daw1999", "self2012"]


def test_the_example_in_the_help_replaces_a_window_of_ours(ketune_evidence, rows):
    code, shown, errors = ketune_evidence("T1", "--file", rows)
    assert (code, errors) == (0, "")
    shown = squeezed(shown)
    assert "window* (Somebody 2099, Journal 1:1 (full text read); stands beside the verdict)" in shown
    assert "relative change of the index: -0.4 to -0.2" in shown
    assert "K2* orientation selectivity index: decreases" in shown
    assert f"*: from {rows}" in shown
    assert "window (ours" not in shown


def test_a_number_that_the_user_chose_does_not_pass_for_ours(ketune_evidence, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        """
[[target]]
id = "T3b"
statement = "s"
level = "C"
effects = []
pass_rule = "p"
source = "ouelhazi2019"
rule = { kind = "ratio below one", quantities = ["q"], level = 0.9, ours = true }
window = [{ quantity = "q", low = 0.5, high = 0.9, unit = "1", ours = true }]
"""
    )
    shown = squeezed(ketune_evidence("T3b", "--file", str(path))[1])
    assert "rule (chosen in the file): q: 90 % interval lies below 1" in shown
    assert "window* (chosen in the file; stands beside the verdict)" in shown


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            '[[target]]\nid = "X"\nstatement = ""\nlevel = "A"\neffects = []\npass_rule = ""\nsource = "sato1999"\n',
            "rows.toml: target 'X': level A is judged, and no verdict can be reached; give it a pass rule",
        ),
        (
            '[[window]]\ntarget = "T1"\nquantity = "q"\nlow = 0\nhigh = 1\nunit = "1"\n',
            "rows.toml: window of 'q': source: missing; add it",
        ),
        ("effects: none", "rows.toml: not valid TOML"),
    ],
)
def test_bad_rows_are_one_line_and_exit_code_2(ketune_evidence, tmp_path, text, says):
    (tmp_path / "rows.toml").write_text(text)
    code, shown, errors = ketune_evidence("--file", str(tmp_path / "rows.toml"))
    assert (code, shown) == (2, "")
    assert says in errors
    assert errors.count("\n") == 1


def test_an_unknown_id_is_one_line_and_exit_code_2(ketune_evidence):
    code, shown, errors = ketune_evidence("K99", "--json")
    assert code == 2
    assert "no reported effect or target 'K99'; known: K1, K2" in json.loads(shown)["error"]
    assert errors.count("\n") == 1
