"""What block a row of an assay should show, given the one unknown potency, the Hill coefficient and the nuisances.

    block = A sum_s f_s C^n / (C^n + IC50_s^n),    ln IC50_s = ln(potency) + shift_s

For most targets the potency is the IC50 itself and there is no shift. For NMDA receptors that a drug blocks in the
open, Mg-free pore, the shift is the competition model of ``open_channel_ic50_uM`` at the row's own Mg and potential,
and the potency is the affinity of the Mg-free pore at the reference potential.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ketune.errors import InputError
from ketune.pharmacology._assay_file import AssayRow
from ketune.pharmacology._drug import Drug, Quantity
from ketune.pharmacology._laws import known_shares, open_channel_ic50_uM, subunit_shares
from ketune.pharmacology._sampling import quantile

Array = NDArray[np.float64]

_GAS_J_MOL_K, _FARADAY_C_MOL = 8.314462618, 96485.33212

# The shift of HCN1 and the loss of its conductance are both in a measured current, so the largest block of an assay
# is not the drug file's rho_max; it is inferred over this range and stays with the assay (an assumption).
_HCN_LARGEST = Quantity(
    value=0.6,
    unit="1",
    low=0.2,
    high=1.0,
    spread="uniform",
    confidence=("assumed",),
    source="largest block of an HCN current in an assay; range ours",
)


@dataclass(frozen=True)
class Condition:
    """Free Mg (mM) and potential (mV) of an NMDA measurement, and the thermal voltage at its temperature (mV)."""

    mg_mM: float
    holding_mV: float
    thermal_mV: float

    def __str__(self) -> str:
        return f"{self.mg_mM:g} mM Mg at {self.holding_mV:g} mV"


@dataclass(frozen=True)
class Law:
    """How block depends on what is inferred.

    Attributes:
        target: the target.
        subunits: names of the mixed subtypes; one empty name where there is no mixture.
        shares: (s,) their shares.
        values: the drug's numbers by dotted name.
        nuisances: those of them that are not inferred for their own sake but carry uncertainty, with their laws.
        ceiling: name of the nuisance that is the largest block, or a fixed value.
        written: the potency's parameters in the drug, with the factor from the potency to each.
        local: nuisances that belong to the assay and are not handed on.
        companion: (name, law) of a factor that the model multiplies the potency with, and that is drawn with it.
        competition: whether Mg and potential shift the IC50.
        base_uM: affinity of a subtype per unit of potency.
        reference_mV: potential of the potency.
        thermal_mV: thermal voltage where a row gives no temperature.
    """

    target: str
    subunits: tuple[str, ...]
    shares: Array
    values: Mapping[str, float]
    nuisances: Mapping[str, Quantity]
    ceiling: str | float
    written: Mapping[str, float]
    local: frozenset[str] = frozenset()
    companion: tuple[str, Quantity] | None = None
    competition: bool = False
    base_uM: Mapping[str, float] = field(default_factory=dict)
    reference_mV: float = 0.0
    thermal_mV: float = 1.0

    @property
    def hill(self) -> str:
        """Name of the Hill coefficient."""
        return f"{self.group}.hill"

    @property
    def group(self) -> str:
        """Group of the drug file that the target belongs to."""
        return self.target.split("_")[0]

    def draws(self, u: Array) -> dict[str, Array]:
        """Values of the nuisances at (m, d) numbers in (0, 1)."""
        return {name: quantile(name, q, u[:, i]) for i, (name, q) in enumerate(self.nuisances.items())}

    def condition(self, row: AssayRow) -> Condition | None:
        """The condition of a row where it matters."""
        if not self.competition or row.mg_mM is None or row.holding_mV is None:
            return None
        thermal = self.thermal_mV
        if row.temperature_C is not None:
            thermal = 1e3 * _GAS_J_MOL_K * (row.temperature_C + 273.15) / _FARADAY_C_MOL
        return Condition(row.mg_mM, row.holding_mV, thermal)

    def shift(self, condition: Condition | None, nuisance: Mapping[str, Array]) -> Array:
        """(m, s) ln of IC50 over potency, for m draws of the nuisances."""
        m = len(next(iter(nuisance.values()))) if nuisance else 1
        out = np.empty((m, len(self.subunits)))
        for i, subunit in enumerate(self.subunits):
            base = self.base_uM.get(subunit, 1.0)
            if condition is None:
                out[:, i] = math.log(base)
                continue
            here = {f"nmda.k_{subunit}": base, "nmda.affinity_scale": 1.0, "nmda.mg": condition.mg_mM}
            numbers = {**self.values, **nuisance, **here}
            where = (condition.holding_mV, numbers, self.reference_mV, condition.thermal_mV)
            out[:, i] = np.log(open_channel_ic50_uM(subunit, *where, np))
        return out

    def largest(self, nuisance: Mapping[str, Array], m: int) -> Array:
        """(m,) the largest block."""
        return np.full(m, self.ceiling) if isinstance(self.ceiling, float) else nuisance[self.ceiling]

    def ic50_uM(self, ln_potency: Array, hill: Array, shift: Array) -> Array:
        """(m,) concentration of half the largest block, for (m,) potencies and Hill coefficients, (m, s) shifts."""
        if len(self.subunits) == 1:
            return np.exp(ln_potency + shift[:, 0])
        low, high = ln_potency + shift.min(axis=1), ln_potency + shift.max(axis=1)
        from scipy.special import expit

        for _ in range(60):  # a mixture has no closed form; bisection between its subtypes
            middle = 0.5 * (low + high)
            block = expit(hill[:, None] * (middle[:, None] - ln_potency[:, None] - shift)) @ self.shares
            low, high = np.where(block < 0.5, middle, low), np.where(block < 0.5, high, middle)
        return np.exp(0.5 * (low + high))


def assay_law(target: str, drug: Drug) -> Law:
    """The law of a target for a drug.

    Raises:
        InputError: the drug has no law on this target that an IC50 could feed.
    """
    group, p = target.split("_")[0], drug.parameters
    law = drug.laws.get(group)
    if law in ("linear", "modulator"):
        raise InputError(
            f"{drug.name} acts on {group} as a modulator, which block in percent cannot feed; "
            f"remove the rows of {target}, or give {group}.ic50 in a drug file"
        )
    if law is None and group in ("hcn1", "nmda"):
        what = "how it blocks NMDA receptors" if group == "nmda" else "its largest shift and block of HCN1"
        raise InputError(
            f"nothing is known of {drug.name} on {group}, and an assay does not say {what}; "
            f"give [{group}] in a drug file"
        )
    if group == "nmda":
        return _nmda(target, drug, law)
    potency = f"{group}.{'ec50' if group in ('kv', 'hcn1') else 'ic50'}"
    nuisances, ceiling = _largest_block(p, group)
    local = frozenset[str]()
    if group == "hcn1":
        ceiling = "hcn1.assay_largest_block"
        nuisances, local = {ceiling: _HCN_LARGEST}, frozenset({ceiling})
    return Law(target, ("",), np.ones(1), drug.values(), nuisances, ceiling, {potency: 1.0}, local)


def _largest_block(p: Mapping[str, Quantity], group: str) -> tuple[dict[str, Quantity], str | float]:
    name = f"{group}.block_max"
    if name not in p:
        return {}, 1.0
    return ({}, p[name].value) if p[name].spread == "fixed" else ({name: p[name]}, name)


def _nmda(target: str, drug: Drug, law: str | None) -> Law:
    p, values = drug.parameters, drug.values()
    competition = law == "open-channel"
    key = "k" if competition else "ic50"
    if target == "nmda":
        shares = known_shares(subunit_shares("pyramid", values), values, key)
        if not shares:
            raise InputError(
                f"no potency of {drug.name} at GluN2A or GluN2B is known, so a whole cell's block cannot be related "
                "to its subtypes; name the subtype that was measured (nmda_2B)"
            )
        base = {s: values[f"nmda.{key}_{s}"] for s in shares}
        # One factor for every subtype: the assay of a mixture cannot tell them apart.
        written = {"nmda.affinity_scale": 1.0} if competition else _all_ic50(values)
    else:
        subunit = target.removeprefix("nmda_")
        shares, base, written = {subunit: 1.0}, {}, {f"nmda.{key}_{subunit}": 1.0}
    nuisances: dict[str, Quantity] = {}
    ceiling: str | float = 1.0
    companion = None
    if competition:
        carried = ("nmda.delta", "nmda.mg_slope", *(f"nmda.k_mg_{s}" for s in shares))
        nuisances = {name: p[name] for name in carried if name in p}
        if target != "nmda" and "nmda.affinity_scale" in p:
            companion = ("nmda.affinity_scale", p["nmda.affinity_scale"])
    else:
        nuisances, ceiling = _largest_block(p, "nmda")
    return Law(
        target=target,
        subunits=tuple(shares),
        shares=np.array(list(shares.values())),
        values=values,
        nuisances=nuisances,
        ceiling=ceiling,
        written=written,
        companion=companion,
        competition=competition,
        base_uM=base,
        reference_mV=drug.reference_potential_mV,
        thermal_mV=drug.thermal_voltage_mV,
    )


def _all_ic50(values: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if name.startswith("nmda.ic50_")}


def rows_law(
    law: Law, rows: Sequence[AssayRow], nuisance: Mapping[str, Array], m: int
) -> tuple[Array, Callable[[int, Array, Array], Array]]:
    """Mean shift of the rows, and the block that they should show.

    Returns:
        (m,) the mean of ln of IC50 over potency under each draw of the nuisances, and a function of (draw, ln of the
        IC50 at that mean (x,), ln Hill (h,)) that gives block as (rows, x, h).
    """
    from scipy.special import expit

    conditions = [law.condition(row) for row in rows]
    of = {condition: law.shift(condition, nuisance) for condition in set(conditions)}
    shift = np.stack([np.broadcast_to(of[c], (m, len(law.subunits))) for c in conditions], axis=1)
    mean = shift.mean(axis=(1, 2))
    largest = law.largest(nuisance, m)
    with np.errstate(divide="ignore"):
        ln_c = np.log([row.concentration_uM for row in rows])

    def block(draw: int, in_assay: Array, ln_hill: Array) -> Array:
        hill = np.exp(ln_hill)
        out = np.zeros((len(rows), len(in_assay), len(ln_hill)))
        for i, share in enumerate(law.shares):
            away = (ln_c - shift[draw, :, i] + mean[draw])[:, None] - in_assay
            out += share * expit(away[:, :, None] * hill)
        return out * largest[draw]

    return mean, block
