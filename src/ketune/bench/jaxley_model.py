"""The cell of W1 in Jaxley, from the same compartment table.

Started with its gates at rest Jaxley computes what NEURON does, half a step further along: gates, then voltage,
instead of voltage, then gates. One thing differs. Jaxley joins branches at their ends, so the dendrites leave the soma
at its end and not at its middle; half a soma lies between. Here that resistance is made small (`SOMA_LOAD`), as small
as the precision of the tree solve allows: the voltage then differs from NEURON's by 0.0003 mV in float64, and by 0.4 mV
within a spike in float32.
"""

from __future__ import annotations

from typing import Any

from ketune.bench.workloads import Work

# Of the resistance of half a soma. Ten times stiffer, the spikes of a float32 run move by more than 0.1 ms.
SOMA_LOAD = {"float64": 1e-4, "float32": 0.1}


def build_cell(work: Work, precision: str) -> Any:
    """A `jaxley.Cell` with every parameter of the cell."""
    import jaxley as jx

    table = work.cell.table
    compartment = jx.Compartment()
    # Branches of one length are one object, which `jx.Cell` copies: it compiles for each object that is made.
    kinds = {n: jx.Branch(compartment, ncomp=n) for n in set(table.section_count.tolist())}
    cell = jx.Cell([kinds[n] for n in table.section_count.tolist()], parents=table.section_parent.tolist())
    for key, values in (
        ("radius", table.diam_um / 2),
        ("length", table.length_um),
        ("axial_resistivity", table.ra_ohm_cm),
        ("capacitance", table.cm_uF_cm2),
    ):
        cell.set(key, values)
    cell.nodes.loc[0, ["resistive_load_in", "resistive_load_out"]] *= SOMA_LOAD[precision]
    _insert(cell, work)
    cell.set("v", work.cell.v_init_mV)
    cell.init_states(delta_t=work.events.dt_ms)
    return cell


def _insert(cell: Any, work: Work) -> None:
    from jaxley.channels import HH, Leak

    soma, leak = (work.cell.placement(label) for label in ("hh", "leak"))
    cell.select(nodes=soma.compartments).insert(HH())
    cell.select(nodes=leak.compartments).insert(Leak())
    names = {"gna": "gNa", "gk": "gK", "gleak": "gLeak", "vna": "eNa", "vk": "eK", "vleak": "eLeak"}
    for ours, theirs in names.items():
        cell.select(nodes=soma.compartments).set(f"HH_{theirs}", soma.parameters[ours])
    for ours, theirs in {"g": "gLeak", "e": "eLeak"}.items():
        cell.select(nodes=leak.compartments).set(f"Leak_{theirs}", leak.parameters[ours])
