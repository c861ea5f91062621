"""Tuning on the circle of orientations, on which 0 and 180 degrees are the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.projections.polar import PolarAxes

from ketune.report import _style as s
from ketune.report import _words as w
from ketune.report._drug_figures import looks
from ketune.report._origin import UNDER_DRUG
from ketune.report._results import Application, Condition, Number, array

_RIM = 1.12
_SIZE = (s.PANEL[0], 4.1)


def circle_picture(application: Application) -> s.Picture | None:
    """Tuning before and under the drug, each as a share of its largest mean, and where every kept set prefers.

    None where nothing fired in one of both.
    """
    shown = [application.before, application.main]
    if not all(_share(c).size for c in shown):
        return None
    fig = s.figure(*_SIZE)
    axes = fig.add_subplot(projection="polar")
    assert isinstance(axes, PolarAxes)
    draw_circle(axes, application, shown)
    s.legend_above(axes)
    preferred = [f"{c.label} {w.number(c.summary.preferred_deg, unit='deg')}" for c in shown]
    n = ", ".join(f"{c.label} {w.trials(c.tuning.n_trials)}" for c in shown)
    sets = w.counted(len(application.kept), "kept parameter set")
    return s.picture(
        fig,
        name="orientation-circle",
        alt=f"Tuning on the circle of orientations; preferred: {', '.join(preferred)}.",
        caption="Mean spikes per trial of the best parameter set, each curve as a share of its own largest; an "
        "orientation lies in both of its directions. Ticks on the rim: preferred orientation of every kept set "
        f"({sets}). Preferred: {', '.join(preferred)}. n (trials per orientation): {n}.",
        origin=UNDER_DRUG,
    )


def draw_circle(axes: PolarAxes, application: Application, conditions: Sequence[Condition]) -> PolarAxes:
    """Draw the tuning of some conditions on polar axes."""
    look = looks(application)
    for condition in conditions:
        colour, marker, line = look[condition.label]
        theta, share = _both_ways(condition)
        axes.plot(theta, share, color=colour, marker=marker, ls=line, ms=3.5, label=condition.label)
        summaries = [k.before if condition is conditions[0] else k.during for k in application.kept]
        _ticks(axes, [k.preferred_deg for k in summaries] or [condition.summary.preferred_deg], colour)
    axes.set_ylim(0.0, _RIM)
    axes.set_yticks([0.5, 1.0], ["50 %", "100 %"], fontsize=7.5)
    axes.set_rlabel_position(112.5)
    axes.set_xticks(np.deg2rad(np.arange(0.0, 360.0, 45.0)), [f"{t % 180:.0f}°" for t in range(0, 360, 45)])
    axes.grid(color=s.FAINT, lw=0.8)
    axes.spines["polar"].set_edgecolor(s.FAINT)
    return axes


def _ticks(axes: PolarAxes, preferred_deg: Sequence[Number], colour: str) -> None:
    known = [value for value in preferred_deg if value is not None]
    for angle in np.deg2rad([*known, *(value + 180.0 for value in known)]):
        axes.plot([angle, angle], [1.03, _RIM], color=colour, lw=1.6, clip_on=False)


def _share(condition: Condition) -> np.ndarray:
    theta, mean = array(condition.tuning.orientation_deg), array(condition.tuning.mean)
    mean = mean[np.isfinite(theta)]
    return mean / mean.max() if mean.size and np.all(np.isfinite(mean)) and mean.max() > 0 else np.empty(0)


def _both_ways(condition: Condition) -> tuple[np.ndarray, np.ndarray]:
    """Angles all the way round, closed, and the share of the largest mean at each."""
    theta = array(condition.tuning.orientation_deg)
    theta = theta[np.isfinite(theta)]
    order = np.argsort(theta)
    theta, share = theta[order], _share(condition)[order]
    return np.deg2rad(np.concatenate([theta, theta + 180.0, theta[:1] + 360.0])), np.concatenate(
        [share, share, share[:1]]
    )
