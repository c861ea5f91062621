"""Verdicts on T1 to T5: calibration on populations whose truth is known, rules, and edges."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from ketune.errors import InputError
from ketune.reproduce import PopulationCounts, Verdicts, Window, judge, screen, shipped_rules
from ketune.tuning import fit_counts

TARGETS = ("T1", "T2", "T3a", "T3b", "T4", "T5")
REPORTED: dict[str, Any] = {"shift_sd_deg": 12.0, "fano_ratio": 0.75, "raised_floor": 0.1, "blank_hz": 2.0}
# Peak to 45 %, 1.3 times as wide, preferred orientations as they were: 2 Hz, counted over the reported trial.
WEAKER = {"peak_hz": 2.0, "sigma_deg": 25.0, "floor": 0.15, "rate": 0.45, "width": 1.3, "window_s": 4.1}


def times_met(recorded_population, n: int, **changed: Any) -> dict[str, int]:
    found = [screen(recorded_population(3000 + i, **changed)) for i in range(n)]
    return {target: sum(v[target].met for v in found) for target in TARGETS}


def test_nothing_changed_is_rarely_called_a_change(recorded_population) -> None:
    """At a true rate of 5 %, more than 6 of 40 happen once in 300 times."""
    met = times_met(recorded_population, 40, blank_hz=2.0)
    assert max(met[t] for t in ("T1", "T2", "T3a", "T3b")) <= 6
    assert met["T4"] >= 38
    assert met["T5"] == 0


@pytest.mark.parametrize("window_s", [0.5, 4.1])
def test_a_weaker_broader_response_is_not_called_a_shift(recorded_population, window_s: float) -> None:
    assert times_met(recorded_population, 25, **WEAKER | {"window_s": window_s})["T2"] <= 4


def test_true_changes_are_called(recorded_population) -> None:
    met = times_met(recorded_population, 15, shift_sd_deg=12.0, fano_ratio=0.8)
    assert met["T2"] == met["T3a"] == met["T3b"] == 15
    weak = times_met(recorded_population, 15, **WEAKER | {"shift_sd_deg": 12.0})
    assert weak["T2"] >= 14


def test_rates_at_a_margin_or_unknown_are_not_called_equal(recorded_population) -> None:
    assert times_met(recorded_population, 12, blank_hz=2.0, blank_ratio=1.25)["T4"] <= 2
    assert times_met(recorded_population, 12, blank_hz=2.0, blank_ratio=0.8)["T4"] <= 2
    assert times_met(recorded_population, 12, blank_hz=0.02)["T4"] == 0  # some 12 spikes in each condition


def test_all_reported_changes_together_meet_t5(recorded_population) -> None:
    counts = recorded_population(11, **REPORTED)
    for verdicts in (judge(counts, seed=1, n_null=50), screen(counts)):
        assert [verdicts[t].met for t in TARGETS] == [True] * 6
        assert verdicts.together
        assert verdicts["T5"].value == 4
        assert verdicts["T1"].in_window
        assert verdicts["T3a"].in_window
        assert all(v.window_is_ours for v in verdicts.targets.values())
        assert [t for t in TARGETS if verdicts[t].window_decides] == ["T4", "T5"]


def test_both_levels_agree_and_judging_again_gives_the_same(recorded_population) -> None:
    for seed, changed in enumerate(({}, {"shift_sd_deg": 4.0, "fano_ratio": 0.88, "rate": 0.7})):
        counts = recorded_population(40 + seed, 24, **changed)
        full, quick = judge(counts, seed=5, n_null=40), screen(counts)
        assert judge(counts, seed=5, n_null=40) == full
        for target in ("T1", "T2", "T3a", "T3b", "T4"):
            assert quick[target].value == pytest.approx(full[target].value)
            assert quick[target].interval is not None
            assert full[target].interval is not None
            middle = np.mean(full[target].interval)
            assert np.mean(quick[target].interval) == pytest.approx(middle, abs=0.08 * max(abs(middle), 0.2))
        chance = [v["T2"].numbers["chance_share"] for v in (full, quick)]
        assert chance[0] == pytest.approx(chance[1], abs=0.04)
        assert full.screening is False
        assert quick.screening is True


def test_selectivity_is_compared_by_scipys_signed_rank_test(recorded_population) -> None:
    counts = recorded_population(50, 12, raised_floor=0.03)
    theta = counts.orientation_deg[:-1]
    osi = np.array(
        [
            [
                fit_counts(theta, n.mean(axis=1), n.var(axis=1, ddof=1), 25).osi
                for n in condition[:, :-1]
            ]
            for condition in (counts.control, counts.drug)
        ]
    )  # fmt: skip
    verdict = screen(counts)["T1"]
    assert verdict.numbers["p_value"] == pytest.approx(stats.wilcoxon(osi[1], osi[0]).pvalue, rel=0.02)
    assert verdict.numbers["share_down"] == np.mean(osi[1] < osi[0])
    assert verdict.value == pytest.approx(np.median((osi[1] - osi[0]) / osi[0]), abs=2e-3)
    sign_test = stats.quantile_test((osi[1] - osi[0]) / osi[0], q=0, p=0.5).confidence_interval(0.95)
    assert verdict.interval == pytest.approx(tuple(sign_test), abs=3e-3)
    share = screen(counts)["T2"]
    wilson = stats.binomtest(round(share.value * 12), 12).proportion_ci(method="wilson")
    assert share.interval == pytest.approx((wilson.low, wilson.high))


def test_lost_tuning_is_not_a_fall_of_selectivity(recorded_population) -> None:
    verdicts = screen(recorded_population(60, 24, raised_floor=0.8))
    assert not verdicts["T1"].met
    assert verdicts["T1"].value < -0.5
    assert "lose their tuning" in verdicts["T1"].words
    assert not verdicts["T2"].met
    assert verdicts["T2"].numbers["untuned_drug"] > 12
    assert "count as not shifted" in verdicts["T2"].words


def test_every_margin_has_its_verdict_and_the_first_decides(recorded_population) -> None:
    counts = recorded_population(70, **REPORTED | {"blank_ratio": 1.3})
    verdicts = screen(counts)
    assert [m for m, _ in verdicts.spontaneous] == [(0.8, 1.25), (0.9, 1.11), (0.67, 1.5), (0.5, 2.0)]
    assert [v.met for _, v in verdicts.spontaneous] == [False, False, True, True]
    assert [v.in_window for _, v in verdicts.spontaneous] == [False, False, True, True]
    assert verdicts["T5"].words == "not met: fails T4"
    assert screen(counts, rules=replace(shipped_rules(), margins=((0.5, 2.0),)))["T5"].met


def test_a_silent_blank_leaves_t4_and_t5_undecided(recorded_population) -> None:
    counts = recorded_population(11, **REPORTED)
    control, drug = counts.control.copy(), counts.drug.copy()
    control[:, -1] = drug[:, -1] = 0
    for verdicts in (
        screen(replace(counts, control=control, drug=drug)),
        judge(replace(counts, control=control, drug=drug), seed=0, n_null=20),
    ):
        assert not verdicts["T4"].met
        assert not verdicts["T4"].decided
        assert verdicts["T4"].words == "undecided: no spike in any blank trial"
        assert not verdicts["T5"].met
        assert not verdicts["T5"].decided
        assert verdicts["T5"].words == "undecided: T4"


@pytest.mark.parametrize("silent", ["control", "drug", "both"])
def test_a_silent_population_meets_nothing(recorded_population, silent: str) -> None:
    counts = recorded_population(80, 6)
    nothing = np.zeros_like(counts.control)
    changed = {name: nothing for name in ("control", "drug") if silent in (name, "both")}
    for verdicts in (
        screen(replace(counts, **changed)),
        judge(replace(counts, **changed), seed=0, n_null=20),
    ):
        assert not any(v.met for v in verdicts.targets.values())
        assert not verdicts["T3a"].decided
        assert not verdicts["T2"].decided


def test_identical_counts_are_no_change(recorded_population) -> None:
    counts = recorded_population(81, 8)
    same: Verdicts = screen(replace(counts, drug=counts.control))
    assert [same[t].met for t in ("T1", "T2", "T3a")] == [False] * 3
    assert same["T1"].numbers["p_value"] == 1.0
    assert same["T3a"].value == same["T4"].value == 1.0


def test_four_orientations_and_three_neurons_are_enough() -> None:
    generator = np.random.default_rng(9)
    theta = np.array([0.0, 45.0, 90.0, 135.0, np.nan])
    counts = PopulationCounts(generator.poisson(3, (3, 5, 4)), generator.poisson(3, (3, 5, 6)), theta, 1.0)
    for verdicts in (screen(counts), judge(counts, seed=0, n_null=20)):
        assert set(verdicts.targets) == set(TARGETS)


def test_a_reported_range_replaces_ours_and_still_decides_nothing(recorded_population) -> None:
    counts = recorded_population(11, 16, **REPORTED)
    reported = screen(counts, rules=replace(shipped_rules(), raw_fano=Window(0.9, 0.99, ours=False)))["T3a"]
    assert not reported.window_is_ours
    assert not reported.in_window
    assert reported.met


def test_too_few_draws_are_refused(recorded_population) -> None:
    with pytest.raises(InputError, match="at least 20 and 100"):
        judge(recorded_population(82, 3), seed=0, n_null=5)
