"""Tuning indices of many emulated curves at once, by the same fit as :func:`ketune.tuning.summarise`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ketune.tuning import count_sem, fit_many, half_width_deg, shape, vector_sum, wrap_orientation

Array = NDArray[np.float64]

QUANTITIES: dict[str, str] = {
    "peak_rate_hz": "Hz",
    "orthogonal_rate_hz": "Hz",
    "spontaneous_rate_hz": "Hz",
    "osi": "",
    "gosi": "",
    "hwhm_deg": "deg",
    "preferred_shift_deg": "deg",
    "fano": "",
}
"""What a dose-response reports, with units; peak, orthogonal, OSI, half width and shift are of a fitted Gaussian."""

# A Gaussian has four parameters.
_FEWEST_ORIENTATIONS = 4
# Weights depend on the variance over the mean only; so many trials are as good as any other number.
_TRIALS = 100


def curve_indices(
    orientation_deg: Array, mean: Array, fano: Array, window_s: float, *, smallest_peak: float = 0.0
) -> tuple[dict[str, Array], Array]:
    """Indices of ``n`` curves, and their preferred orientations ``(n,)`` in degrees.

    ``preferred_shift_deg`` is left to :func:`shift_from`. Indices of a fit are NaN for a flat curve, for one without
    spikes and below four orientations.

    Parameters
    ----------
    orientation_deg
        ``(k,)``; NaN marks the blank, without which the spontaneous rate is NaN.
    mean, fano
        ``(n, k)`` mean counts, and ``(n,)`` variance over mean.
    smallest_peak
        Curves whose largest mean count is below it have rates, but no tuning and no Fano factor.
    """
    shown = np.isfinite(orientation_deg)
    theta, counts = orientation_deg[shown] % 180.0, mean[:, shown]
    n = len(mean)
    nothing = np.full(n, np.nan)
    vector = np.array([vector_sum(theta, row) for row in counts]).reshape(n, 2)
    vector[counts.max(axis=1) < smallest_peak] = np.nan
    resolved = np.isfinite(vector[:, 1])
    found = {
        "spontaneous_rate_hz": mean[:, ~shown][:, 0] / window_s if np.any(~shown) else nothing,
        "gosi": vector[:, 1],
        "fano": np.where(resolved, fano, np.nan),
    }
    if len(theta) < _FEWEST_ORIENTATIONS:
        keys = ("peak_rate_hz", "orthogonal_rate_hz", "osi", "hwhm_deg")
        return {**dict.fromkeys(keys, nothing), **found}, vector[:, 0]
    fires = counts.sum(axis=1) > 0
    safe = np.where(fires[:, None], counts, 1.0)
    # As `fit_counts`: the second fit takes its weights at the curve of the first.
    expected = safe
    for _ in range(2):
        sem = count_sem(expected, fano[:, None] * safe, _TRIALS)
        preferred, amplitude, baseline, sigma = fit_many(theta, safe, sem)
        form = shape("gaussian", theta - preferred[:, None], sigma[:, None])
        expected = baseline[:, None] + amplitude[:, None] * form
    amplitude, baseline = (np.where(fires, x, 0.0) for x in (amplitude, baseline))
    tuned = resolved & (amplitude > 1e-9 * np.maximum(baseline, 1e-9))
    total = amplitude + 2.0 * baseline
    found |= {
        "peak_rate_hz": (baseline + amplitude) / window_s,
        "orthogonal_rate_hz": baseline / window_s,
        "osi": np.divide(amplitude, total, out=np.full(n, np.nan), where=resolved & (total > 0)),
        "hwhm_deg": np.where(tuned, half_width_deg("gaussian", sigma), np.nan),
    }
    return found, np.where(tuned, preferred, np.nan)


def shift_from(preferred_deg: Array, reference_deg: float) -> Array:
    """Move of the preferred orientation, in [-90, 90) degrees."""
    return wrap_orientation(preferred_deg - reference_deg)
