"""The joint model of one neuron's conditions: shared cell, a drug's factors on top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from ketune._jax import jax, jnp
from ketune.afferents import Drive, SynapseLayout
from ketune.errors import InputError
from ketune.fitting import PARAMETERS, FitParameter, SpontaneousRate
from ketune.inference._conditions import ConditionCounts, Rows, rows_of
from ketune.inference._coordinates import coordinate_of
from ketune.inference._density import Moments, Structure, compiled, values_at
from ketune.inference._placement_noise import Trees
from ketune.inference._priors import KINDS, Prior, default_priors
from ketune.surface import Surface
from ketune.surface._inputs import tree_share

_HESSIAN_STEP = 1e-2


@dataclass(frozen=True, eq=False)
class JointModel:
    """Posterior density of a neuron's parameters given the counts of its conditions.

    Coordinates are natural logarithms of rates, spreads and conductances, orientations in units of 20 degrees, and the
    logistic coordinates of a drug's factors.

    Attributes
    ----------
    surface
        Response surface of the cell.
    conditions
        The first is the control.
    orientation_deg
        Of each stimulus; ``nan`` for a blank.
    window_s
        Counting window.
    trees
        Numbers of synapses.
    drive
        Afferent parameters that are not fitted.
    priors
        By parameter; those left out are the default ones.
    layout, apical
        A placement of the synapses and which compartments are apical: the model is then of this placement.
    ratio, fano_ratio
        ``(conditions, stimuli)``: what the spiking cell's mean and Fano factor are of the surface's.
    """

    surface: Surface
    conditions: tuple[ConditionCounts, ...]
    orientation_deg: tuple[float, ...]
    window_s: float
    trees: Trees
    drive: Drive = field(default_factory=Drive)
    priors: Mapping[str, Prior] = field(default_factory=dict)
    layout: SynapseLayout | None = None
    apical: np.ndarray | None = None
    ratio: np.ndarray | None = None
    fano_ratio: np.ndarray | None = None

    def __post_init__(self) -> None:
        for name in self.priors:
            if name not in self.names:
                raise InputError(
                    f"prior of '{name}': there is no such parameter; there are {', '.join(self.names)}"
                )

    @cached_property
    def parameters(self) -> tuple[FitParameter, ...]:
        """Shared parameters, then each condition's factors."""
        return (*PARAMETERS, *(p for c in self.conditions for p in c.parameters()))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of the parameters."""
        return tuple(p.name for p in self.parameters)

    @cached_property
    def prior(self) -> tuple[Prior, ...]:
        """One for each parameter."""
        standard = default_priors(self.parameters)
        return tuple(self.priors.get(p.name, standard[p.name]) for p in self.parameters)

    @cached_property
    def structure(self) -> Structure:
        """What decides the form of the computation."""
        return Structure(
            self.parameters,
            tuple(c.label for c in self.conditions),
            tuple(bool(s) for s in np.isfinite(self.orientation_deg)),
            self.layout is not None,
            self.drive,
        )

    @cached_property
    def n_parameters(self) -> int:
        """Number of parameters."""
        return len(self.parameters)

    @cached_property
    def is_angle(self) -> np.ndarray:
        """Which parameters are orientations."""
        return np.array([p.scale == "orientation" for p in self.parameters])

    @cached_property
    def rows(self) -> Rows:
        """Recorded counts as arrays."""
        return rows_of(self.conditions)

    @cached_property
    def data(self) -> dict[str, Any]:
        """What the density takes beside the coordinates."""
        surface, rows = self.surface, self.rows
        shape = (len(self.conditions), len(self.orientation_deg))
        angle = np.asarray(self.orientation_deg, float)
        assumed = np.array([[isinstance(o, SpontaneousRate) for o in c.counts] for c in self.conditions])
        blanks = [[o if isinstance(o, SpontaneousRate) else None for o in c.counts] for c in self.conditions]
        data: dict[str, Any] = {
            "orientation_deg": np.where(np.isfinite(angle), angle, 0.0),
            "window_s": self.window_s,
            "driven_share": self.trees.driven_share,
            "n_driven": self.trees.n_driven,
            "share_sd": self.trees.share_sd,
            "location_sd": surface.error.location_sd,
            "surface_sd": surface.error.surface_sd,
            # In double precision: the curvature of weak directions drowns in the rounding of single.
            "weights": [(w.astype(float), b.astype(float)) for w, b in surface.weights],
            **{name: getattr(surface, name) for name in ("centre", "scale", "low", "high")},
            "ratio": np.ones(shape) if self.ratio is None else self.ratio,
            "fano_ratio": np.ones(shape) if self.fano_ratio is None else self.fano_ratio,
            "assumed": assumed,
            "assumed_count": np.array([[b.count if b else 0.0 for b in row] for row in blanks]),
            "assumed_known": np.array([[b.known if b else False for b in row] for row in blanks]),
            "at": rows.at,
            "share": rows.share,
            "counts": rows.counts,
            "times": rows.times,
            # The shares of directions weigh out: each is the direction's recorded one, and zero where it was silent.
            "total": rows.summed((rows.counts * rows.times).sum(axis=1), shape),
            "trials": rows.summed(rows.times.sum(axis=1), shape),
            "prior_kind": np.array([KINDS.index(p.kind) for p in self.prior]),
            "prior_centre": np.array([p.centre for p in self.prior]),
            "prior_sd": np.array([p.sd for p in self.prior]),
        }
        if self.layout is not None:
            assert self.apical is not None
            data |= {
                "tree": self.layout.tree,
                "deviate": self.layout.deviate,
                "n_all": np.maximum(tree_share(self.layout, self.apical)[0], 1),
            }
        return jax.tree.map(jnp.asarray, data)

    def with_conditions(self, conditions: Sequence[ConditionCounts]) -> JointModel:
        """The same model of other counts."""
        return replace(self, conditions=tuple(conditions))

    def corrected(self, ratio: np.ndarray, fano_ratio: np.ndarray) -> JointModel:
        """The same model with the surface corrected to the spiking cell."""
        return replace(self, ratio=ratio, fano_ratio=fano_ratio)

    def values(self, x: np.ndarray) -> dict[str, Any]:
        """Parameter values at coordinates ``(..., size)``."""
        return values_at(self.structure, np.asarray(x))

    def coordinates(self, values: Mapping[str, float]) -> np.ndarray:
        """Coordinates of parameter values."""
        return np.array([coordinate_of(p, float(values[p.name])) for p in self.parameters])

    def moments(self, x: np.ndarray) -> Moments:
        """Predicted counts of every condition and stimulus."""
        return jax.tree.map(np.asarray, compiled["moments"](self.structure, self.data, jnp.asarray(x)))

    def many_moments(self, x: np.ndarray) -> Moments:
        """The same at many coordinates, along a first axis."""
        return jax.tree.map(np.asarray, compiled["many_moments"](self.structure, self.data, jnp.asarray(x)))

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        """Likelihood times prior at many coordinates."""
        return np.asarray(compiled["log_densities"](self.structure, self.data, jnp.asarray(x)))

    def value_and_gradient(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Log density and its gradient."""
        value, slope = compiled["value_and_gradient"](self.structure, self.data, jnp.asarray(x))
        return float(value), np.asarray(slope)

    def hessian(self, x: np.ndarray) -> np.ndarray:
        """Second derivative of the log density: central differences of the gradient, which cost no compilation."""
        columns = [
            (self.value_and_gradient(x + step)[1] - self.value_and_gradient(x - step)[1])
            / (2 * _HESSIAN_STEP)
            for step in _HESSIAN_STEP * np.eye(len(x))
        ]
        return (np.array(columns) + np.array(columns).T) / 2

    def prior_terms(self, x: np.ndarray) -> np.ndarray:
        """Logarithm of each parameter's prior."""
        return np.asarray(compiled["prior_terms"](self.structure, self.data, jnp.asarray(x)))

    def prior_draws(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Coordinates drawn from the prior, ``(n, parameters)``."""
        return np.stack([p.draw(n, rng) for p in self.prior], axis=1)
