"""Doses of a dose-response curve, as a user writes them: "0.1uM:1mM:log12", "0uM:50uM:lin6" or "1 uM, 10 uM"."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ketune.errors import InputError
from ketune.units import parse_concentration

_OPTION = "--doses"
_EXAMPLE = "0.1uM:1mM:log12"
_MOST_DOSES = 100
_SPACING = re.compile(r"(log|lin)(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class DoseRange:
    """Doses in one unit, rising.

    Attributes
    ----------
    values
        Numbers in ``unit``.
    unit
        Of the route: "uM" for concentrations, "mg/kg" for doses by weight.
    """

    values: tuple[float, ...]
    unit: str = "uM"

    @property
    def texts(self) -> tuple[str, ...]:
        """Each dose with its unit, as a route takes it."""
        return tuple(f"{value:.10g} {self.unit}" for value in self.values)


def dose_range(text: str, unit: str = "uM", read: Callable[[str], float] | None = None) -> DoseRange:
    """Read a range ("LOW:HIGH:log12", "LOW:HIGH:lin5") or a list of doses with commas.

    Parameters
    ----------
    unit
        Of the answer.
    read
        Turns one dose with its unit into a number in ``unit`` and refuses others; molar concentrations in uM if not
        given.

    Raises
    ------
    InputError
        Neither a range nor a list, a dose that ``read`` refuses, doses that do not rise, fewer than 2 or more than
        100, or a logarithmic range from zero.
    """
    number = read or (lambda dose: parse_concentration(dose, None, _OPTION))
    parts = text.split(":")
    if len(parts) == 1:
        values = [number(part) for part in text.split(",")]
    elif len(parts) == 3:
        values = _spaced(text, number(parts[0]), number(parts[1]), parts[2].strip())
    else:
        raise InputError(
            f"{_OPTION} '{text}': not a range; write LOW:HIGH:log12 or LOW:HIGH:lin5 ('{_EXAMPLE}'), or doses with "
            "commas"
        )
    if not 2 <= len(values) <= _MOST_DOSES:
        raise InputError(
            f"{_OPTION} '{text}': gives {len(values)} dose{'s' * (len(values) != 1)}; give 2 to {_MOST_DOSES}"
        )
    if any(b <= a for a, b in pairwise(values)):
        raise InputError(f"{_OPTION} '{text}': doses must rise, each above the one before")
    return DoseRange(tuple(values), unit)


def _spaced(text: str, low: float, high: float, spacing: str) -> list[float]:
    match = _SPACING.fullmatch(spacing)
    if match is None:
        raise InputError(
            f"{_OPTION} '{text}': spacing '{spacing}' is not understood; write log12 or lin5 ('{_EXAMPLE}')"
        )
    n = int(match[2])
    if not 2 <= n <= _MOST_DOSES:
        raise InputError(
            f"{_OPTION} '{text}': asks for {n} dose{'s' * (n != 1)}; give 2 to {_MOST_DOSES} ('{_EXAMPLE}')"
        )
    if match[1].lower() == "lin":
        return np.linspace(low, high, n).tolist()
    if low <= 0 or high <= 0:
        raise InputError(
            f"{_OPTION} '{text}': a logarithmic range cannot touch zero; start above it, or write lin{n}"
        )
    # Ten digits: a dose that a user reads and types again is the same dose.
    return [float(f"{value:.10g}") for value in np.geomspace(low, high, n)]
