"""One word on each parameter: from draws against laws with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import special, stats

from ketune.errors import InputError
from ketune.inference import identify

N = 4000
RANK = (np.arange(N) + 0.5) / N
PRIOR = stats.norm.ppf(RANK)
ANGLES = 180 * RANK


def normal(mean: float, sd: float, n: int = N) -> np.ndarray:
    return mean + sd * stats.norm.ppf((np.arange(n) + 0.5) / n)


def cut(low: float, high: float) -> np.ndarray:
    """The prior between two values and nothing outside: data that only exclude."""
    return stats.truncnorm.ppf(RANK, low, high)


@pytest.mark.parametrize("seed", range(20))
def test_a_posterior_equal_to_the_prior_is_unidentified(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = identify("x", rng.standard_normal(1000), rng.standard_normal(1000))
    assert found.verdict == "unidentified"
    assert abs(found.contraction) < 0.2
    assert "as wide as the prior" in found.words or "keeps 0.9" in found.words


@given(st.floats(-3.0, 3.0), st.floats(0.01, 0.49))
def test_a_narrow_posterior_is_identified_wherever_it_lies(mean: float, sd: float) -> None:
    # In between the prior's own tail is as steep as the posterior's, and the outer end may be left to it.
    assume(sd < 0.25 or abs(mean) < 1.0)
    found = identify("x", normal(mean, sd), PRIOR)
    assert found.verdict == "identified"
    assert found.contraction == pytest.approx(1 - sd**2, abs=0.01)
    assert (found.low, found.high) == pytest.approx(stats.norm(mean, sd).interval(0.9), abs=0.01)
    assert ("outside 99 %" in found.words) == (abs(mean) > 2.576) or abs(abs(mean) - 2.576) < 0.01


@given(st.floats(-1.5, 0.6), st.booleans())
def test_a_prior_cut_off_is_one_sided_however_little_is_left_of_it(at: float, above: bool) -> None:
    posterior = cut(-np.inf, at) if above else cut(-at, np.inf)
    found = identify("x", posterior, PRIOR)
    assert found.verdict == "one-sided"
    assert ("at most" if above else "at least") in found.words


def test_half_a_prior_narrower_than_half_is_still_one_sided() -> None:
    found = identify("x", cut(-np.inf, -1.0), PRIOR)
    assert found.contraction > 0.75
    assert found.verdict == "one-sided"


@pytest.mark.parametrize(
    ("sd", "verdict"), [(0.45, "identified"), (0.6, "unidentified"), (0.8, "unidentified")]
)
def test_narrowing_on_both_sides_counts_from_half_the_width(sd: float, verdict: str) -> None:
    found = identify("x", normal(0.0, sd), PRIOR)
    assert found.verdict == verdict
    assert (f"keeps {sd:g} of" in found.words) == (verdict == "unidentified")


def test_the_width_of_the_prior_and_beyond_is_unidentified() -> None:
    found = identify("x", normal(0.0, 1.5), PRIOR)
    assert (found.verdict, found.contraction) == ("unidentified", pytest.approx(-1.25, abs=0.02))


@given(st.floats(-2, 2), st.floats(0.05, 1.2), st.floats(0.1, 10), st.floats(-5, 5))
def test_the_verdict_does_not_depend_on_unit_or_scale(
    mean: float, sd: float, factor: float, shift: float
) -> None:
    plain = identify("x", normal(mean, sd), PRIOR)
    # On the bound itself rounding decides.
    assume(abs(plain.contraction - 0.75) > 1e-9)
    scaled = identify(
        "x", np.exp(factor * normal(mean, sd) + shift), np.exp(factor * PRIOR + shift), to_normal=np.log
    )
    assert scaled.verdict == plain.verdict
    assert scaled.contraction == pytest.approx(plain.contraction, abs=1e-6)
    assert np.log([scaled.low, scaled.high]) == pytest.approx(
        factor * np.array([plain.low, plain.high]) + shift, abs=0.01 * factor + 1e-6
    )


@given(st.floats(-2, 2), st.floats(0.1, 1.0))
def test_mirrored_draws_get_the_mirrored_verdict(mean: float, sd: float) -> None:
    found, mirrored = identify("x", normal(mean, sd), PRIOR), identify("x", -normal(mean, sd), -PRIOR)
    assert found.verdict == mirrored.verdict
    assert (found.low, found.high) == pytest.approx((-mirrored.high, -mirrored.low))


@pytest.mark.parametrize(
    ("posterior", "verdict"),
    [
        (lambda r, n: r.standard_normal(n), "unidentified"),
        (lambda r, n: 0.5 + 0.3 * r.standard_normal(n), "identified"),
        (lambda r, n: stats.truncnorm.rvs(-np.inf, -0.3, size=n, random_state=r), "one-sided"),
        (lambda r, n: special.expit(-3.5 + r.standard_normal(n)) * 8 - 4, "at bound"),
    ],
)
@pytest.mark.parametrize("n", [300, 1000, 10000])
def test_the_verdict_is_stable_to_the_number_of_draws(posterior, verdict: str, n: int) -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        prior = rng.standard_normal(n)
        prior = np.clip(prior, -3.99, 3.99)
        assert identify("x", posterior(rng, n), prior, bounds=(-4, 4)).verdict == verdict


def test_a_uniform_prior_needs_no_transformation_to_see_a_cut() -> None:
    found = identify("factor", 0.3 * RANK, RANK, bounds=(0, 1))
    assert found.verdict == "one-sided"
    assert "at most 0.285 (95 %)" in found.words


@pytest.mark.parametrize(
    ("scale", "draws"), [("linear", 1 - 0.05 * RANK), ("log", np.geomspace(0.0101, 0.011, N))]
)
def test_mass_at_a_hard_bound_is_at_bound(scale, draws: np.ndarray) -> None:
    found = identify("x", draws, np.geomspace(0.0101, 0.99, N), bounds=(0.01, 1), scale=scale)
    assert found.verdict == "at bound"
    assert ("upper bound 1" if scale == "linear" else "lower bound 0.01") in found.words


def test_a_bound_that_the_prior_itself_piles_up_at_is_no_finding() -> None:
    prior = RANK**6
    assert np.mean(prior < 0.02) > 0.25
    assert identify("x", prior, prior, bounds=(0, 1)).verdict == "unidentified"


def test_far_out_in_the_prior_its_normal_tail_decides() -> None:
    assert identify("x", normal(4.0, 0.1), PRIOR).verdict == "identified"
    found = identify("x", 2.9 + np.random.default_rng(1).exponential(1 / 2.9, N), PRIOR)
    assert found.verdict == "one-sided"  # the tail above 2.9 of a normal law is nearly this exponential


@given(st.floats(0, 180), st.floats(1, 12))
def test_an_orientation_is_measured_on_the_circle(centre: float, sd: float) -> None:
    found = identify("x", (centre + normal(0, sd)) % 180, ANGLES, period=180, unit="deg")
    assert found.verdict == "identified"
    assert found.low <= found.median <= found.high
    assert found.high - found.low == pytest.approx(2 * 1.645 * sd, rel=0.01)
    assert (found.median - centre + 90) % 180 - 90 == pytest.approx(0, abs=0.05)
    assert 0 <= found.median < 180
    assert found.contraction == pytest.approx(np.exp(-2 * np.deg2rad(sd) ** 2), abs=0.01)


@pytest.mark.parametrize(
    "posterior", [ANGLES, (90 + normal(0, 20)) % 180, np.r_[normal(10, 3), normal(100, 3)] % 180]
)
def test_a_wide_or_split_orientation_is_unidentified(posterior: np.ndarray) -> None:
    found = identify("x", posterior, ANGLES, period=180, unit="deg")
    assert found.verdict == "unidentified"
    assert "of 180" in found.words


@settings(max_examples=30)
@given(st.floats(0.5, 0.99))
def test_the_interval_has_the_level_asked_for_and_the_verdict_does_not_move(level: float) -> None:
    found = identify("x", normal(0, 0.4), PRIOR, level=level)
    assert found.level == level
    assert (found.low, found.high) == pytest.approx(stats.norm(0, 0.4).interval(level), abs=0.01)
    assert found.verdict == "identified"


@pytest.mark.parametrize(
    ("posterior", "prior", "message"),
    [
        (PRIOR[:50], PRIOR, "50 posterior draws"),
        (PRIOR, PRIOR[:50], "50 prior draws"),
        (np.where(RANK < 0.1, np.nan, PRIOR), PRIOR, "400 posterior draws are not finite"),
        (PRIOR, np.ones(N), "all prior draws are 1"),
    ],
)
def test_draws_that_say_nothing_are_refused(posterior: np.ndarray, prior: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        identify("nmda_nS", posterior, prior)


def test_a_draw_without_a_coordinate_is_refused() -> None:
    with np.errstate(divide="ignore"), pytest.raises(InputError, match="no coordinate"):
        identify("x", RANK, np.r_[0.0, RANK], to_normal=special.logit)
