"""What each function of a mechanism reads: its `inputs` are those of the whole file, with events and INITIAL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ketune._jax import jax
from ketune.mechanisms import Mechanism


@dataclass(frozen=True)
class Reads:
    """Names that the functions of every step take from `p`."""

    currents: frozenset[str]
    advance: frozenset[str]

    @property
    def any(self) -> frozenset[str]:
        return self.currents | self.advance


@lru_cache(maxsize=256)
def reads(mechanism: Mechanism) -> Reads:
    """What the currents and the advance of a mechanism read."""
    currents = [mechanism.currents_by_name, mechanism.conductance, mechanism.ion_conductances]
    return Reads(
        frozenset().union(*(_read(mechanism, f) for f in currents if f is not None)),
        _read(mechanism, mechanism.advance),
    )


class _Noted(dict[str, Any]):
    """Parameters that know which of them were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __missing__(self, name: str) -> Any:
        self.names.add(name)
        return np.float64(1.0)


def _read(mechanism: Mechanism, function: Callable[..., Any]) -> frozenset[str]:
    noted = _Noted()
    states = dict.fromkeys((*mechanism.states, *mechanism.carried), np.float64(0.5))
    jax.eval_shape(lambda v: function(v, states, noted), jax.ShapeDtypeStruct((), np.float64))
    return frozenset(noted.names)
