"""Where a number of a report comes from, as the page marks it."""

from __future__ import annotations

from typing import Literal

Origin = Literal["data", "fit", "literature", "assumption"]

UNDER_DRUG: tuple[Origin, ...] = ("fit", "literature", "assumption")
"""What the fitted neuron does under a drug: published and assumed numbers of the drug enter as well."""

MEANINGS: dict[Origin, str] = {
    "data": "measured in the recording",
    "fit": "fitted to it, or computed by the fitted model, with its error or range where there is one",
    "literature": "taken from the source that stands beside it",
    "assumption": "assumed: nobody measured it here",
}


def of_confidence(confidence: str, source: str) -> Origin:
    """Of a number of a drug: assumed ones say so, and one without a source is no better."""
    return "assumption" if "assumed" in confidence or not source else "literature"
