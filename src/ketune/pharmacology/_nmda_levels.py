"""Block of the NMDA receptors of a pyramid and of interneurons over time, at the level of detail that was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ketune.pharmacology import _laws as laws
from ketune.pharmacology._block import equilibrium_block, kinetic_block
from ketune.pharmacology._block_levels import BlockLevels, block_levels
from ketune.pharmacology._block_markov import markov_block
from ketune.pharmacology._drug import Drug
from ketune.pharmacology._effect import block_at_equilibrium

Array = NDArray[np.float64]

# Pieces of constant concentration between two times for the receptor scheme, whose matrix exponentials cost most: with
# times that are dense after each dose its block is within 0.004 of that with 24.
_PIECES = 6
_COMPARED = 24  # compartments in which the levels are compared


@dataclass(frozen=True, eq=False)
class NmdaDrive:
    """How the NMDA receptors of each compartment are used; ``(n,)`` each.

    Attributes
    ----------
    v_bar_mV
        Mean potential while they are open.
    rate_hz
        Events per second at one synapse.
    """

    v_bar_mV: Array
    rate_hz: Array


def nmda_drive(p: Mapping[str, float], n: int) -> NmdaDrive:
    """The preparation's assumed drive, where no simulation gives one."""
    return NmdaDrive(np.full(n, p["pyramid.v_bar"]), np.full(n, p["pyramid.event_rate"]))


def pyramid_block(
    model: str,
    drug: Drug,
    p: Mapping[str, float],
    times_min: Array,
    c: Array,
    drive: NmdaDrive,
    start_uM: float,
) -> Array:
    """``(t, n)`` block of the pyramid's receptors, which at the first time were in equilibrium with ``start_uM``.

    Raises
    ------
    InputError
        The model needs rates that are not known for the drug.
    """
    shares = laws.subunit_shares("pyramid", p)
    return _block(model, drug, p, times_min, c, drive.v_bar_mV, drive.rate_hz, shares, 1.0, start_uM)


def interneuron_block(
    model: str, drug: Drug, p: Mapping[str, float], times_min: Array, c: Array, start_uM: float
) -> Array:
    """``(t,)`` block of the interneurons' receptors, at the concentration ``c`` (t,) where they are."""
    shares, v, rate = (
        laws.subunit_shares("interneuron", p),
        p["interneuron.v_bar"],
        p["interneuron.event_rate"],
    )
    kappa = p["interneuron.kappa"]
    return _block(
        model, drug, p, times_min, c[:, None], np.array([v]), np.array([rate]), shares, kappa, start_uM
    )[:, 0]


def _block(
    model: str,
    drug: Drug,
    p: Mapping[str, float],
    times_min: Array,
    c: Array,
    v: Array,
    rate: Array,
    shares: Mapping[str, float],
    kappa: float,
    start_uM: float,
) -> Array:
    if model == "equilibrium" or drug.laws.get("nmda") != "open-channel":
        return np.asarray(block_at_equilibrium(drug, p, c, v, rate, shares, kappa))
    at: dict[str, Any] = {
        "reference_mV": drug.reference_potential_mV,
        "thermal_mV": drug.thermal_voltage_mV,
    }
    start = equilibrium_block(np.full(v.shape, start_uM), v, rate, p, shares, kappa, **at)
    if model == "kinetic":
        return np.asarray(kinetic_block(times_min, c, v, rate, p, shares, kappa, start=start, **at))
    scheme = markov_block(times_min, c, v, rate, p, shares, kappa, start=start, substeps=_PIECES, **at)
    return np.asarray(scheme)


def pyramid_levels(
    drug: Drug, p: Mapping[str, float], times_min: Array, c: Array, drive: NmdaDrive
) -> BlockLevels | None:
    """All levels in compartments spread over the rates of events; None for a drug that does not block the pore."""
    if drug.laws.get("nmda") != "open-channel":
        return None
    n = len(drive.rate_hz)
    some = np.argsort(drive.rate_hz, kind="stable")[np.unique(np.linspace(0, n - 1, _COMPARED).astype(int))]
    return block_levels(
        times_min,
        c[:, some],
        drive.v_bar_mV[some],
        drive.rate_hz[some],
        p,
        laws.subunit_shares("pyramid", p),
        substeps=_PIECES,
        reference_mV=drug.reference_potential_mV,
        thermal_mV=drug.thermal_voltage_mV,
    )
