"""Comparison of hypotheses, and folds of trials."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ketune.errors import InputError
from ketune.inference import compare, stratified_folds


def densities(seed: int, rates: dict[str, float], n: int = 250) -> dict[str, np.ndarray]:
    """Log densities of Poisson counts of rate 8 under several rates."""
    counts = np.random.default_rng(seed).poisson(8.0, n)
    return {name: stats.poisson.logpmf(counts, rate) for name, rate in rates.items()}


def test_sums_and_paired_errors():
    pointwise = densities(0, {"close": 8.1, "true": 8.0, "far": 11.0})
    found = {h.name: h for h in compare(pointwise)}
    order = sorted(pointwise, key=lambda name: -pointwise[name].sum())
    assert list(found) == order
    assert order[-1] == "far"
    best = pointwise[order[0]]
    for name, h in found.items():
        assert h.elpd == pytest.approx(pointwise[name].sum())
        assert h.se == pytest.approx(np.sqrt(250) * pointwise[name].std(ddof=1))
        gap = pointwise[name] - best
        assert (h.difference, h.difference_se) == pytest.approx((gap.sum(), np.sqrt(250) * gap.std(ddof=1)))
    assert found["far"].difference_se < found["far"].se


def test_the_paired_error_is_the_spread_over_repeated_recordings():
    gaps = [
        {h.name: h for h in compare(densities(seed, {"a": 8.0, "b": 11.0}))}["b"].difference
        for seed in range(400)
    ]
    claimed = {h.name: h for h in compare(densities(0, {"a": 8.0, "b": 11.0}))}["b"].difference_se
    assert np.std(gaps) == pytest.approx(claimed, rel=0.2)


def test_words():
    clear = compare(densities(1, {"null": 12.0, "nmda": 8.0}))
    assert clear[0].name == "nmda"
    assert clear[0].words.startswith("predicts best: better by ")
    assert clear[1].words.startswith("predicts worse than nmda")
    small = compare(densities(1, {"null": 8.2, "nmda": 8.0, "bad": 13.0}))
    assert small[0].words == f"predicts best, but cannot be told apart from {small[1].name}"
    assert "a difference below 4 is small" in small[1].words
    noisy = compare({"a": np.zeros(200), "b": np.r_[-30.0, 10.0, np.zeros(198)]})
    assert "within two standard errors" in noisy[1].words
    assert "optimistic" in compare({"a": np.zeros(20), "b": -np.ones(20)})[1].words
    assert compare({"a": np.zeros(20)})[0].words == "the only hypothesis"


@pytest.mark.parametrize(
    ("pointwise", "message"),
    [
        ({}, "no hypothesis"),
        ({"a": [0.0, 1.0], "b": [0.0]}, "different trials"),
        ({"a": [0.0, -np.inf]}, "'a' gives 1 trials no finite"),
        ({"a": [0.0]}, "at least two"),
    ],
)
def test_what_cannot_be_compared_is_refused(pointwise, message: str):
    with pytest.raises(InputError, match=message):
        compare(pointwise)


@given(
    st.lists(st.lists(st.integers(2, 12), min_size=1, max_size=6), min_size=1, max_size=3),
    st.integers(2, 6),
    st.integers(0, 99),
)
def test_every_fold_has_its_share_of_every_orientation(sizes: list[list[int]], k: int, seed: int):
    total = sum(map(sum, sizes))
    k = min(k, total)
    counts = {f"c{i}": [np.zeros(n) for n in per] for i, per in enumerate(sizes)}
    folds = stratified_folds(counts, k, seed)
    for name, per in counts.items():
        for c, fold in zip(per, folds[name], strict=True):
            assert fold.shape == c.shape
            assert np.ptp(np.bincount(fold, minlength=k)) <= 1
    every = np.concatenate([f for per in folds.values() for f in per])
    assert np.ptp(np.bincount(every, minlength=k)) <= 1
    again = stratified_folds(counts, k, seed)
    assert all(np.array_equal(a, b) for name in folds for a, b in zip(folds[name], again[name], strict=True))


def test_folds_are_drawn_at_random():
    counts = {"control": [np.zeros(20)]}
    drawn = [stratified_folds(counts, 5, seed)["control"][0] for seed in range(200)]
    assert np.mean([d[0] for d in drawn]) == pytest.approx(2.0, abs=0.35)
    assert len({d.tobytes() for d in drawn}) == 200


@pytest.mark.parametrize(
    ("sizes", "k", "message"),
    [([5, 1], 2, "orientation number 2.*'control' has 1"), ([5], 1, "1 folds"), ([3], 9, "9 folds")],
)
def test_folds_that_cannot_be_made(sizes: list[int], k: int, message: str):
    with pytest.raises(InputError, match=message):
        stratified_folds({"control": [np.zeros(n) for n in sizes]}, k, 0)
