"""Free drug in the brain after an injection: one compartment, absorption and elimination of first order, metabolite.

    C(t) = dose S ka / (ka - ke) (exp(-ke t) - exp(-ka t))              uM at every depth
    N(t) = f ke dose S ka exp[ke, ka, km]                               metabolite, from what is eliminated

exp[..] is the divided difference of exp(-x t) over its rates, so equal rates are no special case. ``S`` (uM per
mg/kg) holds bioavailability, volume of distribution and the unbound share. The metabolite is taken to spread like
its parent. Rates in 1/min, times in min; ``xp`` is NumPy or jax.numpy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def injected(times_min: Any, peak_uM: Any, absorption: Any, elimination: Any, xp: Any = np) -> Any:
    """Free drug (t,) in uM after one injection at t = 0; ``peak_uM`` is dose times S. Zero before 0."""
    t = xp.maximum(xp.asarray(times_min, dtype=float), 0.0)
    return peak_uM * absorption * _between_two(t, absorption, elimination, xp)


def formed(
    times_min: Any, peak_uM: Any, absorption: Any, elimination: Any, fraction: Any, loss: Any, xp: Any = np
) -> Any:
    """Metabolite (t,) in uM: ``fraction`` of the parent that is eliminated becomes it, and it is lost at ``loss``."""
    t = xp.maximum(xp.asarray(times_min, dtype=float), 0.0)
    return (
        fraction * elimination * peak_uM * absorption * _between_three(t, absorption, elimination, loss, xp)
    )


def repeated(law: Callable[[Any], Any], times_min: Any, every_min: float, n_doses: int, xp: Any = np) -> Any:
    """Sum of ``law`` (zero before 0) over doses at 0, ``every_min``, ...: superposition, exact for linear kinetics."""
    times = xp.asarray(times_min, dtype=float)
    total = law(times)
    for i in range(1, n_doses):
        total = total + law(times - i * every_min)
    return total


def _between_two(t: Any, a: Any, b: Any, xp: Any) -> Any:
    """(exp(-a t) - exp(-b t)) / (b - a), for any a and b."""
    low, high = xp.minimum(a, b), xp.maximum(a, b)
    x = (high - low) * t
    small = x < 1e-3
    far = xp.where(small, 1.0, x)
    series = 1.0 - x / 2.0 + x**2 / 6.0 - x**3 / 24.0 + x**4 / 120.0
    return t * xp.exp(-low * t) * xp.where(small, series, -xp.expm1(-far) / far)


def _between_three(t: Any, a: Any, b: Any, c: Any, xp: Any) -> Any:
    """Second divided difference of exp(-x t), the convolution of three exponential stages, for any rates."""
    low, high = xp.minimum(xp.minimum(a, b), c), xp.maximum(xp.maximum(a, b), c)
    middle = a + b + c - low - high
    span = (high - low) * t
    close = span < 0.1
    safe = xp.where(close, 1.0, high - low)
    apart = (_between_two(t, low, middle, xp) - _between_two(t, middle, high, xp)) / safe
    # Close rates: powers of their distances; the complete symmetric polynomials of 0, u and v over factorials.
    u, v = (middle - low) * t, span
    series, sum_n, factorial = 0.5, 1.0, 2.0
    power_u = 1.0
    for n in range(1, 9):
        power_u = power_u * u
        sum_n = sum_n * v + power_u
        factorial = factorial * (n + 2)
        series = series + (-1.0) ** n * sum_n / factorial
    return xp.where(close, t**2 * xp.exp(-low * t) * series, apart)
