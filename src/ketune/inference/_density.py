"""Posterior density of a neuron's parameters, as pure functions of coordinates and data.

Spike counts of a stimulus have the mean and the dispersion that the cell's response surface gives at the trial's
shared gain, which is integrated out. Which synapses the neuron has is unknown: the drive of its trees deviates from
the average placement's, alike in all conditions. These deviations, and the error of the surface, are integrated out by
Laplace's approximation (Rasmussen and Williams 2006, Gaussian Processes for Machine Learning, section 3.4: their
algorithm 3.1 with counts in the place of classes).

What decides the form of the computation is a hashable :class:`Structure`, everything else is data: neurons with the
same stimuli and conditions share one compiled function.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Array, Float
from scipy import special

from ketune._jax import jax, jnp
from ketune.afferents import Drive, rate_hz
from ketune.fitting import FitParameter, drive_at
from ketune.fitting._spontaneous import HALF_SPIKE, LOG_SD
from ketune.inference._conditions import factors_of
from ketune.inference._coordinates import value_at
from ketune.inference._placement_noise import mean_tuning, tuning_covariance
from ketune.surface import log_count_law
from ketune.surface._inputs import other_rates
from ketune.surface._surface import moments_at

# Deviates of the shared gain, and the share of trials in the range around each.
GAIN = np.linspace(-2.8, 2.8, 15)
_EDGES = np.r_[-np.inf, (GAIN[1:] + GAIN[:-1]) / 2, np.inf]
GAIN_SHARE = np.diff(special.ndtr(_EDGES))
_SMALLEST_DISPERSION = 0.05
_LOWEST_HZ = 1e-6
_JITTER = 1e-8
_SCORING_STEPS = 3
# A mean does not deviate by more than this in its logarithm: far from the data a step would overshoot.
_LARGEST_DEVIATION = 1.5

Data = Mapping[str, Any]


@dataclass(frozen=True)
class Structure:
    """What decides the form of the computation.

    Attributes
    ----------
    parameters
        Shared ones, then each condition's factors.
    labels
        Of the conditions.
    shown
        By stimulus: whether it is a grating (otherwise a blank).
    known_placement
        Whether the synapses are those of one placement, or unknown.
    drive
        Afferent parameters that are not fitted.
    """

    parameters: tuple[FitParameter, ...]
    labels: tuple[str, ...]
    shown: tuple[bool, ...]
    known_placement: bool
    drive: Drive


@dataclass(frozen=True, eq=False)
class Moments:
    """Predicted spike counts of the average placement, or of the one that is known.

    Attributes
    ----------
    mean, fano
        ``(conditions, stimuli)`` each.
    at_gain, dispersion
        ``(conditions, stimuli, nodes)``: mean and dispersion in a narrow range of the shared gain each, whose shares of
        the trials are the same everywhere.
    covariance
        ``(conditions * stimuli,) * 2``: of the logarithm of the mean, over placements and errors of the surface.
    """

    mean: Array
    fano: Array
    at_gain: Array
    dispersion: Array
    covariance: Array


jax.tree_util.register_dataclass(
    Moments, data_fields=["mean", "fano", "at_gain", "dispersion", "covariance"], meta_fields=[]
)


def values_at(structure: Structure, x: Any, xp: Any = np) -> dict[str, Any]:
    """Parameter values at coordinates ``(..., parameters)``."""
    return {p.name: value_at(p, x[..., i], xp) for i, p in enumerate(structure.parameters)}


def _tree_rates(
    structure: Structure, data: Data, drive: Drive
) -> tuple[Float[Array, "2 k"], Float[Array, "2 k k"], Float[Array, "2 k"]]:
    """Rate per excitatory synapse of each tree (Hz) at unit gain, background included.

    With it the covariance of its logarithm over placements, tree by tree, and what one standard deviation of the trees'
    shares of the driven synapses does to it: what one tree has more of, the other lacks.
    """
    shown = np.array(structure.shown)
    stimulus, k = data["orientation_deg"], len(shown)
    located = data["location_sd"] ** 2 * np.eye(k)
    if structure.known_placement:
        return _rates_of_placement(data, drive, shown), jnp.stack([located, located]), jnp.zeros((2, k))
    rates, covariances, shares = [], [], []
    for t, (preferred, spread) in enumerate(
        (
            (drive.preferred_basal_deg, drive.spread_basal_deg),
            (drive.preferred_apical_deg, drive.spread_apical_deg),
        )
    ):
        driven = data["driven_share"][t] * drive.peak_rate_hz
        tuned = mean_tuning(drive, stimulus, preferred, spread)
        response = jnp.where(shown, drive.afferent_untuned + (1 - drive.afferent_untuned) * tuned, 0.0)
        whole = drive.background_rate_hz + driven * response
        evoked = jnp.where(shown, driven * (1 - drive.afferent_untuned) / whole, 0.0)
        covariance = tuning_covariance(drive, stimulus, preferred, spread) / data["n_driven"][t]
        rates.append(whole)
        shares.append((1 - 2 * t) * data["share_sd"][t] * driven * response / whole)
        covariances.append(evoked[:, None] * evoked * covariance + located)
    return jnp.stack(rates), jnp.stack(covariances), jnp.stack(shares)


def _rates_of_placement(data: Data, drive: Drive, shown: np.ndarray) -> Float[Array, "2 k"]:
    rate = rate_hz(
        replace(drive, gain_sd=0.0),
        0,
        gain_deviate=0.0,
        orientation_deg=data["orientation_deg"][:, None],
        tree=data["tree"],
        deviate=data["deviate"],
        xp=jnp,
    )
    total = jnp.stack([(rate * (data["tree"] == t)).sum(axis=1) / data["n_all"][t] for t in (0, 1)])
    return drive.background_rate_hz + jnp.where(shown, total, 0.0)


def _log_inputs(
    structure: Structure, data: Data, values: Mapping[str, Any], rates: Float[Array, "2 k"]
) -> Float[Array, "conditions k inputs"]:
    """Logarithms of the surface's inputs of every condition and stimulus, at unit gain."""
    drive = drive_at(dict(values), structure.drive)
    shown = np.array(structure.shown)
    conditions = []
    for label in structure.labels:
        factor = factors_of(values, label)
        dosed = replace(drive, gain_sd=0.0, pv_drive=factor["pv"], sst_drive=factor["sst"])
        columns = (
            *rates,
            *other_rates(dosed, 0.0, shown, jnp),
            values["ampa_nS"],
            values["nmda_nS"] * factor["nmda"],
            values["pv_nS"],
            values["sst_nS"],
            data["window_s"],
        )
        conditions.append(
            jnp.stack([jnp.log(jnp.maximum(c, _LOWEST_HZ)) * np.ones(len(shown)) for c in columns], axis=-1)
        )
    return jnp.stack(conditions)


def moments(structure: Structure, data: Data, x: Any) -> Moments:
    """Counts of every condition and stimulus, and how they vary with what is unknown of the neuron."""
    values = values_at(structure, x, jnp)
    rates, covariances, shares = _tree_rates(structure, data, drive_at(values, structure.drive))

    def at_gains(log_factor: Float[Array, "2 1"], z: np.ndarray) -> tuple[Array, Array]:
        """Mean and dispersion at gain deviates ``z``, where all rates of a tree have a factor."""
        log_gain = values["gain_sd"] * z - 0.5 * values["gain_sd"] ** 2
        inputs = _log_inputs(structure, data, values, rates * jnp.exp(log_factor))
        # The gain multiplies the five rates, which come first.
        on_rates = np.r_[np.ones(5), np.zeros(inputs.shape[-1] - 5)]
        return moments_at(data, inputs[..., None, :] + log_gain[:, None] * on_rates)

    unchanged = jnp.zeros((2, 1))
    mean, dispersion = at_gains(unchanged, GAIN)
    mean = mean * data["ratio"][..., None]
    # Within a range of the gain the mean changes: that widens the law of its counts.
    across = jnp.asarray(jnp.gradient(mean, axis=-1))
    dispersion = dispersion + across**2 / (12.0 * mean)
    total = (mean * GAIN_SHARE).sum(axis=-1)

    def fano_of(dispersion: Array) -> Array:
        return ((dispersion * mean + (mean - total[..., None]) ** 2) * GAIN_SHARE).sum(axis=-1) / total

    before = fano_of(dispersion)
    # What the spiking cell's Fano factor is beyond the surface's is the same share of the mean at every gain.
    beyond = ((data["fano_ratio"] - 1.0) * before)[..., None]
    dispersion = jnp.maximum(dispersion + beyond, _SMALLEST_DISPERSION)
    fano = fano_of(dispersion)
    slopes = [
        jax.jvp(
            lambda x: jnp.log(at_gains(x, np.zeros(1))[0][..., 0]), (unchanged,), (unchanged.at[t].set(1.0),)
        )[1].reshape(-1)
        for t in (0, 1)
    ]
    # The surface is smooth: at similar drives it errs alike, so half of the variance of its error is common to all.
    together = data["surface_sd"] * sum(slopes)
    covariance = 0.5 * (jnp.diag(together**2) + together[:, None] * together) + _JITTER * jnp.eye(
        len(together)
    )
    for steep, own in zip(slopes, covariances, strict=True):
        covariance = covariance + steep[:, None] * steep * jnp.tile(own, (len(structure.labels),) * 2)
    n = len(structure.labels)
    shared = sum(steep * jnp.tile(share, n) for steep, share in zip(slopes, shares, strict=True))
    covariance = covariance + shared[:, None] * shared
    return Moments(total, fano, mean, dispersion, covariance)


def log_mixture(counts: Any, mean: Any, dispersion: Any) -> Array:
    """Log-probability of counts ``(...)`` of trials whose gain is unknown: means and dispersions ``(..., nodes)``."""
    each = log_count_law(jnp.asarray(counts)[..., None], mean, dispersion)
    return jax.scipy.special.logsumexp(each, axis=-1, b=GAIN_SHARE)


def pointwise(data: Data, predicted: Moments, deviation: Array) -> Float[Array, "rows u"]:
    """Log-probability of each count that occurred, all means changed by ``deviation (conditions, stimuli)``."""
    c, k = data["at"].T
    mean = predicted.at_gain[c, k] * (jnp.exp(deviation[c, k]) * data["share"])[:, None]
    return log_mixture(data["counts"], mean[:, None, :], predicted.dispersion[c, k][:, None, :])


def _given(data: Data, predicted: Moments, deviation: Array) -> Array:
    """Log-likelihood of counts, and of what is assumed of blanks (see :class:`ketune.fitting.SpontaneousRate`)."""
    total = (pointwise(data, predicted, deviation) * data["times"]).sum()
    mean = predicted.mean * jnp.exp(deviation)
    deviation = jnp.log((mean + HALF_SPIKE) / (data["assumed_count"] + HALF_SPIKE))
    deviation = jnp.where(data["assumed_known"], deviation, jnp.maximum(deviation, 0.0))
    return total - 0.5 * jnp.sum(jnp.where(data["assumed"], (deviation / LOG_SD) ** 2, 0.0))


def likely_deviation(data: Data, predicted: Moments) -> tuple[Array, Array]:
    """Most likely deviation of the logarithm of each mean from the prediction, and its precision from the data.

    Fisher scoring on counts whose variance is the Fano factor times their mean. Both are ``(conditions * stimuli,)``.
    """
    total, trials = data["total"].reshape(-1), data["trials"].reshape(-1)
    mean, fano = predicted.mean.reshape(-1), predicted.fano.reshape(-1)
    deviation = jnp.zeros_like(mean)
    for _ in range(_SCORING_STEPS):
        expected = mean * jnp.exp(deviation)
        precision = jnp.maximum(trials * expected / fano, 1e-9)
        target = deviation + (total - trials * expected) / fano / precision
        root = jnp.sqrt(precision)
        lower = jnp.linalg.cholesky(jnp.eye(len(mean)) + root[:, None] * predicted.covariance * root)
        inner = root * (predicted.covariance @ (precision * target))
        solved = jax.scipy.linalg.cho_solve((lower, True), inner)
        weighted = precision * target - root * solved
        deviation = jnp.clip(predicted.covariance @ weighted, -_LARGEST_DEVIATION, _LARGEST_DEVIATION)
    return deviation, precision


def log_likelihood(structure: Structure, data: Data, x: Any) -> Array:
    """Of the recorded counts, integrated over what is unknown of the placement."""
    predicted = moments(structure, data, x)
    deviation, precision = likely_deviation(data, predicted)
    root = jnp.sqrt(precision)
    lower = jnp.linalg.cholesky(jnp.eye(len(root)) + root[:, None] * predicted.covariance * root)
    own = jnp.linalg.cholesky(predicted.covariance)
    distance = jax.scipy.linalg.solve_triangular(own, deviation, lower=True)
    given = _given(data, predicted, deviation.reshape(predicted.mean.shape))
    return given - 0.5 * distance @ distance - jnp.log(jnp.diag(lower)).sum()


def prior_terms(structure: Structure, data: Data, x: Any) -> Float[Array, " parameters"]:
    """Logarithm of each parameter's prior."""
    normal = -0.5 * ((x - data["prior_centre"]) / data["prior_sd"]) ** 2
    uniform = -jnp.logaddexp(0.0, x) - jnp.logaddexp(0.0, -x)
    return jnp.where(data["prior_kind"] == 0, normal, jnp.where(data["prior_kind"] == 1, uniform, 0.0))


def log_density(structure: Structure, data: Data, x: Any) -> Array:
    """Likelihood times prior."""
    return log_likelihood(structure, data, x) + prior_terms(structure, data, x).sum()


def _jitted(function: Any) -> Any:
    return jax.jit(function, static_argnums=0)


compiled = {
    "moments": _jitted(moments),
    "many_moments": _jitted(jax.vmap(moments, (None, None, 0))),
    "value_and_gradient": _jitted(jax.value_and_grad(log_density, argnums=2)),
    "log_densities": _jitted(jax.vmap(log_density, (None, None, 0))),
    "prior_terms": _jitted(prior_terms),
}
"""Compiled once for each structure and shape of the data."""
