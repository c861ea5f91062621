"""Who takes part, what it needs, and which runner stands for it."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ketune.bench.workloads import Name
from ketune.errors import InputError

Precision = Literal["float64", "float32"]
PEERS = ("neuron", "coreneuron", "jaxley")


@dataclass(frozen=True)
class Contender:
    """A simulator in one precision.

    Attributes
    ----------
    runner
        Module of this package whose ``Runner`` works in the contender's process.
    options
        What that runner is made with.
    processes_per_core
        A simulator without threads of its own runs one process on each core, and their speeds are summed.
    differentiates
        Whether it has gradients.
    """

    name: str
    runner: str
    options: tuple[tuple[str, str], ...] = ()
    precision: Precision = "float64"
    one_process_per_core: bool = False
    differentiates: bool = False

    @property
    def is_peer(self) -> bool:
        """Somebody else's simulator: what it cannot do is an entry in the table and no error."""
        return self.name in PEERS

    def cannot_run(self, workload: Name) -> str | None:
        """Why it takes no part in a workload, or None."""
        if self.name != "jaxley":
            return None
        if workload != "W1":
            return "Jaxley does not have this cell's channels and synapses"
        if not is_installed("jaxley"):
            return "Jaxley is not installed: pip install 'ketune[bench]'"
        return None


def is_installed(package: str) -> bool:
    """Whether Python finds a package; nothing is imported."""
    return importlib.util.find_spec(package) is not None


def _ours(engine: str, precision: Precision) -> Contender:
    short = {"float32": "f32", "float64": "f64"}[precision]
    options = (("engine", engine), ("precision", precision))
    return Contender(f"{engine}_{short}", "ketune_runner", options, precision, differentiates=True)


CONTENDERS: tuple[Contender, ...] = (
    Contender("neuron", "neuron_runner", one_process_per_core=True),
    Contender("coreneuron", "neuron_runner", (("core", "yes"),), one_process_per_core=True),
    Contender(
        "jaxley", "jaxley_runner", (("precision", "float32"),), precision="float32", differentiates=True
    ),
    _ours("xla", "float32"),
    _ours("xla", "float64"),
    _ours("native", "float32"),
    _ours("native", "float64"),
)


def selected(against: Sequence[str]) -> tuple[Contender, ...]:
    """Ketune's engines and the peers that were named; NEURON is the reference and always takes part.

    Raises
    ------
    InputError
        A name is none of the peers'.
    """
    for name in against:
        if name not in PEERS:
            raise InputError(
                f"--against: '{name}' is no peer of this benchmark; choose from {','.join(PEERS)}"
            )
    return tuple(c for c in CONTENDERS if not c.is_peer or c.name == "neuron" or c.name in against)
