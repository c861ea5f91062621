"""Figures of the fit: recording against model, spread of the kept sets, example traces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from ketune.report import _style as s
from ketune.report import _words as w
from ketune.report._results import Fit, Number, Trace, array, evoked, mean

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Series:
    label: str
    mean: Sequence[Number]
    error: Sequence[Number] | None
    orientation_deg: Sequence[Number]
    color: str
    marker: str
    line: str
    filled: bool = True


def draw_tuning(axes: Axes, fit: Fit, *, predicted: bool = True) -> list[_Series]:
    """Mean counts per orientation: both halves of the recording, the spiking neuron and, if asked for, the prediction.

    Returns
    -------
    What was drawn.
    """
    t, c = fit.tuning, fit.check
    series = [
        _Series(_fitted_label(fit), t.recorded_mean, t.recorded_sem, t.orientation_deg, s.RECORDED, "o", "")
    ]
    if c is None:
        series.append(
            _Series("model, predicted", t.fitted_mean, None, t.orientation_deg, s.PREDICTED, "^", "--")
        )
    else:
        if fit.recording.split == "half":
            series.append(
                _Series(
                    "recorded, held out",
                    c.test_mean,
                    c.test_sem,
                    c.orientation_deg,
                    s.HELD_OUT,
                    "s",
                    "",
                    False,
                )
            )
        if predicted:
            series.append(
                _Series(
                    "model, predicted", c.prediction_mean, None, c.orientation_deg, s.PREDICTED, "^", "--"
                )
            )
        series.append(
            _Series("model, spiking", c.spiking_mean, c.spiking_sem, c.orientation_deg, s.SPIKING, "D", "-")
        )
    _plot_series(axes, series)
    axes.set_ylabel(f"spikes in {w.number(fit.recording.window_s, unit='s')}")
    axes.set_ylim(bottom=0)
    s.legend_above(axes)
    return series


def tuning_picture(
    fit: Fit, *, name: str = "tuning", size: tuple[float, float] = s.PANEL, predicted: bool = True
) -> s.Picture:
    """The tuning as a picture; without the prediction on the first screen."""
    fig = s.figure(*size)
    series = draw_tuning(fig.subplots(), fit, predicted=predicted)
    return s.picture(
        fig,
        name=name,
        alt=f"Mean spike count against orientation for {fit.recording.name}. " + extremes(series),
        caption="Mean spikes per trial ± SEM. " + trials_words(fit) + _closing(series),
        origin=("data", "fit"),
    )


def fano_picture(fit: Fit, *, name: str = "fano", size: tuple[float, float] = s.PANEL) -> s.Picture:
    """Fano factor per orientation, as the means."""
    t, c = fit.tuning, fit.check
    series = [
        _Series(
            _fitted_label(fit), t.recorded_fano, t.recorded_fano_se, t.orientation_deg, s.RECORDED, "o", ""
        )
    ]
    if c is not None and fit.recording.split == "half":
        series.append(
            _Series(
                "recorded, held out",
                c.test_fano,
                c.test_fano_se,
                c.orientation_deg,
                s.HELD_OUT,
                "s",
                "",
                False,
            )
        )
    series.append(_Series("model, predicted", t.fitted_fano, None, t.orientation_deg, s.PREDICTED, "^", "--"))
    if c is not None:
        series.append(
            _Series(
                "model, spiking", c.spiking_fano, c.spiking_fano_se, c.orientation_deg, s.SPIKING, "D", "-"
            )
        )
    fig = s.figure(*size)
    axes = fig.subplots()
    _plot_series(axes, series)
    _poisson_line(axes)
    axes.set_ylabel("Fano factor (variance / mean)")
    axes.set_ylim(bottom=0)
    s.legend_above(axes)
    return s.picture(
        fig,
        name=name,
        alt=f"Fano factor against orientation for {fit.recording.name}. " + extremes(series),
        caption="Fano factor of the counts ± standard error; the dotted line is that of a Poisson process. "
        + trials_words(fit),
        origin=("data", "fit"),
    )


def traces_picture(traces: Sequence[Trace]) -> s.Picture | None:
    """Somatic and dendritic potential of one trial in each condition."""
    if not traces:
        return None
    fig = s.figure(9.4, 0.55 + 1.65 * len(traces))
    rows = fig.subplots(len(traces), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for axes, trace in zip(rows, traces, strict=True):
        time = np.asarray(trace.time_ms)
        axes.plot(*_thin(time, array(trace.dendrite_mV)), color=s.DENDRITE, lw=0.9, label=_place(trace))
        axes.plot(*_thin(time, array(trace.soma_mV)), color=s.SOMA, lw=0.9, label="soma")
        at = "" if trace.orientation_deg is None else f", {w.number(trace.orientation_deg, 3, 'deg')}"
        axes.set_title(f"{trace.condition}{at}", loc="left")
        axes.set_ylabel("potential (mV)")
    rows[-1].set_xlabel("time (ms)")
    rows[0].legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, borderaxespad=0.1)
    conditions = w.listed(dict.fromkeys(t.condition for t in traces))
    peaks = "; ".join(
        f"{t.condition}: soma {_volts(t.soma_mV)}, {_place(t)} {_volts(t.dendrite_mV)}" for t in traces
    )
    return s.picture(
        fig,
        name="traces",
        alt=f"Membrane potential against time at soma and dendrite. {peaks}.",
        caption=f"One example trial in each condition ({conditions}; n = 1): potential at the soma and in a "
        f"dendrite ({_place(traces[0])}). Conditions share the synaptic events that the drug does not remove.",
        wide=True,
    )


def _place(trace: Trace) -> str:
    return trace.dendrite.replace(" um ", " µm ")


def _volts(values: Sequence[Number]) -> str:
    known = array(values)
    known = known[np.isfinite(known)]
    return w.span(float(known.min()), float(known.max()), 3, "mV") if known.size else w.NOT_AVAILABLE


def _thin(time: Array, values: Array, bins: int = 900) -> tuple[Array, Array]:
    """Least and largest value of each of `bins` stretches: the same drawing with fewer points, spikes kept whole."""
    step = len(time) // bins
    if step < 4:
        return time, values
    n = len(time) // step * step
    blocks = values[:n].reshape(-1, step)
    first = np.minimum(blocks.argmin(axis=1), blocks.argmax(axis=1))
    second = np.maximum(blocks.argmin(axis=1), blocks.argmax(axis=1))
    keep = (np.stack([first, second], axis=1) + step * np.arange(len(blocks))[:, None]).ravel()
    return time[keep], values[keep]


def _plot_series(axes: Axes, series: Sequence[_Series]) -> None:
    for i, one in enumerate(series):
        # A slight sideways offset keeps error bars apart.
        offset = 0.9 * (i - (len(series) - 1) / 2)
        plot_orientations(
            axes, one.orientation_deg, one.mean, one.error, offset=offset, label=one.label, color=one.color,
            marker=one.marker, line=one.line, filled=one.filled,
        )  # fmt: skip
    orientation_axis(axes, [theta for one in series for theta in one.orientation_deg])


def plot_orientations(
    axes: Axes,
    orientation_deg: Sequence[Number],
    values: Sequence[Number],
    error: Sequence[Number] | None,
    *,
    label: str,
    color: str,
    marker: str,
    line: str,
    offset: float = 0.0,
    filled: bool = True,
) -> None:
    """Values against orientation, the circle closed by repeating 0 at 180 degrees, blank trials left of all others."""
    theta, y = array(orientation_deg), array(values)
    e = np.full_like(y, np.nan) if error is None else array(error)
    blank = np.isnan(theta)
    order = np.argsort(theta[~blank])
    x, y1, e1 = theta[~blank][order], y[~blank][order], e[~blank][order]
    if x.size and x[0] == 0 and x[-1] < 180:
        x, y1, e1 = np.append(x, 180.0), np.append(y1, y1[0]), np.append(e1, e1[0])
    look: dict[str, Any] = {
        "color": color,
        "marker": marker,
        "mfc": color if filled else "white",
        "elinewidth": 1.0,
        "mew": 1.0,
    }
    bars = None if error is None else e1
    axes.errorbar(x + offset, y1, bars, ls=line or "none", label=label, lw=1.5, **look)
    if blank.any():
        bars = None if error is None else e[blank]
        axes.errorbar(np.full(blank.sum(), blank_at(theta)) + offset, y[blank], bars, ls="none", **look)


def orientation_axis(axes: Axes, orientation_deg: Sequence[Number]) -> None:
    """Ticks every 45 degrees, and one for the blank where there is one."""
    theta = array(orientation_deg)
    ticks = [0.0, 45.0, 90.0, 135.0, 180.0]
    labels = [f"{tick:.0f}" for tick in ticks]
    if np.isnan(theta).any():
        ticks, labels = [blank_at(theta), *ticks], ["blank", *labels]
    axes.set_xticks(ticks, labels)
    axes.set_xlabel("orientation (degrees)")


def blank_at(theta: Array) -> float:
    return min(0.0, float(np.nanmin(theta, initial=0.0))) - 30.0


def _poisson_line(axes: Axes) -> None:
    axes.axhline(1.0, color=s.MUTED, lw=0.9, ls=":", zorder=0)


def _fitted_label(fit: Fit) -> str:
    return "recorded, fitted" if fit.recording.split == "half" else "recorded"


def trials_words(fit: Fit) -> str:
    """How many trials stand behind the points, for a caption."""
    r = fit.recording
    counts = [n for theta, n in zip(r.orientation_deg, r.n_trials, strict=True) if theta is not None]
    halves = ", half of them fitted and half held out" if r.split == "half" else ""
    text = f"Recording: n = {w.trials(counts)} trials per orientation{halves}."
    if fit.check is not None:
        text += f" Spiking model: n = {fit.check.n_trials} trials per orientation."
    return text


def _closing(series: Sequence[_Series]) -> str:
    theta = array(series[0].orientation_deg)
    theta = theta[np.isfinite(theta)]
    closed = theta.size > 0 and theta.min() == 0 and theta.max() < 180
    recorded, model = (any(t is None for t in series[k].orientation_deg) for k in (0, -1))
    text = " 0° is drawn again at 180°." if closed else ""
    return text + (
        " The recording had no blank trials; those of the model are shown." if model and not recorded else ""
    )


def extremes(series: Sequence[_Series]) -> str:
    """The largest and smallest value of each series, for readers who do not see the figure."""
    parts = []
    for one in series:
        y, theta = array(one.mean), array(one.orientation_deg)
        known = np.isfinite(y) & np.isfinite(theta)
        if known.any():
            top = np.argmax(np.where(known, y, -np.inf))
            average = mean(evoked(one.orientation_deg, one.mean))
            parts.append(
                f"{one.label}: largest {w.number(y[top])} at {w.number(theta[top], unit='deg')}, "
                f"smallest {w.number(float(y[known].min()))}, average {w.number(average)}"
            )
    return "; ".join(parts) + "."
