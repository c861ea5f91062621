"""Placement of synapses on a cell."""

from functools import cache

import numpy as np
import pytest
from scipy import stats

from ketune.afferents import place_synapses
from ketune.cell_model import build_cell, default_cell
from ketune.morphology import SMALL_MORPHOLOGY, read_morphology


@cache
def cell():
    return build_cell(morphology=read_morphology(SMALL_MORPHOLOGY))


def test_one_seed_is_one_neuron():
    first, again, other = (place_synapses(cell(), seed=s) for s in (4, 4, 5))
    for name in ("driven", "tree", "deviate", "phase"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    assert all(np.array_equal(first.compartment[p], again.compartment[p]) for p in first.compartment)
    assert not np.array_equal(first.compartment["exc"], other.compartment["exc"])
    assert not np.array_equal(first.deviate, other.deviate)


def test_numbers():
    dendrites = cell().table.in_region("basal", "apical")
    length = cell().table.length_um[dendrites].sum()
    synapses = place_synapses(cell(), seed=1, excitatory_per_um=3.0, driven_fraction=0.4, n_pv=7, n_sst=11)
    assert len(synapses.compartment["exc"]) == round(3.0 * length)
    assert len(synapses.driven) == len(set(synapses.driven.tolist())) == round(0.4 * round(3.0 * length))
    assert (len(synapses.compartment["pv"]), len(synapses.compartment["sst"])) == (7, 11)


def test_inhibition_is_as_dense_on_every_cell_as_on_the_default_one():
    numbers = []
    for of in (default_cell(), cell()):
        dendrites = of.table.in_region("basal", "apical")
        found = place_synapses(of, seed=1)
        numbers.append([len(found.compartment[p]) for p in ("pv", "sst")])
        numbers.append([of.table.length_um[dendrites].sum()])
    assert numbers[0] == [100, 300]
    assert np.divide(numbers[2], numbers[0]) == pytest.approx(numbers[3][0] / numbers[1][0], rel=0.02)


@pytest.mark.parametrize("port", ["exc", "pv", "sst"])
def test_synapses_are_where_the_port_has_receptors_in_proportion_to_length(port):
    rows = cell().placement(cell().ports[port][0]).compartments
    counts = np.zeros(cell().table.n)
    for seed in range(20):
        np.add.at(counts, place_synapses(cell(), seed=seed).compartment[port], 1)
    assert counts.sum() == counts[rows].sum()
    length = cell().table.length_um[rows]
    expected = counts.sum() * length / length.sum()
    assert stats.chisquare(counts[rows], expected).pvalue > 1e-6


def test_a_driven_synapse_knows_its_tree():
    synapses = place_synapses(cell(), seed=2)
    region = cell().table.region[synapses.compartment["exc"][synapses.driven]]
    assert np.array_equal(synapses.tree == 1, region == "apical")
    assert set(synapses.tree.tolist()) == {0, 1}
    assert stats.kstest(synapses.deviate, "norm").pvalue > 1e-6
    assert stats.kstest(synapses.phase / (2 * np.pi), "uniform").pvalue > 1e-6
