"""What a drug changed over the kept sets, beside what was reported."""

import numpy as np
import pytest

from ketune import evidence
from ketune.workflow._changes import changes

BEFORE = {
    "preferred_deg": 175.0,
    "osi_fit": 0.6,
    "gosi": 0.3,
    "fano": 2.0,
    "spontaneous_rate_hz": 1.0,
    "peak_rate_hz": 20.0,
}


def kept(*during):
    return [{"before": BEFORE, "during": {**BEFORE, **d}} for d in during]


def row(quantity, *during):
    return next(r for r in changes(kept(*during), reported=True) if r["quantity"] == quantity)


def test_one_row_for_each_quantity_with_the_report_it_is_held_to():
    rows = changes(kept({}), reported=True)
    assert [r["quantity"] for r in rows] == [
        "preferred_deg", "osi_fit", "gosi", "fano", "spontaneous", "peak_rate",
    ]  # fmt: skip
    table = evidence.reported_effects()
    for r in rows:
        effect = table.find(r["reported_id"])
        assert r["reported"] == effect.direction
        assert r["source"] == table.citation(effect)


def test_best_and_range_over_the_kept_sets():
    r = row("gosi", {"gosi": 0.15}, {"gosi": 0.24}, {"gosi": 0.09})
    assert (r["unit"], r["best"], r["low"], r["high"]) == (
        "ratio", pytest.approx(0.5), pytest.approx(0.3), pytest.approx(0.8),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("during", "change"), [(5.0, 10.0), (165.0, -10.0), (175.0, 0.0), (84.0, 89.0), (87.0, -88.0)]
)
def test_shifts_of_the_preferred_orientation_wrap(during, change):
    r = row("preferred_deg", {"preferred_deg": during})
    assert (r["unit"], r["best"]) == ("deg", pytest.approx(change))


@pytest.mark.parametrize(
    ("quantity", "field", "values", "found", "agrees"),
    [
        ("osi_fit", "osi_fit", [0.3, 0.2], "decrease", True),
        ("osi_fit", "osi_fit", [0.9, 0.8], "increase", False),
        ("osi_fit", "osi_fit", [0.6, 0.55], "no change", False),
        ("osi_fit", "osi_fit", [0.3, 0.9], None, None),
        ("osi_fit", "osi_fit", [0.3, 0.58], None, None),
        ("fano", "fano", [1.0, 1.4], "decrease", True),
        ("fano", "fano", [3.0, 4.0], "increase", False),
        ("preferred_deg", "preferred_deg", [5.0, 160.0], "shifts", True),
        ("preferred_deg", "preferred_deg", [177.0, 172.0], "no change", False),
        ("preferred_deg", "preferred_deg", [177.0, 10.0], None, None),
        ("spontaneous", "spontaneous_rate_hz", [0.9, 1.1], "no change", True),
        ("spontaneous", "spontaneous_rate_hz", [0.2, 0.3], "decrease", False),
        ("spontaneous", "spontaneous_rate_hz", [2.0, 3.0], "increase", False),
        # No direction was reported.
        ("peak_rate", "peak_rate_hz", [5.0, 6.0], "decrease", None),
    ],
)
def test_direction_that_all_kept_sets_share_against_the_reported_one(quantity, field, values, found, agrees):
    r = row(quantity, *({field: v} for v in values))
    assert r["determined"] is (found is not None)
    assert (r["found"], r["agrees"]) == (found, agrees)


@pytest.mark.parametrize("missing", [None, np.nan])
def test_a_set_without_a_value_leaves_the_change_undetermined(missing):
    r = row("spontaneous", {"spontaneous_rate_hz": 0.3}, {"spontaneous_rate_hz": missing})
    assert not r["determined"]
    assert r["agrees"] is None
    assert (r["low"], r["high"]) == (pytest.approx(0.3), pytest.approx(0.3))


def test_silence_before_has_no_ratio():
    silent = [{"before": {**BEFORE, "spontaneous_rate_hz": 0.0}, "during": BEFORE}]
    r = next(r for r in changes(silent, reported=True) if r["quantity"] == "spontaneous")
    assert np.isnan(r["best"])
    assert np.isnan(r["low"])
    assert not r["determined"]
    assert r["agrees"] is None


def test_what_no_report_speaks_of_is_not_compared() -> None:
    rows = changes(kept({}), reported=False)
    assert {(r["reported"], r["reported_id"], r["source"], r["agrees"]) for r in rows} == {
        ("unknown", None, "", None)
    }
