"""The small cell on which files are tried: its mechanisms, protocols and events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ketune import mechanisms
from ketune.cell import Cell, Placement
from ketune.events import Events
from ketune.ions import ion_uses
from ketune.mechanisms import Mechanism
from ketune.verify_cases import DT_ms, bench_table

CLAMP = Path(mechanisms.__file__).parent / "bench" / "benchclamp.mod"
PROTOCOLS = ("current steps", "voltage clamp")
TRAINS = {"events of weight 0.002": 0.002, "events of weight 1": 1.0}


@dataclass(frozen=True, eq=False)
class Bench:
    """Some mechanisms on the small cell, and what happens to it in each lane."""

    of: tuple[int, ...]
    cell: Cell
    temperatures_degC: tuple[float, ...]
    protocols: tuple[str, ...]
    events: Events
    injected_nA: np.ndarray
    overrides: dict[tuple[str, str], np.ndarray]
    variables: tuple[tuple[str, str], ...]


def bench_of(
    group: tuple[int, ...], used: Sequence[Mechanism], duration_ms: float, temperatures_degC: Sequence[float]
) -> Bench:
    table = bench_table()
    everywhere = np.arange(table.n)
    leak = mechanisms.load("leak")
    clamp = mechanisms.load(CLAMP)
    n_steps = round(duration_ms / DT_ms)
    placements = []
    if all(m.name != "leak" for m in used):
        values = {"g": np.full(table.n, 1e-4), "e": np.full(table.n, -70.0)}
        placements.append(Placement("bench leak", leak, everywhere, values))
    heard: list[str] = []
    for mechanism in used:
        label = label_of(mechanism)
        # synapses on two compartments, and several on one where they do not share their states
        at = everywhere if mechanism.kind == "density" else np.array([0, table.n - 1])
        if mechanism.merging == "separate" and mechanism.kind == "point":
            at = np.array([0, 0, table.n - 1])
        values = {name: np.full(len(at), p.value) for name, p in mechanism.parameters.items()}
        placements.append(Placement(label, mechanism, at, values))
        if mechanism.merging != "none":
            heard.append(label)
    on = {name: np.full(1, p.value) for name, p in clamp.parameters.items()}
    on["period"][:] = max(20.0, duration_ms / 10.0)
    placements.append(Placement("bench clamp", clamp, np.array([0]), on))
    protocols = PROTOCOLS + (tuple(TRAINS) if heard else ())
    injected = np.zeros((n_steps, len(protocols)))
    injected[:, 0] = _current_steps(n_steps)
    injected[:, 2:] = 0.3 * _current_steps(n_steps)[:, None]
    cell = Cell(
        name=" + ".join(m.name for m in used),
        table=table,
        placements=tuple(placements),
        ports={"bench": tuple(heard)} if heard else {},
        reversal_mV={"ena": 55.0, "ek": -85.0},
        celsius=temperatures_degC[-1],
        v_init_mV=-68.0,
    )
    uses = ion_uses(cell)
    # Nernst potentials depend on the temperature as well
    warm = any("celsius" in m.inputs for m in used) or any(use.nernst_at.any() for use in uses)
    variables = [(label_of(m), name) for m in used for name in _accessible_states(m)]
    for use in uses:
        variables += [("ions", name) for name in sorted(use.varying)]
    variables += [(label_of(m), name) for m in used for name in _accessible_currents(m)]
    return Bench(
        of=group,
        cell=cell,
        temperatures_degC=tuple(temperatures_degC if warm else temperatures_degC[-1:]),
        protocols=protocols,
        events=_events(cell, protocols, n_steps),
        injected_nA=injected,
        overrides={("bench clamp", "on"): np.array([[float(p == PROTOCOLS[1]) for p in protocols]])},
        variables=tuple(variables),
    )


def label_of(mechanism: Mechanism) -> str:
    """Its name, but for one that would pass for the ions themselves."""
    return "mechanism ions" if mechanism.name == "ions" else mechanism.name


def _accessible_states(mechanism: Mechanism) -> list[str]:
    """States that NEURON can record: STATE variables, and others that the file declares RANGE."""
    return [x for x in mechanism.states if x not in mechanism.carried or x in mechanism.range_variables]


def _accessible_currents(mechanism: Mechanism) -> list[str]:
    """Currents that NEURON can record for a mechanism alone: those declared RANGE, unless it changes them later."""
    shown = mechanism.range_variables - {*mechanism.late_currents}
    return [x for x in mechanism.currents if x in shown]


def _current_steps(n_steps: int) -> np.ndarray:
    """Weak and strong, depolarising and hyperpolarising steps with pauses between them, in every 500 ms (nA)."""
    t = np.arange(n_steps) * DT_ms % 500.0
    steps = ((40, 120, 0.15), (160, 240, -0.15), (280, 300, 0.8), (340, 440, 0.4))
    return np.sum([current * ((t >= start) & (t < stop)) for start, stop, current in steps], axis=0)


def _events(cell: Cell, protocols: Sequence[str], n_steps: int) -> Events:
    """Three connections in each train: regular, in pairs, and irregular.

    Some events coincide, but for synapses with states of their own: NEURON does not say in which order it delivers
    events of one time to a synapse, and there it matters.
    """
    heard = [cell.placement(label).mechanism for label in cell.ports.get("bench", ())]
    ordered = any(mechanism.merging == "separate" for mechanism in heard)
    trains = [(lane, TRAINS[p]) for lane, p in enumerate(protocols) if p in TRAINS]
    if not trains:
        return Events.none(n_lanes=len(protocols), n_steps=n_steps, dt_ms=DT_ms)
    rng = np.random.default_rng(1)
    last = n_steps * DT_ms
    times = [
        np.arange(25.0, last, 50.0),
        np.concatenate([np.arange(60.0, last, 125.0), np.arange(64.0, last, 125.0)]),
        np.append(rng.uniform(10.0, last, max(1, round(last / 40.0))), np.arange(75.0, last, 200.0)),
    ]
    step, connection, weight, lanes, at = [], [], [], [], []
    for lane, scale in trains:
        taken = np.empty(0, int)
        for number, own in enumerate(times):
            steps = np.unique(np.round(own / DT_ms).astype(int))
            steps = steps[steps < n_steps]
            if ordered:
                steps = np.setdiff1d(steps, taken)
                taken = np.append(taken, steps)
            for compartment in (0, cell.table.n - 1):
                step.append(steps)
                connection.append(np.full(len(steps), number))
                weight.append(np.full(len(steps), scale * (1.0, 0.5, 2.0)[number]))
                lanes.append(np.full(len(steps), lane))
                at.append(np.full(len(steps), compartment))
    return Events.from_arrays(
        n_lanes=len(protocols),
        n_steps=n_steps,
        dt_ms=DT_ms,
        port_names=("bench",),
        step=np.concatenate(step),
        lane=np.concatenate(lanes),
        compartment=np.concatenate(at),
        port=np.zeros(sum(map(len, step)), int),
        weight=np.concatenate(weight),
        connection=np.concatenate(connection),
    )
