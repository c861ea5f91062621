"""What the recording determines, for the page: figures and tables from the posterior file of a fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ketune.inference import (
    DEPENDS_ON,
    LEVEL,
    POSTERIOR_FILE,
    Identifiability,
    check_predictive,
    read_posterior,
)
from ketune.report import _posterior_figures as drawing
from ketune.report import _style as s
from ketune.report import _words as w
from ketune.report._results import Fit

_PERIOD_DEG = 180.0
_VERDICTS = ("identified", "one-sided", "unidentified", "at bound")


def inference_section(fit: Fit, directory: Path) -> dict[str, Any] | None:
    """Figures, verdicts and hypotheses; None where the fit has no posterior file."""
    path = directory / POSTERIOR_FILE
    if not fit.identifiability or not path.exists():
        return None
    tree = read_posterior(path)
    rows = [_row(name, fit, tree) for name in fit.identifiability if name in tree["posterior"]]
    height = drawing.identifiability_size(len(rows))
    identifiability = s.figure(*height)
    drawing.draw_identifiability(identifiability, rows)
    counted = [
        f"{n} {verdict}"
        for verdict in _VERDICTS
        if (n := sum(e.verdict == verdict for e in fit.identifiability.values()))
    ]
    pictures = [
        s.picture(
            identifiability,
            name="identifiability",
            alt=f"Prior and posterior of {len(rows)} quantities of {fit.recording.name}: {', '.join(counted)}.",
            caption=f"What the recording determines. Grey: prior; coloured: posterior; bar: {100 * LEVEL:.0f} % "
            "interval. A posterior that is as wide as its prior has learnt nothing from the recording.",
            wide=True,
        )
    ]
    check = _check(tree, fit)
    if check is not None:
        figure = s.figure(*drawing.predictive_size(check))
        drawing.draw_predictive(figure, check)
        surprising = [f"{i.name} ({i.condition})" for i in check.indices if i.p_value < 0.05]
        pictures.append(
            s.picture(
                figure,
                name="predictive-check",
                alt="Recorded means, Fano factors and tuning indices against those of replicated recordings. "
                + (f"Outside: {', '.join(surprising)}." if surprising else "None lies outside."),
                caption="Recorded values against recordings that the fitted neuron would give again (posterior "
                "predictive check, bands 50 and 90 %). A cross lies where fewer than 5 % of these do.",
                origin=("data", "fit"),
                wide=True,
            )
        )
    return {
        "pictures": pictures,
        "counted": ", ".join(counted),
        "rows": [
            {
                "name": name,
                "cells": [
                    fit.identifiability[name].verdict,
                    _span(fit, name),
                    w.number(fit.identifiability[name].contraction, 2),
                    fit.identifiability[name].words,
                ],
            }
            for name in fit.identifiability
        ],
        "hypotheses": [
            {"name": h.actions, "cells": [w.number(h.elpd, 5), w.number(h.difference, 3), h.words]}
            for h in fit.hypotheses
        ],
        "messages": [] if fit.diagnostics is None else fit.diagnostics.messages,
    }


def _span(fit: Fit, name: str) -> str:
    interval = fit.intervals.get(name)
    if interval is None:
        return w.NOT_AVAILABLE
    if interval.low is None or interval.high is None:
        if interval.low is None and interval.high is None:
            return "open"
        return (
            f"below {w.number(interval.high)}" if interval.low is None else f"above {w.number(interval.low)}"
        )
    return f"{w.number(interval.low)} to {w.number(interval.high)}"


def _row(name: str, fit: Fit, tree: Any) -> drawing.ParameterRow:
    posterior, prior = (np.asarray(tree[group][name].values).ravel() for group in ("posterior", "prior"))
    part, interval = fit.parameters.get(name), fit.intervals.get(name)
    unit = part.unit if part is not None else DEPENDS_ON.get(name, ("", ""))[0]
    angle = unit == "deg" and not name.startswith("spread")
    found = fit.identifiability[name]
    draws = np.quantile(posterior, [0.5 - LEVEL / 2, 0.5, 0.5 + LEVEL / 2])
    low, high = (
        (draws[0], draws[2])
        if interval is None or interval.low is None or interval.high is None
        else (interval.low, interval.high)
    )
    return drawing.ParameterRow(
        label=name,
        unit=unit,
        posterior=posterior,
        prior=prior,
        best=float(part.value if part is not None and part.value is not None else draws[1]),
        found=Identifiability(
            name=name,
            verdict=found.verdict,
            contraction=np.nan if found.contraction is None else found.contraction,
            low=float(low),
            high=float(high),
            level=LEVEL,
            method="posterior",
            median=float(draws[1]),
            words=found.words,
        ),
        log=not angle and "." not in name,
        period=_PERIOD_DEG if angle else None,
    )


def _check(tree: Any, fit: Fit) -> Any:
    if "posterior_predictive" not in tree or "observed_data" not in tree:
        return None
    replicated, recorded = {}, {}
    for name, values in tree["observed_data"].data_vars.items():
        label = str(name).removeprefix("spikes_")
        observed = np.asarray(values.values)
        recorded[label] = [row[np.isfinite(row)] for row in observed]
        replicated[label] = np.asarray(tree["posterior_predictive"][name].values)[0]
    angle = np.asarray(tree["constant_data"]["orientation_deg"].values)
    return check_predictive(replicated, recorded, angle, window_s=fit.recording.window_s)
