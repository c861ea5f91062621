"""Solution of a cable's linear system on a tree, for many lanes at once.

The matrix of an implicit cable step is symmetric and has the graph of the dendritic tree. Hines (1984) eliminates it
from the tips to the soma, one compartment after another; that order has as many dependent steps as the longest path.
Here every round eliminates all tips and every other compartment of each unbranched run ("rake and compress", Miller
and Reif 1985): a tree of 250 nodes takes about ten rounds of wide elementwise arithmetic. The schedule depends only on
the tree and is computed once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Array, Float

from ketune._jax import jax, jnp


@dataclass(frozen=True, eq=False)
class _Round:
    """One round of elimination.

    Nodes are numbered so that those left after a round come first and those it eliminates follow, the ones with two
    neighbours before the tips; edges are put in the order first edge of every eliminated node, second edge of those
    that have one, untouched edges. All else is then a slice.
    """

    n_kept: int
    n_eliminated: int
    n_bridging: int  # eliminated nodes with two neighbours: each leaves a new edge
    edge_order: np.ndarray  # of the edges that the round before left
    neighbour_1: np.ndarray  # (n_eliminated,) nodes
    neighbour_2: np.ndarray  # (n_bridging,) nodes
    # Rows of [first edge's terms, second edge's terms, 0] that each kept node receives: columns for all of them, and
    # (node, row) pairs where a node has more neighbours than columns.
    received: tuple[np.ndarray, ...]
    received_more: tuple[tuple[int, int], ...]


# Most nodes of a round lose up to two neighbours; only few lose more, such as the soma.
_COLUMNS = 2


def _eliminations(parent: np.ndarray) -> list[tuple[list[int], dict[int, list[int]]]]:
    """Nodes eliminated in each round, each with its neighbours at that time."""
    around: dict[int, list[int]] = {node: [] for node in range(len(parent))}
    for node, above in enumerate(parent):
        if above >= 0:
            around[node].append(int(above))
            around[int(above)].append(node)
    rounds = []
    while len(around) > 1:
        chosen: set[int] = set()
        # Tips first: they cost no new edge. The root stays to the end.
        for degree in (1, 2):
            for node, neighbours in around.items():
                if node != 0 and len(neighbours) == degree and not chosen.intersection(neighbours):
                    chosen.add(node)
        bridging_first = sorted(chosen, key=lambda node: (-len(around[node]), node))
        rounds.append((bridging_first, {node: list(around[node]) for node in bridging_first}))
        for node in bridging_first:
            neighbours = around.pop(node)
            for n in neighbours:
                around[n].remove(node)
            if len(neighbours) == 2:
                a, b = neighbours
                around[a].append(b)
                around[b].append(a)
    return rounds


def _schedule(parent: np.ndarray) -> tuple[np.ndarray, tuple[_Round, ...]]:
    """The order of the nodes (old number of each new one), and the rounds in the new numbers."""
    eliminations = _eliminations(parent)
    order = np.array([0, *(node for nodes, _ in reversed(eliminations) for node in nodes)])
    new = np.empty(len(order), int)
    new[order] = np.arange(len(order))
    edges = [frozenset((int(new[i]), int(new[p]))) for i, p in enumerate(parent) if p >= 0]
    rounds = []
    n_left = len(parent)
    for nodes, around in eliminations:
        neighbours = [[int(new[n]) for n in around[node]] for node in nodes]
        eliminated = [int(new[node]) for node in nodes]
        n_bridging = sum(len(n) == 2 for n in neighbours)
        n_kept = n_left - len(nodes)
        where = {edge: i for i, edge in enumerate(edges)}
        first = [where[frozenset((node, n[0]))] for node, n in zip(eliminated, neighbours, strict=True)]
        second = [
            where[frozenset((node, n[1]))]
            for node, n in zip(eliminated, neighbours, strict=True)
            if len(n) == 2
        ]
        untouched = sorted(set(range(len(edges))) - {*first, *second})
        terms: list[list[int]] = [[] for _ in range(n_kept)]
        for i, n in enumerate(neighbours):
            for side, node in enumerate(n):
                terms[node].append(side * len(nodes) + i)
        nothing = len(nodes) + n_bridging
        columns = [
            np.array([t[c] if len(t) > c else nothing for t in terms])
            for c in range(min(_COLUMNS, max(map(len, terms))))
        ]
        rounds.append(
            _Round(
                n_kept=n_kept,
                n_eliminated=len(nodes),
                n_bridging=n_bridging,
                edge_order=np.array([*first, *second, *untouched], int),
                neighbour_1=np.array([n[0] for n in neighbours]),
                neighbour_2=np.array([n[1] for n in neighbours if len(n) == 2], int),
                received=tuple(columns),
                received_more=tuple((node, row) for node, t in enumerate(terms) for row in t[_COLUMNS:]),
            )
        )
        edges = [edges[e] for e in untouched] + [frozenset(n) for n in neighbours if len(n) == 2]
        n_left = n_kept
    return order, tuple(rounds)


class TreeSolver:
    """Solves ``(diag(d) - G) x = r`` where ``G`` holds a tree's coupling conductances.

    Parameters
    ----------
    parent
        ``int (n,)``, the neighbour of each node on the way to the root; -1 for the root, node 0.
    coupling
        ``float (n,)``, conductance between each node and its parent (entry of the root unused).
    """

    def __init__(self, parent: np.ndarray, coupling: np.ndarray) -> None:
        self.n_nodes = len(parent)
        self._child = np.flatnonzero(np.asarray(parent) >= 0)
        self._parent = np.asarray(parent)[self._child]
        self._coupling = np.asarray(coupling, float)[self._child]
        self._order, self._rounds = _schedule(np.asarray(parent))
        self._restore = np.argsort(self._order)
        self.diagonal = np.zeros(self.n_nodes)
        np.add.at(self.diagonal, self._child, self._coupling)
        np.add.at(self.diagonal, self._parent, self._coupling)
        self._around = self._neighbour_table()

    @property
    def n_rounds(self) -> int:
        """Dependent rounds of one elimination."""
        return len(self._rounds)

    def _neighbour_table(self) -> tuple[np.ndarray, np.ndarray]:
        """Neighbours of each node, padded with the node itself, and their conductances, padded with zero."""
        lists: list[list[tuple[int, float]]] = [[] for _ in range(self.n_nodes)]
        for child, parent, g in zip(self._child, self._parent, self._coupling, strict=True):
            lists[child].append((parent, g))
            lists[parent].append((child, g))
        width = max((len(around) for around in lists), default=0)
        index = np.tile(np.arange(self.n_nodes)[:, None], (1, width))
        conductance = np.zeros((self.n_nodes, width))
        for i, around in enumerate(lists):
            for j, (node, g) in enumerate(around):
                index[i, j], conductance[i, j] = node, g
        return index, conductance

    def axial_current(self, v: Float[Array, "n lanes"]) -> Float[Array, "n lanes"]:
        """Current into every node from its neighbours (nA for uS and mV)."""
        index, conductance = self._around
        total = jnp.zeros_like(v)
        for j in range(index.shape[1]):
            total = total + jnp.asarray(conductance[:, j : j + 1], v.dtype) * (v[index[:, j]] - v)
        return total

    def solve(self, d: Float[Array, "n lanes"], r: Float[Array, "n lanes"]) -> Float[Array, "n lanes"]:
        """The solution ``x``; differentiable in ``d`` and ``r`` by the implicit rule, forward and in reverse.

        ``d`` is the whole diagonal, the couplings' sum (``diagonal``) included.
        """

        def matvec(x):
            index, conductance = self._around
            product = d * x
            for j in range(index.shape[1]):
                product = product - jnp.asarray(conductance[:, j : j + 1], x.dtype) * x[index[:, j]]
            return product

        return jax.lax.custom_linear_solve(
            matvec,
            r,
            solve=partial(self._eliminate, d),
            transpose_solve=partial(self._eliminate, d),
            symmetric=True,
        )

    def _eliminate(self, d, _matvec, r):
        lanes = r.shape[1]
        edges = jnp.asarray(self._coupling[:, None], d.dtype)
        nothing = jnp.zeros((1, 2 * lanes), d.dtype)
        # Diagonal and right-hand side lie side by side: what happens to one happens to the other.
        both = jnp.concatenate([jnp.broadcast_to(d, r.shape), r], axis=1)[self._order]
        trail = []
        for step in self._rounds:
            s, b = step.n_eliminated, step.n_bridging
            edges = edges[step.edge_order]
            g1, g2, untouched = edges[:s], edges[s : s + b], edges[s + b :]
            out = both[step.n_kept :]
            inverse, r_out = 1.0 / out[:, :lanes], out[:, lanes:]
            w1, w2 = g1 * inverse, g2 * inverse[:b]
            trail.append((w1, w2, r_out * inverse))
            terms = jnp.concatenate(
                [
                    jnp.concatenate([-w1 * g1, w1 * r_out], axis=1),
                    jnp.concatenate([-w2 * g2, w2 * r_out[:b]], axis=1),
                    nothing,
                ]
            )
            both = both[: step.n_kept]
            for column in step.received:
                both = both + terms[column]
            for node, row in step.received_more:
                both = both.at[node].add(terms[row])
            if b:
                bridge = w1[:b] * g2
                edges = jnp.concatenate([jnp.broadcast_to(untouched, (len(untouched), lanes)), bridge])
            else:
                edges = untouched
        x = both[:, lanes:] / both[:, :lanes]
        for step, (w1, w2, own) in zip(reversed(self._rounds), reversed(trail), strict=True):
            out = own + w1 * x[step.neighbour_1]
            if step.n_bridging:
                b = step.n_bridging
                out = jnp.concatenate([out[:b] + w2 * x[step.neighbour_2], out[b:]])
            x = jnp.concatenate([x, out])
        return x[self._restore]
