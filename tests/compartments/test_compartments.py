"""The compartment table: geometry, tree and options."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ketune.compartments import DEFAULT_D_LAMBDA, REGIONS, build
from ketune.errors import InputError
from ketune.morphology import SMALL_MORPHOLOGY, Morphology, Section, default_morphology, read_morphology

SPINES = {"basal": 2.0, "apical": 2.0}


@st.composite
def morphologies(draw):
    """Random trees of tapering, bent sections, an axon among them."""
    soma = Section(0, "soma", -1, np.array([[0, -6, 0], [0, 6, 0.0]]), np.full(2, 12.0))
    sections = [soma]
    for index in range(1, draw(st.integers(2, 12))):
        parent = draw(st.sampled_from([s.index for s in sections if s.region != "axon"]))
        if sections[parent].region == "soma":
            region = draw(st.sampled_from(["basal", "apical", "axon"]))
        else:
            region = draw(st.sampled_from([sections[parent].region, "axon"]))
        n = draw(st.integers(2, 6))
        steps = draw(
            st.lists(
                st.tuples(*[st.floats(-40, 40)] * 3).filter(lambda s: np.linalg.norm(s) > 0.1),
                min_size=n - 1,
                max_size=n - 1,
            )
        )
        start = sections[parent].xyz_um[-1]
        xyz = start + np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)])
        diam = np.array(draw(st.lists(st.floats(0.2, 4.0), min_size=n, max_size=n)))
        sections.append(Section(index, region, parent, xyz, diam))
    return Morphology("random", Path("random"), hashlib.sha256().hexdigest(), tuple(sections))


@settings(max_examples=60, deadline=None)
@given(morphologies(), st.floats(0.03, 1.0))
def test_random_trees_keep_length_and_area(morphology, d_lambda):
    table = build(morphology, d_lambda=d_lambda)
    for region in ("basal", "apical"):
        mine = table.in_region(region)
        sections = [s for s in morphology.sections if s.region == region]
        assert table.length_um[mine].sum() == pytest.approx(sum(s.length_um for s in sections))
        assert table.area_um2[mine].sum() == pytest.approx(sum(s.area_um2 for s in sections))
    np.testing.assert_allclose(table.area_um2, np.pi * table.diam_um * table.length_um)


@settings(max_examples=60, deadline=None)
@given(morphologies(), st.floats(0.03, 1.0))
def test_random_trees_are_connected_symmetric_and_positive(morphology, d_lambda):
    table = build(morphology, d_lambda=d_lambda)
    n = table.n
    assert table.region[0] == "soma"
    assert table.node_parent[0] == -1
    assert np.all(table.node_parent[1:] >= 0)
    assert np.all(table.node_g_uS[1:] > 0)
    # Parents before children, among sections and (through branch points) among compartments.
    assert np.all(table.section_parent[1:] < np.arange(1, len(table.section_parent)))
    above = table.node_parent[1:n]
    above = np.where(above >= n, table.node_parent[above], above)
    assert np.all(above < np.arange(1, n))
    assert np.array_equal(table.parent, [-1, *above])
    # A branch point joins at least two children and hangs on a compartment.
    assert np.all(table.node_parent[n:] < n)
    assert np.all(np.bincount(table.node_parent[1:], minlength=table.n_nodes)[n:] >= 2)
    # The system of a passive cell is symmetric and positive definite.
    matrix = np.zeros((table.n_nodes, table.n_nodes))
    for child in range(1, table.n_nodes):
        parent, g = table.node_parent[child], table.node_g_uS[child]
        matrix[[child, parent, child, parent], [child, parent, parent, child]] += [g, g, -g, -g]
    leak = np.zeros(table.n_nodes)
    leak[:n] = 1e-6 * table.area_um2
    assert np.array_equal(matrix, matrix.T)
    assert np.linalg.eigvalsh(matrix + np.diag(leak)).min() > 0


def test_sections_are_contiguous_runs_that_hang_together():
    table = build(default_morphology(), cm_uF_cm2=SPINES)
    for k, (first, count) in enumerate(zip(table.section_first, table.section_count, strict=True)):
        run = slice(first, first + count)
        assert np.all(table.section[run] == k)
        assert np.all(table.region[run] == table.section_region[k])
        assert np.all(np.diff(table.path_um[run]) > 0)
    assert table.section_count.sum() == table.n
    assert np.all(np.diff(table.section) >= 0)
    assert set(table.region) == set(REGIONS)


def test_default_discretisation_of_the_default_morphology():
    table = build(default_morphology(), cm_uF_cm2=SPINES)
    assert table.n == 205
    assert table.n_nodes == 255
    # No compartment is longer than allowed.
    lambda_100 = 1e5 * np.sqrt(table.diam_um / (4 * np.pi * 100 * table.ra_ohm_cm * table.cm_uF_cm2))
    worst = (table.length_um / lambda_100)[1:].max()
    # lambda is the section's mean one, and diameters vary along a section.
    assert worst < 1.5 * DEFAULT_D_LAMBDA
    assert build(default_morphology(), cm_uF_cm2=SPINES, d_lambda=0.1).n == 489


@pytest.mark.parametrize(("length", "n"), [(5.0, 1), (40.0, 4), (41.0, 5)])
def test_the_initial_segment_is_cut_finely_whatever_its_length_constant(length, n):
    table = build(read_morphology(SMALL_MORPHOLOGY), d_lambda=1.0, ais_length_um=length)
    assert len(table.in_region("ais")) == n
    assert len(table.in_region("axon")) == 1


def test_path_follows_the_neurites_from_the_soma():
    table = build(read_morphology(SMALL_MORPHOLOGY))
    # A neurite cannot be shorter than the straight line to it, less the way inside the soma.
    soma = table.diam_um[0] / 2
    straight = np.linalg.norm(table.xyz_um - table.xyz_um[0], axis=1)
    assert np.all(table.path_um[1:] + soma >= straight[1:] - 1e-9)
    parent = table.section_parent
    for k in range(1, len(parent)):
        start = table.path_um[table.section_first[k]] - table.length_um[table.section_first[k]] / 2
        if parent[k] == 0:
            assert start == pytest.approx(0.0)
        else:
            last = table.section_first[parent[k]] + table.section_count[parent[k]] - 1
            assert start == pytest.approx(table.path_um[last] + table.length_um[last] / 2)


def test_axon_of_the_file_is_replaced():
    table = build(
        read_morphology(SMALL_MORPHOLOGY),
        ais_length_um=30,
        ais_diam_um=1.5,
        axon_length_um=200,
        axon_diam_um=0.5,
    )
    ais, axon = table.in_region("ais"), table.in_region("axon")
    assert table.length_um[ais].sum() == pytest.approx(30)
    np.testing.assert_allclose(table.diam_um[ais], 1.5)
    assert table.length_um[axon].sum() == pytest.approx(200)
    np.testing.assert_allclose(table.diam_um[axon], 0.5)
    assert list(table.section_parent[1:3]) == [0, 1]
    # One child joins in series, without a branch point: half of each cylinder, in MOhm.
    half = 0.01 * 100 * (table.length_um / 2) / (np.pi * table.diam_um**2 / 4)
    assert table.node_parent[axon[0]] == ais[-1]
    assert 1 / table.node_g_uS[axon[0]] == pytest.approx(half[ais[-1]] + half[axon[0]])
    assert table.node_parent[ais[0]] == 0
    assert 1 / table.node_g_uS[ais[0]] == pytest.approx(half[ais[0]])


def test_node_depth_counts_the_steps_to_the_soma():
    table = build(default_morphology())
    for node in range(table.n_nodes):
        steps, walker = 0, node
        while walker != 0:
            walker, steps = table.node_parent[walker], steps + 1
        assert table.node_depth[node] == steps


def test_options_by_region():
    table = build(read_morphology(SMALL_MORPHOLOGY), cm_uF_cm2=SPINES, ra_ohm_cm={"axon": 150})
    for region, cm, ra in (("soma", 1, 100), ("basal", 2, 100), ("apical", 2, 100), ("axon", 1, 150)):
        mine = table.in_region(region)
        assert set(table.cm_uF_cm2[mine]) == {cm}
        assert set(table.ra_ohm_cm[mine]) == {ra}


def test_hash_follows_the_contents():
    morphology = read_morphology(SMALL_MORPHOLOGY)
    assert build(morphology).sha256() == build(morphology).sha256()
    assert build(morphology).sha256() != build(morphology, ra_ohm_cm=101).sha256()


def test_table_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        build(read_morphology(SMALL_MORPHOLOGY)).diam_um[0] = 1.0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"d_lambda": 0.0}, "d_lambda is 0; it must be above 0"),
        ({"d_lambda": float("nan")}, "d_lambda is nan"),
        ({"ais_diam_um": -1.0}, "ais_diam_um is -1"),
        ({"cm_uF_cm2": {"dendrite": 2.0}}, "unknown region 'dendrite'"),
        ({"cm_uF_cm2": {"basal": -2.0}}, "cm_uF_cm2 of basal is -2"),
        ({"ra_ohm_cm": 0.0}, "ra_ohm_cm of soma is 0"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(InputError, match=words):
        build(read_morphology(SMALL_MORPHOLOGY), **options)


def test_unknown_region_is_refused():
    with pytest.raises(InputError, match="unknown region 'dendrite'; known are soma, ais"):
        build(read_morphology(SMALL_MORPHOLOGY)).in_region("dendrite")
