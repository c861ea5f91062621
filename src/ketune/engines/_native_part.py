"""One function of a mechanism as a program with constants, and its rates as tables where there may be some."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ketune._jax import jax, jnp
from ketune.engines import _rate_tables as rate_tables
from ketune.engines._numerical import elementwise
from ketune.engines._program import Program

_MOST_ATTEMPTS = 24
# Rows may differ in the constants of their rates; beyond this many kinds rates are computed directly.
_MOST_GROUPS = 16


class CellTables:
    """Rate tables of a whole cell, one after the other."""

    def __init__(self, dtype: np.dtype) -> None:
        self.itemsize = dtype.itemsize
        low, high = rate_tables.RANGE_mV
        self.pieces_per_mV = (rate_tables.PIECES[self.itemsize] - rate_tables.SPARE) / (high - low)
        self._parts: list[np.ndarray] = []

    def add(self, groups: np.ndarray) -> np.ndarray:
        """Put tables ``(groups, ...)`` behind the others; where each group begins."""
        begin = sum(part.size for part in self._parts)
        self._parts.append(groups)
        return begin + np.arange(len(groups)) * (groups.size // len(groups))

    def packed(self) -> np.ndarray:
        return np.concatenate([t.ravel() for t in self._parts]) if self._parts else np.zeros(1)


class Part:
    """One function of a mechanism: its program, and what was found out about it for the parameters at hand.

    Attributes
    ----------
    constants
        Of the program, ``(rows, 1)`` or ``(rows, lanes)`` each.
    tables
        Of each rate, ``(groups, levels, pieces)``, a group for all rows whose rates have the same constants; None where
        rates are computed directly.
    group
        Of each row.
    """

    def __init__(self, whole: Program, itemsize: int) -> None:
        self.whole = self.program = whole
        self._once: dict[tuple[Any, ...], Any] = {}
        self.itemsize = itemsize
        self.constants: list[Any] = []
        self.tables: list[np.ndarray] | None = None
        self.group = np.empty(0, int)
        self._slopes: tuple[Any, list[np.ndarray] | None] | None = None
        self._values = np.empty((0, 0))  # of the rates' constants, a row for each group

    def once(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        """What follows from the program alone, made at its first use."""
        whole = (id(self.program), *key)
        if whole not in self._once:
            self._once[whole] = (self.program, make())  # kept with its program, whose identity is the key
        return self._once[whole][1]

    def evaluated(self, p: dict[str, Any]) -> list[np.ndarray]:
        """The constants for parameters ``(rows, 1)`` or ``(rows, lanes)``, in such shapes."""
        program, names = self.program, list(p)
        if not program.n_constants:
            return []

        def function(x: list[Any]) -> list[Any]:
            return program.constants(dict(zip(names, x, strict=True)))

        evaluate = self.once(("constants", *names), lambda: elementwise(function, len(names)))
        found = evaluate([p[name] for name in names])
        rows, lanes = (max(np.shape(x)[axis] for x in p.values()) for axis in (0, 1))
        wide = {name for name, x in p.items() if np.shape(x)[1] > 1}
        return [
            np.broadcast_to(c, (rows, lanes if wide & origins else 1))
            for c, origins in zip(found, program.of_parameter, strict=True)
        ]

    def prepare(self, p: dict[str, Any]) -> None:
        """Evaluate the constants, and find tables of the rates where there may be some."""
        for _ in range(_MOST_ATTEMPTS):
            self.constants = self.evaluated(p)
            used = [np.asarray(c) for c, u in zip(self.constants, self.program.in_rates, strict=True) if u]
            if not self.program.n_rates or any(c.shape[1] > 1 for c in used):
                break
            together = np.concatenate([*used, np.zeros((len(used[0]) if used else 1, 1))], axis=1)
            values, self.group = np.unique(together, axis=0, return_inverse=True)
            self.group = self.group.reshape(-1)
            if len(values) > _MOST_GROUPS:
                break
            if self.tables is not None and np.array_equal(values, self._values):
                return
            found, failed = _by_rate(
                [rate_tables.tables(self._rates_of(row), self.itemsize) for row in values]
            )
            if not failed:
                self.tables, self._values = found, values
                return
            self.program, self.tables = self.program.without(failed), None
        self.program, self.tables = self.whole, None
        self.constants = self.evaluated(p)

    def _placed(self, used: np.ndarray) -> list[Any]:
        """A group's constants; those that no rate needs are left 0."""
        given = iter(used)
        return [jnp.asarray(next(given) if u else 0.0, jnp.float64) for u in self.program.in_rates]

    def _rates_of(self, used: np.ndarray) -> rate_tables.Rates:
        constants = self._placed(used)
        return _of_voltage(lambda v: self.program.rates(v, constants))

    def slopes(self, constants: Sequence[int]) -> list[np.ndarray] | None:
        """Tables of the rates' derivatives with respect to some constants, for each of these rate after rate."""
        if self.tables is None:
            return None
        if not constants:
            return []

        def of_group(used: np.ndarray) -> rate_tables.Rates:
            given = self._placed(used)

            def along(k: int, v: Any) -> Any:
                at = lambda x: self.program.rates(v, [*given[:k], x, *given[k + 1 :]])  # noqa: E731
                return jax.jvp(at, (given[k],), (jnp.ones_like(given[k]),))[1]

            return _of_voltage(lambda v: [y for k in constants for y in along(k, v)])

        key = (tuple(constants), self._values.tobytes())
        if self._slopes is None or self._slopes[0] != key:
            found, failed = _by_rate(
                [rate_tables.tables(of_group(row), self.itemsize, slopes=True) for row in self._values]
            )
            self._slopes = (key, None if failed else found)
        return self._slopes[1]


def _of_voltage(function: Callable[[Any], list[Any]]) -> rate_tables.Rates:
    evaluate = elementwise(lambda x: function(x[0]), 1)
    return lambda v: np.stack([np.broadcast_to(y, v.shape) for y in evaluate([v])])


def _by_rate(groups: Sequence[Sequence[np.ndarray | None]]) -> tuple[list[np.ndarray], list[int]]:
    """Tables of each rate, those of all groups in one form, and which rates have none."""
    result, failed = [], []
    for k, of_rate in enumerate(zip(*groups, strict=True)):
        known = [t for t in of_rate if t is not None]
        if len(known) < len(of_rate):
            failed.append(k)
            continue
        result.append(rate_tables.alike(known))
    return result, failed


def differentiable_constants(part: Program, p: dict[str, Any]) -> list[Any]:
    """A program's constants as JAX computes them, in the shapes of :meth:`Part.evaluated`."""
    if not part.n_constants:
        return []
    rows, lanes = (max(np.shape(x)[axis] for x in p.values()) for axis in (0, 1))
    wide = {name for name, x in p.items() if np.shape(x)[1] > 1}
    full = {name: jnp.broadcast_to(x, (rows, lanes)) for name, x in p.items()}
    found = jax.vmap(jax.vmap(part.constants))(full)
    numbers = [jnp.asarray(c, jnp.float64) for c in found]
    return [c if wide & origins else c[:, :1] for c, origins in zip(numbers, part.of_parameter, strict=True)]
