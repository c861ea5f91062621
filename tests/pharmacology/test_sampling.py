"""Designs of drug parameters and Sobol indices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketune.errors import InputError
from ketune.pharmacology import (
    SAMPLING_METHODS,
    attribution,
    load_drug,
    quantile,
    sample_parameters,
    sobol_design,
    sobol_indices,
    uncertain_parameters,
)
from ketune.pharmacology._sampling import unit_points

DRUG = load_drug()
THREE = ("pv.nmda_share", "sst.nmda_share", "vip.nmda_share")  # each uniform from 0 to 0.9


@pytest.mark.parametrize("name", uncertain_parameters(DRUG))
def test_quantiles_are_the_stated_median_and_range(name):
    q = DRUG.parameters[name]
    got = quantile(name, q, [0.025, 0.5, 0.975])
    if q.spread == "uniform":
        width = q.high - q.low
        np.testing.assert_allclose(got, q.low + width * np.array([0.025, 0.5, 0.975]), rtol=1e-12)
    else:
        np.testing.assert_allclose(got, [q.low, q.value, q.high], rtol=1e-9, atol=1e-12)


@given(st.sampled_from(uncertain_parameters(DRUG)), st.lists(st.floats(0, 1), min_size=2, max_size=8))
def test_quantiles_rise_and_are_possible(name, u):
    got = quantile(name, DRUG.parameters[name], np.sort(u))
    assert np.all(np.isfinite(got))
    assert np.all(np.diff(got) >= 0)
    for value in got:
        DRUG.values({name: float(value)})


@pytest.mark.parametrize("method", SAMPLING_METHODS)
def test_draws_do_not_depend_on_which_others_are_asked_for(method):
    some = sample_parameters(DRUG, 12, seed=3, names=("hcn1.ec50", "pv.nmda_share"), method=method)
    every = sample_parameters(DRUG, 12, seed=3, method=method)
    assert all(a[k] == b[k] for a, b in zip(some, every, strict=True) for k in a)
    assert set(every[0]) == set(uncertain_parameters(DRUG))
    assert sample_parameters(DRUG, 12, seed=4, names=("hcn1.ec50",), method=method)[0] != some[0]


def test_latin_hypercube_has_one_draw_in_each_stratum_and_random_has_not():
    n = 64
    values = np.array([d[THREE[0]] for d in sample_parameters(DRUG, n, seed=2, names=THREE)]) / 0.9
    assert sorted((values * n).astype(int)) == list(range(n))
    loose = np.array([d[THREE[0]] for d in sample_parameters(DRUG, n, 2, THREE, method="random")]) / 0.9
    assert len(set((loose * n).astype(int))) < n
    columns = np.array([unit_points(name, 512, 2, stratified=True) for name in THREE])
    assert np.abs(np.corrcoef(columns) - np.eye(3)).max() < 0.15


def test_sobol_fills_space_more_evenly_than_random():
    from scipy.stats import qmc

    even, loose = (
        qmc.discrepancy(
            np.array([list(d.values()) for d in sample_parameters(DRUG, 128, 1, THREE, method=m)]) / 0.9
        )
        for m in ("sobol", "random")
    )
    assert even < 0.3 * loose


def test_indices_of_the_ishigami_function():
    """Ishigami & Homma 1990, with a = 7, b = 0.1: indices in closed form."""
    a, b, pi = 7.0, 0.1, np.pi
    design = sobol_design(DRUG, THREE, 2048, seed=1)
    x = (2 * design.unit - 1) * pi
    y = np.sin(x[:, 0]) + a * np.sin(x[:, 1]) ** 2 + b * x[:, 2] ** 4 * np.sin(x[:, 0])
    v1, v2, v13 = 0.5 * (1 + b * pi**4 / 5) ** 2, a**2 / 8, b**2 * pi**8 * (1 / 18 - 1 / 50)
    total = v1 + v2 + v13
    found = sobol_indices(design, y, seed=3)
    np.testing.assert_allclose(found.first, np.array([v1, v2, 0.0]) / total, atol=0.03)
    np.testing.assert_allclose(found.total, np.array([v1 + v13, v2, v13]) / total, atol=0.03)
    # Half widths of 95 %: most errors lie within, and they are of the errors' size.
    assert np.all(np.abs(found.total - np.array([v1 + v13, v2, v13]) / total) < 1.5 * found.total_ci)
    assert np.all((found.first_ci > 0.005) & (found.first_ci < 0.1))


def test_indices_of_several_outputs_are_those_of_each():
    design = sobol_design(DRUG, THREE, 64, seed=0)
    y = design.unit @ np.array([[1.0, 0.0], [1.0, 2.0], [0.5, 0.0]])
    both = sobol_indices(design, np.column_stack([y, np.full(len(y), 4.0)]))
    np.testing.assert_allclose(both.total[:, 1], [0.0, 1.0, 0.0], atol=0.02)
    np.testing.assert_array_equal(both.first[:, 0], sobol_indices(design, y[:, 0]).first)
    assert np.all(np.isnan(both.first[:, 2]))  # nothing varies, nothing to attribute


def test_attribution_is_sorted_and_finds_the_parameter_that_matters():
    design = sobol_design(DRUG, THREE, 256, seed=5)
    assert len(design.overrides) == 256 * (3 + 2)
    y = np.array([o["sst.nmda_share"] + 0.5 * o["vip.nmda_share"] for o in design.overrides])
    rows = attribution(design, y)
    assert [row.factor for row in rows] == ["sst.nmda_share", "vip.nmda_share", "pv.nmda_share"]
    assert rows[0].total == pytest.approx(0.8, abs=0.05)
    assert rows[0].first == pytest.approx(0.8, abs=0.08)
    assert rows == attribution(design, y)  # the bootstrap is seeded, seed 0 too


class Pair:
    """A joint posterior of two parameters: the second follows the first."""

    label = "pair"
    names = ("nav.ic50", "cal.ic50")

    def at(self, u):
        return {"nav.ic50": 100.0 + 100.0 * np.asarray(u), "cal.ic50": 10.0 + 10.0 * np.asarray(u)}


def test_a_joint_posterior_is_one_factor_and_keeps_its_parameters_together():
    design = sobol_design(DRUG, None, 16, seed=0, posteriors=[Pair()])
    assert "nav.ic50" not in design.factors
    assert design.factors[-1] == "pair"
    assert all(o["nav.ic50"] == pytest.approx(10 * o["cal.ic50"]) for o in design.overrides)
    for o in design.overrides[:50]:
        DRUG.values(o)
    with pytest.raises(InputError, match=r"pair and pair both set nav.ic50"):
        sobol_design(DRUG, None, 16, seed=0, posteriors=[Pair(), Pair()])


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: sample_parameters(DRUG, 4, 0, ("hcn",)), "unknown parameter 'hcn'"),
        (lambda: sample_parameters(DRUG, 4, 0, ("hcn1.hill",)), "no range of hcn1.hill"),
        (
            lambda: sample_parameters(DRUG, 4, 0, method="halton"),
            "known: latin-hypercube, sobol, random",
        ),
        (lambda: sample_parameters(DRUG, 0, 0), "at least 1"),
        (lambda: sobol_design(DRUG, THREE, 100, 0), "power of two"),
        (lambda: sobol_indices(sobol_design(DRUG, THREE, 4, 0), np.ones(3)), "one row for each of 20"),
        (lambda: sobol_indices(sobol_design(DRUG, THREE, 4, 0), np.full(20, np.nan)), "20 of 20"),
        (lambda: attribution(sobol_design(DRUG, THREE, 4, 0), np.ones((20, 2))), "one number for each"),
    ],
)
def test_bad_input_is_one_line(call, says):
    with pytest.raises(InputError, match=says) as caught:
        call()
    assert "\n" not in str(caught.value)
