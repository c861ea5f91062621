"""The posterior density against finite differences, SciPy, quadrature and brute force."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize, stats

from ketune._jax import jax
from ketune.afferents import Drive
from ketune.fitting import PARAMETERS, SpontaneousRate
from ketune.inference import _density as density
from ketune.inference._coordinates import ANGLE_UNIT_DEG, coordinate_of, value_at
from ketune.inference._placement_noise import mean_tuning
from ketune.surface._inputs import trial_inputs

PEAK, BLANK = 2, 5


@pytest.fixture
def at(one_condition, truth):
    return one_condition.coordinates(truth)


def differences(function, x, step=1e-5):
    return np.array([(function(x + h) - function(x - h)) / (2 * step) for h in step * np.eye(len(x))])


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_gradient(two_conditions, truth, known, seed):
    """Two conditions, folded directions of which one is silent, assumed blanks."""
    model = two_conditions(known=known)
    x = model.coordinates(truth)
    if seed is not None:
        x = x + 0.3 * np.random.default_rng(seed).standard_normal(len(x))
    value, slope = model.value_and_gradient(x)
    assert np.isfinite(value)
    expected = differences(lambda y: model.value_and_gradient(y)[0], x)
    np.testing.assert_allclose(slope, expected, rtol=1e-6, atol=1e-6 * abs(expected).max())


def test_gradient_of_a_known_placement(one_condition, tiny_cell, tiny_layout, truth):
    model = replace(one_condition, layout=tiny_layout, apical=tiny_cell.table.region == "apical")
    x = model.coordinates(truth)
    _, slope = model.value_and_gradient(x)
    expected = differences(lambda y: model.value_and_gradient(y)[0], x)
    np.testing.assert_allclose(slope, expected, rtol=1e-6, atol=1e-6 * abs(expected).max())


def test_rates_of_a_known_placement(one_condition, tiny_cell, tiny_layout, truth):
    apical = tiny_cell.table.region == "apical"
    model = replace(one_condition, layout=tiny_layout, apical=apical)
    drive = density.drive_at(truth, Drive())
    rates, _, _ = density._tree_rates(model.structure, model.data, drive)
    for k, orientation in enumerate(model.orientation_deg):
        expected = trial_inputs(
            replace(drive, gain_sd=0.0), tiny_layout, apical, orientation_deg=orientation, gain_deviate=0.0
        )
        np.testing.assert_allclose(rates[:, k], expected[:2], rtol=1e-12)


def by_hand(model, truth, k, *, gain=1.0, factor=(1.0, 1.0), drug=None):
    """Mean and dispersion of one stimulus of the average placement from the surface."""
    drug = drug or {"nmda": 1.0, "pv": 1.0, "sst": 1.0}
    drive, shown = Drive(), np.isfinite(model.orientation_deg[k])
    tree = []
    for t, name in enumerate(("basal", "apical")):
        tuned = mean_tuning(
            drive,
            np.array([model.orientation_deg[k] if shown else 0.0]),
            truth[f"preferred_{name}_deg"],
            truth[f"spread_{name}_deg"],
        )[0]
        response = drive.afferent_untuned + (1 - drive.afferent_untuned) * tuned
        driven = model.trees.driven_share[t] * truth["peak_rate_hz"] * response if shown else 0.0
        tree.append(factor[t] * (truth["background_rate_hz"] + driven))
    pv, sst = (
        (drive.pv_rate_hz + shown * drive.pv_evoked_hz) * drug["pv"],
        (drive.sst_rate_hz + shown * drive.sst_evoked_hz) * drug["sst"],
    )
    rates = gain * np.array([*tree, truth["background_rate_hz"], pv, sst])
    strengths = [truth["ampa_nS"], truth["nmda_nS"] * drug["nmda"], truth["pv_nS"], truth["sst_nS"]]
    mean, dispersion = model.surface.moments(np.log(np.array([*rates, *strengths, model.window_s], float)))
    return float(mean), float(dispersion)


@pytest.mark.parametrize("k", [0, PEAK, BLANK])
def test_moments_integrate_over_the_gain(two_conditions, truth, k):
    model = two_conditions()
    found = model.moments(model.coordinates(truth))
    deviate = np.linspace(-6, 6, 121)
    weight = stats.norm.pdf(deviate) / stats.norm.pdf(deviate).sum()
    gain = np.exp(truth["gain_sd"] * deviate - 0.5 * truth["gain_sd"] ** 2)
    for c, drug in enumerate(({}, {"nmda": 0.4, "pv": 0.7})):
        drug = {"nmda": 1.0, "pv": 1.0, "sst": 1.0, **drug}
        mean, dispersion = np.transpose([by_hand(model, truth, k, gain=g, drug=drug) for g in gain])
        total = weight @ mean
        variance = weight @ (dispersion * mean + (mean - total) ** 2)
        assert found.mean[c, k] == pytest.approx(total, rel=1e-3)
        assert found.fano[c, k] == pytest.approx(variance / total, rel=0.02)


def test_covariance_is_that_of_rates_times_slopes(one_condition, at, truth):
    found = one_condition.moments(at).covariance
    drive = density.drive_at(truth, Drive())
    _, own, shares = density._tree_rates(one_condition.structure, one_condition.data, drive)
    h = 1e-3
    slopes = []
    for t in (0, 1):
        up, down = (np.where(np.arange(2) == t, np.exp(s * h), 1.0) for s in (1, -1))
        slopes.append(
            [
                np.log(
                    by_hand(one_condition, truth, k, gain=median_gain(truth), factor=up)[0]
                    / by_hand(one_condition, truth, k, gain=median_gain(truth), factor=down)[0]
                )
                / (2 * h)
                for k in range(6)
            ]
        )
    both = one_condition.surface.error.surface_sd * np.sum(slopes, axis=0)
    expected = 0.5 * (np.diag(both**2) + np.outer(both, both))
    expected = expected + sum(np.outer(s, s) * c for s, c in zip(slopes, own, strict=True))
    shared = sum(np.array(s) * np.asarray(share) for s, share in zip(slopes, shares, strict=True))
    expected = expected + np.outer(shared, shared)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-7)


def median_gain(truth):
    """The gain at which slopes are taken."""
    return np.exp(-0.5 * truth["gain_sd"] ** 2)


def test_integral_over_placements_is_that_of_brute_force(one_condition, at):
    """Importance sampling of the deviations by SciPy."""
    data = one_condition.data
    predicted = jax.tree.map(jax.numpy.asarray, one_condition.moments(at))
    given = jax.jit(jax.vmap(lambda d: density._given(data, predicted, d[None])))
    prior = stats.multivariate_normal(np.zeros(6), predicted.covariance)
    deviation, precision = density.likely_deviation(data, predicted)
    covariance = np.linalg.inv(np.linalg.inv(predicted.covariance) + np.diag(precision))
    proposal = stats.multivariate_t(np.asarray(deviation), 1.3 * covariance, df=6, seed=3)
    draws = proposal.rvs(1200)
    weight = np.asarray(given(draws)) + prior.logpdf(draws) - proposal.logpdf(draws)
    share = np.exp(weight - weight.max())
    assert share.sum() ** 2 / np.sum(share**2) > 150
    expected = np.log(share.mean()) + weight.max()
    found = one_condition.log_densities(at[None])[0] - one_condition.prior_terms(at).sum()
    assert found == pytest.approx(expected, abs=0.2)
    # The integral matters: the average placement alone is not this likely.
    assert abs(float(given(np.zeros((1, 6)))[0]) - expected) > 0.5


def test_most_likely_deviation_is_scipys(one_condition, at):
    """Of counts whose variance is a constant multiple of the mean: quasi-Poisson."""
    predicted = one_condition.moments(at)
    deviation, _ = density.likely_deviation(one_condition.data, predicted)
    total = np.array([c.sum() for c in one_condition.conditions[0].counts])

    def cost(d):
        expected = predicted.mean[0] * np.exp(d)
        quasi = (total * np.log(expected) - 25 * expected) / predicted.fano[0]
        return -quasi.sum() + 0.5 * d @ np.linalg.solve(predicted.covariance, d)

    best = optimize.minimize(cost, np.zeros(6), method="BFGS", options={"gtol": 1e-8})
    np.testing.assert_allclose(deviation, best.x, atol=2e-3)
    assert abs(best.x).max() > 0.02


def made_up(mean, fano):
    """Counts of these moments at every gain."""
    nodes = len(density.GAIN_SHARE)
    at_gain, dispersion = (np.repeat(a[..., None], nodes, axis=-1) for a in (mean, fano))
    return density.Moments(mean, fano, at_gain, dispersion, np.eye(mean.size))


def test_pointwise_is_scipys_mixture_of_negative_binomials(one_condition):
    data, rows = one_condition.data, one_condition.rows
    predicted = made_up(np.linspace(1.0, 6.0, 6)[None], np.linspace(1.3, 2.0, 6)[None])
    gain = np.exp(np.linspace(-1, 1, len(density.GAIN_SHARE)))
    predicted = replace(predicted, at_gain=predicted.at_gain * gain)
    deviation = np.linspace(-0.4, 0.4, 6)[None]
    found = density.pointwise(data, predicted, deviation)
    for row, (c, k) in enumerate(rows.at):
        mean, fano = predicted.at_gain[c, k] * np.exp(deviation[c, k]), predicted.fano[c, k]
        each = stats.nbinom.pmf(rows.counts[row][:, None], mean / (fano - 1), 1 / fano)
        np.testing.assert_allclose(found[row], np.log(each @ density.GAIN_SHARE), rtol=1e-9)


def test_shares_of_the_gain_are_those_of_a_normal_deviate():
    assert density.GAIN_SHARE.sum() == pytest.approx(1.0, abs=1e-12)
    step = density.GAIN[1] - density.GAIN[0]
    inside = stats.norm.pdf(density.GAIN) * step
    np.testing.assert_allclose(density.GAIN_SHARE[1:-1], inside[1:-1], rtol=0.05)
    assert density.GAIN_SHARE[0] == pytest.approx(stats.norm.cdf(-2.6))


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("blank", [0.1, 3.0])
def test_an_assumed_blank_costs_its_penalty(two_conditions, known, blank):
    model = two_conditions(known=known)
    mean, fano = np.full((2, 6), 4.0), np.full((2, 6), 1.5)
    mean[0, BLANK], mean[1, BLANK] = blank, 0.05
    predicted, nothing = made_up(mean, fano), np.zeros((2, 6))
    counts = (density.pointwise(model.data, predicted, nothing) * model.data["times"]).sum()
    penalty = sum(SpontaneousRate(c, known).penalty(m)[0] for c, m in ((0.4, blank), (0.3, 0.05)))
    assert float(density._given(model.data, predicted, nothing) - counts) == pytest.approx(penalty, abs=1e-9)


def test_a_silent_direction_is_no_less_data(two_conditions):
    """The total of an orientation is that of its trials, however they are shared out between directions."""
    data = two_conditions().data
    conditions = two_conditions().conditions
    for c, condition in enumerate(conditions):
        for k, observed in enumerate(condition.counts[:BLANK]):
            assert data["total"][c, k] == pytest.approx(observed.mean() * len(observed))
            assert data["trials"][c, k] == len(observed)


def test_priors_are_scipys(two_conditions, truth):
    model = two_conditions()
    x = model.coordinates(truth) + 0.2
    for p, prior, found, u in zip(model.parameters, model.prior, model.prior_terms(x), x, strict=True):
        if p.scale == "orientation":
            assert found == 0.0
        elif p.scale == "log":
            peak = stats.norm(prior.centre, prior.sd).logpdf([u, prior.centre])
            assert found == pytest.approx(peak[0] - peak[1])
        else:
            assert found == pytest.approx(stats.logistic.logpdf(u))


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda p: p.name)
def test_coordinates(parameter):
    for share in (0.1, 0.7):
        value = parameter.low + share * (parameter.high - parameter.low)
        assert value_at(parameter, coordinate_of(parameter, value)) == pytest.approx(value)


def test_orientations_are_periodic(two_conditions, truth):
    model = two_conditions()
    x = model.coordinates(truth)
    value = model.value_and_gradient(x)[0]
    for i in np.flatnonzero(model.is_angle):
        turned = x.copy()
        turned[i] -= 180.0 / ANGLE_UNIT_DEG
        # Five images of the circle are summed.
        assert model.value_and_gradient(turned)[0] == pytest.approx(value, abs=1e-3)


def test_conditions_share_the_deviation_of_their_neuron(two_conditions, truth):
    """Where a drug does nothing, both conditions deviate from the average placement together."""
    model = two_conditions()
    x = model.coordinates({**truth, "drug.nmda": 1.0, "drug.pv": 1.0})
    covariance = model.moments(x).covariance
    own, across = covariance[:6, :6], covariance[:6, 6:]
    surface = 0.5 * np.diag(own - across)
    np.testing.assert_allclose(own - np.diag(np.diag(own - across)), across, rtol=1e-6)
    assert np.all(2 * surface < np.diag(own))


def test_a_factor_of_another_condition_does_nothing_to_the_control(two_conditions, truth):
    model = two_conditions()
    with_drug, without = (model.moments(model.coordinates({**truth, "drug.nmda": f})) for f in (0.2, 1.0))
    np.testing.assert_array_equal(with_drug.mean[0], without.mean[0])
    assert np.all(with_drug.mean[1] < without.mean[1])
