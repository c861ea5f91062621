"""The population's change of selectivity (T1) and of preferred orientation (T2)."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
import numpy.typing as npt

from ketune.reproduce._chance import beyond, tail
from ketune.reproduce._measure import Measured
from ketune.reproduce._resampling import expanded_interval
from ketune.tuning import wrap_orientation

FloatArray = npt.NDArray[np.float64]

LEVEL = 0.95


@dataclass(frozen=True)
class SelectivityChange:
    """Change of the OSI of fitted curves, drug against control.

    Attributes:
        p_value: Wilcoxon's signed-rank test over neurons with an OSI in both conditions, two-sided.
        share_down: neurons whose OSI falls, of all neurons; a neuron without an OSI under the drug does not count as
            down.
        share_lost: of the neurons tuned under control, those untuned under the drug.
        median_change, low, high: median of (drug - control) / control over neurons, with a 95 % interval over neurons.
        median_control, median_drug: of the OSI.
        neurons: with an OSI in both conditions.
    """

    p_value: float
    share_down: float
    share_lost: float
    median_change: float
    low: float
    high: float
    median_control: float
    median_drug: float
    neurons: int


def selectivity_change(
    control: Measured, drug: Measured, n_boot: int | None, generator: np.random.Generator | None
) -> SelectivityChange:
    """Compare the OSI of fitted curves.

    Args:
        n_boot: bootstrap samples of neurons for the median's interval; None gives the interval between order
            statistics (the sign test's).
    """
    known = np.isfinite(control.osi) & np.isfinite(drug.osi)
    difference = (drug.osi - control.osi)[known]
    tuned = int(control.tuned.sum())
    relative = difference[control.osi[known] > 0] / control.osi[known & (control.osi > 0)]
    low, high = _median_interval(relative, n_boot, generator)
    n = int(known.sum())
    return SelectivityChange(
        p_value=_signed_rank(difference),
        share_down=np.count_nonzero(difference < 0) / known.size,
        share_lost=np.count_nonzero(control.tuned & ~drug.tuned) / tuned if tuned else nan,
        median_change=float(np.median(relative)) if relative.size else nan,
        low=low,
        high=high,
        median_control=float(np.median(control.osi[known])) if n else nan,
        median_drug=float(np.median(drug.osi[known])) if n else nan,
        neurons=n,
    )


def _signed_rank(difference: FloatArray) -> float:
    """Two-sided p of Wilcoxon's signed-rank test; 1 where nothing differs."""
    from scipy.stats import wilcoxon

    return float(wilcoxon(difference).pvalue) if np.any(difference != 0) else 1.0


def _median_interval(
    values: FloatArray, n_boot: int | None, generator: np.random.Generator | None
) -> tuple[float, float]:
    n = values.size
    if n < 2:
        return nan, nan
    if n_boot is None or generator is None:
        from scipy.special import bdtr

        ordered = np.sort(values)
        # Largest rank below which the sign test leaves at most half of what the level allows.
        below = int(np.searchsorted(bdtr(np.arange(n), n, 0.5), 0.5 * (1.0 - LEVEL), side="right"))
        return float(ordered[max(below - 1, 0)]), float(ordered[min(n - below, n - 1)])
    medians = np.median(values[generator.integers(0, n, (n_boot, n))], axis=1)
    return expanded_interval(medians, n, LEVEL)


@dataclass(frozen=True)
class PreferredShift:
    """Shift of the preferred orientation, drug against control.

    Attributes:
        share, low, high: neurons shifted by more than the threshold, of all neurons, with Wilson's 95 % interval (1927,
            J Am Stat Assoc 22:209).
        chance: the share that re-measuring without a shift gives.
        p_value: probability of at least this share by chance, one-sided.
        median_abs_deg, mean_signed_deg: over neurons with a preferred orientation in both conditions; NaN without any.
        neurons: with a preferred orientation in both conditions.
        untuned_drug: tuned under control, without a preferred orientation under the drug.
    """

    share: float
    low: float
    high: float
    chance: float
    p_value: float
    median_abs_deg: float
    mean_signed_deg: float
    neurons: int
    untuned_drug: int


def preferred_shift(
    control: Measured, drug: Measured, chances: FloatArray, threshold_deg: float
) -> PreferredShift:
    """Count neurons that shift by more than the threshold, against their chances to do so without a shift.

    A neuron without a preferred orientation in one of the conditions counts as not shifted, in the data and in every
    re-measured draw.

    Args:
        chances: (neurons,) from `ketune.reproduce._chance`.
    """
    moved = int(beyond(control, drug, threshold_deg).sum())
    n = chances.size
    both = control.tuned & drug.tuned
    shift = wrap_orientation(drug.preferred_deg - control.preferred_deg)[both]
    low, high = _wilson(moved, n)
    return PreferredShift(
        share=moved / n,
        low=low,
        high=high,
        chance=float(chances.mean()),
        p_value=tail(chances, moved),
        median_abs_deg=float(np.median(np.abs(shift))) if shift.size else nan,
        mean_signed_deg=float(shift.mean()) if shift.size else nan,
        neurons=int(both.sum()),
        untuned_drug=int(np.count_nonzero(control.tuned & ~drug.tuned)),
    )


def _wilson(count: int, n: int) -> tuple[float, float]:
    from scipy.special import ndtri

    z = float(ndtri(0.5 + 0.5 * LEVEL))
    share, scale = count / n, 1.0 + z**2 / n
    centre = (share + 0.5 * z**2 / n) / scale
    half = z * sqrt(share * (1.0 - share) / n + 0.25 * z**2 / n**2) / scale
    return max(0.0, centre - half), min(1.0, centre + half)
