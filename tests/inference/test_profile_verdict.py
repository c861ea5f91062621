"""Intervals and verdicts from profiles whose likelihood is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from ketune.errors import InputError
from ketune.inference import identify_profile

PRIOR = stats.norm.ppf((np.arange(2000) + 0.5) / 2000)


@given(st.floats(-3, 3), st.floats(0.3, 2), st.integers(6, 40), st.sampled_from([0.68, 0.9, 0.95]))
def test_a_parabola_gives_the_normal_interval_on_any_grid(
    centre: float, sd: float, n: int, level: float
) -> None:
    grid = np.linspace(-12, 12, n)
    found = identify_profile("x", grid, -0.5 * ((grid - centre) / sd) ** 2 + 17.0, level=level)
    assert (found.low, found.high) == pytest.approx(stats.norm(centre, sd).interval(level), abs=1e-6)
    assert found.median == pytest.approx(centre, abs=1e-6)
    assert (found.verdict, found.method) == ("identified", "profile")


@pytest.mark.parametrize("count", [3, 20, 200])
def test_a_poisson_mean_has_its_likelihood_interval(count: int) -> None:
    def drop(mean: float) -> float:
        return (
            float(stats.poisson.logpmf(count, mean) - stats.poisson.logpmf(count, count))
            + stats.chi2.ppf(0.9, 1) / 2
        )

    grid = count * np.geomspace(0.1, 5, 41)
    found = identify_profile("rate", grid, stats.poisson.logpmf(count, grid), to_normal=np.log)
    exact = optimize.brentq(drop, 1e-9, count), optimize.brentq(drop, count, 10 * count)
    assert (found.low, found.high) == pytest.approx(exact, rel=5e-3)


def test_an_open_end_is_one_sided_and_ends_at_a_bound_or_nowhere() -> None:
    grid = np.linspace(0.05, 1, 20)
    saturating = -4 * grid / (0.1 + grid) * (grid < 0.35) - 3.2 * (grid >= 0.35)
    limited = identify_profile("factor", grid, np.minimum(-20 * (grid - 0.3), 0))
    assert limited.verdict == "one-sided"
    assert limited.low == -np.inf
    assert limited.high == pytest.approx(0.3 + stats.chi2.ppf(0.9, 1) / 40, abs=0.02)
    assert "at most" in limited.words
    bounded = identify_profile("factor", grid, np.minimum(-20 * (grid - 0.3), 0), bounds=(0.05, 1))
    assert bounded.low == 0.05
    assert np.isnan(limited.contraction)
    assert identify_profile("x", grid, saturating[::-1]).verdict == "one-sided"


def test_a_flat_and_a_shallow_profile_are_unidentified_for_different_reasons() -> None:
    grid = np.linspace(-1, 1, 11)
    flat, shallow = (identify_profile("x", grid, -depth * grid**2) for depth in (0.01, 1.0))
    assert flat.verdict == shallow.verdict == "unidentified"
    assert "flat" in flat.words
    assert "excludes nothing" in shallow.words
    assert (shallow.low, shallow.high) == (-np.inf, np.inf)


def test_a_maximum_on_a_bound_is_at_bound() -> None:
    grid = np.linspace(0, 1, 21)
    found = identify_profile("factor", grid, -10 * grid, bounds=(0, 1))
    assert found.verdict == "at bound"
    assert (found.median, found.low) == (0, 0)
    assert found.high == pytest.approx(stats.chi2.ppf(0.9, 1) / 20, abs=0.015)


@given(st.floats(0.1, 3))
def test_the_contraction_is_that_of_a_normal_posterior(sd: float) -> None:
    grid = np.linspace(-20, 20, 201)
    found = identify_profile("x", grid, -0.5 * (grid / sd) ** 2, prior=PRIOR)
    posterior_variance = 1 / (1 + 1 / sd**2)
    assert found.contraction == pytest.approx(1 - posterior_variance, abs=2e-3)
    if abs(found.contraction - 0.75) > 0.01:
        assert found.verdict == ("identified" if found.contraction > 0.75 else "unidentified")


@given(st.floats(0, 180), st.floats(3, 12))
def test_an_orientation_profile_goes_round(centre: float, sd: float) -> None:
    grid = np.arange(0, 181, 4.0)
    off = (grid - centre + 90) % 180 - 90
    found = identify_profile("x", grid, -0.5 * (off / sd) ** 2, period=180, prior=np.linspace(0, 179.9, 1800))
    assert found.verdict == "identified"
    assert found.high - found.low == pytest.approx(2 * 1.645 * sd, rel=0.02)
    assert (found.median - centre + 90) % 180 - 90 == pytest.approx(0, abs=0.1)
    assert found.contraction == pytest.approx(np.exp(-2 * np.deg2rad(sd) ** 2), abs=0.01)
    flat = identify_profile("x", grid, -0.1 * (off / 90) ** 2, period=180)
    assert (flat.verdict, flat.high - flat.low) == ("unidentified", 180)


def test_several_peaks_reach_to_the_outermost_crossing_and_impossible_values_are_walls() -> None:
    grid = np.linspace(-3, 3, 61)
    two = np.logaddexp(-0.5 * ((grid + 1.5) / 0.2) ** 2, -0.5 * ((grid - 1.5) / 0.2) ** 2 - 0.5)
    found = identify_profile("x", grid, two)
    assert found.low == pytest.approx(-1.5 - 0.2 * 1.645, abs=0.01)
    assert found.high == pytest.approx(1.5 + 0.2 * np.sqrt(stats.chi2.ppf(0.9, 1) - 1), abs=0.01)
    wall = identify_profile("x", [0, 1, 2, 3], [0, 0, 0, -np.inf])
    assert (wall.low, wall.high) == (-np.inf, 3)


@pytest.mark.parametrize(
    ("grid", "height", "message"),
    [
        ([0, 1], [0, 1], "three distinct"),
        ([0, 0, 1], [0, 1, 2], "three distinct"),
        ([0, 1, 2], [0, 1], "one log-likelihood for each"),
        ([0, 1, 2], [0, np.nan, 1], "not numbers"),
        ([0, 1, np.inf], [0, 1, 1], "not numbers"),
        ([0, 1, 2], [-np.inf] * 3, "not numbers"),
        ([], [], "not numbers"),
    ],
)
def test_no_profile_is_refused(grid: list[float], height: list[float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        identify_profile("pv_nS", grid, height)
