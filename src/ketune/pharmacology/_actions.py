"""What a drug's effect sets in a cell: which mechanisms, which of their parameters."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import numpy as np

from ketune.errors import InputError
from ketune.pharmacology._effect import NEUTRAL, DrugEffect


def _blocked(base: Any, extra: Any) -> Any:
    return 1.0 - (1.0 - base) * (1.0 - extra)


def _added(base: Any, extra: Any) -> Any:
    return base + extra


def _multiplied(base: Any, extra: Any) -> Any:
    return base * extra


def _lost(base: Any, extra: Any) -> Any:
    return base * (1.0 - extra)


# target -> (parameter of the mechanism, field of DrugEffect, how it joins the cell's own value)
_ACTIONS: dict[str, tuple[tuple[str, str, Any], ...]] = {
    "nmda": (("block", "nmda_block", _blocked), ("gmax", "nmda_gain", _multiplied)),
    "ampa": (("gmax", "ampa_block", _lost),),
    "hcn1": (
        ("dv_ket", "hcn_shift_mV", _added),
        ("rho_ket", "hcn_block", _blocked),
        ("gbar", "hcn_gain", _multiplied),
    ),
    "nav": (("block", "nav_block", _blocked),),
    "kv": (("block", "kv_block", _blocked), ("vshift", "kv_shift_mV", _added)),
    "cal": (("block", "cal_block", _blocked),),
    "sk": (("gbar", "sk_gain", _multiplied),),
    "gabaa": (("gmax", "gabaa_gain", _multiplied), ("tau_decay", "gabaa_decay", _multiplied)),
    "gabatonic": (("gain", "tonic_gaba_gain", _multiplied),),
}
# Strengths and densities are touched only where the drug changes them: a fit's own values stay in place otherwise.
_ONLY_IF_CHANGED = frozenset({"gmax", "gbar", "tau_decay"})


def apply_effect(cell: Any, drug_effect: DrugEffect) -> tuple[dict[tuple[str, str], Any], tuple[str, ...]]:
    """Parameter values of a drugged cell.

    A placement belongs to a target when its mechanism has the target's name in any case ("NMDA"), alone or with a
    suffix ("NMDA_STP"), or its label is that name, alone or with a suffix ("nmda_apical"), and the mechanism has the
    drug's parameters. A value that the cell already has joins the drug's: blocks combine as 1 - (1 - a)(1 - b), shifts
    add, gains multiply. The interneurons' drive is no parameter of the cell: use ``pv_drive`` and ``sst_drive`` on the
    events.

    Parameters
    ----------
    cell
        Has ``placements``, each with ``label``, ``mechanism.name``, ``compartments`` (k,) and all its ``parameters``,
        (k,) each. A fitted neuron's cell carries its fitted strengths.
    drug_effect
        An effect on the cell's compartments.

    Returns
    -------
    tuple
        Overrides by (label, parameter), each (k,), and the targets that the drug acts on but the cell lacks.

    Raises
    ------
    InputError
        The effect has too few compartments for the cell.
    """
    changed = {
        field
        for actions in _ACTIONS.values()
        for _, field, _ in actions
        if np.any(getattr(drug_effect, field) != NEUTRAL[field])
    }
    for placement in cell.placements:
        where = np.asarray(placement.compartments)
        if where.size and where.max() >= drug_effect.n_compartments:
            raise InputError(
                f"drug effect on {drug_effect.n_compartments} compartments does not fit the cell "
                f"(placement '{placement.label}' reaches compartment {where.max()})"
            )
    fields = {field: getattr(drug_effect, field) for field in NEUTRAL}
    lacking = tuple(
        target
        for target, actions in _ACTIONS.items()
        if changed & {field for _, field, _ in actions}
        and not any(_belongs(p, target, actions) for p in cell.placements)
    )
    return field_overrides(cell, fields, changed=changed), lacking


def field_overrides(
    cell: Any,
    fields: Mapping[str, Any],
    base: Mapping[tuple[str, str], Any] | None = None,
    changed: Set[str] | None = None,
) -> dict[tuple[str, str], Any]:
    """What fields of a :class:`DrugEffect` set in a cell, as a pure function of them: they may be traced by JAX.

    Parameters
    ----------
    fields
        By name, ``(n,)`` each.
    base
        Values in place of the cell's own, such as fitted strengths.
    changed
        Fields that differ from no drug; None for all. Strengths and densities are left alone by the others.
    """
    overrides: dict[tuple[str, str], Any] = {}
    for target, actions in _ACTIONS.items():
        for placement in (p for p in cell.placements if _belongs(p, target, actions)):
            for parameter, field, join in actions:
                idle = changed is not None and field not in changed
                if parameter in _ONLY_IF_CHANGED and (idle or parameter not in placement.parameters):
                    continue
                key = (placement.label, parameter)
                own = np.asarray(placement.parameters[parameter], dtype=np.float64)
                value = overrides.get(key, (base or {}).get(key, own))
                overrides[key] = join(value, fields[field][placement.compartments])
    return overrides


def targets_of(cell: Any) -> frozenset[str]:
    """Targets that a cell has; interneurons are there wherever the cell has inhibitory afferents."""
    present = {t for t, actions in _ACTIONS.items() if any(_belongs(p, t, actions) for p in cell.placements)}
    interneurons = {name for name in ("pv", "sst") if name in getattr(cell, "ports", {})}
    return frozenset(present | interneurons | ({"vip"} if "sst" in interneurons else set()))


def _belongs(placement: Any, target: str, actions: tuple[tuple[str, str, Any], ...]) -> bool:
    named = (placement.mechanism.name.lower(), placement.label)
    if not any(name == target or name.startswith(f"{target}_") for name in named):
        return False
    own = [parameter for parameter, _, _ in actions if parameter not in _ONLY_IF_CHANGED]
    return all(parameter in placement.parameters for parameter in own or [actions[0][0]])
