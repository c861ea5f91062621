"""Laws that ketamine does not use, two drugs at once, and derivatives of every field by every number of a drug."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ketune._jax import jax, jnp
from ketune.cell_model import default_cell
from ketune.errors import InputError
from ketune.pharmacology import (
    apply_effect,
    combined,
    effect,
    effect_fields,
    load_drug,
    no_effect,
    parse_drug,
    relative,
    targets_of,
)

TAG = 'low = {low}, high = {high}, spread = "lognormal", confidence = ["assumed"], source = "made up for a test"'


def quantity(value, unit):
    return f'{{ value = {value}, unit = "{unit}", {TAG.format(low=value / 2, high=value * 2)} }}'


TOY = parse_drug(
    f"""
name = "toy"
description = "not a drug"
[nmda]
law = "hill"
ic50_2A = {quantity(2.0, "uM")}
ic50_2B = {quantity(8.0, "uM")}
[ampa]
ic50 = {quantity(1.0, "uM")}
[gabaa]
ec50 = {quantity(3.0, "uM")}
gain_max = {quantity(0.5, "1")}
decay_max = {quantity(1.0, "1")}
[gabatonic]
ic50 = {quantity(4.0, "uM")}
"""
)
KETAMINE = load_drug()
CELL = default_cell()


def test_laws_by_their_keys():
    assert TOY.laws == {"nmda": "hill", "ampa": "block", "gabaa": "modulator", "gabatonic": "block"}
    assert TOY.targets == {"nmda", "ampa", "gabaa", "gabatonic", "pv", "sst", "vip"}


def test_half_effects_of_simple_laws():
    e = effect(TOY, [1.0, 3.0, 4.0, 2.0], overrides={"pyramid.fraction_2A": 1.0})
    assert e.ampa_block[0] == pytest.approx(0.5)
    assert e.gabaa_gain[1] == pytest.approx(1.25)
    assert e.gabaa_decay[1] == pytest.approx(1.5)
    assert e.tonic_gaba_gain[2] == pytest.approx(0.5)
    assert e.nmda_block[3] == pytest.approx(0.5)
    assert np.all(e.hcn_block == 0)


def test_interneurons_lose_both_kinds_of_excitation():
    p = {"pv.nmda_share": 0.25, "interneuron.fraction_2D": 0.0, "pyramid.fraction_2A": 1.0}
    e = effect(TOY, [2.0], overrides=p)
    assert e.pv_drive == pytest.approx(1 - 0.25 * 0.5 - 0.75 * 2 / 3)
    cubed = effect(TOY, [2.0], overrides=p | {"interneuron.drive_exponent": 3.0})
    assert cubed.pv_drive == pytest.approx(e.pv_drive**3)


def test_vip_cells_relieve_sst_cells_only_if_told_to():
    without = effect(KETAMINE, [3.0])
    told = effect(KETAMINE, [3.0], overrides={"vip.sst_relief": 0.5})
    assert told.sst_drive == pytest.approx(without.sst_drive * (1 + 0.5 * (1 - without.vip_drive)))
    assert told.pv_drive == without.pv_drive
    off = effect(KETAMINE, [3.0], overrides={"vip.sst_relief": 0.5}, targets={"sst"})
    assert off.sst_drive == without.sst_drive


def test_subtype_without_a_number_counts_as_the_average_of_the_known():
    only_2a = parse_drug(
        f'name = "t"\ndescription = "t"\n[nmda]\nlaw = "hill"\nic50_2A = {quantity(2.0, "uM")}\n', "t.toml"
    )
    assert effect(only_2a, [2.0]).nmda_block[0] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("group", "says"),
    [
        ("[ampa]\nhill = {q1}", "t.toml: [ampa] lacks what its law needs (block: ic50)"),
        ("[gabaa]\nic50 = {q}\nec50 = {q}\ngain_max = {q1}", "keys of several laws (block, modulator)"),
        ("[hcn1]\nec50 = {q}", "dv_max or rho_max"),
        ("[nmdar]\nec50 = {q}", "unknown section 'nmdar'; did you mean 'nmda'?"),
    ],
)
def test_a_group_must_make_one_law(group, says):
    text = group.format(q=quantity(2.0, "uM"), q1=quantity(1.0, "1"))
    with pytest.raises(InputError) as caught:
        parse_drug(f'name = "t"\ndescription = "t"\n{text}\n', "t.toml")
    assert says in str(caught.value)


def test_a_users_file_may_change_the_preparation(tmp_path):
    path = tmp_path / "mine.toml"
    head = 'name = "mine"\ndescription = "mine"\n'
    path.write_text(f"{head}[ampa]\nic50 = {quantity(1.0, 'uM')}\n[nmda]\nmg = {quantity(0.5, 'mM')}\n")
    mine = load_drug(path)
    assert mine.values()["nmda.mg"] == 0.5
    assert mine.laws == {"ampa": "block"}
    with pytest.raises(InputError, match=r"gone\.toml: cannot read the drug file"):
        load_drug("gone.toml")


def test_two_blockers_of_one_pore_compete():
    two = combined(effect(KETAMINE, [3.0]), effect(KETAMINE, [7.0]), same_site=True)
    one = effect(KETAMINE, [10.0], overrides={"pyramid.fraction_2A": 1.0})
    # Exact for one subtype that the drug leaves through open channels only.
    pure = {"pyramid.fraction_2A": 1.0, "interneuron.fraction_2D": 0.0, "nmda.k_esc": 0.0}
    parts = [effect(KETAMINE, [c], overrides=pure) for c in (3.0, 7.0)]
    both, whole = combined(*parts, same_site=True), effect(KETAMINE, [10.0], overrides=pure)
    assert both.nmda_block == pytest.approx(whole.nmda_block, rel=1e-9)
    assert both.pv_nmda_block == pytest.approx(whole.pv_nmda_block, rel=1e-9)
    assert two.nmda_block == pytest.approx(one.nmda_block, rel=0.01)  # subtypes differ by little
    apart = combined(*parts, same_site=False)
    assert apart.nmda_block > both.nmda_block


@given(a=st.floats(0.0, 300.0), b=st.floats(0.0, 300.0))
@settings(deadline=None, max_examples=50)
def test_what_a_drug_adds_to_a_baseline_makes_up_the_total(a, b):
    base, total = effect(KETAMINE, [a]), effect(KETAMINE, [a + b])
    added = relative(total, base)
    again = combined(base, added, same_site=False)
    for name in ("nmda_block", "hcn_block", "hcn_shift_mV", "tonic_gaba_gain", "pv_drive", "sst_drive"):
        assert getattr(again, name) == pytest.approx(getattr(total, name), rel=1e-9, abs=1e-12)


def test_no_baseline_changes_nothing():
    e, none = effect(KETAMINE, [5.0]), no_effect(1)
    for name in ("nmda_block", "hcn_shift_mV", "kv_block", "tonic_gaba_gain", "pv_drive"):
        assert getattr(relative(e, none), name) == pytest.approx(getattr(e, name))
        assert getattr(combined(e, none, same_site=False), name) == pytest.approx(getattr(e, name))


def test_synaptic_strengths_are_scaled_where_the_drug_changes_them():
    overrides, lacking = apply_effect(CELL, effect(TOY, np.full(CELL.table.n, 3.0)))
    ampa, pv = CELL.placement("ampa"), CELL.placement("gaba_pv")
    np.testing.assert_allclose(overrides["ampa", "gmax"], 0.25 * ampa.parameters["gmax"])
    np.testing.assert_allclose(overrides["gaba_pv", "gmax"], 1.25 * pv.parameters["gmax"])
    np.testing.assert_allclose(overrides["gaba_sst", "tau_decay"], 15.0)
    assert ("nmda", "gmax") not in overrides
    assert lacking == ()
    with_ketamine, _ = apply_effect(CELL, effect(KETAMINE, np.full(CELL.table.n, 3.0)))
    assert not {("ampa", "gmax"), ("gaba_pv", "gmax"), ("hcn1", "gbar")} & with_ketamine.keys()


def test_targets_of_the_default_cell():
    expected = {"nmda", "ampa", "hcn1", "nav", "kv", "gabaa", "gabatonic", "pv", "sst", "vip"}
    assert targets_of(CELL) == expected


@pytest.mark.parametrize("drug", [KETAMINE, TOY], ids=lambda d: d.name)
def test_every_field_is_differentiable_in_every_number(drug):
    """JAX against central differences of the NumPy path, at three concentrations, one of them zero."""
    c, v = np.array([0.0, 4.0, 250.0]), np.array([-70.0, -55.0, -30.0])
    base = drug.values({"vip.sst_relief": 0.3, "interneuron.drive_exponent": 1.7})
    names = [n for n in base if not n.startswith(("molar_mass", "topical"))]
    rng = np.random.default_rng(1)
    fields = effect_fields(drug, base, c, v=v, interneuron_c=4.0)
    weights = {k: rng.normal(size=np.shape(x)) for k, x in fields.items()}

    def total(values, xp):
        out = effect_fields(drug, base | values, xp.asarray(c), v=xp.asarray(v), interneuron_c=4.0, xp=xp)
        return sum(xp.sum(weights[k] * x) for k, x in out.items())

    at = {n: base[n] for n in names}
    slope = jax.grad(lambda values: total(values, jnp))(at)
    assert np.isfinite(list(map(float, slope.values()))).all()
    for name in names:
        h = 1e-5 * max(abs(base[name]), 1e-3)
        up, down = (total(at | {name: base[name] + s * h}, np) for s in (1, -1))
        assert float(slope[name]) == pytest.approx((up - down) / (2 * h), rel=1e-5, abs=1e-7), name
