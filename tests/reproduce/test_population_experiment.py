"""Counts of a population: drawn from laws, and from the spiking cell."""

from dataclasses import replace

import numpy as np
import pytest

from ketune.afferents import Drive, Grating
from ketune.engines.jax_engine import JaxEngine
from ketune.fitting import drive_at, simulate_counts, synapse_overrides
from ketune.pharmacology import apply_effect, no_effect
from ketune.reproduce import drawn_counts, spiking_counts

ANGLES = (40.0, 90.0, float("nan"))


def test_drawn_counts_have_the_predicted_moments(population):
    moments = population.moments({})
    counts = drawn_counts(moments, 6000, np.random.default_rng(2))
    assert counts.shape == (3, 7, 6000)
    error = np.sqrt(np.asarray(moments.mean * moments.fano) / 6000)
    assert np.all(np.abs(counts.mean(axis=2) - moments.mean) < 5 * error)
    np.testing.assert_allclose(counts.var(axis=2) / counts.mean(axis=2), moments.fano, rtol=0.25)


@pytest.fixture(scope="module")
def engine(tiny_cell):
    return JaxEngine(tiny_cell, dt_ms=0.1, dtype=np.float64)


@pytest.mark.parametrize("dosed", [False, True])
def test_spikes_are_those_of_the_dosed_cell(engine, tiny_cell, neurons, layouts, dosed):
    """Against the path that doses fitted neurons."""
    neuron = replace(neurons[0], values={**neurons[0].values, "ampa_nS": 2.5, "peak_rate_hz": 25.0})
    actions = {"nmda_basal": 0.3, "nmda_apical": 0.3, "pv": 0.5, "kv_block": 0.4, "recurrent_drive": 0.9}
    found = spiking_counts(
        engine, neuron, layouts[0], ANGLES, 0.1, actions if dosed else {}, turn=0.0, trials=2, seed=7
    )
    values = dict(neuron.values)
    drive, effect = drive_at(values, Drive()), no_effect(tiny_cell.table.n)
    if dosed:
        n = tiny_cell.table.n
        effect = replace(effect, nmda_block=np.full(n, 0.7), kv_block=np.full(n, 0.4))
        drive = replace(drive, pv_drive=0.5, peak_rate_hz=0.9 * drive.peak_rate_hz)
    own = tiny_cell.with_parameters(synapse_overrides(values))
    overrides = synapse_overrides(values) | apply_effect(own, effect)[0]
    expected = simulate_counts(
        engine,
        layouts[0],
        Grating(ANGLES, window_ms=100.0, warm_up_ms=200.0),
        drive,
        overrides,
        n_trials=2,
        seed=7,
        own_trials=True,
    ).counts
    np.testing.assert_array_equal(found, expected)
    assert found.sum() > 0
