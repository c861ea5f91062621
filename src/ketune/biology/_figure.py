"""One page that shows each check's figure against its bounds and source, and the curves that it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ketune.biology._statistics import naka_rushton

_CONTROL, _BLOCKED, _OTHER = "#0072B2", "#D55E00", "#009E73"
_FAINT, _BAND, _FAILED = "#8a8f98", "#d9ead3", "#b00020"


def draw(result: Mapping[str, Any], path: Path) -> None:
    """Write the page as a PNG file."""
    import matplotlib
    from matplotlib.figure import Figure

    checks = {check["name"]: check for check in result["checks"]}
    curves = result["curves"]
    settings: dict[Any, Any] = {
        "font.size": 8.0,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
    }
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(11.7, 10.6), layout="constrained")
        halves: Any = figure.subfigures(2, 1, height_ratios=(1.0, 0.95))
        top, bottom = halves
        panels = top.subplots(2, 3)
        _receptor_block(panels[0, 0], curves["block"])
        _subthreshold(panels[0, 1], curves["subthreshold"])
        _contrast(panels[0, 2], curves["contrast"])
        _ablated_tuning(panels[1, 0], curves["ablation"])
        _disparity(panels[1, 1], curves["ablation"])
        _rest(panels[1, 2], curves["rest"])
        rows = bottom.subplots(4, 3)
        for axes in rows.flat:
            axes.set_axis_off()
        for axes, check in zip(rows.flat, checks.values(), strict=False):
            _figure_in_bounds(axes, check)
        verdict = "all checks hold" if result["ok"] else "FAILED"
        figure.suptitle(f"Calibration checks of the reference cell (not predictions): {verdict}", fontsize=11)
        figure.savefig(path, dpi=150)


def _receptor_block(axes: Any, curve: Mapping[str, Any]) -> None:
    for key, label, color in (
        ("control", "control", _CONTROL),
        ("no_nmda", "NMDA blocked", _BLOCKED),
        ("no_ampa", "AMPA blocked", _OTHER),
    ):
        values = np.asarray(curve[f"{key}_hz"])
        axes.plot(curve["orientation_deg"], values[:-1], "o-", ms=3, color=color, label=label)
        axes.axhline(values[-1], color=color, lw=0.7, ls=":")
    axes.set(xlabel="orientation (deg)", ylabel="rate (Hz)", title="Receptor block (dotted: blank)")
    axes.legend()


def _subthreshold(axes: Any, curve: Mapping[str, Any]) -> None:
    for key, label, color in (
        ("control", "control", _CONTROL),
        ("no_nmda", "NMDA blocked in the cell", _BLOCKED),
    ):
        axes.plot(curve["orientation_deg"], curve[f"{key}_mV"], "o-", ms=3, color=color, label=label)
    axes.set(
        xlabel="orientation (deg)",
        ylabel="mV above blank",
        ylim=(0, None),
        title="Subthreshold tuning, no spikes",
    )
    axes.legend(loc="lower right")


def _contrast(axes: Any, curve: Mapping[str, Any]) -> None:
    fine = np.geomspace(min(curve["contrast"]), 1.0, 100)
    for key, label, color in (("control", "control", _CONTROL), ("no_nmda", "NMDA blocked", _BLOCKED)):
        axes.errorbar(
            curve["contrast"],
            curve[f"{key}_hz"],
            curve[f"{key}_sem_hz"],
            fmt="o",
            ms=3,
            color=color,
            label=label,
        )
        fit = np.asarray(curve[f"{key}_fit"], float)
        axes.plot(fine, naka_rushton(fine, *fit), color=color, lw=1)
        axes.axvline(fit[1], color=color, lw=0.7, ls=":")
    axes.set(xscale="log", xlabel="contrast", ylabel="evoked rate (Hz)", title="Contrast (dotted: C50)")
    axes.set_xticks([0.1, 0.2, 0.5, 1.0], ["0.1", "0.2", "0.5", "1"])
    axes.minorticks_off()
    axes.legend()


def _ablated_tuning(axes: Any, curve: Mapping[str, Any]) -> None:
    axes.plot(curve["orientation_deg"], curve["intact_hz"], "o-", ms=3, color="black", label="intact")
    for name, rates in zip(curve["dendrite"], curve["ablated_hz"], strict=True):
        color = _BLOCKED if name.startswith("apical") else None
        axes.plot(curve["orientation_deg"], rates, "-", lw=1.2, color=color, label=f"without {name}")
    axes.set(xlabel="orientation (deg)", ylabel="rate (Hz)", title="Ablation, trees agree")
    axes.legend(fontsize=6.5)


def _disparity(axes: Any, curve: Mapping[str, Any]) -> None:
    shift, se = np.abs(np.asarray(curve["shift_deg"])), np.asarray(curve["se_deg"])
    axes.axhspan(0, 5, color=_BAND)
    for k, name in enumerate(curve["dendrite"]):
        color = _BLOCKED if name.startswith("apical") else None
        axes.errorbar(curve["disparity_deg"], shift[:, k], se[:, k], fmt="o-", ms=3, color=color, label=name)
    axes.set(
        xlabel="disparity of the trees (deg)", ylabel="|change of preference| (deg)",
        title="What an ablation moves", yscale="symlog", ylim=(0, 100),
    )  # fmt: skip
    axes.set_yticks([0, 1, 5, 20, 90], ["0", "1", "5", "20", "90"])
    axes.minorticks_off()
    axes.legend(fontsize=6.5, loc="lower right", framealpha=0.8, frameon=True, edgecolor="none")


def _rest(axes: Any, changes: Mapping[str, float]) -> None:
    ways = ("bath", "bath_hcn", "saturating_hcn")
    for shift, genotype, label, color in (
        (-0.2, "wild_type", "wild type", _CONTROL),
        (0.2, "null", "HCN1 null", _BLOCKED),
    ):
        values = [changes[f"{genotype}_{way}"] for way in ways]
        axes.bar(np.arange(len(ways)) + shift, values, 0.38, color=color, label=label)
    axes.axhline(0, color="black", lw=0.7)
    axes.set_xticks(
        range(len(ways)), ["10 uM,\nall targets", "10 uM,\nHCN1 alone", "saturating,\nHCN1 alone"]
    )
    axes.set(ylabel="change of rest (mV)", title="Ketamine, synapses silent")
    axes.legend()


def _figure_in_bounds(axes: Any, check: Mapping[str, Any]) -> None:
    """A value with its standard error on a scale with the allowed range, and the source below."""
    axes.set_axis_on()
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    value, se, low, high = (check[key] for key in ("value", "se", "low", "high"))
    known = [x for x in (value - se, value + se, low, high, 0.0 if low is None else None) if x is not None]
    known = [x for x in known if np.isfinite(x)]
    span = max(known) - min(known) or 1.0
    left, right = min(known) - 0.12 * span, max(known) + 0.12 * span
    axes.axvspan(left if low is None else low, right if high is None else high, 0.35, 0.65, color=_BAND)
    axes.errorbar(
        [value], [0.5], xerr=[se], fmt="o", ms=6, capsize=3, color=_CONTROL if check["ok"] else _FAILED
    )
    axes.set(xlim=(left, right), ylim=(0, 1), yticks=[])
    axes.set_xticks([x for x in (low, high) if x is not None])
    error = f" ± {se:.2g}" if se else ""
    unit = f" {check['unit']}" if check["unit"] else ""
    state = "ok" if check["ok"] else "FAILED"
    axes.set_title(
        f"{check['name']}: {value:.3g}{error}{unit}, {state}", fontsize=8, loc="left",
        color="black" if check["ok"] else _FAILED,
    )  # fmt: skip
    axes.set_xlabel(check["source"], fontsize=6.5, color=_FAINT)
