"""Morphologies: SWC and ASC files, read through MorphIO into the sections of a compartment table."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ketune.errors import InputError

DEFAULT_MORPHOLOGY = Path(__file__).parent / "data" / "morphologies" / "cat_v1_l23_j8.swc"
SMALL_MORPHOLOGY = DEFAULT_MORPHOLOGY.with_name("small_pyramidal.swc")
"""An invented cell with few branches, for tests and verification."""

# The SWC type codes that have a meaning here; everything else is refused rather than guessed.
REGION_OF_TYPE = {1: "soma", 2: "axon", 3: "basal", 4: "apical"}


@dataclass(frozen=True, eq=False)
class Section:
    """An unbranched piece of neurite, or the soma.

    Attributes
    ----------
    index
        position in `Morphology.sections`.
    region
        "soma", "axon", "basal" or "apical".
    parent
        index of the section whose far end this one starts at (stems: the soma, 0); -1 for the soma.
    xyz_um
        points of the centre line, proximal to distal, shape (n, 3); no two neighbours coincide.
    diam_um
        diameter at each point, shape (n,).
    """

    index: int
    region: str
    parent: int
    xyz_um: np.ndarray
    diam_um: np.ndarray

    @property
    def arc_um(self) -> np.ndarray:
        """Distance of each point from the section's start along the centre line, shape (n,)."""
        return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(self.xyz_um, axis=0), axis=1))])

    @property
    def length_um(self) -> float:
        return float(self.arc_um[-1])

    @property
    def area_um2(self) -> float:
        """Lateral area of the section's chain of conical frusta."""
        return float(self.lateral_area_um2(self.arc_um[-1:])[0])

    def lateral_area_um2(self, at_um: np.ndarray) -> np.ndarray:
        """Lateral area between the section's start and each arc length in `at_um` (same shape).

        The diameter is linear between points, so within a frustum the area grows as
        pi*d(s)*sqrt(1 + (d'/2)^2).
        """
        arc = self.arc_um
        height = np.diff(arc)
        taper = np.diff(self.diam_um) / height
        slant = np.sqrt(1.0 + (0.5 * taper) ** 2)
        whole = np.pi * 0.5 * (self.diam_um[:-1] + self.diam_um[1:]) * slant * height
        before = np.concatenate([[0.0], np.cumsum(whole)])
        k = np.clip(np.searchsorted(arc, at_um, side="right") - 1, 0, len(height) - 1)
        t = np.clip(at_um - arc[k], 0.0, height[k])
        return before[k] + np.pi * slant[k] * t * (self.diam_um[k] + 0.5 * taper[k] * t)

    def position_um(self, at_um: np.ndarray) -> np.ndarray:
        """Point of the centre line at each arc length in `at_um`, shape (len(at_um), 3)."""
        return np.stack([np.interp(at_um, self.arc_um, axis) for axis in self.xyz_um.T], axis=1)


@dataclass(frozen=True, eq=False)
class Morphology:
    """A neuron's tree of sections.

    Attributes
    ----------
    name
        the file's name without its extension.
    path
        where it was read from.
    sha256
        of the file's bytes.
    sections
        the soma first, parents before children (depth first).
    """

    name: str
    path: Path
    sha256: str
    sections: tuple[Section, ...]


def default_morphology() -> Morphology:
    """The shipped cat V1 layer 2/3 pyramidal cell (attribution in data/morphologies/SOURCES.md)."""
    return read_morphology(DEFAULT_MORPHOLOGY)


def shipped_morphologies() -> dict[str, Path]:
    """Files of the shipped morphologies by name."""
    return {path.stem: path for path in sorted(DEFAULT_MORPHOLOGY.parent.glob("*.swc"))}


def read_morphology(path: str | Path) -> Morphology:
    """Read an SWC or Neurolucida ASC file.

    The soma becomes one cylinder with length = diameter and the soma's surface (a contour soma: the sphere
    with the contour's mean radius). Sections without length carry neither membrane nor resistance and are
    contracted.

    Raises
    ------
    InputError
        Unreadable file, unknown format, missing parents, several roots, no soma, no dendrite, points
        that cannot be a neurite.
    """
    path = Path(path)
    if path.suffix.lower() not in (".swc", ".asc"):
        raise InputError(f"{path}: unknown morphology format '{path.suffix}'; give an .swc or .asc file")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot read the morphology: {error.strerror or error}") from None
    if not raw.strip():
        raise InputError(f"{path}: the file is empty; give a morphology in SWC or ASC format")
    if path.suffix.lower() == ".swc":
        _check_swc(path, raw.decode("utf-8", errors="replace"))
    tree = _read_with_morphio(path)
    sections = _sections(path, tree)
    if not any(s.region in ("basal", "apical") for s in sections):
        raise InputError(f"{path}: no dendrite; give at least one branch of type 3 (basal) or 4 (apical)")
    return Morphology(path.stem, path, hashlib.sha256(raw).hexdigest(), tuple(sections))


def _check_swc(path: Path, text: str) -> None:
    """Refuse what MorphIO lets pass or explains badly, naming the line."""
    parent_of: dict[int, int] = {}
    line_of: dict[int, int] = {}
    roots: list[int] = []
    has_soma = False
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.split("#", 1)[0].split()
        if not fields:
            continue
        where = f"{path}:{number}"
        try:
            identity, kind, *xyzr = int(fields[0]), int(fields[1]), *map(float, fields[2:6])
            parent = int(fields[6])
        except (ValueError, IndexError):
            raise InputError(f"{where}: not an SWC sample; expected 'id type x y z radius parent'") from None
        if not np.all(np.isfinite(xyzr)):
            raise InputError(f"{where}: sample {identity} has a coordinate or radius that is not finite")
        if xyzr[3] <= 0:
            raise InputError(f"{where}: sample {identity} has radius {xyzr[3]:g}; radii must be above 0 um")
        if kind not in REGION_OF_TYPE:
            raise InputError(
                f"{where}: sample {identity} has type {kind}; retag it as 1 soma, 2 axon, 3 basal or 4 apical"
            )
        if identity in parent_of:
            raise InputError(f"{where}: sample {identity} appears twice (first on line {line_of[identity]})")
        parent_of[identity], line_of[identity] = parent, number
        has_soma |= kind == 1
        if parent < 0:
            roots.append(identity)
    if not parent_of:
        raise InputError(f"{path}: no samples; expected SWC lines 'id type x y z radius parent'")
    for identity, parent in parent_of.items():
        if parent >= 0 and parent not in parent_of:
            raise InputError(
                f"{path}:{line_of[identity]}: sample {identity} names parent {parent}, which is missing; "
                "restore that sample or mend the parent"
            )
    if not has_soma:
        raise InputError(f"{path}: no soma; the root sample must have type 1")
    if len(roots) > 1:
        raise InputError(
            f"{path}:{line_of[roots[1]]}: several roots (samples {', '.join(map(str, roots[:5]))}); "
            "only the soma may have parent -1, connect the other trees to it"
        )
    # Children before parents is legal SWC, so walk up; what never meets the root sits on a loop.
    reached = set(roots)
    for identity in parent_of:
        trail: list[int] = []
        walker = identity
        while walker not in reached:
            if len(trail) > len(parent_of):
                raise InputError(
                    f"{path}:{line_of[identity]}: sample {identity} is on or behind a loop of parents; "
                    "every sample must lead back to the soma"
                )
            trail.append(walker)
            walker = parent_of[walker]
        reached.update(trail)


def _read_with_morphio(path: Path) -> Any:
    import morphio

    try:
        # A collector takes the warnings that MorphIO would otherwise print.
        return morphio.Morphology(
            str(path),
            morphio.Option.allow_unifurcated_section_change,
            warning_handler=morphio.WarningHandlerCollector(),
        )
    except morphio.MorphioError as error:
        # MorphIO colours its messages and spreads them over lines, the place first: "file:line:error".
        message = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split())
        message = re.sub(rf"^{re.escape(str(path))}:(\d+):error ", r"line \1: ", message)
        raise InputError(
            f"{path}: not a readable morphology: {message}; export it again as SWC or ASC"
        ) from None


def _sections(path: Path, tree: Any) -> list[Section]:
    soma = _soma(path, tree.soma)
    sections = [soma]
    index_of: dict[int, int] = {}
    for source in tree.iter():
        region = REGION_OF_TYPE.get(int(source.type))
        if region is None or region == "soma":
            raise InputError(
                f"{path}: a branch near {_place(source.points[0])} has type {source.type.name}; "
                "retag it as axon, basal or apical dendrite"
            )
        parent = 0 if source.is_root else index_of[source.parent.id]
        if region != "axon" and sections[parent].region == "axon":
            raise InputError(
                f"{path}: a dendrite branches off the axon near {_place(source.points[0])}; "
                "the traced axon is replaced, so retag that stretch of axon as dendrite"
            )
        xyz = np.asarray(source.points, dtype=np.float64)
        diam = np.asarray(source.diameters, dtype=np.float64)
        if not (np.all(np.isfinite(xyz)) and np.all(np.isfinite(diam)) and np.all(diam > 0)):
            raise InputError(
                f"{path}: a branch near {_place(xyz[0])} has a diameter that is not above 0 um "
                "or a coordinate that is not finite"
            )
        if source.is_root and len(xyz) == 1:
            xyz, diam = _reach_soma(soma, xyz, diam)
        moved = np.concatenate([[True], np.linalg.norm(np.diff(xyz, axis=0), axis=1) > 0])
        if moved.sum() < 2:
            index_of[source.id] = parent
            continue
        index_of[source.id] = len(sections)
        sections.append(Section(len(sections), region, parent, xyz[moved], diam[moved]))
    return sections


def _reach_soma(soma: Section, xyz: np.ndarray, diam: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Let a stem of one point start at the soma's surface, or at the centre if its point lies inside."""
    centre, radius = soma.xyz_um.mean(axis=0), soma.diam_um[0] / 2
    away = xyz[0] - centre
    distance = np.linalg.norm(away)
    start = centre + away * (radius / distance) if distance > radius else centre
    return np.stack([start, xyz[0]]), np.repeat(diam, 2)


def _soma(path: Path, soma: Any) -> Section:
    import morphio

    points = np.asarray(soma.points, dtype=np.float64)
    if len(points) == 0:
        raise InputError(f"{path}: no soma; the file must contain a cell body (SWC type 1, ASC 'CellBody')")
    centre = points.mean(axis=0)
    try:
        diam = float(np.sqrt(soma.surface / np.pi))
    except morphio.MorphioError:
        # A contour has no surface in MorphIO.
        diam = 2.0 * float(np.linalg.norm(points - centre, axis=1).mean())
    if not (np.isfinite(diam) and diam > 0):
        raise InputError(f"{path}: the soma has no extent; give it a radius above 0 um")
    half = np.array([0.0, diam / 2, 0.0])
    return Section(0, "soma", -1, np.stack([centre - half, centre + half]), np.array([diam, diam]))


def _place(point: np.ndarray) -> str:
    return "({:.1f}, {:.1f}, {:.1f}) um".format(*map(float, point))
