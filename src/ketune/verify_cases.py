"""What `ketune verify` simulates: every mechanism alone, and the spiking cell with its synapses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ketune import mechanisms
from ketune.afferents import Drive, Grating, hard_events, place_synapses
from ketune.cell import Cell, Overrides, Placement
from ketune.cell_model import build_cell
from ketune.compartments import CompartmentTable, build
from ketune.engines.schemes import Scheme, has_second_order
from ketune.events import Events
from ketune.ions import ion_uses
from ketune.morphology import DEFAULT_MORPHOLOGY, SMALL_MORPHOLOGY, Morphology, Section, read_morphology
from ketune.pharmacology import (
    DrugEffect,
    apply_effect,
    concentration,
    depth_below_pia,
    effect,
    load_drug,
    make_exposure,
)

DT_ms = 0.025
DRUG = "ketamine"
ROUTE = "topical"
DOSE = "10 mg/ml"
MINUTES = 30.0
SOMA_DEPTH_um = 300.0

_SEED = 1


@dataclass(frozen=True, eq=False)
class Case:
    """One cell and the conditions in which both engines simulate it, a lane of ``events`` each.

    Attributes
    ----------
    overrides
        Two-dimensional: the conditions' own parameters.
    injected_nA
        ``(n_steps,)`` into the soma, or None.
    synaptic
        Somatic and NMDA spikes are counted and required.
    temperatures_degC
        At which the case is simulated; a synaptic case has one.
    variables
        States and ion variables that are compared beside the voltages: ``(label, name)``.
    scheme
        See :mod:`ketune.engines.schemes`.
    """

    name: str
    cell: Cell
    conditions: tuple[str, ...]
    events: Events
    overrides: Overrides
    injected_nA: np.ndarray | None = None
    synaptic: bool = False
    temperatures_degC: tuple[float, ...] = (37.0,)
    variables: tuple[tuple[str, str], ...] = ()
    scheme: Scheme = "backward_euler"


def cases(duration_ms: float = 1000.0) -> Iterator[Case]:
    """All cases, built one at a time; in the second-order scheme those that have one, at one temperature.

    Parameters
    ----------
    duration_ms
        Simulated time; the counts that synaptic cases require hold for one second.
    """
    for name in mechanisms.names():
        yield mechanism_case(name, duration_ms)
    yield calcium_case(duration_ms)
    yield complete_case(duration_ms)
    for path in (SMALL_MORPHOLOGY, DEFAULT_MORPHOLOGY):
        yield spiking_case(path.stem, duration_ms)
    for name in mechanisms.names():
        case = mechanism_case(name, duration_ms)
        if has_second_order(case.cell):
            yield in_second_order(case)
    yield in_second_order(calcium_case(duration_ms))
    yield in_second_order(spiking_case(SMALL_MORPHOLOGY.stem, duration_ms))


def in_second_order(case: Case) -> Case:
    """The same case in the second-order scheme, at the last of its temperatures."""
    return replace(case, scheme="second_order", temperatures_degC=case.temperatures_degC[-1:])


# Values away from the defaults, so that no parameter is at a value where it does nothing; largest conductance first.
_ALONE: dict[str, dict[str, float]] = {
    "leak": {"g": 2e-4, "e": -60.0},
    "nav": {"gbar": 0.03, "vshift": -4.0, "block": 0.1},
    "kv": {"gbar": 0.01, "vshift": 3.0, "block": 0.1},
    "km": {"gbar": 1e-3},
    "ka": {"gbar": 0.01},
    "hcn1": {"gbar": 5e-4, "dv_ket": 1.0, "rho_ket": 0.05},
    "gabatonic": {"g": 1e-4, "e": -75.0, "gain": 1.2},
    "AMPA": {"gmax": 2e-3, "e": 3.0},
    "NMDA": {"gmax": 5e-4, "mg": 1.2, "block": 0.1},
    "GABAA": {"gmax": 3e-3, "e": -75.0},
    "cahva": {"gbar": 2e-3, "block": 0.1},
    "calva": {"gbar": 2e-3, "block": 0.1},
    "capool": {"decay": 80.0},
    "sk": {"gbar": 1e-2},
    "nap": {"gbar": 2e-4, "block": 0.1},
    "AMPA_STP": {"gmax": 4e-3, "e": 3.0, "U": 0.4, "tau_rec": 150.0, "tau_facil": 40.0},
    "NMDA_STP": {"gmax": 1e-3, "mg": 1.2, "U": 0.2, "tau_rec": 100.0, "tau_facil": 300.0},
    "GABAA_STP": {"gmax": 4e-3, "e": -75.0, "tau_rec": 200.0},
    "NMDA5": {"gmax": 2e-3, "ket": 3.0, "block0": 0.2},
    "NMDA10": {"gmax": 2e-2, "ket": 3.0, "block0": 0.2},
}
TEMPERATURES_degC = (6.3, 23.0, 37.0)


def bench_table() -> CompartmentTable:
    """A soma of 20 um with a dendrite of 150 um, an initial segment and an axon."""
    soma = Section(0, "soma", -1, np.array([[0.0, -10.0, 0.0], [0.0, 10.0, 0.0]]), np.full(2, 20.0))
    dendrite = Section(1, "apical", 0, np.array([[0.0, 10.0, 0.0], [0.0, 160.0, 0.0]]), np.array([3.0, 1.5]))
    morphology = Morphology("bench", Path("bench"), "", (soma, dendrite))
    return build(morphology, d_lambda=0.2)


# without calcium coming in these would do nothing
_COMPANIONS = {"capool": ("cahva",), "sk": ("cahva", "capool")}


def mechanism_case(name: str, duration_ms: float) -> Case:
    """A passive cell with one mechanism, whose conductance differs from compartment to compartment.

    Channels see current steps, synapses a train of events of various weights too; what calcium drives has a calcium
    channel (and a pool) beside it. A mechanism on which the drug acts
    is simulated with and without it.
    """
    mechanism = mechanisms.load(name)
    table = bench_table()
    values = {key: np.full(table.n, p.value) for key, p in mechanism.parameters.items()}
    values |= {key: np.full(table.n, value) for key, value in _ALONE.get(name, {}).items()}
    for conductance in [key for key in ("gbar", "gmax", "g") if key in values][:1]:
        values[conductance] *= np.linspace(1.0, 0.3, table.n)
    everywhere = np.arange(table.n)
    placements = [Placement(name, mechanism, everywhere, values)]
    if name != "leak":
        passive = {"g": np.full(table.n, 1e-4), "e": np.full(table.n, -70.0)}
        placements.insert(0, Placement("leak", mechanisms.load("leak"), everywhere, passive))
    placements += _channels({key: _CALCIUM[key] for key in _COMPANIONS.get(name, ())}, everywhere)
    point = mechanism.kind == "point"
    cell = Cell(
        name=name,
        table=table,
        placements=tuple(placements),
        ports={"train": (name,)} if point else {},
        reversal_mV={"ena": 60.0, "ek": -85.0},
        celsius=37.0,
        v_init_mV=-70.0,
    )
    n_steps = round(duration_ms / DT_ms)
    events = _train(table, n_steps) if point else Events.none(n_lanes=1, n_steps=n_steps, dt_ms=DT_ms)
    drugged, _ = apply_effect(cell, _drug_effect(table))
    acts = any(
        not np.array_equal(value, cell.placement(k[0]).parameters[k[1]]) for k, value in drugged.items()
    )
    conditions: dict[str, Overrides] = {"control": {}}
    if acts:
        conditions[DRUG] = drugged
    return Case(
        name=name,
        cell=cell,
        conditions=tuple(conditions),
        events=Events.stack([events] * len(conditions)),
        overrides=_by_lane(cell, list(conditions.values())),
        injected_nA=_current_steps(n_steps),
        temperatures_degC=TEMPERATURES_degC if _warm(mechanism) else (37.0,),
        variables=_states(cell),
    )


def _states(cell: Cell) -> tuple[tuple[str, str], ...]:
    """Every state of a cell's mechanisms, and its changing ion variables."""
    own = [(p.label, name) for p in cell.placements for name in p.mechanism.states]
    return (*own, *(("ions", name) for use in ion_uses(cell) for name in sorted(use.varying)))


def _warm(mechanism: mechanisms.Mechanism) -> bool:
    """Whether the temperature matters, to the kinetics or through an ion's concentrations."""
    concentrations = {name for ion in mechanism.ions for name in ion.concentrations}
    used = {*mechanism.inputs, *mechanism.ion_writes}
    return "celsius" in used or bool(concentrations & used)


_CALCIUM: dict[str, dict[str, float]] = {
    "cahva": {"gbar": 5e-4},
    "calva": {"gbar": 5e-4},
    "capool": {"gamma": 0.02, "decay": 80.0},
    "sk": {"gbar": 2e-3},
}


def calcium_case(duration_ms: float) -> Case:
    """The mechanisms that share calcium, on a passive cell: channels fill the pool, and it opens another."""
    table = bench_table()
    passive = {"g": np.full(table.n, 1e-4), "e": np.full(table.n, -70.0)}
    placements = [
        Placement("leak", mechanisms.load("leak"), np.arange(table.n), passive),
        *_channels(_CALCIUM, np.arange(table.n)),
    ]
    cell = Cell(
        name="calcium",
        table=table,
        placements=tuple(placements),
        ports={},
        reversal_mV={"ek": -85.0},
        celsius=37.0,
        v_init_mV=-70.0,
        concentration_mM={"cai": 1e-4, "cao": 2.0},
    )
    n_steps = round(duration_ms / DT_ms)
    return Case(
        name="calcium channels, pool and sk together",
        cell=cell,
        conditions=("control",),
        events=Events.none(n_lanes=1, n_steps=n_steps, dt_ms=DT_ms),
        overrides={},
        injected_nA=_current_steps(n_steps),
        temperatures_degC=TEMPERATURES_degC,
        variables=_states(cell),
    )


def _channels(values: dict[str, dict[str, float]], compartments: np.ndarray) -> list[Placement]:
    """Shipped mechanisms with the given parameters, labelled by their names."""
    found = []
    for name, own in values.items():
        mechanism = mechanisms.load(name)
        parameters = {
            key: np.full(len(compartments), own.get(key, p.value)) for key, p in mechanism.parameters.items()
        }
        found.append(Placement(name, mechanism, compartments, parameters))
    return found


# beside the default cell's own mechanisms, so small that the cell keeps firing
_BESIDE = {
    "cahva": {"gbar": 5e-5},
    "calva": {"gbar": 5e-5},
    "capool": {"gamma": 0.02},
    "sk": {"gbar": 2e-4},
    "nap": {"gbar": 2e-5},
}
_SYNAPSES_BESIDE = {
    "exc": {
        "AMPA_STP": {"gmax": 1e-4},
        "NMDA_STP": {"gmax": 1e-4},
        "NMDA5": {"gmax": 2e-4},
        "NMDA10": {"gmax": 1e-3},
    },
    "sst": {"GABAA_STP": {"gmax": 1e-4}},
}


def complete_case(duration_ms: float) -> Case:
    """The default cell with every shipped mechanism at once, firing to a grating and volleys, at three temperatures."""
    cell = build_cell()
    table = cell.table
    placements = [*cell.placements, *_channels(_BESIDE, np.arange(table.n))]
    ports = dict(cell.ports)
    for port, synapses in _SYNAPSES_BESIDE.items():
        placements += _channels(synapses, cell.placement(cell.ports[port][0]).compartments)
        ports[port] += tuple(synapses)
    cell = replace(
        cell,
        name="default cell with every mechanism",
        placements=tuple(placements),
        ports=ports,
        concentration_mM={"cai": 1e-4, "cao": 2.0},
    )
    layout = place_synapses(cell, seed=_SEED)
    warm_up = 0.1 * duration_ms
    grating = Grating((90.0,), window_ms=duration_ms - warm_up, warm_up_ms=warm_up)
    ongoing = hard_events(layout, grating, Drive(peak_rate_hz=3.0), trials=range(1), seed=_SEED, dt_ms=DT_ms)
    return Case(
        name=cell.name,
        cell=cell,
        conditions=("control",),
        events=_with_volleys(ongoing, _tips(table), 1.0),
        overrides={},
        temperatures_degC=TEMPERATURES_degC,
    )


def _train(table: CompartmentTable, n_steps: int) -> Events:
    """Events at 500 Hz over the whole cell, with weights from 0.2 to 2."""
    rng = np.random.default_rng(_SEED)
    n = round(0.5 * n_steps * DT_ms)
    return Events.from_arrays(
        n_lanes=1,
        n_steps=n_steps,
        dt_ms=DT_ms,
        port_names=("train",),
        step=rng.integers(n_steps, size=n),
        lane=np.zeros(n),
        compartment=rng.integers(table.n, size=n),
        port=np.zeros(n),
        weight=rng.integers(1, 11, size=n) / 5.0,
    )


def _current_steps(n_steps: int) -> np.ndarray:
    """Depolarising, hyperpolarising and strong steps with pauses between them, in every 500 ms (nA)."""
    t = np.arange(n_steps) * DT_ms % 500.0
    return 0.1 * ((t >= 50) & (t < 150)) - 0.1 * ((t >= 200) & (t < 300)) + 0.3 * ((t >= 350) & (t < 420))


@dataclass(frozen=True)
class _Input:
    """Synaptic input of a condition: rate of driven afferents, and weight of each event of a volley."""

    peak_rate_hz: float
    volley_weight: float


# By morphology and condition. At this dose 93 to 98 % of the NMDA conductance is blocked: the drugged cells get an
# input that would be unphysiological without the drug, because spikes and NMDA spikes are to be compared there too.
_INPUT = {
    ("cat_v1_l23_j8", "control"): _Input(2.0, 2.0),
    ("cat_v1_l23_j8", DRUG): _Input(4.0, 60.0),
    ("small_pyramidal", "control"): _Input(8.0, 2.0),
    ("small_pyramidal", DRUG): _Input(8.0, 60.0),
}
_N_SYNAPSES = {"cat_v1_l23_j8": {}, "small_pyramidal": {"n_pv": 20, "n_sst": 50}}


def spiking_case(morphology: str, duration_ms: float) -> Case:
    """The default cell's channels and synapses on a shipped morphology, driven by a grating and by volleys.

    Parameters
    ----------
    morphology
        File name without extension.
    """
    cell = build_cell(morphology=read_morphology(DEFAULT_MORPHOLOGY.with_name(f"{morphology}.swc")))
    layout = place_synapses(cell, seed=_SEED, **_N_SYNAPSES[morphology])
    drug = _drug_effect(cell.table)
    overrides, _ = apply_effect(cell, drug)
    conditions: dict[str, Overrides] = {"control": {}, DRUG: overrides}
    parts = []
    for condition in conditions:
        given = _INPUT[morphology, condition]
        drive = Drive(peak_rate_hz=given.peak_rate_hz)
        if condition != "control":
            drive = replace(drive, pv_drive=drug.pv_drive, sst_drive=drug.sst_drive)
        warm_up = 0.1 * duration_ms
        grating = Grating((90.0,), window_ms=duration_ms - warm_up, warm_up_ms=warm_up)
        ongoing = hard_events(layout, grating, drive, trials=range(1), seed=_SEED, dt_ms=DT_ms)
        parts.append(_with_volleys(ongoing, _tips(cell.table), given.volley_weight))
    return Case(
        name=f"spiking cell on {morphology}",
        cell=cell,
        conditions=tuple(conditions),
        events=Events.stack(parts),
        overrides=_by_lane(cell, list(conditions.values())),
        synaptic=True,
    )


def _tips(table: CompartmentTable) -> np.ndarray:
    """Last compartments of the dendrites' ends that lie more than 80 um out."""
    is_parent = np.zeros(table.n_nodes, bool)
    is_parent[table.node_parent[1:]] = True
    dendrite = np.isin(table.region, ("basal", "apical"))
    return np.flatnonzero(dendrite & ~is_parent[: table.n] & (table.path_um > 80.0))


def _with_volleys(events: Events, tips: np.ndarray, weight: float) -> Events:
    """Excitatory volleys added: ten events within 4 ms on one tip, another tip every 55 ms."""
    spacing, first, within = (round(ms / DT_ms) for ms in (55.0, 60.0, 0.4))
    start = np.arange(first, events.n_steps - 10 * within, spacing)
    step = (start[:, None] + np.arange(10) * within).ravel()
    at = tips[np.linspace(0, len(tips), len(start), endpoint=False).astype(int)]
    port = events.port_names.index("exc")
    return Events.from_arrays(
        n_lanes=1,
        n_steps=events.n_steps,
        dt_ms=events.dt_ms,
        port_names=events.port_names,
        step=np.concatenate([events.step, step]),
        lane=np.zeros(len(events.step) + len(step)),
        compartment=np.concatenate([events.compartment, np.repeat(at, 10)]),
        port=np.concatenate([events.port, np.full(len(step), port)]),
        weight=np.concatenate([events.weight, np.full(len(step), weight)]),
        connection=None if events.connection is None else _with_own(events.connection, len(step)),
    )


def _with_own(connection: np.ndarray, n: int) -> np.ndarray:
    """The connections' numbers, and one more for the volleys."""
    return np.append(connection, np.full(n, connection.max(initial=0) + 1))


def _drug_effect(table: CompartmentTable) -> DrugEffect:
    """The drugged condition's effect on every compartment."""
    drug = load_drug(DRUG)
    height = table.xyz_um[:, 1]
    depth = depth_below_pia(height, height[0], SOMA_DEPTH_um)
    free = concentration(make_exposure(drug, ROUTE, DOSE), depth, [MINUTES])[0]
    return effect(drug, free, time_min=MINUTES)


def _by_lane(cell: Cell, conditions: Sequence[Overrides]) -> Overrides:
    """Overrides ``(k, lanes)`` from those of each lane; where a lane has none, the cell's own value."""
    keys = sorted({key for overrides in conditions for key in overrides})
    return {
        key: np.stack(
            [overrides.get(key, cell.placement(key[0]).parameters[key[1]]) for overrides in conditions],
            axis=1,
        )
        for key in keys
    }
