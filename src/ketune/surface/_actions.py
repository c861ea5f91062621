"""What a drug may do to the cell itself, as inputs of a response surface.

Block of NMDA receptors and less firing of interneurons need no inputs of their own: they are conductances and rates
already. The others follow a drug's mean over the membrane or the synapses that carry the target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any

import numpy as np

from ketune.cell import Cell
from ketune.pharmacology import NEUTRAL, field_overrides

# A shift of so much counts as much as an e-fold change of the others.
_SHIFT_UNIT_mV = 10.0


@dataclass(frozen=True)
class CellActions:
    """Actions on the cell, the same everywhere on it; the defaults are no drug.

    Attributes
    ----------
    nmda_tilt
        NMDA conductance of apical synapses over that of basal ones, as a factor on the cell's own.
    hcn_shift_mV, hcn_block
        Hyperpolarising shift of HCN1's activation, and share of its conductance lost.
    nav_block, kv_block
        Share of Na and of delayed-rectifier conductance lost.
    kv_shift_mV
        Depolarising shift of Kv activation.
    tonic_gaba_gain
        Factor on tonic GABA-A conductance.
    """

    nmda_tilt: float = 1.0
    hcn_shift_mV: float = 0.0
    hcn_block: float = 0.0
    nav_block: float = 0.0
    kv_block: float = 0.0
    kv_shift_mV: float = 0.0
    tonic_gaba_gain: float = 1.0

    def inputs(self) -> np.ndarray:
        """Positive numbers ``(7,)``, 1 for no drug, whose logarithms a response surface takes."""
        return np.array(
            [_positive(name, value, np) for name, value in zip(ACTIONS, astuple(self), strict=True)]
        )


ACTIONS = tuple(field.name for field in fields(CellActions))
"""Names of the actions, in the order in which a response surface takes them."""


def _positive(name: str, value: Any, xp: Any) -> Any:
    if name.endswith("_mV"):
        return xp.exp(value / _SHIFT_UNIT_mV)
    return 1.0 - value if name.endswith("_block") else value


def log_actions(actions: Mapping[str, Any], xp: Any = np) -> Any:
    """Logarithms of :meth:`CellActions.inputs` from values by name, those that are missing at no drug: ``(7, ...)``."""
    none = CellActions()
    return xp.stack(
        xp.broadcast_arrays(
            *(xp.log(_positive(n, xp.asarray(actions.get(n, getattr(none, n)), float), xp)) for n in ACTIONS)
        )
    )


def action_overrides(
    cell: Cell, actions: Sequence[CellActions], base: Mapping[tuple[str, str], np.ndarray]
) -> dict[tuple[str, str], np.ndarray]:
    """Parameters of the cell in lanes that differ in their actions: ``(k, lanes)`` by label and name.

    Parameters
    ----------
    base
        Strengths of synapses in place of the cell's own, one for all lanes or ``(1, lanes)``.
    """
    n = cell.table.n
    apical = cell.table.region == "apical"
    columns: dict[tuple[str, str], list[np.ndarray]] = {}
    for lane, action in enumerate(actions):
        own = {key: np.broadcast_to(value, (1, len(actions)))[0, lane] for key, value in base.items()}
        drug = {name: np.full(n, value) for name, value in NEUTRAL.items()}
        drug["nmda_gain"] = np.where(apical, action.nmda_tilt, 1.0)
        for name in ACTIONS[1:]:
            drug[name] = np.full(n, getattr(action, name))
        for key, value in field_overrides(cell, drug, base=own, changed=_CHANGED).items():
            columns.setdefault(key, []).append(np.asarray(value, float))
    return {**base, **{key: np.stack(values, axis=1) for key, values in columns.items()}}


_CHANGED = frozenset(("nmda_gain", *ACTIONS[1:]))
