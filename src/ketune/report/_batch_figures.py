"""Populations of fits before and under a drug. Every figure is a function that takes axes and returns them."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ketune.report import _style as s

Array = NDArray[np.float64]


def paired_values(axes: Axes, before: Array, during: Array, label: str, drug: str) -> Axes:
    """Each fit's value under a drug against its value before, with the line of no change.

    Parameters
    ----------
    before, during
        ``(n,)``; fits without both are left out.
    label
        Quantity with its unit.
    """
    both = np.isfinite(before) & np.isfinite(during)
    x, y = before[both], during[both]
    _dots(axes, x, y)
    low, high = _limits(np.concatenate([x, y]))
    axes.plot([low, high], [low, high], color=s.MUTED, linewidth=1.0, linestyle="--")
    if len(x):
        axes.plot(
            *np.median([x, y], axis=1), marker="D", markersize=8, color=s.DURING, markeredgecolor="white"
        )
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    axes.set(xlabel=f"{label}, before", ylabel=f"{label}, {drug}")
    return axes


def shifts(axes: Axes, shift_deg: Array, drug: str) -> Axes:
    """Histogram of the shifts of preferred orientation, on the whole circle of orientations.

    Parameters
    ----------
    shift_deg
        ``(n,)`` from -90 to 90 degrees; the two ends are the same.
    """
    known = shift_deg[np.isfinite(shift_deg)]
    axes.hist(known, bins=np.arange(-90, 91, 5).tolist(), color=s.DURING, edgecolor="white", linewidth=0.4)
    axes.axvline(0.0, color=s.MUTED, linewidth=1.0, linestyle="--")
    axes.set(xlim=(-90, 90), xticks=(-90, -45, 0, 45, 90))
    axes.set(xlabel=f"shift of preferred orientation, {drug} (°)", ylabel="fits")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    return axes


def _dots(axes: Axes, x: Array, y: Array) -> None:
    # Of thousands the density is seen, not the dots; and vector graphics of all would be the page's largest part.
    many = len(x) > 500
    axes.scatter(
        x, y, s=6 if many else 18, color=s.BEFORE, alpha=0.25 if many else 0.7, linewidths=0, rasterized=many
    )


def _limits(values: Array) -> tuple[float, float]:
    if not len(values):
        return 0.0, 1.0
    low, high = min(float(values.min()), 0.0), float(values.max())
    margin = 0.05 * max(high - low, 1e-3)
    return (low - margin if low < 0 else 0.0), high + margin
