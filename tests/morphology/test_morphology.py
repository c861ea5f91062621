"""Reading SWC and ASC files: what is kept, and one line for what cannot be used."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ketune.errors import InputError
from ketune.morphology import SMALL_MORPHOLOGY, default_morphology, read_morphology

SOMA = "1 1 0 0 0 5 -1\n"
DENDRITE = SOMA + "2 3 0 5 0 1 1\n3 3 0 20 0 1 2\n"
ASC_SOMA = '("Soma" (CellBody) (3 0 0 1) (0 3 0 1) (-3 0 0 1) (0 -3 0 1))\n'
ASC_DENDRITE = "((Dendrite) (3 0 0 2) (23 0 0 2) ((23 20 0 1) | (23 -10 0 1)))\n"


def write(folder, text, name="cell.swc"):
    path = folder / name
    path.write_text(text)
    return path


def test_default_morphology():
    morphology = default_morphology()
    regions = [s.region for s in morphology.sections]
    dendrites = [s for s in morphology.sections if s.region in ("basal", "apical")]
    assert morphology.name == "cat_v1_l23_j8"
    assert morphology.sha256 == hashlib.sha256(morphology.path.read_bytes()).hexdigest()
    # The 105 neurites of the file and the soma, whose cylinder has the area of a sphere of radius 8.3063 um.
    assert len(regions) == 106
    assert regions[0] == "soma"
    assert regions.count("axon") == 1
    assert morphology.sections[0].area_um2 == pytest.approx(4 * np.pi * 8.3063**2, rel=1e-5)
    # Summed over the file's samples, the jumps from the soma's centre to the stems left out.
    rows = {int(r[0]): r for r in np.loadtxt(morphology.path)}
    edges = [(r, rows[int(r[6])]) for r in rows.values() if r[1] in (3, 4) and r[6] != 1]
    length = sum(np.linalg.norm(a[2:5] - b[2:5]) for a, b in edges)
    assert sum(s.length_um for s in dendrites) == pytest.approx(length, rel=1e-6)
    assert length == pytest.approx(5785, rel=0.005)


def test_parents_come_first_and_sections_touch():
    for morphology in (default_morphology(), read_morphology(SMALL_MORPHOLOGY)):
        for s in morphology.sections[1:]:
            assert s.parent < s.index
            if s.parent > 0:
                np.testing.assert_allclose(s.xyz_um[0], morphology.sections[s.parent].xyz_um[-1])


def test_area_between_points_follows_the_frustum(tmp_path):
    path = write(tmp_path, SOMA + "2 3 0 5 0 2 1\n3 3 0 15 0 1 2\n4 3 0 30 0 1 3\n")
    section = read_morphology(path).sections[1]
    # Radius 2 to 1 over 10 um: half way up it is 1.5.
    slant = np.sqrt(10**2 + 1)
    half_cone, cone, cylinder = np.pi * 3.5 * slant / 2, np.pi * 3 * slant, np.pi * 2 * 15
    expected = [0, half_cone, cone, cone + cylinder / 3, cone + cylinder]
    np.testing.assert_allclose(section.lateral_area_um2(np.array([0, 5, 10, 15, 25.0])), expected)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", None, "is empty"),
        ("# only a comment\n", None, "no samples"),
        ("orientation,trial\n", 1, "not an SWC sample"),
        (SOMA + "2 3 0 5\n", 2, "not an SWC sample"),
        (SOMA + "2 3 0 5 0 1 1\n3 3 0 nan 0 1 2\n", 3, "not finite"),
        (SOMA + "2 3 0 5 0 1 1\n3 3 0 9 0 0 2\n", 3, "radius 0"),
        (SOMA + "2 3 0 5 0 -1 1\n3 3 0 9 0 1 2\n", 2, "radius -1"),
        (SOMA + "2 7 0 5 0 1 1\n3 7 0 9 0 1 2\n", 2, "type 7"),
        (SOMA + "2 3 0 5 0 1 1\n2 3 0 9 0 1 1\n", 3, "appears twice"),
        (SOMA + "2 3 0 5 0 1 1\n3 3 0 9 0 1 8\n", 3, "parent 8"),
        (DENDRITE + "4 3 0 50 0 1 -1\n5 3 0 60 0 1 4\n", 4, "several roots"),
        ("1 3 0 0 0 1 -1\n2 3 0 9 0 1 1\n", None, "no soma"),
        (DENDRITE + "4 3 0 50 0 1 5\n5 3 0 60 0 1 4\n", 4, "loop"),
        (DENDRITE + "4 3 0 50 0 1 4\n", 4, "loop"),
        (SOMA + "2 2 0 5 0 1 1\n3 2 0 20 0 1 2\n", None, "no dendrite"),
        (SOMA, None, "no dendrite"),
        (SOMA + "2 2 0 5 0 1 1\n3 2 0 20 0 1 2\n4 3 0 30 0 1 3\n5 3 0 40 0 1 4\n", None, "off the axon"),
    ],
)
def test_bad_swc_is_one_line_that_names_the_place(tmp_path, text, line, words):
    path = write(tmp_path, text)
    with pytest.raises(InputError) as error:
        read_morphology(path)
    message = str(error.value)
    assert message.startswith(f"{path}:{line}:" if line else f"{path}: ")
    assert words in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (" \n", "is empty"),
        (ASC_DENDRITE, "no soma"),
        (ASC_SOMA, "no dendrite"),
        (ASC_SOMA + "((Dendrite) (3 0 0 1) (5 0", "line 2: "),
        (ASC_SOMA + "((Dendrite) (3 0 0 0) (23 0 0 0))", "not above 0 um"),
    ],
)
def test_bad_asc_is_one_line(tmp_path, text, words, capfd):
    path = write(tmp_path, text, "cell.asc")
    with pytest.raises(InputError) as error:
        read_morphology(path)
    assert str(path) in str(error.value)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
    assert "\x1b" not in str(error.value)
    assert capfd.readouterr() == ("", "")


def test_unreadable_files(tmp_path):
    with pytest.raises(InputError, match=r"nothing.swc: cannot read .*No such file"):
        read_morphology(tmp_path / "nothing.swc")
    with pytest.raises(InputError, match=r"unknown morphology format '.h5'; give an .swc or .asc"):
        read_morphology(tmp_path / "cell.h5")
    (tmp_path / "folder.swc").mkdir()
    with pytest.raises(InputError, match="cannot read"):
        read_morphology(tmp_path / "folder.swc")
    (tmp_path / "binary.swc").write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match="not an SWC sample"):
        read_morphology(tmp_path / "binary.swc")


def test_asc_contour_soma_takes_its_mean_radius(tmp_path, capfd):
    path = write(tmp_path, ASC_SOMA + ASC_DENDRITE, "cell.asc")
    sections = read_morphology(path).sections
    assert [s.region for s in sections] == ["soma", "basal", "basal", "basal"]
    assert [s.parent for s in sections] == [-1, 0, 1, 1]
    assert sections[0].diam_um[0] == pytest.approx(6.0)
    assert [s.length_um for s in sections[1:]] == pytest.approx([20.0, 20.0, 10.0])
    assert capfd.readouterr() == ("", "")


def test_children_may_precede_parents(tmp_path):
    path = write(tmp_path, "3 3 0 20 0 1 2\n2 3 0 5 0 1 1\n" + SOMA)
    assert read_morphology(path).sections[1].length_um == pytest.approx(15.0)


def test_a_change_of_type_starts_a_section(tmp_path):
    path = write(tmp_path, DENDRITE + "4 4 0 30 0 1 3\n5 4 0 40 0 1 4\n")
    sections = read_morphology(path).sections
    assert [(s.region, s.parent) for s in sections] == [("soma", -1), ("basal", 0), ("apical", 1)]
    assert sections[2].length_um == pytest.approx(20.0)


@pytest.mark.parametrize(("y", "length"), [(25, 20.0), (3, 3.0)])
def test_a_stem_of_one_point_reaches_the_soma(tmp_path, y, length):
    path = write(tmp_path, SOMA + f"2 3 0 {y} 0 1 1\n")
    assert read_morphology(path).sections[1].length_um == pytest.approx(length)


def test_sections_without_length_are_contracted(tmp_path):
    # A stem that branches at the soma's centre, and a repeated point that branches.
    stem = SOMA + "2 3 0 0 0 1 1\n3 3 0 10 0 1 2\n4 3 0 -10 0 1 2\n"
    repeated = "5 3 0 10 0 1 3\n6 3 5 10 0 1 5\n7 3 -5 10 0 1 5\n8 3 0 20 0 1 3\n"
    sections = read_morphology(write(tmp_path, stem + repeated)).sections
    assert [s.parent for s in sections] == [-1, 0, 1, 1, 1, 0]
    assert [s.length_um for s in sections[1:]] == pytest.approx([10, 5, 5, 10, 10])


@st.composite
def swc_trees(draw):
    """SWC text, and its dendritic length and lateral area summed over the samples."""
    steps = st.tuples(*[st.integers(-30, 30)] * 3).filter(lambda s: any(s))
    samples = [(1, np.zeros(3), 6.0, -1)]
    branchable = []
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from([3, 4]))
        samples.append((kind, np.array([0.0, 6.0, 0.0]), draw(st.integers(1, 20)) / 10, 0))
        branchable.append(None)
        for grown in range(draw(st.integers(1, 8))):
            # A stem's first sample continues, so that every stem is a section of two points or more.
            parent = len(samples) - 1 if grown == 0 else draw(st.sampled_from(branchable[-grown:]))
            xyz = samples[parent][1] + np.array(draw(steps), float)
            branchable.append(len(samples))
            samples.append((kind, xyz, draw(st.integers(1, 20)) / 10, parent))
    length = area = 0.0
    for _, xyz, radius, parent in samples:
        if parent > 0:
            _, start, wide, _ = samples[parent]
            height = np.linalg.norm(xyz - start)
            length += height
            area += np.pi * (radius + wide) * np.hypot(height, radius - wide)
    rows = [
        f"{i + 1} {kind} {xyz[0]} {xyz[1]} {xyz[2]} {radius} {parent + 1 if parent >= 0 else -1}"
        for i, (kind, xyz, radius, parent) in enumerate(samples)
    ]
    return "\n".join(rows), length, area


@settings(max_examples=60, deadline=None)
@given(swc_trees())
def test_length_and_area_survive_reading(tmp_path_factory, tree):
    text, length, area = tree
    sections = read_morphology(write(tmp_path_factory.mktemp("swc"), text)).sections
    assert sum(s.length_um for s in sections[1:]) == pytest.approx(length, rel=1e-5)
    assert sum(s.area_um2 for s in sections[1:]) == pytest.approx(area, rel=1e-5)
    assert all(s.parent < s.index for s in sections)
