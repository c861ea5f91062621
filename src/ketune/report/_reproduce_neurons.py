"""Every simulated neuron of a run of `ketune reproduce` as rows of a table, under control and drug."""

from __future__ import annotations

from urllib.parse import urlencode

from ketune.report._row_table import Column, RowTable
from ketune.reproduce._document import NeuronsPart, Reproduction

_QUANTITIES = {
    "disparity_deg": "tree disparity (°)",
    "shift_deg": "shift of preferred orientation (°)",
    "osi_control": "OSI, control",
    "osi_drug": "OSI, drug",
    "fano_control": "Fano factor, control",
    "fano_drug": "Fano factor, drug",
    "blank_control": "spontaneous rate, control (Hz)",
    "blank_drug": "spontaneous rate, drug (Hz)",
}
_COLUMNS = (
    Column("neuron", "neuron", False),
    Column("hypothesis", "hypothesis", False),
    *(Column(key, title, True) for key, title in _QUANTITIES.items()),
)


def neuron_table(run: Reproduction) -> RowTable | None:
    """A row for each neuron and hypothesis; None where no hypothesis was simulated.

    The neurons of a virtual population have no results and no page of their own: a neuron leads to its rows under every
    hypothesis.
    """
    simulated = [(h.name, h.shifts) for h in run.hypotheses if h.shifts is not None]
    if not simulated:
        return None
    neurons = [name for _, part in simulated for name in _names(part)]
    hypotheses = [name for name, part in simulated for _ in part.shift_deg]
    numbers = [[x for _, part in simulated for x in getattr(part, key)] for key in _QUANTITIES]
    return RowTable.of(
        _COLUMNS,
        [neurons, hypotheses, *numbers],
        [f"#{urlencode({'rows': name})}" for name in neurons],
        "hypothesis",
        [name for name, _ in simulated],
    )


def _names(part: NeuronsPart) -> list[str]:
    """Numbers of equal length, so that the words "neuron 1" are not found in "neuron 12"."""
    n = len(part.shift_deg)
    return [f"neuron {i:0{len(str(n))}d}" for i in range(1, n + 1)]
