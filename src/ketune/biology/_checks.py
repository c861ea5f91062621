"""The checks: their names, bounds and sources, which are fixed, and a result held against them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any

_SATO = "Sato, Hata and Tsumoto 1999 Neuroscience 94:697"
_SMITH = "Smith et al. 2013 Nature 503:115"
_PARK = "Park et al. 2019 Nat Commun 10:5372"
_MCLEAN = "McLean and Palmer 1996 (PMID 8961537)"
_CHEN = "Chen, Shu and Bayliss 2009 J Neurosci 29:600"
_OURS = "; the bound is ours"


@dataclass(frozen=True)
class Bound:
    """What a check demands: ``low <= value <= high``, a side that is None being open."""

    low: float | None
    high: float | None
    unit: str
    source: str
    meaning: str

    def holds(self, value: float) -> bool:
        """Whether a value lies within; what is not a number does not."""
        above = value >= self.low if self.low is not None else value == value
        below = value <= self.high if self.high is not None else value == value
        return bool(above and below)


BOUNDS: Mapping[str, Bound] = {
    "nmda_block_response": Bound(
        0.25, 0.80, "", f"{_SATO} (0.45)", "evoked response left when all NMDA receptors of the cell are blocked"
    ),
    "ampa_block_response": Bound(
        None, 0.25, "", f"{_SATO} (0.117)", "evoked response left when all AMPA receptors of the cell are blocked"
    ),
    "nmda_cell_subthreshold_gosi": Bound(
        None, 0.95, "", f"{_SMITH}, direction{_OURS}", "subthreshold gOSI with NMDA block over control"
    ),
    "nmda_cell_loss_ratio": Bound(
        None, 1.0, "", f"{_SMITH}, direction{_OURS}",
        "share of the depolarisation that NMDA block takes at the orthogonal over that at the preferred orientation",
    ),
    "apical_ablation_po_deg": Bound(
        None, 5.0, "deg", f"{_PARK}, no change{_OURS}", "change of preferred orientation without the apical tree"
    ),
    "basal_ablation_po_deg": Bound(
        None, 5.0, "deg", f"{_PARK}, no change{_OURS}",
        "largest change of preferred orientation without one basal dendrite",
    ),
    "contrast_c50_ratio": Bound(
        0.85, 1.15, "", f"{_MCLEAN}, unchanged{_OURS}", "semisaturation contrast with NMDA block over control"
    ),
    "contrast_exponent_ratio": Bound(
        0.85, 1.15, "", f"{_MCLEAN}, unchanged{_OURS}", "exponent of the contrast response, NMDA block over control"
    ),
    "contrast_gain_ratio": Bound(
        None, 1.0, "", f"{_MCLEAN}, direction{_OURS}", "largest response to contrast, NMDA block over control"
    ),
    "hcn_wild_type_dv_mV": Bound(
        -6.0, -0.3, "mV", f"{_CHEN}, direction{_OURS}", "resting potential, ketamine minus control"
    ),
    "hcn_null_dv_mV": Bound(
        -0.05, 0.05, "mV", f"{_CHEN}, no change{_OURS}", "the same without HCN1 channels"
    ),
}  # fmt: skip
"""The bounds do not move: the cell does, and docs/biology.md logs how."""


@dataclass(frozen=True)
class Check:
    """One figure against its bound.

    Attributes
    ----------
    value, se
        Of the figure; its Monte Carlo standard error over trials, 0 where nothing is random.
    details
        Other figures of the same experiment, which are not judged.
    """

    name: str
    value: float
    se: float
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def bound(self) -> Bound:
        """What is demanded of it."""
        return BOUNDS[self.name]

    @property
    def ok(self) -> bool:
        """Whether the value lies within the bounds."""
        return self.bound.holds(self.value)

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "name": self.name,
            "value": self.value,
            "se": self.se,
            **asdict(self.bound),
            "ok": self.ok,
            "details": self.details,
        }


def describe(result: Mapping[str, Any]) -> Iterator[str]:
    """The result of :func:`ketune.biology.run_biology` in lines for people."""
    width = max(len(check["name"]) for check in result["checks"])
    for check in result["checks"]:
        low, high = (("" if x is None else f"{x:g}") for x in (check["low"], check["high"]))
        demanded = f"{low} to {high}" if low and high else f"at most {high}"
        error = f" +/- {check['se']:.2g}" if check["se"] else ""
        value = f"{check['value']:.3g}{error} {check['unit']}" if isfinite(check["value"]) else "no response"
        line = f"{check['name']:{width}}  {value}".rstrip()
        line += f"  ({demanded}; {check['source']})"
        yield line if check["ok"] else f"{line}  FAILED"
    failed = sum(not check["ok"] for check in result["checks"])
    verdict = f"FAILED: {failed} of {len(result['checks'])} checks" if failed else "all checks hold"
    yield f"{verdict}; the cell was calibrated to them: none is a prediction"
