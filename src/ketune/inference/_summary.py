"""What a fit determines: verdict and interval of every parameter, and of what an analysis of drugs depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ketune.fitting import FitParameter
from ketune.inference._diagnostics import Diagnostics, diagnose
from ketune.inference._neuron_fit import NeuronFit
from ketune.inference._profile_verdict import identify_profile
from ketune.inference._verdict import Identifiability, identify
from ketune.tuning import wrap_orientation

_PRIOR_DRAWS = 4000
_CURVATURE_DRAWS = 4000
_PERIOD_DEG = 180.0
LEVEL = 0.9

DEPENDS_ON = {
    "nmda_to_ampa": ("", "NMDA over AMPA peak conductance"),
    "tree_disparity_deg": ("deg", "preferred orientation of the apical minus the basal afferents"),
}
"""Quantities beside the parameters that decide what a drug does: unit and meaning."""


@dataclass(frozen=True, eq=False)
class Findings:
    """What is known of each quantity.

    Attributes
    ----------
    identifiability
        Verdicts and intervals, from the posterior where it was sampled, else from the profiles.
    profiled
        Intervals from the profiles, of the parameters.
    draws, prior
        By quantity, draws of the posterior ``(chains, draws)`` (from the curvature where it was not sampled) and of the
        prior.
    diagnostics
        Of the sampler; None where it did not run.
    """

    identifiability: dict[str, Identifiability]
    profiled: dict[str, Identifiability]
    draws: dict[str, np.ndarray]
    prior: dict[str, np.ndarray]
    diagnostics: Diagnostics | None


def findings(fit: NeuronFit, *, seed: int) -> Findings:
    """Read posterior, profiles and diagnostics of a fit."""
    rng, model = np.random.default_rng([seed, 71]), fit.model
    prior = _with_dependent(model.values(model.prior_draws(_PRIOR_DRAWS, rng)))
    if fit.draws is None:
        lower = np.linalg.cholesky(fit.covariance)
        x = fit.optimum.coordinates + rng.standard_normal((1, _CURVATURE_DRAWS, len(lower))) @ lower.T
    else:
        x = fit.draws.coordinates
    draws = _with_dependent(model.values(x))
    by_name = {p.name: p for p in model.parameters}
    profiled = {
        p.name: identify_profile(
            p.name,
            p.values,
            p.log_likelihood,
            prior=prior[p.name],
            level=LEVEL,
            **_how(by_name.get(p.name), p.name),
        )
        for p in fit.profiles
    }
    found = {}
    for name in draws:
        if fit.draws is None and name in profiled:
            found[name] = profiled[name]
        else:
            found[name] = identify(
                name, draws[name], prior[name], level=LEVEL, **_how(by_name.get(name), name)
            )
    found["tree_disparity_deg"] = _signed(found["tree_disparity_deg"])
    diagnostics = None
    if fit.draws is not None:
        diagnostics = diagnose(
            {n: draws[n] for n in by_name},
            diverging=fit.draws.diverging,
            periods={n: _PERIOD_DEG for n, p in by_name.items() if p.scale == "orientation"},
        )
    return Findings(found, profiled, draws, prior, diagnostics)


def dependent(values: Mapping[str, Any]) -> dict[str, Any]:
    """The quantities of :data:`DEPENDS_ON` at parameter values."""
    return {
        "nmda_to_ampa": values["nmda_nS"] / values["ampa_nS"],
        "tree_disparity_deg": wrap_orientation(
            values["preferred_apical_deg"] - values["preferred_basal_deg"]
        ),
    }


def _with_dependent(values: dict[str, Any]) -> dict[str, np.ndarray]:
    return {n: np.asarray(v) for n, v in (values | dependent(values)).items()}


def _signed(disparity: Identifiability) -> Identifiability:
    """The same interval with its median in -90 to 90 degrees: a disparity has a sign."""
    if disparity.median <= _PERIOD_DEG / 2:
        return disparity
    low, median, high = (x - _PERIOD_DEG for x in (disparity.low, disparity.median, disparity.high))
    return replace(disparity, low=low, median=median, high=high)


def _how(parameter: FitParameter | None, name: str) -> dict[str, Any]:
    """How a quantity is looked at: unit, circle, logarithm, bounds."""
    if parameter is None:
        unit = DEPENDS_ON[name][0]
        return {"unit": unit, "period": _PERIOD_DEG} if unit == "deg" else {"unit": unit, "to_normal": np.log}
    if parameter.scale == "orientation":
        return {"unit": parameter.unit, "period": _PERIOD_DEG}
    if parameter.scale == "log":
        return {"unit": parameter.unit, "to_normal": np.log}
    return {"unit": parameter.unit, "bounds": (parameter.low, parameter.high)}
