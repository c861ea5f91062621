"""Mean rates of excitatory synapses against the events that are drawn."""

from functools import cache

import numpy as np
import pytest

from ketune.afferents import (
    Drive,
    Grating,
    compartment_rate_hz,
    excitatory_rate_hz,
    hard_events,
    place_synapses,
)
from ketune.cell_model import build_cell
from ketune.morphology import SMALL_MORPHOLOGY, read_morphology

DRIVE = Drive(peak_rate_hz=6.0, spread_basal_deg=25.0, preferred_apical_deg=60.0)


@cache
def cell():
    return build_cell(morphology=read_morphology(SMALL_MORPHOLOGY))


@cache
def layout():
    return place_synapses(cell(), seed=2)


@pytest.mark.parametrize("modulation", [0.0, 0.8])
def test_rates_are_those_of_the_events_within_the_window(modulation):
    grating = Grating((0.0, 60.0, 120.0, np.nan), 500.0, warm_up_ms=100.0, modulation=modulation)
    rates = compartment_rate_hz(layout(), grating, DRIVE, cell().table.n)
    trials = 60
    # stratified gain: trials then share the mean of the gain closely
    events = hard_events(
        layout(), grating, DRIVE, trials=range(trials), seed=4, dt_ms=0.1, gain=np.zeros(trials)
    )
    inside = (events.port == events.port_names.index("exc")) & (events.step * 0.1 >= 100.0)
    counted = np.bincount(events.compartment[inside], minlength=cell().table.n)
    synapses = np.bincount(layout().compartment["exc"], minlength=cell().table.n)
    gain = np.exp(-0.5 * DRIVE.gain_sd**2)  # of the trials drawn; the rates are for its mean, 1
    expected = rates * synapses * trials * 4 * 0.5 * gain
    busy = synapses > 0
    z = (counted - expected)[busy] / np.sqrt(expected[busy])
    assert np.abs(z).max() < 4.5
    assert abs(counted[busy].sum() / expected[busy].sum() - 1.0) < 4.0 / np.sqrt(expected[busy].sum())


def test_undriven_synapses_have_their_background():
    grating = Grating((45.0,), 500.0)
    rates = excitatory_rate_hz(layout(), grating, DRIVE)
    rest = np.setdiff1d(np.arange(rates.size), layout().driven)
    np.testing.assert_allclose(rates[rest], DRIVE.background_rate_hz)
    assert rates[layout().driven].min() > DRIVE.background_rate_hz + 0.2 * DRIVE.peak_rate_hz * 0.999
    blank = excitatory_rate_hz(layout(), Grating((np.nan,), 500.0), DRIVE)
    np.testing.assert_allclose(blank, DRIVE.background_rate_hz)


def test_compartments_without_a_synapse_get_the_mean():
    grating = Grating((0.0, 90.0), 500.0)
    rates = compartment_rate_hz(layout(), grating, DRIVE, cell().table.n + 3)
    assert rates[-1] == excitatory_rate_hz(layout(), grating, DRIVE).mean()
