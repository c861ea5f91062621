"""Spike counts of a whole population under any actions, from the response surface: a JAX function of the actions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float

from ketune._jax import jax, jnp
from ketune.afferents import Drive, SynapseLayout
from ketune.cell import Cell
from ketune.errors import InputError
from ketune.fitting import drive_at
from ketune.inference._density import GAIN, GAIN_SHARE
from ketune.population import VirtualNeuron
from ketune.reproduce._actions import completed, on_the_cell
from ketune.surface import INPUTS_AND_ACTIONS, Surface, log_actions
from ketune.surface._inputs import trial_inputs
from ketune.surface._surface import ARRAYS, moments_at

# Orientations at which the drive of a tree is tabulated, so that its preference can turn.
_TABLE_STEP_DEG = 2.5


class PopulationMoments(NamedTuple):
    """Of a trial's count, for each neuron and stimulus.

    Attributes
    ----------
    at_gain, dispersion
        Mean, and variance over mean, at each value of the shared gain: ``(n, k, gain)``.
    mean, fano
        Over trials, ``(n, k)``.
    """

    at_gain: Float[Array, "n k gain"]
    dispersion: Float[Array, "n k gain"]
    mean: Float[Array, "n k"]
    fano: Float[Array, "n k"]


class PredictedPopulation:
    """Neurons whose counts a response surface predicts, each with the synapses of its own placement.

    Parameters
    ----------
    surface
        With actions among its inputs.
    neurons, layouts
        Of each neuron: parameters, and where its synapses sit.
    orientation_deg
        Of the stimuli; NaN for a blank.
    turn
        ``(n,)`` standard normal of each neuron: which way, and how far, retuning turns its apical afferents.
    """

    def __init__(
        self,
        surface: Surface,
        cell: Cell,
        neurons: Sequence[VirtualNeuron],
        layouts: Sequence[SynapseLayout],
        orientation_deg: Sequence[float],
        window_s: float,
        *,
        turn: np.ndarray,
    ) -> None:
        if surface.inputs != INPUTS_AND_ACTIONS:
            raise InputError("a population needs a response surface that knows a drug's actions on the cell")
        apical = cell.table.region == "apical"
        table = np.arange(0.0, 180.0, _TABLE_STEP_DEG)
        rows = []
        for neuron, layout in zip(neurons, layouts, strict=True):
            # At a gain of 1: the shared gain multiplies all of these rates.
            drive, still = replace(drive_at(neuron.values, Drive()), gain_sd=0.0), {"gain_deviate": 0.0}
            blank, shown = (
                trial_inputs(drive, layout, apical, orientation_deg=o, **still) for o in (np.nan, 0.0)
            )
            tuned = np.array(
                [trial_inputs(drive, layout, apical, orientation_deg=o, **still)[:2] for o in table]
            )
            rows.append(
                {
                    "driven": (tuned - shown[2]).T,
                    "background": shown[2],
                    "inhibition": np.stack([blank[3:5], shown[3:5]]),
                    "strength": np.array(
                        [neuron.values[n] for n in ("ampa_nS", "nmda_nS", "pv_nS", "sst_nS")]
                    ),
                    "gain_sd": neuron.values["gain_sd"],
                }
            )
        angle = np.asarray(orientation_deg, float)
        self._arrays: dict[str, Any] = {
            **{name: jnp.asarray(np.stack([r[name] for r in rows])) for name in rows[0]},
            "angle": jnp.asarray(np.nan_to_num(angle)),
            "shown": jnp.asarray(np.isfinite(angle)),
            "turn": jnp.asarray(turn),
            "window": jnp.asarray(float(np.log(window_s))),
            "surface": {name: getattr(surface, name) for name in ARRAYS},
        }
        self.n, self.orientation_deg, self.window_s = len(rows), tuple(angle.tolist()), window_s
        self._moments = jax.jit(population_moments)

    @property
    def arrays(self) -> dict[str, Any]:
        """What :func:`population_moments` takes of this population."""
        return self._arrays

    def moments(self, actions: Mapping[str, float]) -> PopulationMoments:
        """Moments under actions; none for the control."""
        values = {name: jnp.asarray(value, float) for name, value in completed(actions).items()}
        return self._moments(self._arrays, values)


def population_moments(arrays: Mapping[str, Any], actions: Mapping[str, Any]) -> PopulationMoments:
    """:meth:`PredictedPopulation.moments` as a pure function."""
    a = completed(actions)
    shown = arrays["shown"]
    angle = arrays["angle"]
    turned = angle[None, :] - (a["retuning_deg"] * arrays["turn"])[:, None]
    still = jnp.broadcast_to(angle[None, :], turned.shape)
    driven = jnp.stack(
        [jax.vmap(_between)(arrays["driven"][:, tree], at) for tree, at in enumerate((still, turned))]
    )
    driven = jnp.where(shown, driven, 0.0) * a["recurrent_drive"]
    background = arrays["background"][:, None]
    inhibition = jnp.where(shown[:, None], arrays["inhibition"][:, 1:], arrays["inhibition"][:, :1])
    rates = [
        driven[0] + background,
        driven[1] + background,
        jnp.broadcast_to(background, driven[0].shape),
        inhibition[..., 0] * a["pv"],
        inhibition[..., 1] * a["sst"],
    ]
    sd = arrays["gain_sd"][:, None] * a["gain_noise"]
    log_gain = sd * GAIN - 0.5 * sd**2
    with_gain = jnp.log(jnp.stack(rates, axis=-1))[:, :, None, :] + log_gain[:, None, :, None]
    strength = jnp.log(arrays["strength"]).at[:, 1].add(jnp.log(a["nmda_basal"]))
    cell = log_actions(on_the_cell(a), jnp)
    shape = with_gain.shape[:-1]
    inputs = jnp.concatenate(
        [
            with_gain,
            jnp.broadcast_to(strength[:, None, None, :], (*shape, 4)),
            jnp.broadcast_to(cell, (*shape, len(cell))),
            jnp.broadcast_to(arrays["window"], (*shape, 1)),
        ],
        axis=-1,
    )
    at_gain, dispersion = moments_at(arrays["surface"], inputs)
    mean = (at_gain * GAIN_SHARE).sum(axis=-1)
    variance = ((dispersion * at_gain + (at_gain - mean[..., None]) ** 2) * GAIN_SHARE).sum(axis=-1)
    return PopulationMoments(at_gain, dispersion, mean, variance / mean)


def _between(table: Float[Array, " table"], angle_deg: Float[Array, " k"]) -> Float[Array, " k"]:
    """Value between entries of a table over orientation."""
    at = jnp.mod(angle_deg, 180.0) / _TABLE_STEP_DEG
    low = jnp.floor(at)
    share = at - low
    i = low.astype(int) % len(table)
    return (1.0 - share) * table[i] + share * table[(i + 1) % len(table)]
