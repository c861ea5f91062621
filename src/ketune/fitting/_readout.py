"""From the voltage of the silent cell to the expected spike count."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from ketune._jax import jax
from ketune.cell import Cell, Overrides

# Where the sodium and the fast potassium current of action potentials are taken out.
_SPIKE_REGIONS = ("soma", "ais", "axon")


@dataclass(frozen=True)
class Hazard:
    """Escape rate of a spike at somatic voltage ``v`` of the cell without somatic sodium.

    ``x = slope * width * softplus((v - threshold) / width)``, then ``x / (1 + x * refractory)``: exponential below
    threshold, linear above, saturating at the inverse of the refractory period (after Gerstner and Kistler 2002,
    ch. 5; the linear part because the silent voltage runs far above threshold at high rates).
    """

    threshold_mV: float
    width_mV: float
    slope_hz_per_mV: float
    refractory_ms: float

    def rate_hz(self, v, softplus=jax.nn.softplus):
        """Rate at voltage ``v`` (mV)."""
        x = self.slope_hz_per_mV * self.width_mV * softplus((v - self.threshold_mV) / self.width_mV)
        return x / (1.0 + x * self.refractory_ms * 1e-3)

    def as_dict(self) -> dict[str, float]:
        """Plain floats for a file."""
        return asdict(self)


def silence(cell: Cell) -> Overrides:
    """Overrides that take the action-potential conductances out of soma, initial segment and axon."""
    overrides = {}
    for label in ("nav", "kv"):
        placement = cell.placement(label)
        at_soma = np.isin(cell.table.region[placement.compartments], _SPIKE_REGIONS)
        overrides[(label, "gbar")] = np.where(at_soma, 0.0, placement.parameters["gbar"])
    return overrides
