"""Rates of the voltage as piecewise polynomials, to the rounding error of their number format.

A gate's steady state and its factor for a step are smooth functions of the voltage, each some tens of instructions with
exponentials and divisions. On equal pieces of the working range a polynomial of moderate degree gives the same number to
rounding error, where a piece has a kink (a time constant with a lower limit) one on either side. Whether it does is
measured for every function and every set of parameters; a function that misses the tolerance is taken apart until what
is left meets it. Voltages outside the range are computed directly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from numpy.polynomial import chebyshev

RANGE_mV = (-100.0, 60.0)
PIECES = {4: 32, 8: 16}
"""By the size of a number: as many as two registers of 64 bytes hold."""
DEGREES = {4: (5, 7), 8: (11, 13, 15)}
"""Tried in turn; odd, so that the number of levels tells a broken table."""
# Of the largest value in a piece. Derivatives that reverse mode adds up need less.
_TOLERANCE = {4: 3e-7, 8: 1e-12}
_SLOPE_TOLERANCE = {4: 3e-6, 8: 1e-11}
_CHECKED = 33
# To find a kink.
_SAMPLES = 401
_MOST_BREAKS = 4

Rates = Callable[[np.ndarray], np.ndarray]
"""Voltages ``(n,)`` in mV to rates ``(rates, n)``, in float64."""


def tables(rates: Rates, itemsize: int, *, slopes: bool = False) -> list[np.ndarray | None]:
    """The table of each rate, ``(levels, pieces)``; None where it misses the tolerance.

    A smooth rate has the coefficients of each piece, highest power first. Where a piece contains one kink or jump, the
    rate has those on its left, those on its right, and where (mV) each piece is broken.

    Parameters
    ----------
    itemsize
        4 for float32, 8 for float64.
    slopes
        The functions are derivatives with respect to constants.
    """
    return [
        next(
            (t for degree in DEGREES[itemsize] if (t := _table(rate, itemsize, degree, slopes=slopes)) is not None),
            None,
        )
        for rate in (_one(rates, k) for k in range(len(rates(np.zeros(1)))))
    ]


def degree_of(table: np.ndarray) -> tuple[int, bool]:
    """Degree of a table's polynomials, and whether it is broken somewhere."""
    levels = table.shape[-2]
    return (levels - 1) // 2 - 1 if levels % 2 else levels - 1, bool(levels % 2)


def alike(tables: Sequence[np.ndarray]) -> np.ndarray:
    """Tables of one rate under several sets of constants, all of one form: ``(tables, levels, pieces)``."""
    degree = max(degree_of(t)[0] for t in tables)
    broken = any(degree_of(t)[1] for t in tables)
    return np.stack([_in_form(t, degree, broken=broken) for t in tables])


def _in_form(table: np.ndarray, degree: int, *, broken: bool) -> np.ndarray:
    own, is_broken = degree_of(table)
    missing = np.zeros((degree - own, table.shape[1]), table.dtype)
    if not broken:
        return np.concatenate([missing, table])
    left, right = (table[: own + 1], table[own + 1 : 2 * own + 2]) if is_broken else (table, table)
    breaks = table[-1:] if is_broken else np.full((1, table.shape[1]), RANGE_mV[1], table.dtype)
    return np.concatenate([missing, left, missing, right, breaks])


def _one(rates: Rates, k: int) -> Rates:
    return lambda v: rates(v)[k : k + 1]


def _table(rate: Rates, itemsize: int, degree: int, *, slopes: bool) -> np.ndarray | None:
    edges = np.linspace(*RANGE_mV, PIECES[itemsize] + 1)
    fit = _Fit(itemsize, degree, (_SLOPE_TOLERANCE if slopes else _TOLERANCE)[itemsize])
    (table,), (good,) = fit.on(rate, edges[:-1], edges[1:], edges[:-1], edges[1:])
    return table if np.all(good) else _broken(rate, edges, table, good, fit)


def _broken(rate: Rates, edges: np.ndarray, smooth: np.ndarray, good: np.ndarray, fit: _Fit) -> np.ndarray | None:
    left, right, breaks = smooth.copy(), smooth.copy(), np.full(len(good), RANGE_mV[1])
    if np.sum(~good) > _MOST_BREAKS:
        return None
    for piece in np.flatnonzero(~good):
        low, high = edges[piece], edges[piece + 1]
        at = _break(lambda v: rate(v)[0], low, high)
        if not low < at < high:
            return None
        sides, accurate = fit.on(rate, np.array([low, at]), np.array([at, high]), *np.repeat([[low], [high]], 2, axis=1))
        if not np.all(accurate):
            return None
        left[:, piece], right[:, piece] = sides[0].T
        breaks[piece] = at
    return np.concatenate([left, right, breaks[None].astype(left.dtype)])


def _break(function: Callable[[np.ndarray], np.ndarray], low: float, high: float) -> float:
    """Where a function that is smooth but for one kink or jump has it."""
    v = np.linspace(low, high, _SAMPLES)
    y = function(v)
    middle = 1 + int(np.argmax(np.abs(np.diff(y, 2))))
    begin, end = v[max(middle - 1, 0)], v[min(middle + 1, _SAMPLES - 1)]

    def continued(inside: np.ndarray) -> Callable[[float], float]:
        near = v[inside], y[inside]
        degree = min(6, len(near[0]) - 1)
        return np.polynomial.Polynomial.fit(*near, degree) if degree >= 0 else lambda _: np.inf

    left, right = continued((v <= begin) & (v > begin - 0.3 * (high - low))), continued((v >= end) & (v < end + 0.3 * (high - low)))
    for _ in range(50):
        at = (begin + end) / 2
        value = float(function(np.array([at]))[0])
        if abs(value - left(at)) <= abs(value - right(at)):
            begin = at
        else:
            end = at
    return (begin + end) / 2


class _Fit:
    """Polynomials in a piece's own coordinate, and whether they are accurate enough."""

    def __init__(self, itemsize: int, degree: int, tolerance: float) -> None:
        self.degree, self.tolerance = degree, tolerance
        self.real = np.float32 if itemsize == 4 else np.float64

    def on(
        self, rates: Rates, low: np.ndarray, high: np.ndarray, piece_low: np.ndarray, piece_high: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients ``(rates, degree + 1, intervals)`` from values between ``low`` and ``high``; accurate there?"""
        t, to_series, to_powers = _chebyshev(self.degree)
        n = len(low)

        def values(at: np.ndarray) -> np.ndarray:
            v = low[:, None] + (high - low)[:, None] * (at + 1.0) / 2.0
            return rates(v.ravel()).reshape(-1, n, len(at))

        # In two steps: the matrices' product would lose seven digits.
        powers = values(t) @ to_series @ to_powers
        # From the interval's coordinate x to the piece's t: x = scale t + shift.
        scale = (piece_high - piece_low) / (high - low)
        shift = (piece_high + piece_low - high - low) / (high - low)
        if np.any(scale != 1.0):
            for i in range(n):
                inner = np.polynomial.Polynomial([shift[i], scale[i]])
                for k in range(len(powers)):
                    c = np.polynomial.Polynomial(powers[k, i])(inner).coef
                    powers[k, i] = np.pad(c, (0, self.degree + 1 - len(c)))
        table = np.ascontiguousarray(np.moveaxis(powers, 2, 1)[:, ::-1]).astype(self.real)
        at = np.linspace(-1.0, 1.0, _CHECKED + 2)[1:-1]
        exact = values(at)
        in_piece = ((at[None] - shift[:, None]) / scale[:, None]).astype(self.real)
        found = np.zeros(exact.shape, self.real)
        for power in np.moveaxis(table, 1, 0):
            found = found * in_piece + power[..., None]
        error, size = (np.max(np.abs(x), axis=2) for x in (found - exact, exact))
        with np.errstate(invalid="ignore"):
            return table, error <= self.tolerance * size


@cache
def _chebyshev(degree: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points, values there to Chebyshev coefficients, and these to coefficients of powers."""
    t = np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
    to_powers = np.zeros((degree + 1, degree + 1))
    for k, unit in enumerate(np.eye(degree + 1)):
        series = chebyshev.cheb2poly(unit[: k + 1])
        to_powers[k, : len(series)] = series
    return t, np.linalg.inv(chebyshev.chebvander(t, degree)).T, to_powers
