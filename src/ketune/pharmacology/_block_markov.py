"""Block of NMDA receptors by the Markov scheme of NMDA5.mod, averaged over Poisson trains of events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from ketune.pharmacology._block import (
    SUBSTEPS,
    REFERENCE_mV,
    THERMAL_mV,
    checked_course,
    drug_rates,
    pieces_of,
    potent_shares,
    require_kinetics,
)
from ketune.pharmacology._gating import at_least_slowest, mean_gating, scheme

_SQUARINGS = 48
"""Enough for a receptor's fastest rate (100 /ms) over years; JAX gives NaN beyond its limit."""


def markov_block(
    times_min: Any,
    concentration_uM: Any,
    v_bar_mV: Any,
    rate_hz: Any,
    p: Mapping[str, Any],
    shares: Mapping[str, Any],
    kappa: Any = 1.0,
    xp: Any = np,
    *,
    start: Any = 0.0,
    substeps: int = SUBSTEPS,
    measure: Literal["bound", "conductance"] = "bound",
    reference_mV: float = REFERENCE_mV,
    thermal_mV: float = THERMAL_mV,
) -> Any:
    """Level 3: block by the ten-state scheme, one matrix exponential per subunit and piece of constant concentration.

    The rates of gating and the effect of an event come from NMDA5.mod; ``p`` gives those of the drug, and each
    subunit its affinities for drug and magnesium. That all subunits gate alike is an assumption.

    Args:
        start: (n,) or one share of receptors that hold the drug at the first time; gating is stationary then.
        measure: "bound", the share of receptors that hold the drug; or "conductance", the share of the mean open
            probability that is lost.
        times_min, concentration_uM, v_bar_mV, rate_hz, p, shares, kappa, xp, substeps, reference_mV, thermal_mV: as in
            ``kinetic_block``.

    Returns:
        (t, n) block.

    Raises:
        InputError: as ``kinetic_block``.
    """
    require_kinetics(p)
    seconds, c, v, rate = checked_course(times_min, concentration_uM, v_bar_mV, rate_hz, shares, start, xp)
    h, pieces = pieces_of(seconds, c, substeps, xp)
    s = scheme()
    gating = mean_gating(rate, xp)
    block = (start + xp.zeros_like(c[0]))[:, None]
    first = xp.concatenate([(1.0 - block) * gating, block * gating], axis=-1)
    driven = at_least_slowest(rate, xp)[:, None, None] * (s.event - np.eye(2 * s.n))
    at = {"reference_mV": reference_mV, "thermal_mV": thermal_mV}
    total: Any = 0.0
    for subunit, share in potent_shares(shares, p).items():
        binding, unbinding = drug_rates(subunit, pieces, v, p, kappa, xp, **at)
        q = (
            s.rest
            + driven
            + p["nmda.k_esc"] * s.escape
            + unbinding[:, None, None] * s.unbinding
            + binding[..., None, None] * s.binding
        )
        maps = _expm(q * h[:, :, None, None, None], xp)
        x = first
        course = [x]
        for interval in range(len(seconds) - 1):
            for piece in range(h.shape[1]):
                x = (maps[interval, piece] @ x[..., None])[..., 0]
            course.append(x)
        occupancy = xp.stack(course)
        if measure == "bound":
            lost = occupancy[..., s.n :].sum(axis=-1)
        else:
            lost = 1.0 - occupancy[..., s.open] / gating[..., s.open]
        total = total + share * lost
    return total


def _expm(matrices: Any, xp: Any) -> Any:
    """Exponential of each of (..., n, n) matrices."""
    if xp is np:
        from scipy.linalg import expm

        return expm(matrices)
    from jax.scipy.linalg import expm as traced_expm

    return traced_expm(matrices, max_squarings=_SQUARINGS)
