"""The table of reported effects: complete, consistent, and without an invented number."""

import re

import pytest

from ketune.errors import InputError
from ketune.evidence import reported_effects

TABLE = reported_effects()


def test_rows_are_there():
    assert [e.id for e in TABLE.effect if e.id.startswith("K")] == [f"K{i}" for i in range(1, 14)]
    targets = ["T0", "T1", "T2", "T3a", "T3b", *(f"T{i}" for i in range(4, 18))]
    assert [t.id for t in TABLE.target] == targets


def test_no_size_is_given_for_effects_of_topical_ketamine_whose_size_was_not_found():
    for effect in TABLE.effect:
        if effect.id.startswith("K"):
            assert not effect.size_known
            assert not re.search(r"\d", effect.size + effect.n)


@pytest.mark.parametrize(
    ("effect", "size", "n", "citation"),
    [
        ("N1", "45.0 %", "14", "Neuroscience 94:697"),
        ("N2", "11.7 %", "93", "Neuroscience 94:697"),
        ("N5", "7/13", "13", "J Neurophysiol 81:204"),
        ("A1", "58 % attractive, 42 % repulsive", "unknown", "10.1186/1471-2202-9-60"),
        ("A2", "75 % same, 25 % different", "105", "10.1186/1471-2202-10-147"),
        ("B1", "14.6 deg", "46", "Nauhaus"),
        ("C9", "200 to 400 %", "16 rats", "18022604"),
    ],
)
def test_numbers_that_were_read_stand_with_their_source(effect, size, n, citation):
    row = TABLE.find(effect)
    assert size in row.size
    assert n in row.n
    assert citation in TABLE.citation(row)


def test_no_other_effect_has_a_number_for_its_size():
    known = {e.id for e in TABLE.effect if re.search(r"\d", e.size)}
    assert known == {"N1", "N2", "N5", "A1", "A2", "B1", "C9"}


def test_every_effect_beside_the_reports_on_ketamine_carries_a_target():
    used = {i for t in TABLE.target for i in t.effects}
    assert {e.id for e in TABLE.effect if not e.id.startswith("K")} <= used


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
