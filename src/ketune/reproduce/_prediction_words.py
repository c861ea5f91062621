"""What is measured for the targets that are not fitted, and pieces of the sentences about them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ketune.evidence import Target, Window
from ketune.reproduce._prediction_rules import PredictionRow, applicable

FloatArray = NDArray[np.float64]

NMDA_LEFT, AMPA_LEFT = "response under NMDA block over control", "response under AMPA block over control"
BLOCKED_SELECTIVITY = "subthreshold selectivity (NMDA block of the cell over control)"
LOSS_RATIO = "share left of the preferred over share left of the orthogonal response (NMDA block of the cell)"
HYPERPOLARISED_SELECTIVITY = "subthreshold selectivity (hyperpolarised over control)"
PREFERRED_CHANGE = "change of preferred orientation (tuft or one basal dendrite removed)"
WIDTH_CHANGE = "relative change of width (tuft or one basal dendrite removed)"
SELECTIVITY_RATIO = "ratio of spiking selectivity indices under loss of NMDA"
GAIN_RATIO = "slope or largest response under NMDA block over control"
C50_CHANGE, EXPONENT_CHANGE = (
    "relative change of the semisaturation contrast",
    "relative change of the exponent",
)
QUANTITIES: dict[str, tuple[str, ...]] = {
    "T6": (),
    "T8": (NMDA_LEFT, AMPA_LEFT),
    "T9": (BLOCKED_SELECTIVITY, LOSS_RATIO, HYPERPOLARISED_SELECTIVITY),
    "T10": (PREFERRED_CHANGE, WIDTH_CHANGE),
    "T11": (SELECTIVITY_RATIO,),
    "T12": (GAIN_RATIO, C50_CHANGE, EXPONENT_CHANGE),
}
"""What is measured for each target, by the names that rules use."""

TUNED_REFERENCE = (
    "The one cell of `ketune verify --biology` was tuned until a check of this kind held in it: there it is no "
    "prediction. The neurons of a virtual population are not that cell. Their distributions were chosen for control "
    "tuning and for the median response without NMDA receptors, so what else they say here was not fitted."
)
CALIBRATED_BLOCK = (
    "The NMDA conductance of the populations was chosen so that, by the response surface, the median response without "
    "NMDA receptors is near the 45 % of Sato et al. 1999: of this target only the AMPA block, the spread over neurons, "
    "and that spikes agree, were not fitted."
)


@dataclass(frozen=True)
class Outcome:
    """Verdict, sentence, figures and note of a target."""

    met: bool | None
    words: str
    rows: list[PredictionRow]
    note: str


@dataclass(frozen=True)
class Chosen:
    """Places of the neurons that an experiment was done on, of ``of`` in all."""

    places: tuple[int, ...]
    of: int

    @property
    def words(self) -> str:
        """For the note."""
        if len(self.places) == self.of:
            return f"All {self.of} neurons"
        return f"{len(self.places)} of {self.of} neurons, evenly spaced in the order of absolute disparity"


def check_rules(targets: Iterable[Target]) -> None:
    """Refuse rules that could not be applied after all is simulated.

    Raises
    ------
    InputError
        See :func:`ketune.reproduce._prediction_rules.applicable`.
    """
    for target in targets:
        applicable(target, QUANTITIES[target.id])


def window_of(target: Target, quantity: str) -> Window | None:
    return next((w for w in target.window if w.quantity == quantity), None)


def row_of(rows: Sequence[PredictionRow], quantity: str) -> PredictionRow | None:
    return next((r for r in rows if r.quantity == quantity), None)


def median_words(row: PredictionRow | None) -> str:
    """Value and interval of a row."""
    if row is None or row.value is None:
        return "nothing measurable"
    if row.interval is None:
        return f"{row.value:.3g}"
    return f"{row.value:.3g} ({row.interval[0]:.3g} to {row.interval[1]:.3g})"


def plain_median(values: FloatArray) -> str:
    known = values[np.isfinite(values)]
    return f"{np.median(known):.2g}" if known.size else "not known"


def sentence(words: str) -> str:
    return words[0].upper() + words[1:] + "."


def unsettled_words(rows: Sequence[PredictionRow]) -> str:
    """A further sentence where an interval reaches across an end of its window."""
    across = [row.quantity for row in rows if row.settled is False]
    return (
        f" Not settled by these neurons, for its interval reaches across its window: {', '.join(across)}."
        if across
        else ""
    )
