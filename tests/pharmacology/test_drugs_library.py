"""The shipped drugs: complete, sourced, their arithmetic recomputed, their order of potency as measured."""

import importlib.util
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketune import units
from ketune.errors import InputError
from ketune.pharmacology import (
    combined,
    describe_drug,
    describe_list,
    effect,
    known_drugs,
    list_drugs,
    load_drug,
    nmda_block,
    nmda_ic50_uM,
    parse_drug,
    sample_parameters,
    show_drug,
)

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "drugs.md").read_text(encoding="utf-8")
SHIPPED = (
    "cnqx d-apv diazepam gabazine hydroxynorketamine ifenprodil isoflurane ketamine ketamine-r ketamine-s memantine "
    "mk-801 norketamine zd7288"
).split()
SUBUNITS = ("2A", "2B", "2C", "2D")
OPEN_PROBABILITY = 0.22  # of the five-state gating at saturating glutamate (docs/pharmacology.md)
RT_F_mV = 26.7
# IUPAC standard atomic weights, abridged.
ATOMS = dict(H=1.008, C=12.011, N=14.007, O=15.999, F=18.998, Na=22.990, P=30.974, Cl=35.45, Br=79.904)


def value(drug, key):
    return load_drug(drug).parameters[key].value


def molar_mass(formula):
    return sum(
        ATOMS[element] * int(count or 1) for element, count in re.findall(r"([A-Z][a-z]?)(\d*)", formula)
    )


class TestEveryFile:
    def test_these_are_shipped(self):
        assert list(known_drugs()) == SHIPPED

    @pytest.mark.parametrize("name", SHIPPED)
    def test_numbers_have_unit_range_source_and_tag(self, name):
        drug = load_drug(name)
        assert drug.name == name
        assert drug.laws
        for key, q in drug.own().items():
            assert q.unit == "1" or units.parse(f"1 {q.unit}", q.unit, key) == pytest.approx(1.0)
            assert (q.low == q.high) == (q.spread == "fixed"), f"{key}: only what is not drawn has no range"
            assert q.low <= q.value <= q.high
            assert q.confidence
            if not key.startswith("molar_mass") and {"retrieved", "recalled"} & set(q.confidence):
                assert re.search(r"\b(19|20)\d\d\b|\bvia\b", q.source), f"{key}: which paper, or via what?"

    @pytest.mark.parametrize("name", [name for name in SHIPPED if name != "ketamine"])
    def test_what_a_source_calls_ours_or_assumed_is_tagged_so(self, name):
        for key, q in load_drug(name).own().items():
            if re.search(r"\bours\b|\bis assumed\b", q.source):
                assert "assumed" in q.confidence, key

    @pytest.mark.parametrize("name", SHIPPED)
    def test_what_is_not_known_is_said(self, name):
        drug = load_drug(name)
        assert drug.gaps
        assert all(gap.strip() and "\n" not in gap for gap in drug.gaps)
        assert set(drug.gaps) <= set(drug.cautions())

    def test_no_two_drugs_answer_to_one_name(self):
        names = [n for name in SHIPPED for n in (name, *load_drug(name).synonyms)]
        assert len(names) == len(set(names))
        assert all(n == n.lower() for n in names)
        assert load_drug("Esketamine").name == "ketamine-s"
        assert load_drug(" DIZOCILPINE ").name == "mk-801"

    @pytest.mark.parametrize("name", SHIPPED)
    def test_draws_from_the_ranges_are_usable(self, name):
        drug = load_drug(name)
        for overrides in sample_parameters(drug, 8, seed=3):
            dosed = effect(drug, [0.0, 1.0, 300.0], overrides=overrides).summary()
            assert all(np.isfinite(v) for k, v in dosed.items() if k not in ("label", "time_min"))

    @given(
        name=st.sampled_from(SHIPPED),
        c=st.floats(1e-4, 1e4),
        factor=st.floats(1.0, 100.0),
        v=st.floats(-80.0, -20.0),
    )
    def test_more_drug_never_does_less(self, name, c, factor, v):
        drug = load_drug(name)
        little, more = effect(drug, [c], v), effect(drug, [c * factor], v)
        for field in ("nmda", "ampa", "hcn", "nav", "kv", "cal"):
            a, b = getattr(little, f"{field}_block")[0], getattr(more, f"{field}_block")[0]
            assert 0.0 <= a <= b + 1e-12 <= 1.0 + 2e-12
        for field in ("tonic_gaba_gain", "gabaa_gain", "gabaa_decay"):
            a, b = abs(getattr(little, field)[0] - 1.0), abs(getattr(more, field)[0] - 1.0)
            assert a <= b + 1e-12


class TestArithmetic:
    """Numbers tagged "derived", from what their source says."""

    @pytest.mark.parametrize("name", [name for name in SHIPPED if name != "ketamine"])
    def test_molar_masses(self, name):
        for q in (q for key, q in load_drug(name).own().items() if key.startswith("molar_mass")):
            found = re.fullmatch(r"sum of standard atomic masses of (\w+)( \+ half of (\w+))?.*", q.source)
            assert found is not None
            half = molar_mass(found[3]) / 2 if found[3] else 0.0
            assert q.value == pytest.approx(molar_mass(found[1]) + half, abs=0.02)

    @pytest.mark.parametrize("subunit", SUBUNITS)
    def test_enantiomers_split_the_racemate(self, subunit):
        s, r, racemate = (value(n, f"nmda.k_{subunit}") for n in ("ketamine-s", "ketamine-r", "ketamine"))
        assert r / s == pytest.approx(1.4 / 0.3, rel=0.01)  # Ebert 1997
        assert 2 / racemate == pytest.approx(1 / s + 1 / r, rel=0.01)

    @pytest.mark.parametrize("c_uM", [0.3, 3.0, 30.0])
    def test_equal_halves_of_both_enantiomers_are_the_racemate(self, c_uM):
        # Odds of block add exactly where the drug leaves through open channels only.
        open_only = {"nmda.k_esc": 0.0}
        halves = [effect(load_drug(f"ketamine-{x}"), [c_uM / 2], overrides=open_only) for x in "sr"]
        both = combined(*halves, same_site=True).nmda_block
        whole = effect(load_drug("ketamine"), [c_uM], overrides=open_only).nmda_block
        np.testing.assert_allclose(both, whole, rtol=0.01)

    def test_enantiomers_ranges_join_the_racemates_and_that_of_the_split(self):
        def joined(one, other):
            return math.exp(math.hypot(math.log(one), math.log(other)))

        of_s = {ratio: (1 + 1 / ratio) / 2 for ratio in (1.3, 1.4 / 0.3, 8.0)}
        of_r = {ratio: (1 + ratio) / 2 for ratio in (1.3, 1.4 / 0.3, 8.0)}
        s, r = (load_drug(n).parameters["nmda.affinity_scale"] for n in ("ketamine-s", "ketamine-r"))
        racemate = load_drug("ketamine").parameters["nmda.affinity_scale"]
        middle = 1.4 / 0.3
        assert s.low == pytest.approx(1 / joined(racemate.low, of_s[8.0] / of_s[middle]), rel=0.02)
        assert s.high == pytest.approx(joined(racemate.high, of_s[1.3] / of_s[middle]), rel=0.02)
        assert r.low == pytest.approx(1 / joined(racemate.low, of_r[1.3] / of_r[middle]), rel=0.02)
        assert r.high == pytest.approx(joined(racemate.high, of_r[8.0] / of_r[middle]), rel=0.02)

    @pytest.mark.parametrize("subunit", SUBUNITS)
    def test_norketamine_is_ketamine_times_the_ratio_of_occupancy(self, subunit):
        key = f"nmda.k_{subunit}"
        assert value("norketamine", key) == pytest.approx(value("ketamine", key) * 9.11 / 1.42, rel=0.01)

    def test_norketamines_range_covers_every_other_ratio(self):
        ratio = 9.11 / 1.42
        scale = load_drug("norketamine").parameters["nmda.affinity_scale"]
        for other in (0.97 / 0.119, 1.7 / 0.3, 13 / 1.4, 51 / 16, 5.87 / 2.14, 13.7 / 0.99):
            assert scale.low <= other / ratio <= scale.high

    def test_rates_of_memantine(self):
        assert value("memantine", "nmda.k_on") == pytest.approx(0.32 / OPEN_PROBABILITY, rel=0.01)
        q = load_drug("memantine").parameters["nmda.k_esc"]
        left = [0.71, 0.71 + 0.08, 0.71 - 0.08]  # 71 +- 4 %, two standard errors
        np.testing.assert_allclose([q.value, q.low, q.high], [-math.log(x) / 120 for x in left], rtol=0.01)

    @pytest.mark.parametrize(
        ("subunit", "measured_uM"), [("2A", 13.1), ("2B", 10.1), ("2C", 1.6), ("2D", 1.8)]
    )
    def test_memantine_with_magnesium_is_what_was_measured_with_it(self, subunit, measured_uM):
        """The Mg affinities come from ketamine's pair of half blocks, not from memantine's."""
        assert nmda_ic50_uM(subunit, -66.0, load_drug("memantine")) == pytest.approx(measured_uM, rel=0.27)

    def test_mk801(self):
        p = load_drug("mk-801").parameters
        assert p["nmda.delta"].value == pytest.approx(RT_F_mV * math.log(90 / 2) / (30 + 75), rel=0.01)
        down = math.exp(-p["nmda.delta"].value * (66 - 40) / RT_F_mV)
        at_minus_40 = {"2A": 0.015, "2B": 0.009, "2C": 0.024, "2D": 0.038}
        for subunit, ic50 in at_minus_40.items():
            assert p[f"nmda.k_{subunit}"].value == pytest.approx(ic50 * down, rel=0.01)
        k_off = 1 / (90 * 60) / OPEN_PROBABILITY
        follows = p["nmda.k_on"].value * p["nmda.k_2A"].value
        assert follows / k_off == pytest.approx(170, rel=0.03)  # as the file's gap says
        assert p["nmda.affinity_scale"].low == pytest.approx(k_off / follows, rel=0.05)
        assert p["nmda.affinity_scale"].high == pytest.approx(
            0.033 / np.mean([p["nmda.k_2A"].value, p["nmda.k_2B"].value]), rel=0.02
        )
        assert p["nmda.k_esc"].high == pytest.approx(1 / (90 * 60), rel=0.01)

    def test_d_apv(self):
        drug = load_drug("d-apv")
        for subunit in SUBUNITS:
            q = drug.parameters[f"nmda.ic50_{subunit}"]
            c = q.low
            assert 1 / (1 + c / q.value) ** 2 == pytest.approx(0.5, abs=0.01)  # both sites free
            assert q.high == pytest.approx(10 * q.value, rel=0.01)
        for subunit in ("2A", "2B"):
            assert 50 / (50 + drug.parameters[f"nmda.ic50_{subunit}"].high) > 0.9  # as the file's gap says

    def test_zd7288_at_100_uM_blocks_what_was_measured(self):
        drug = load_drug("zd7288")
        assert effect(drug, [100.0]).hcn_block[0] == pytest.approx(0.98, abs=0.005)  # Gill 2004
        assert value("zd7288", "hcn1.ec50") == pytest.approx(100 * 0.02 / 0.98, rel=0.03)

    def test_gabazine_at_200_nM_removes_what_was_measured(self):
        drug = load_drug("gabazine")
        assert effect(drug, [0.2]).gabaa_gain[0] == pytest.approx(1 - 0.71, abs=0.005)  # Stell & Mody 2002
        q = drug.parameters["gabatonic.ic50"]
        assert 0.2 / (0.2 + q.high) < 0.1
        assert 10 / (10 + q.value) > 0.9

    def test_diazepam_saturates_within_its_range(self):
        drug = load_drug("diazepam")
        assert effect(drug, [1.0]).gabaa_decay[0] == pytest.approx(1.4, abs=0.02)
        assert effect(drug, [value("diazepam", "gabaa.ec50")]).gabaa_decay[0] == pytest.approx(1.2)

    def test_isoflurane(self):
        slice_uM = 500 * (0.44 / 0.687) / (1 - 0.44 / 0.687)
        assert slice_uM == pytest.approx(891, abs=1)
        for subunit, mac in (("2A", 1.30), ("2B", 1.33)):
            expected = math.sqrt(mac * 310 * 0.8 * slice_uM)
            assert value("isoflurane", f"nmda.ic50_{subunit}") == pytest.approx(expected, rel=0.005)
        halved_dose = effect(load_drug("isoflurane"), [155.0])
        assert halved_dose.gabaa_decay[0] == pytest.approx(2.0, abs=0.01)  # Antkowiak 1998


class TestOrder:
    """Who is stronger than whom, and at what."""

    @pytest.mark.parametrize("subunit", ["2A", "2B"])
    def test_potency_at_nmda_receptors(self, subunit):
        order = [
            "mk-801",
            "ketamine-s",
            "ketamine",
            "memantine",
            "ketamine-r",
            "norketamine",
            "hydroxynorketamine",
        ]
        known = [n for n in order if f"nmda.k_{subunit}" in load_drug(n).parameters]
        half = [float(nmda_ic50_uM(subunit, -66.0, load_drug(n))) for n in known]
        assert half == sorted(half)

    @pytest.mark.parametrize("drug", ["ketamine-s", "ketamine-r", "norketamine", "memantine", "mk-801"])
    def test_magnesium_takes_potency(self, drug):
        free = nmda_ic50_uM("2A", -66.0, load_drug(drug), {"nmda.mg": 0.0})
        assert nmda_ic50_uM("2A", -66.0, load_drug(drug)) / free == pytest.approx(
            1 + 1 / value(drug, "nmda.k_mg_2A")
        )

    @pytest.mark.parametrize("drug", ["d-apv", "cnqx", "ifenprodil", "isoflurane"])
    def test_others_do_not_care_for_magnesium_and_potential(self, drug):
        there, here = (nmda_block(1.0, v, load_drug(drug)) for v in (-80.0, -20.0))
        assert there == here == nmda_block(1.0, -60.0, load_drug(drug), overrides={"nmda.mg": 0.0})

    def test_ifenprodil_picks_2B(self):
        drug = load_drug("ifenprodil")
        half = {s: float(nmda_ic50_uM(s, -60.0, drug)) for s in SUBUNITS}
        assert half["2A"] / half["2B"] == pytest.approx(430, rel=0.02)
        assert min(half, key=half.__getitem__) == "2B"
        assert (
            nmda_block(3.0, -60.0, drug, {"2B": 1.0})
            > 0.75
            > 0.05
            > nmda_block(3.0, -60.0, drug, {"2A": 1.0})
        )

    def test_cnqx_picks_ampa(self):
        dosed = effect(load_drug("cnqx"), [1.0])
        assert dosed.ampa_block[0] > 0.7 > 0.1 > dosed.nmda_block[0]

    def test_gabazine_picks_synapses(self):
        dosed = effect(load_drug("gabazine"), [0.2])
        assert dosed.gabaa_gain[0] < 0.3 < 0.75 < dosed.tonic_gaba_gain[0]

    def test_memantine_prefers_2C_and_2D_with_magnesium_only(self):
        drug = load_drug("memantine")
        with_mg = [float(nmda_ic50_uM(s, -66.0, drug)) for s in ("2A", "2C")]
        without = [float(nmda_ic50_uM(s, -66.0, drug, {"nmda.mg": 0.0})) for s in ("2A", "2C")]
        assert with_mg[0] / with_mg[1] > 5 > 2 > without[0] / without[1]

    def test_r_ketamine_has_no_hcn_section_and_a_reason(self):
        drug = load_drug("ketamine-r")
        assert "hcn1" not in drug.targets
        assert any(gap.startswith("HCN1") for gap in drug.gaps)
        # With S at 4.1 and the racemate at 8.2 uM nothing is left for R.
        assert 2 / value("ketamine", "hcn1.ec50") - 1 / value("ketamine-s", "hcn1.ec50") == pytest.approx(
            0.0, abs=1e-9
        )

    def test_placeholders_are_shown_as_such(self):
        assert set(load_drug("ketamine-s").placeholders()) == {"hcn1.ec50", "hcn1.dv_max", "hcn1.rho_max"}
        text = "\n".join(describe_drug(show_drug("ketamine-s")))
        assert text.count("PLACEHOLDER until the paper is opened") == 3


class TestListing:
    def test_list_names_every_drug_and_its_laws(self):
        listed = list_drugs()
        assert [entry["name"] for entry in listed["drugs"]] == SHIPPED
        lines = "\n".join(describe_list(listed))
        assert "gabaa (block), gabatonic (block)" in lines
        assert "nmda (hill); through them on pv, sst, vip" in lines

    def test_show_gives_every_number_and_every_gap(self):
        shown, drug = show_drug("apv"), load_drug("d-apv")
        assert shown["name"] == "d-apv"
        assert set(shown["parameters"]) == set(drug.own())
        number = shown["parameters"]["nmda.ic50_2A"]
        assert (number["value"], number["low"], number["high"]) == (0.28, 0.12, 2.8)
        assert shown["not_given"] == {"nmda.hill": 1.0, "nmda.block_max": 1.0}
        assert "gabaa" in shown["left_alone"]
        text = "\n".join(describe_drug(shown))
        assert "nmda.ic50_2A = 0.28 uM (95 % range 0.12 to 2.8 uM)" in text
        assert all(f"not known: {gap}" in text for gap in drug.gaps)
        assert all(q.source in text for q in drug.own().values())

    @pytest.mark.parametrize("name", SHIPPED)
    def test_a_stand_in_really_changes_what_the_drug_does(self, name):
        """What is listed as a neutral value in place of a missing one is read by the drug's law."""
        drug = load_drug(name)
        c = np.geomspace(1e-3, 1e4, 15)
        was = effect(drug, c)
        for key, neutral in show_drug(name)["not_given"].items():
            if key == "kv.dv_ec50":  # without a shift its half does nothing
                continue
            other = 0.5 if neutral in (0.0, 1.0) else 2.0 * neutral
            now = effect(drug, c, overrides={key: other})
            assert any(
                np.any(getattr(was, field) != getattr(now, field))
                for field in was.__dataclass_fields__
                if field not in ("label", "time_min")
            ), key

    def test_unknown_drug_is_one_line(self):
        with pytest.raises(InputError, match="unknown drug 'memantin'; known: cnqx") as caught:
            show_drug("memantin")
        assert "\n" not in str(caught.value)


class TestPage:
    def test_tables_are_what_the_files_say(self):
        spec = importlib.util.spec_from_file_location(
            "drug_tables", ROOT / "docs" / "scripts" / "drug_tables.py"
        )
        assert spec is not None
        assert spec.loader is not None
        script = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(script)
        assert script.filled(PAGE) == PAGE, "run: python docs/scripts/drug_tables.py"
        q = load_drug("gabazine").parameters["gabaa.ic50"]
        assert (
            f"| gabazine | `gabaa.ic50` | 0.082 uM | 0.05 to 0.2 | retrieved, derived | {q.source} |" in PAGE
        )

    def test_the_example_is_a_drug(self, tmp_path):
        text = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
        assert text is not None
        file = tmp_path / "my-drug.toml"
        file.write_text(text[1], encoding="utf-8")
        drug = load_drug(str(file))
        assert drug.laws == {"nmda": "open-channel", "nav": "block"}
        assert effect(drug, [120.0]).nav_block[0] == pytest.approx(0.5)
        assert show_drug(str(file))["gaps"] == ["NMDA: potency at GluN2C and 2D is not known"]
        for broken, says in (
            (text[1].replace("[nav]", "[navv]"), "navv"),
            (text[1].replace('"uM", low = 60.0', '"nM", low = 60.0'), "must be given in uM, not nM"),
            (text[1].replace('source = "as k_2A"', 'source = ""'), "needs a source"),
        ):
            assert broken != text[1]
            with pytest.raises(InputError, match=says):
                parse_drug(broken)

    def test_memantine_with_magnesium_in_the_text(self):
        stated = re.search(r"give (\S+), (\S+), (\S+)\s+and (\S+) µM for GluN2A to 2D", PAGE)
        assert stated is not None
        for subunit, printed in zip(SUBUNITS, stated.groups(), strict=True):
            assert nmda_ic50_uM(subunit, -66.0, load_drug("memantine")) == pytest.approx(
                float(printed), abs=0.06
            )
