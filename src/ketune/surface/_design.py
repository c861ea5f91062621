"""Random trials on which a response surface is trained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ketune.afferents import Drive
from ketune.fitting import PARAMETERS, drive_at
from ketune.fitting._prior import WORKING_RANGE

# Half-widths of the training range over those of the prior, so that its tails are still inside.
_WIDER = 1.25
# Share of trials on a blank screen, and of trials with a drug.
_BLANK, _DRUGGED = 0.1, 0.5
# Logarithm of the smallest factor that a drug puts on NMDA conductance and interneurons.
_SMALLEST_FACTOR = 0.03
WINDOW_S = (0.2, 2.0)
"""Range of counting windows."""


@dataclass(frozen=True)
class DesignPoint:
    """One trial: drive, strengths, orientation (``nan`` for a blank), shared gain and placement."""

    drive: Drive
    strengths_nS: dict[str, float]
    orientation_deg: float
    gain_deviate: float
    placement: int


def random_points(n: int, rng: np.random.Generator, *, placements: int) -> list[DesignPoint]:
    """Trials over a range wider than the prior, half of them with a drug on NMDA, PV and SST."""
    return [_point(rng, placements) for _ in range(n)]


def _point(rng: np.random.Generator, placements: int) -> DesignPoint:
    values = {}
    for p in PARAMETERS:
        if p.scale == "orientation":
            values[p.name] = rng.uniform(0.0, 180.0)
            continue
        low, high = (p.coordinate(x) for x in WORKING_RANGE[p.name])
        values[p.name] = float(p.value(rng.normal((low + high) / 2, _WIDER * (high - low) / 3.92)))
    factor = np.ones(3)
    if rng.random() < _DRUGGED:
        factor = _SMALLEST_FACTOR ** rng.uniform(-0.1, 1.0, 3)
    values["nmda_nS"] *= factor[0]
    drive = drive_at(values, Drive(pv_drive=factor[1], sst_drive=factor[2]))
    # Half of the trials show what drives the basal tree best: most others drive the cell little.
    away = rng.normal(0.0, 25.0) if rng.random() < 0.6 else rng.uniform(-90.0, 90.0)
    orientation = np.nan if rng.random() < _BLANK else (values["preferred_basal_deg"] + away) % 180.0
    return DesignPoint(
        drive,
        {n: values[n] for n in ("ampa_nS", "nmda_nS", "pv_nS", "sst_nS")},
        float(orientation),
        float(1.2 * rng.standard_normal()),
        int(rng.integers(placements)),
    )
