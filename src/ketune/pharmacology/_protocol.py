"""A protocol: what is given when, and when the neuron is looked at with which stimuli; read from TOML and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ketune import _toml
from ketune.errors import InputError
from ketune.pharmacology._administer import make_exposure
from ketune.pharmacology._drug import Drug, load_drug
from ketune.pharmacology._mixture import Administration
from ketune.units import parse


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Dose(_Strict):
    """One administration, repeated if so wished.

    ``remove`` is when a paper is taken off and the surface rinsed; ``set`` replaces numbers of the drug.
    """

    route: str
    dose: str | None = None
    drug: str = "ketamine"
    at: str = "0 min"
    remove: str | None = None
    every: str | None = None
    n_doses: Annotated[int, Field(ge=1)] = 1
    as_base: bool = False
    table: str | None = None
    set: dict[str, float] = {}


class Look(_Strict):
    """A time at which tuning is measured: with the recorded stimuli, or with others."""

    at: str
    name: str = ""
    trials: Annotated[int, Field(ge=2)] | None = None
    orientation_deg: tuple[float, ...] | None = None
    contrast: Annotated[float, Field(gt=0, le=1)] | None = None


class Protocol(_Strict):
    """Doses and looks; a look before every dose is not needed, since the control is always measured."""

    name: str = ""
    dose: tuple[Dose, ...]
    look: tuple[Look, ...]

    @model_validator(mode="after")
    def _not_empty(self) -> Protocol:
        if not self.dose or not self.look:
            raise ValueError("a protocol needs at least one [[dose]] and one [[look]]")
        return self

    def administrations(
        self,
        overrides: Mapping[str, Mapping[str, float]],
        folder: Path,
        drugs: Mapping[str, Drug] | None = None,
    ) -> tuple[Administration, ...]:
        """The doses with their exposures.

        Parameters
        ----------
        overrides
            Numbers of a drug by its name, under those that a dose sets.
        folder
            Where tables with relative paths lie.
        drugs
            Drugs in place of those that are loaded, by name.

        Raises
        ------
        InputError
            A drug, route, dose or number cannot be used, or two papers would lie on the cortex at once.
        """
        found = []
        papers: list[tuple[float, float]] = []
        for i, entry in enumerate(self.dose, start=1):
            drug = load_drug(entry.drug)
            drug = (drugs or {}).get(drug.name, drug)
            numbers = {**overrides.get(drug.name, {}), **entry.set}
            if entry.remove is not None:
                numbers["topical.paper_minutes"] = parse(entry.remove, "min", f"dose {i}: remove") - _start(
                    entry, i
                )
            exposure = make_exposure(
                drug,
                entry.route,
                entry.dose,
                as_base=entry.as_base,
                overrides=numbers,
                table=None if entry.table is None else folder / entry.table,
                every=entry.every,
                n_doses=entry.n_doses,
            )
            start = _start(entry, i)
            if entry.route.startswith("topical"):
                papers.append((start, start + drug.values(numbers)["topical.paper_minutes"]))
            found.append(Administration(drug, exposure, start))
        for (_, end), (begin, _) in zip(sorted(papers), sorted(papers)[1:], strict=False):
            if begin < end:
                raise InputError(
                    f"dose: a second paper is laid at {begin:g} min while the first lies until {end:g} min; "
                    "set remove = of the first, or a later at ="
                )
        return tuple(found)

    def times_min(self, what: str = "") -> list[float]:
        """When the neuron is looked at; ``what`` opens error messages in place of the number of the look.

        Raises
        ------
        InputError
            Not a time, or not in increasing order.
        """
        times = [
            parse(look.at, "min", what or f"look {i}: at", signed=True)
            for i, look in enumerate(self.look, start=1)
        ]
        check_increasing(times, [look.at for look in self.look], what or "look: at")
        return times


def check_increasing(times_min: Sequence[float], texts: Sequence[str], what: str) -> None:
    """Raise InputError, in one line, where a time does not come after the one before."""
    for before, after, a, b in zip(times_min, times_min[1:], texts, texts[1:], strict=False):
        if not after > before:
            raise InputError(f"{what} '{b}' does not come after '{a}'; give the times in increasing order")


def _start(entry: Dose, i: int) -> float:
    return parse(entry.at, "min", f"dose {i}: at", signed=True)


def read_protocol(path: str | Path) -> Protocol:
    """Read a protocol file.

    Raises
    ------
    InputError
        Not readable, no TOML, or a key is missing, unknown or out of range.
    """
    content = _toml.read(path, "protocol")
    with _toml.checking(path):
        return Protocol.model_validate(content)


PHASES = ("control", "wash-in", "steady", "wash-out", "recovery")
_STEADY, _GONE = 0.9, 0.05


def phases(times_min: Sequence[float], course_min: np.ndarray, course_uM: np.ndarray) -> list[str]:
    """Which phase each time falls into, from the course of concentration at the soma.

    Steady is at 90 % of the largest concentration and more, recovery at 5 % and less after it; before the drug
    arrives it is control.
    """
    largest = float(np.max(course_uM, initial=0.0))
    top = float(course_min[int(np.argmax(course_uM))])
    found = []
    for t in times_min:
        c = float(np.interp(t, course_min, course_uM))
        if largest <= 0 or (c <= 0 and t <= top):
            found.append("control")
        elif c >= _STEADY * largest:
            found.append("steady")
        elif t < top:
            found.append("wash-in")
        else:
            found.append("recovery" if c <= _GONE * largest else "wash-out")
    return found


def phase_times(course_min: np.ndarray, course_uM: np.ndarray) -> dict[str, float]:
    """A time for each phase: half-way up, at the top, half-way down, and at 5 % again where the course gets there."""
    largest, top = float(course_uM.max(initial=0.0)), int(np.argmax(course_uM))
    if largest <= 0:
        raise InputError("no drug reaches the soma, so no phase can be found; give times with --at")
    up, down = course_uM[: top + 1], course_uM[top:]
    found: dict[str, float] = {}
    if top > 0 and np.any(up < 0.5 * largest):
        found["wash-in"] = float(np.interp(0.5 * largest, up, course_min[: top + 1]))
    found["steady"] = float(course_min[top])
    for name, share in (("wash-out", 0.5), ("recovery", _GONE)):
        below = np.flatnonzero(down <= share * largest)
        if len(below):
            found[name] = float(course_min[top + below[0]])
    return found
