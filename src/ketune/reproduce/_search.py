"""The actions of a hypothesis that come nearest to all reported changes together: gradient descent on the surface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from ketune._jax import jax, jnp
from ketune.reproduce._hypotheses import action_ranges
from ketune.reproduce._predicted import PopulationMoments, PredictedPopulation, population_moments

FloatArray = NDArray[np.float64]

# What the smooth stand-ins of the targets are driven to. Verdicts come from counts; these only have to lead there.
_OSI_CHANGE, _OSI_WIDTH = -0.10, 0.03
_SHIFT_DEG, _SHIFT_WIDTH_DEG = 10.0, 2.0
_LOG_FANO, _FANO_WIDTH = float(np.log(0.90)), 0.03
_RATE_WIDTH = 0.05
# Of the interval that T4 wants inside its margin.
_ONE_SIDED = 1.645
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
    population: PredictedPopulation, draws: Mapping[str, FloatArray], margin: tuple[float, float]
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
    """
    log_margin, control = _log_margin(margin), population.moments({})
    if not draws:
        return SharedFit({}, lacking(population, {}, margin), (), 0)
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
    population: PredictedPopulation, actions: Mapping[str, float], margin: tuple[float, float]
) -> float:
    """The loss of :class:`SharedFit` at any actions."""
    control, drug = population.moments({}), population.moments(actions)
    return float(_lacking(population.arrays, control, drug, _log_margin(margin)))


def _log_margin(margin: tuple[float, float]) -> float:
    return float(min(np.log(margin[1]), -np.log(margin[0])))


def smooth_changes(
    arrays: Mapping[str, Any], before: PopulationMoments, after: PopulationMoments
) -> dict[str, Any]:
    """Changes of each neuron from expected counts: relative OSI, shift (deg), log Fano; and the population's log rate
    with its standard error over neurons.

    The OSI and the preferred orientation are those of the vector sum, which need no fit.
    """
    shown = arrays["shown"]
    turn = jnp.exp(2j * jnp.deg2rad(arrays["angle"])) * shown

    def vector(m: PopulationMoments) -> tuple[Any, Any]:
        total = (m.mean * turn).sum(axis=1)
        return jnp.abs(total) / (m.mean * shown).sum(axis=1), total

    (osi_before, first), (osi_after, second) = vector(before), vector(after)
    evoked = (jnp.log(after.fano / before.fano) * shown).sum(axis=1) / shown.sum()
    spontaneous = [(m.mean * ~shown).sum(axis=1) for m in (before, after)]
    blank = [x.sum() for x in spontaneous]
    # Neurons whose rates change differently make the population's ratio uncertain (delta method).
    apart = spontaneous[1] / blank[1] - spontaneous[0] / blank[0]
    n = len(apart)
    return {
        "osi": osi_after / osi_before - 1.0,
        "shift_deg": jnp.rad2deg(jnp.angle(second * jnp.conj(first))) / 2.0,
        "log_fano": evoked,
        "log_spontaneous": jnp.log(blank[1] / blank[0]),
        "se_spontaneous": jnp.sqrt(n / (n - 1) * (apart**2).sum() + 1e-12),
    }


def _loss(
    unit: Any,
    names: tuple[str, ...],
    low: Any,
    width: Any,
    arrays: Any,
    control: PopulationMoments,
    log_margin: Any,
) -> Any:
    actions = {n: low[i] + unit[i] * width[i] for i, n in enumerate(names)}
    return _lacking(arrays, control, population_moments(arrays, actions), log_margin)


# Compiled once for each set of actions and size of population.
_VALUE_AND_SLOPE = jax.jit(jax.value_and_grad(_loss), static_argnums=1)


def _lacking(
    arrays: Mapping[str, Any], before: PopulationMoments, after: PopulationMoments, log_margin: Any
) -> Any:
    change = smooth_changes(arrays, before, after)
    rms = jnp.sqrt(jnp.mean(change["shift_deg"] ** 2) + 1e-6)
    furthest = jnp.sqrt(change["log_spontaneous"] ** 2 + 1e-6) + _ONE_SIDED * change["se_spontaneous"]
    return (
        jax.nn.softplus((change["osi"].mean() - _OSI_CHANGE) / _OSI_WIDTH)
        + jax.nn.softplus((_SHIFT_DEG - rms) / _SHIFT_WIDTH_DEG)
        + jax.nn.softplus((change["log_fano"].mean() - _LOG_FANO) / _FANO_WIDTH)
        + jax.nn.softplus((furthest - log_margin) / _RATE_WIDTH)
    )
