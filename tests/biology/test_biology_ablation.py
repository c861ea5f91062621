"""Cells that lost a dendrite, and the resting potential with HCN1 channels and without."""

import numpy as np
import pytest

from ketune.biology import reference
from ketune.biology._ablation import ablations, without
from ketune.biology._rest import hcn_null, rest_changes
from ketune.cell_model import default_cell
from ketune.events import Events
from ketune.morphology import default_morphology


@pytest.fixture(scope="module")
def intact():
    return reference().cell()


@pytest.fixture(scope="module")
def removed(intact):
    return ablations(reference(), intact)


def test_the_apical_tree_and_every_basal_dendrite_are_removed_once(intact, removed):
    assert [a.region for a in removed] == ["apical", "basal", "basal", "basal"]
    lost = sum((a.compartment < 0).astype(int) for a in removed)
    dendrite = np.isin(intact.table.region, ["basal", "apical"])
    np.testing.assert_array_equal(lost, dendrite)


def test_what_is_left_is_as_it_was(intact, removed):
    for a in removed:
        kept = a.compartment >= 0
        assert set(intact.table.region[~kept]) == {a.region}
        np.testing.assert_array_equal(a.compartment[kept], np.arange(a.cell.table.n))
        for name in ("region", "length_um", "diam_um", "area_um2", "path_um", "xyz_um"):
            np.testing.assert_array_equal(getattr(a.cell.table, name), getattr(intact.table, name)[kept])
        np.testing.assert_allclose(
            a.cell.placement("leak").parameters["e"], intact.placement("leak").parameters["e"][kept]
        )


def test_events_on_the_removed_dendrite_are_gone_and_no_others(intact, removed):
    n = intact.table.n
    events = Events.from_arrays(
        n_lanes=2, n_steps=n, dt_ms=0.1, port_names=("exc",), step=np.arange(n), lane=np.arange(n) % 2,
        compartment=np.arange(n), port=np.zeros(n, int),
    )  # fmt: skip
    for a in removed:
        left = a.events(events)
        np.testing.assert_array_equal(np.flatnonzero(a.compartment >= 0), left.step)
        np.testing.assert_array_equal(left.compartment, np.arange(a.cell.table.n))


def test_sections_keep_their_parents():
    morphology = default_morphology()
    stem = next(s.index for s in morphology.sections if s.parent == 0 and s.region == "basal")
    left = without(morphology, stem)
    assert all(s.parent < s.index for s in left.sections)
    by_place = {s.xyz_um.tobytes(): s for s in morphology.sections}
    for section in left.sections[1:]:
        before = by_place[section.xyz_um.tobytes()]
        assert (
            left.sections[section.parent].xyz_um.tobytes()
            == morphology.sections[before.parent].xyz_um.tobytes()
        )


def test_the_reference_differs_from_the_shipped_cell_only_where_it_says():
    mine, shipped = reference().cell(), default_cell()
    for label, placement in shipped.by_label.items():
        for name, values in placement.parameters.items():
            factor = reference().hcn1_density if (label, name) == ("hcn1", "gbar") else 1.0
            if (label, name) != ("leak", "e"):
                np.testing.assert_allclose(mine.placement(label).parameters[name], factor * values)


def test_the_null_has_no_hcn_and_rests_where_the_wild_type_does(tiny_cell):
    null = hcn_null(tiny_cell)
    assert not null.placement("hcn1").parameters["gbar"].any()
    assert not np.allclose(
        null.placement("leak").parameters["e"], tiny_cell.placement("leak").parameters["e"]
    )
    changes = rest_changes(tiny_cell, "xla")
    assert changes["null_bath_hcn"] == pytest.approx(0.0, abs=1e-9)
    assert changes["null_saturating_hcn"] == pytest.approx(0.0, abs=1e-9)
    assert changes["wild_type_saturating_hcn"] < changes["wild_type_bath_hcn"] < -0.1
