"""The compartment table: the one discretisation that every engine builds its cell from.

A section of length L is cut into n = max(1, ceil(L / (d_lambda * lambda_100))) equal cylinders, where
lambda_100 = 1e5 um * sqrt(d / (4 pi f Ra cm)) at f = 100 Hz is NEURON's AC length constant (d in um, Ra in
ohm cm, cm in uF/cm2; Hines & Carnevale 2001, Neuroscientist 7:123); the initial segment gets at least one for every
10 um. Each cylinder keeps the membrane area of the traced frusta that it replaces.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from ketune.errors import InputError
from ketune.morphology import Morphology, Section

REGIONS = ("soma", "ais", "axon", "basal", "apical")

# The default morphology gets 205 compartments with twice the capacitance on its dendrites (spines), else 172.
DEFAULT_D_LAMBDA = 0.3
# The initial segment is short against any length constant, but a spike begins within it: cut by d_lambda alone it is
# one compartment, and spike counts are 3 % too high (docs/convergence.md).
LONGEST_AIS_COMPARTMENT_um = 10.0
# Length and diameter of the synthetic axon's parts.
DEFAULT_AIS_um = (40.0, 1.2)
DEFAULT_AXON_um = (100.0, 1.0)
DEFAULT_RA_OHM_CM = 100.0
DEFAULT_CM_UF_CM2 = 1.0

_LAMBDA_FREQUENCY_HZ = 100.0


@dataclass(frozen=True, eq=False)
class CompartmentTable:
    """Compartments of a cell and the tree that joins them. All arrays are read-only.

    Compartment 0 is the soma, parents come before children, and each of the m sections holds a contiguous run
    of compartments, proximal to distal. Solver nodes 0..n-1 are the compartments; nodes n..N-1 are branch
    points, which have no membrane and exist only where two or more sections start at a section's end. (A single
    child joins in series; sections on the soma start at its centre, which is node 0.)

    Attributes
    ----------
    region
        (n,) one of `REGIONS`.
    section
        (n,) section of each compartment.
    length_um, diam_um, area_um2
        (n,) of the cylinder; area is its side, pi * diam * length.
    xyz_um
        (n, 3) centre, +y towards the pia.
    path_um
        (n,) distance along the neurites from the soma's centre.
    cm_uF_cm2, ra_ohm_cm
        (n,) membrane capacitance and axial resistivity.
    section_parent
        (m,) parent section, -1 for the soma.
    section_region
        (m,) one of `REGIONS`.
    section_first, section_count
        (m,) the section's compartments are first .. first + count - 1.
    node_parent
        (N,) parent node, -1 for node 0; a compartment's parent may be a branch point, with a higher number.
    node_g_uS
        (N,) axial conductance between a node and its parent; 0 for node 0.
    """

    region: np.ndarray
    section: np.ndarray
    length_um: np.ndarray
    diam_um: np.ndarray
    area_um2: np.ndarray
    xyz_um: np.ndarray
    path_um: np.ndarray
    cm_uF_cm2: np.ndarray
    ra_ohm_cm: np.ndarray
    section_parent: np.ndarray
    section_region: np.ndarray
    section_first: np.ndarray
    section_count: np.ndarray
    node_parent: np.ndarray
    node_g_uS: np.ndarray

    def __post_init__(self) -> None:
        for field in fields(self):
            getattr(self, field.name).setflags(write=False)

    @property
    def n(self) -> int:
        """Number of compartments."""
        return len(self.length_um)

    @property
    def n_nodes(self) -> int:
        """Number of solver nodes: compartments and branch points."""
        return len(self.node_parent)

    @cached_property
    def parent(self) -> np.ndarray:
        """(n,) compartment towards the soma of each one; -1 for the soma's first. Branch points are left out."""
        first = self.section_first[self.section]
        above = self.section_parent[self.section]
        last_above = np.where(above >= 0, self.section_first[above] + self.section_count[above] - 1, -1)
        within = np.arange(self.n) - 1
        parent = np.where(np.arange(self.n) == first, last_above, within)
        parent.setflags(write=False)
        return parent

    @cached_property
    def node_depth(self) -> np.ndarray:
        """(N,) number of steps from each node to node 0."""
        depth = np.zeros(self.n_nodes, dtype=np.int32)
        walker = self.node_parent.copy()
        while (above := walker >= 0).any():
            depth += above
            walker = np.where(above, self.node_parent[walker], -1)
        return depth

    def in_region(self, *regions: str) -> np.ndarray:
        """Indices of the compartments in any of the regions."""
        for region in regions:
            if region not in REGIONS:
                raise InputError(f"unknown region '{region}'; known are {', '.join(REGIONS)}")
        return np.flatnonzero(np.isin(self.region, regions))

    def sha256(self) -> str:
        """Hash of everything in the table."""
        digest = hashlib.sha256()
        for field in fields(self):
            values = getattr(self, field.name)
            digest.update(f"{field.name} {values.dtype.str} {values.shape}\n".encode())
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()


def build(
    morphology: Morphology,
    *,
    d_lambda: float = DEFAULT_D_LAMBDA,
    ra_ohm_cm: float | Mapping[str, float] = DEFAULT_RA_OHM_CM,
    cm_uF_cm2: float | Mapping[str, float] = DEFAULT_CM_UF_CM2,
    ais_length_um: float = DEFAULT_AIS_um[0],
    ais_diam_um: float = DEFAULT_AIS_um[1],
    axon_length_um: float = DEFAULT_AXON_um[0],
    axon_diam_um: float = DEFAULT_AXON_um[1],
) -> CompartmentTable:
    """Cut a morphology into compartments.

    The file's axon is replaced by an initial segment and a short axon on the soma, because reconstructions
    lack most of the axon (the shipped one has an artificial cable), rarely mark the initial segment, and
    spike initiation must not depend on how far somebody traced.

    Parameters
    ----------
    morphology
        from `read_morphology`.
    d_lambda
        largest compartment length as a fraction of the length constant at 100 Hz.
    ra_ohm_cm
        axial resistivity, for all or by region; regions left out take 100 ohm cm.
    cm_uF_cm2
        capacitance, for all or by region (a spine factor goes here); left out: 1 uF/cm2.
    ais_length_um, ais_diam_um, axon_length_um, axon_diam_um
        the synthetic axon, which points along -y.

    Raises
    ------
    InputError
        a value that is not above 0, or an unknown region.
    """
    sizes = {
        "d_lambda": d_lambda,
        "ais_length_um": ais_length_um,
        "ais_diam_um": ais_diam_um,
        "axon_length_um": axon_length_um,
        "axon_diam_um": axon_diam_um,
    }
    for what, value in sizes.items():
        _require_positive(what, value)
    ra = _by_region("ra_ohm_cm", ra_ohm_cm, DEFAULT_RA_OHM_CM)
    cm = _by_region("cm_uF_cm2", cm_uF_cm2, DEFAULT_CM_UF_CM2)

    sections = with_synthetic_axon(morphology, (ais_length_um, ais_diam_um), (axon_length_um, axon_diam_um))
    pieces = [_cut(s, d_lambda, ra[s.region], cm[s.region]) for s in sections]
    count = np.array([len(p) for p in pieces])
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    section = np.repeat(np.arange(len(sections)), count)
    parent = np.array([s.parent for s in sections])

    length = np.repeat([s.length_um for s in sections], count) / count[section]
    area = np.concatenate(pieces)
    diam = area / (np.pi * length)
    region = np.array([s.region for s in sections])
    ra_of = np.array([ra[r] for r in region])[section]
    cm_of = np.array([cm[r] for r in region])[section]

    # Along the neurites a section starts where its parent ends; stems start at the soma's centre.
    start = np.zeros(len(sections))
    for k in range(1, len(sections)):
        if parent[k] != 0:
            start[k] = start[parent[k]] + sections[parent[k]].length_um
    within = (np.arange(len(section)) - first[section] + 0.5) * length
    path = start[section] + within
    path[0] = 0.0
    xyz = np.concatenate([s.position_um(within[section == s.index]) for s in sections])

    node_parent, node_g = _nodes(parent, first, count, length, diam, ra_of)
    return CompartmentTable(
        region=region[section],
        section=section.astype(np.int32),
        length_um=length,
        diam_um=diam,
        area_um2=area,
        xyz_um=xyz,
        path_um=path,
        cm_uF_cm2=cm_of,
        ra_ohm_cm=ra_of,
        section_parent=parent.astype(np.int32),
        section_region=region,
        section_first=first.astype(np.int32),
        section_count=count.astype(np.int32),
        node_parent=node_parent,
        node_g_uS=node_g,
    )


def _require_positive(what: str, value: float) -> None:
    if not (np.isfinite(value) and value > 0):
        raise InputError(f"{what} is {value:g}; it must be above 0")


def _by_region(what: str, given: float | Mapping[str, float], default: float) -> dict[str, float]:
    if isinstance(given, Mapping):
        for region in given:
            if region not in REGIONS:
                raise InputError(f"{what}: unknown region '{region}'; known are {', '.join(REGIONS)}")
        values = {region: float(given.get(region, default)) for region in REGIONS}
    else:
        values = dict.fromkeys(REGIONS, float(given))
    for region, value in values.items():
        _require_positive(f"{what} of {region}", value)
    return values


def with_synthetic_axon(
    morphology: Morphology,
    ais_um: tuple[float, float] = DEFAULT_AIS_um,
    axon_um: tuple[float, float] = DEFAULT_AXON_um,
) -> list[Section]:
    """The sections of a table: soma, initial segment, axon, then the dendrites in the file's order.

    Parameters
    ----------
    ais_um, axon_um
        Length and diameter of each.
    """
    soma = morphology.sections[0]
    down = np.array([0.0, -1.0, 0.0])
    hillock = soma.xyz_um.mean(axis=0) + down * soma.diam_um[0] / 2
    node = hillock + down * ais_um[0]
    end = node + down * axon_um[0]
    sections = [
        soma,
        Section(1, "ais", 0, np.stack([hillock, node]), np.full(2, ais_um[1])),
        Section(2, "axon", 1, np.stack([node, end]), np.full(2, axon_um[1])),
    ]
    index_of = {0: 0}
    for source in morphology.sections[1:]:
        if source.region == "axon":
            continue
        index_of[source.index] = len(sections)
        parent = index_of[source.parent]
        sections.append(Section(len(sections), source.region, parent, source.xyz_um, source.diam_um))
    return sections


def _cut(section: Section, d_lambda: float, ra: float, cm: float) -> np.ndarray:
    """Membrane area of each of the section's equal-length pieces."""
    length, area = section.length_um, section.area_um2
    if section.region == "soma":
        return np.array([area])
    mean_diam = area / (np.pi * length)
    lambda_um = 1e5 * np.sqrt(mean_diam / (4.0 * np.pi * _LAMBDA_FREQUENCY_HZ * ra * cm))
    longest = d_lambda * lambda_um
    if section.region == "ais":
        longest = min(longest, LONGEST_AIS_COMPARTMENT_um)
    n = max(1, int(np.ceil(length / longest)))
    return np.diff(section.lateral_area_um2(np.linspace(0.0, length, n + 1)))


def _nodes(
    section_parent: np.ndarray,
    first: np.ndarray,
    count: np.ndarray,
    length: np.ndarray,
    diam: np.ndarray,
    ra: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Parent and axial conductance (uS) of every solver node."""
    n = len(length)
    # Half a cylinder, in MOhm: ohm cm * um / um2 = 1e4 ohm = 0.01 MOhm.
    half = 0.01 * ra * (length / 2) / (np.pi * diam**2 / 4)
    parent = np.arange(-1, n - 1)
    resistance = half + half[parent]
    branch_parent: list[int] = []
    branch_resistance: list[float] = []
    branch_of: dict[int, int] = {}
    children = np.bincount(section_parent[1:], minlength=len(section_parent))
    for k in range(1, len(section_parent)):
        above, mine = section_parent[k], first[k]
        if above == 0:
            parent[mine], resistance[mine] = 0, half[mine]
            continue
        last = first[above] + count[above] - 1
        if children[above] == 1:
            parent[mine], resistance[mine] = last, half[last] + half[mine]
            continue
        if above not in branch_of:
            branch_of[above] = n + len(branch_parent)
            branch_parent.append(last)
            branch_resistance.append(half[last])
        parent[mine], resistance[mine] = branch_of[above], half[mine]
    node_parent = np.concatenate([parent, branch_parent]).astype(np.int32)
    conductance = 1.0 / np.concatenate([resistance, branch_resistance])
    conductance[0] = 0.0
    return node_parent, conductance
