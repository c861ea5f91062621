"""A cell: compartments, the mechanisms that sit on them, and the ports through which afferents reach its synapses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ketune.errors import InputError

if TYPE_CHECKING:
    from ketune.compartments import CompartmentTable
    from ketune.mechanisms import Mechanism

Overrides = Mapping[tuple[str, str], Any]
"""Parameter values that replace a cell's own: ``(placement label, parameter) -> array broadcastable to (k,)``."""


@dataclass(frozen=True, eq=False)
class Placement:
    """One mechanism on some compartments of a cell.

    Attributes
    ----------
    label
        Unique in the cell; two placements may use one mechanism (``gaba_pv`` and ``gaba_sst``).
    mechanism
        The translated NMODL mechanism.
    compartments
        ``int (k,)``, increasing; a compartment may occur several times for synapses that do not share their states
        (see ``Mechanism.merging``).
    parameters
        Every parameter of the mechanism, ``float (k,)`` each, in the units of its NMODL file.
    """

    label: str
    mechanism: Mechanism
    compartments: np.ndarray
    parameters: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Cell:
    """Everything that an engine needs to simulate one neuron.

    Attributes
    ----------
    table
        Compartments and their cable geometry.
    placements
        Density mechanisms and point processes.
    ports
        Port name to the labels of the synapses that its events reach.
    reversal_mV
        Reversal potentials of the ions by NMODL name (``ena``, ``ek``). Where a mechanism uses an ion's concentration
        the simulator computes its reversal potential instead, as NEURON does.
    concentration_mM
        Concentrations of the ions by NMODL name (``cai``, ``cao``): constant, or where a mechanism writes them the
        initial ones. Left out: NEURON's defaults (:data:`ketune.ions.DEFAULT_CONCENTRATION_mM`).
    """

    name: str
    table: CompartmentTable
    placements: tuple[Placement, ...]
    ports: dict[str, tuple[str, ...]]
    reversal_mV: dict[str, float]
    celsius: float
    v_init_mV: float
    concentration_mM: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for placement in self.placements:
            repeated = len(np.unique(placement.compartments)) < len(placement.compartments)
            if repeated and placement.mechanism.merging != "separate":
                raise InputError(
                    f"cell '{self.name}': '{placement.label}' is on a compartment twice; its synapses share their "
                    "states, so once is enough"
                )

    def _repr_html_(self) -> str:
        from ketune.report._notebook_displays import cell_html

        return cell_html(self)

    @cached_property
    def by_label(self) -> dict[str, Placement]:
        """Placements by their label."""
        return {p.label: p for p in self.placements}

    def placement(self, label: str) -> Placement:
        """The placement with this label.

        Raises
        ------
        InputError
            The cell has no such placement.
        """
        if label not in self.by_label:
            raise InputError(
                f"cell '{self.name}' has no placement '{label}'; it has {', '.join(self.by_label)}"
            )
        return self.by_label[label]

    @property
    def tells_connections_apart(self) -> bool:
        """Whether it matters to a synapse which of its connections brings an event."""
        heard = {label for labels in self.ports.values() for label in labels}
        return any(
            p.mechanism.merging in ("plastic", "separate") for p in self.placements if p.label in heard
        )

    def environment(self, dt_ms: float) -> dict[str, float]:
        """Quantities that NMODL files read from the simulator: temperature, step, reversal potentials."""
        return {"celsius": self.celsius, "dt": dt_ms, **self.reversal_mV}

    def with_parameters(self, overrides: Overrides) -> Cell:
        """A copy in which some parameters are replaced."""
        placements = []
        pending = dict(overrides)
        for placement in self.placements:
            parameters = dict(placement.parameters)
            for name in parameters:
                if (placement.label, name) in pending:
                    value = np.asarray(pending.pop((placement.label, name)), float)
                    parameters[name] = np.broadcast_to(value, placement.compartments.shape).copy()
            placements.append(replace(placement, parameters=parameters))
        if pending:
            label, name = next(iter(pending))
            raise InputError(f"cell '{self.name}' has no parameter '{label}.{name}' to set")
        return replace(self, placements=tuple(placements))

    def _surroundings(self, placement: Placement) -> dict[str, Any]:
        """What a mechanism reads of the cell at the start, before any INITIAL has set a concentration."""
        from ketune.ions import ion_uses

        rows, table = placement.compartments, self.table
        known: dict[str, Any] = {"t": 0.0, "diam": table.diam_um[rows], "area": table.area_um2[rows]}
        for use in ion_uses(self):
            known |= {name: values[rows] for name, values in use.start.items()} | {use.ion.current: 0.0}
        known = self.environment(dt_ms=0.025) | known
        return {name: x for name, x in known.items() if name in placement.mechanism.inputs}

    def rest_balanced(self, leak_label: str = "leak") -> Cell:
        """A copy whose leak reversal makes ``v_init_mV`` the resting potential of every compartment.

        The steady-state currents at ``v_init_mV`` of all mechanisms that JAX knows are summed and cancelled by the
        leak, compartment by compartment (as Park et al. 2019 do), so that a control cell starts at rest.

        Raises
        ------
        InputError
            A compartment would need a leak reversal outside -150 to 0 mV: its active conductances at rest are too
            large for its leak.
        """
        total = np.zeros(self.table.n)
        for placement in self.placements:
            mechanism = placement.mechanism
            if placement.label == leak_label or mechanism.kind != "density" or mechanism.problems:
                continue
            p: dict[str, Any] = {**placement.parameters, **self._surroundings(placement)}
            p |= mechanism.derived(p)
            v = np.full(placement.compartments.shape, self.v_init_mV)
            states = mechanism.init(v, p)
            total[placement.compartments] += np.asarray(mechanism.current(v, states, p))
        leak = self.placement(leak_label)
        e_leak = self.v_init_mV + total[leak.compartments] / leak.parameters["g"]
        worst = int(np.argmax(np.abs(e_leak + 75.0)))
        if not -150.0 < e_leak[worst] < 0.0:
            raise InputError(
                f"cell '{self.name}': compartment {leak.compartments[worst]} "
                f"({self.table.region[leak.compartments[worst]]}) would need a leak reversal of {e_leak[worst]:.0f} mV "
                f"to rest at {self.v_init_mV:g} mV; lower its active conductances or raise its leak"
            )
        return self.with_parameters({(leak_label, "e"): e_leak})
