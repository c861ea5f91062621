"""From silent voltage to expected spikes: the escape rate and its calibration."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketune.afferents import Drive
from ketune.fitting import Hazard
from ketune.fitting._calibrate import calibrate, fit_hazard
from ketune.fitting._readout import silent_cell

hazards = st.builds(
    Hazard,
    threshold_mV=st.floats(-65, -45),
    width_mV=st.floats(0.5, 8.0),
    slope_hz_per_mV=st.floats(0.5, 40.0),
    refractory_ms=st.floats(0.2, 10.0),
)


def softplus(z):
    return np.logaddexp(0.0, z)


@given(hazards, st.floats(-90, -20), st.floats(0.01, 20))
def test_rate_rises_from_zero_to_the_inverse_of_the_refractory_period(hazard, v, more):
    low, high = (hazard.rate_hz(x, softplus) for x in (v, v + more))
    assert 0.0 <= low <= high < 1e3 / hazard.refractory_ms
    assert hazard.rate_hz(hazard.threshold_mV - 60 * hazard.width_mV, softplus) < 1e-9
    assert hazard.rate_hz(1e7, softplus) == pytest.approx(1e3 / hazard.refractory_ms, rel=1e-2)


def test_rate_is_exponential_far_below_and_linear_far_above_threshold():
    hazard = Hazard(-55.0, 2.0, 5.0, 1e-6)
    below = [hazard.rate_hz(v, softplus) for v in (-75.0, -73.0)]
    assert below[1] / below[0] == pytest.approx(np.e, rel=1e-3)
    assert hazard.rate_hz(-35.0, softplus) == pytest.approx(100.0, rel=1e-3)
    assert hazard.rate_hz(-25.0, softplus) == pytest.approx(150.0, rel=1e-3)


@given(hazards, st.floats(-90, -20))
def test_numpy_and_jax_agree_and_the_gradient_is_finite(hazard, v):
    assert float(hazard.rate_hz(v)) == pytest.approx(hazard.rate_hz(v, softplus), rel=1e-9, abs=1e-300)
    assert np.isfinite(jax.grad(hazard.rate_hz)(v))


def test_silent_cell_lacks_the_spike_and_nothing_else(tiny_cell):
    silent = silent_cell(tiny_cell)
    assert set(tiny_cell.by_label) - set(silent.by_label) == {"nav", "kv"}
    assert silent.table is tiny_cell.table


def voltages(trials, rng):
    """Slow and fast fluctuations around a level of each trial's own."""
    level = rng.uniform(-68, -46, trials)
    return level + 2.0 * rng.standard_normal((200, trials))


@pytest.mark.parametrize("truth", [Hazard(-57.0, 2.0, 8.0, 3.0), Hazard(-52.0, 1.0, 4.0, 6.0)])
def test_calibration_recovers_the_escape_rate_that_made_the_counts(truth):
    rng = np.random.default_rng(2)
    v = voltages(1500, rng)
    mean = truth.rate_hz(v, softplus).mean(axis=0) * 0.8
    result = fit_hazard(v, rng.poisson(mean), window_ms=800.0)
    fluctuation = 2.0 * rng.standard_normal(4000)
    for level in np.linspace(-62, -48, 8):
        wanted, found = (h.rate_hz(level + fluctuation, softplus).mean() for h in (truth, result.hazard))
        assert found == pytest.approx(wanted, rel=0.1, abs=0.2)
    assert result.hazard.threshold_mV == pytest.approx(truth.threshold_mV, abs=1.0)
    assert result.dispersion == pytest.approx(1.0, abs=0.15)
    assert result.correlation > 0.92
    assert result.n_trials == 1500


def test_dispersion_says_how_much_more_the_counts_vary_than_the_escape_rate_explains():
    rng = np.random.default_rng(3)
    v = voltages(1500, rng)
    mean = Hazard(-57.0, 2.0, 8.0, 3.0).rate_hz(v, softplus).mean(axis=0) * 0.8
    counts = rng.negative_binomial(np.maximum(mean, 1e-6) / 2.0, 1 / 3.0)
    assert fit_hazard(v, counts, window_ms=800.0).dispersion == pytest.approx(3.0, rel=0.2)


def test_a_cell_that_never_fires_has_no_correlation_but_a_calibration():
    v = voltages(40, np.random.default_rng(4))
    result = fit_hazard(v, np.zeros(40, int), window_ms=500.0)
    assert np.isnan(result.correlation)
    assert result.hazard.rate_hz(v, softplus).mean() < 0.05


def test_silent_voltage_predicts_spikes_of_the_whole_cell(tiny_cell, tiny_layout):
    """Parameter sets from near silence to vigorous firing, one escape rate for all of them."""
    rng = np.random.default_rng(1)
    sets = [
        {
            "peak_rate_hz": peak, "background_rate_hz": 1.0, "preferred_basal_deg": 90.0, "preferred_apical_deg": 90.0,
            "spread_basal_deg": 20.0, "spread_apical_deg": 20.0, "ampa_nS": float(rng.uniform(0.5, 1.0)),
            "nmda_nS": float(rng.uniform(0.5, 1.0)), "pv_nS": 1.0, "sst_nS": 1.0, "gain_sd": 0.2,
        }
        for peak in (2.0, 8.0, 20.0)
    ]  # fmt: skip
    result = calibrate(
        tiny_cell,
        tiny_layout,
        Drive(),
        sets,
        orientation_deg=(45.0, 90.0),
        seed=5,
        spiking_dt_ms=0.05,
        silent_dt_ms=0.1,
        trials=4,
        window_ms=400.0,
        warm_up_ms=100.0,
    )
    assert result.n_trials == 24
    assert result.correlation > 0.9
    assert 0.0 < result.dispersion < 3.0
    assert -70.0 < result.hazard.threshold_mV < -40.0
