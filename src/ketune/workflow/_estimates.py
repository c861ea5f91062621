"""One point estimate with what files need of it, whichever way it was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ketune.fitting import NAMES, PARAMETERS, Effort, Fit, FitParameter, KeptSet, most_different
from ketune.fitting._undetermined import UNDETERMINED_DEG, UNDETERMINED_LOG_SD, combination_in_words
from ketune.inference import ANGLE_UNIT_DEG, Findings, InferenceEffort, NeuronFit, plain

INFERENCE_EFFORTS = {
    "quick": InferenceEffort(screened=128, followed=4, corrections=(32, 64), draws=0),
    "standard": InferenceEffort(),
    "thorough": InferenceEffort(
        screened=512, followed=16, corrections=(96, 192, 400), warm_up=200, draws=600
    ),
}


@dataclass(frozen=True, eq=False)
class PointFit:
    """A fitted cell with one placement of its synapses.

    Attributes
    ----------
    parameters
        What was fitted: the cell's parameters, then a drug's factors.
    values, standard_error, determined
        By parameter.
    undetermined
        Combinations of parameters that the data leave open, with the standard deviation of their logarithm.
    kept
        Parameter sets of the cell that the data cannot tell from the best, which comes first.
    mean, fano
        Of the control's conditions under the fitted law, an assumed blank last.
    readout
        How expected counts were computed, for files.
    """

    parameters: tuple[FitParameter, ...]
    values: dict[str, float]
    standard_error: dict[str, float]
    determined: dict[str, bool]
    undetermined: tuple[tuple[str, float], ...]
    status: str
    log_likelihood: float
    bias_correction: float | None
    kept: tuple[KeptSet, ...]
    mean: np.ndarray
    fano: np.ndarray
    history: tuple[tuple[str, float], ...]
    readout: dict[str, Any]


def from_silent_twin(fit: Fit) -> PointFit:
    """The estimate that the silent twin's gradients found."""
    return PointFit(
        PARAMETERS,
        fit.values,
        fit.standard_error,
        fit.determined,
        fit.undetermined,
        fit.status,
        fit.log_likelihood,
        fit.bias_correction,
        fit.kept,
        fit.fitted_mean,
        fit.fitted_fano,
        fit.history,
        {
            "estimator": "silent twin",
            "hazard": fit.calibration.hazard.as_dict(),
            "correlation": fit.calibration.correlation,
            "dispersion": fit.calibration.dispersion,
        },
    )


def from_surface(fit: NeuronFit, found: Findings, effort: Effort) -> PointFit:
    """The estimate that the response surface found, corrected by the spiking cell."""
    model, values = fit.placed, fit.values
    sd = np.sqrt(np.diag(fit.covariance))
    slope = {p.name: _slope(model, fit.estimate, i) * float(sd[i]) for i, p in enumerate(model.parameters)}
    moments = model.moments(fit.estimate)
    kept = [
        KeptSet({n: v for n, v in plain(model, x).items() if n in NAMES}, lost, placement)
        for x, lost, placement in fit.kept
    ]
    best = [s for s in fit.optimum.starts if s.status != "screened out"]
    return PointFit(
        model.parameters,
        values,
        slope,
        {n: found.identifiability[n].verdict == "identified" for n in model.names},
        _open_combinations(model.parameters, fit.covariance),
        fit.status,
        fit.log_density - float(np.sum(model.prior_terms(fit.estimate))),
        None,
        tuple(most_different(kept, effort.kept)),
        np.asarray(moments.mean[0]),
        np.asarray(moments.fano[0]),
        (
            ("screening", max(s.first for s in fit.optimum.starts)),
            *((f"start {s.number}: {s.status}", s.last) for s in best),
            *((f"correction {i + 1}", c.log_density) for i, c in enumerate(fit.corrections)),
            ("estimate", fit.log_density),
        ),
        {
            "estimator": "response surface",
            "surface": asdict(fit.model.surface.error),
            "made": fit.model.surface.made,
            "corrections": [asdict(c) for c in fit.corrections],
            "starts": [
                {
                    "number": s.number,
                    "first": s.first,
                    "last": s.last,
                    "status": s.status,
                    "gradients": s.evaluations,
                }
                for s in fit.optimum.starts
            ],
        },
    )


def _slope(model: Any, x: np.ndarray, i: int) -> float:
    step = 1e-5 * np.eye(len(x))[i]
    name = model.names[i]
    return float(abs(model.values(x + step)[name] - model.values(x - step)[name]) / 2e-5)


def _open_combinations(
    parameters: Sequence[FitParameter], covariance: np.ndarray
) -> tuple[tuple[str, float], ...]:
    """Directions in which the posterior is wider than a factor of two, or 30 degrees."""
    scale = np.array(
        [
            ANGLE_UNIT_DEG * UNDETERMINED_LOG_SD / UNDETERMINED_DEG if p.scale == "orientation" else 1.0
            for p in parameters
        ]
    )
    use = np.array([p.scale != "linear" for p in parameters])
    names = [p.name for p, u in zip(parameters, use, strict=True) if u]
    variance, vectors = np.linalg.eigh((covariance * np.outer(scale, scale))[np.ix_(use, use)])
    found = []
    for value, vector in zip(variance[::-1], vectors.T[::-1], strict=True):
        size = float(np.sqrt(max(value, 0.0)))
        if size > UNDETERMINED_LOG_SD:
            found.append((combination_in_words(names, vector), size))
    return tuple(found)
