"""Drug from a pipette in the tissue: a puff or an ejection current, with binding, clearance and a sealed pia.

A puff (pressure) fills the extracellular space of a sphere at once; iontophoresis is a point source of constant
strength (Carslaw & Jaeger 1959, sections 10.3 and 10.4; Nicholson 1985 Brain Res 333:325; both from memory). No
drug passes the pia, which is a mirror image of the source. Units: um, s, uM; amounts in uM um3; ``xp`` is NumPy or
jax.numpy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

NEAREST_UM = 5.0
"""No point counts as closer to the tip than this: a point source has no concentration at its own place."""

UM3_PER_NL = 1e6
_UM_UM3_PER_MOL = 1e21
_FARADAY = 96485.33212


def erfc_of(xp: Any) -> Any:
    """The complementary error function of NumPy arrays or of jax.numpy's."""
    if xp is np:
        from scipy.special import erfc
    else:
        from jax.scipy.special import erfc
    return erfc


def strength(current_nA: Any, transport_number: Any) -> Any:
    """Drug that a current ejects, in uM um3/s: transport number times current over Faraday's constant."""
    return transport_number * current_nA * 1e-9 / _FARADAY * _UM_UM3_PER_MOL


def bolus_radius(volume_um3: Any, volume_fraction: Any) -> Any:
    """Radius of the tissue sphere whose extracellular space an ejected volume fills."""
    return (3.0 * volume_um3 / (4.0 * np.pi * volume_fraction)) ** (1.0 / 3.0)


def puffed(
    distance_um: Any,
    times_s: Any,
    amount: Any,
    radius_um: Any,
    apparent_diffusion_um2_s: Any,
    retention: Any,
    clearance_per_s: Any,
    xp: Any = np,
) -> Any:
    """Free drug (t, n) after ``amount`` fills a sphere evenly at t = 0; zero at and before 0."""
    erfc = erfc_of(xp)
    t = xp.asarray(times_s)[:, None]
    late = xp.maximum(t, 1e-6)
    r = xp.maximum(distance_um[None, :], 1e-6 * radius_um)
    s = 2.0 * xp.sqrt(apparent_diffusion_um2_s * late)
    inner, outer = (r - radius_um) / s, (r + radius_um) / s
    share = 0.5 * (erfc(inner) - erfc(outer))
    skirt = s / (2.0 * np.sqrt(np.pi) * r) * xp.exp(-(inner**2)) * -xp.expm1(-4.0 * r * radius_um / s**2)
    start = amount / (retention * 4.0 / 3.0 * np.pi * radius_um**3)
    value = start * xp.maximum(share - skirt, 0.0) * xp.exp(-clearance_per_s * late)
    return xp.where(t > 0, value, 0.0)


def ejected(
    distance_um: Any,
    times_s: Any,
    rate: Any,
    duration_s: Any,
    apparent_diffusion_um2_s: Any,
    retention: Any,
    clearance_per_s: Any,
    xp: Any = np,
) -> Any:
    """Free drug (t, n) while and after a point source gives off ``rate`` (uM um3/s) from 0 to ``duration_s``."""
    r = xp.maximum(distance_um, NEAREST_UM)[None, :]
    t = xp.asarray(times_s)[:, None]
    arguments = (r, apparent_diffusion_um2_s, clearance_per_s, xp)
    risen = _since(t, *arguments) - _since(t - duration_s, *arguments)
    return xp.maximum(rate / (4.0 * np.pi * apparent_diffusion_um2_s * retention * r) * risen, 0.0)


def _since(t: Any, r: Any, diffusion: Any, clearance: Any, xp: Any) -> Any:
    """Share of exp(-r / L) and more: 1/2 [exp(-r/L) erfc(u - w) + exp(r/L) erfc(u + w)]; zero at and before 0."""
    erfc = erfc_of(xp)
    late = xp.maximum(t, 1e-6)
    u, w = r / (2.0 * xp.sqrt(diffusion * late)), xp.sqrt(clearance * late)
    # exp(r/L) would overflow where erfc(u + w) has long been zero.
    over = xp.minimum(2.0 * u * w, 600.0)
    value = 0.5 * (xp.exp(-over) * erfc(u - w) + xp.exp(over) * erfc(u + w))
    return xp.where(t > 0, value, 0.0)
