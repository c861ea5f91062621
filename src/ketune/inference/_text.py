"""A fit as text for the terminal, in the form of lmfit's report (Newville et al. 2014, doi:10.5281/zenodo.11813)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ketune.inference._diagnostics import Diagnostics
from ketune.inference._verdict import Identifiability, circular_mean, wrap


def fit_report(
    *,
    model: Mapping[str, object],
    statistics: Mapping[str, object],
    values: Mapping[str, float],
    errors: Mapping[str, float],
    identifiability: Mapping[str, Identifiability],
    units: Mapping[str, str] | None = None,
    correlations: Mapping[tuple[str, str], float] | None = None,
    correlations_from: float = 0.3,
    diagnostics: Diagnostics | None = None,
) -> str:
    """The report: model, statistics, variables with interval and verdict, correlations, warnings of the sampler.

    Every variable is listed, determined or not. The text is plain ASCII where the given texts are.

    Parameters
    ----------
    model, statistics
        What is shown line by line, in order; floats with six significant digits.
    values, errors
        Best value and standard error of each variable, in its unit; an error of None or NaN is shown as missing.
        Angles and values of 0 get no percentage.
    identifiability
        Of every variable.
    units
        Of those that have one.
    correlations
        By pair of variables; see :func:`posterior_correlations`.
    correlations_from
        Smallest absolute correlation that is shown.
    diagnostics
        Its messages close the report.
    """
    lines = [
        "[[Model]]",
        *_table(model, ":"),
        "[[Fit Statistics]]",
        *_table(statistics, "="),
        "[[Variables]]",
    ]
    units = units or {}
    width = max(map(len, values), default=0) + 1
    bodies = {
        name: _value(value, errors.get(name), units.get(name, "")) + " " + _interval(identifiability[name])
        for name, value in values.items()
    }
    body_width = max(map(len, bodies.values()), default=0)
    for name, body in bodies.items():
        found = identifiability[name]
        contraction = "n/a" if math.isnan(found.contraction) else f"{found.contraction:.2f}"
        label = f"{name}:"
        lines.append(f"    {label:<{width}} {body:<{body_width}}  {found.verdict}, contraction {contraction}")
    if correlations is not None:
        shown = sorted(
            ((pair, r) for pair, r in correlations.items() if abs(r) >= correlations_from),
            key=lambda item: -abs(item[1]),
        )
        lines.append(f"[[Correlations]] (unreported correlations are < {correlations_from:.3f})")
        labels = [f"C({a}, {b})" for (a, b), _ in shown]
        pad = max(map(len, labels), default=0)
        lines += [f"    {label:<{pad}} = {r:+.4f}" for label, (_, r) in zip(labels, shown, strict=True)]
    if diagnostics is not None and diagnostics.messages:
        lines += [
            f"[[Sampler]] {diagnostics.status}",
            *(f"    {message}" for message in diagnostics.messages),
        ]
    return "\n".join(lines) + "\n"


def posterior_correlations(
    draws: Mapping[str, npt.ArrayLike], *, periods: Mapping[str, float] | None = None
) -> dict[tuple[str, str], float]:
    """Linear correlations of all pairs of parameters over posterior draws.

    Parameters
    ----------
    draws
        By parameter, any one shape. One that does not vary correlates with nothing (0).
    periods
        Of angles, which are cut open opposite to their mean.
    """
    columns = {}
    for name, values in draws.items():
        x = np.asarray(values, np.float64).ravel()
        period = (periods or {}).get(name)
        columns[name] = x if period is None else wrap(x - circular_mean(x, period), period)
    names = list(columns)
    standard = [_standardised(x) for x in columns.values()]
    return {
        (names[i], names[j]): float(standard[i] @ standard[j])
        for i in range(len(names))
        for j in range(i + 1, len(names))
    }


def _standardised(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    centred = x - x.mean()
    length = float(np.linalg.norm(centred))
    return centred / length if np.ptp(x) > 0 else np.zeros_like(x)


def _table(rows: Mapping[str, object], sign: str) -> list[str]:
    width = max(map(len, rows), default=0)
    labels = [f"{key + ':':<{width + 1}}" if sign == ":" else f"{key:<{width}} {sign}" for key in rows]
    return [f"    {label} {_shown(value)}" for label, value in zip(labels, rows.values(), strict=True)]


def _shown(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _value(value: float, error: float | None, unit: str) -> str:
    shown = f"{value:.5g}"
    if error is None or not math.isfinite(error):
        return f"{shown} {unit}".rstrip()
    percent = "" if unit == "deg" or value == 0 else f" ({100 * abs(error / value):.2f}%)"
    return f"{shown} +/- {error:.3g} {unit}".rstrip() + percent


def _interval(found: Identifiability) -> str:
    low, high = (f"{x:.4g}" for x in (found.low, found.high))
    return f"[{low}, {high}]"
