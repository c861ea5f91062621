"""Curves and their fits against SciPy, analytic results, and parameters planted in data."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from ketune.errors import InputError
from ketune.tuning import (
    count_sem,
    fit_counts,
    fit_curve,
    sample_counts,
    shipped_recording,
    summarise,
    summarise_recording,
    wrap_orientation,
)
from ketune.tuning._indices import direction_selectivity, osi_points, vector_sum
from ketune.tuning._search import fit_many
from ketune.tuning._shapes import Model, half_width_deg, kappa_of, shape, shape_with_slopes
from ketune.tuning._shift import fit_counts_many

EIGHT = np.arange(8) * 22.5
models = st.sampled_from(["gaussian", "von_mises"])


# -- forms ---------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(d=st.floats(-90, 90), sigma=st.floats(5, 60))
def test_gaussian_form_is_the_wrapped_normal_density(d: float, sigma: float) -> None:
    """Against its Fourier series: 1 + 2 sum rho^(n^2) cos(2 n d), rho = exp(-(2 sigma)^2 / 2)."""
    order = np.arange(1, 60)
    coefficient = np.exp(-0.5 * (2 * math.radians(sigma) * order) ** 2)
    density = [1 + 2 * np.sum(coefficient * np.cos(2 * order * math.radians(x))) for x in (d, 0.0, 90.0)]
    expected = (density[0] - density[2]) / (density[1] - density[2])
    assert shape("gaussian", d, sigma) == pytest.approx(expected, abs=1e-9)


@settings(deadline=None)
@given(d=st.floats(-90, 90), sigma=st.floats(5, 180))
def test_von_mises_form_is_scipys_density(d: float, sigma: float) -> None:
    density = stats.vonmises.pdf(np.deg2rad([2 * d, 0.0, 180.0]), float(kappa_of(sigma)))
    expected = (density[0] - density[2]) / (density[1] - density[2])
    assert shape("von_mises", d, sigma) == pytest.approx(expected, abs=1e-9)


@settings(deadline=None)
@given(model=models, d=st.floats(-400, 400), sigma=st.floats(5, 60))
def test_forms_have_period_180_and_are_even(model, d: float, sigma: float) -> None:
    value = shape(model, d, sigma)
    assert 0.0 <= value <= 1.0 + 1e-12
    assert shape(model, d + 180.0, sigma) == pytest.approx(value, abs=1e-9)
    assert shape(model, -d, sigma) == pytest.approx(value, abs=1e-9)


def test_narrow_curves_agree_with_the_plain_gaussian() -> None:
    d = np.linspace(-90, 90, 181)
    assert shape("gaussian", d, 25.0) == pytest.approx(np.exp(-(d**2) / (2 * 25.0**2)), abs=3e-3)
    assert shape("von_mises", d, 8.0) == pytest.approx(np.exp(-(d**2) / (2 * 8.0**2)), abs=0.02)


def test_half_widths() -> None:
    assert half_width_deg("gaussian", 14.6) == pytest.approx(math.sqrt(2 * math.log(2)) * 14.6, rel=1e-6)
    for sigma in (10.0, 30.0, 90.0):
        k = float(kappa_of(sigma))
        exact = 0.5 * math.degrees(math.acos(1 + math.log((1 + math.exp(-2 * k)) / 2) / k))
        assert half_width_deg("von_mises", sigma) == pytest.approx(exact, rel=1e-9)
    assert half_width_deg("gaussian", 60.0) == pytest.approx(45.0, abs=0.1)  # a cosine
    assert math.isnan(half_width_deg("gaussian", float("nan")))


# -- fits ----------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(
    model=models,
    preferred=st.floats(0, 180, exclude_max=True),
    sigma=st.floats(13, 38),
    amplitude=st.floats(0.5, 100),
    baseline=st.floats(0.05, 30),
    missing=st.sets(st.integers(0, 7), max_size=2),
)
def test_planted_parameters_are_found(model, preferred, sigma, amplitude, baseline, missing) -> None:
    theta = np.delete(EIGHT, sorted(missing))
    # Without the samples around the peak nothing can tell a narrow high curve from a wide low one.
    assume(np.sum(np.abs(wrap_orientation(theta - preferred)) < 35) >= 2)
    fit = fit_curve(theta, baseline + amplitude * shape(model, theta - preferred, sigma), model=model)
    assert fit.status == "converged"
    assert abs(float(wrap_orientation(fit.preferred_deg - preferred))) < 1e-3
    assert 0 <= fit.preferred_deg < 180
    assert fit.sigma_deg == pytest.approx(sigma, rel=1e-4)
    assert fit.amplitude == pytest.approx(amplitude, rel=1e-4)
    assert fit.baseline == pytest.approx(baseline, rel=1e-3, abs=1e-4 * amplitude)
    assert fit.osi == pytest.approx(amplitude / (amplitude + 2 * baseline), rel=1e-3)
    assert fit(theta) == pytest.approx(
        baseline + amplitude * shape(model, theta - preferred, sigma), rel=1e-3
    )


@settings(deadline=None, max_examples=25)
@given(turn=st.floats(0, 180), scale=st.floats(0.1, 50), seed=st.integers(0, 10_000))
def test_turning_and_scaling_the_data_turns_and_scales_the_fit(turn: float, scale: float, seed: int) -> None:
    generator = np.random.default_rng(seed)
    mean = 3 + 10 * shape("gaussian", EIGHT - 60, 24.0) + generator.normal(0, 0.4, 8)
    plain, changed = fit_curve(EIGHT, mean), fit_curve(EIGHT + turn, scale * mean)
    assert abs(float(wrap_orientation(changed.preferred_deg - plain.preferred_deg - turn))) < 0.01
    assert changed.amplitude == pytest.approx(scale * plain.amplitude, rel=1e-3)
    assert changed.osi == pytest.approx(plain.osi, rel=1e-3)
    assert changed.sigma_deg == pytest.approx(plain.sigma_deg, rel=1e-3)


@pytest.mark.parametrize("known", [True, False])
def test_minimum_and_errors_agree_with_scipy_curve_fit(known: bool) -> None:
    """Known errors: the seed gives chi2 below its degrees of freedom, so nothing is enlarged."""
    generator = np.random.default_rng(4)
    sem = np.linspace(0.3, 0.9, 8)
    mean = 4 + 12 * shape("gaussian", EIGHT - 100, 20.0) + 0.5 * generator.normal(0, sem)

    def curve(t, preferred, amplitude, baseline, sigma):
        return baseline + amplitude * shape("gaussian", t - preferred, sigma)

    best, covariance = optimize.curve_fit(
        curve, EIGHT, mean, p0=(95, 10, 5, 25), sigma=sem if known else None, absolute_sigma=known
    )
    fit = fit_curve(EIGHT, mean, sem if known else None)
    found = (fit.preferred_deg, fit.amplitude, fit.baseline, fit.sigma_deg)
    assert found == pytest.approx(best, rel=1e-4)
    errors = (fit.preferred_se_deg, fit.amplitude_se, fit.baseline_se, fit.sigma_se_deg)
    assert errors == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-2)
    if known:
        assert fit.chi2 < fit.freedom
        # OSI error against its spread over the parameters' normal distribution.
        drawn = generator.multivariate_normal(best, covariance, 20_000)
        assert fit.osi_se == pytest.approx(np.std(drawn[:, 1] / (drawn[:, 1] + 2 * drawn[:, 2])), rel=0.05)
    else:
        assert math.isnan(fit.chi2)


def test_errors_are_enlarged_where_the_curve_misses_the_points() -> None:
    mean = 4 + 12 * shape("gaussian", EIGHT - 100, 20.0) + np.array([1, -1, 1, -1, 1, -1, 1, -1.0])
    honest, claimed = fit_curve(EIGHT, mean, np.full(8, 1.0)), fit_curve(EIGHT, mean, np.full(8, 0.01))
    assert claimed.chi2 > 1000
    assert claimed.preferred_se_deg == pytest.approx(honest.preferred_se_deg, rel=0.5)


def test_status_tells_what_a_fit_is_worth() -> None:
    flat = fit_curve(EIGHT, np.full(8, 3.0))
    assert (flat.status, flat.osi, flat.baseline) == ("flat", 0.0, 3.0)
    assert math.isnan(flat.preferred_deg)
    np.testing.assert_array_equal(flat(EIGHT), np.full(8, 3.0))
    assert fit_curve(EIGHT[:3], [1.0, 2.0, 1.0]).status == "underdetermined"
    four = fit_curve(np.arange(4) * 45.0, [4.0, 9.0, 3.0, 2.0], np.full(4, 0.2))
    assert four.status == "saturated"
    assert four.freedom == 0
    assert four.preferred_se_deg > 0
    assert math.isnan(fit_curve(np.arange(4) * 45.0, [4.0, 9.0, 3.0, 2.0]).preferred_se_deg)
    narrow = fit_curve(EIGHT, [0.5, 0.5, 9.0, 0.5, 0.5, 0.5, 0.5, 0.5])
    assert narrow.status == "at_bound"
    assert narrow.sigma_deg == pytest.approx(11.25, rel=1e-3)
    assert math.isnan(narrow.sigma_se_deg)
    silent_flank = fit_curve(EIGHT, 9 * shape("gaussian", EIGHT - 50, 20.0), np.full(8, 0.1))
    assert silent_flank.status == "at_bound"
    assert silent_flank.osi == pytest.approx(1.0, abs=1e-5)
    assert math.isnan(silent_flank.baseline_se)
    assert silent_flank.preferred_se_deg > 0


@pytest.mark.parametrize(
    ("mean", "sem", "message"),
    [
        ([1.0, 2.0], None, "one mean"),
        ([1.0, 2.0, float("nan"), 1.0], None, "must be finite"),
        ([1.0, 2.0, 3.0, 1.0], [1.0, 1.0, 0.0, 1.0], "must be positive"),
    ],
)
def test_fit_refuses_what_it_cannot_weigh(mean, sem, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit_curve([0.0, 45.0, 90.0, 135.0], mean, sem)


def test_search_for_many_finds_the_same_minimum() -> None:
    generator = np.random.default_rng(3)
    expected = 6 + 20 * shape("gaussian", EIGHT - 37, 24.0)
    counts = sample_counts(expected, 2.0, (40, 30), generator)
    mean, sem = counts.mean(axis=1), count_sem(counts.mean(axis=1), counts.var(axis=1, ddof=1), 30)
    for model in ("gaussian", "von_mises"):
        many = fit_many(EIGHT, mean, sem, model=model)
        for k in range(40):
            one = fit_curve(EIGHT, mean[k], sem[k], model=model)
            assert abs(float(wrap_orientation(many[0][k] - one.preferred_deg))) < 0.02
            assert many[1][k] == pytest.approx(one.amplitude, rel=5e-3)
            assert many[3][k] == pytest.approx(one.sigma_deg, rel=5e-3)


def test_standard_error_of_the_preferred_orientation_is_its_scatter() -> None:
    """Counts of 40 trials, Fano 1.5; the enlargement by misfit makes the reported error a little larger."""
    generator = np.random.default_rng(8)
    expected = 5 + 18 * shape("gaussian", EIGHT - 80, 24.0)
    preferred, reported = [], []
    for _ in range(80):
        counts = sample_counts(expected, 1.5, 40, generator)
        fit = fit_counts(EIGHT, counts.mean(axis=0), counts.var(axis=0, ddof=1), 40)
        preferred.append(fit.preferred_deg)
        reported.append(fit.preferred_se_deg)
    assert np.mean(preferred) == pytest.approx(80, abs=0.4)
    assert 0.9 < np.mean(reported) / np.std(preferred) < 1.5


def test_weights_at_the_fitted_curve_halve_the_bias_of_selectivity() -> None:
    """25 trials at 2 Hz in 4.1 s, Fano 1.5; weights at the measured means favour points that came out low."""
    expected = 4.1 * 2 * (0.15 + 0.85 * shape("gaussian", EIGHT - 37, 20.0))
    counts = sample_counts(expected, 1.5, (3000, 25), np.random.default_rng(9))
    mean, variance = counts.mean(axis=1), counts.var(axis=1, ddof=1)
    bias = []
    for fitted in (
        fit_many(EIGHT, mean, count_sem(mean, variance, 25)),
        fit_counts_many(EIGHT, mean, variance, np.full(8, 25)),
    ):
        _, amplitude, baseline, _ = fitted
        bias.append(np.mean(amplitude / (amplitude + 2 * baseline)) - 0.85 / 1.15)
    assert abs(bias[1]) < 0.6 * abs(bias[0])
    assert abs(bias[1]) < 0.009


def test_counts_are_fitted_alike_one_by_one_and_together() -> None:
    expected = 3 + 12 * shape("gaussian", EIGHT - 110, 20.0)
    counts = sample_counts(expected, 1.5, (15, 25), np.random.default_rng(10))
    mean, variance = counts.mean(axis=1), counts.var(axis=1, ddof=1)
    preferred, amplitude, baseline, _ = fit_counts_many(EIGHT, mean, variance, np.full(8, 25))
    for k in range(15):
        one = fit_counts(EIGHT, mean[k], variance[k], 25)
        assert abs(float(wrap_orientation(preferred[k] - one.preferred_deg))) < 0.05
        assert amplitude[k] / (amplitude[k] + 2 * baseline[k]) == pytest.approx(one.osi, abs=2e-3)


def test_count_errors() -> None:
    """Many trials: the sample's own error. Silent orientations: small but not zero."""
    mean, variance = np.array([2.0, 8.0]), np.array([6.0, 8.0])
    assert count_sem(mean, variance, 100_000) == pytest.approx(np.sqrt(variance / 100_000), rel=1e-2)
    silent = count_sem([0.0, 10.0], [0.0, 12.0], 20)
    assert 0 < silent[0] < silent[1]
    single = count_sem([3.0, 5.0], [np.nan, np.nan], 1)
    assert single == pytest.approx(np.sqrt([3.0, 5.0]))  # Poisson where nothing else is known


# -- indices and summary -------------------------------------------------------------------------------------


@settings(deadline=None)
@given(preferred=st.floats(0, 180), depth=st.floats(0.05, 1), n=st.integers(3, 12))
def test_vector_sum_of_a_cosine(preferred: float, depth: float, n: int) -> None:
    """1 + c cos 2(t - p) has the vector sum c / 2 in direction p."""
    theta = np.arange(n) * 180.0 / n
    angle, gosi = vector_sum(theta, 1 + depth * np.cos(2 * np.deg2rad(theta - preferred)))
    assert gosi == pytest.approx(depth / 2, abs=1e-9)
    assert abs(float(wrap_orientation(angle - preferred))) < 1e-6


def test_missing_orientations_look_less_like_tuning() -> None:
    theta = np.delete(EIGHT, [2, 3])
    plain = np.abs(np.sum(np.exp(2j * np.deg2rad(theta)))) / theta.size
    _, gosi = vector_sum(theta, np.ones(theta.size))
    assert gosi < 0.5 * plain


def test_indices_from_points() -> None:
    assert osi_points(EIGHT, np.array([1, 2, 9, 2, 1, 1, 3, 1.0])) == pytest.approx((9 - 3) / (9 + 3))
    # 135 deg missing: halfway between its neighbours at 112.5 (1) and 157.5 (2).
    theta = np.delete(EIGHT, 6)
    assert osi_points(theta, np.array([1, 2, 9, 2, 1, 1, 2.0])) == pytest.approx((9 - 1.5) / (9 + 1.5))
    assert math.isnan(osi_points(EIGHT, np.zeros(8)))
    assert direction_selectivity(np.array([0.0, 90, 180, 270]), np.array([2.0, 8, 2, 4])) == pytest.approx(
        4 / 12
    )
    assert direction_selectivity(np.array([0.0, 90, 180]), np.array([2.0, 8, 2])) is None


def test_summary_of_planted_tuning_is_in_hertz_and_degrees() -> None:
    mean = 2 * (3 + 15 * shape("gaussian", EIGHT - 100, 20.0))
    summary = summarise(EIGHT, mean, 1.5 * mean, blank=2.0, window_s=2.0, n_trials=50)
    assert summary.preferred_deg == pytest.approx(100, abs=0.01)
    assert summary.peak_rate_hz == pytest.approx(18, rel=1e-3)
    assert summary.orthogonal_rate_hz == pytest.approx(3, rel=1e-3)
    assert summary.osi_fit == pytest.approx(15 / 21, rel=1e-3)
    assert summary.hwhm_deg == pytest.approx(1.1774 * 20, rel=1e-3)
    assert summary.fano == pytest.approx(np.full(8, 1.5))
    assert summary.spontaneous_rate_hz == 1.0
    assert summary.direction_index is None


def test_summary_of_directions() -> None:
    directions = np.arange(16) * 22.5
    mean = 2 + 10 * shape("gaussian", directions - 50, 24.0) * np.where(
        np.abs(directions - 50) < 90, 1.0, 0.4
    )
    summary = summarise(directions, mean, window_s=1.0)
    assert summary.orientation_deg.tolist() == EIGHT.tolist()
    assert summary.preferred_deg == pytest.approx(50, abs=0.5)
    best = mean[2]
    assert summary.direction_index == pytest.approx((best - mean[10]) / (best + mean[10]))


def test_summary_where_no_curve_can_be_fitted() -> None:
    few = summarise([0.0, 60.0, 120.0], [2.0, 8.0, 2.0], window_s=1.0)
    assert few.fit.status == "underdetermined"
    assert few.preferred_deg == pytest.approx(60.0)
    silent = summarise(EIGHT, np.zeros(8), np.zeros(8), window_s=1.0, n_trials=10)
    assert silent.fit.status == "flat"
    assert np.isnan(silent.fano).all()
    assert math.isnan(silent.gosi)
    with pytest.raises(InputError, match="at least two orientations"):
        summarise([0.0, 180.0], [1.0, 2.0], window_s=1.0)
    with pytest.raises(InputError, match="not negative"):
        summarise([0.0, 90.0], [1.0, -2.0], window_s=1.0)


def test_real_units() -> None:
    v1, v2 = (summarise_recording(shipped_recording(f"macaque_{area}")) for area in ("v1", "v2"))
    assert v1.gosi == pytest.approx(0.22, abs=0.005)  # as the source of the data states it
    assert v1.preferred_deg == pytest.approx(147.6, abs=1.0)
    assert v2.preferred_deg == pytest.approx(20.0, abs=1.0)
    for summary in (v1, v2):
        assert summary.fit.status == "converged"
        assert summary.fit.residual_rms < 0.05 * np.ptp(summary.mean)
        von_mises = fit_curve(summary.orientation_deg, summary.mean, model="von_mises")
        assert abs(float(wrap_orientation(von_mises.preferred_deg - summary.preferred_deg))) < 1.0


@pytest.mark.parametrize("model", ["gaussian", "von_mises"])
@pytest.mark.parametrize("sigma", [8.0, 25.0, 58.0])
def test_slopes_of_the_shape_are_its_differences(model: Model, sigma: float) -> None:
    difference, h = np.array([-170.0, -80.0, -31.0, -2.0, 0.0, 12.0, 45.0, 89.0]), 1e-5
    form, by_difference, by_width = shape_with_slopes(model, difference, np.array([sigma]))
    np.testing.assert_allclose(form, shape(model, difference, np.array([sigma])), atol=1e-14)
    near = [shape(model, difference + s * h, np.array([sigma])) for s in (1, -1)]
    wide = [shape(model, difference, np.array([sigma * np.exp(s * h)])) for s in (1, -1)]
    np.testing.assert_allclose(by_difference, (near[0] - near[1]) / (2 * h), atol=1e-8)
    np.testing.assert_allclose(by_width, (wide[0] - wide[1]) / (2 * h), atol=1e-8)


def test_search_for_many_is_never_worse_than_the_optimiser() -> None:
    """Few spikes, where the loss is flat and has several minima: 60 recordings of each of three designs."""
    generator = np.random.default_rng(21)
    for theta in (EIGHT, np.arange(-4, 5) * 22.5, np.arange(12) * 15.0):
        true = np.asarray(generator.uniform(0, 180, (60, 1)))
        expected = 0.1 + 0.9 * shape("gaussian", theta - true, np.full((60, 1), 20.0))
        counts = sample_counts(expected, 1.5, 25, generator)
        mean, sem = counts.mean(axis=0), count_sem(counts.mean(axis=0), counts.var(axis=0, ddof=1), 25)
        preferred, amplitude, baseline, sigma = (x[:, None] for x in fit_many(theta, mean, sem))
        fitted = baseline + amplitude * shape("gaussian", theta - preferred, sigma)
        loss = np.sum(((mean - fitted) / sem) ** 2, axis=1)
        best = np.array([fit_curve(theta, mean[k], sem[k]).chi2 for k in range(60)])
        assert np.mean(loss > best + 1e-3) <= 0.02
