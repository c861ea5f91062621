"""Stages of a fit that need no long simulation: starting points, uncertainty, kept sets, pooled and spiking counts."""

from dataclasses import replace

import numpy as np
import pytest

from ketune.afferents import Drive, Grating, stratified_gain
from ketune.engines.jax_engine import JaxEngine
from ketune.errors import InputError
from ketune.fitting import (
    EFFORTS,
    KEPT_WITHIN,
    NAMES,
    PARAMETERS,
    Effort,
    Fitter,
    Hazard,
    KeptSet,
    SpikeCounts,
    _spiking,
    drive_at,
    effort_named,
    simulate_counts,
    synapse_overrides,
)
from ketune.fitting import _fit as fit_module
from ketune.fitting._calibrate import Calibration
from ketune.fitting._correction import Correction
from ketune.fitting._ensemble import expected_counts
from ketune.fitting._fit import _draws, _uncertainty, most_different
from ketune.fitting._optimise import Ascent
from ketune.fitting._parameters import coordinates_of
from ketune.fitting._prior import PRECISION
from ketune.fitting._readout import silent_cell
from ketune.fitting._spiking import fano_standard_error

N = len(PARAMETERS)
ANGLE = np.array([p.scale == "orientation" for p in PARAMETERS])
VALUES = {
    "peak_rate_hz": 15.0, "background_rate_hz": 3.0, "preferred_basal_deg": 60.0, "preferred_apical_deg": 70.0,
    "spread_basal_deg": 20.0, "spread_apical_deg": 20.0, "ampa_nS": 0.8, "nmda_nS": 0.8, "pv_nS": 0.5, "sst_nS": 0.5,
    "gain_sd": 0.2,
}  # fmt: skip
U = coordinates_of(VALUES)


def ascent(information):
    """Information of the data; an ascent also knows the prior's."""
    return Ascent(U, -100.0, information + np.diag(PRECISION), "converged", 3, (-120.0, -100.0))


class TestUncertainty:
    def test_standard_errors_are_those_of_the_inverse_information_in_the_values(self):
        sd = np.where(ANGLE, 8.0, 0.2)
        error, determined, undetermined = _uncertainty(ascent(np.diag(1 / sd**2)))
        for p, u, s in zip(PARAMETERS, U, sd, strict=True):
            assert error[p.name] == pytest.approx(s * abs(p.slope(u)))
        assert all(determined.values())
        assert undetermined == ()

    def test_correlated_parameters(self):
        """With correlation 0.8 and own sd 0.3: the inverse of the information is the covariance."""
        covariance = np.diag(np.where(ANGLE, 5.0, 0.2) ** 2)
        i, j = NAMES.index("ampa_nS"), NAMES.index("preferred_basal_deg")
        covariance[i, j] = covariance[j, i] = 0.8 * np.sqrt(covariance[i, i] * covariance[j, j])
        error, _, _ = _uncertainty(ascent(np.linalg.inv(covariance)))
        assert error["preferred_basal_deg"] == pytest.approx(5.0)
        assert error["ampa_nS"] == pytest.approx(0.2 * PARAMETERS[i].slope(U[i]))

    def test_what_the_data_leave_open_is_named(self):
        """Only the product of two conductances is known: each alone is undetermined, against one another."""
        i, j = NAMES.index("ampa_nS"), NAMES.index("nmda_nS")
        information = np.diag(np.where(ANGLE, 1 / 25.0, 100.0))
        information[np.ix_([i, j], [i, j])] = 50.0
        error, determined, undetermined = _uncertainty(ascent(information))
        assert {n for n, known in determined.items() if not known} == {"ampa_nS", "nmda_nS"}
        ((combination, size),) = undetermined
        assert combination in ("ampa_nS up with nmda_nS down", "nmda_nS down with ampa_nS up",
                               "ampa_nS down with nmda_nS up", "nmda_nS up with ampa_nS down")  # fmt: skip
        assert size > np.log(2)
        assert np.isfinite(error["ampa_nS"])

    @pytest.mark.parametrize(("sd", "known"), [(20.0, True), (45.0, False)])
    def test_an_orientation_is_determined_within_30_degrees(self, sd, known):
        information = np.diag(np.where(ANGLE, 1 / 25.0, 100.0))
        i = NAMES.index("preferred_apical_deg")
        information[i, i] = 1 / sd**2
        error, determined, undetermined = _uncertainty(ascent(information))
        assert error["preferred_apical_deg"] == pytest.approx(sd)
        assert determined["preferred_apical_deg"] is known
        assert [c.split()[0] for c, _ in undetermined] == ([] if known else ["preferred_apical_deg"])

    def test_no_information_at_all_gives_finite_errors_and_nothing_determined(self):
        error, determined, undetermined = _uncertainty(ascent(np.zeros((N, N))))
        assert all(np.isfinite(e) and e > 0 for e in error.values())
        assert not any(determined.values())
        assert len(undetermined) == N


class TestDraws:
    def test_draws_have_the_covariance_of_the_curvature(self):
        rng = np.random.default_rng(0)
        sd = np.where(ANGLE, 3.0, 0.1)
        draws = np.array(_draws(np.diag(1 / sd**2), 4000, rng))
        np.testing.assert_allclose(draws.std(axis=0), sd, rtol=0.05)
        np.testing.assert_allclose(np.corrcoef(draws.T), np.eye(N), atol=0.08)

    def test_open_directions_stay_within_reach(self):
        draws = np.array(_draws(np.zeros((N, N)), 2000, np.random.default_rng(1)))
        np.testing.assert_allclose(draws.std(axis=0), np.where(ANGLE, 10.0, 1.0), rtol=0.08)


def kept_set(difference=0.0, seed=1, **values):
    return KeptSet({**VALUES, **values}, difference, seed)


class TestMostDifferent:
    def test_few_sets_are_all_kept(self):
        sets = [kept_set(), kept_set(-1.0)]
        assert most_different(sets, 3) is sets

    def test_the_best_comes_first_and_near_copies_last(self):
        sets = [
            kept_set(),
            kept_set(-1.0, ampa_nS=0.81),
            kept_set(-2.0, ampa_nS=0.1),
            kept_set(-3.0, ampa_nS=0.11),
            kept_set(-4.0, nmda_nS=2.5),
        ]
        chosen = [k.log_likelihood_difference for k in most_different(sets, 3)]
        assert chosen[0] == 0.0
        assert sorted(chosen[1:]) in ([-4.0, -2.0], [-4.0, -3.0])

    def test_179_degrees_is_next_to_1_degree(self):
        sets = [
            kept_set(preferred_basal_deg=1.0),
            kept_set(-1.0, preferred_basal_deg=179.0),
            kept_set(-2.0, preferred_basal_deg=40.0),
        ]
        assert [k.log_likelihood_difference for k in most_different(sets, 2)] == [0.0, -2.0]


@pytest.fixture(scope="module")
def make_fitter(tiny_cell):
    def make(effort=None, seed=1):
        rng = np.random.default_rng(7)
        orientation = (0.0, 30.0, 60.0, 90.0, 120.0, 150.0, np.nan)
        counts = [rng.poisson(m, 20) for m in (2, 8, 15, 8, 2, 1, 0.5)]
        return Fitter(tiny_cell, orientation, counts, window_ms=200.0, effort=effort, seed=seed)

    return make


class TestStartingPoints:
    def test_lie_within_the_bounds_and_are_the_seeds(self, make_fitter):
        sets = make_fitter().random_sets(40)
        for p in PARAMETERS:
            values = [s[p.name] for s in sets]
            assert len(set(values)) == 40
            if p.scale != "orientation":
                assert p.low < min(values) <= max(values) < p.high
        assert sets == make_fitter().random_sets(40)
        assert sets[:5] == make_fitter().random_sets(5)
        assert sets != make_fitter(seed=2).random_sets(40)

    def test_scatter_around_the_recorded_preferred_orientation(self, make_fitter):
        for name, tolerance in (("preferred_basal_deg", 6.0), ("preferred_apical_deg", 12.0)):
            away = [(s[name] - 60.0 + 90.0) % 180.0 - 90.0 for s in make_fitter().random_sets(60)]
            assert abs(np.mean(away)) < tolerance
            assert np.std(away) > 5.0

    def test_the_best_of_the_screened_are_the_starts(self, make_fitter, monkeypatch):
        fitter = make_fitter(Effort(screening_sets=10, starts=3))
        surrogate = fitter._surrogate(0, Calibration(Hazard(-55.0, 2.0, 5.0, 2.0), 0.9, 1.0, 8))
        value = np.array([5.0, -1.0, 9.0, np.nan, 3.0, 8.0, -np.inf, 0.0, 1.0, 2.0])
        monkeypatch.setattr(fitter, "_likelihood_of_sets", lambda *_: value)
        sets = fitter.random_sets(10)
        assert fitter._screen(surrogate) == [sets[2], sets[5], sets[0]]


class TestKeptSets:
    """The likelihood of other sets and the climbs are stand-ins; what is kept of them is not."""

    CALIBRATION = Calibration(Hazard(-55.0, 2.0, 5.0, 2.0), 0.9, 1.0, 8)
    CORRECTION = Correction(np.ones(7), np.ones(7))

    def keep(self, fitter, monkeypatch, values_of_placement, information=None):
        calls = []

        def likelihood(sets, layout, *_):
            calls.append((layout.seed, sets))
            return values_of_placement(layout.seed, len(sets))

        def climb(surrogate, start, iterations, stage):
            return replace(best, coordinates=start + 0.01 * surrogate.layout.seed)

        best = ascent(np.diag(np.where(ANGLE, 1.0, 4.0)) if information is None else information)
        monkeypatch.setattr(fitter, "_likelihood_of_sets", likelihood)
        monkeypatch.setattr(fitter, "_climb", climb)
        return fitter._keep(best, self.CALIBRATION, self.CORRECTION), calls

    def test_the_best_comes_first_and_all_are_within_the_limit_of_their_placements_best(
        self, make_fitter, monkeypatch
    ):
        fitter = make_fitter(Effort(placements=3, draws=4, kept=50, trials=2))
        rng = np.random.default_rng(3)

        def value(seed, n):
            return -1000.0 * seed - np.r_[0.0, rng.uniform(0, 2 * KEPT_WITHIN, n - 1)]

        kept, calls = self.keep(fitter, monkeypatch, value)
        assert kept[0].log_likelihood_difference == 0.0
        assert kept[0].values["ampa_nS"] == pytest.approx(VALUES["ampa_nS"])
        assert {k.placement_seed for k in kept} == {1, 2, 3} == {seed for seed, _ in calls}
        assert all(-KEPT_WITHIN <= k.log_likelihood_difference <= 0 for k in kept)
        n_judged = sum(len(sets) for _, sets in calls)
        assert 0.3 * n_judged < len(kept) < 0.7 * n_judged

    def test_sets_that_the_data_rule_out_are_not_kept(self, make_fitter, monkeypatch):
        fitter = make_fitter(Effort(placements=2, draws=5, kept=50, trials=2))
        kept, _ = self.keep(
            fitter, monkeypatch, lambda seed, n: np.r_[0.0, np.full(n - 1, -KEPT_WITHIN - 0.1)]
        )
        assert [k.placement_seed for k in kept] == [1, 2]
        assert [k.log_likelihood_difference for k in kept] == [0.0, 0.0]

    def test_never_more_than_asked_for(self, make_fitter, monkeypatch):
        fitter = make_fitter(Effort(placements=2, draws=5, kept=4, trials=2))
        kept, _ = self.keep(fitter, monkeypatch, lambda seed, n: np.zeros(n))
        assert len(kept) == 4
        assert kept[0].placement_seed == 1

    def test_orientations_of_kept_sets_are_modulo_180(self, make_fitter, monkeypatch):
        fitter = make_fitter(Effort(placements=1, draws=20, kept=90, trials=2))
        open_everywhere = np.zeros((N, N))
        monkeypatch.setattr(fit_module, "_DRAW_SCALES", (20.0,))
        kept, _ = self.keep(fitter, monkeypatch, lambda seed, n: np.zeros(n), open_everywhere)
        assert len(kept) == 21
        assert all(0 <= k.values["preferred_basal_deg"] < 180 for k in kept)


def test_fitted_mean_and_fano_are_those_of_the_corrected_trials():
    expected = np.array([[4.0, 6.0], [9.0, 15.0]])
    correction = Correction(np.array([1.5, 0.5]), np.array([0.8, 1.2]))
    fit = fit_module.Fit(
        values=VALUES, standard_error={}, determined={}, undetermined=(), status="converged", log_likelihood=0.0,
        bias_correction=0.0, kept=(), calibration=TestKeptSets.CALIBRATION, correction=correction, expected=expected,
        history=(),
    )  # fmt: skip
    np.testing.assert_allclose(fit.fitted_mean, [7.5, 6.0])
    np.testing.assert_allclose(fit.fitted_fano, [0.8 + 2.25 / 7.5, 1.2 + 2.25 / 6.0])


def test_efforts_by_name():
    assert effort_named("standard") == Effort() == EFFORTS["standard"]
    assert effort_named("quick").screening_sets < effort_named("thorough").screening_sets
    with pytest.raises(
        InputError, match=r"effort 'lazy' is not known; choose one of quick, standard, thorough"
    ):
        effort_named("lazy")


class TestSpikeCounts:
    COUNTS = SpikeCounts(np.array([0.0, 90.0, np.nan]), np.array([[1, 2, 3, 6], [0, 0, 0, 0], [2, 2, 2, 2]]))

    def test_moments(self):
        np.testing.assert_allclose(self.COUNTS.mean, [3.0, 0.0, 2.0])
        np.testing.assert_allclose(self.COUNTS.variance, [14 / 3, 0.0, 0.0])
        np.testing.assert_allclose(self.COUNTS.sem, [np.sqrt(14 / 3) / 2, 0.0, 0.0])
        np.testing.assert_allclose(self.COUNTS.fano, [14 / 9, np.nan, 0.0])
        assert self.COUNTS.n_trials == 4

    def test_selection(self):
        shown = self.COUNTS.only(np.isfinite(self.COUNTS.orientation_deg))
        assert shown.orientation_deg.tolist() == [0.0, 90.0]
        assert shown.counts.tolist() == self.COUNTS.counts[:2].tolist()

    @pytest.mark.parametrize("mean", [3.0, 30.0])
    def test_error_of_the_fano_factor_is_how_much_it_scatters(self, mean):
        rng = np.random.default_rng(8)
        counts = rng.negative_binomial(mean / 1.5, 1 / 2.5, (2000, 100))
        fano = counts.var(axis=1, ddof=1) / counts.mean(axis=1)
        assert fano_standard_error(counts).mean() == pytest.approx(fano.std(), rel=0.15)

    def test_silence_has_no_fano_factor(self):
        assert np.isnan(fano_standard_error(np.zeros((1, 5), int))[0])


GRATING = Grating((60.0, 150.0, float("nan")), window_ms=150.0, warm_up_ms=50.0)


def test_pooled_parameter_sets_are_the_sets_one_by_one(tiny_cell, tiny_layout):
    """Lanes of one set never see another set's events or conductances."""
    silent = JaxEngine(silent_cell(tiny_cell), dt_ms=0.1)
    hazard = Hazard(-66.0, 3.0, 6.0, 2.0)
    sets = [VALUES, {**VALUES, "ampa_nS": 1.6}, {**VALUES, "peak_rate_hz": 5.0}]
    options = {"trials": 2, "seed": 4, "gain": stratified_gain(2)}
    pooled = expected_counts(silent, [tiny_layout] * 3, GRATING, Drive(), sets, hazard, **options)
    assert pooled.shape == (3, 3, 2)
    for i, values in enumerate(sets[:2]):
        alone = expected_counts(silent, [tiny_layout], GRATING, Drive(), [values], hazard, **options)
        np.testing.assert_allclose(pooled[i], alone[0], rtol=1e-3)
    assert np.all(pooled[1] > pooled[0])
    preferred, orthogonal, _ = pooled[:2].mean(axis=2).T
    assert np.all(preferred > orthogonal)


def test_simulated_trials_depend_on_seed_and_number_alone(tiny_cell, tiny_layout, monkeypatch):
    engine = JaxEngine(tiny_cell, dt_ms=0.05)

    def counts(**options):
        return simulate_counts(
            engine,
            tiny_layout,
            GRATING,
            drive_at(VALUES, Drive()),
            synapse_overrides(VALUES),
            **{"n_trials": 6, "seed": 9, **options},
        )

    whole = counts()
    assert whole.counts.shape == (3, 6)
    assert whole.counts[0].mean() > 1
    later = counts(n_trials=2, first_trial=4)
    np.testing.assert_array_equal(later.counts, whole.counts[:, 4:])
    monkeypatch.setattr(_spiking, "_LANES_AT_A_TIME", 6)
    np.testing.assert_array_equal(counts().counts, whole.counts)
    assert np.any(counts(seed=10).counts != whole.counts)
    own = counts(own_trials=True).counts
    np.testing.assert_array_equal(own[0], whole.counts[0])
    assert np.any(own[1] != whole.counts[1])
    low, high = (counts(gain=np.full(6, g)).counts[0].mean() for g in (-2.0, 2.0))
    assert high > low


def test_stimuli_with_trials_of_their_own_share_no_noise(tiny_cell, tiny_layout):
    """Two blanks are the same experiment twice, and the same trials only if trials are shared."""
    engine = JaxEngine(tiny_cell, dt_ms=0.05)

    def counts(own_trials):
        return simulate_counts(
            engine,
            tiny_layout,
            replace(GRATING, orientation_deg=(0.0, 0.0)),
            drive_at(VALUES, Drive()),
            synapse_overrides(VALUES),
            n_trials=8,
            seed=9,
            own_trials=own_trials,
        ).counts

    shared, own = counts(False), counts(True)
    np.testing.assert_array_equal(shared[0], shared[1])
    assert np.any(own[0] != own[1])
