"""IC50 and Hill coefficient from assay data, against curve_fit, importance sampling and calibration."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import curve_fit
from scipy.special import expit
from scipy.stats import chi2

from ketune.errors import InputError
from ketune.pharmacology import (
    Assay,
    AssayRow,
    assay_overrides,
    drug_with_assay,
    effect,
    fit_assay,
    load_drug,
    nmda_block,
    parse_drug,
    read_assay,
)
from ketune.pharmacology import _assay_grid as grid
from ketune.pharmacology._assay_law import assay_law

DRUG = load_drug()
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "assay_synthetic.csv"


def hill(c, ic50, n):
    return c**n / (c**n + ic50**n)


def assay_of(target, concentrations, blocks, **more):
    rows = [
        AssayRow(i, "ketamine", float(c), target, float(b), **more)
        for i, (c, b) in enumerate(zip(concentrations, blocks, strict=True), start=2)
    ]
    return Assay("assay.csv", tuple(rows), "")


def joined(*assays):
    rows = [row for assay in assays for row in assay.rows]
    return Assay("assay.csv", tuple(AssayRow(**{**vars(r), "line": i}) for i, r in enumerate(rows, 2)), "")


def nmda_assay(mg, seed, scale=2.0, n=0.9, noise=0.03, v=-66.0, repeats=4, subunits="pyramid", **more):
    rng = np.random.default_rng(seed)
    c = np.repeat([0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0], repeats)
    over = {"nmda.affinity_scale": scale, "nmda.hill": n, "nmda.mg": mg}
    block = nmda_block(c, v, DRUG, subunits, over) + noise * rng.standard_normal(c.size)
    target = "nmda" if subunits == "pyramid" else f"nmda_{next(iter(subunits))}"
    return assay_of(target, c, block, mg_mM=mg, holding_mV=v, **more)


def test_much_data_agrees_with_curve_fit_in_estimate_and_standard_error():
    rng = np.random.default_rng(1)
    c = np.repeat([100.0, 300, 1000, 3000, 10000], 60)
    y = hill(c, 900.0, 1.2) + 0.05 * rng.standard_normal(c.size)
    (a, b), cov = curve_fit(lambda c, a, b: hill(c, np.exp(a), np.exp(b)), c, y, [7.0, 0.0])
    found = fit_assay(assay_of("nav", c, y), "nav", DRUG)
    x, n = np.log(found.ic50_uM), np.log(found.hill)
    se = np.sqrt(np.diag(cov))
    assert abs(x.mean() - a) < 0.1 * se[0]
    assert abs(n.mean() - b) < 0.1 * se[1]
    np.testing.assert_allclose([x.std(), n.std()], se, rtol=0.05)
    assert np.corrcoef(x, n)[0, 1] == pytest.approx(cov[0, 1] / se[0] / se[1], abs=0.05)
    assert found.noise_sd == pytest.approx(0.05, rel=0.1)
    assert found.status == "identified"


def test_preparations_are_integrated_out_as_importance_sampling_does():
    """Another method for the same integral: draws from the prior, deviations by quadrature for each draw."""
    data = [("a", 300, 0.22), ("a", 1000, 0.55), ("b", 300, 0.35), ("b", 3000, 0.85), ("c", 1000, 0.42)]
    rows = [AssayRow(i, "k", c, "nav", y, preparation=p) for i, (p, c, y) in enumerate(data)]
    found = grid.posterior(assay_law("nav", DRUG), rows, preparations=True, seed=1, n_draws=4096)
    rng = np.random.default_rng(5)
    n = 20000
    x = rng.uniform(5.2, 8.4, n)  # the posterior has nothing beyond
    ln_hill = rng.standard_normal(n) * math.log(grid.HILL_95) / 1.96
    sigma = grid.NOISE_MEDIAN * np.exp(rng.standard_normal(n) * math.log(grid.NOISE_95) / 1.96)
    tau = np.maximum(np.abs(rng.standard_normal(n)) * grid.BETWEEN, 0.01)
    b = np.linspace(-4, 4, 401)
    log = np.zeros(n)
    for name in "abc":
        own = -0.5 * (b / tau[:, None]) ** 2 - np.log(tau)[:, None]
        for p, c, y in data:
            if p == name:
                at = expit(np.exp(ln_hill)[:, None] * (math.log(c) - x[:, None] - b))
                own = own - 0.5 * ((y - at) / sigma[:, None]) ** 2 - np.log(sigma)[:, None]
        top = own.max(axis=1)
        log += top + np.log(np.exp(own - top[:, None]).sum(axis=1))
    w = np.exp(log - log.max())
    w /= w.sum()
    assert 1 / np.sum(w**2) > 500
    mean = w @ x
    sd = math.sqrt(w @ (x - mean) ** 2)
    assert found.ln_potency.mean() == pytest.approx(mean, abs=0.1 * sd)
    assert found.ln_potency.std() == pytest.approx(sd, rel=0.1)
    assert found.ln_hill.mean() == pytest.approx(w @ ln_hill, abs=0.04)


@pytest.mark.parametrize("preparations", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_intervals_are_calibrated(preparations):
    """Truth drawn from the prior: 90 % intervals cover 90 %, and ranks are uniform (Talts et al. 2018)."""
    rng = np.random.default_rng(11)
    law = assay_law("nav", DRUG)
    n_sets = 200
    concentrations = [30.0, 100.0, 300.0, 1000.0]
    low, high = math.log(30.0 / grid.SPAN), math.log(1000.0 * grid.SPAN)
    rank = np.empty((n_sets, 2))
    for k in range(n_sets):
        x = rng.uniform(low, high)
        ln_hill = rng.standard_normal() * math.log(grid.HILL_95) / 1.96
        sigma = grid.NOISE_MEDIAN * math.exp(rng.standard_normal() * math.log(grid.NOISE_95) / 1.96)
        tau = abs(rng.standard_normal()) * grid.BETWEEN if preparations else 0.0
        rows = []
        for j in range(3):
            b = tau * rng.standard_normal()
            for c in concentrations:
                y = expit(math.exp(ln_hill) * (math.log(c) - x - b)) + sigma * rng.standard_normal()
                rows.append(AssayRow(1, "k", c, "nav", y, preparation=str(j)))
        draws = grid.posterior(law, rows, preparations=preparations, seed=k, n_draws=512)
        rank[k] = np.mean(draws.ln_potency < x), np.mean(draws.ln_hill < ln_hill)
    covered = np.mean((rank > 0.05) & (rank < 0.95), axis=0)
    assert np.all((covered > 0.85) & (covered < 0.95))
    for column in rank.T:
        counts = np.histogram(column, bins=10, range=(0, 1))[0]
        assert np.sum((counts - n_sets / 10) ** 2 / (n_sets / 10)) < chi2.ppf(0.999, 9)


def test_repeats_in_few_preparations_do_not_make_it_overconfident():
    rng = np.random.default_rng(3)
    c = np.array([100.0, 300, 1000, 3000])
    cells = [
        assay_of("nav", np.repeat(c, 5), np.repeat(hill(c, ic50, 1.0), 5) + 0.03 * rng.standard_normal(20))
        for ic50 in (500.0, 900.0, 1600.0)
    ]
    pooled = fit_assay(joined(*cells), "nav", DRUG)
    named = [
        Assay("a", tuple(AssayRow(**{**vars(r), "preparation": f"c{i}"}) for r in a.rows), "")
        for i, a in enumerate(cells)
    ]
    apart = fit_assay(joined(*named), "nav", DRUG)
    width = [np.log(p.ic50().high / p.ic50().low) for p in (pooled, apart)]
    assert width[1] > 2.5 * width[0]
    assert apart.between_sd == pytest.approx(math.log(1600 / 500) / 2, rel=0.4)
    assert apart.n_preparations == 3
    assert any("no preparation column" in line for line in pooled.cautions)


def test_the_affinity_is_the_same_from_data_with_and_without_magnesium():
    without, with_mg = (fit_assay(nmda_assay(mg, seed=4), "nmda", DRUG) for mg in (0.0, 1.0))
    for found in (without, with_mg):
        scale = np.quantile(found.parameters["nmda.affinity_scale"], [0.025, 0.975])
        assert scale[0] < 2.0 < scale[1]
        assert found.ic50().low < 2.0 * 0.322 < found.ic50().high
    medians = [p.ic50().median for p in (without, with_mg)]
    assert medians[0] == pytest.approx(medians[1], rel=0.1)
    # The correction is 1 + Mg / K_Mg = 16 for 2A and 2B (Kotermanski & Johnson 2009), and nothing at 1 mM.
    assert without.conditions[0].to_tissue.median == pytest.approx(16.2, rel=0.06)
    assert with_mg.conditions[0].to_tissue.median == pytest.approx(1.0, rel=1e-6)
    # Measured behind Mg, the IC50 in tissue is known although the affinity is not; measured without, the reverse.
    tissue = [np.std(np.log(p.tissue_ic50_uM)) for p in (without, with_mg)]
    affinity = [np.std(np.log(p.ic50_uM)) for p in (without, with_mg)]
    assert tissue[1] < 0.5 * tissue[0]
    assert affinity[0] < 0.5 * affinity[1]
    # and the draws handed on keep that: block at 1 mM and -66 mV is no wider than what was measured.
    draws = assay_overrides(with_mg, 200, seed=1)
    block = [float(nmda_block(10.0, -66.0, DRUG, overrides={**o, "nmda.mg": 1.0})) for o in draws]
    truth = float(nmda_block(10.0, -66.0, DRUG, overrides={"nmda.affinity_scale": 2.0, "nmda.hill": 0.9}))
    assert np.std(block) < 0.02
    assert np.mean(block) == pytest.approx(truth, abs=0.02)


def test_potential_and_temperature_pass_through_the_woodhull_factor():
    found = fit_assay(nmda_assay(0.0, seed=6, v=-30.0, temperature_C=36.69), "nmda", DRUG)
    at = found.conditions[0].ic50_uM
    factor = math.exp(0.79 * 36.0 / 26.7)
    assert at.median / found.ic50().median == pytest.approx(factor, rel=0.03)
    assert found.ic50().low < 2.0 * 0.322 < found.ic50().high
    cold = fit_assay(nmda_assay(0.0, seed=6, v=-30.0, temperature_C=22.0), "nmda", DRUG)
    assert cold.conditions[0].ic50_uM.median / cold.ic50().median == pytest.approx(
        math.exp(0.79 * 36.0 / 25.43), rel=0.03
    )
    assert any("22 degC" in line for line in cold.cautions)


def test_a_subtype_is_measured_once_and_the_others_keep_their_spread():
    found = fit_assay(nmda_assay(0.0, seed=7, subunits={"2B": 1.0}), "nmda_2B", DRUG)
    draws = assay_overrides(found, 300, seed=0)
    effective = np.array([o["nmda.k_2B"] * o["nmda.affinity_scale"] for o in draws])
    assert np.median(effective) == pytest.approx(0.62, rel=0.1)
    assert np.std(np.log(effective)) < 0.15
    assert np.std([np.log(o["nmda.affinity_scale"]) for o in draws]) > 0.4
    np.testing.assert_allclose(np.sort(found.samples(300, 0)[0]), np.sort(effective), rtol=1e-9)


def test_partial_block_is_not_taken_for_a_high_ic50():
    """The row of Tan 2005 for Kv (10/19/31/50/54 %), which saturates far below 100 %."""
    c = [10.0, 30, 100, 300, 1000]
    found = fit_assay(assay_of("kv", c, [0.10, 0.19, 0.31, 0.50, 0.54]), "kv", DRUG)
    assert found.ic50().low < 81.0 < found.ic50().high
    assert set(found.names) == {"kv.ec50", "kv.hill", "kv.block_max"}
    assert np.corrcoef(found.parameters["kv.block_max"], np.log(found.ic50_uM))[0, 1] > 0.3
    hcn = fit_assay(read_assay(EXAMPLE), "hcn1", DRUG)
    assert hcn.ic50().low < 12.0 < hcn.ic50().high
    assert set(hcn.names) == {"hcn1.ec50", "hcn1.hill"}


@pytest.mark.parametrize(
    ("concentrations", "blocks", "status", "says"),
    [
        ([10.0, 100.0], [0.01, 0.03], "one-sided", "above"),
        ([10.0, 100.0], [0.99, 1.0], "one-sided", "below"),
        ([100.0] * 6, [0.92, 0.95, 0.96, 0.97, 0.94, 0.95], "one-sided", "below"),
        ([100.0] * 6, [0.45, 0.55, 0.5, 0.52, 0.47, 0.5], "identified", "IC50 "),
        ([100.0], [0.5], "not identified", "IC50 not identified"),
    ],
)
def test_what_is_not_identified_is_said_in_words(concentrations, blocks, status, says):
    found = fit_assay(assay_of("nav", concentrations, blocks), "nav", DRUG)
    assert found.status == status
    assert says in found.describe()
    if status == "one-sided":
        assert any("the prior's" in line for line in found.cautions)
        inside = found.ic50_uM > 100.0 if says == "above" else found.ic50_uM < 100.0
        assert inside.mean() > 0.95
    if len(set(concentrations)) == 1:
        assert any("one concentration: the Hill coefficient is the prior's" in x for x in found.cautions)


def test_draws_are_joint_repeat_and_feed_the_model():
    found = fit_assay(read_assay(EXAMPLE), "nmda", DRUG)
    ic50, n = found.samples(100, seed=2)
    draws = assay_overrides([found], 100, seed=2)
    np.testing.assert_array_equal([o["nmda.hill"] for o in draws], n)
    assert draws == assay_overrides(found, 100, seed=2)
    assert draws != assay_overrides(found, 100, seed=3)
    assert np.median(ic50) == pytest.approx(found.ic50().median, rel=0.02)
    measured = drug_with_assay(DRUG, found)
    for o in draws[:20]:
        effect(measured, [1.0], overrides=o)
    q = measured.parameters["nmda.affinity_scale"]
    assert q.low < 2.0 < q.high
    assert "fit to assay_synthetic.csv (25 measurements on nmda)" in q.source
    with pytest.raises(InputError, match=r"assay nmda and assay nmda both set nmda"):
        assay_overrides([found, found], 4, seed=0)


def test_a_target_that_the_drug_file_lacks_becomes_a_block():
    c = np.array([10.0, 30, 100, 300, 1000])
    found = fit_assay(assay_of("ampa", c, hill(c, 100.0, 1.0)), "ampa", DRUG)
    measured = drug_with_assay(DRUG, found)
    assert "ampa" in measured.targets
    assert "ampa" not in DRUG.targets
    block = effect(measured, [100.0]).ampa_block[0]
    assert block == pytest.approx(0.5, abs=0.03)
    # A draw is an override of the drug that has the target.
    assert measured.values(assay_overrides(found, 1, 0)[0])["ampa.ic50"] == pytest.approx(100.0, rel=0.2)


def test_an_antagonist_without_mg_competition_needs_no_correction():
    text = """
name = "made-up"
description = "competitive antagonist, for a test"
[nmda]
law = "hill"
ic50_2A = { value = 1.0, unit = "uM", low = 0.5, high = 2.0, spread = "normal", confidence = ["assumed"], source = "-" }
ic50_2B = { value = 4.0, unit = "uM", low = 2.0, high = 8.0, spread = "normal", confidence = ["assumed"], source = "-" }
"""
    drug = parse_drug(text)
    c = np.repeat([0.1, 1.0, 10.0, 100.0, 1000.0], 3)
    over = {"nmda.ic50_2A": 3.0, "nmda.ic50_2B": 12.0}
    rows = assay_of("nmda", c, nmda_block(c, -20.0, drug, overrides=over), mg_mM=1.0, holding_mV=-20.0).rows
    found = fit_assay(
        Assay("a.csv", tuple(AssayRow(**{**vars(r), "drug": "made-up"}) for r in rows), ""), "nmda", drug
    )
    assert found.tissue_ic50_uM is None
    assert np.median(found.parameters["nmda.ic50_2A"]) == pytest.approx(3.0, rel=0.05)
    assert np.median(found.parameters["nmda.ic50_2B"]) == pytest.approx(12.0, rel=0.05)


def swapped_mg():
    """The trap: the same block with and without Mg, so one of the two columns is wrong."""
    a = nmda_assay(0.0, seed=1)
    rows = [AssayRow(**{**vars(r), "mg_mM": 1.0}) for r in a.rows]
    return joined(a, Assay("", tuple(rows), ""))


def two_cells(ratio):
    c = np.array([100.0, 300, 1000, 3000])
    return joined(
        assay_of("nav", c, hill(c, 300.0, 1.0), preparation="a"),
        assay_of("nav", c, hill(c, 300.0 * ratio, 1.0), preparation="b"),
    )


@pytest.mark.parametrize(
    ("assay", "target", "says"),
    [
        (
            assay_of("nav", [1, 10, 100], [0.1, 0.8, 0.3]),
            "nav",
            r"rows 3, 4: ketamine blocks nav by 80 % at 10 uM",
        ),
        (swapped_mg(), "nmda", r"contradictory nmda data: .*1 mM Mg at -66 mV .* against 0 mM Mg at -66 mV"),
        (two_cells(30.0), "nav", r"preparation 'a' \(rows 2, 3, 4, 5\) .* against preparation 'b' \(rows 6"),
        (assay_of("nav", [0, 0], [0.0, 0.02]), "nav", "at concentration 0 only"),
        (assay_of("gabatonic", [10.0], [0.4]), "gabatonic", "acts on gabatonic as a modulator"),
        (assay_of("nav", [10.0], [0.4]), "cal", "no rows of ketamine on cal"),
    ],
)
def test_contradictions_are_one_line(assay, target, says):
    with pytest.raises(InputError, match=says) as caught:
        fit_assay(assay, target, DRUG)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_ordinary_scatter_is_no_contradiction():
    rng = np.random.default_rng(8)
    c = np.array([100.0, 300, 1000, 3000, 10000])
    for seed in range(10):
        rng = np.random.default_rng(seed)
        noisy = assay_of("nav", c, np.clip(hill(c, 900.0, 1.0) + 0.08 * rng.standard_normal(5), -0.2, 1.0))
        fit_assay(noisy, "nav", DRUG)
    assert fit_assay(two_cells(3.0), "nav", DRUG).status == "identified"


def test_the_page_says_what_the_example_gives():
    page = (EXAMPLE.parents[1] / "assay.md").read_text(encoding="utf-8")
    found = fit_assay(read_assay(EXAMPLE), "nmda", DRUG)
    row = next(line for line in page.splitlines() if line.startswith("| IC50 at −66 mV"))
    printed = [float(x) for x in re.findall(r"[\d.]+", row.split("|", 2)[2])]
    tissue = np.quantile(found.tissue_ic50_uM, [0.5, 0.025, 0.975])
    np.testing.assert_allclose(printed, [*found.ic50(), *tissue], rtol=0.03)
