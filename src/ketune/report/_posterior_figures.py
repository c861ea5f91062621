"""Figures of a posterior: what each parameter's data say against its prior, and predictive checks.

Functions draw into a given figure and return nothing; they take plain arrays and what :mod:`ketune.inference` made.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from ketune.inference import SURPRISING, CurveCheck, Identifiability, IndexCheck, PredictiveCheck
from ketune.report import _fit_figures as f
from ketune.report import _style as s
from ketune.report import _words as w

Array = npt.NDArray[np.float64]

VERDICT_COLORS = {
    "identified": s.BEFORE,
    "one-sided": "#E69F00",
    "unidentified": s.HELD_OUT,
    "at bound": s.CAUTION,
}
ROW_INCHES = 0.66
_WORDS_WIDTH = 60
_PRIOR = s.FAINT
_BAND = s.BEFORE
_SHOWN = 0.996
_POINTS = 128
_AT_BOUND = 0.03
_RIDGE = 0.6
_AXES_TITLES = {
    "osi_fit": "OSI (fitted curve)",
    "gosi": "gOSI",
    "preferred_deg": "preferred orientation (degrees)",
    "shift_deg": "shift of preferred (degrees)",
    "spontaneous_rate_hz": "spontaneous rate (Hz)",
}


@dataclass(frozen=True, eq=False)
class ParameterRow:
    """One row of :func:`draw_identifiability`.

    Attributes
    ----------
    label, unit
        The parameter in words.
    posterior, prior
        Draws, in the unit.
    best
        The estimate.
    found
        The verdict on it.
    log
        Whether the axis is logarithmic.
    bounds
        Hard bounds: the axis reaches to one where prior or posterior do.
    period
        Of an orientation: its axis is a full circle around the posterior's median.
    """

    label: str
    unit: str
    posterior: npt.ArrayLike
    prior: npt.ArrayLike
    best: float
    found: Identifiability
    log: bool = False
    bounds: tuple[float, float] | None = None
    period: float | None = None


def identifiability_size(n: int) -> tuple[float, float]:
    """Width and height in inches of a figure of `n` parameters."""
    return 9.4, 0.75 + ROW_INCHES * n


def draw_identifiability(fig: Figure, rows: Sequence[ParameterRow]) -> None:
    """A row per parameter: densities of prior and posterior, 90 % interval, estimate, verdict in words and contraction.

    Each row has its own axis in the parameter's unit. Both densities have the same area, so a posterior as high as its
    prior has learned nothing; the height of a row is that of its posterior or prior, whichever is higher.
    """
    panels = fig.subplots(len(rows), 2, squeeze=False, gridspec_kw={"width_ratios": (1.0, 0.62)})
    for (axes, text), row in zip(panels, rows, strict=True):
        _draw_row(axes, row)
        text.set_axis_off()
        found = row.found
        contraction = "" if np.isnan(found.contraction) else f", contraction {found.contraction:.2f}"
        color = VERDICT_COLORS[found.verdict]
        # A pale colour is no ink: the word is black, and a square before it has the colour.
        text.plot(0.02, 0.72, "s", color=color, ms=7, transform=text.transAxes, clip_on=False)
        text.text(
            0.06, 0.72, f"{found.verdict}{contraction}", weight="bold", va="center", transform=text.transAxes
        )
        said = textwrap.fill(found.words.partition(": ")[2], _WORDS_WIDTH)
        text.text(0.06, 0.46, said, va="top", fontsize=7.5, color=s.MUTED, transform=text.transAxes)
    handles = [
        Patch(facecolor=_PRIOR, label="prior"),
        *(Patch(facecolor=color, alpha=0.65, label=verdict) for verdict, color in VERDICT_COLORS.items()),
        Line2D([], [], color=s.INK, lw=2.2, label=f"{w.percent(rows[0].found.level)} interval"),
        Line2D([], [], color="white", marker="D", mec=s.INK, ls="", ms=5, label="estimate"),
    ]
    fig.legend(handles=handles, loc="outside upper left", ncols=7, handlelength=1.4, columnspacing=1.2)


def predictive_size(check: PredictiveCheck) -> tuple[float, float]:
    """Width and height in inches of :func:`draw_predictive`."""
    return 2 * s.PANEL[0], 0.6 + 2.5 * len(_conditions(check)) + 1.9 * len(_index_names(check)) / 2


def draw_predictive(fig: Figure, check: PredictiveCheck) -> None:
    """Recorded means and Fano factors per condition on predictive bands, and the indices on their distributions.

    A recorded value whose two-sided tail probability is below 0.05 is drawn as a cross.
    """
    conditions, names = _conditions(check), _index_names(check)
    index_rows = (len(names) + 1) // 2
    halves: Any = fig.subfigures(2, 1, height_ratios=(2.5 * len(conditions), 1.9 * index_rows))
    top = halves[0].subplots(len(conditions), 2, squeeze=False)
    curves = {(c.condition, c.name): c for c in check.curves}
    for row, condition in zip(top, conditions, strict=True):
        for axes, name in zip(row, ("mean", "fano"), strict=True):
            _draw_curve(axes, curves[condition, name])
            axes.set_title(condition, loc="left")
    halves[0].legend(
        handles=_band_legend(), loc="outside upper left", ncols=4, handlelength=1.4, columnspacing=1.2
    )
    bottom = halves[1].subplots(index_rows, 2, squeeze=False).ravel()
    for axes in bottom[len(names) :]:
        axes.set_axis_off()
    for axes, name in zip(bottom, names, strict=False):
        _draw_index(axes, [i for i in check.indices if i.name == name], len(conditions))


def _draw_row(axes: Axes, row: ParameterRow) -> None:
    posterior, prior = np.ravel(row.posterior), np.ravel(row.prior)
    centre = row.found.median
    color = VERDICT_COLORS[row.found.verdict]

    def place(x: npt.ArrayLike) -> Array:
        at = np.asarray(x, float)
        if row.period is not None:
            return (at - centre + row.period / 2) % row.period - row.period / 2 + centre
        return np.log10(at) if row.log else at

    u, v = place(posterior), place(prior)
    ends = [(1 - _SHOWN) / 2, (1 + _SHOWN) / 2]
    edges = np.array([np.quantile(x, ends) for x in (u, v)])
    low, high = edges[:, 0].min(), edges[:, 1].max()
    if row.period is not None:
        low, high = centre - row.period / 2, centre + row.period / 2
    elif row.bounds is not None:
        bounds, margin = place(row.bounds), _AT_BOUND * (high - low)
        low, high = (
            float(b) if abs(e - b) < margin else float(e) for e, b in zip((low, high), bounds, strict=True)
        )
    x = np.linspace(low, high, _POINTS)
    densities = _density(u, x, row.period), _density(v, x, row.period)
    height = max(d.max() for d in densities)
    axes.fill_between(x, densities[1] / height, color=_PRIOR, lw=0)
    axes.plot(x, densities[1] / height, color=s.MUTED, lw=0.7)
    axes.fill_between(x, densities[0] / height, color=color, alpha=0.65, lw=0)
    ends_at = np.array([row.found.low, row.found.high])
    if row.log:
        ends_at = np.log10(ends_at)
    axes.plot(
        np.clip(ends_at, low, high), [-0.14, -0.14], color=s.INK, lw=2.2, solid_capstyle="butt", clip_on=False
    )
    axes.plot(place(row.best), -0.14, "D", color="white", mec=s.INK, ms=5, clip_on=False)
    axes.set(xlim=(low, high), ylim=(-0.28, 1.05), yticks=[])
    axes.spines["left"].set_visible(False)
    unit = f" ({row.unit})" if row.unit else ""
    axes.set_ylabel(f"{row.label}{unit}", rotation=0, ha="right", va="center")
    axes.tick_params(labelsize=7.5, length=2.5, pad=1.5)
    if row.log:
        ticks = _log_ticks(low, high)
        axes.xaxis.set_major_locator(FixedLocator(np.log10(ticks).tolist()))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{10**value:.3g}"))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6))
        if row.period is not None:
            period = row.period
            axes.xaxis.set_major_locator(
                FixedLocator(np.arange(np.ceil(low / 45) * 45, high + 1, 45).tolist())
            )
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value % period:.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())


def _density(draws: Array, x: Array, period: float | None) -> Array:
    """Kernel density with Scott's bandwidth; draws beyond the drawn range are those beyond 99.6 %."""
    from scipy import stats

    if np.ptp(draws) == 0:
        return np.where(np.abs(x - draws[0]) <= x[1] - x[0], 1.0 / (x[1] - x[0]) / 3, 0.0)
    width = draws.std(ddof=1) * draws.size ** (-0.2)
    if period is not None:
        draws = np.concatenate([draws - period, draws, draws + period])
        return 3 * np.asarray(stats.gaussian_kde(draws, width / draws.std(ddof=1))(x))
    # Reflected at the outermost draws, where a bounded density would else seem to sink.
    low, high = draws.min(), draws.max()
    mirrored = np.concatenate([2 * low - draws, draws, 2 * high - draws])
    return (
        3
        * np.asarray(stats.gaussian_kde(mirrored, width / mirrored.std(ddof=1))(x))
        * ((x >= low) & (x <= high))
    )


def _log_ticks(low: float, high: float) -> Array:
    """1, 2 and 5 of each decade, or more where those would be fewer than three."""
    for steps in (
        (1.0,),
        (1.0, 3.0),
        (1.0, 2.0, 5.0),
        (1.0, 1.5, 2.0, 3.0, 5.0, 7.0),
        tuple(np.arange(1, 10, 0.25)),
    ):
        decades = np.arange(np.floor(low), np.ceil(high) + 1)
        ticks = (10.0 ** decades[:, None] * np.array(steps)).ravel()
        ticks = ticks[(ticks >= 10**low) & (ticks <= 10**high)]
        if ticks.size >= 4:
            break
    return ticks


def _conditions(check: PredictiveCheck) -> list[str]:
    return list(dict.fromkeys(c.condition for c in check.curves))


def _index_names(check: PredictiveCheck) -> list[str]:
    found = {i.name for i in check.indices}
    return [name for name in ("osi_fit", "shift_deg", "spontaneous_rate_hz", "gosi") if name in found]


def _band_legend() -> list[Patch | Line2D]:
    return [
        Patch(facecolor=_BAND, alpha=0.5, label="predicted, 50 %"),
        Patch(facecolor=_BAND, alpha=0.2, label="predicted, 90 %"),
        Line2D([], [], color=s.RECORDED, marker="o", ls="", label="recorded"),
        Line2D(
            [],
            [],
            color=s.CAUTION,
            marker="X",
            ls="",
            ms=7,
            label=f"recorded, tail probability < {SURPRISING:g}",
        ),
    ]


def _draw_curve(axes: Axes, curve: CurveCheck) -> None:
    theta = curve.orientation_deg
    order = np.argsort(theta[~np.isnan(theta)])
    shown, blank = np.flatnonzero(~np.isnan(theta))[order], np.flatnonzero(np.isnan(theta))
    x = theta[shown]
    closed = x.size > 0 and x[0] == 0 and x[-1] < 180
    if closed:
        x, shown = np.append(x, 180.0), np.append(shown, shown[0])
    axis_theta = [None if np.isnan(t) else float(t) for t in theta]
    f.orientation_axis(axes, axis_theta)
    blank_at = f.blank_at(np.asarray(theta))
    for level, alpha in ((0.9, 0.2), (0.5, 0.3)):
        low, high = curve.band(level)
        axes.fill_between(x, low[shown], high[shown], color=_BAND, alpha=alpha, lw=0)
        for k in blank:
            axes.fill_between([blank_at - 6, blank_at + 6], low[k], high[k], color=_BAND, alpha=alpha, lw=0)
    surprising = curve.p_value < SURPRISING
    at = np.append(x, np.full(blank.size, blank_at))
    which = np.append(shown, blank)
    for mask, look in (
        (~surprising[which], {"marker": "o", "color": s.RECORDED}),
        (surprising[which], {"marker": "X", "color": s.CAUTION, "ms": 7}),
    ):
        axes.plot(at[mask], curve.recorded[which][mask], ls="", **look)
    if curve.name == "fano":
        axes.axhline(1.0, color=s.MUTED, lw=0.9, ls=":", zorder=0)
    axes.set_ylabel("mean spikes per trial" if curve.name == "mean" else "Fano factor")
    axes.set_ylim(bottom=0)


def _draw_index(axes: Axes, found: Sequence[IndexCheck], n_rows: int) -> None:
    """The predictive distribution of each condition with the recorded value and its tail probability."""
    name = found[0].name
    for k, check in enumerate(found):
        y = len(found) - 1 - k
        known = check.predicted[np.isfinite(check.predicted)]
        surprising = check.p_value < SURPRISING
        if known.size > 1 and np.ptp(known) > 0:
            _draw_distribution(axes, check, y)
        color, marker = (s.CAUTION, "X") if surprising else (s.RECORDED, "o")
        axes.plot(check.recorded, y, marker=marker, color=color, ms=7 if surprising else 5, clip_on=False)
        text = f"{check.condition}   {w.p_value(None if np.isnan(check.p_value) else check.p_value)}"
        axes.text(0.0, y + 0.75, text, transform=axes.get_yaxis_transform(), fontsize=8, va="center")
    axes.set(ylim=(len(found) - n_rows - 0.1, len(found) - 0.1), yticks=[], xlabel=_AXES_TITLES[name])
    axes.spines["left"].set_visible(False)
    axes.margins(x=0.12)


def _draw_distribution(axes: Axes, check: IndexCheck, y: float) -> None:
    """A ridge on the line y, its middle 50 and 90 % filled."""
    low, high = check.band(_SHOWN)
    centre = (low + high) / 2
    values = check.predicted[np.isfinite(check.predicted)]
    if check.period is not None:
        values = (values - centre + check.period / 2) % check.period - check.period / 2 + centre
    x = np.linspace(low, high, _POINTS)
    ridge = _density(values, x, None)
    ridge *= _RIDGE / ridge.max()
    axes.plot(x, y + ridge, color=_BAND, lw=0.7)
    for level, alpha in ((0.9, 0.2), (0.5, 0.3)):
        inside = np.linspace(*check.band(level), _POINTS)
        axes.fill_between(inside, y, y + np.interp(inside, x, ridge), color=_BAND, alpha=alpha, lw=0)
