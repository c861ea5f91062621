"""The arithmetic behind the transport and kinetic numbers that are tagged as derived."""

import numpy as np
import pytest

from ketune.pharmacology import Medium, load_drug

DRUG = load_drug()
Q = DRUG.parameters
CM2_TO_UM2 = 1e8


def wilke_chang_um2_s(molar_volume_cm3, viscosity_cP=0.69, kelvin=310.0):
    """Diffusion coefficient in water (Wilke & Chang 1955), association factor 2.6."""
    return 7.4e-8 * np.sqrt(2.6 * 18.0) * kelvin / (viscosity_cP * molar_volume_cm3**0.6) * CM2_TO_UM2


def test_diffusion_from_water_to_tissue():
    low, central, high = (wilke_chang_um2_s(v) for v in (300.0, 250.0, 200.0))
    assert (low, central, high) == pytest.approx((740.0, 820.0, 940.0), rel=0.01)
    assert 0.2 * central / 2.6 == pytest.approx(Q["topical.diffusion"].low, rel=0.02)
    assert central / 2.6 == pytest.approx(Q["topical.diffusion"].high, rel=0.02)


def test_retention_is_brain_to_plasma_over_free_in_plasma():
    assert Q["topical.retention"].high == 6.5 / 0.5


def test_clearance_is_blood_flow_over_brain_to_plasma():
    slow, fast = (flow / 6.5 / 60.0 for flow in (0.5, 1.0))
    assert slow == pytest.approx(Q["topical.clearance"].value, rel=0.02)
    assert fast == pytest.approx(Q["topical.clearance"].high, rel=0.02)
    assert np.log(2) / (60 * slow) == pytest.approx(9.0, abs=0.1)


def test_decay_lengths():
    def length(pick, opposite):
        return Medium(
            getattr(Q["topical.diffusion"], pick),
            getattr(Q["topical.retention"], opposite),
            getattr(Q["topical.clearance"], opposite),
        ).length_um

    assert length("value", "value") == pytest.approx(139.0, abs=0.5)
    assert (length("low", "high"), length("high", "low")) == pytest.approx((44.0, 340.0), abs=2.5)
    lidocaine = [1000.0 / np.log(369.0 / threshold) for threshold in (0.3, 3.0)]
    assert lidocaine == pytest.approx([140.0, 210.0], abs=2.5)
    assert lidocaine[0] < 1.05 * length("value", "value") < lidocaine[1]


def test_doses_and_what_a_paper_holds():
    salt, base = Q["molar_mass.salt"].value, Q["molar_mass.base"].value
    assert (1e4 / salt, 1e4 / base) == pytest.approx((36.5, 42.1), abs=0.05)
    q = Q["topical.reservoir"]
    assert (q.low * 1e4 / salt, q.high * 1e4 / salt) == pytest.approx((4.0, 18.0), abs=0.4)


def test_scale_of_an_injection():
    """Free concentration at the dog's minimum anaesthetic, reached by 100 mg/kg, and human plasma in uM."""
    salt, base = Q["molar_mass.salt"].value, Q["molar_mass.base"].value
    free = 3000.0 / salt * (1 - 0.535)
    assert free == pytest.approx(5.1, abs=0.05)
    assert 100.0 * Q["systemic.uM_per_mg_kg"].value > 2 * free
    assert (159.0 / base, 1959.0 / base) == pytest.approx((0.67, 8.2), abs=0.05)
