"""What an inference leaves in the directory of a fit: draws, summary, and its part of ``fit.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ketune.fitting import DirectionCounts, SpontaneousRate
from ketune.inference import (
    DEPENDS_ON,
    POSTERIOR_FILE,
    Findings,
    Hypothesis,
    Identifiability,
    JointModel,
    NeuronFit,
    PredictiveCheck,
    check_predictive,
    conditional_laws,
    dependent,
    fit_report,
    posterior_correlations,
    posterior_tree,
    replicated_counts,
    write_posterior,
)

SUMMARY_FILE = "summary.txt"
_REPLICATES = 400
_PERIOD_DEG = 180.0


def predictive_check(fit: NeuronFit, *, seed: int) -> tuple[PredictiveCheck, dict[str, np.ndarray]]:
    """Replicated recordings against the recorded one, with the replicates by condition ``(draws, stimuli, trials)``.

    Without a sampled posterior they are those of the optimum, over placements of the synapses.
    """
    rng, model = np.random.default_rng([seed, 91]), fit.model
    if fit.draws is None:
        x = np.repeat(fit.optimum.coordinates[None], _REPLICATES, axis=0)
    else:
        every = fit.draws.coordinates.reshape(-1, fit.draws.coordinates.shape[-1])
        x = every[rng.choice(len(every), _REPLICATES, replace=len(every) < _REPLICATES)]
    recorded_at = _recorded_at(model)
    trials = max(len(o) for c in model.conditions for o in c.counts if not isinstance(o, SpontaneousRate))
    counts = replicated_counts(conditional_laws(model, x, rng), trials, rng)
    replicated = {c.label: counts[:, i, recorded_at] for i, c in enumerate(model.conditions)}
    recorded = {c.label: [_centred(c.counts[k]) for k in recorded_at] for c in model.conditions}
    angle = np.asarray(model.orientation_deg)[recorded_at]
    return check_predictive(replicated, recorded, angle, window_s=model.window_s), replicated


def _recorded_at(model: JointModel) -> list[int]:
    """Which stimuli were recorded; the others are assumed blanks."""
    return [k for k, o in enumerate(model.conditions[0].counts) if not isinstance(o, SpontaneousRate)]


def _centred(observed: Any) -> np.ndarray:
    return observed.centred() if isinstance(observed, DirectionCounts) else np.asarray(observed)


def write_draws(
    folder: Path,
    fit: NeuronFit,
    found: Findings,
    replicated: Mapping[str, np.ndarray],
    provenance: Mapping[str, Any],
) -> None:
    """Write the DataTree: draws, sampler, prior, replicated and recorded counts."""
    model = fit.model
    recorded_at = _recorded_at(model)
    observed = {}
    for condition in model.conditions:
        # Replicates have as many trials as the longest condition; shorter rows are filled up with NaN.
        rows = np.full(replicated[condition.label].shape[1:], np.nan)
        for row, k in zip(rows, recorded_at, strict=True):
            counts = _centred(condition.counts[k])
            row[: len(counts)] = counts
        observed[f"spikes_{condition.label}"] = rows
    groups: dict[str, dict[str, np.ndarray]] = {
        "posterior": dict(found.draws),
        "prior": {n: v[None] for n, v in found.prior.items()},
        "posterior_predictive": {f"spikes_{label}": c[None] for label, c in replicated.items()},
        "observed_data": observed,
    }
    if fit.draws is not None:
        groups["sample_stats"] = {
            "lp": fit.draws.log_density,
            "diverging": fit.draws.diverging,
            "acceptance_rate": fit.draws.acceptance,
            "n_steps": fit.draws.steps,
        }
    meaning = {p.name: p.meaning for p in model.parameters} | {n: m for n, (_, m) in DEPENDS_ON.items()}
    units = {p.name: p.unit for p in model.parameters} | {n: u for n, (u, _) in DEPENDS_ON.items()}
    dims: dict[str, tuple[str, ...]] = {name: ("stimulus", "trial") for name in observed}
    groups["constant_data"] = {"orientation_deg": np.asarray(model.orientation_deg)[recorded_at]}
    dims["orientation_deg"] = ("stimulus",)
    tree = posterior_tree(
        groups,
        dims=dims,
        coords={"stimulus": np.arange(len(recorded_at))},
        units=units,
        meaning=meaning,
        attributes={
            "provenance": json.dumps(provenance, default=str),
            "sampler": "nuts (blackjax)" if fit.draws is not None else "normal, from the curvature",
        },
    )
    write_posterior(folder / POSTERIOR_FILE, tree)


def summary_text(
    fit: NeuronFit,
    found: Findings,
    *,
    recording: str,
    values: Mapping[str, float],
    errors: Mapping[str, float],
    seconds: float,
) -> str:
    """The fit in lmfit's form."""
    model = fit.model
    trials = sum(len(o) for c in model.conditions for o in c.counts if not isinstance(o, SpontaneousRate))
    names = [n for n in found.identifiability if n in model.names]
    periods = {p.name: _PERIOD_DEG for p in model.parameters if p.scale == "orientation"}
    return fit_report(
        model={
            "neuron": recording,
            "conditions": ", ".join(c.label for c in model.conditions),
            "estimator": "response surface, corrected by the spiking cell",
        },
        statistics={
            "trials": trials,
            "stimuli": len(model.orientation_deg),
            "parameters": len(model.parameters),
            "log posterior density": float(fit.optimum.log_density),
            "starts followed": sum(s.status != "screened out" for s in fit.optimum.starts),
            "starts at the best place": fit.optimum.agreeing,
            "gradients": fit.gradients,
            "seconds": round(seconds, 1),
        },
        values={**{n: values[n] for n in names}, **dependent(values)},
        errors={n: errors.get(n, np.nan) for n in (*names, *DEPENDS_ON)},
        identifiability=found.identifiability,
        units={p.name: p.unit for p in model.parameters if p.unit} | {"tree_disparity_deg": "deg"},
        correlations=posterior_correlations({n: found.draws[n] for n in names}, periods=periods),
        correlations_from=0.5,
        diagnostics=found.diagnostics,
    )


def identifiability_fields(found: Findings) -> dict[str, Any]:
    """Verdicts and intervals by name, as ``fit.json`` and ``--json`` have them."""
    return {
        "identifiability": {
            n: {"verdict": i.verdict, "contraction": i.contraction, "words": i.words}
            for n, i in found.identifiability.items()
        },
        "intervals": {n: _interval(i) for n, i in found.identifiability.items()},
        "profile_intervals": {n: _interval(i) for n, i in found.profiled.items()},
    }


def _interval(i: Identifiability) -> dict[str, Any]:
    return {"low": i.low, "high": i.high, "level": i.level, "method": i.method}


def check_fields(check: PredictiveCheck) -> dict[str, Any]:
    """The predictive check for files."""
    return {
        "indices": [
            {
                "name": i.name,
                "condition": i.condition,
                "recorded": i.recorded,
                "low": float(np.nanquantile(i.predicted, 0.05)) if np.isfinite(i.predicted).any() else None,
                "high": float(np.nanquantile(i.predicted, 0.95)) if np.isfinite(i.predicted).any() else None,
                "p_value": i.p_value,
            }
            for i in check.indices
        ]
    }


def hypotheses_fields(ranked: tuple[Hypothesis, ...]) -> list[dict[str, Any]]:
    """The comparison of hypotheses for files."""
    return [
        {
            "actions": h.name,
            "elpd": h.elpd,
            "se": h.se,
            "difference": h.difference,
            "difference_se": h.difference_se,
            "words": h.words,
        }
        for h in ranked
    ]
