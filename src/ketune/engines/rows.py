"""Which rows of a cell's arrays a placement is computed on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Array

from ketune._jax import jnp
from ketune.cell import Placement

# A placement on more than this share of the compartments is computed on all of them, its current masked where it is
# absent: XLA vectorises whole arrays, while picking rows costs more than the arithmetic it saves.
_COMPUTE_EVERYWHERE_FROM = 0.15


@dataclass(frozen=True, eq=False)
class Rows:
    """Which rows of a ``[compartment, lane]`` array a placement is computed on.

    ``source`` maps those rows to the placement's own compartments (an absent compartment borrows the first one's
    parameters; its current is masked), ``present`` is the mask, ``index`` the rows themselves where they are few.
    """

    n: int
    index: np.ndarray | None
    source: np.ndarray
    present: np.ndarray

    @classmethod
    def of(cls, placement: Placement, n: int) -> Rows:
        compartments = placement.compartments
        own_states = placement.mechanism.merging == "separate"  # whose connections have rows too
        if own_states or len(compartments) <= _COMPUTE_EVERYWHERE_FROM * n:
            return cls(n, compartments, np.arange(len(compartments)), np.ones(len(compartments), bool))
        source, present = np.zeros(n, int), np.zeros(n, bool)
        source[compartments] = np.arange(len(compartments))
        present[compartments] = True
        return cls(n, None, source, present)

    @property
    def size(self) -> int:
        return len(self.source)

    def take(self, x: Array) -> Array:
        return x[: self.n] if self.index is None else x[self.index]

    def spread(self, x: Array) -> Array:
        """``x`` at these rows of an array of ``n`` rows, zero elsewhere."""
        if self.index is None:
            return x
        if len(np.unique(self.index)) < len(self.index):
            return jnp.zeros((self.n, x.shape[1]), x.dtype).at[self.index].add(x)
        source = np.full(self.n, len(self.index))
        source[self.index] = np.arange(len(self.index))
        return jnp.concatenate([x, jnp.zeros((1, x.shape[1]), x.dtype)])[source]

    def put(self, x: Array, new: Array) -> Array:
        """``x``, an array of ``n`` rows, with its values at these rows replaced."""
        if self.index is None:
            return jnp.where(self.present[:, None], new, x)
        return x.at[self.index].set(new)
