"""Tuning of the average placement and its spread, against drawn afferents and real placements."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ketune.afferents import Drive, place_synapses, rate_hz
from ketune.cell_model import build_cell
from ketune.inference import JointModel, Trees
from ketune.inference._density import _tree_rates
from ketune.inference._placement_noise import mean_tuning, tuning_covariance
from ketune.surface._inputs import tree_share, trial_inputs

ORIENTATION_DEG = np.array([0.0, 30.0, 75.0, 90.0, 110.0, 165.0])
PLACEMENTS = 300


@settings(max_examples=15)
@given(
    preferred=st.floats(0.0, 180.0),
    spread=st.floats(3.0, 60.0),
    width=st.floats(8.0, 18.0),
    seed=st.integers(0, 100),
)
def test_against_many_afferents(preferred, spread, width, seed):
    drive = Drive(afferent_width_deg=width, afferent_untuned=0.0, peak_rate_hz=1.0, gain_sd=0.0)
    n = 40_000
    drive = Drive(**{**drive.as_dict(), "preferred_basal_deg": preferred, "spread_basal_deg": spread})
    tuned = rate_hz(
        drive,
        0,
        gain_deviate=0.0,
        orientation_deg=ORIENTATION_DEG[:, None],
        tree=0,
        deviate=np.random.default_rng(seed).standard_normal(n),
    )
    mean = mean_tuning(drive, ORIENTATION_DEG, preferred, spread)
    # Responses lie between 0 and 1, so means and covariances err by less than 0.5 / sqrt(n) = 0.0025.
    np.testing.assert_allclose(mean, tuned.mean(axis=1), atol=0.012)
    covariance = tuning_covariance(drive, ORIENTATION_DEG, preferred, spread)
    np.testing.assert_allclose(covariance, np.cov(tuned), atol=0.012)


@given(preferred=st.floats(-90.0, 270.0), spread=st.floats(3.0, 60.0))
def test_the_circle_has_no_seam(preferred, spread):
    for function in (mean_tuning, tuning_covariance):
        here = function(Drive(), ORIENTATION_DEG, preferred % 180.0, spread)
        there = function(Drive(), (ORIENTATION_DEG + 90.0) % 180.0, (preferred + 90.0) % 180.0, spread)
        np.testing.assert_allclose(here, there, atol=1e-3)


@pytest.fixture(scope="module")
def placements():
    """Layouts of the default cell, and which compartments are apical."""
    cell = build_cell()
    return [place_synapses(cell, seed=s) for s in range(PLACEMENTS)], cell.table.region == "apical"


@pytest.fixture(scope="module")
def drive():
    return Drive(preferred_basal_deg=80.0, preferred_apical_deg=120.0, spread_basal_deg=25.0, gain_sd=0.0)


def test_rates_of_real_placements(placements, drive, one_condition):
    layouts, apical = placements
    trees = Trees.of(layouts, apical)
    rates = np.array(
        [
            [
                trial_inputs(drive, layout, apical, orientation_deg=o, gain_deviate=0.0)[:2]
                for o in ORIENTATION_DEG
            ]
            for layout in layouts
        ]
    )
    model = JointModel(
        one_condition.surface, one_condition.conditions, tuple(ORIENTATION_DEG), 0.5, trees, drive
    )
    mean, own, share = map(
        np.asarray, _tree_rates(model.structure, {**model.data, "location_sd": 0.0}, drive)
    )
    log_rates = np.log(rates)
    covariance = [own[tree] + np.outer(share[tree], share[tree]) for tree in (0, 1)]
    for tree in (0, 1):
        error = rates[:, :, tree].std(axis=0) / np.sqrt(PLACEMENTS)
        np.testing.assert_array_less(abs(rates[:, :, tree].mean(axis=0) - mean[tree]), 4.5 * error)
        sd = np.sqrt(np.diag(covariance[tree]))
        # Standard errors of variances are largest, 4.5 of them.
        np.testing.assert_allclose(
            np.cov(log_rates[:, :, tree].T) / np.outer(sd, sd),
            covariance[tree] / np.outer(sd, sd),
            atol=4.5 * np.sqrt(2 / PLACEMENTS),
        )
    # What one tree has more of, the other lacks.
    between = np.cov(log_rates[:, :, 0].T, log_rates[:, :, 1].T)[
        : len(ORIENTATION_DEG), len(ORIENTATION_DEG) :
    ]
    sd = [np.sqrt(np.diag(c)) for c in covariance]
    np.testing.assert_allclose(
        between / np.outer(*sd), np.outer(*share) / np.outer(*sd), atol=4.5 * np.sqrt(2 / PLACEMENTS)
    )


def test_driven_shares_of_real_placements(placements):
    layouts, apical = placements
    trees = Trees.of(layouts, apical)
    driven = np.array([n_driven / n_all for n_all, n_driven in (tree_share(x, apical) for x in layouts)])
    measured = (driven / trees.driven_share).std(axis=0, ddof=1)
    np.testing.assert_allclose(trees.share_sd, measured, rtol=4.5 / np.sqrt(2 * PLACEMENTS))


def test_numbers_of_synapses(placements):
    layouts, apical = placements
    trees = Trees.of(layouts, apical)
    share = [tree_share(layout, apical) for layout in layouts]
    np.testing.assert_allclose(trees.n_driven, np.mean([driven for _, driven in share], axis=0))
    # A quarter of the synapses is driven wherever they sit.
    np.testing.assert_allclose(trees.driven_share, 0.25, atol=0.005)
