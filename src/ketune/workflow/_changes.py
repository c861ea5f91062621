"""What the drug changed in every kept parameter set, beside the reported directions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ketune import evidence
from ketune.tuning import wrap_orientation

# Quantity, how it is compared, and the reported effect that speaks of it (directions only; no size was retrieved).
_QUANTITIES = (
    ("preferred_deg", "deg", "K1"),
    ("osi_fit", "ratio", "K2"),
    ("gosi", "ratio", "K2"),
    ("fano", "ratio", "K3"),
    ("spontaneous", "ratio", "K4"),
    ("peak_rate", "ratio", "K5"),
)
_FIELD = {"spontaneous": "spontaneous_rate_hz", "peak_rate": "peak_rate_hz"}
MARGINS: dict[str, Any] = {"shift_deg": 5.0, "equal": (0.8, 1.25)}
"""What counts as a shift of the preferred orientation, and which ratios count as no change; the margins are ours."""


def changes(kept: list[dict[str, Any]], *, reported: bool) -> list[dict[str, Any]]:
    """One row per quantity: best set, range over the kept sets, and whether the reported direction is met.

    ``reported`` says whether the reports, which are of topical ketamine, speak of what was done. ``determined`` says
    that all kept sets agree on the direction; ``agrees`` is None where no direction was reported or they disagree.
    """
    table = evidence.reported_effects()
    rows = []
    for quantity, unit, identifier in _QUANTITIES:
        values = np.array([_change(k, quantity, unit) for k in kept])
        known = values[np.isfinite(values)]
        report = table.find(identifier) if reported else None
        direction = report.direction if isinstance(report, evidence.ReportedEffect) else "unknown"
        verdicts = {_direction(v, unit) for v in known}
        determined = len(verdicts) == 1 and len(known) == len(values)
        rows.append(
            {
                "quantity": quantity,
                "unit": unit,
                "best": values[0],
                "low": known.min() if len(known) else np.nan,
                "high": known.max() if len(known) else np.nan,
                "determined": determined,
                "found": next(iter(verdicts)) if determined else None,
                "reported": direction,
                "reported_id": identifier if reported else None,
                "source": "" if report is None else table.citation(report),
                "agrees": _agrees(direction, next(iter(verdicts))) if determined else None,
            }
        )
    return rows


def _change(kept: dict[str, Any], quantity: str, unit: str) -> float:
    field = _FIELD.get(quantity, quantity)
    before, during = kept["before"][field], kept["during"][field]
    if before is None or during is None:
        return np.nan
    if unit == "deg":
        return float(wrap_orientation(during - before))
    return float(during / before) if before > 0 else np.nan


def _direction(value: float, unit: str) -> str:
    if unit == "deg":
        return "shifts" if abs(value) > MARGINS["shift_deg"] else "no change"
    low, high = MARGINS["equal"]
    if low <= value <= high:
        return "no change"
    return "increase" if value > 1 else "decrease"


def _agrees(reported: str, found: str) -> bool | None:
    reported = reported.lower()
    if "unknown" in reported:
        return None
    if "no change" in reported or "unchanged" in reported:
        return found == "no change"
    if "decrease" in reported:
        return found == "decrease"
    if "change" in reported or "shift" in reported:
        return found == "shifts"
    return None
