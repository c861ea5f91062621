"""What is timed: a cell with its input, described by a few numbers, so that every process can build the same.

W1 is a spiking soma with passive dendrites and current steps, which every simulator here can run. W2 is the default
cell with all its channels and synapses, driven by the afferents of a grating.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ketune import compartments, mechanisms
from ketune.afferents import Drive, Grating, hard_events, place_synapses
from ketune.cell import Cell, Placement
from ketune.cell_model import build_cell, default_model
from ketune.events import Events
from ketune.morphology import DEFAULT_MORPHOLOGY, read_morphology

Name = Literal["W1", "W2"]
NAMES: tuple[Name, ...] = ("W1", "W2")
DESCRIPTIONS: Mapping[Name, str] = {
    "W1": "spiking soma, passive dendrites, current steps",
    "W2": "default cell, all channels and synapses",
}
SOMA_MOD = Path(__file__).parent / "mod" / "hhsoma.mod"

# Hodgkin and Huxley's rest and temperature; the passive dendrites rest there too.
_REST_mV = -65.0
_SQUID_CELSIUS = 6.3
# Six times the squid's densities: at once the squid's the soma cannot charge the dendrites and fires no spike.
_SOMA_TIMES_SQUID = 6.0
_DENDRITE_LEAK_S_cm2 = 1e-4
_CURRENT_nA = (0.8, 2.0)

_SYNAPSE_EVENTS_PER_s = 5000.0
_SEED = 1


@dataclass(frozen=True)
class Tree:
    """A morphology and how finely it is cut; `CompartmentTable.sha256` of `table` is the same for all contenders."""

    morphology: Path = DEFAULT_MORPHOLOGY
    d_lambda: float = compartments.DEFAULT_D_LAMBDA

    def table(self) -> compartments.CompartmentTable:
        """Its compartments, with the default cell's cable properties."""
        model = default_model()
        return compartments.build(
            read_morphology(self.morphology),
            d_lambda=self.d_lambda,
            ra_ohm_cm=model.ra_ohm_cm,
            cm_uF_cm2=model.cm_uF_cm2,
        )


@dataclass(frozen=True)
class Workload:
    """What to simulate.

    Attributes
    ----------
    lanes
        Independent simulations: amplitudes of the current step (W1), trials (W2).
    synapses
        W2: so many excitatory synapses, uniform over the dendrites, share one total event rate. None: the default
        placement and its grating.
    """

    name: Name
    lanes: int
    window_ms: float
    dt_ms: float = 0.025
    tree: Tree = Tree()
    synapses: int | None = None

    @property
    def n_steps(self) -> int:
        return round(self.window_ms / self.dt_ms)

    @property
    def simulated_s(self) -> float:
        """Summed over lanes."""
        return self.lanes * self.n_steps * self.dt_ms * 1e-3


@dataclass(frozen=True, eq=False)
class Work:
    """A workload as engines take it; ``injected_nA`` is ``(n_steps, lanes)`` or None."""

    cell: Cell
    events: Events
    injected_nA: np.ndarray | None

    def first_lanes(self, n: int) -> Work:
        """The first so many of its lanes."""
        current = None if self.injected_nA is None else self.injected_nA[:, :n]
        return Work(self.cell, self.events.select(list(range(n))), current)


def build(workload: Workload) -> Work:
    """The cell and its input."""
    if workload.name == "W1":
        return Work(spiking_soma(workload), _no_events(workload), current_steps(workload))
    cell = build_cell(morphology=read_morphology(workload.tree.morphology), d_lambda=workload.tree.d_lambda)
    events = _grating(cell, workload) if workload.synapses is None else _few_synapses(cell, workload)
    return Work(cell, events, None)


def spiking_soma(workload: Workload) -> Cell:
    """Hodgkin-Huxley channels on the soma, leak everywhere else."""
    table = workload.tree.table()
    soma = mechanisms.load(str(SOMA_MOD))
    leak = mechanisms.load("leak")
    squid = {name: p.value for name, p in soma.parameters.items()}
    for conductance in ("gna", "gk", "gleak"):
        squid[conductance] *= _SOMA_TIMES_SQUID
    elsewhere = np.arange(1, table.n)
    passive = {"g": _DENDRITE_LEAK_S_cm2, "e": _REST_mV}
    return Cell(
        name=DESCRIPTIONS["W1"],
        table=table,
        placements=(
            Placement("hh", soma, np.array([0]), {k: np.array([x]) for k, x in squid.items()}),
            Placement("leak", leak, elsewhere, {k: np.full(len(elsewhere), x) for k, x in passive.items()}),
        ),
        ports={},
        reversal_mV={},
        celsius=_SQUID_CELSIUS,
        v_init_mV=_REST_mV,
    )


def current_steps(workload: Workload) -> np.ndarray:
    """One amplitude for each lane, on from a tenth of the window to its end."""
    current = np.zeros((workload.n_steps, workload.lanes))
    current[workload.n_steps // 10 :] = np.linspace(*_CURRENT_nA, workload.lanes)
    return current


def _no_events(workload: Workload) -> Events:
    return Events.none(n_lanes=workload.lanes, n_steps=workload.n_steps, dt_ms=workload.dt_ms)


def _grating(cell: Cell, workload: Workload) -> Events:
    return hard_events(
        place_synapses(cell, seed=_SEED),
        Grating((90.0,), window_ms=0.8 * workload.window_ms, warm_up_ms=0.2 * workload.window_ms),
        Drive(),
        trials=range(workload.lanes),
        seed=_SEED,
        dt_ms=workload.dt_ms,
    )


def _few_synapses(cell: Cell, workload: Workload) -> Events:
    """Poisson events on some excitatory synapses, of equal number whatever their number."""
    assert workload.synapses is not None
    rng = np.random.default_rng([_SEED, workload.synapses])
    rows = cell.placement(cell.ports["exc"][0]).compartments
    length = cell.table.length_um[rows]
    synapse = rng.choice(rows, size=workload.synapses, p=length / length.sum())
    n = round(_SYNAPSE_EVENTS_PER_s * workload.simulated_s)
    return Events.from_arrays(
        n_lanes=workload.lanes,
        n_steps=workload.n_steps,
        dt_ms=workload.dt_ms,
        port_names=("exc",),
        step=rng.integers(workload.n_steps, size=n),
        lane=rng.integers(workload.lanes, size=n),
        compartment=rng.choice(synapse, size=n),
        port=np.zeros(n, np.int8),
    )
