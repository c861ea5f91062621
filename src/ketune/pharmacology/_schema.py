"""What a drug file may say: keys and units, what a law needs, what stands in for a key that is not known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SUBUNITS = ("2A", "2B", "2C", "2D")
Bound = Literal["positive", "zero", "fraction", "signed"]


@dataclass(frozen=True)
class Key:
    """One number of a drug or of the preparation.

    Attributes
    ----------
    bound
        ``positive``; ``zero`` or more; a ``fraction`` of 0 to 1; or ``signed``.
    neutral
        The value that does nothing and stands in where a drug does not give the key; None where there is no such value.
    """

    unit: str
    bound: Bound
    meaning: str
    neutral: float | None = None


_BLOCK = {
    "ic50": Key("uM", "positive", "half block"),
    "hill": Key("1", "positive", "Hill coefficient", 1.0),
    "block_max": Key("1", "fraction", "largest block", 1.0),
}
_GAIN = {
    "ec50": Key("uM", "positive", "half of the largest gain"),
    "gain_max": Key("1", "zero", "largest relative increase of the conductance", 0.0),
}

DRUG_KEYS: dict[str, Key] = {
    "molar_mass.salt": Key("g/mol", "positive", "of what is weighed as the salt"),
    "molar_mass.base": Key("g/mol", "positive", "of the free base"),
    **{
        f"nmda.k_{s}": Key("uM", "positive", f"affinity for the Mg-free open pore of GluN1/{s} at -66 mV")
        for s in SUBUNITS
    },
    **{f"nmda.ic50_{s}": Key("uM", "positive", f"half block of GluN1/{s}, whatever Mg") for s in SUBUNITS},
    "nmda.affinity_scale": Key("1", "positive", "multiplies every NMDA affinity", 1.0),
    "nmda.hill": Key("1", "positive", "Hill coefficient", 1.0),
    "nmda.delta": Key("1", "fraction", "electrical distance of the site (Woodhull, z = 1)", 0.0),
    "nmda.k_on": Key("1/uM/s", "positive", "binding to the open, Mg-free pore"),
    "nmda.k_esc": Key("1/s", "zero", "escape from closed channels"),
    "nmda.block_max": Key("1", "fraction", "largest block", 1.0),
    **{f"ampa.{k}": v for k, v in _BLOCK.items()},
    "hcn1.ec50": Key("uM", "positive", "half effect on HCN1"),
    "hcn1.hill": Key("1", "positive", "Hill coefficient", 1.0),
    "hcn1.dv_max": Key("mV", "zero", "largest hyperpolarising shift of activation", 0.0),
    "hcn1.rho_max": Key("1", "fraction", "largest loss of conductance", 0.0),
    **{f"nav.{k}": v for k, v in _BLOCK.items()},
    **{f"cal.{k}": v for k, v in _BLOCK.items()},
    "kv.ec50": Key("uM", "positive", "half of the largest block"),
    "kv.hill": Key("1", "positive", "Hill coefficient", 1.0),
    "kv.block_max": Key("1", "fraction", "largest block", 1.0),
    "kv.dv_max": Key("mV", "zero", "largest depolarising shift of activation", 0.0),
    "kv.dv_ec50": Key("uM", "positive", "half of the largest shift", 1.0),
    **{f"gabaa.{k}": v for k, v in (_BLOCK | _GAIN).items()},
    "gabaa.decay_max": Key("1", "zero", "largest relative increase of the decay time", 0.0),
    **{f"gabatonic.{k}": v for k, v in (_BLOCK | _GAIN).items()},
    "gabatonic.gain_per_100uM": Key(
        "1", "zero", "relative increase at 100 uM, linear below and constant above"
    ),
    "topical.diffusion": Key("um^2/s", "positive", "flux per gradient of free drug"),
    "topical.retention": Key("1", "positive", "total over free drug in tissue"),
    "topical.clearance": Key("1/s", "positive", "loss of tissue drug to blood"),
    "systemic.uM_per_mg_kg": Key("uM*kg/mg", "positive", "free brain concentration per dose of the salt"),
    "systemic.absorption": Key("1/min", "positive", "uptake from the peritoneum to the brain"),
    "systemic.iv_uptake": Key("1/min", "positive", "uptake to the brain after an intravenous injection"),
    "systemic.half_life": Key("min", "positive", "of free drug in the brain after uptake"),
    "systemic.norketamine_fraction": Key("1", "fraction", "of the eliminated drug that becomes norketamine"),
    "systemic.norketamine_half_life": Key("min", "positive", "of norketamine in the brain"),
    "systemic.norketamine_equivalence": Key(
        "1", "zero", "drug that blocks NMDA receptors as one norketamine"
    ),
    "focal.transport_number": Key("1", "fraction", "share of the ejection current that the drug carries"),
}
"""What a drug file may give."""

PREPARATION_KEYS: dict[str, Key] = {
    **{f"nmda.k_mg_{s}": Key("mM", "positive", f"Mg affinity of GluN1/{s} at -66 mV") for s in SUBUNITS},
    "nmda.mg_slope": Key("1/mV", "positive", "voltage dependence of the Mg affinity"),
    "nmda.mg": Key("mM", "zero", "free Mg outside"),
    "pyramid.fraction_2A": Key(
        "1", "fraction", "share of GluN2A in pyramidal NMDA receptors; the rest is 2B"
    ),
    "pyramid.v_bar": Key("mV", "signed", "mean potential while NMDA receptors are open"),
    "pyramid.event_rate": Key("Hz", "positive", "events at one NMDA synapse"),
    "interneuron.fraction_2D": Key("1", "fraction", "share of GluN2D in interneurons' NMDA receptors"),
    "interneuron.kappa": Key("1", "positive", "extra affinity of interneurons' NMDA receptors"),
    "interneuron.v_bar": Key("mV", "signed", "mean potential while their NMDA receptors are open"),
    "interneuron.event_rate": Key("Hz", "positive", "events at one of their NMDA synapses"),
    "interneuron.drive_exponent": Key("1", "positive", "how drive falls with the loss of excitation"),
    "pv.nmda_share": Key("1", "fraction", "share of PV drive carried by NMDA receptors"),
    "sst.nmda_share": Key("1", "fraction", "share of SST drive carried by NMDA receptors"),
    "vip.nmda_share": Key("1", "fraction", "share of VIP drive carried by NMDA receptors"),
    "vip.sst_relief": Key("1", "zero", "relative rise of SST drive when VIP cells fall silent"),
    "dopamine.tone": Key("nM", "positive", "extracellular dopamine without drug"),
    "dopamine.rho_th": Key("1", "positive", "density of catecholamine axons over that of control"),
    "dopamine.dopamine_share": Key("1", "fraction", "exponent with which dopamine follows that density"),
    "dopamine.acute_gain": Key("1", "zero", "largest relative rise of dopamine by the drug"),
    "dopamine.ec50": Key("uM", "positive", "drug at half of that rise"),
    "dopamine.k_d1": Key("nM", "positive", "affinity of D1 receptors"),
    "dopamine.k_d2": Key("nM", "positive", "affinity of D2 receptors"),
    "dopamine.modulation": Key("1", "zero", "relative change of each target at full occupancy"),
    "topical.reservoir": Key("ul/mm^2", "positive", "solution held per area of paper"),
    "topical.lateral_distance": Key("um", "signed", "from the paper's edge; below zero under it"),
    "topical.paper_minutes": Key("min", "positive", "how long the paper stays"),
    "topical.soma_depth": Key("um", "positive", "depth of the soma below the pia"),
    "topical.area": Key("mm^2", "positive", "of the paper, taken as a disc"),
    "focal.volume": Key("nl", "positive", "ejected by one pressure pulse"),
    "focal.volume_fraction": Key("1", "positive", "extracellular share of tissue, which that volume fills"),
    "focal.duration": Key("min", "positive", "how long the ejection current flows"),
    "focal.depth": Key("um", "zero", "of the pipette's tip below the pia"),
    "focal.lateral_distance": Key("um", "zero", "from the pipette's tip to the neuron"),
}
"""What belongs to the tissue and its cells; ``preparation.toml`` gives all of it, and a drug file may give its own."""

KEYS = DRUG_KEYS | PREPARATION_KEYS

TARGET_GROUPS = ("nmda", "ampa", "hcn1", "nav", "kv", "cal", "gabaa", "gabatonic")
"""Groups of a drug file that are actions on something; a drug has those that there is evidence for."""

# Group and law -> keys of which each line needs at least one. The law is named in the file where a group has several.
LAWS: dict[str, dict[str, tuple[tuple[str, ...], ...]]] = {
    "nmda": {
        "open-channel": (tuple(f"k_{s}" for s in SUBUNITS),),
        "hill": (tuple(f"ic50_{s}" for s in SUBUNITS),),
    },
    "ampa": {"block": (("ic50",),)},
    "hcn1": {"block": (("ec50",), ("dv_max", "rho_max"))},
    "nav": {"block": (("ic50",),)},
    "kv": {"block": (("ec50",),)},
    "cal": {"block": (("ic50",),)},
    "gabaa": {"block": (("ic50",),), "modulator": (("ec50",), ("gain_max", "decay_max"))},
    "gabatonic": {
        "block": (("ic50",),),
        "modulator": (("ec50",), ("gain_max",)),
        "linear": (("gain_per_100uM",),),
    },
}


# Guards of ours: beyond them a number is a mistake in its unit, and the laws leave what floating point can hold.
_SMALLEST, _LARGEST = 1e-12, 1e9
_STEEPEST = 20.0


def check_number(name: str, number: float) -> None:
    """Raise ValueError where a value of the key cannot be."""
    bound = KEYS[name].bound
    if number != number or number in (float("inf"), float("-inf")):
        raise ValueError(f"{name} = {number:g} is not a finite number")
    if abs(number) > _LARGEST or (bound == "positive" and 0.0 < number < _SMALLEST):
        unit = "" if KEYS[name].unit == "1" else f" {KEYS[name].unit}"
        raise ValueError(f"{name} = {number:g}{unit} is beyond what such a number can be; check its unit")
    if name.endswith(".hill") and number > _STEEPEST:
        raise ValueError(f"{name} = {number:g} is steeper than any binding; give at most {_STEEPEST:g}")
    if bound == "signed":
        return
    if number < 0 or (number == 0 and bound == "positive"):
        raise ValueError(
            f"{name} = {number:g} must be {'positive' if bound == 'positive' else 'zero or more'}"
        )
    if bound == "fraction" and number > 1:
        raise ValueError(f"{name} = {number:g} is a fraction and must be at most 1")


def law_of(group: str, named: object, given: set[str]) -> str:
    """The law that a group's keys make.

    Raises
    ------
    ValueError
        The law is not known for the group, a key that it needs is missing, or it is ambiguous.
    """
    laws = LAWS[group]
    if named is not None and not (isinstance(named, str) and named in laws):
        raise ValueError(f"[{group}] law '{named}' is unknown; known: {', '.join(laws)}")
    fits = [law for law, needs in laws.items() if all(any(key in given for key in line) for line in needs)]
    chosen = [law for law in fits if named in (None, law)]
    if not chosen:
        wanted = "; or ".join(
            f"{law}: " + " and ".join(" or ".join(line) for line in laws[law])
            for law in ([named] if named else laws)
        )
        raise ValueError(f"[{group}] lacks what its law needs ({wanted})")
    if len(chosen) > 1:
        raise ValueError(f"[{group}] gives keys of several laws ({', '.join(chosen)}); keep those of one")
    return chosen[0]
