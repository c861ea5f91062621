"""Inputs of a trial against the events that it receives."""

from dataclasses import replace

import numpy as np
import pytest

from ketune.afferents import Drive, Grating, hard_events
from ketune.surface import INPUTS
from ketune.surface._inputs import other_rates, tree_share, trial_inputs

DRIVE = Drive(
    peak_rate_hz=6.0,
    background_rate_hz=0.8,
    preferred_basal_deg=60.0,
    preferred_apical_deg=100.0,
    pv_drive=0.6,
    sst_drive=1.3,
    gain_sd=0.4,
)
WARM_UP_MS, WINDOW_MS, TRIALS = 200.0, 1000.0, 60


@pytest.fixture(scope="module")
def apical(tiny_cell):
    return tiny_cell.table.region == "apical"


@pytest.mark.parametrize(
    ("orientation", "deviate"), [(60.0, 0.0), (100.0, 1.2), (150.0, -1.0), (np.nan, 0.7)]
)
def test_rates_are_those_of_the_events(tiny_layout, apical, orientation, deviate):
    dt_ms = 0.1
    events = hard_events(
        tiny_layout,
        Grating((orientation,), window_ms=WINDOW_MS, warm_up_ms=WARM_UP_MS),
        DRIVE,
        trials=range(TRIALS),
        seed=5,
        dt_ms=dt_ms,
        gain=np.full(TRIALS, deviate),
    )
    counted = events.step * dt_ms >= WARM_UP_MS
    port = np.array([events.port_names[p] for p in events.port])
    excitatory, distal = port == "exc", apical[events.compartment]
    n_all, _ = tree_share(tiny_layout, apical)
    seconds = TRIALS * WINDOW_MS * 1e-3
    found = np.array(
        [
            np.sum(counted & excitatory & ~distal) / (n_all[0] * seconds),
            np.sum(counted & excitatory & distal) / (n_all[1] * seconds),
            np.sum(~counted & excitatory) / (n_all.sum() * TRIALS * WARM_UP_MS * 1e-3),
            np.sum(counted & (port == "pv")) / (len(tiny_layout.compartment["pv"]) * seconds),
            np.sum(counted & (port == "sst")) / (len(tiny_layout.compartment["sst"]) * seconds),
        ]
    )
    exposure = [n_all[0], n_all[1], n_all.sum() * WARM_UP_MS / WINDOW_MS]
    exposure = seconds * np.array(
        [*exposure, len(tiny_layout.compartment["pv"]), len(tiny_layout.compartment["sst"])]
    )
    expected = trial_inputs(DRIVE, tiny_layout, apical, orientation_deg=orientation, gain_deviate=deviate)
    assert len(expected) == INPUTS.index("ampa_nS")
    np.testing.assert_array_less(abs(found - expected), 4 * np.sqrt(expected / exposure))


def test_synapses_are_all_on_one_tree_or_the_other(tiny_layout, apical):
    n_all, n_driven = tree_share(tiny_layout, apical)
    assert n_all.sum() == len(tiny_layout.compartment["exc"])
    assert n_driven.sum() == len(tiny_layout.driven)
    assert np.all(n_driven < n_all)


def test_a_tree_without_synapses_has_the_background_alone(tiny_layout, apical):
    rates = trial_inputs(DRIVE, tiny_layout, np.zeros_like(apical), orientation_deg=60.0, gain_deviate=0.0)
    assert rates[1] > rates[2]
    basal_only = replace(tiny_layout, tree=np.zeros_like(tiny_layout.tree))
    rates = trial_inputs(DRIVE, basal_only, np.zeros_like(apical), orientation_deg=60.0, gain_deviate=0.0)
    assert rates[1] == rates[2]


def test_interneurons_on_a_blank_keep_their_background():
    background, pv, sst = other_rates(replace(DRIVE, gain_sd=0.0), 0.0, False)
    assert (background, pv, sst) == pytest.approx((0.8, 0.6 * 4.0, 1.3 * 2.0))
    _, pv, sst = other_rates(replace(DRIVE, gain_sd=0.0), 0.0, True)
    assert (pv, sst) == pytest.approx((0.6 * 12.0, 1.3 * 4.0))
