"""From a concentration of free drug to what changes in the neuron and in its inhibition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ketune.errors import InputError
from ketune.pharmacology import _laws as laws
from ketune.pharmacology._block import checked_drive, equilibrium_block
from ketune.pharmacology._drug import Drug
from ketune.pharmacology._schema import SUBUNITS

Array = NDArray[np.float64]

TARGETS = frozenset({"nmda", "ampa", "pv", "sst", "vip", "hcn1", "nav", "kv", "cal", "gabaa", "gabatonic"})
"""Everything a drug can act on; ``pv``, ``sst`` and ``vip`` are the receptors that drive those interneurons."""
PRIMARY_TARGETS = frozenset({"nmda", "pv", "sst", "vip", "hcn1"})
"""What ketamine acts on at the concentrations of an injection."""
INTERNEURONS = ("pv", "sst", "vip")


@dataclass(frozen=True, eq=False)
class DrugEffect:
    """What a drug does to a neuron of n compartments at one time.

    Attributes
    ----------
    label
        Name of the condition, for reports.
    time_min
        Minutes since application; NaN where time has no meaning.
    concentration_uM
        ``(n,)`` free drug at each compartment.
    nmda_block, ampa_block
        ``(n,)`` share of the conductance lost.
    hcn_shift_mV
        ``(n,)`` added to the voltage that HCN1's rates see; positive closes the channel at rest.
    hcn_block
        ``(n,)`` share of HCN1 conductance lost.
    nav_block, kv_block, cal_block
        ``(n,)`` share of Na, delayed-rectifier and L-type Ca conductance lost.
    kv_shift_mV
        ``(n,)`` depolarising shift of Kv activation.
    tonic_gaba_gain
        ``(n,)`` factor on tonic GABA-A conductance.
    gabaa_gain, gabaa_decay
        ``(n,)`` factors on peak and decay time of synaptic GABA-A conductance.
    nmda_gain, hcn_gain, sk_gain
        ``(n,)`` factors on conductances, as a modulator sets them.
    pv_drive, sst_drive, vip_drive
        Factor on the firing of these cells. VIP cells have no synapses here: they act through ``sst_drive``.
    pv_nmda_block, sst_nmda_block, vip_nmda_block
        Block of their own NMDA receptors, from which the drive follows.
    """

    label: str
    time_min: float
    concentration_uM: Array
    nmda_block: Array
    ampa_block: Array
    hcn_shift_mV: Array
    hcn_block: Array
    nav_block: Array
    kv_block: Array
    kv_shift_mV: Array
    cal_block: Array
    tonic_gaba_gain: Array
    gabaa_gain: Array
    gabaa_decay: Array
    nmda_gain: Array
    hcn_gain: Array
    sk_gain: Array
    pv_drive: float
    sst_drive: float
    vip_drive: float
    pv_nmda_block: float
    sst_nmda_block: float
    vip_nmda_block: float

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


NEUTRAL: dict[str, float] = {
    **dict.fromkeys(
        (
            "concentration_uM nmda_block ampa_block hcn_shift_mV hcn_block nav_block kv_block kv_shift_mV cal_block "
            "pv_nmda_block sst_nmda_block vip_nmda_block"
        ).split(),
        0.0,
    ),
    **dict.fromkeys(
        "tonic_gaba_gain gabaa_gain gabaa_decay nmda_gain hcn_gain sk_gain pv_drive sst_drive vip_drive".split(),
        1.0,
    ),
}
"""What each field of a :class:`DrugEffect` is without any drug."""
_SCALARS = tuple(f"{who}_{what}" for who in INTERNEURONS for what in ("drive", "nmda_block"))


def nmda_ic50_uM(
    subunit: str, v_mV: ArrayLike, drug: Drug, overrides: Mapping[str, float] | None = None
) -> Array:
    """Effective half-block concentration of one NMDA subtype at a held potential, with Mg.

    An open-channel blocker binds the Mg-free open pore only: K(V) / u(V), with u(V) = 1 / (1 + Mg / K_Mg(V)),
    K_Mg(V) = K_Mg(-66) exp(slope (V + 66)) and K(V) = scale K(-66) exp(delta (V + 66) / (RT/F)). Other antagonists
    have one concentration at every potential.

    Raises
    ------
    InputError
        Unknown subunit, or nothing is known of it for this drug.
    """
    if subunit not in SUBUNITS:
        raise InputError(f"unknown NMDA subunit '{subunit}'; known: {', '.join(SUBUNITS)}")
    law = drug.laws.get("nmda")
    p, v = drug.values(overrides), np.asarray(v_mV, dtype=np.float64)
    key = f"nmda.{'ic50' if law == 'hill' else 'k'}_{subunit}"
    if law is None or key not in p:
        raise InputError(f"drug {drug.name}: no potency at GluN{subunit} is known")
    if law == "hill":
        return np.full_like(v, p[key])
    at = (drug.reference_potential_mV, drug.thermal_voltage_mV)
    return np.asarray(laws.open_channel_ic50_uM(subunit, v, p, *at, np), dtype=np.float64)


def subunit_fractions(
    cell_class: str, drug: Drug, overrides: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Shares of the NMDA subtypes of a "pyramid" or an "interneuron"; they sum to 1.

    Raises
    ------
    InputError
        Unknown class.
    """
    if cell_class not in ("pyramid", "interneuron"):
        raise InputError(f"unknown cell class '{cell_class}'; known: pyramid, interneuron")
    return laws.subunit_shares(cell_class, drug.values(overrides))


def nmda_block(
    concentration_uM: ArrayLike,
    v_bar_mV: ArrayLike,
    drug: Drug,
    subunits: str | Mapping[str, float] = "pyramid",
    overrides: Mapping[str, float] | None = None,
    rate_hz: ArrayLike | None = None,
) -> Array:
    """Share of NMDA conductance blocked at equilibrium.

    The block re-equilibrates in seconds to minutes, far slower than an EPSP, so it follows the mean
    potential over the times at which receptors are open, not the instantaneous one.

    Parameters
    ----------
    concentration_uM
        Free drug; broadcast against ``v_bar_mV``.
    v_bar_mV
        Activity-weighted mean local potential.
    subunits
        "pyramid", "interneuron" (with its extra affinity kappa), or shares by subunit that sum to 1.
    overrides
        Drug parameters by dotted name.
    rate_hz
        Events per second at one synapse: a trapping blocker leaves closed channels slowly, so rarely used receptors
        are blocked less (:func:`equilibrium_block`). Not given: receptors that are always in use, C / (C + IC50).

    Raises
    ------
    InputError
        Negative concentration, unknown subunit, shares that do not sum to 1.
    """
    p = drug.values(overrides)
    kappa = p["interneuron.kappa"] if subunits == "interneuron" else 1.0
    shares = subunit_fractions(subunits, drug, overrides) if isinstance(subunits, str) else subunits
    if rate_hz is None:
        p = {name: x for name, x in p.items() if name not in ("nmda.k_on", "nmda.k_esc")}
    rate = 1.0 if rate_hz is None else rate_hz
    block = block_at_equilibrium(drug, p, concentration_uM, v_bar_mV, rate, shares, kappa)
    return np.asarray(block, dtype=np.float64)


def block_at_equilibrium(
    drug: Drug,
    p: Mapping[str, Any],
    c: Any,
    v: Any,
    rate_hz: Any,
    shares: Mapping[str, Any],
    kappa: Any = 1.0,
    xp: Any = np,
) -> Any:
    """Block by any drug, in NumPy or JAX; arguments and errors as of :func:`equilibrium_block`."""
    if "nmda" not in drug.laws:
        c, v, rate_hz = checked_drive(c, v, rate_hz, shares, xp)
        return xp.zeros(np.broadcast_shapes(c.shape, v.shape, rate_hz.shape))
    at = {"reference_mV": drug.reference_potential_mV, "thermal_mV": drug.thermal_voltage_mV}
    return equilibrium_block(c, v, rate_hz, p, shares, kappa, xp, **at)


def effect_fields(
    drug: Drug,
    p: Mapping[str, Any],
    c: Any,
    *,
    v: Any,
    interneuron_c: Any,
    targets: Iterable[str] = TARGETS,
    nmda_block: Any = None,
    interneuron_block: Any = None,
    xp: Any = np,
) -> dict[str, Any]:
    """The fields of a :class:`DrugEffect` as a pure function of the drug's numbers, differentiable with ``jax.numpy``.

    Parameters
    ----------
    p
        All numbers by dotted name, as :meth:`Drug.values` gives them.
    c, v
        ``(n,)`` concentration (uM) and mean open potential (mV).
    interneuron_c
        Concentration at the interneurons (uM).
    targets
        What the drug may act on.
    nmda_block, interneuron_block
        Block of NMDA receptors where it does not follow from ``c`` and ``v`` alone (kinetics, history).
    """
    on = frozenset(targets) & drug.targets
    own: dict[str, Any] = {"concentration_uM": c}
    shape = np.shape(c)

    def law(group: str) -> str | None:
        return drug.laws.get(group) if group in on else None

    if law("nmda"):
        own["nmda_block"] = (
            block_at_equilibrium(
                drug, p, c, v, p["pyramid.event_rate"], laws.subunit_shares("pyramid", p), xp=xp
            )
            if nmda_block is None
            else nmda_block
        )
    for group in ("ampa", "nav", "kv", "cal"):
        if law(group):
            own[f"{group}_block"] = laws.simple_block(group, c, p, xp)
    if law("kv"):
        own["kv_shift_mV"] = p["kv.dv_max"] * laws.hill_block(c, p["kv.dv_ec50"], xp=xp)
    if law("hcn1"):
        occupied = laws.hill_block(c, p["hcn1.ec50"], p["hcn1.hill"], xp)
        own["hcn_shift_mV"] = p["hcn1.dv_max"] * occupied
        own["hcn_block"] = p["hcn1.rho_max"] * occupied
    if tonic := law("gabatonic"):
        own["tonic_gaba_gain"] = laws.gain("gabatonic", tonic, c, p, xp)
    if synaptic := law("gabaa"):
        own["gabaa_gain"] = laws.gain("gabaa", synaptic, c, p, xp)
        if synaptic == "modulator":
            bound = laws.hill_block(c, p["gabaa.ec50"], p["gabaa.hill"], xp)
            own["gabaa_decay"] = 1.0 + p["gabaa.decay_max"] * bound
    own |= _drives(drug, p, interneuron_c, interneuron_block, on, xp)
    full = {name: xp.full(() if name in _SCALARS else shape, float(value)) for name, value in NEUTRAL.items()}
    return full | own


def _drives(
    drug: Drug, p: Mapping[str, Any], c: Any, block: Any, on: frozenset[str], xp: Any
) -> dict[str, Any]:
    """Drive and receptor block of the interneurons that the drug may act on."""
    if block is None:
        shares = laws.subunit_shares("interneuron", p)
        at = (p["interneuron.v_bar"], p["interneuron.event_rate"])
        block = block_at_equilibrium(drug, p, c, *at, shares, p["interneuron.kappa"], xp)
    ampa = laws.simple_block("ampa", c, p, xp) if "ampa" in drug.laws else 0.0
    own: dict[str, Any] = {}
    for who in INTERNEURONS:
        if who in on:
            own[f"{who}_nmda_block"] = block
            own[f"{who}_drive"] = laws.interneuron_drive(p[f"{who}.nmda_share"], block, ampa, p)
    if "vip" in own or "vip_drive" in own:
        relief = 1.0 + p["vip.sst_relief"] * (1.0 - own["vip_drive"])
        own["sst_drive"] = own.get("sst_drive", 1.0) * relief
    return own


def effect(
    drug: Drug,
    concentration_uM: ArrayLike,
    v_bar_mV: ArrayLike | None = None,
    interneuron_uM: float | None = None,
    *,
    targets: Iterable[str] = TARGETS,
    overrides: Mapping[str, float] | None = None,
    nmda_block: ArrayLike | None = None,
    interneuron_block: float | None = None,
    label: str = "",
    time_min: float = float("nan"),
) -> DrugEffect:
    """Everything a concentration does to a neuron.

    Parameters
    ----------
    concentration_uM
        ``(n,)`` free drug at each compartment, soma first.
    v_bar_mV
        ``(n,)`` or one activity-weighted mean potential of the pyramid; default the drug's assumed value.
    interneuron_uM
        Free drug at the interneurons; default the soma's (they sit at its depth).
    targets
        What the drug may act on, a subset of ``TARGETS``; the rest stays as without drug.
    overrides
        Drug parameters by dotted name, as ``sample_parameters`` draws them.
    nmda_block, interneuron_block
        Block of the NMDA receptors of the pyramid ``(n,)`` and of interneurons, from a model with kinetics; default
        their equilibrium.
    label, time_min
        Name of the condition, and minutes since application.

    Raises
    ------
    InputError
        Negative or non-finite concentration, wrong shape, unknown target or parameter.
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
    if not np.all(np.isfinite(v)):
        raise InputError("mean potential: every value must be a finite number of mV")
    c_i = _concentration(c[0] if interneuron_uM is None else interneuron_uM)
    if c_i.ndim != 0:
        raise InputError("concentration at the interneurons must be one number")
    own = effect_fields(
        drug,
        p,
        c,
        v=v,
        interneuron_c=c_i,
        targets=on,
        nmda_block=None if nmda_block is None else np.broadcast_to(np.asarray(nmda_block, float), c.shape),
        interneuron_block=interneuron_block,
    )
    for name in _SCALARS:
        own[name] = float(own[name])
    return DrugEffect(label=label, time_min=float(time_min), **own)


def no_effect(n: int, label: str = "control") -> DrugEffect:
    """The effect of no drug on ``n`` compartments."""
    values: dict[str, Any] = {k: v if k in _SCALARS else np.full(n, v) for k, v in NEUTRAL.items()}
    return DrugEffect(label=label, time_min=float("nan"), **values)


def _concentration(value: ArrayLike) -> Array:
    c = np.asarray(value, dtype=np.float64)
    if not np.all(np.isfinite(c)):
        raise InputError("concentration: every value must be a finite number of uM")
    if np.any(c < 0):
        raise InputError(f"concentration of {c.min():g} uM is negative; give a value of zero or more")
    return c
