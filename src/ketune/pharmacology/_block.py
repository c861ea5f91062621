"""Block of NMDA receptors by an open-channel blocker: in equilibrium with synaptic activity, and as it builds up.

Block is the share of receptors that hold the drug, averaged over time. For each subunit, with a = k_on C u(V) and
b = k_on K(V) the rates of binding and unbinding while the gate is open,

    dB/dt = P [a (1 - B) - b B] - k_esc (1 - Po) B,      P = Po / (1 + Z (a + b))

Po is the mean open probability under Poisson events. P is what a receptor that still has to bind or unbind sees of
it: openings cluster, and what an opening has already settled the rest of it cannot settle again. Z, the time for which
openings cluster (``excess_open_time_s``), makes the mean time to settle exact: Z / Po until the receptor opens, and
1 / (Po (a + b)) from there. Equilibrium is where dB/dt = 0. Derivation and checks: docs/nmda-block.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ketune.errors import InputError
from ketune.pharmacology import _laws as laws
from ketune.pharmacology._gating import as_float64, excess_open_time_s, mean_open_probability
from ketune.pharmacology._schema import SUBUNITS

BLOCK_MODELS = ("equilibrium", "kinetic", "markov")
"""The levels of detail, coarse first."""

REFERENCE_mV = -66.0
THERMAL_mV = 26.7
SUBSTEPS = 12
"""Pieces of constant concentration between two times."""
_LAST_PIECE = 0.02  # of the first in an interval


def has_kinetics(p: Mapping[str, Any]) -> bool:
    """Whether the drug blocks open channels at rates that are known."""
    pore = any(f"nmda.k_{subunit}" in p for subunit in SUBUNITS)
    return pore and "nmda.k_on" in p and "nmda.k_esc" in p


def require_kinetics(p: Mapping[str, Any]) -> None:
    """Raise ``InputError`` where a drug's rates are not known."""
    if not has_kinetics(p):
        raise InputError("no kinetics known for this drug: only --block-model equilibrium")


def potent_shares(shares: Mapping[str, Any], p: Mapping[str, Any], key: str = "k") -> dict[str, Any]:
    """Shares of the subunits whose potency (``nmda.k_`` or ``nmda.ic50_``) is known, scaled to sum to 1.

    Raises:
        InputError: unknown subunit, or the potency at none of them is known.
    """
    if unknown := sorted(set(shares) - set(SUBUNITS)):
        raise InputError(f"unknown NMDA subunit '{unknown[0]}'; known: {', '.join(SUBUNITS)}")
    known = laws.known_shares(shares, p, key)
    if not known:
        raise InputError(f"no potency at GluN{', GluN'.join(shares)} is known for this drug")
    return known


def drug_rates(
    subunit: str, concentration_uM: Any, v_mV: Any, p: Mapping[str, Any], kappa: Any, xp: Any, **at: float
) -> tuple[Any, Any]:
    """Rates of binding a and unbinding b while the gate is open (/s).

    b = k_on K(V) and a = b (C u / K)^hill, which for hill = 1 is k_on C u.
    """
    reference, thermal = at.get("reference_mV", REFERENCE_mV), at.get("thermal_mV", THERMAL_mV)
    half = laws.open_channel_ic50_uM(subunit, v_mV, p, reference, thermal, xp) / kappa
    magnesium_free = {**p, "nmda.mg": 0.0}
    k_drug = laws.open_channel_ic50_uM(subunit, v_mV, magnesium_free, reference, thermal, xp) / kappa
    unbinding = p["nmda.k_on"] * k_drug
    c = xp.asarray(concentration_uM)
    present = c > 0  # a power of no drug has no derivative
    dose = xp.where(present, (xp.where(present, c, 1.0) / half) ** p["nmda.hill"], 0.0)
    return unbinding * dose, unbinding


def _block_without_rates(
    c: Any, v: Any, p: Mapping[str, Any], shares: Mapping[str, Any], kappa: Any, xp: Any, **at: float
) -> Any:
    """C^n / (C^n + IC50^n), of blockers of the open pore and of other antagonists."""
    pore = any(f"nmda.k_{subunit}" in p for subunit in SUBUNITS)
    blocked: Any = 0.0
    for subunit, share in potent_shares(shares, p, "k" if pore else "ic50").items():
        if pore:
            half = laws.open_channel_ic50_uM(subunit, v, p, at["reference_mV"], at["thermal_mV"], xp)
            largest = 1.0
        else:
            half, largest = p[f"nmda.ic50_{subunit}"], p["nmda.block_max"]
        blocked = blocked + share * largest * laws.hill_block(c, half / kappa, p["nmda.hill"], xp)
    return blocked


def _open_shares(rate_hz: Any, xp: Any) -> tuple[Any, Any]:
    return mean_open_probability(rate_hz, xp), excess_open_time_s(rate_hz, xp)


def _slow_rates(binding: Any, unbinding: Any, po: Any, excess_s: Any, escape: Any) -> tuple[Any, Any]:
    """Rate at which block is gained from none, and at which it relaxes (/s): dB/dt = gain - relax B."""
    total = binding + unbinding
    reach = po / (1.0 + excess_s * total)
    return reach * binding, reach * total + escape * (1.0 - po)


def equilibrium_block(
    concentration_uM: Any,
    v_bar_mV: Any,
    rate_hz: Any,
    p: Mapping[str, Any],
    shares: Mapping[str, Any],
    kappa: Any = 1.0,
    xp: Any = np,
    *,
    reference_mV: float = REFERENCE_mV,
    thermal_mV: float = THERMAL_mV,
) -> Any:
    """Level 1: block in equilibrium with the synaptic drive, frozen on the time scale of a trial.

    B = a Po / (Po (a + b) + k_esc (1 - Po) (1 + Z (a + b))) per subunit, mixed by their shares. Without escape, and
    for drugs whose rates are not known, it is the law that knows no rates, C^n / (C^n + IC50^n), as ``nmda_block``.

    Args:
        concentration_uM, v_bar_mV, rate_hz: free drug, mean potential while receptors are open, and events per second
            at one synapse; they broadcast against each other.
        p: drug parameters by dotted name, as ``Drug.values()`` gives them.
        shares: share of each subunit ("2A", ...); they sum to 1. One whose potency is not known counts as the mean of
            the others.
        kappa: factor on the affinity.
        xp: ``numpy``, or ``jax.numpy`` in float64 where gradients are wanted (then inputs are not checked).
        reference_mV, thermal_mV: the drug's reference potential and RT/F.

    Returns:
        Share of receptors that hold the drug, in the shape of the first three arguments together.

    Raises:
        InputError: negative or non-finite concentration or rate, unknown subunit, shares that do not sum to 1.
    """
    c, v, rate = checked_drive(concentration_uM, v_bar_mV, rate_hz, shares, xp)
    at = {"reference_mV": reference_mV, "thermal_mV": thermal_mV}
    everywhere = xp.zeros(np.broadcast_shapes(c.shape, v.shape, rate.shape))
    if not has_kinetics(p):
        return everywhere + _block_without_rates(c, v, p, shares, kappa, xp, **at)
    po, excess_s = _open_shares(rate, xp)
    blocked: Any = everywhere
    for subunit, share in potent_shares(shares, p).items():
        binding, unbinding = drug_rates(subunit, c, v, p, kappa, xp, **at)
        gain, relax = _slow_rates(binding, unbinding, po, excess_s, p["nmda.k_esc"])
        blocked = blocked + share * gain / relax
    return blocked


def kinetic_block(
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
    reference_mV: float = REFERENCE_mV,
    thermal_mV: float = THERMAL_mV,
) -> Any:
    """Level 2: block as it builds up and wears off, by one linear equation per subunit.

    Concentration is linear between the times; each interval is cut into ``substeps`` pieces of constant
    concentration, within which the equation is solved exactly. With the default and ketamine this is within 0.006 for
    intervals of up to an hour, within 0.001 for 5 min.

    Args:
        times_min: (t,) minutes, increasing.
        concentration_uM: (t, n) free drug.
        v_bar_mV, rate_hz: (n,) or one number.
        start: (n,) or one block of every subunit at the first time.
        p, shares, kappa, xp, reference_mV, thermal_mV: as in ``equilibrium_block``.

    Returns:
        (t, n) share of receptors that hold the drug.

    Raises:
        InputError: as ``equilibrium_block``; times that do not increase, wrong shapes, a drug without rates.
    """
    require_kinetics(p)
    seconds, c, v, rate = checked_course(times_min, concentration_uM, v_bar_mV, rate_hz, shares, start, xp)
    h, pieces = pieces_of(seconds, c, substeps, xp)
    po, excess_s = _open_shares(rate, xp)
    at = {"reference_mV": reference_mV, "thermal_mV": thermal_mV}
    total: Any = 0.0
    for subunit, share in potent_shares(shares, p).items():
        binding, unbinding = drug_rates(subunit, pieces, v, p, kappa, xp, **at)
        gain, relax = _slow_rates(binding, unbinding, po, excess_s, p["nmda.k_esc"])
        left = xp.exp(-relax * h[:, :, None])
        gained = gain / relax * -xp.expm1(-relax * h[:, :, None])
        block = start + xp.zeros_like(c[0])
        course = [block]
        for interval in range(len(seconds) - 1):
            for piece in range(h.shape[1]):
                block = block * left[interval, piece] + gained[interval, piece]
            course.append(block)
        total = total + share * xp.stack(course)
    return total


def pieces_of(seconds: Any, c: Any, substeps: int, xp: Any) -> tuple[Any, Any]:
    """Duration (t - 1, m) in s of the pieces of each interval, and concentration (t - 1, m, n) of each.

    Pieces shrink towards the end of an interval: block forgets, so what matters there is the recent past, whether that
    is seconds or minutes. One piece is exact where the concentration does not change.
    """
    if xp is np and np.array_equal(c[1:], c[:-1]):
        substeps = 1
    width = _LAST_PIECE ** (np.arange(substeps) / max(substeps - 1, 1))
    width = width / width.sum()
    middle = (np.cumsum(width) - 0.5 * width)[None, :, None]
    return xp.diff(seconds)[:, None] * width, c[:-1, None] * (1.0 - middle) + c[1:, None] * middle


def checked_drive(
    concentration_uM: Any, v_bar_mV: Any, rate_hz: Any, shares: Mapping[str, Any], xp: Any
) -> tuple[Any, Any, Any]:
    """The first three as arrays, which with the shares are what :func:`equilibrium_block` accepts."""
    c, v, rate = (as_float64(x, xp) for x in (concentration_uM, v_bar_mV, rate_hz))
    if xp is np:  # traced values cannot be looked at
        if not np.all(np.isfinite(v)):
            raise InputError("mean potential: every value must be a finite number of mV")
        for what, unit, value in (("concentration", "uM", c), ("event rate", "Hz", rate)):
            if not np.all(np.isfinite(value)):
                raise InputError(f"{what}: every value must be a finite number of {unit}")
            if np.any(value < 0):
                raise InputError(
                    f"{what} of {value.min():g} {unit} is negative; give a value of zero or more"
                )
        if problem := laws.check_subunits(shares):
            raise InputError(problem)
    return c, v, rate


def checked_course(
    times_min: Any,
    concentration_uM: Any,
    v_bar_mV: Any,
    rate_hz: Any,
    shares: Mapping[str, Any],
    start: Any,
    xp: Any,
) -> tuple[Any, Any, Any, Any]:
    """Times in s, concentration (t, n), potential and rate (n,)."""
    minutes = np.asarray(times_min, dtype=np.float64)
    c, v, rate = checked_drive(concentration_uM, v_bar_mV, rate_hz, shares, xp)
    if minutes.ndim != 1 or minutes.size == 0 or c.ndim != 2 or c.shape[0] != minutes.size:
        raise InputError(
            f"concentration has shape {c.shape}; give one row for each of {minutes.size} times and one column "
            "for each compartment"
        )
    for what, x in (("mean potential", v), ("event rate", rate), ("block at the start", xp.asarray(start))):
        if x.shape not in {(), (c.shape[1],)}:
            raise InputError(
                f"{what} has shape {x.shape}; give one value or one for each of {c.shape[1]} compartments"
            )
    if not np.all(np.isfinite(minutes)) or np.any(np.diff(minutes) <= 0):
        raise InputError("times: every time must be a finite number of minutes, later than the one before")
    if xp is np and not np.all((np.asarray(start) >= 0) & (np.asarray(start) <= 1)):
        raise InputError("block at the start: every value must lie between 0 and 1")
    spread = xp.zeros_like(c[0])
    return 60.0 * minutes, c, v + spread, rate + spread
