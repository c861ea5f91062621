"""From a concentration of free drug to what changes in the neuron and in its inhibition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ketune.errors import InputError
from ketune.pharmacology._drug import Drug

Array = NDArray[np.float64]

SUBUNITS = ("2A", "2B", "2C", "2D")
TARGETS = frozenset({"nmda", "pv", "sst", "hcn1", "nav", "kv", "cal", "gabatonic"})
"""Everything the drug can act on; ``pv`` and ``sst`` are the NMDA receptors that drive those interneurons."""
PRIMARY_TARGETS = frozenset({"nmda", "pv", "sst", "hcn1"})


@dataclass(frozen=True, eq=False)
class DrugEffect:
    """What a drug does to a neuron of n compartments at one time.

    Attributes:
        label: name of the condition, for reports.
        time_min: minutes since application; NaN where time has no meaning.
        concentration_uM: (n,) free drug at each compartment.
        nmda_block: (n,) share of NMDA conductance lost.
        hcn_shift_mV: (n,) added to the voltage that HCN1's rates see; positive closes the channel at rest.
        hcn_block: (n,) share of HCN1 conductance lost.
        nav_block, kv_block, cal_block: (n,) share of Na, delayed-rectifier and L-type Ca conductance lost.
        kv_shift_mV: (n,) depolarising shift of Kv activation.
        tonic_gaba_gain: (n,) factor on tonic GABA-A conductance.
        pv_drive, sst_drive: factor on the firing of PV and SST cells.
        pv_nmda_block, sst_nmda_block: block of their own NMDA receptors, from which the drive follows.
    """

    label: str
    time_min: float
    concentration_uM: Array
    nmda_block: Array
    hcn_shift_mV: Array
    hcn_block: Array
    nav_block: Array
    kv_block: Array
    kv_shift_mV: Array
    cal_block: Array
    tonic_gaba_gain: Array
    pv_drive: float
    sst_drive: float
    pv_nmda_block: float
    sst_nmda_block: float

    @property
    def n_compartments(self) -> int:
        """Number of compartments."""
        return int(self.concentration_uM.size)

    def summary(self) -> dict[str, float | str]:
        """Scalars for a report: numbers as they are, arrays as their mean over compartments."""
        out: dict[str, float | str] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            out[field.name] = value if isinstance(value, str) else float(np.mean(value))
        return out


def hill_block(concentration_uM: ArrayLike, ic50_uM: ArrayLike, hill: float = 1.0) -> Array:
    """C^n / (C^n + IC50^n), zero at zero concentration."""
    c = np.asarray(concentration_uM, dtype=np.float64) / np.asarray(ic50_uM, dtype=np.float64)
    powered = c**hill
    return np.asarray(powered / (1.0 + powered), dtype=np.float64)


def nmda_ic50_uM(
    subunit: str, v_mV: ArrayLike, drug: Drug, overrides: Mapping[str, float] | None = None
) -> Array:
    """Effective half-block concentration of one NMDA subtype at a held potential, with Mg.

    The drug binds the Mg-free open pore only: K_ket(V) / u(V), with u(V) = 1 / (1 + Mg / K_Mg(V)),
    K_Mg(V) = K_Mg(-66) exp(slope (V + 66)) and K_ket(V) = scale K_ket(-66) exp(delta (V + 66) / (RT/F)).

    Raises:
        InputError: unknown subunit.
    """
    return _ic50(subunit, np.asarray(v_mV, dtype=np.float64), drug, drug.values(overrides))


def _ic50(subunit: str, v: Array, drug: Drug, p: Mapping[str, float]) -> Array:
    if subunit not in SUBUNITS:
        raise InputError(f"unknown NMDA subunit '{subunit}'; known: {', '.join(SUBUNITS)}")
    above = v - drug.reference_potential_mV
    k_mg = p[f"nmda.k_mg_{subunit}"] * np.exp(p["nmda.mg_slope"] * above)
    k_drug = (
        p["nmda.affinity_scale"]
        * p[f"nmda.k_{subunit}"]
        * np.exp(p["nmda.delta"] * above / drug.thermal_voltage_mV)
    )
    return np.asarray(k_drug * (1.0 + p["nmda.mg"] / k_mg), dtype=np.float64)


def subunit_fractions(
    cell_class: str, drug: Drug, overrides: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Shares of the NMDA subtypes of a "pyramid" or an "interneuron"; they sum to 1.

    Raises:
        InputError: unknown class.
    """
    p = drug.values(overrides)
    f_2a = p["pyramid.fraction_2A"]
    if cell_class == "pyramid":
        return {"2A": f_2a, "2B": 1.0 - f_2a}
    if cell_class == "interneuron":
        f_2d = p["interneuron.fraction_2D"]
        return {"2A": f_2a * (1.0 - f_2d), "2B": (1.0 - f_2a) * (1.0 - f_2d), "2D": f_2d}
    raise InputError(f"unknown cell class '{cell_class}'; known: pyramid, interneuron")


def nmda_block(
    concentration_uM: ArrayLike,
    v_bar_mV: ArrayLike,
    drug: Drug,
    subunits: str | Mapping[str, float] = "pyramid",
    overrides: Mapping[str, float] | None = None,
) -> Array:
    """Share of NMDA conductance blocked at equilibrium, frozen on the time scale of a trial.

    The block re-equilibrates in seconds to minutes, far slower than an EPSP, so it follows the mean
    potential over the times at which receptors are open, not the instantaneous one.

    Args:
        concentration_uM: free drug; broadcast against ``v_bar_mV``.
        v_bar_mV: activity-weighted mean local potential.
        drug: the drug.
        subunits: "pyramid", "interneuron" (with its extra affinity kappa), or shares by subunit that sum to
            1.
        overrides: drug parameters by dotted name.

    Raises:
        InputError: negative concentration, unknown subunit, shares that do not sum to 1.
    """
    p = drug.values(overrides)
    c = _concentration(concentration_uM)
    v = np.asarray(v_bar_mV, dtype=np.float64)
    if not np.all(np.isfinite(v)):
        raise InputError("mean potential: every value must be a finite number of mV")
    kappa = 1.0
    if isinstance(subunits, str):
        shares: Mapping[str, float] = subunit_fractions(subunits, drug, overrides)
        if subunits == "interneuron":
            kappa = p["interneuron.kappa"]
    else:
        shares = subunits
    if abs(sum(shares.values()) - 1.0) > 1e-9 or min(shares.values(), default=0.0) < 0:
        raise InputError(f"NMDA subunit shares {dict(shares)} must be zero or more and sum to 1")
    blocked = np.zeros(np.broadcast_shapes(c.shape, v.shape))
    for subunit, share in shares.items():
        blocked = blocked + share * hill_block(c, _ic50(subunit, v, drug, p) / kappa, p["nmda.hill"])
    return blocked


def effect(
    drug: Drug,
    concentration_uM: ArrayLike,
    v_bar_mV: ArrayLike | None = None,
    interneuron_uM: float | None = None,
    *,
    targets: Iterable[str] = TARGETS,
    overrides: Mapping[str, float] | None = None,
    label: str = "",
    time_min: float = float("nan"),
) -> DrugEffect:
    """Everything a concentration does to a neuron.

    Args:
        drug: the drug.
        concentration_uM: (n,) free drug at each compartment, soma first.
        v_bar_mV: (n,) or one activity-weighted mean potential of the pyramid; default the drug's assumed
            value.
        interneuron_uM: free drug at the interneurons; default the soma's (they sit at its depth).
        targets: what the drug may act on, a subset of ``TARGETS``; the rest stays as without drug.
        overrides: drug parameters by dotted name, as ``sample_parameters`` draws them.
        label: name of the condition.
        time_min: minutes since application.

    Raises:
        InputError: negative or non-finite concentration, wrong shape, unknown target or parameter.
    """
    p = drug.values(overrides)
    on = frozenset(targets)
    if unknown := sorted(on - TARGETS):
        raise InputError(f"unknown drug target '{unknown[0]}'; known: {', '.join(sorted(TARGETS))}")
    c = _concentration(concentration_uM)
    if c.ndim != 1 or c.size == 0:
        raise InputError(f"concentration has shape {c.shape}; give one value for each compartment")
    v = np.asarray(p["pyramid.v_bar"] if v_bar_mV is None else v_bar_mV, dtype=np.float64)
    if v.ndim > 1 or (v.ndim == 1 and v.size != c.size):
        raise InputError(
            f"mean potential has shape {v.shape}; give one value or one for each of {c.size} compartments"
        )
    c_i = _concentration(c[0] if interneuron_uM is None else interneuron_uM)
    if c_i.ndim != 0:
        raise InputError("concentration at the interneurons must be one number")
    i_block = float(nmda_block(c_i, p["interneuron.v_bar"], drug, "interneuron", overrides))
    pv_block = i_block if "pv" in on else 0.0
    sst_block = i_block if "sst" in on else 0.0
    zero = np.zeros(c.size)
    h = hill_block(c, p["hcn1.ec50"])
    tonic = p["gabatonic.gain_per_100uM"] * np.minimum(c, 100.0) / 100.0
    return DrugEffect(
        label=label,
        time_min=float(time_min),
        concentration_uM=c,
        nmda_block=nmda_block(c, v, drug, "pyramid", overrides) if "nmda" in on else zero,
        hcn_shift_mV=p["hcn1.dv_max"] * h if "hcn1" in on else zero,
        hcn_block=p["hcn1.rho_max"] * h if "hcn1" in on else zero,
        nav_block=hill_block(c, p["nav.ic50"]) if "nav" in on else zero,
        kv_block=p["kv.block_max"] * hill_block(c, p["kv.ec50"], p["kv.hill"]) if "kv" in on else zero,
        kv_shift_mV=p["kv.dv_max"] * hill_block(c, p["kv.dv_ec50"]) if "kv" in on else zero,
        cal_block=hill_block(c, p["cal.ic50"]) if "cal" in on else zero,
        tonic_gaba_gain=1.0 + (tonic if "gabatonic" in on else zero),
        pv_drive=1.0 - p["pv.nmda_share"] * pv_block,
        sst_drive=1.0 - p["sst.nmda_share"] * sst_block,
        pv_nmda_block=pv_block,
        sst_nmda_block=sst_block,
    )


def no_effect(n: int, label: str = "control") -> DrugEffect:
    """The effect of no drug on ``n`` compartments."""
    zero = np.zeros(n)
    return DrugEffect(
        label=label,
        time_min=float("nan"),
        concentration_uM=zero,
        nmda_block=zero,
        hcn_shift_mV=zero,
        hcn_block=zero,
        nav_block=zero,
        kv_block=zero,
        kv_shift_mV=zero,
        cal_block=zero,
        tonic_gaba_gain=np.ones(n),
        pv_drive=1.0,
        sst_drive=1.0,
        pv_nmda_block=0.0,
        sst_nmda_block=0.0,
    )


def _blocked(base: Array, extra: Array) -> Array:
    return 1.0 - (1.0 - base) * (1.0 - extra)


def _added(base: Array, extra: Array) -> Array:
    return base + extra


def _multiplied(base: Array, extra: Array) -> Array:
    return base * extra


# target -> (parameter of the mechanism, field of DrugEffect, its value without drug, how it joins the cell's own)
_ACTIONS: dict[str, tuple[tuple[str, str, float, Any], ...]] = {
    "nmda": (("block", "nmda_block", 0.0, _blocked),),
    "hcn1": (("dv_ket", "hcn_shift_mV", 0.0, _added), ("rho_ket", "hcn_block", 0.0, _blocked)),
    "nav": (("block", "nav_block", 0.0, _blocked),),
    "kv": (("block", "kv_block", 0.0, _blocked), ("vshift", "kv_shift_mV", 0.0, _added)),
    "cal": (("block", "cal_block", 0.0, _blocked),),
    "gabatonic": (("gain", "tonic_gaba_gain", 1.0, _multiplied),),
}


def apply_effect(cell: Any, drug_effect: DrugEffect) -> tuple[dict[tuple[str, str], Array], tuple[str, ...]]:
    """Parameter values of a drugged cell.

    A placement belongs to a target when its mechanism has the target's name in any case ("NMDA"), or its label
    is that name, alone or with a suffix ("nmda_apical"), and the mechanism has the drug's parameters. A value that
    the cell already has joins the drug's: blocks combine as 1 - (1 - a)(1 - b), shifts add, gains multiply. The
    interneurons' drive is no parameter of the cell: use ``pv_drive`` and ``sst_drive`` on the events.

    Args:
        cell: has ``placements``, each with ``label``, ``mechanism.name``, ``compartments`` (k,) and all its
            ``parameters``, (k,) each.
        drug_effect: an effect on the cell's compartments.

    Returns:
        overrides by (label, parameter), each (k,), and the targets that the drug acts on but the cell lacks.

    Raises:
        InputError: the effect has too few compartments for the cell.
    """
    overrides: dict[tuple[str, str], Array] = {}
    lacking: list[str] = []
    for target, actions in _ACTIONS.items():
        placements = [p for p in cell.placements if _belongs(p, target, actions)]
        if not placements:
            if any(np.any(getattr(drug_effect, field) != none) for _, field, none, _ in actions):
                lacking.append(target)
            continue
        for placement in placements:
            where = np.asarray(placement.compartments)
            if where.size and where.max() >= drug_effect.n_compartments:
                raise InputError(
                    f"drug effect on {drug_effect.n_compartments} compartments does not fit the cell "
                    f"(placement '{placement.label}' reaches compartment {where.max()})"
                )
            for parameter, field, _, join in actions:
                base = np.asarray(placement.parameters[parameter], dtype=np.float64)
                overrides[(placement.label, parameter)] = join(base, getattr(drug_effect, field)[where])
    return overrides, tuple(lacking)


def _belongs(placement: Any, target: str, actions: tuple[tuple[str, str, float, Any], ...]) -> bool:
    named = placement.mechanism.name.lower() == target
    labelled = placement.label == target or placement.label.startswith(f"{target}_")
    return (named or labelled) and all(action[0] in placement.parameters for action in actions)


def _concentration(value: ArrayLike) -> Array:
    c = np.asarray(value, dtype=np.float64)
    if not np.all(np.isfinite(c)):
        raise InputError("concentration: every value must be a finite number of uM")
    if np.any(c < 0):
        raise InputError(f"concentration of {c.min():g} uM is negative; give a value of zero or more")
    return c
