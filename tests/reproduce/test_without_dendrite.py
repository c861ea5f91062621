"""A dendrite removed from a cell, against the cell built from a file that never had it."""

from dataclasses import fields, replace

import numpy as np
import pytest

from ketune import compartments
from ketune.biology._ablation import without as file_without
from ketune.cell_model import build_cell
from ketune.compartments import CompartmentTable
from ketune.events import Events
from ketune.morphology import SMALL_MORPHOLOGY, read_morphology
from ketune.reproduce._without_dendrite import dendrites, without


@pytest.fixture(scope="module")
def morphology():
    return read_morphology(SMALL_MORPHOLOGY)


def test_every_dendrite_has_a_label_and_all_are_disjoint(tiny_cell):
    found = dendrites(tiny_cell)
    assert [label for label in found if label.startswith("apical")] == ["apical tree"]
    assert "basal dendrite 1" in found
    every = [s for sections in found.values() for s in sections]
    region = tiny_cell.table.section_region
    assert sorted(every) == list(np.flatnonzero(np.isin(region, ["apical", "basal"])))
    assert all(region[s] == "apical" for s in found["apical tree"])


def labelled(morphology):
    """Label of each dendrite on the soma of a file."""
    stems = [s for s in morphology.sections if s.parent == 0 and s.region != "axon"]
    basal = [s.index for s in stems if s.region == "basal"]
    return {
        s.index: f"basal dendrite {basal.index(s.index) + 1}" if s.index in basal else "apical tree"
        for s in stems
    }


def test_the_table_is_that_of_the_cut_file(morphology, tiny_cell):
    fine = compartments.build(morphology, d_lambda=0.05)
    cell = replace(tiny_cell, table=fine, placements=())
    labels = labelled(morphology)
    assert set(labels.values()) == set(dendrites(cell))
    for stem, label in labels.items():
        left = without(cell, label).cell.table
        wanted = compartments.build(file_without(morphology, stem), d_lambda=0.05)
        for field in fields(CompartmentTable):
            np.testing.assert_array_equal(
                getattr(left, field.name), getattr(wanted, field.name), err_msg=field.name
            )


def test_what_is_left_is_the_cell_of_the_cut_file(morphology, tiny_cell):
    stem = next(stem for stem, label in labelled(morphology).items() if label == "apical tree")
    left = without(tiny_cell, "apical tree").cell
    wanted = build_cell(morphology=file_without(morphology, stem), d_lambda=1.0)
    assert set(left.by_label) == set(wanted.by_label)
    for name, placement in wanted.by_label.items():
        np.testing.assert_array_equal(left.placement(name).compartments, placement.compartments)
        for key, values in placement.parameters.items():
            np.testing.assert_allclose(left.placement(name).parameters[key], values)


def test_events_stay_on_their_membrane(tiny_cell):
    left = without(tiny_cell, "apical tree")
    n = tiny_cell.table.n
    events = Events.from_arrays(
        n_lanes=1, n_steps=n, dt_ms=0.1, port_names=("exc",), step=np.arange(n), lane=np.zeros(n, int),
        compartment=np.arange(n), port=np.zeros(n, int),
    )  # fmt: skip
    kept = left.events(events)
    np.testing.assert_array_equal(np.flatnonzero(tiny_cell.table.region != "apical"), kept.step)
    np.testing.assert_array_equal(
        left.cell.table.area_um2[kept.compartment], tiny_cell.table.area_um2[kept.step]
    )
