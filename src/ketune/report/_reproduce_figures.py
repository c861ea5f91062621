"""Figures of a run of `ketune reproduce`."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ketune.report import _reproduce_words as rw
from ketune.report import _style as s
from ketune.report import _words as w
from ketune.report._results import array
from ketune.reproduce._document import (
    TARGETS,
    ConflictPart,
    ExperimentPart,
    HypothesisPart,
    Interval,
    NeuronsPart,
    Number,
    Reproduction,
    state,
)

Array = npt.NDArray[np.float64]
_ROW, _HEAD = 0.245, 0.95
# Of the two figures of the first screen, in inches: narrower than a panel, so that letters are large on a phone.
_WIDTH, _TOP, _BOTTOM, _LETTER = 4.1, 0.72, 0.5, 0.073
_MARK_COLORS = {"yes": s.YES, "no": s.NO, "open": s.OPEN}
_MARK_SIGNS = {"yes": "✓", "no": "✗", "open": "?"}
_LONGEST_NAME = 26
# As many as stand beside a mark in the width of a panel.
_LEGEND_CHARACTERS = 56
_MOVED_DEG = 5.0
"""Beyond this a preferred orientation counts as moved (T2), or removal as harmful (T10)."""


def answer_pictures(run: Reproduction) -> list[s.Picture]:
    """The first screen: share of the prior, and verdicts at a glance; one row for each hypothesis in both."""
    return [_share_picture(run), _marks_picture(run)]


def _share_picture(run: Reproduction) -> s.Picture:
    fig, axes = _rows(run.hypotheses, 0.5)
    intervals = [h.prior_share_interval for h in run.hypotheses]
    shares = [h.prior_share_meeting_T5 for h in run.hypotheses]
    right = max([*rw.finite(shares), *rw.finite(e for i in intervals for e in rw.ends(i)), 0.04])
    for y, h in enumerate(run.hypotheses):
        _dot(axes, y, h.prior_share_meeting_T5, h.prior_share_interval, h, 100.0)
        axes.text(
            1.01, y, rw.percent(h.prior_share_meeting_T5), transform=axes.get_yaxis_transform(), va="center", fontsize=8
        )  # fmt: skip
    axes.set_xlim(-2.5 * right, 105 * right)
    axes.set_xlabel("share of the prior range that meets T5 (%)")
    _legend(axes, run.hypotheses)
    said = "; ".join(
        f"{h.name} {rw.share(h.prior_share_meeting_T5, h.prior_share_interval)}" for h in run.hypotheses
    )
    return s.picture(
        fig,
        name="share-of-prior",
        alt=f"Share of the prior range that meets all targets together: {said}.",
        caption="Share of each prior range over which all four hold together (T5); bar: 95 % interval. "
        f"n = {w.counted(run.dose.draws, 'draw')}, each an experiment on {w.counted(run.neurons, 'neuron')} "
        "by the response surface.",
    )


def _marks_picture(run: Reproduction) -> s.Picture:
    fig, axes = _rows(run.hypotheses, 0.32)
    targets = [t for t in TARGETS if t != "T5"]
    columns = [*targets, "T5 spikes", "T5 held out", "T5 2nd cell"]
    at = [*range(len(targets)), *(len(targets) + 0.5 + i for i in range(3))]
    for y, h in enumerate(run.hypotheses):
        together = (h.spiking_together, h.held_out_together, h.second_morphology_together)
        marks: list[rw.Mark | None] = [
            rw.MARKS[h.targets[t].state] if t in h.targets else None for t in targets
        ]
        marks += [None if met is None else rw.MARKS[state(met)] for met in together]
        for x, mark in zip(at, marks, strict=True):
            if mark is None:
                axes.text(x, y, "–", ha="center", va="center", color=s.MUTED)
                continue
            color = _MARK_COLORS[mark]
            if mark == "yes":
                axes.plot(x, y, "s", ms=11, color=color, alpha=0.22, mew=0)
            axes.text(x, y, _MARK_SIGNS[mark], ha="center", va="center", color=color, fontsize=10)
    axes.axvline(len(targets) - 0.25, color=s.FAINT, lw=1)
    axes.set_xlim(-0.6, at[-1] + 0.6)
    axes.set_xticks(at, columns)
    axes.xaxis.tick_top()
    axes.tick_params(axis="x", length=0)
    for label in axes.get_xticklabels()[len(targets) :]:
        label.set(rotation=60, ha="left", rotation_mode="anchor")
    axes.spines["bottom"].set_visible(False)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("✓ met   ✗ not met   ? undecided   – not run", color=s.MUTED)
    wanted = w.listed(f"{t} {rw.TARGET_WORDS[t]}" for t in rw.TOGETHER)
    said = "; ".join(f"{h.name} fails {w.listed(h.fails) or 'nothing'}" for h in run.hypotheses)
    return s.picture(
        fig,
        name="verdicts",
        alt=f"Verdicts of each hypothesis on each target: {said}.",
        caption=f"{wanted} (T3b: at matched rates); T5 is T1, T2, T3a and T4 together. n = "
        f"{w.counted(run.neurons, 'neuron')}, {w.counted(run.trials, 'trial')} each. T1 to T4: spikes of a held-out "
        f"population{_predicted(run)}. Right: T5 in these spikes, in the held-out populations (response surface), in "
        "spikes of a second morphology.",
    )


def _predicted(run: Reproduction) -> str:
    names = [h.name for h in run.hypotheses if h.targets_from == "predicted"]
    return f" (response surface for {w.listed(names)})" if names else ""


def by_target_picture(run: Reproduction) -> s.Picture:
    """Share of the prior that meets each target, side by side."""
    targets = [t for t in TARGETS if any(_target_share(h, t) is not None for h in run.hypotheses)]
    fig = s.figure(2 * s.PANEL[0], _HEAD + _ROW * len(run.hypotheses))
    panels = fig.subplots(1, len(targets), sharey=True, squeeze=False)[0]
    for axes, target in zip(panels, targets, strict=True):
        for y, h in enumerate(run.hypotheses):
            found = _target_share(h, target)
            interval = h.prior_share_interval if target == "T5" else wilson(found, run.dose.draws)
            _dot(axes, y, found, interval, h, 100.0)
        axes.set_title(target, loc="left", fontweight="bold")
        axes.set_xlim(-6, 106)
        axes.set_xticks([0, 50, 100])
        axes.grid(axis="x", color=s.FAINT, lw=0.6)
        axes.tick_params(axis="y", length=0)
        axes.tick_params(axis="x", labelsize=8)
    _name_rows(panels[0], run.hypotheses)
    fig.supxlabel("share of the prior range that meets the target (%)", fontsize=9)
    said = "; ".join(
        f"{h.name} " + ", ".join(f"{t} {rw.percent(_target_share(h, t))}" for t in targets)
        for h in run.hypotheses
    )
    return s.picture(
        fig,
        name="by-target",
        alt=f"Share of the prior range that meets each target: {said}.",
        caption="Share of each prior range that meets a target alone, and all together (T5). Bar: 95 % interval "
        f"(Wilson), n = {w.counted(run.dose.draws, 'draw')}.",
        wide=True,
    )


def wilson(found: Number, draws: int) -> Interval:
    """95 % interval of a share of so many draws (Wilson 1927)."""
    from scipy.stats import binomtest

    if found is None or draws < 1:
        return None
    ci = binomtest(round(found * draws), draws).proportion_ci(0.95, method="wilson")
    return float(ci.low), float(ci.high)


def _target_share(h: HypothesisPart, target: str) -> Number:
    return h.prior_share_meeting_T5 if target == "T5" else h.prior_share_by_target.get(target)


# --- what became of the neurons ---------------------------------------------------------------------------------------


def population_picture(run: Reproduction, h: HypothesisPart) -> s.Picture | None:
    """Each neuron under control and drug; None for a hypothesis that was not simulated."""
    if h.shifts is None:
        return None
    n = h.shifts
    fig = s.figure(2 * s.PANEL[0], 3.1)
    panels = fig.subplots(1, 4)
    said = [
        _paired(panels[0], n.osi_control, n.osi_drug, "OSI of the fitted curve"),
        _shifts(panels[1], n),
        _paired(panels[2], n.fano_control, n.fano_drug, "Fano factor (variance / mean)", line=1.0),
        _paired(panels[3], n.blank_control, n.blank_drug, "rate at the blank screen (Hz)"),
    ]
    where = "direct spiking simulation" if h.targets_from == "spiking" else "response surface"
    return s.picture(
        fig,
        name="population",
        alt=f"Neurons under control and drug with {h.name}: {'; '.join(said)}.",
        caption=f"{h.name}: every neuron of a held-out population, {where}, n = {len(n.shift_deg)} neurons, "
        f"{run.trials} trials of {w.exact(run.window_s, 's')} in each condition, independent of each other. "
        f"{'; '.join(said)}. Line: one neuron; square and thick bar: median and middle half. Dotted at ±5°: beyond it "
        "a neuron counts as shifted; at a Fano factor of 1: Poisson process.",
        wide=True,
    )


def _paired(
    axes: Axes, control: Sequence[Number], drug: Sequence[Number], label: str, line: float | None = None
) -> str:
    both = np.stack([array(control), array(drug)])
    both = both[:, np.isfinite(both).all(axis=0)]
    if line is not None:
        axes.axhline(line, color=s.MUTED, lw=0.9, ls=":", zorder=0)
    if both.size:
        axes.plot([0, 1], both, color=s.MUTED, lw=0.6, alpha=0.45)
    for x, side, values, color in ((0, -0.24, both[0], s.BEFORE), (1, 1.24, both[1], s.DURING)):
        axes.plot(np.full(len(values), x), values, "o", ms=3, color=color, alpha=0.75, mew=0)
        if len(values):
            low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
            axes.plot([side, side], [low, high], color=color, lw=3, solid_capstyle="butt")
            axes.plot(side, middle, "s", ms=6, color=color)
    axes.set_xlim(-0.5, 1.5)
    axes.set_xticks([0, 1], ["control", "drug"])
    axes.set_ylim(bottom=0)
    axes.set_ylabel(label)
    name = label.split(" (")[0]
    if not both.size:
        return f"{name}: no neuron has it in both conditions"
    before, during = np.median(both, axis=1)
    return f"{name}: median {w.number(before)} to {w.number(during)} (n = {both.shape[1]})"


def _shifts(axes: Axes, n: NeuronsPart) -> str:
    x, y = array(n.disparity_deg), array(n.shift_deg)
    kept = np.isfinite(x) & np.isfinite(y)
    for at in (-_MOVED_DEG, _MOVED_DEG):
        axes.axhline(at, color=s.MUTED, lw=0.9, ls=":", zorder=0)
    axes.axhline(0, color=s.FAINT, lw=0.9, zorder=0)
    axes.plot(x[kept], y[kept], "o", ms=4, color=s.DURING, alpha=0.75, mew=0)
    reach = max(10.0, 1.1 * float(np.max(np.abs(y[kept]), initial=0.0)))
    axes.set_ylim(-reach, reach)
    axes.set_xlabel("tree disparity (deg)")
    axes.set_ylabel("shift of preferred (deg)")
    if not kept.any():
        return "shift of preferred: no neuron has one"
    median = w.number(float(np.median(np.abs(y[kept]))), 2, "deg")
    return f"absolute shift of preferred: median {median} (n = {int(kept.sum())})"


def conflict_picture(run: Reproduction, conflict: ConflictPart) -> s.Picture:
    """What the drug moves (T2) and what the loss of a dendrite moves (T10), against tree disparity."""
    fig = s.figure()
    axes = fig.subplots()
    axes.axhline(_MOVED_DEG, color=s.MUTED, lw=0.9, ls=":", zorder=0)
    x, y = array(conflict.disparity_deg), np.abs(array(conflict.moved_deg))
    kept = np.isfinite(x) & np.isfinite(y)
    drawn = [f"{conflict.what}: n = {int(kept.sum())}"]
    h = next((h for h in rw.shown(run) if h.shifts is not None), None)
    if h is not None and h.shifts is not None:
        dx, dy = array(h.shifts.disparity_deg), np.abs(array(h.shifts.shift_deg))
        both = np.isfinite(dx) & np.isfinite(dy)
        axes.plot(
            dx[both], dy[both], "o", ms=5, color=s.DURING, alpha=0.75, mew=0, label=f"drug, {h.name} (T2)"
        )
        drawn.append(f"drug, {h.name}: n = {int(both.sum())}")
    lost = textwrap.fill(f"{conflict.what} (T10)", _LEGEND_CHARACTERS)
    axes.plot(x[kept], y[kept], "^", ms=6, mfc="none", mec=s.BEFORE, mew=1.2, label=lost)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("tree disparity: basal against apical preference (deg)")
    axes.set_ylabel("absolute shift (deg)")
    s.legend_above(axes, ncols=1)
    return s.picture(
        fig,
        name="disparity",
        alt=f"Absolute shift of the preferred orientation against tree disparity. {'; '.join(drawn)}. {conflict.words}",
        caption="T2 wants shifts above the dotted line at 5° under the drug, T10 wants them below it when a dendrite "
        f"is lost. {'; '.join(drawn)} neurons.",
    )


def experiment_picture(run: Reproduction, number: int, experiment: ExperimentPart) -> s.Picture:
    """Predicted sizes of one experiment."""
    fig = s.figure(s.PANEL[0], _HEAD + 0.29 * len(experiment.predicted))
    axes = fig.subplots()
    if "over control" in experiment.observable:
        axes.axvline(1.0, color=s.MUTED, lw=0.9, ls=":", zorder=0)
    for y, p in enumerate(experiment.predicted):
        _dot(axes, y, p.value, p.interval, None, 1.0)
    axes.set_yticks(range(len(experiment.predicted)), [_short(p.hypothesis) for p in experiment.predicted])
    axes.set_ylim(len(experiment.predicted) - 0.5, -0.5)
    unit = "" if experiment.unit == "1" else f" ({experiment.unit})"
    axes.set_xlabel(textwrap.fill(f"{experiment.observable}{unit}", 42))
    axes.grid(axis="x", color=s.FAINT, lw=0.6)
    said = "; ".join(
        f"{p.hypothesis} {rw.size(p.value, p.interval, experiment.unit)}" for p in experiment.predicted
    )
    apart = "" if experiment.separation is None else (
        f" The two furthest apart differ by {w.number(experiment.separation, 2)} of their standard deviations."
    )  # fmt: skip
    return s.picture(
        fig,
        name="experiment",
        alt=f"Experiment {number}, {experiment.manipulation}; {experiment.observable}: {said}.",
        caption=f"Experiment {number}: {experiment.manipulation}. Predicted median over n = "
        f"{w.counted(run.neurons, 'neuron')}; bar: 90 % of those draws of a prior that meet T5.{apart}",
    )


# --- rows -------------------------------------------------------------------------------------------------------------


def _rows(hypotheses: Sequence[HypothesisPart], right: float) -> tuple[Figure, Axes]:
    """Axes with a row for each; rows lie at the same height in every such figure. `right` is a margin in inches."""
    height = _TOP + _ROW * len(hypotheses) + _BOTTOM
    fig = s.figure(_WIDTH, height)
    fig.set_layout_engine("none")
    left = 0.2 + _LETTER * max(len(_short(h.name)) for h in hypotheses)
    axes = fig.add_axes(
        (left / _WIDTH, _BOTTOM / height, 1 - (left + right) / _WIDTH, 1 - (_TOP + _BOTTOM) / height)
    )
    _name_rows(axes, hypotheses)
    axes.tick_params(axis="y", length=0)
    return fig, axes


def _name_rows(axes: Axes, hypotheses: Sequence[HypothesisPart]) -> None:
    axes.set_yticks(range(len(hypotheses)), [_short(h.name) for h in hypotheses])
    for tick, h in zip(axes.get_yticklabels(), hypotheses, strict=True):
        if h.sufficient:
            tick.set_fontweight("bold")
        if h.control or h.counterfactual:
            tick.set_color(s.MUTED)
            tick.set_fontstyle("italic")
    axes.set_ylim(len(hypotheses) - 0.5, -0.5)


def _dot(
    axes: Axes, y: float, found: Number, interval: Interval, h: HypothesisPart | None, scale: float
) -> None:
    if found is None:
        return
    color, marker, filled = _look(h)
    low, high = rw.ends(interval)
    if low is not None and high is not None:
        axes.plot([scale * low, scale * high], [y, y], color=color, lw=1.6, solid_capstyle="butt")
    axes.plot(
        scale * found, y, marker, ms=6, mec=color, mfc=color if filled else "white", mew=1.3, clip_on=False
    )


def _look(h: HypothesisPart | None) -> tuple[str, str, bool]:
    if h is None:
        return s.BEFORE, "o", True
    if h.control:
        return s.MUTED, "D", False
    return (s.DURING, "o", True) if h.sufficient else (s.BEFORE, "s" if h.counterfactual else "o", False)


def _legend(axes: Axes, hypotheses: Sequence[HypothesisPart]) -> None:
    """A symbol for each kind of hypothesis that is there."""
    kinds = {
        "sufficient": [h for h in hypotheses if h.sufficient],
        "not sufficient": [
            h for h in hypotheses if not h.sufficient and not h.control and not h.counterfactual
        ],
        "counterfactual": [h for h in hypotheses if h.counterfactual and not h.sufficient],
        "control": [h for h in hypotheses if h.control],
    }
    handles = []
    for label, members in kinds.items():
        if members:
            color, marker, filled = _look(members[0])
            handles.append(
                Line2D(
                    [],
                    [],
                    ls="",
                    marker=marker,
                    ms=6,
                    mec=color,
                    mfc=color if filled else "white",
                    label=label,
                )
            )
    axes.legend(
        handles=handles, loc="upper right", bbox_to_anchor=(1.0, 1.0), bbox_transform=axes.figure.transFigure, ncols=2,
        borderaxespad=0.2, handletextpad=0.1, columnspacing=0.8,
    )  # fmt: skip


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
