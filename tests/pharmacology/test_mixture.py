"""Several drugs over time: what was there before, metabolites, and the levels of block."""

import numpy as np
import pytest

from ketune.errors import InputError
from ketune.pharmacology import (
    Administration,
    Baseline,
    Dosing,
    NmdaDrive,
    load_drug,
    make_exposure,
    nmda_drive,
)

KETAMINE = load_drug()
DEPTH = np.array([300.0, 250.0, 200.0])
DRIVE = NmdaDrive(np.array([-66.0, -55.0, -40.0]), np.array([0.5, 1.0, 2.0]))


def bath(uM, **options):
    given = Administration(KETAMINE, make_exposure(KETAMINE, "bath", f"{uM} uM"))
    return Dosing((given,), DEPTH, **options)


def at(dosing, t=30.0):
    return dosing.effects([t], DRIVE, [f"{t:g} min"])[0]


def test_a_dose_of_nothing_does_nothing():
    e = at(bath(0))
    assert np.all(e.nmda_block == 0)
    assert (e.pv_drive, e.label, e.time_min) == (1.0, "30 min", 30.0)


def test_before_the_dose_there_is_no_effect():
    before, after = bath(10).effects([-5.0, 30.0], DRIVE, ["a", "b"])
    assert np.all(before.nmda_block == 0)
    assert np.all(after.nmda_block > 0.3)


def test_the_same_drug_in_the_baseline_adds_its_concentration():
    total = at(bath(10, baseline=(Baseline(KETAMINE, 5.0),), baseline_recorded=False))
    whole = at(bath(15))
    np.testing.assert_allclose(total.nmda_block, whole.nmda_block, rtol=1e-9)
    np.testing.assert_allclose(total.hcn_block, whole.hcn_block, rtol=1e-9)


def test_a_recorded_baseline_is_taken_off():
    base = (Baseline(KETAMINE, 5.0),)
    added = bath(10, baseline=base)
    e, total, before = at(added), at(bath(15)), at(bath(5))
    np.testing.assert_allclose((1 - before.nmda_block) * (1 - e.nmda_block), 1 - total.nmda_block, rtol=1e-9)
    assert added.control(DRIVE) is None
    on_top = bath(10, baseline=base, baseline_recorded=False).control(DRIVE)
    np.testing.assert_allclose(on_top.nmda_block, before.nmda_block, rtol=1e-9)


def test_targets_switch_the_drug_but_not_the_baseline():
    isoflurane = load_drug("isoflurane")
    dosing = bath(
        10, baseline=(Baseline(isoflurane, 300.0),), baseline_recorded=False, targets=frozenset({"nmda"})
    )
    e = at(dosing)
    anaesthetic = dosing.control(DRIVE)
    np.testing.assert_array_equal(e.hcn_block, anaesthetic.hcn_block)
    assert e.pv_drive == anaesthetic.pv_drive
    assert np.all(e.nmda_block > anaesthetic.nmda_block)
    assert np.any(e.gabaa_gain != 1) or np.any(e.gabaa_decay != 1)


def test_injected_ketamine_brings_norketamine():
    given = Administration(KETAMINE, make_exposure(KETAMINE, "ip", "30 mg/kg"))
    with_metabolite = Dosing((given,), DEPTH)
    assert set(with_metabolite.given([15.0])) == {"ketamine", "norketamine"}
    none = {"systemic.norketamine_fraction": 0.0}
    without = Dosing(
        (Administration(KETAMINE, make_exposure(KETAMINE, "ip", "30 mg/kg", overrides=none)),), DEPTH
    )
    assert np.all(at(with_metabolite, 60.0).nmda_block > at(without, 60.0).nmda_block)


def test_levels_agree_long_after_a_step_and_differ_at_its_beginning():
    early, late = (
        {m: at(bath(4, block_model=m), t).nmda_block for m in ("equilibrium", "kinetic", "markov")}
        for t in (0.25, 60.0)
    )
    np.testing.assert_allclose(late["kinetic"], late["equilibrium"], atol=0.01)
    np.testing.assert_allclose(late["markov"], late["equilibrium"], atol=0.03)
    assert np.all(early["kinetic"] < early["equilibrium"] - 0.05)
    np.testing.assert_allclose(early["kinetic"], early["markov"], atol=0.05)


def test_kinetic_block_begins_from_that_of_the_baseline():
    dosing = bath(0, block_model="kinetic", baseline=(Baseline(KETAMINE, 5.0),), baseline_recorded=False)
    np.testing.assert_allclose(at(dosing, 1.0).nmda_block, at(bath(5), 1.0).nmda_block, atol=1e-4)


def test_a_drug_without_rates_has_no_kinetics():
    apv = load_drug("d-apv")
    dosing = Dosing((Administration(apv, make_exposure(apv, "bath", "50 uM")),), DEPTH)
    assert np.all(at(dosing).nmda_block > 0.5)
    with pytest.raises(InputError, match="--block-model exact: known are equilibrium"):
        bath(1, block_model="exact")
    with pytest.raises(InputError, match="d-apv is no blocker of the NMDA pore with known rates"):
        Dosing(dosing.administrations, DEPTH, block_model="markov")


def test_a_metabolite_without_rates_is_in_equilibrium():
    given = Administration(KETAMINE, make_exposure(KETAMINE, "ip", "30 mg/kg"))
    slow = Dosing((given,), DEPTH, block_model="kinetic").effects([240.0], DRIVE, ["late"])[0]
    fast = Dosing((given,), DEPTH).effects([240.0], DRIVE, ["late"])[0]
    assert np.all(slow.nmda_block > fast.nmda_block)  # ketamine leaves slowly


def test_dopamine_is_off_by_default_and_small():
    apical = np.array([False, False, True])
    plain, layer = at(bath(3)), at(bath(3, apical=apical))
    assert np.all(plain.nmda_gain == 1)
    assert np.all(np.abs(layer.nmda_gain - 1) < 0.05)
    assert layer.nmda_gain[2] < layer.nmda_gain[0]
    assert layer.pv_drive > plain.pv_drive
    lost = {"ketamine": {"dopamine.rho_th": 0.5, "dopamine.acute_gain": 0.0}}
    assert at(bath(3, apical=apical, overrides=lost)).pv_drive < plain.pv_drive


def test_assumed_drive_where_no_simulation_gives_one():
    drive = nmda_drive(KETAMINE.values(), 3)
    assert drive.v_bar_mV.tolist() == [-60.0] * 3
    assert drive.rate_hz.tolist() == [1.0] * 3
