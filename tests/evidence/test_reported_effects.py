"""The table of reported effects: complete, consistent, and without an invented number."""

import re

import pytest

from ketune.errors import InputError
from ketune.evidence import read_effects, reported_effects

TABLE = reported_effects()


def test_rows_are_there():
    assert [e.id for e in TABLE.effect] == [f"K{i}" for i in range(1, 14)]
    assert [t.id for t in TABLE.target] == ["T0", "T1", "T2", "T3a", "T3b", "T4", "T5", "T6", "T7"]


def test_no_size_is_given_for_effects_whose_size_was_not_found():
    for effect in TABLE.effect:
        assert not effect.size_known
        assert not re.search(r"\d", effect.size + effect.n)


@pytest.mark.parametrize(
    ("target", "effect", "direction"),
    [
        ("T1", "K2", "decreases"),
        ("T2", "K1", "changes"),
        ("T3a", "K3", "decreases"),
        ("T4", "K4", "no change"),
        ("T7", "K5", "unknown"),
    ],
)
def test_targets_rest_on_the_reported_direction(target, effect, direction):
    assert effect in TABLE.find(target).effects
    assert TABLE.find(effect).direction == direction
    assert "10.1016/j.brainres.2019.146462" in TABLE.citation(TABLE.find(effect))


def test_windows_admit_no_change_only_where_none_was_reported():
    windows = {t.id: t.window for t in TABLE.target}
    assert windows["T1"][0].high < 0
    assert windows["T3a"][0].high < 1
    assert windows["T4"][0].low < 1 < windows["T4"][0].high
    assert windows["T7"] == ()


def test_unknown_id_lists_the_known():
    with pytest.raises(InputError, match="no reported effect or target 'K99'; known: K1, K2"):
        TABLE.find("K99")


GOOD = """
[[source]]
id = "s"
citation = "Somebody 2030"
doi = ""
read = "full text"
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


def test_users_add_their_own_rows(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    assert read_effects(path).find("E1").size_known


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('source = "s"', 'source = "t"', "cites source 't'"),
        ('quantity = "q"\n', "", "quantity"),
        ('confidence = "R"', 'confidence = "high"', "confidence"),
        ("[[effect]]", "[[effect", "not valid TOML"),
        (
            "[[effect]]",
            '[[source]]\nid = "s"\ncitation = ""\ndoi = ""\nread = "legend"\n[[effect]]',
            "given twice",
        ),
    ],
)
def test_faulty_table_is_one_line(tmp_path, old, new, says):
    path = tmp_path / "mine.toml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        read_effects(path)
    assert "mine.toml" in str(caught.value)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unreadable_table_is_one_line(tmp_path):
    with pytest.raises(InputError, match="cannot read"):
        read_effects(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not text"):
        read_effects(tmp_path / "binary.toml")
