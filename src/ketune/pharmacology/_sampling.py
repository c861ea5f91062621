"""Draws of a drug's uncertain numbers from their ranges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ketune.pharmacology._drug import Drug, Quantity
from ketune.pharmacology._schema import KEYS

_Z95 = 1.959963984540054  # standard normal quantile of 0.975


def sample_parameters(
    drug: Drug, n: int, seed: int, names: tuple[str, ...] | None = None
) -> list[dict[str, float]]:
    """Draw ``n`` sets of the uncertain parameters, each to be given as ``overrides``.

    "lognormal" and "normal" are two-piece laws: the default is the median, ``low`` and ``high`` the 2.5 %
    and 97.5 % points, whatever the skew; draws are cut at what is physically possible. "uniform" fills the
    range. Parameters are drawn independently, although affinity, depth and subunit shares trade off in
    reality.

    Args:
        drug: the drug.
        n: number of sets.
        seed: seed; a parameter's draws do not depend on which others are asked for.
        names: parameters to draw; default all that are not "fixed".

    Raises:
        InputError: unknown name.
    """
    chosen = names or tuple(k for k, q in drug.parameters.items() if q.spread != "fixed")
    for name in chosen:
        drug.require(name)
    order = sorted(drug.parameters)
    columns = {
        name: _draw(name, drug.parameters[name], np.random.default_rng([seed, order.index(name)]), n)
        for name in chosen
    }
    return [{name: float(column[i]) for name, column in columns.items()} for i in range(n)]


def _draw(name: str, q: Quantity, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    if q.spread == "fixed":
        return np.full(n, q.value)
    if q.spread == "uniform":
        return rng.uniform(q.low, q.high, n)
    z = rng.standard_normal(n) / _Z95
    if q.spread == "lognormal":
        return q.value * np.where(z < 0, (q.low / q.value) ** -z, (q.high / q.value) ** z)
    draw = q.value + np.where(z < 0, (q.value - q.low) * z, (q.high - q.value) * z)
    bound = KEYS[name].bound
    if bound == "signed":
        return draw
    return np.clip(draw, 0.01 * q.value if bound == "positive" else 0.0, 1.0 if bound == "fraction" else None)
