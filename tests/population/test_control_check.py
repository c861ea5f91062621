"""T0: populations whose answer is known, and the shipped surface."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ketune.errors import InputError
from ketune.evidence import reported_effects
from ketune.population import ControlStatistics, Population, draw_population, evoked_fano, unit_like
from ketune.tuning import fit_curve, vector_sum

ORIENTATION_DEG = (*np.arange(0.0, 202.0, 22.5), np.nan)


def made_up(species: str, sigma_deg: float, baseline_hz: float, fano: float, n: int = 40) -> Population:
    """Gaussian curves of 10 Hz above a baseline, preferred orientations all around."""
    angle, window_s = np.array(ORIENTATION_DEG[:-1]), 0.5
    preferred = np.linspace(0.0, 180.0, n, endpoint=False)
    away = (angle - preferred[:, None] + 90) % 180 - 90
    mean = window_s * (baseline_hz + 10 * np.exp(-0.5 * (away / sigma_deg) ** 2))
    mean = np.c_[mean, np.full(n, window_s * 0.5)]
    fit = fit_curve(angle[:8], mean[0, :8])  # all have one shape
    fits = tuple(replace(fit, preferred_deg=float(at)) for at in preferred)
    statistics = ControlStatistics(mean, np.full(mean.shape, fano), fits, {})
    return Population(species, (None,) * n, 1, ORIENTATION_DEG, window_s, statistics)


def rows(population: Population) -> dict:
    return {row.quantity: row for row in population.control_check().rows}


def test_a_cat_population_of_the_published_width_meets_t0():
    check = made_up("cat", 14.6, 1.0, 1.3).control_check()
    assert check.met
    assert check.window_s == 0.5
    assert rows(made_up("cat", 14.6, 1.0, 1.3))["mean Gaussian SD"].value == pytest.approx(14.6, rel=1e-3)


@pytest.mark.parametrize(
    ("sigma_deg", "fano", "missed"),
    [
        (19.0, 1.3, {"mean Gaussian SD", "half width at half height"}),
        (14.6, 2.4, {"control Fano factor"}),
        (14.6, 0.7, {"control Fano factor"}),
    ],
)
def test_a_cat_population_that_misses_says_what(sigma_deg: float, fano: float, missed: set):
    check = made_up("cat", sigma_deg, 1.0, fano).control_check()
    assert not check.met
    assert {row.quantity for row in check.rows if not row.met} == missed


def test_the_users_own_t0_replaces_the_shipped_one():
    shipped = reported_effects().find("T0")
    window = shipped.window[0]
    assert window.quantity == "mean Gaussian SD"
    wider = window.model_copy(update={"high": 25.0, "ours": False, "source": "nauhaus2008"})
    own = shipped.model_copy(update={"window": (wider, *shipped.window[2:])})
    population = made_up("cat", 19.0, 1.0, 1.3)
    assert not population.control_check().met
    check = population.control_check(own)
    assert check.met
    assert check.rows[0].given_by == "nauhaus2008"


def test_a_window_that_cannot_be_measured_is_refused_in_one_line():
    shipped = reported_effects().find("T0")
    odd = shipped.window[0].model_copy(update={"quantity": "latency"})
    with pytest.raises(
        InputError, match=r"^target 'T0': window of 'latency' is not measured in a population; choose"
    ):
        made_up("cat", 14.6, 1.0, 1.3).control_check(shipped.model_copy(update={"window": (odd,)}))


def test_the_half_width_stands_beside_the_verdict():
    row = rows(made_up("cat", 14.6, 1.0, 1.3))["half width at half height"]
    assert row.met
    assert not row.judged


def test_a_mouse_population_that_is_too_selective_misses_the_units_quartiles():
    found = rows(made_up("mouse", 20.0, 0.2, 1.3))
    assert found["full width at half height"].met
    assert not found["selectivity index"].met
    assert not found["gOSI, quantile 0.25"].met
    assert found["gOSI, quantile 0.5"].given_by == "ours"
    assert rows(made_up("mouse", 25.0, 3.0, 1.3))["gOSI, quantile 0.5"].met


def test_the_global_index_is_that_of_the_tuning_package():
    population = made_up("mouse", 30.0, 2.0, 1.0, n=5)
    four = population.statistics.mean[:, [0, 2, 4, 6]]
    wanted = [vector_sum(np.array([0.0, 45.0, 90.0, 135.0]), row)[1] for row in four]
    assert unit_like(population)["gosi"] == pytest.approx(wanted)
    assert unit_like(population)["spontaneous_hz"] == pytest.approx(0.5)


def test_neurons_that_the_units_selection_would_not_have_kept_are_left_out():
    population = made_up("mouse", 25.0, 60.0, 1.0)  # 10 Hz of tuning on 60 Hz: gOSI below 0.1
    assert unit_like(population)["gosi"].size == 0
    check = population.control_check()
    assert not check.met
    assert all(row.n == 0 for row in check.rows if row.quantity.startswith("gOSI"))


def test_orientations_that_hardly_respond_do_not_count_in_the_fano_factor():
    population = made_up("cat", 14.6, 0.0, 1.5, n=3)
    statistics = population.statistics
    statistics.fano[statistics.mean < 0.5] = 9.0
    assert evoked_fano(population) == pytest.approx(1.5)


@pytest.mark.slow
@pytest.mark.parametrize("species", ["cat", "mouse"])
def test_the_default_cell_meets_t0(species: str):
    population = draw_population(species, 24, 1)
    missed = [row for row in population.control_check().rows if not row.met]
    assert not missed
    assert population.statistics.share_kept > 0.5
