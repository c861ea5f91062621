"""From the voltage of the silent cell to the expected spike count."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from ketune._jax import jax
from ketune.cell import Cell

_SPIKE_MECHANISMS = ("nav", "kv")


@dataclass(frozen=True)
class Hazard:
    """Escape rate of a spike at somatic voltage ``v`` of the cell without sodium and fast potassium.

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


def silent_cell(cell: Cell) -> Cell:
    """The cell without sodium and fast potassium: what its synapses and slow currents alone do to the soma."""
    return replace(cell, placements=tuple(p for p in cell.placements if p.label not in _SPIKE_MECHANISMS))
