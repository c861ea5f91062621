"""Numbers that the evidence derives from cited ones by arithmetic, recomputed and compared with what is shipped.

Exposure arithmetic is in test_exposure_derived.py, block tables in test_effect.py and test_block_levels.py, splits of
enantiomers and metabolites in test_drugs_library.py, receptor schemes in test_ketamine_markov.py.
"""

import math

import numpy as np
import pytest

from ketune import mechanisms
from ketune.pharmacology import concentration, load_drug, make_exposure, nmda_block, nmda_ic50_uM

KETAMINE = load_drug()
P = KETAMINE.values()


@pytest.mark.parametrize(("subunit", "shift"), [("2A", 16.2), ("2B", 16.4), ("2C", 2.3), ("2D", 3.6)])
def test_magnesium_shift(subunit, shift):
    without = nmda_ic50_uM(subunit, -66.0, KETAMINE, {"nmda.mg": 0.0})
    assert nmda_ic50_uM(subunit, -66.0, KETAMINE) / without == pytest.approx(shift, abs=0.06)


def test_subtypes_at_rest_with_magnesium():
    """2C and 2D are 4.5 and 1.8 times as sensitive as 2A: the range of the interneurons' extra affinity."""
    of_2a = nmda_ic50_uM("2A", -66.0, KETAMINE)
    assert of_2a / nmda_ic50_uM("2C", -66.0, KETAMINE) == pytest.approx(4.5, abs=0.06)
    assert of_2a / nmda_ic50_uM("2D", -66.0, KETAMINE) == pytest.approx(1.8, abs=0.03)
    kappa = KETAMINE.parameters["interneuron.kappa"]
    assert (kappa.low, kappa.high) == (1.0, 4.5)


def test_magnesium_affinities_from_the_shifts():
    """1 mM Mg raises the half block s-fold: K_Mg = 1 / (s - 1)."""
    for subunit, without, with_mg in (
        ("2A", 0.33, 5.35),
        ("2B", 0.31, 5.08),
        ("2C", 0.51, 1.18),
        ("2D", 0.83, 2.95),
    ):
        assert P[f"nmda.k_mg_{subunit}"] == pytest.approx(1.0 / (with_mg / without - 1.0), rel=0.02)


def test_half_block_of_native_current_lies_in_the_range_of_affinity():
    """80 % by 10 uM with a Hill coefficient of 1 is a half block of 2.5 uM (Mealing 1999)."""
    half = 10.0 * (1 - 0.8) / 0.8
    assert half == pytest.approx(2.5)
    scale = KETAMINE.parameters["nmda.affinity_scale"]
    assert scale.low * 0.33 < half < scale.high * 0.33 * 2


def test_macroscopic_rates():
    """Gilling 2009: Kd = 0.22 / 0.15 = 1.47 uM; binding to the open gate is the macroscopic rate over Po = 0.22."""
    assert pytest.approx(1.47, abs=0.005) == 0.22 / 0.15
    assert P["nmda.k_on"] == pytest.approx(0.15 / 0.22, rel=0.01)
    assert P["nmda.k_esc"] == pytest.approx(-math.log(0.86) / 120.0, rel=0.005)


def test_hydroxynorketamine_is_a_hundred_times_weaker():
    assert load_drug("hydroxynorketamine").values()["nmda.k_2A"] == pytest.approx(46.0)
    assert pytest.approx(0.46) == 46.0 / 100


def test_kole_hcn1_at_rest_and_shifted():
    """m at -70 mV is 0.018, after a shift of 5, 10, 15 mV 0.011, 0.007, 0.004: half activation lies near -110 mV."""
    hcn1 = mechanisms.load("hcn1")

    def steady(v, shift=0.0):
        states = hcn1.init(np.array([v]), hcn1.defaults() | {"dv_ket": np.array([shift])})
        return float(np.asarray(states["m"] if isinstance(states, dict) else states[0])[0])

    shifted = [steady(-70.0, shift) for shift in (0.0, 5.0, 10.0, 15.0)]
    assert shifted == pytest.approx([0.018, 0.011, 0.007, 0.004], abs=0.0005)
    assert steady(-110.0) == pytest.approx(0.5, abs=0.05)


def test_kv_block_is_partial():
    """The fitted law gives 9/19/34/47/55 % at 10/30/100/300/1000 uM, as docs/pharmacology.md says."""
    c = np.array([10.0, 30.0, 100.0, 300.0, 1000.0])
    powered = (c / P["kv.ec50"]) ** P["kv.hill"]
    block = P["kv.block_max"] * powered / (1 + powered)
    assert 100 * block == pytest.approx([9, 19, 34, 47, 55], abs=0.6)
    # The abstract's own IC50 and Hill coefficient contradict its row: 88 % at 440 uM.
    assert pytest.approx(0.88, abs=0.005) == (440 / 100) ** 1.33 / (1 + (440 / 100) ** 1.33)


def test_working_bands_of_injections():
    """Peaks of 10, 30 and 100 mg/kg: sub-anaesthetic 0.3 to 3 uM, anaesthetic 5 to 20 uM free; half bound in plasma."""
    peaks = [
        float(concentration(make_exposure(KETAMINE, "ip", f"{dose} mg/kg"), [300.0], [6.0])[0, 0])
        for dose in (10, 30, 100)
    ]
    assert peaks == pytest.approx([1.1, 3.2, 10.7], rel=0.03)
    assert 0.3 < peaks[0] < 3.0
    assert 5.0 < peaks[2] < 20.0
    assert pytest.approx(5.1, abs=0.05) == 3.0 / 274.19 * 1e3 * (1 - 0.535)


def test_occupancy_after_an_injection():
    """30 mg/kg: 62 % at 15 min and 13 % at 60 min with the occupancy constant of 1.42 uM (Lord 2013, Shaffer 2014)."""
    c = concentration(make_exposure(KETAMINE, "ip", "30 mg/kg"), [300.0], [15.0, 60.0])[:, 0]
    assert c / (c + 1.42) == pytest.approx([0.62, 0.13], abs=0.006)


def test_topical_concentrations_saturate_nmda_and_reach_kv_but_not_nav():
    c = concentration(make_exposure(KETAMINE, "topical", "10 mg/ml"), [300.0], [10.0, 30.0])[:, 0]
    assert np.all((c > 30) & (c < 1000))
    assert np.all(nmda_block(c, -60.0, KETAMINE) > 0.9)
    assert np.all(c < 0.2 * P["nav.ic50"])
