"""What a concentration does, against the numbers that the literature or arithmetic from it gives."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ketune.errors import InputError
from ketune.pharmacology import (
    PRIMARY_TARGETS,
    TARGETS,
    apply_effect,
    effect,
    load_drug,
    nmda_block,
    nmda_ic50_uM,
    no_effect,
    subunit_fractions,
)

KETAMINE = load_drug()
NO_NMDA = load_drug("zd7288")
ARRAYS = (
    "nmda_block",
    "hcn_shift_mV",
    "hcn_block",
    "nav_block",
    "kv_block",
    "kv_shift_mV",
    "cal_block",
    "tonic_gaba_gain",
)


@pytest.mark.parametrize(
    ("subunit", "at_65", "at_35"), [("2A", 5.2, 2.7), ("2B", 4.9, 2.5), ("2C", 1.2, 1.5), ("2D", 2.9, 2.9)]
)
def test_effective_ic50_with_magnesium(subunit, at_65, at_35):
    assert nmda_ic50_uM(subunit, -65.0, KETAMINE) == pytest.approx(at_65, abs=0.05)
    assert nmda_ic50_uM(subunit, -35.0, KETAMINE) == pytest.approx(at_35, abs=0.05)


@pytest.mark.parametrize(
    ("subunit", "without", "with_mg"),
    [("2A", 0.33, 5.35), ("2B", 0.31, 5.08), ("2C", 0.51, 1.18), ("2D", 0.83, 2.95)],
)
def test_ic50_of_kotermanski_and_johnson(subunit, without, with_mg):
    """At -66 mV with 0 and 1 mM Mg. Circular for the Mg affinities, so it checks units and signs."""
    assert nmda_ic50_uM(subunit, -66.0, KETAMINE, {"nmda.mg": 0.0}) == pytest.approx(without, rel=1e-12)
    assert nmda_ic50_uM(subunit, -66.0, KETAMINE) == pytest.approx(with_mg, rel=0.01)


def test_magnesium_shift_predicted_by_jahr_stevens():
    k_mg = 3.57 * np.exp(-0.062 * 66)  # mM at -66 mV
    shift = nmda_ic50_uM("2A", -66.0, KETAMINE, {"nmda.k_mg_2A": k_mg}) / 0.33
    assert shift == pytest.approx(17.8, abs=0.1)


@pytest.mark.parametrize(
    ("uM", "subunit", "block"),
    [
        (3.0, "2A", 0.37),
        (3.0, "2C", 0.72),
        (3.0, "2D", 0.51),
        (10.0, "2A", 0.66),
        (10.0, "2C", 0.89),
        (10.0, "2D", 0.77),
    ],
)
def test_level_1_block(uM, subunit, block):
    assert nmda_block(uM, -65.0, KETAMINE, {subunit: 1.0}) == pytest.approx(block, abs=0.005)


@pytest.mark.parametrize(("uM", "v"), [(1.0, -66.0), (4.0, -30.0), (30.0, -50.0)])
def test_block_is_the_equilibrium_of_a_symmetric_trapping_scheme(uM, v):
    """Five gating states (Destexhe 1996 rates, 1 mM glutamate), a blocked copy, O <-> OB only when Mg-free."""
    on, off = 5.0e3, 12.9
    pairs = [(0, 1, on, off), (1, 2, on, off), (2, 3, 8.4, 6.8), (2, 4, 46.5, 73.8)]
    q = np.zeros((10, 10))
    for arm in (0, 5):
        for i, j, forward, back in pairs:
            q[arm + i, arm + j], q[arm + j, arm + i] = forward, back
    k_mg = 0.066 * np.exp(0.062 * (v + 66))
    k_ket = 0.33 * np.exp(0.79 * (v + 66) / 26.7)
    q[4, 9] = 0.68 * uM / (1 + 1.0 / k_mg)
    q[9, 4] = 0.68 * k_ket
    q -= np.diag(q.sum(axis=1))
    occupancy = np.linalg.lstsq(np.vstack([q.T, np.ones(10)]), np.r_[np.zeros(10), 1.0], rcond=None)[0]
    assert occupancy[5:].sum() == pytest.approx(float(nmda_block(uM, v, KETAMINE, {"2A": 1.0})), rel=1e-6)


def test_interneurons_are_blocked_more_by_depolarisation_alone():
    null = {"interneuron.fraction_2D": 0.0}
    same = nmda_block(3.0, -60.0, KETAMINE, "interneuron", null)
    assert same == pytest.approx(float(nmda_block(3.0, -60.0, KETAMINE, "pyramid")), rel=1e-12)
    assert nmda_block(3.0, -45.0, KETAMINE, "interneuron", null) > same + 0.05
    assert nmda_block(3.0, -60.0, KETAMINE, "interneuron", {**null, "interneuron.kappa": 4.5}) > same + 0.1


def test_subunit_shares():
    assert subunit_fractions("pyramid", KETAMINE) == pytest.approx({"2A": 0.6, "2B": 0.4})
    shares = subunit_fractions("interneuron", KETAMINE)
    assert shares == pytest.approx({"2A": 0.51, "2B": 0.34, "2D": 0.15})


def test_kv_block_follows_the_measured_row():
    c = np.array([10.0, 30.0, 100.0, 300.0, 1000.0])
    got = effect(KETAMINE, c).kv_block
    np.testing.assert_allclose(got, [0.10, 0.19, 0.31, 0.50, 0.54], atol=0.04)


def test_secondary_targets():
    e = effect(KETAMINE, [0.0, 33.0, 100.0, 1140.0])
    assert e.nav_block[3] == pytest.approx(0.5)
    assert e.cal_block[1] == pytest.approx(0.5)
    assert e.kv_shift_mV[2] == pytest.approx(3.75)
    assert e.tonic_gaba_gain == pytest.approx([1.0, 1 + 0.336 * 0.33, 1.336, 1.336])  # no gain beyond 100 uM


def test_hcn_saturates_at_its_largest_shift_and_block():
    e = effect(KETAMINE, [8.2, 1e6])
    assert e.hcn_shift_mV == pytest.approx([5.0, 10.0], rel=1e-4)
    assert e.hcn_block == pytest.approx([0.2, 0.4], rel=1e-4)


def test_topical_dose_saturates_nmda_but_not_sodium():
    e = effect(KETAMINE, [200.0])
    assert e.nmda_block[0] > 0.95
    assert 0.1 < e.nav_block[0] < 0.2


def test_drive_of_interneurons_follows_their_own_receptors():
    e = effect(KETAMINE, [3.0], overrides={"pv.nmda_share": 0.9, "sst.nmda_share": 0.0})
    block = float(nmda_block(3.0, -55.0, KETAMINE, "interneuron", rate_hz=4.0))
    assert e.pv_nmda_block == pytest.approx(block)
    assert e.pv_drive == pytest.approx(1 - 0.9 * block)
    assert e.sst_drive == 1.0
    assert effect(KETAMINE, [3.0], interneuron_uM=0.0).pv_drive == 1.0
    assert effect(KETAMINE, [3.0, 500.0]).pv_drive == effect(KETAMINE, [3.0, 0.0]).pv_drive  # the soma's


def test_each_target_can_be_left_out():
    c = np.full(3, 200.0)
    own = {
        "nmda": ("nmda_block",),
        "hcn1": ("hcn_shift_mV", "hcn_block"),
        "nav": ("nav_block",),
        "kv": ("kv_block", "kv_shift_mV"),
        "cal": ("cal_block",),
        "gabatonic": ("tonic_gaba_gain",),
        "pv": ("pv_drive", "pv_nmda_block"),
        "sst": ("sst_drive", "sst_nmda_block"),
        "vip": ("vip_drive", "vip_nmda_block"),
    }
    assert own.keys() == KETAMINE.targets
    assert KETAMINE.targets < TARGETS
    full, none = effect(KETAMINE, c), no_effect(3)
    for target in own:
        without = effect(KETAMINE, c, targets=TARGETS - {target})
        for other, fields in own.items():
            for field in fields:
                want = none if other == target else full
                np.testing.assert_array_equal(getattr(without, field), getattr(want, field))
                assert np.all(np.asarray(getattr(full, field)) != np.asarray(getattr(none, field)))
    assert PRIMARY_TARGETS < TARGETS


def test_no_concentration_is_no_effect():
    e, none = effect(KETAMINE, np.zeros(4), label="control"), no_effect(4)
    for name in (*ARRAYS, "pv_drive", "sst_drive", "concentration_uM"):
        np.testing.assert_array_equal(getattr(e, name), getattr(none, name))
    assert none.label == e.label


@given(
    c=st.floats(0.0, 1e5),
    factor=st.floats(1.01, 10.0),
    v=st.floats(-80.0, -10.0),
    scale=st.floats(0.7, 5.0),
    hill=st.floats(0.8, 1.4),
)
@settings(deadline=None)
def test_more_drug_does_more_and_nothing_leaves_its_range(c, factor, v, scale, hill):
    overrides = {"nmda.affinity_scale": scale, "nmda.hill": hill}
    e = effect(KETAMINE, [c, c * factor], v, overrides=overrides)
    more = effect(KETAMINE, [c * factor], v, overrides=overrides)
    for name in ARRAYS:
        low, high = getattr(e, name)
        assert high >= low
    for name in ("nmda_block", "hcn_block", "nav_block", "kv_block", "cal_block"):
        assert np.all((getattr(e, name) >= 0) & (getattr(e, name) < 1))
    assert 0.0 <= more.pv_drive <= e.pv_drive <= 1.0


def placement(label, compartments, mechanism=None, **parameters):
    k = len(compartments)
    values = {name: np.full(k, float(x)) for name, x in parameters.items()}
    return SimpleNamespace(
        label=label,
        mechanism=SimpleNamespace(name=mechanism or label),
        compartments=np.asarray(compartments),
        parameters=values,
    )


def test_effect_reaches_the_parameters_of_the_cell():
    cell = SimpleNamespace(
        placements=(
            placement("leak", [0, 1, 2, 3], g=1e-4),
            placement("nmda", [1, 3], block=0.0),
            placement("hcn1", [2], dv_ket=0.0, rho_ket=0.0),
            placement("nav", [0], block=0.5, vshift=0.0),
            placement("kv", [0, 1], block=0.0, vshift=-2.0),
            placement("gabatonic", [0, 3], gain=2.0),
        )
    )
    e = effect(KETAMINE, [100.0, 200.0, 300.0, 400.0], -60.0)
    overrides, lacking = apply_effect(cell, e)
    assert lacking == ("cal",)
    assert set(overrides) == {
        ("nmda", "block"),
        ("hcn1", "dv_ket"),
        ("hcn1", "rho_ket"),
        ("nav", "block"),
        ("kv", "block"),
        ("kv", "vshift"),
        ("gabatonic", "gain"),
    }
    np.testing.assert_array_equal(overrides["nmda", "block"], e.nmda_block[[1, 3]])
    np.testing.assert_array_equal(overrides["hcn1", "dv_ket"], e.hcn_shift_mV[[2]])
    np.testing.assert_array_equal(overrides["kv", "vshift"], e.kv_shift_mV[[0, 1]] - 2.0)
    # What the cell already has stays: half of the Na conductance was gone, twice the tonic conductance was there.
    np.testing.assert_allclose(overrides["nav", "block"], 1 - 0.5 * (1 - e.nav_block[[0]]))
    np.testing.assert_allclose(overrides["gabatonic", "gain"], 2.0 * e.tonic_gaba_gain[[0, 3]])


def test_mechanism_or_label_makes_a_placement_a_target():
    cell = SimpleNamespace(
        placements=(
            placement("slow_exc", [0], "NMDA", block=0.0),
            placement("nmda_apical", [0], "MyNMDA", block=0.0),
            placement("nmdax", [0], "Other", block=0.0),
            placement("kv", [0], "kv_without_shift", block=0.0),
        )
    )
    overrides, lacking = apply_effect(cell, effect(KETAMINE, [5.0]))
    assert set(overrides) == {("slow_exc", "block"), ("nmda_apical", "block")}
    assert set(lacking) == {"hcn1", "nav", "kv", "cal", "gabatonic"}


def test_a_target_that_is_switched_off_is_not_reported_as_lacking():
    cell = SimpleNamespace(placements=(placement("nmda", [0], block=0.0),))
    assert apply_effect(cell, effect(KETAMINE, [5.0], targets=("nmda",)))[1] == ()
    overrides, lacking = apply_effect(cell, no_effect(1))
    assert lacking == ()
    np.testing.assert_array_equal(overrides["nmda", "block"], [0.0])


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: effect(KETAMINE, [1.0, -2.0]), "-2 uM is negative"),
        (lambda: effect(KETAMINE, [float("nan")]), "finite"),
        (lambda: effect(KETAMINE, 1.0), "one value for each compartment"),
        (lambda: effect(KETAMINE, []), "one value for each compartment"),
        (lambda: effect(KETAMINE, [1.0, 2.0], [-60.0]), "each of 2 compartments"),
        (lambda: effect(KETAMINE, [1.0], float("inf")), "finite number of mV"),
        (
            lambda: effect(KETAMINE, [1.0], targets=("nmdar",)),
            "unknown drug target 'nmdar'; known: ampa, cal",
        ),
        (lambda: effect(KETAMINE, [1.0], interneuron_uM=-1.0), "negative"),
        (lambda: effect(KETAMINE, [1.0], overrides={"nmda.q": 1.0}), "unknown parameter 'nmda.q'"),
        (lambda: nmda_block(1.0, -60.0, KETAMINE, {"2A": 0.5}), "sum to 1"),
        (lambda: nmda_block(1.0, -60.0, KETAMINE, {"3A": 1.0}), "unknown NMDA subunit '3A'"),
        (lambda: nmda_block(1.0, -60.0, NO_NMDA, {"3A": 1.0}), "unknown NMDA subunit '3A'"),
        (lambda: nmda_block(-1.0, -60.0, NO_NMDA), "-1 uM is negative"),
        (lambda: nmda_block(1.0, float("nan"), NO_NMDA), "finite number of mV"),
        (lambda: nmda_block(-1.0, -60.0, KETAMINE), "-1 uM is negative"),
        (lambda: nmda_block(1.0, float("nan"), KETAMINE), "finite number of mV"),
        (lambda: nmda_block(1.0, -60.0, KETAMINE, rate_hz=-1.0), "-1 Hz is negative"),
        (lambda: nmda_block(1.0, -60.0, KETAMINE, "glia"), "unknown cell class 'glia'"),
        (
            lambda: apply_effect(
                SimpleNamespace(placements=(placement("nmda", [7], block=0.0),)), no_effect(3)
            ),
            "does not fit the cell",
        ),
    ],
)
def test_bad_input_is_one_line(call, says):
    with pytest.raises(InputError) as caught:
        call()
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.neuron
def test_parameters_exist_in_the_shipped_mechanisms():
    """The names that the drug sets are the names in the mechanism files, and its values lie within their limits."""
    from ketune import mechanisms

    cell = SimpleNamespace(
        placements=tuple(
            SimpleNamespace(
                label=name.lower(),
                mechanism=m,
                compartments=np.arange(1),
                parameters={k: np.full(1, p.value) for k, p in m.parameters.items()},
            )
            for name, m in ((n, mechanisms.load(n)) for n in mechanisms.names())
        )
    )
    overrides, lacking = apply_effect(cell, effect(KETAMINE, [1e5]))
    assert lacking == ("cal",)
    assert len(overrides) == 8  # NMDA receptors with short-term plasticity are blocked too
    for (label, parameter), value in overrides.items():
        limits = mechanisms.load(next(n for n in mechanisms.names() if n.lower() == label)).parameters[
            parameter
        ]
        assert limits.low <= value[0] <= limits.high
