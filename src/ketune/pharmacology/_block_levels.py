"""The levels of NMDA block side by side for one situation, and how far they are apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ketune.errors import InputError
from ketune.pharmacology._block import (
    BLOCK_MODELS,
    SUBSTEPS,
    REFERENCE_mV,
    THERMAL_mV,
    equilibrium_block,
    has_kinetics,
    kinetic_block,
    require_kinetics,
)
from ketune.pharmacology._block_markov import markov_block

Array = NDArray[np.float64]


@dataclass(frozen=True)
class BlockDifference:
    """Where two values of block lie farthest apart.

    Attributes:
        one, other: what is compared: a name of ``BLOCK_MODELS``, "naive" or "conductance".
        largest: ``one`` minus ``other`` where that is largest in size.
        time_min, compartment: there.
        mean: mean size of the difference over compartments, at the time at which that is largest.
    """

    one: str
    other: str
    largest: float
    time_min: float
    compartment: int
    mean: float


@dataclass(frozen=True, eq=False)
class BlockLevels:
    """Block of n compartments at t times by each level; (t, n) each.

    Attributes:
        times_min: (t,) minutes.
        naive: equilibrium that knows no rates, C / (C + IC50).
        equilibrium: level 1, at each time's concentration.
        kinetic, markov: levels 2 and 3; None where the drug's rates are not known.
        conductance: share of conductance that level 3 loses; its share of bound receptors is ``markov``.
    """

    times_min: Array
    naive: Array
    equilibrium: Array
    kinetic: Array | None
    markov: Array | None
    conductance: Array | None

    def of(self, model: str) -> Array:
        """Block (t, n) by a level.

        Raises:
            InputError: unknown level, or one that needs rates which are not known.
        """
        if model not in BLOCK_MODELS:
            raise InputError(f"unknown --block-model '{model}'; known: {', '.join(BLOCK_MODELS)}")
        if getattr(self, model) is None:
            require_kinetics({})
        return np.asarray(getattr(self, model))

    def differences(self) -> tuple[BlockDifference, ...]:
        """The levels against each other: what activity does to equilibrium, how far block lags behind it, how good
        the one equation is, and bound receptors against conductance. The last three need the drug's rates.
        """
        pairs = [("naive", "equilibrium")]
        if self.markov is not None:
            pairs += [("equilibrium", "markov"), ("kinetic", "markov"), ("conductance", "markov")]
        return tuple(self._difference(one, other) for one, other in pairs)

    def _difference(self, one: str, other: str) -> BlockDifference:
        apart = getattr(self, one) - getattr(self, other)
        row, column = np.unravel_index(np.argmax(np.abs(apart)), apart.shape)
        return BlockDifference(
            one=one,
            other=other,
            largest=float(apart[row, column]),
            time_min=float(self.times_min[row]),
            compartment=int(column),
            mean=float(np.abs(apart).mean(axis=1).max()),
        )

    def summary(self) -> dict[str, Any]:
        """Mean block over compartments at each time by level, and the differences, ready for JSON."""
        names = ("naive", *BLOCK_MODELS, "conductance")
        means = {
            n: None if getattr(self, n) is None else getattr(self, n).mean(axis=1).tolist() for n in names
        }
        return {
            "times_min": self.times_min.tolist(),
            "mean_block": means,
            "differences": [asdict(difference) for difference in self.differences()],
        }


def block_levels(
    times_min: Any,
    concentration_uM: Any,
    v_bar_mV: Any,
    rate_hz: Any,
    p: Mapping[str, Any],
    shares: Mapping[str, Any],
    kappa: Any = 1.0,
    *,
    start: Any = 0.0,
    substeps: int = SUBSTEPS,
    reference_mV: float = REFERENCE_mV,
    thermal_mV: float = THERMAL_mV,
) -> BlockLevels:
    """Every level of NMDA block for one course of concentration; arguments as of ``kinetic_block``.

    Raises:
        InputError: as ``kinetic_block``, but for a drug without rates, of which only the equilibrium is computed.
    """
    at = {"reference_mV": reference_mV, "thermal_mV": thermal_mV}
    steady = (concentration_uM, v_bar_mV, rate_hz)
    rates_unknown = {k: x for k, x in p.items() if k not in {"nmda.k_on", "nmda.k_esc"}}
    course = (times_min, *steady, p, shares, kappa)
    with_start = {"start": start, "substeps": substeps, **at}
    known = has_kinetics(p)
    return BlockLevels(
        times_min=np.asarray(times_min, dtype=np.float64),
        naive=equilibrium_block(*steady, rates_unknown, shares, kappa, **at),
        equilibrium=equilibrium_block(*steady, p, shares, kappa, **at),
        kinetic=kinetic_block(*course, **with_start) if known else None,
        markov=markov_block(*course, **with_start) if known else None,
        conductance=markov_block(*course, measure="conductance", **with_start) if known else None,
    )
