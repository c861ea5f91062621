"""Where the synapses sit and what each of them prefers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ketune.cell import Cell

BASAL, APICAL = 0, 1
_PV_PER_UM, _SST_PER_UM = 0.01734, 0.05203


@dataclass(frozen=True, eq=False)
class SynapseLayout:
    """One random placement of a neuron's synapses ("placement seed").

    Attributes
    ----------
    compartment
        Port name to the compartment of each synapse, ``int (n_synapses,)``.
    driven
        ``int (n_driven,)``: which excitatory synapses the grating drives; the others carry background only.
    tree
        ``int (n_driven,)``: 0 on the basal, 1 on the apical tree.
    deviate
        ``float (n_driven,)``: standard normal; a synapse prefers its tree's orientation plus the tree's spread times
        this.
    phase
        ``float (n_driven,)``, radians.
    seed
        Of the placement.
    names_connections
        Whether events say which synapse they reach, because the cell's synapses have a history or states of their own.
    """

    compartment: dict[str, np.ndarray]
    driven: np.ndarray
    tree: np.ndarray
    deviate: np.ndarray
    phase: np.ndarray
    seed: int
    names_connections: bool = False


def place_synapses(
    cell: Cell,
    *,
    seed: int,
    excitatory_per_um: float = 2.0,
    driven_fraction: float = 0.25,
    n_pv: int | None = None,
    n_sst: int | None = None,
) -> SynapseLayout:
    """Place synapses at random, uniformly by membrane length.

    Density (2 excitatory synapses per um) and the driven quarter follow Park et al. 2019. The numbers of PV and SST
    synapses are ours: 100 and 300 on the default cell, and as many per um of dendrite on another.

    Parameters
    ----------
    cell
        Its ports ``exc``, ``pv`` and ``sst`` name the compartments that carry each kind.
    seed
        Placements with different seeds are different neurons of the same kind.
    """
    rng = np.random.default_rng([seed, 0x5EED])
    table = cell.table

    def scatter(port: str, n: int) -> np.ndarray:
        rows = cell.placement(cell.ports[port][0]).compartments
        length = table.length_um[rows]
        return np.sort(rng.choice(rows, size=n, p=length / length.sum())).astype(np.int32)

    length_um = float(table.length_um[cell.placement(cell.ports["exc"][0]).compartments].sum())
    n_pv = round(_PV_PER_UM * length_um) if n_pv is None else n_pv
    n_sst = round(_SST_PER_UM * length_um) if n_sst is None else n_sst
    exc = scatter("exc", round(excitatory_per_um * length_um))
    driven = np.sort(rng.choice(len(exc), size=round(driven_fraction * len(exc)), replace=False))
    return SynapseLayout(
        compartment={"exc": exc, "pv": scatter("pv", n_pv), "sst": scatter("sst", n_sst)},
        driven=driven,
        tree=np.where(table.region[exc[driven]] == "apical", APICAL, BASAL).astype(np.int8),
        deviate=rng.standard_normal(len(driven)),
        phase=rng.uniform(0, 2 * np.pi, len(driven)),
        seed=seed,
        names_connections=cell.tells_connections_apart,
    )
