"""Populations that are drawn: reproducible, within the working range, and with the responses of the surface."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq

from ketune.afferents import Drive, place_synapses
from ketune.cell import Cell
from ketune.errors import InputError
from ketune.fitting import NAMES, drive_at
from ketune.fitting._prior import WORKING_RANGE
from ketune.population import Population, _population, distributions, draw_population
from ketune.population._control import first_crossing
from ketune.surface import Surface
from ketune.surface._inputs import trial_inputs


@pytest.fixture(scope="module")
def population(made_up_surface: Surface, tiny_cell: Cell) -> Population:
    return draw_population("cat", 6, 3, made_up_surface, tiny_cell)


def test_a_neuron_does_not_depend_on_how_many_follow(
    population: Population, made_up_surface: Surface, tiny_cell: Cell
):
    fewer = draw_population("cat", 3, 3, made_up_surface, tiny_cell)
    assert fewer.neurons == population.neurons[:3]
    assert np.array_equal(fewer.statistics.mean, population.statistics.mean[:3])


def test_other_seeds_give_other_neurons_and_placements(
    population: Population, made_up_surface: Surface, tiny_cell: Cell
):
    other = draw_population("cat", 2, 4, made_up_surface, tiny_cell)
    for one, two in zip(other.neurons, population.neurons, strict=False):
        assert one.values["ampa_nS"] != two.values["ampa_nS"]
        assert one.placement_seed != two.placement_seed
    assert len({neuron.placement_seed for neuron in population.neurons}) == 6


def test_values_have_the_names_of_the_fit_and_lie_in_the_working_range(population: Population):
    laws = distributions().cat
    own = {name: law.bounds for name in ("ampa_nS", "nmda_nS") if (law := laws.law(name)).bounds}
    for neuron in population.neurons:
        assert tuple(neuron.values) == NAMES
        for name, (low, high) in {**WORKING_RANGE, **own}.items():
            assert low <= neuron.values[name] <= high
        assert 0 <= neuron.values["preferred_basal_deg"] < 180
        assert 0 <= neuron.values["preferred_apical_deg"] < 180
        assert -90 <= neuron.disparity_deg < 90


def test_every_neuron_passes_the_selection_and_all_draws_are_counted(population: Population):
    table, statistics = distributions(), population.statistics
    assert np.all(statistics.mean[:, :-1].max(axis=1) >= 2.0 * table.experiment.window_s)
    assert all(fit.osi >= table.selection.least_osi for fit in statistics.fits)
    assert statistics.drawn == 6 + sum(statistics.refused.values())
    assert statistics.share_kept == pytest.approx(6 / statistics.drawn)


def test_means_are_those_of_the_surface_for_the_neurons_own_synapses(
    population: Population, made_up_surface: Surface, tiny_cell: Cell
):
    # Gauss and Hermite's quadrature over the shared gain, and the exact rates of each placement.
    nodes, weights = np.polynomial.hermite_e.hermegauss(24)
    apical = tiny_cell.table.region == "apical"
    for i, neuron in enumerate(population.neurons[:3]):
        layout = place_synapses(tiny_cell, seed=neuron.placement_seed)
        v = neuron.values
        fixed = [v["ampa_nS"], v["nmda_nS"], v["pv_nS"], v["sst_nS"], population.window_s]
        for k in (0, 3, 9):
            rates = [
                trial_inputs(
                    drive_at(v, Drive()),
                    layout,
                    apical,
                    orientation_deg=population.orientation_deg[k],
                    gain_deviate=z,
                )
                for z in nodes
            ]
            mean, dispersion = map(
                np.asarray, made_up_surface.moments(np.log([[*rate, *fixed] for rate in rates]))
            )
            share = weights / weights.sum()
            total = share @ mean
            fano = share @ (dispersion * mean + (mean - total) ** 2) / total
            assert population.statistics.mean[i, k] == pytest.approx(total, rel=5e-3)
            assert population.statistics.fano[i, k] == pytest.approx(fano, rel=2e-2)


def test_the_ninth_orientation_repeats_the_first(population: Population):
    assert population.orientation_deg[8] == population.orientation_deg[0] + 180
    assert population.statistics.mean[:, 8] == pytest.approx(population.statistics.mean[:, 0])


def test_the_first_crossing_is_found_where_a_response_falls_again():
    x = np.geomspace(0.1, 10.0, 201)
    y = 8.0 * x**2 * np.exp(-x)  # rises to x = 2, then falls
    wanted = brentq(lambda at: 8.0 * at**2 * np.exp(-at) - 2.0, 0.1, 2.0)
    assert first_crossing(x, y, 2.0) == pytest.approx(wanted, rel=1e-3)
    assert first_crossing(x, y, 5.0) is None
    assert first_crossing(x, y, 0.01) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cat", 0, 1), r"^population of 0 neurons: give at least 1$"),
        (("cat", 2, -1), r"^population seed -1: give 0 or a positive number$"),
        (("ferret", 2, 1), r"^population 'ferret': there are cat and mouse"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    arguments: tuple, message: str, made_up_surface: Surface, tiny_cell: Cell
):
    with pytest.raises(InputError, match=message):
        draw_population(*arguments, made_up_surface, tiny_cell)


def test_a_cell_that_never_fires_is_refused(made_up_surface: Surface, tiny_cell: Cell, monkeypatch):
    monkeypatch.setattr(_population, "_ATTEMPTS", 3)
    weight, bias = made_up_surface.weights[-1]
    silent = replace(made_up_surface, weights=[*made_up_surface.weights[:-1], (0 * weight, bias - 30)])
    with pytest.raises(InputError, match=r"^population 'cat', seed 1: none of 3 draws gives a tuned neuron"):
        draw_population("cat", 1, 1, silent, tiny_cell)
