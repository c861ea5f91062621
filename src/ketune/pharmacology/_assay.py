"""A drug's potency and Hill coefficient from a user's own assay, as joint draws that feed a dose-response."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ketune.pharmacology._assay_checks import refuse_contradictions
from ketune.pharmacology._assay_file import Assay, AssayRow
from ketune.pharmacology._assay_grid import HILL_95, posterior
from ketune.pharmacology._assay_law import Condition, Law, assay_law
from ketune.pharmacology._drug import Drug, Quantity
from ketune.pharmacology._sampling import joint_names, quantile, unit_points
from ketune.pharmacology._schema import KEYS

Array = NDArray[np.float64]
Status = Literal["identified", "one-sided", "not identified"]

N_DRAWS = 4096
TISSUE_MG_MM, TISSUE_MV = 1.0, -66.0
"""Where the effective IC50 of NMDA receptors is reported for comparison: 1 mM Mg and -66 mV."""

_OPEN_TAIL = 0.005
_FAR_FROM_37 = 5.0


class Span(NamedTuple):
    """Median, and the 2.5 % and 97.5 % points."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3g} (95 % {self.low:.3g} to {self.high:.3g})"


class InCondition(NamedTuple):
    """IC50 of NMDA receptors in one condition of the assay, and the factor from there to the tissue condition."""

    condition: str
    ic50_uM: Span
    to_tissue: Span


@dataclass(frozen=True, eq=False)
class AssayPosterior:
    """What an assay says about one drug on one target.

    Attributes:
        target: the target.
        drug: name of the drug.
        source: file of the assay.
        n_rows: measurements used.
        n_preparations: how many preparations they come from; ``None`` where the file does not say.
        status: "identified"; "one-sided" when the data bound the IC50 on one side only, so that the other end is
            the prior's; "not identified" when on neither.
        bound: where a one-sided IC50 lies of its bound; else empty.
        ic50_uM: (s,) draws, increasing. For NMDA receptors with competition: of the Mg-free pore at the drug's
            reference potential, and for "nmda" of the mixture of subtypes.
        hill: (s,) draws of the Hill coefficient, joint with ``ic50_uM``.
        parameters: (s,) draws of everything that is handed to the model, by dotted name, joint with them.
        tissue_ic50_uM: (s,) IC50 at 1 mM Mg and -66 mV (NMDA receptors with competition), else ``None``.
        conditions: IC50 in each Mg and potential of the file, and the correction from there.
        noise_sd: posterior median of the SD of a measurement of block.
        between_sd: posterior median of the SD of ln IC50 between preparations; NaN without preparations.
        cautions: what a user should know before trusting the numbers, one line each.
    """

    target: str
    drug: str
    source: str
    n_rows: int
    n_preparations: int | None
    status: Status
    bound: Literal["above", "below", ""]
    ic50_uM: Array
    hill: Array
    parameters: dict[str, Array]
    tissue_ic50_uM: Array | None
    conditions: tuple[InCondition, ...]
    noise_sd: float
    between_sd: float
    cautions: tuple[str, ...]

    @property
    def label(self) -> str:
        """Name as a factor of a sensitivity analysis."""
        return f"assay {self.target}"

    @property
    def names(self) -> tuple[str, ...]:
        """The drug parameters it sets."""
        return tuple(self.parameters)

    def at(self, u: ArrayLike) -> dict[str, Array]:
        """Drug parameters at numbers in (0, 1), in the order of increasing IC50; uniform numbers give draws."""
        index = self._index(u)
        return {name: values[index] for name, values in self.parameters.items()}

    def samples(self, n: int, seed: int) -> tuple[Array, Array]:
        """``n`` joint draws of IC50 (µM) and Hill coefficient, the same draws as in ``assay_overrides``."""
        index = self._index(unit_points(self.label, n, seed, stratified=True))
        return self.ic50_uM[index], self.hill[index]

    def ic50(self) -> Span:
        """The IC50 in µM."""
        return _span(self.ic50_uM)

    def describe(self) -> str:
        """The result on one line."""
        what = f"{self.drug} on {self.target}: "
        free = " (Mg-free pore)" if self.tissue_ic50_uM is not None else ""
        if self.status == "identified":
            what += f"IC50 {self.ic50()} uM{free}"
        elif self.status == "one-sided":
            bound = np.quantile(self.ic50_uM, 0.05 if self.bound == "above" else 0.95)
            what += f"IC50 one-sided, {self.bound} {bound:.3g} uM{free} (95 %)"
        else:
            what += "IC50 not identified"
        what += f", Hill {_span(self.hill)}; {self.n_rows} measurements"
        if self.tissue_ic50_uM is not None and self.status == "identified":
            what += f"; {_span(self.tissue_ic50_uM)} uM at {TISSUE_MG_MM:g} mM Mg and {TISSUE_MV:g} mV"
        return what

    def _index(self, u: ArrayLike) -> NDArray[np.intp]:
        last = len(self.ic50_uM) - 1
        return np.clip((np.asarray(u) * (last + 1)).astype(np.intp), 0, last)


def fit_assay(assay: Assay, target: str, drug: Drug, *, seed: int = 0) -> AssayPosterior:
    """Joint posterior of IC50 and Hill coefficient of a drug on a target.

    Noise and variation between preparations are integrated out; NMDA rows pass through the competition with Mg at
    their own Mg and potential, with the uncertainty of Mg affinity and electrical distance carried jointly. Model,
    priors and limits: docs/assay.md.

    Args:
        assay: the file.
        target: one of ``ASSAY_TARGETS``.
        drug: the drug; its largest block, Mg affinities and electrical distance are used.
        seed: seed of the draws.

    Raises:
        InputError: no rows of this drug on this target, no concentration above zero, contradictory rows, or a drug
            whose action on the target is not a block.
    """
    rows = assay.select(drug, target)
    law = assay_law(target, drug)
    refuse_contradictions(assay.source, law, rows, drug.name)
    preparations = len({row.preparation for row in rows}) if rows[0].preparation is not None else None
    found = posterior(law, rows, preparations=preparations is not None, seed=seed, n_draws=N_DRAWS)

    order = np.argsort(found.ln_potency)
    ln_potency, hill = found.ln_potency[order], np.exp(found.ln_hill[order])
    nuisance = {name: values[order] for name, values in found.nuisance.items()}
    scale: Array | float = 1.0
    parameters: dict[str, Array] = {}
    if law.companion is not None:
        # The model multiplies every subtype with this factor. What was measured is the product, so the factor is
        # drawn here and divided out: the other subtypes keep its spread, the measured one does not get it twice.
        name, q = law.companion
        scale = quantile(name, q, np.random.default_rng(seed).permutation(_strata(N_DRAWS)))
        parameters[name] = scale
    parameters |= {name: np.exp(ln_potency) * factor / scale for name, factor in law.written.items()}
    parameters[law.hill] = hill
    parameters |= {name: values for name, values in nuisance.items() if name not in law.local}

    ic50 = law.ic50_uM(ln_potency, hill, law.shift(None, nuisance))
    increasing = np.argsort(ic50, kind="stable")
    tissue, conditions = _conditions(law, rows, ln_potency, hill, nuisance)
    # Probability that the IC50 lies within a factor of ten of an end of the prior.
    reach = math.log(10.0)
    below = float(np.mean(found.in_assay < found.span[0] + reach)) > _OPEN_TAIL
    above = float(np.mean(found.in_assay > found.span[1] - reach)) > _OPEN_TAIL
    status: Status = "not identified" if below and above else "one-sided" if below or above else "identified"
    return AssayPosterior(
        target=target,
        drug=drug.name,
        source=assay.source,
        n_rows=len(rows),
        n_preparations=preparations,
        status=status,
        bound="" if status != "one-sided" else "above" if above else "below",
        ic50_uM=ic50[increasing],
        hill=hill[increasing],
        parameters={name: values[increasing] for name, values in parameters.items()},
        tissue_ic50_uM=None if tissue is None else tissue[increasing],
        conditions=conditions,
        noise_sd=found.noise_sd,
        between_sd=found.between_sd,
        cautions=_cautions(law, rows, status, hill, preparations, found.noise_sd, found.effective_draws),
    )


def assay_overrides(
    posteriors: AssayPosterior | Sequence[AssayPosterior], n: int, seed: int
) -> list[dict[str, float]]:
    """``n`` joint draws as drug parameters, to be merged over ``sample_parameters``' sets.

    The draws of one assay belong together: an affinity behind Mg, for instance, comes with the Mg affinity it was
    computed with.

    Raises:
        InputError: two posteriors set the same parameter.
    """
    several = (posteriors,) if isinstance(posteriors, AssayPosterior) else tuple(posteriors)
    joint_names(several)
    columns: dict[str, Array] = {}
    for each in several:
        columns |= each.at(unit_points(each.label, n, seed, stratified=True))
    return [{name: float(column[i]) for name, column in columns.items()} for i in range(n)]


def drug_with_assay(drug: Drug, posteriors: AssayPosterior | Sequence[AssayPosterior]) -> Drug:
    """The drug with an assay's medians and 95 % intervals in place of its own numbers.

    What the assay measured becomes the default, with the assay as its source; a target that the drug did not act on
    gets a block. Draws come from ``assay_overrides``, which keeps what belongs together; the intervals here do not.

    Raises:
        InputError: two posteriors set the same parameter.
    """
    several = (posteriors,) if isinstance(posteriors, AssayPosterior) else tuple(posteriors)
    joint_names(several)
    parameters, laws = dict(drug.parameters), dict(drug.laws)
    for each in several:
        laws.setdefault(each.target.split("_")[0], "block")
        source = f"fit to {Path(each.source).name} ({each.n_rows} measurements on {each.target})"
        for name, values in each.parameters.items():
            median, low, high = _span(values)
            old = parameters.get(name)
            parameters[name] = Quantity(
                value=median,
                unit=KEYS[name].unit,
                low=low,
                high=high,
                spread="lognormal" if old is None or old.spread == "fixed" else old.spread,
                confidence=("derived",),
                source=source,
                meaning=KEYS[name].meaning if old is None else old.meaning,
                stress=() if old is None else old.stress,
            )
    return Drug.model_validate({**dict(drug), "parameters": parameters, "laws": laws})


def _strata(n: int) -> Array:
    return (np.arange(n) + 0.5) / n


def _span(values: Array) -> Span:
    return Span(*(float(v) for v in np.quantile(values, [0.5, 0.025, 0.975])))


def _conditions(
    law: Law, rows: Sequence[AssayRow], ln_potency: Array, hill: Array, nuisance: dict[str, Array]
) -> tuple[Array | None, tuple[InCondition, ...]]:
    if not law.competition:
        return None, ()

    def at(condition: Condition | None) -> Array:
        return law.ic50_uM(ln_potency, hill, law.shift(condition, nuisance))

    tissue = at(Condition(TISSUE_MG_MM, TISSUE_MV, law.thermal_mV))
    seen = dict.fromkeys(law.condition(row) for row in rows)
    return tissue, tuple(InCondition(str(c), _span(at(c)), _span(tissue / at(c))) for c in seen)


def _cautions(
    law: Law,
    rows: Sequence[AssayRow],
    status: Status,
    hill: Array,
    preparations: int | None,
    noise_sd: float,
    effective_draws: float,
) -> tuple[str, ...]:
    out = []
    if status != "identified":
        out.append(f"IC50 {status}: the end that the data leave open is the prior's")
    if len({row.concentration_uM for row in rows if row.concentration_uM > 0}) == 1:
        out.append("one concentration: the Hill coefficient is the prior's, and the IC50 depends on it")
    elif np.std(np.log(hill)) > 0.8 * math.log(HILL_95) / 1.96:
        out.append("the data say little about the Hill coefficient, which is mostly the prior's")
    if preparations is None:
        out.append(
            "no preparation column: rows count as independent, variation between preparations is left out"
        )
    elif preparations < 3:
        out.append(f"{preparations} preparation(s): the variation between preparations is mostly the prior's")
    if noise_sd > 0.15:
        out.append(f"block scatters by {100 * noise_sd:.0f} % about the curve")
    temperatures = {row.temperature_C for row in rows if row.temperature_C is not None}
    if any(abs(t - 37.0) > _FAR_FROM_37 for t in temperatures):
        shown = ", ".join(f"{t:g}" for t in sorted(temperatures))
        out.append(f"measured at {shown} degC: affinity is not corrected for temperature")
    if law.local:
        out.append("IC50 is the concentration of half the largest effect; the largest block is not handed on")
    if effective_draws < 20 and law.nuisances:
        out.append(f"{', '.join(law.nuisances)} rest on {effective_draws:.0f} effective draws")
    return tuple(out)
