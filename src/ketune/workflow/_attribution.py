"""Which uncertain drug parameter a dose-response depends on: Sobol indices on the emulator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ketune.pharmacology import Attribution, Drug, SobolDesign, attribution, uncertain_parameters
from ketune.workflow._dose_response import DoseResponse, EffectOf

ATTRIBUTED = ("peak_rate_hz", "osi", "fano", "spontaneous_rate_hz", "preferred_shift_deg")
"""Quantities whose variance is attributed."""

# Of the design's groups (one of each k + 2 sets), so many may be left out where a quantity is not defined in them.
_MOST_LEFT_OUT = 0.01
# A quantity whose error on held-out runs is a larger share of its standard deviation over the design is not attributed:
# a quarter of its variance would be the emulator's.
_MOST_ERROR = 0.5
# In standard deviations of an action over the samples: what a parameter's whole range must move to be listed.
_NOTICEABLE = 0.02


@dataclass(frozen=True, eq=False)
class DoseAttribution:
    """Shares of every quantity at one dose, the largest total first.

    Attributes
    ----------
    shares
        By quantity; one that does not vary, that the emulator does not tell from its own error, or that is not defined
        in more than 1 % of the design's groups, is absent.
    left_out
        Why a quantity is absent, or how many groups of sets were left out for it.
    standard_deviation
        Of each quantity over the design.
    n_runs
        Emulated parameter sets.
    """

    dose: float
    dose_unit: str
    shares: dict[str, tuple[Attribution, ...]]
    standard_deviation: dict[str, float]
    left_out: dict[str, str]
    n_runs: int

    def as_dict(self) -> dict[str, Any]:
        """For a JSON document."""
        return {
            "dose": self.dose,
            "dose_unit": self.dose_unit,
            "n_runs": self.n_runs,
            "standard_deviation": self.standard_deviation,
            "left_out": self.left_out,
            "shares": {
                name: [{"parameter": row.factor, **row._asdict()} for row in rows]
                for name, rows in self.shares.items()
            },
        }


def relevant_parameters(
    response: DoseResponse, drug: Drug, effect_of: EffectOf, dose: float, given: Sequence[str] = ()
) -> tuple[str, ...]:
    """Uncertain parameters whose range, alone, changes what the drug does to this neuron at a dose.

    Parameters
    ----------
    given
        Names to judge; all that are not fixed if empty.
    """
    names = tuple(given) or uncertain_parameters(drug)
    ends = [(name, (drug.parameters[name].low, drug.parameters[name].high)) for name in names]
    rows = [response.reader(effect_of(dose, {}))]
    rows += [response.reader(effect_of(dose, {name: end})) for name, pair in ends for end in pair]
    points = response.points(rows)
    moved = np.abs(points[1:] - points[0]).max(axis=1).reshape(-1, 2).max(axis=1)
    return tuple(name for name, by in zip(names, moved, strict=True) if by > _NOTICEABLE)


def attribute(
    response: DoseResponse,
    effect_of: EffectOf,
    design: SobolDesign,
    *,
    dose: float | None = None,
    seed: int = 0,
    on_advance: Callable[[int], Any] | None = None,
) -> DoseAttribution:
    """First-order and total Sobol indices (Sobol 2001; estimators of Saltelli 2010, by SALib) at one dose.

    Parameters
    ----------
    design
        From :func:`ketune.pharmacology.sobol_design` over :func:`relevant_parameters`, with the posteriors of an assay
        where there are any.
    dose
        Where the default curve is steepest if not given.
    seed
        Of the bootstrap.
    on_advance
        Called with 1 for each parameter set.
    """
    dose = response.steepest_dose() if dose is None else dose
    actions = []
    for overrides in design.overrides:
        actions.append(response.reader(effect_of(dose, overrides)))
        if on_advance is not None:
            on_advance(1)
    found = response.respond(actions)
    shares: dict[str, tuple[Attribution, ...]] = {}
    left_out: dict[str, str] = {}
    size = len(design.factors) + 2  # SALib puts the sets that belong together in a row
    deviation: dict[str, float] = {}
    for name in ATTRIBUTED:
        values = found[name].reshape(-1, size)
        whole = np.asarray(np.all(np.isfinite(values), axis=1))
        if missing := int(np.sum(~whole)):
            left_out[name] = f"not defined in {missing} of {len(whole)} groups of parameter sets"
        if missing > _MOST_LEFT_OUT * len(whole):
            continue
        known = values[whole].ravel()
        if np.ptp(known) <= 1e-9 * np.abs(known).max(initial=0.0):
            left_out[name] = "does not vary"
            continue
        error, spread = response.quantity_error[name], float(np.std(known))
        if not error <= _MOST_ERROR * spread:
            left_out[name] = (
                f"varies by {spread:.3g} (SD), not enough against the emulator's error of {error:.3g} on held-out runs"
            )
            continue
        shares[name] = attribution(_only(design, np.repeat(whole, size)), known, seed)
        deviation[name] = spread
    return DoseAttribution(dose, response.doses.unit, shares, deviation, left_out, len(actions))


def _only(design: SobolDesign, rows: np.ndarray) -> SobolDesign:
    kept = np.flatnonzero(rows).tolist()
    return SobolDesign(design.factors, design.unit[kept], tuple(design.overrides[i] for i in kept))
