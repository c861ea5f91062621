"""Selectivity indices from the measured points, without a fitted curve."""

from __future__ import annotations

import numpy as np

from ketune.tuning._shapes import FloatArray, wrap_180


def vector_sum(orientation_deg: FloatArray, mean: FloatArray) -> tuple[float, float]:
    """Preferred orientation (degrees) and gOSI from the vector sum over the doubled angle.

    gOSI = |sum R e^{2it}| / sum R = 1 - circular variance (Ringach, Shapley & Hawken 2002, J Neurosci
    22:5639). Each orientation is weighted by the arc it stands for, so that uneven sampling and missing
    orientations look less like tuning; with even sampling that is the plain sum. NaN without a response.
    """
    order = np.argsort(orientation_deg)
    theta, response = orientation_deg[order], mean[order]
    gap = np.diff(np.append(theta, theta[0] + 180.0))
    weighted = 0.5 * (gap + np.roll(gap, 1)) * response
    if weighted.sum() <= 0:
        return float("nan"), float("nan")
    total = np.sum(weighted * np.exp(2j * np.deg2rad(theta)))
    return float(wrap_180(np.rad2deg(np.angle(total)) / 2.0)), float(np.abs(total) / weighted.sum())


def osi_points(orientation_deg: FloatArray, mean: FloatArray) -> float:
    """(R_pref - R_orth) / (R_pref + R_orth) with the largest measured response as R_pref.

    Where the orientation orthogonal to it was not measured, R_orth is interpolated linearly between its
    neighbours on the circle. NaN without a response.
    """
    best = int(np.argmax(mean))
    orthogonal = float(np.interp((orientation_deg[best] + 90.0) % 180.0, orientation_deg, mean, period=180.0))
    total = float(mean[best]) + orthogonal
    return (float(mean[best]) - orthogonal) / total if total > 0 else float("nan")


def direction_selectivity(direction_deg: FloatArray, mean: FloatArray) -> float | None:
    """(R_pref - R_null) / (R_pref + R_null) with the best measured direction and its opposite.

    None if the opposite of the best direction was not measured or nothing responded.
    """
    best = int(np.argmax(mean))
    distance = np.abs((direction_deg - direction_deg[best]) % 360.0 - 180.0)
    opposite = int(np.argmin(distance))
    total = float(mean[best] + mean[opposite])
    if distance[opposite] > 1e-3 or total <= 0:
        return None
    return float(mean[best] - mean[opposite]) / total
