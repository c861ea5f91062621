"""Figures of a dose-response: bands against concentration and NMDA block, attribution, emulator against direct runs.

They draw the documents of :meth:`ketune.workflow._dose_response.DoseResponse.as_dict` and
:meth:`ketune.workflow._attribution.DoseAttribution.as_dict`, in which a missing number is None.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from ketune.report import _style as s
from ketune.report import _words as w
from ketune.report._origin import UNDER_DRUG

Document = Mapping[str, Any]
Array = npt.NDArray[np.float64]

TITLES: dict[str, str] = {
    "peak_rate_hz": "peak rate (Hz)",
    "orthogonal_rate_hz": "orthogonal rate (Hz)",
    "spontaneous_rate_hz": "spontaneous rate (Hz)",
    "osi": "OSI",
    "gosi": "gOSI",
    "hwhm_deg": "half width (deg)",
    "preferred_shift_deg": "shift of preferred (deg)",
    "fano": "Fano factor",
}
_COLOR = s.BEFORE
_DEFAULT = s.DURING
_MOST_BARS = 8


def pictures(document: Document, drug: str) -> list[s.Picture]:
    """All figures of a dose-response."""
    found = [curves_picture(document, drug), emulator_picture(document, drug)]
    attribution = attribution_picture(document["attribution"], drug) if document.get("attribution") else None
    return found if attribution is None else [*found, attribution]


def curves_figure(document: Document) -> Figure:
    """Every quantity with its 50 and 90 % bands, against dose and against NMDA block."""
    names = drawn(document)
    rows = math.ceil(len(names) / 2)
    fig = s.figure(2 * s.PANEL[0], 0.7 + 1.9 * rows)
    panels = fig.subplots(rows, 4, squeeze=False)
    for unused in panels.ravel()[2 * len(names) :]:
        unused.set_axis_off()
    block = document["against_block"]
    for i, name in enumerate(names):
        left, right = panels[i // 2, 2 * (i % 2) : 2 * (i % 2) + 2]
        draw_against_dose(left, document, name)
        _draw_bands(right, _array(block["block"]), block["bands"][name])
        right.set_xlim(-0.03, 1.03)
        right.sharey(left)
        right.tick_params(labelleft=False)
        _control_line(right, document, name)
        for axes in (left, right):
            axes.yaxis.set_major_locator(MaxNLocator(4))
            axes.tick_params(labelsize=8)
        if i >= len(names) - 2:
            left.set_xlabel(f"dose ({unit_text(document['dose_unit'])})")
            right.set_xlabel("NMDA block (fraction)")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper left", ncols=5, handlelength=1.8, columnspacing=1.2)
    return fig


def draw_against_dose(axes: Axes, document: Document, name: str) -> None:
    """One quantity with its 50 and 90 % bands against dose, the default parameters, and the value without drug."""
    dose, bands = _array(document["doses"]), document["bands"][name]
    _draw_bands(axes, dose, bands)
    axes.plot(dose, _array(bands["default"]), color=_DEFAULT, ls="--", lw=1.4, label="default parameters")
    _control_line(axes, document, name)
    _dose_axis(axes, dose)
    axes.set_ylabel(TITLES[name])


def curves_picture(document: Document, drug: str) -> s.Picture:
    """:func:`curves_figure` with its words."""
    counts, checked, trials = document["against_block"]["n"], document["emulator"], document["monte_carlo"]
    described = "; ".join(_in_words(name, document["bands"][name]) for name in drawn(document))
    n_checks, defined = len(checked["checks"]), document["bands"]["gosi"]["n_defined"]
    few = min(defined)
    left_out = (
        ""
        if few == document["n_samples"]
        else "Tuning and Fano factor are of the sets in which the neuron fires enough to have them, at least "
        f"{few} at each dose. "
    )
    return s.picture(
        curves_figure(document),
        name="dose-response",
        origin=UNDER_DRUG,
        alt=f"Dose-response of {drug} over {len(document['doses'])} doses. {described}.",
        caption=f"Bands hold 50 % and 90 % of n = {document['n_samples']} sets of drug parameters drawn from their "
        "ranges; line: their median. Left of each pair: against dose; right: the same sets at all doses, in bins of "
        "NMDA block (mean over excitatory synapses) of 0.1 with "
        f"n = {min(counts, default=0)} to {max(counts, default=0)} each. {left_out}The bands hold the "
        f"uncertainty of the drug's parameters alone. Emulated from {checked['design_points'] + n_checks} simulated "
        f"effects; RMS error on {n_checks} held-out ones {100 * checked['error_of_peak']:.1f} % of the peak. Trials "
        f"leave the level of the response uncertain by {100 * trials['error_of_peak']:.1f} % "
        f"(SE, {trials['trials']} trials).",
        wide=True,
    )


def emulator_figure(document: Document) -> Figure:
    """Emulated against direct mean counts of the held-out effects, with the band that was asked for."""
    emulator = document["emulator"]
    checks = emulator["checks"]
    direct, error, emulated = (
        np.array([_array(c[key]) for c in checks]) for key in ("direct", "direct_se", "emulated")
    )
    shown = np.isfinite(_array(document["orientation_deg"]))
    width = emulator["tolerance"] * document["monte_carlo"]["peak_count"]
    fig = s.figure()
    axes = fig.subplots()
    top = 1.05 * max(float(direct.max()), float(emulated.max()), 1e-9)
    line = np.array([0.0, top])
    axes.fill_between(
        line, line - width, line + width, color=s.FAINT, lw=0,
        label=f"± {100 * emulator['tolerance']:g} % of the peak",
    )  # fmt: skip
    axes.plot(line, line, color=s.MUTED, lw=0.9, ls=":")
    for part, color, marker, label in ((shown, _COLOR, "o", "gratings"), (~shown, _DEFAULT, "D", "blank")):
        if part.any():
            axes.errorbar(
                direct[:, part].ravel(), emulated[:, part].ravel(), xerr=error[:, part].ravel(), ls="", marker=marker,
                ms=4, color=color, elinewidth=0.7, label=label,
            )  # fmt: skip
    axes.set_xlim(0, top)
    axes.set_ylim(0, top)
    axes.set_xlabel("direct run (spikes per trial)")
    axes.set_ylabel("emulator (spikes per trial)")
    s.legend_above(axes, ncols=3)
    return fig


def emulator_picture(document: Document, drug: str) -> s.Picture:
    """:func:`emulator_figure` with its words."""
    emulator, budget = document["emulator"], document["budget"]
    rms, largest, noise = (
        f"{100 * emulator[key]:.1f} %"
        for key in ("error_of_peak", "largest_error_of_peak", "direct_noise_of_peak")
    )
    return s.picture(
        emulator_figure(document),
        name="dose-emulator",
        origin=UNDER_DRUG,
        alt=f"Emulated against directly simulated mean spike counts under {drug}: RMS difference {rms} and largest "
        f"{largest} of the peak.",
        caption=f"n = {len(emulator['checks'])} effects (dose and parameter set) that the emulator had not seen, "
        f"{len(document['orientation_deg'])} conditions each; direct runs of "
        f"{budget['check_blocks'] * budget['block_trials']} trials with the drug's whole pattern over the dendrites, "
        f"bars ± SE. RMS difference {rms} of the control's peak, of which the noise of the direct runs is {noise}; "
        f"largest {largest}.",
    )


def attribution_figure(document: Document) -> Figure | None:
    """Total and first-order Sobol indices of the parameters that matter most, a panel for each quantity."""
    shares: Mapping[str, Sequence[Document]] = document["shares"]
    names = [name for name in TITLES if shares.get(name)]
    if not names:
        return None
    most = max(min(len(shares[name]), _MOST_BARS) for name in names)
    rows = math.ceil(len(names) / 2)
    fig = s.figure(2 * s.PANEL[0], 0.6 + rows * (0.75 + 0.24 * most))
    panels = fig.subplots(rows, 2, squeeze=False).ravel()
    for unused in panels[len(names) :]:
        unused.set_axis_off()
    for axes, name in zip(panels, names, strict=False):
        top = shares[name][:_MOST_BARS]
        at = np.arange(len(top))[::-1]
        axes.barh(
            at + 0.2, [r["total"] for r in top], 0.4, xerr=[r["total_ci"] for r in top], color=_COLOR, label="total",
            error_kw={"elinewidth": 0.8, "ecolor": s.INK},
        )  # fmt: skip
        axes.barh(
            at - 0.2, [r["first"] for r in top], 0.4, xerr=[r["first_ci"] for r in top], color=s.OTHERS[0],
            label="alone (first order)", error_kw={"elinewidth": 0.8, "ecolor": s.INK},
        )  # fmt: skip
        axes.set_yticks(at, [r["parameter"] for r in top])
        axes.set_xlim(0, 1)
        axes.set_ylim(-0.6, most - 0.4 if len(top) == most else len(top) - 0.4)
        deviation = document["standard_deviation"][name]
        axes.set_title(f"{TITLES[name]}, SD {w.number(deviation, 2)}", loc="left", fontsize=9)
        axes.tick_params(axis="y", length=0)
    for axes in panels[max(len(names) - 2, 0) : len(names)]:
        axes.set_xlabel("share of the variance")
    handles, labels = panels[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper left", ncols=2)
    return fig


def attribution_picture(document: Document, drug: str) -> s.Picture | None:
    """:func:`attribution_figure` with its words; None where no quantity varies."""
    fig = attribution_figure(document)
    if fig is None:
        return None
    shares: Mapping[str, Sequence[Document]] = document["shares"]
    dose = f"{w.number(document['dose'], 3)} {unit_text(document['dose_unit'])}"
    leading = "; ".join(
        f"{title}: {shares[name][0]['parameter']} {shares[name][0]['total']:.2f}"
        for name, title in TITLES.items()
        if shares.get(name)
    )
    return s.picture(
        fig,
        name="dose-attribution",
        origin=UNDER_DRUG,
        alt=f"Share of the variance by uncertain parameter under {drug} at {dose}. Largest total: {leading}.",
        caption=f"Sobol indices at {dose} over n = {document['n_runs']} emulated parameter sets, up to {_MOST_BARS} "
        "parameters for each quantity; bars ± half width of the 95 % bootstrap interval. SD: of the quantity over the "
        "sets.",
        wide=True,
    )


def unit_text(unit: str) -> str:
    """A unit as a figure shows it."""
    return unit.replace("uM", "µM")


def _draw_bands(axes: Axes, x: Array, bands: Document) -> None:
    q = {key: _array(bands[key]) for key in ("q05", "q25", "q50", "q75", "q95")}
    axes.fill_between(x, q["q05"], q["q95"], color=_COLOR, alpha=0.18, lw=0, label="90 % of the sets")
    axes.fill_between(x, q["q25"], q["q75"], color=_COLOR, alpha=0.38, lw=0, label="50 %")
    axes.plot(x, q["q50"], color=_COLOR, label="median")


def _control_line(axes: Axes, document: Document, name: str) -> None:
    control = document["control"].get(name)
    if control is not None and math.isfinite(control):
        axes.axhline(control, color=s.MUTED, lw=0.9, ls=":", zorder=0, label="no drug")


def _dose_axis(axes: Axes, dose: Array) -> None:
    if dose[0] > 0 and dose[-1] / dose[0] > 20:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(numticks=4))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())


def _in_words(name: str, bands: Document) -> str:
    medians = _array(bands["q50"])
    known = medians[np.isfinite(medians)]
    return f"median {TITLES[name]} from {w.number(float(known[0]))} to {w.number(float(known[-1]))}"


def drawn(document: Document) -> list[str]:
    """Quantities that are defined at some dose."""
    return [name for name in TITLES if _known(document["bands"][name]["q50"])]


def _known(values: Sequence[Any]) -> bool:
    return bool(np.isfinite(_array(values)).any())


def _array(values: Sequence[Any]) -> Array:
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)
