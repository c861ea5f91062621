"""The actions of a hypothesis that come nearest to all reported changes together: gradient descent on the surface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from ketune._jax import jax, jnp
from ketune.reproduce._hypotheses import action_ranges
from ketune.reproduce._predicted import PopulationMoments, PredictedPopulation, population_moments

FloatArray = NDArray[np.float64]

# What the smooth stand-ins of the targets are driven to, beyond what the rules ask for. Verdicts come from counts, and
# these only have to lead there.
_SHARE_DOWN, _SHARE_WIDTH = 0.75, 0.05
_MOVED_Z, _MOVED_WIDTH = 3.0, 0.7
_LOG_FANO, _FANO_WIDTH = float(np.log(0.90)), 0.03
_RATE_WIDTH = 0.05
# Of the interval that T4 wants inside its margin.
_ONE_SIDED = 1.645
# A cell counts as shifted from here on (T2); Fano factors count from this mean on (T3a).
_SHIFT_DEG, _LEAST_COUNT, _COUNT_WIDTH = 5.0, 1.0, 0.15
# How sharply orientations count as orthogonal (cosine of twice the distance below -1/2: more than 60 deg away), and the
# exponent of the mean that stands for the largest response.
_ORTHOGONAL_COSINE, _COSINE_WIDTH, _PEAK_POWER = -0.5, 0.1, 6.0
_FOLLOWED, _MOST_STEPS = 4, 60
# What a standard deviation from the middle of the prior costs, squared: little beside a target that is missed (0.7), so
# that it chooses among actions that reach the targets.
_UNLIKELY = 0.02


@dataclass(frozen=True)
class SharedFit:
    """Actions shared by all neurons, with what became of the search.

    Attributes
    ----------
    actions
        Value of each.
    loss
        Sum of what the stand-ins of T1, T2, T3a and T4 lack; 0.7 each where one is just met.
    at_bound
        Actions that ended at an end of their range.
    gradients
        Evaluations of the gradient.
    """

    actions: dict[str, float]
    loss: float
    at_bound: tuple[str, ...]
    gradients: int


def shared_fit(
    population: PredictedPopulation,
    draws: Mapping[str, FloatArray],
    margin: tuple[float, float],
    trials: int,
) -> SharedFit:
    """Fit the actions over which a prior was drawn, within the range of 95 % of its draws.

    The best of the draws are followed by L-BFGS-B (Byrd et al. 1995). Among actions that reach the targets alike, those
    nearer to the middle of their priors are preferred.

    Parameters
    ----------
    draws
        ``(n,)`` of each action.
    margin
        Within which T4 wants the ratio of spontaneous rates.
    trials
        Of each stimulus and condition, which limit what an experiment can see.
    """
    log_margin, control = _log_margin(margin), population.moments({})
    if not draws:
        return SharedFit({}, lacking(population, {}, margin, trials), (), 0)
    names, ranges = tuple(draws), action_ranges(draws)
    low, high = (np.array([ranges[n][side] for n in names]) for side in (0, 1))
    width = np.maximum(high - low, 1e-12)

    units = np.clip((np.stack([draws[n] for n in names], axis=1) - low) / width, 0.0, 1.0)
    middle, spread = np.median(units, axis=0), np.maximum(units.std(axis=0), 1e-3)

    def unlikely(unit: np.ndarray) -> float:
        return float(_UNLIKELY * np.sum(((unit - middle) / spread) ** 2))

    def both(unit: np.ndarray) -> tuple[float, FloatArray]:
        value, slope = _VALUE_AND_SLOPE(
            jnp.asarray(unit),
            names,
            jnp.asarray(low),
            jnp.asarray(width),
            population.arrays,
            control,
            log_margin,
            float(trials),
        )
        pull = 2.0 * _UNLIKELY * (unit - middle) / spread**2
        return float(value) + unlikely(unit), np.asarray(slope, float) + pull

    starts = units[:64]
    losses = np.array([both(x)[0] for x in starts])
    best, used = None, 0
    for i in np.argsort(losses)[:_FOLLOWED]:
        found = optimize.minimize(
            both,
            starts[i],
            jac=True,
            method="L-BFGS-B",
            bounds=[(0.0, 1.0)] * len(names),
            options={"maxiter": _MOST_STEPS},
        )
        used += found.nfev
        if best is None or found.fun < best.fun:
            best = found
    assert best is not None
    actions = {n: float(low[i] + x * width[i]) for i, (n, x) in enumerate(zip(names, best.x, strict=True))}
    at_bound = tuple(n for n, x in zip(names, best.x, strict=True) if x < 1e-3 or x > 1 - 1e-3)
    return SharedFit(actions, float(best.fun) - unlikely(best.x), at_bound, used)


def lacking(
    population: PredictedPopulation, actions: Mapping[str, float], margin: tuple[float, float], trials: int
) -> float:
    """The loss of :class:`SharedFit` at any actions."""
    control, drug = population.moments({}), population.moments(actions)
    return float(_lacking(population.arrays, control, drug, _log_margin(margin), float(trials)))


def _log_margin(margin: tuple[float, float]) -> float:
    return float(min(np.log(margin[1]), -np.log(margin[0])))


class _Tuning(NamedTuple):
    """Of each neuron, from expected counts, with the variances that an experiment of some trials would have."""

    vector: Any
    preferred_var: Any
    osi: Any
    osi_var: Any


def _tuning(arrays: Mapping[str, Any], moments: PopulationMoments, trials: float) -> _Tuning:
    shown = arrays["shown"]
    mean = jnp.where(shown, moments.mean, 0.0)
    variance = mean * moments.fano / trials
    twice = 2.0 * jnp.deg2rad(arrays["angle"])
    vector = (mean * jnp.exp(1j * twice)).sum(axis=1)
    away = twice[None] - jnp.angle(vector)[:, None]
    preferred_var = (variance * jnp.sin(away) ** 2).sum(axis=1) / (4.0 * jnp.abs(vector) ** 2 + 1e-12)
    weight = jax.nn.sigmoid((_ORTHOGONAL_COSINE - jnp.cos(away)) / _COSINE_WIDTH) * shown
    base = (weight * mean).sum(axis=1) / weight.sum(axis=1)
    base_var = (weight**2 * variance).sum(axis=1) / weight.sum(axis=1) ** 2
    peak = ((mean + 1e-6) ** _PEAK_POWER).sum(axis=1) ** (1.0 / _PEAK_POWER)
    total = peak + base
    return _Tuning(vector, preferred_var, (peak - base) / total, base_var * (2.0 * peak / total**2) ** 2)


def expected_changes(
    arrays: Mapping[str, Any], before: PopulationMoments, after: PopulationMoments, trials: float
) -> dict[str, Any]:
    """What the verdicts rest on, as smooth functions of expected counts.

    Returns
    -------
    dict
        ``osi`` and ``shift_deg`` of each neuron (index of the mean response beyond 60 deg against the largest; turn of
        the vector sum); ``share_down`` and ``share_moved`` that an experiment would find, ``share_chance`` if no neuron
        moved; ``log_fano``, geometric mean over neurons at orientations with a spike or more;
        ``log_spontaneous`` with ``se_spontaneous``.
    """
    first, second = _tuning(arrays, before, trials), _tuning(arrays, after, trials)
    cdf = jax.scipy.special.ndtr
    osi = second.osi - first.osi
    shift = jnp.rad2deg(jnp.angle(second.vector * jnp.conj(first.vector))) / 2.0
    error = jnp.rad2deg(jnp.sqrt(first.preferred_var + second.preferred_var)) + 1e-3
    size = jnp.sqrt(shift**2 + 1e-9)
    evoked = jnp.minimum(before.mean, after.mean) - _LEAST_COUNT
    weight = jax.nn.sigmoid(evoked / _COUNT_WIDTH) * arrays["shown"]
    neuron = weight.sum(axis=1)
    noise = jnp.log(((weight * after.fano).sum(axis=1) + 1e-9) / ((weight * before.fano).sum(axis=1) + 1e-9))
    counted = neuron / (neuron + 0.3)
    rate, error_rate = _spontaneous(arrays, before, after, trials)
    return {
        "osi": osi,
        "share_down": cdf(-osi / jnp.sqrt(first.osi_var + second.osi_var + 1e-8)).mean(),
        "shift_deg": shift,
        "share_moved": (cdf((size - _SHIFT_DEG) / error) + cdf((-size - _SHIFT_DEG) / error)).mean(),
        "share_chance": 2.0 * cdf(-_SHIFT_DEG / error).mean(),
        "log_fano": (counted * noise).sum() / (counted.sum() + 1e-6),
        "log_spontaneous": rate,
        "se_spontaneous": error_rate,
    }


def _spontaneous(
    arrays: Mapping[str, Any], before: PopulationMoments, after: PopulationMoments, trials: float
) -> tuple[Any, Any]:
    """Logarithm of the ratio of summed blank rates, and the larger of its errors over neurons and over trials."""
    blank = ~arrays["shown"]
    each = [jnp.where(blank, m.mean, 0.0).sum(axis=1) for m in (before, after)]
    total = [x.sum() for x in each]
    # Neurons whose rates change differently make the population's ratio uncertain (delta method).
    apart = each[1] / total[1] - each[0] / total[0]
    n = len(apart)
    over_neurons = n / (n - 1) * (apart**2).sum()
    over_trials = sum(
        jnp.where(blank, m.mean * m.fano, 0.0).sum() / trials / t**2
        for m, t in zip((before, after), total, strict=True)
    )
    return jnp.log(total[1] / total[0]), jnp.sqrt(jnp.maximum(over_neurons, over_trials) + 1e-12)


def _loss(
    unit: Any,
    names: tuple[str, ...],
    low: Any,
    width: Any,
    arrays: Any,
    control: PopulationMoments,
    log_margin: Any,
    trials: Any,
) -> Any:
    actions = {n: low[i] + unit[i] * width[i] for i, n in enumerate(names)}
    return _lacking(arrays, control, population_moments(arrays, actions), log_margin, trials)


# Compiled once for each set of actions and size of population.
_VALUE_AND_SLOPE = jax.jit(jax.value_and_grad(_loss), static_argnums=1)


def _lacking(
    arrays: Mapping[str, Any],
    before: PopulationMoments,
    after: PopulationMoments,
    log_margin: Any,
    trials: Any,
) -> Any:
    change = expected_changes(arrays, before, after, trials)
    n, chance = len(change["osi"]), change["share_chance"]
    moved = (change["share_moved"] - chance) / jnp.sqrt((chance * (1.0 - chance) + 0.002) / n)
    furthest = jnp.sqrt(change["log_spontaneous"] ** 2 + 1e-6) + _ONE_SIDED * change["se_spontaneous"]
    return (
        jax.nn.softplus((_SHARE_DOWN - change["share_down"]) / _SHARE_WIDTH)
        + jax.nn.softplus((_MOVED_Z - moved) / _MOVED_WIDTH)
        + jax.nn.softplus((change["log_fano"] - _LOG_FANO) / _FANO_WIDTH)
        + jax.nn.softplus((furthest - log_margin) / _RATE_WIDTH)
    )
