"""Figures of a drug applied to a fit: tuning by condition, changes and their spread, drug in the tissue."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from ketune.report import _style as s
from ketune.report import _words as w
from ketune.report._fit_figures import orientation_axis, plot_orientations
from ketune.report._origin import UNDER_DRUG
from ketune.report._results import (
    Application,
    Change,
    Condition,
    ConditionTuning,
    Indices,
    Number,
    array,
    evoked,
    mean,
)

# Round ratios first, those between them where there is room.
_RATIOS = (
    1.0, 0.1, 10.0, 0.01, 100.0, 0.5, 2.0, 0.2, 5.0, 0.05, 20.0, 50.0, 0.02, 0.8, 1.25, 0.7, 1.5, 0.3, 3.0, 0.9, 1.1,
)  # fmt: skip
_MARKERS = ("v", "P", "X", "<")
_KEPT_PANELS = ("gosi", "fano", "peak_rate_hz", "spontaneous_rate_hz", "preferred_deg", "hwhm_deg")


def looks(application: Application) -> dict[str, tuple[str, str, str]]:
    """Colour, marker and line of each condition: before, the main one, and the others in their order."""
    chosen = {application.before.label: (s.BEFORE, "o", "-"), application.main.label: (s.DURING, "D", "-")}
    others = [c for c in application.conditions if c.label not in chosen]
    colours = itertools.cycle(s.OTHERS)
    for condition, marker in zip(others, itertools.cycle(_MARKERS)):
        after = condition.phase == "recovery"
        chosen[condition.label] = (s.RECOVERY if after else next(colours), marker, "--")
    return chosen


def tuning_picture(application: Application, window_s: float) -> s.Picture:
    """Mean counts per orientation in every condition."""
    return _conditions_picture(
        application,
        lambda t: (t.mean, t.sem),
        name="tuning",
        ylabel=f"spikes in {w.number(window_s, unit='s')}",
        what="Mean spike count against orientation",
        caption="Spiking model: mean spikes per trial ± SEM in each condition. ",
    )


def fano_picture(application: Application) -> s.Picture:
    """Fano factor per orientation in every condition."""
    return _conditions_picture(
        application,
        lambda t: (t.fano, t.fano_se),
        name="fano",
        ylabel="Fano factor (variance / mean)",
        what="Fano factor against orientation",
        caption="Spiking model: Fano factor ± standard error in each condition; dotted: a Poisson process. ",
        poisson=True,
    )


def _conditions_picture(
    application: Application,
    values: Callable[[ConditionTuning], tuple[Sequence[Number], Sequence[Number]]],
    *,
    name: str,
    ylabel: str,
    what: str,
    caption: str,
    poisson: bool = False,
) -> s.Picture:
    fig = s.figure()
    axes = fig.subplots()
    if poisson:
        axes.axhline(1.0, color=s.MUTED, lw=0.9, ls=":", zorder=0)
    draw_conditions(axes, application, application.conditions, values)
    axes.set_ylabel(ylabel)
    s.legend_above(axes)
    parts, n = [], []
    for condition in application.conditions:
        t = condition.tuning
        known = [v for v in evoked(t.orientation_deg, values(t)[0]) if v is not None]
        if known:
            parts.append(
                f"{condition.label}: {w.span(min(known), max(known), 3)}, average {w.number(mean(known))}"
            )
        n.append(f"{condition.label} {w.trials(t.n_trials)}")
    return s.picture(
        fig,
        name=name,
        alt=f"{what} for {application.title}. {'; '.join(parts)}.",
        caption=f"{caption}n (trials per orientation): {', '.join(n)}.",
        origin=UNDER_DRUG,
    )


def draw_conditions(
    axes: Axes,
    application: Application,
    conditions: Sequence[Condition],
    values: Callable[[ConditionTuning], tuple[Sequence[Number], Sequence[Number]]],
) -> None:
    """Curves of some conditions on the same axes."""
    look = looks(application)
    for i, condition in enumerate(conditions):
        color, marker, line = look[condition.label]
        y, error = values(condition.tuning)
        offset = 0.9 * (i - (len(conditions) - 1) / 2)
        plot_orientations(
            axes, condition.tuning.orientation_deg, y, error, offset=offset, label=condition.label, color=color,
            marker=marker, line=line,
        )  # fmt: skip
    orientation_axis(axes, conditions[0].tuning.orientation_deg)
    axes.set_ylim(bottom=0)


def changes_picture(
    application: Application,
    *,
    name: str = "changes",
    width: float = s.PANEL[0],
    against_reports: bool = True,
) -> s.Picture | None:
    """Every change with its range over the kept sets, ratios above and angles below, and what was reported."""
    known = [c for c in application.changes if c.best is not None]
    ratios, angles = [c for c in known if c.unit != "deg"], [c for c in known if c.unit == "deg"]
    groups = [group for group in (ratios, angles) if group]
    if not groups:
        return None
    fig = s.figure(width, 1.0 + (0.42 if against_reports else 0.3) * len(known) + 0.5 * len(groups))
    rows = fig.subplots(len(groups), 1, squeeze=False, height_ratios=[len(g) + 0.8 for g in groups])[:, 0]
    for axes, group in zip(rows, groups, strict=True):
        _forest(axes, group, ratio=group is ratios)
        if against_reports:
            _beside(axes, group)
    kept = w.counted(len(application.kept), "kept parameter set")
    described = "; ".join(f"{w.quantity(c.quantity)} {w.change_in_words(c)}" for c in known)
    return s.picture(
        fig,
        name=name,
        alt=f"Changes under {application.title}: {described}.",
        caption=f"Change from before to {application.main_condition}. Point: best parameter set; bar: range over all "
        f"n = {kept}; hollow: not determined by these data."
        + (" Right: the reported direction, of which no size is known." if against_reports else ""),
        origin=UNDER_DRUG,
    )


def _forest(axes: Axes, group: Sequence[Change], *, ratio: bool) -> None:
    neutral = 1.0 if ratio else 0.0
    axes.axvline(neutral, color=s.MUTED, lw=1.0, ls=":")
    for row, change in enumerate(group):
        y = len(group) - 1 - row
        color = s.DURING if change.determined else s.MUTED
        if change.low is not None and change.high is not None:
            axes.plot(
                [change.low, change.high], [y, y], color=color, lw=4, alpha=0.35, solid_capstyle="round"
            )
        axes.plot(
            array([change.best]), [y], "o", ms=7, color=color, mfc=color if change.determined else "white"
        )
    axes.set_yticks(range(len(group)), [w.short(c.quantity) for c in reversed(group)])
    axes.set_ylim(-0.6, len(group) - 0.4)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    ends = [x for c in group for x in (c.best, c.low, c.high, neutral) if x is not None]
    if ratio and min(ends) > 0:
        axes.set_xscale("log")
        low, high = min(ends) / 1.15, max(ends) * 1.15
        axes.set_xlim(low, high)
        axes.xaxis.set_major_locator(FixedLocator(_apart(low, high)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
    elif not ratio:
        reach = 1.15 * max(max(map(abs, ends)), 5.0)
        axes.set_xlim(-reach, reach)
    scale = ", logarithmic" if axes.get_xscale() == "log" else ""
    axes.set_xlabel(f"during / before{scale}" if ratio else "during − before (degrees)")


def _apart(low: float, high: float) -> list[float]:
    """Ratios for ticks from ``low`` to ``high``, the neutral one first, none too near to another on a narrow figure."""
    kept: list[float] = []
    for ratio in sorted((r for r in _RATIOS if low <= r <= high), key=_RATIOS.index):
        if all(abs(math.log(ratio / other)) > 0.1 * math.log(high / low) for other in kept):
            kept.append(ratio)
    return kept


def _beside(axes: Axes, group: Sequence[Change]) -> None:
    for row, change in enumerate(reversed(group)):
        axes.annotate(
            _reported(change), (1.01, row), xycoords=("axes fraction", "data"), va="center", fontsize=8.5, color=s.INK,
        )  # fmt: skip


def _reported(change: Change) -> str:
    signs = {"decrease": "↓", "increase": "↑", "no change": "=", "shift": "↔", "change": "↔"}
    sign = signs.get(change.reported.lower().removesuffix("s"))
    return "no report" if sign is None else f"reported {sign} ({change.reported_id})"


def kept_picture(application: Application) -> s.Picture | None:
    """Each kept parameter set before and during, one small panel a quantity."""
    names = [n for n in _KEPT_PANELS if any(_pair(k.before, k.during, n) for k in application.kept)]
    if len(application.kept) < 2 or not names:
        return None
    rows = math.ceil(len(names) / 3)
    fig = s.figure(s.PANEL[0], 0.4 + 1.75 * rows)
    panels = fig.subplots(rows, min(len(names), 3), squeeze=False).ravel()
    for unused in panels[len(names) :]:
        unused.set_axis_off()
    for axes, name in zip(panels[: len(names)], names, strict=True):
        draw_kept(axes, application, name)
        axes.set_title(_KEPT_TITLES[name], loc="left", fontsize=8.5)
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.tick_params(labelsize=8)
        axes.margins(y=0.12)
    n = len(application.kept)
    return s.picture(
        fig,
        name="kept-sets",
        alt=f"Tuning indices before and during {application.title} for each of {n} kept parameter sets. "
        + "; ".join(_kept_words(application, name) for name in names)
        + ".",
        caption=f"Every kept parameter set (n = {n}) before and at {application.main_condition}; bold: the best set. "
        f"{_kept_trials(application)}"
        "Lines that cross or fan out mark what the recording does not determine.",
        origin=UNDER_DRUG,
    )


def draw_kept(axes: Axes, application: Application, name: str) -> None:
    """One quantity, which some kept set has, of each kept parameter set before and during."""
    pairs = [_pair(k.before, k.during, name) for k in application.kept]
    if name == "preferred_deg":
        centre = next(pair[0] for pair in pairs if pair)
        pairs = [_unwrapped(pair, centre) if pair else None for pair in pairs]
    # The best set is the first of the kept ones; it is drawn last, on top.
    for i, pair in reversed(list(enumerate(pairs))):
        if pair is None:
            continue
        color, width = (s.INK, 2.0) if i == 0 else (s.MUTED, 0.9)
        axes.plot(
            [0, 1],
            pair,
            color=color,
            lw=width,
            alpha=1.0 if i == 0 else 0.55,
            marker="o",
            ms=4 if i == 0 else 3,
        )
    axes.set_xticks([0, 1], ["before", "during"])
    axes.set_xlim(-0.25, 1.25)


def _kept_trials(application: Application) -> str:
    numbers = [k.n_trials for k in application.kept if k.n_trials is not None]
    return f"{w.trials(numbers)} trials per orientation. " if numbers else ""


_KEPT_TITLES = {
    "gosi": "gOSI",
    "fano": "Fano factor",
    "peak_rate_hz": "peak (Hz)",
    "spontaneous_rate_hz": "spont. (Hz)",
    "preferred_deg": "preferred (deg)",
    "hwhm_deg": "half width (deg)",
}


def _pair(before: Indices, during: Indices, name: str) -> tuple[float, float] | None:
    a, b = getattr(before, name), getattr(during, name)
    return None if a is None or b is None else (a, b)


def _unwrapped(pair: tuple[float, float], centre: float) -> tuple[float, float]:
    a = centre + (pair[0] - centre + 90) % 180 - 90
    return a, a + (pair[1] - pair[0] + 90) % 180 - 90


def _kept_words(application: Application, name: str) -> str:
    pairs = [pair for k in application.kept if (pair := _pair(k.before, k.during, name))]
    if name == "preferred_deg":
        moves = [b - a for a, b in (_unwrapped(pair, pair[0]) for pair in pairs)]
        return f"{w.quantity(name)} moves by {w.span(min(moves), max(moves), 2, 'deg')}"
    down = sum(b < a for a, b in pairs)
    return f"{w.quantity(name)} falls in {down} of {len(pairs)}"


def map_pictures(application: Application) -> list[s.Picture]:
    """Free drug and NMDA block against time and depth."""
    m = application.map
    if m is None or len(m.time_min) < 2 or len(m.depth_um) < 2:
        return []
    time, depth = np.asarray(m.time_min), np.asarray(m.depth_um)
    concentration = np.array([array(row) for row in m.concentration_uM]).T
    block = np.array([array(row) for row in m.nmda_block]).T
    pictures = []
    positive = concentration[np.isfinite(concentration) & (concentration > 0)]
    if positive.size:
        top = float(positive.max())
        fig = s.figure()
        axes = fig.subplots()
        shown = np.where(concentration > 0, concentration, np.nan)
        mesh = axes.pcolormesh(
            time, depth, shown, cmap=s.MAP, norm=LogNorm(max(float(positive.min()), top * 1e-6), top),
            shading="nearest", rasterized=True,
        )  # fmt: skip
        levels = [level for level in (0.1, 1.0, 10.0, 100.0, 1e3, 1e4) if level < top]
        if levels:
            lines = axes.contour(
                time, depth, np.ma.masked_invalid(shown), levels=levels, colors="white", linewidths=0.8
            )
            axes.clabel(lines, fmt=lambda level: f"{level:g} µM", fontsize=7.5)
        fig.colorbar(
            mesh, ax=axes, label=f"free {application.drug} (µM)", format=FuncFormatter(lambda x, _: f"{x:g}")
        )
        _map_axes(axes, application)
        pictures.append(
            s.picture(
                fig,
                name="concentration-map",
                alt=f"Concentration of free {application.drug} against time and depth. {_map_words(application)}",
                caption=f"Free {application.drug} in the tissue, logarithmic colours, lines at powers of ten; "
                f"grey: none. {_MAP_MARKS}",
                origin=("literature", "assumption"),
                adaptive=False,
            )
        )
    if not np.isfinite(block).any():
        return pictures
    fig = s.figure()
    axes = fig.subplots()
    mesh = axes.pcolormesh(
        time, depth, block, cmap=s.BLOCK_MAP, vmin=0, vmax=1, shading="nearest", rasterized=True
    )
    if np.nanmax(block) > 0.5:
        levels = [level for level in (0.5, 0.9, 0.99) if level < np.nanmax(block)]
        lines = axes.contour(
            time, depth, np.ma.masked_invalid(block), levels=levels, colors="white", linewidths=0.8
        )
        axes.clabel(lines, fmt=lambda level: f"{100 * level:g} %", fontsize=7.5)
    fig.colorbar(mesh, ax=axes, label="NMDA conductance blocked (fraction)")
    _map_axes(axes, application)
    pictures.append(
        s.picture(
            fig,
            name="block-map",
            alt=f"Fraction of NMDA conductance blocked against time and depth. {_map_words(application)}",
            caption=f"Block of the pyramidal neuron's NMDA conductance, lines at 50, 90 and 99 %. {_MAP_MARKS}",
            origin=("literature", "assumption"),
            adaptive=False,
        )
    )
    return pictures


_MAP_MARKS = (
    "Dashed: depth of the soma; triangles: times at which the tuning was simulated. Computed, not measured."
)


def _map_axes(axes: Axes, application: Application) -> None:
    axes.set_facecolor("#e8eaee")
    axes.set_xlabel("time after application (min)")
    axes.set_ylabel("depth below the pia (µm)")
    axes.invert_yaxis()
    soma = application.exposure.soma_depth_um
    if soma is not None:
        axes.axhline(soma, color="white", ls="--", lw=1.2)
    low, high = axes.get_xlim()
    times = [
        c.time_min for c in application.conditions if c.time_min is not None and low <= c.time_min <= high
    ]
    axes.plot(
        times,
        np.ones(len(times)),
        "v",
        color=s.DURING,
        ms=7,
        transform=axes.get_xaxis_transform(),
        clip_on=False,
    )


def _map_words(application: Application) -> str:
    parts = []
    for condition in application.conditions:
        soma = condition.concentration_uM.get("soma")
        if soma is not None:
            parts.append(f"{condition.label} {w.number(soma, 2, 'uM')}")
    return f"At the soma: {', '.join(parts)}." if parts else ""
