"""Random trials on which a response surface is trained."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ketune.afferents import Drive
from ketune.fitting import PARAMETERS, drive_at
from ketune.fitting._prior import WORKING_RANGE
from ketune.surface._actions import CellActions

# Half-widths of the training range over those of the prior, so that its tails are still inside.
_WIDER = 1.25
# Share of trials on a blank screen, and of trials with a drug.
_BLANK, _DRUGGED = 0.1, 0.5
# Logarithm of the smallest factor that a drug puts on NMDA conductance and interneurons.
_SMALLEST_FACTOR = 0.03
# Strongest actions on channels, beyond what topical ketamine does half an hour after its application (95 % of draws);
# share of the trials that leave an action out; and the largest ratio of NMDA conductance between the trees.
_STRONGEST = {
    "hcn_shift_mV": 22.0, "hcn_block": 0.85, "nav_block": 0.35, "kv_block": 0.65, "kv_shift_mV": 13.0,
    "tonic_gaba_gain": 0.7,
}  # fmt: skip
_WITHOUT, _LOG_TILT = 0.3, float(np.log(8.0))
WINDOW_S = (0.2, 2.0)
"""Range of counting windows."""


@dataclass(frozen=True)
class DesignPoint:
    """One trial: drive, strengths, orientation (``nan``: blank), shared gain, placement, a drug's other actions."""

    drive: Drive
    strengths_nS: dict[str, float]
    orientation_deg: float
    gain_deviate: float
    placement: int
    actions: CellActions | None = None


def random_points(
    n: int, rng: np.random.Generator, *, placements: int, actions: bool = False
) -> list[DesignPoint]:
    """Trials over a range wider than the prior, half of them with a drug on NMDA, PV and SST.

    Parameters
    ----------
    actions
        Whether the drug acts on the cell's channels too.
    """
    points = [_point(rng, placements) for _ in range(n)]
    return [replace(p, actions=_actions(rng)) for p in points] if actions else points


def _actions(rng: np.random.Generator) -> CellActions:
    """Each action of its own strength, or none of it."""
    acts = rng.random(len(_STRONGEST)) > _WITHOUT
    share = acts * rng.random(len(_STRONGEST))
    strength = {name: s * most for (name, most), s in zip(_STRONGEST.items(), share, strict=True)}
    tilt = np.exp(rng.uniform(-1.0, 1.0) * _LOG_TILT) if rng.random() > _WITHOUT else 1.0
    return CellActions(
        nmda_tilt=float(tilt), tonic_gaba_gain=float(1.0 + strength.pop("tonic_gaba_gain")), **strength
    )


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
