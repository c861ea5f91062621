"""Rates of the voltage as piecewise polynomials, to the rounding error of their number format.

A gate's steady state and its factor for a step are smooth functions of the voltage, each some tens of instructions
with exponentials and divisions. On equal pieces of the working range a polynomial of moderate degree gives the same
number to rounding error, where a piece has a kink (a time constant with a lower limit) one on either side. Whether it
does is measured for every function and every set of parameters; a function that misses the tolerance is taken apart
until what is left meets it. Voltages outside the range are computed directly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from numpy.polynomial import chebyshev

RANGE_mV = (-100.0, 60.0)
PIECES = {4: 32, 8: 16}
"""By the size of a number: as many as two registers of 64 bytes hold."""
SPARE = 2
"""Of these so many are kept for what lies on the right of a kink."""
DEGREES = {4: (5, 7), 8: (11, 13, 15)}
"""Tried in turn; odd, so that the number of levels tells a broken table."""
_BROKEN_LEVELS = 3  # beyond those of a smooth one
# Of the largest value in a piece. Derivatives that reverse mode adds up need less.
_TOLERANCE = {4: 3e-7, 8: 1e-12}
_SLOPE_TOLERANCE = {4: 3e-6, 8: 1e-11}
_CHECKED = 35
_TO_THE_END = 1.0 - 1e-9
# To find a kink.
_SAMPLES = 401

Rates = Callable[[np.ndarray], np.ndarray]
"""Voltages ``(n,)`` in mV to rates ``(rates, n)``, in float64."""


def tables(rates: Rates, itemsize: int, *, slopes: bool = False) -> list[np.ndarray | None]:
    """The table of each rate, ``(levels, pieces)``; None where it misses the tolerance.

    A table has the coefficients of each piece, highest power first. Where a piece contains one kink or jump, these are
    the ones on its left, and those on its right belong to a spare piece; then follow the voltage of each piece's kink,
    the number of the spare piece (as bits of a whole number), and an empty level.

    Parameters
    ----------
    itemsize
        4 for float32, 8 for float64.
    slopes
        The functions are derivatives with respect to constants.
    """
    return [
        next(
            (
                t
                for degree in DEGREES[itemsize]
                if (t := _table(rate, itemsize, degree, slopes=slopes)) is not None
            ),
            None,
        )
        for rate in (_one(rates, k) for k in range(len(rates(np.zeros(1)))))
    ]


def degree_of(table: np.ndarray) -> tuple[int, bool]:
    """Degree of a table's polynomials, and whether it is broken somewhere."""
    levels = table.shape[-2]
    broken = bool(levels % 2)
    return levels - 1 - (_BROKEN_LEVELS if broken else 0), broken


def alike(tables: Sequence[np.ndarray]) -> np.ndarray:
    """Tables of one rate under several sets of constants, all of one form: ``(tables, levels, pieces)``."""
    degree = max(degree_of(t)[0] for t in tables)
    broken = any(degree_of(t)[1] for t in tables)
    return np.stack([_in_form(t, degree, broken=broken) for t in tables])


def _in_form(table: np.ndarray, degree: int, *, broken: bool) -> np.ndarray:
    own, is_broken = degree_of(table)
    padded = np.concatenate([np.zeros((degree - own, table.shape[1]), table.dtype), table])
    return padded if is_broken or not broken else _with_breaks(padded, {})


def _with_breaks(coefficients: np.ndarray, breaks: dict[int, float]) -> np.ndarray:
    """Coefficients with the levels that say where pieces are broken; the spare pieces follow in the order of these."""
    pieces, real = coefficients.shape[1], coefficients.dtype
    at, spare = np.full(pieces, RANGE_mV[1], real), np.arange(pieces)
    for number, (piece, voltage) in enumerate(sorted(breaks.items())):
        at[piece], spare[piece] = voltage, pieces - SPARE + number
    bits = spare.astype(np.int32 if real.itemsize == 4 else np.int64).view(real)
    return np.concatenate([coefficients, np.stack([at, bits, np.zeros(pieces, real)])])


def _one(rates: Rates, k: int) -> Rates:
    return lambda v: rates(v)[k : k + 1]


def _table(rate: Rates, itemsize: int, degree: int, *, slopes: bool) -> np.ndarray | None:
    edges = np.linspace(*RANGE_mV, PIECES[itemsize] - SPARE + 1)
    fit = _Fit(itemsize, degree, (_SLOPE_TOLERANCE if slopes else _TOLERANCE)[itemsize])
    (found,), (good,) = fit.on(rate, edges[:-1], edges[1:], edges[:-1], edges[1:])
    table = np.pad(found, ((0, 0), (0, SPARE)))
    if np.all(good):
        return table
    if np.sum(~good) > SPARE:
        return None
    breaks = {}
    for number, piece in enumerate(np.flatnonzero(~good)):
        low, high = edges[piece], edges[piece + 1]
        at = _break(lambda v: rate(v)[0], low, high)
        if not low < at < high:
            return None
        for begin, end, column in ((low, at, piece), (at, high, table.shape[1] - SPARE + number)):
            coefficients = fit.on_part(rate, begin, end, low, high)
            if coefficients is None:
                return None
            table[:, column] = coefficients
        breaks[int(piece)] = at
    return _with_breaks(table, breaks)


def _break(function: Callable[[np.ndarray], np.ndarray], low: float, high: float) -> float:
    """Where a function that is smooth but for one kink or jump has it."""
    v = np.linspace(low, high, _SAMPLES)
    y = function(v)
    middle = 1 + int(np.argmax(np.abs(np.diff(y, 2))))
    begin, end = v[max(middle - 1, 0)], v[min(middle + 1, _SAMPLES - 1)]

    def continued(inside: np.ndarray) -> Callable[[float], float]:
        degree = min(10, int(np.sum(inside)) - 1)
        return np.polynomial.Polynomial.fit(v[inside], y[inside], degree) if degree >= 0 else lambda _: np.inf

    near = 0.3 * (high - low)
    left = continued((v <= begin) & (v > begin - near))
    right = continued((v >= end) & (v < end + near))
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
        self.itemsize, self.degree, self.tolerance = itemsize, degree, tolerance
        self.real = np.float32 if itemsize == 4 else np.float64

    def on_part(
        self, rate: Rates, low: float, high: float, piece_low: float, piece_high: float
    ) -> np.ndarray | None:
        """Coefficients from values on a part of a piece, of the lowest degree that is accurate there.

        In the coordinate of a piece that is much longer, those of a high degree would be lost in rounding.
        """
        for degree in range(1, self.degree + 1):
            lower = _Fit(self.itemsize, degree, self.tolerance)
            (found,), (good,) = lower.on(rate, *(np.array([x]) for x in (low, high, piece_low, piece_high)))
            if good[0]:
                return np.pad(found[:, 0], (self.degree - degree, 0))
        return None

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
        # Almost to the ends: what a kink or jump close to one spoils lies between it and the end.
        at = np.linspace(-_TO_THE_END, _TO_THE_END, _CHECKED)
        exact = values(at)
        in_piece = ((at[None] - shift[:, None]) / scale[:, None]).astype(self.real)
        found = np.zeros(exact.shape, self.real)
        with np.errstate(over="ignore", invalid="ignore"):  # a rate with a pole: not accurate
            table = np.ascontiguousarray(np.moveaxis(powers, 2, 1)[:, ::-1]).astype(self.real)
            for power in np.moveaxis(table, 1, 0):
                found = found * in_piece + power[..., None]
            error, size = (np.max(np.abs(x), axis=2) for x in (found - exact, exact))
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
