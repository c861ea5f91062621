"""From what a user asks of `ketune apply` to the drugs that a neuron meets and the times at which it is looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ketune import pharmacology, units
from ketune.cell import Cell
from ketune.errors import InputError
from ketune.pharmacology import Administration, AssayPosterior, Baseline, Dosing, Drug, Look, Protocol

# How long after the last dose `--at auto` looks for its phases.
_HORIZON_MIN = 8 * 60.0
_AMOUNT = re.compile(r"^(?P<name>.*?\S)\s+(?P<amount>[-+]?[\d.].*)$")


@dataclass(frozen=True)
class DrugRequest:
    """What `ketune apply` was asked for, as text; see its options.

    Attributes
    ----------
    drug, route, dose, at
        The simple form; ``protocol`` replaces it.
    settings
        ``NAME=VALUE``, with units: numbers of the drug in place of its own.
    targets, without
        Names separated by commas: what the drug may act on, what it may not.
    baseline
        ``DRUG AMOUNT`` each: drugs that were there all the time.
    baseline_added
        Whether the baseline comes on top of the fit instead of being in the recording already.
    assay
        The user's measurements of block, whose fit replaces numbers of the drug.
    """

    drug: str = "ketamine"
    route: str = "topical"
    dose: str | None = None
    at: tuple[str, ...] = ()
    protocol: Path | None = None
    table: Path | None = None
    every: str | None = None
    n_doses: int = 1
    as_base: bool = False
    remove: str | None = None
    soma_depth: str | None = None
    lateral_distance: str | None = None
    block_model: str = "equilibrium"
    settings: tuple[str, ...] = ()
    targets: str | None = None
    without: str | None = None
    baseline: tuple[str, ...] = ()
    baseline_added: bool = False
    dopamine: bool = False
    assay: Path | None = None


@dataclass(frozen=True, eq=False)
class Prepared:
    """A request that has been checked.

    Attributes
    ----------
    dosing
        What the neuron meets.
    looks
        When it is looked at, with ``times_min`` and ``labels`` in the same order.
    phases
        Of each look: wash-in, steady, ...
    soma_depth_um
        Below the pia.
    route, dose
        Words for results.
    protocol
        What was asked for, with the folder of its tables.
    assays
        Fits to the user's own measurements.
    """

    dosing: Dosing
    looks: tuple[Look, ...]
    times_min: tuple[float, ...]
    labels: tuple[str, ...]
    phases: tuple[str, ...]
    soma_depth_um: float
    route: str
    dose: str
    protocol: Protocol
    folder: Path
    assays: tuple[AssayPosterior, ...] = ()

    @property
    def drug(self) -> Drug:
        """The drug that results are named after."""
        return self.dosing.drug

    def numbers(self) -> dict[str, float]:
        """The drug's numbers as they were used."""
        return self.drug.values(self.dosing.overrides.get(self.drug.name))


def prepare(request: DrugRequest, cell: Cell) -> Prepared:
    """Check a request against the drug's data and the cell.

    Raises
    ------
    InputError
        Anything in it that cannot be used, with the option it came from.
    """
    protocol, folder = _protocol(request)
    drug, assays = _with_assay(pharmacology.load_drug(protocol.dose[0].drug), request)
    overrides = _settings(request, drug)
    soma_depth = (
        drug.values(overrides)["topical.soma_depth"]
        if request.soma_depth is None
        else units.parse(request.soma_depth, "um", "--soma-depth")
    )
    overrides.setdefault("focal.depth", soma_depth)  # a pipette is at the neuron unless told otherwise
    xyz = cell.table.xyz_um
    depth = pharmacology.depth_below_pia(xyz[:, 1], xyz[0, 1], soma_depth)
    by_drug = {drug.name: overrides}
    with _named(request.protocol):
        administrations = protocol.administrations(by_drug, folder, {drug.name: drug})
    dosing = Dosing(
        administrations=administrations,
        depth_um=depth,
        baseline=tuple(_baseline(text) for text in request.baseline),
        baseline_recorded=not request.baseline_added,
        targets=_targets(request, administrations, cell),
        block_model=request.block_model,
        overrides=by_drug,
        apical=cell.table.region == "apical" if request.dopamine else None,
    )
    with _named(request.protocol):
        looks, times = _looks(protocol, dosing, "" if request.protocol is not None else "--at")
    course_min, course_uM = _course(dosing, max(times))
    return Prepared(
        dosing=dosing,
        looks=looks,
        times_min=tuple(times),
        labels=_labels(looks, times),
        phases=tuple(pharmacology.phases(times, course_min, course_uM)),
        soma_depth_um=soma_depth,
        route=protocol.name or " + ".join(dict.fromkeys(d.route for d in protocol.dose)),
        dose=" + ".join(_dose_text(d.dose, d.every, d.n_doses) for d in protocol.dose),
        protocol=protocol,
        folder=folder,
        assays=assays,
    )


@contextmanager
def _named(file: Path | None) -> Iterator[None]:
    """Puts the file's name before what is wrong in it."""
    try:
        yield
    except InputError as error:
        raise (error if file is None else InputError(f"{file}: {error}")) from None


def _with_assay(drug: Drug, request: DrugRequest) -> tuple[Drug, tuple[AssayPosterior, ...]]:
    """The drug with the user's own measurements in it."""
    if request.assay is None:
        return drug, ()
    assay = pharmacology.read_assay(request.assay, drug, as_base=request.as_base)
    targets = assay.targets(drug)
    if not targets:
        raise InputError(f"{request.assay}: no rows of {drug.name}; it has {', '.join(assay.drugs())}")
    found = tuple(pharmacology.fit_assay(assay, target, drug) for target in targets)
    return pharmacology.drug_with_assay(drug, found), found


def _dose_text(dose: str | None, every: str | None, n: int) -> str:
    text = dose or "table"
    return text if n == 1 else f"{n} x {text} every {every}"


def _protocol(request: DrugRequest) -> tuple[Protocol, Path]:
    if request.protocol is not None:
        if request.dose is not None or request.at:
            raise InputError("--protocol: says what is given and when; leave out --dose and --at")
        return pharmacology.read_protocol(request.protocol), request.protocol.parent
    if request.dose is None and request.table is None:
        raise InputError(
            "--dose: say how much, such as '10 mg/ml' on the cortex, '30 mg/kg' injected, '5 uM' in a bath"
        )
    if not request.at:
        raise InputError("--at: give at least one time, such as '30 min', or 'auto' for one in each phase")
    dose = pharmacology.Dose(
        drug=request.drug,
        route=request.route if request.table is None else "table",
        dose=request.dose,
        remove=request.remove,
        every=request.every,
        n_doses=request.n_doses,
        as_base=request.as_base,
        table=None if request.table is None else str(Path(request.table).resolve()),
    )
    return Protocol(dose=(dose,), look=tuple(Look(at=at) for at in request.at)), Path()


def _settings(request: DrugRequest, drug: Drug) -> dict[str, float]:
    found = pharmacology.read_settings(drug, request.settings)
    if request.lateral_distance is not None:
        place = "focal" if request.route.startswith("focal") else "topical"
        found[f"{place}.lateral_distance"] = units.parse(
            request.lateral_distance, "um", "--lateral-distance", signed=place == "topical"
        )
    return found


def _baseline(text: str) -> Baseline:
    match = _AMOUNT.match(text.strip())
    if match is None:
        raise InputError(f"--baseline '{text}': write a drug and a concentration, such as 'ketamine 1 uM'")
    drug = pharmacology.load_drug(match["name"])
    salt = drug.values().get("molar_mass.salt", drug.values().get("molar_mass.base"))
    return Baseline(drug, units.parse_concentration(match["amount"], salt, f"--baseline {match['name']}"))


def _targets(
    request: DrugRequest, administrations: Sequence[Administration], cell: Cell
) -> frozenset[str] | None:
    if request.targets is None and request.without is None:
        return None
    acts = frozenset[str]().union(*(a.drug.targets for a in administrations))
    chosen = acts
    if request.targets is not None:
        chosen = _names(request.targets, "--targets", acts)
        if missing := sorted(chosen - pharmacology.targets_of(cell)):
            has = ", ".join(sorted(acts & pharmacology.targets_of(cell)))
            raise InputError(f"--targets: the cell '{cell.name}' has no {missing[0]}; it has {has}")
    if request.without is not None:
        chosen = chosen - _names(request.without, "--without", acts)
    if not chosen:
        raise InputError("--targets, --without: nothing is left for the drug to act on")
    return chosen


def _names(text: str, option: str, known: frozenset[str]) -> frozenset[str]:
    names = frozenset(name.strip().lower() for name in text.split(",") if name.strip())
    if unknown := sorted(names - pharmacology.TARGETS):
        raise InputError(
            f"{option}: unknown target '{unknown[0]}'; known: {', '.join(sorted(pharmacology.TARGETS))}"
        )
    if idle := sorted(names - known):
        raise InputError(
            f"{option}: the drug is not known to act on {idle[0]}; it acts on {', '.join(sorted(known))}"
        )
    return names


def _looks(protocol: Protocol, dosing: Dosing, option: str) -> tuple[tuple[Look, ...], list[float]]:
    """The looks with their times; ``auto`` becomes one in each phase of the course at the soma."""
    if [look.at for look in protocol.look] != ["auto"]:
        return protocol.look, protocol.times_min(option)
    found = pharmacology.phase_times(*_course(dosing, _longest(dosing)))
    looks = tuple(
        protocol.look[0].model_copy(update={"at": f"{t:.3g} min", "name": name}) for name, t in found.items()
    )
    return looks, list(found.values())


def _longest(dosing: Dosing) -> float:
    """Minutes after which nothing more is looked for."""
    return max(a.start_min for a in dosing.administrations) + _HORIZON_MIN


def _course(dosing: Dosing, last_min: float) -> tuple[np.ndarray, np.ndarray]:
    """Concentration of the main drug at the soma, on times that are dense at the beginning of every dose."""
    first = min(a.start_min for a in dosing.administrations)
    span = max(last_min - first, 1.0)
    times = first + np.concatenate([[-1e-3, 1e-3], np.geomspace(0.05, span, 100)])
    soma = replace(dosing, depth_um=dosing.depth_um[:1], apical=None)
    return times, soma.given(times)[dosing.drug.name][1][:, 0]


def _labels(looks: Sequence[Look], times: Sequence[float]) -> tuple[str, ...]:
    labels = [look.name or f"{t:g} min" for look, t in zip(looks, times, strict=True)]
    if twice := sorted({x for x in labels if labels.count(x) > 1} | ({"before"} & set(labels))):
        raise InputError(f"look '{twice[0]}': give every look a name of its own, other than 'before'")
    return tuple(labels)
