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
    """One round of elimination. Index arrays refer to the nodes and edges that are left when the round begins."""

    eliminated: np.ndarray  # (s,) nodes
    edge_1: np.ndarray  # (s,) edge to the first neighbour
    edge_2: np.ndarray  # (s,) edge to the second neighbour, or the appended zero edge for a tip
    neighbour_1: np.ndarray  # (s,) position of the first neighbour among the nodes kept
    neighbour_2: np.ndarray  # (s,) likewise; 0 for a tip, whose second edge is zero
    kept: np.ndarray  # (r,) nodes
    contributions: np.ndarray  # (r, c) rows of [edge_1 terms, edge_2 terms, 0] that each kept node receives
    kept_edges: np.ndarray  # (e,) edges untouched
    bridged: np.ndarray  # (b,) eliminated nodes with two neighbours: each leaves a new edge
    restore: (
        np.ndarray
    )  # (n,) rows of [kept, eliminated] that give back the order at the beginning of the round


def _schedule(parent: np.ndarray) -> tuple[_Round, ...]:
    n_nodes = len(parent)
    nodes = list(range(n_nodes))
    edges = [(i, int(parent[i])) for i in range(n_nodes) if parent[i] >= 0]
    rounds = []
    while len(nodes) > 1:
        touching: dict[int, list[int]] = {node: [] for node in nodes}
        for index, (a, b) in enumerate(edges):
            touching[a].append(index)
            touching[b].append(index)

        def others(
            node: int,
            touching: dict[int, list[int]] = touching,
            edges: list[tuple[int, int]] = edges,
        ) -> list[int]:
            return [a if b == node else b for a, b in (edges[e] for e in touching[node])]

        chosen: set[int] = set()
        # Tips first: they cost no new edge. The root stays to the end.
        for degree in (1, 2):
            for node in nodes:
                if (
                    node != nodes[0]
                    and len(touching[node]) == degree
                    and not chosen.intersection(others(node))
                ):
                    chosen.add(node)
        eliminated = [node for node in nodes if node in chosen]
        kept = [node for node in nodes if node not in chosen]
        kept_position = {node: i for i, node in enumerate(kept)}
        position = {node: i for i, node in enumerate(nodes)}
        n_eliminated, zero_edge = len(eliminated), len(edges)
        edge_1 = [touching[node][0] for node in eliminated]
        edge_2 = [touching[node][1] if len(touching[node]) == 2 else zero_edge for node in eliminated]
        neighbours = [others(node) for node in eliminated]
        received: list[list[int]] = [[] for _ in kept]
        for i, around in enumerate(neighbours):
            for side, node in enumerate(around):
                received[kept_position[node]].append(side * n_eliminated + i)
        width = max(len(r) for r in received)
        contributions = np.full((len(kept), width), 2 * n_eliminated)
        for row, terms in zip(contributions, received, strict=True):
            row[: len(terms)] = terms
        used = {e for node in eliminated for e in touching[node]}
        kept_edges = [e for e in range(len(edges)) if e not in used]
        bridged = [i for i, around in enumerate(neighbours) if len(around) == 2]
        order = {node: i for i, node in enumerate(kept + eliminated)}
        rounds.append(
            _Round(
                eliminated=np.array([position[node] for node in eliminated]),
                edge_1=np.array(edge_1),
                edge_2=np.array(edge_2),
                neighbour_1=np.array([kept_position[around[0]] for around in neighbours]),
                neighbour_2=np.array([kept_position[a[1]] if len(a) == 2 else 0 for a in neighbours]),
                kept=np.array([position[node] for node in kept]),
                contributions=contributions,
                kept_edges=np.array(kept_edges, int),
                bridged=np.array(bridged, int),
                restore=np.array([order[node] for node in nodes]),
            )
        )
        edges = [edges[e] for e in kept_edges] + [(neighbours[i][0], neighbours[i][1]) for i in bridged]
        nodes = kept
    return tuple(rounds)


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
        self._rounds = _schedule(np.asarray(parent))
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
        edges = jnp.asarray(self._coupling[:, None], d.dtype)
        zero = jnp.zeros((1, 1), d.dtype)
        trail = []
        for step in self._rounds:
            padded = jnp.concatenate([edges, jnp.broadcast_to(zero, (1, edges.shape[1]))])
            g1, g2 = padded[step.edge_1], padded[step.edge_2]
            d_out, r_out = d[step.eliminated], r[step.eliminated]
            inverse = 1.0 / d_out
            w1, w2 = g1 * inverse, g2 * inverse
            trail.append((w1, w2, r_out * inverse))
            lanes = jnp.broadcast_shapes(w1.shape, r_out.shape)[1]
            nothing = jnp.zeros((1, lanes), d.dtype)
            shed = [jnp.broadcast_to(x, (len(step.edge_1), lanes)) for x in (w1 * g1, w2 * g2)]
            to_d = jnp.concatenate([*shed, nothing])
            to_r = jnp.concatenate([w1 * r_out, w2 * r_out, nothing])
            d, r = d[step.kept], r[step.kept]
            for column in step.contributions.T:
                d = d - to_d[column]
                r = r + to_r[column]
            untouched = edges[step.kept_edges]
            if len(step.bridged):
                bridge = w1[step.bridged] * g2[step.bridged]
                width = max(untouched.shape[1], bridge.shape[1])
                edges = jnp.concatenate([jnp.broadcast_to(untouched, (len(untouched), width)), bridge])
            else:
                edges = untouched
        x = r / d
        for step, (w1, w2, own) in zip(reversed(self._rounds), reversed(trail), strict=True):
            out = own + w1 * x[step.neighbour_1] + w2 * x[step.neighbour_2]
            x = jnp.concatenate([x, out])[step.restore]
        return x
