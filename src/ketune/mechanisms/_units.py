"""Constants that UNITS blocks take from NEURON's table of units: `FARADAY = (faraday) (coulomb)`."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_PRIMITIVES = 10
_Value = tuple[float, tuple[int, ...]]
"""A factor, and the exponent of each primitive unit."""


def unit_constant(source: str, target: str, own: dict[str, str]) -> float | None:
    """How many `target` one `source` is, in NEURON's values (CODATA 2018).

    Args:
        source, target: units as in the file, "1" for none.
        own: the file's own names for units.

    Returns:
        None where a unit is not known or the two do not measure the same.
    """
    a, b = _measure(source, own), _measure(target, own)
    if a is None or b is None or a[1] != b[1]:
        return None
    return a[0] / b[0]


def _measure(text: str, own: dict[str, str], depth: int = 0) -> _Value | None:
    """A unit's factor and dimension: numbers, names with exponents, `-` or blank for products, one or more `/`."""
    factor, dimension = 1.0, [0] * _PRIMITIVES
    below = False
    for token in re.findall(
        r"/|\d*\.?\d+(?:\|\d+)?(?:[eE]?[+-]\d+)?(?![a-zA-Z])|[a-zA-Z_%$]+\d*|\S", text.replace("fuzz", "")
    ):
        if token == "/":
            below = True
            continue
        if token in "-*.":
            continue
        if token[0].isdigit() or token[0] == ".":
            number = _number(token)
            factor = factor / number if below else factor * number
            continue
        found = re.fullmatch(r"([a-zA-Z_%$]+)(\d*)", token)
        part = _named(found.group(1), own, depth) if found and depth < 20 else None
        if found is None or part is None:
            return None
        power = int(found.group(2) or 1) * (-1 if below else 1)
        factor *= part[0] ** power
        dimension = [d + power * p for d, p in zip(dimension, part[1], strict=True)]
    return factor, tuple(dimension)


def _named(name: str, own: dict[str, str], depth: int) -> _Value | None:
    if name in own and own[name] != name:
        return _measure(own[name], {k: v for k, v in own.items() if k != name}, depth + 1)
    units, prefixes = _table()
    for candidate in (name, name.removesuffix("s")):
        definition = units.get(candidate)
        if definition is not None:
            if definition.startswith("*"):
                return 1.0, tuple(int(i == ord(definition[1]) - ord("a")) for i in range(_PRIMITIVES))
            return _measure(definition, {}, depth + 1)
    for prefix, scale in prefixes.items():
        if name.startswith(prefix) and len(name) > len(prefix):
            rest = _named(name[len(prefix) :], own, depth + 1)
            if rest is not None:
                return scale * rest[0], rest[1]
    return None


def _number(token: str) -> float:
    """The table writes 6.02+23 for 6.02e23, and 1|60 for a sixtieth."""
    if "|" in token:
        above, below = token.split("|")
        return float(above) / _number(below)
    return float(re.sub(r"(?<=[\d.])([+-])", r"e\1", token))


@cache
def _table() -> tuple[dict[str, str], dict[str, float]]:
    """NEURON's units and prefixes."""
    import neuron

    path = next(Path(neuron.__file__).parent.glob(".data/share/nrn/lib/nrnunits.lib"), None)
    if path is None:
        return {}, {}
    units: dict[str, str] = {}
    prefixes: dict[str, float] = {}
    for line in path.read_text(encoding="latin-1").splitlines():
        name, _, definition = line.partition("\t")
        definition = definition.strip()
        if not definition or line.startswith("//") or " " in name:
            continue
        if name.endswith("-"):
            try:
                prefixes[name.strip("/-")] = float(definition)
            except ValueError:
                continue
        elif not name.startswith("/"):
            units.setdefault(name, definition)
    return units, dict(sorted(prefixes.items(), key=lambda x: -len(x[0])))
