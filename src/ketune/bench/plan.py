"""How much is measured: quickly, to see that all is well, or for numbers to be quoted."""

from __future__ import annotations

from dataclasses import dataclass

from ketune.bench.contenders import Contender
from ketune.bench.workloads import Name, Tree, Workload
from ketune.morphology import DEFAULT_MORPHOLOGY, SMALL_MORPHOLOGY


@dataclass(frozen=True)
class Plan:
    """What a benchmark runs.

    Attributes
    ----------
    lanes
        Of ketune's engines.
    jaxley_lanes
        The most that Jaxley gets; it takes the batch that suits it best.
    lanes_per_core
        Of NEURON and CoreNEURON.
    window_ms, gate_ms, gate_lanes
        Simulated time of the timed runs; time and lanes of those that are compared.
    rounds, at_least_s
        Every contender runs once a round, for so many seconds; the median over rounds counts.
    cold
        Compile into an empty cache, so that compilation is that of a first run, and once more from that cache.
    at_once
        Contenders that are compared and made ready at a time; above 1 their set-up and compile times are longer.
    without_gradient
        Contenders whose gradient is left out.
    gradient_memory
        What is differentiated once to see the memory that it takes, or None.
    scaled
        Contenders whose scaling is measured, in windows of ``scaling_window_ms``.
    scaling_lanes, scaling_trees, scaling_synapses
        Points of the axes. Compartments come from finer and coarser cuts of one tree, which has no fewer than 110;
        fewer are those of a small tree.
    """

    quick: bool
    lanes: int
    jaxley_lanes: int
    lanes_per_core: int
    window_ms: float
    gate_lanes: int
    gate_ms: float
    rounds: int
    at_least_s: float
    cold: bool
    at_once: int
    without_gradient: tuple[str, ...]
    gradient_memory: Workload | None
    scaled: tuple[str, ...]
    scaling_window_ms: float
    scaling_lanes: tuple[int, ...]
    scaling_trees: tuple[Tree, ...]
    scaling_synapses: tuple[int, ...]

    def timed(self, workload: Name, contender: Contender, cores: int) -> Workload:
        """What a contender is timed on."""
        lanes = self.jaxley_lanes if contender.name == "jaxley" else self.lanes
        if contender.one_process_per_core:
            lanes = cores * self.lanes_per_core
        return Workload(workload, lanes, self.window_ms)

    def wants_gradient(self, contender: Contender) -> bool:
        """Whether its gradient is timed."""
        return contender.differentiates and contender.name not in self.without_gradient

    def gate(self, workload: Name) -> Workload:
        """What is compared before."""
        return Workload(workload, self.gate_lanes, self.gate_ms)


STANDARD = Plan(
    quick=False,
    lanes=256,
    jaxley_lanes=256,
    lanes_per_core=4,
    window_ms=200.0,
    gate_lanes=16,
    gate_ms=400.0,
    rounds=5,
    at_least_s=1.0,
    cold=True,
    at_once=1,
    without_gradient=(),
    gradient_memory=Workload("W2", 256, 1000.0),
    scaled=("neuron", "xla_f32", "native_f32", "native_f64"),
    scaling_window_ms=50.0,
    scaling_lanes=(16, 64, 256, 1024, 4096),
    scaling_trees=(
        Tree(SMALL_MORPHOLOGY, 0.19),
        Tree(DEFAULT_MORPHOLOGY, 1.0),
        Tree(DEFAULT_MORPHOLOGY, 0.3),
        Tree(DEFAULT_MORPHOLOGY, 0.1),
        Tree(DEFAULT_MORPHOLOGY, 0.05),
        Tree(DEFAULT_MORPHOLOGY, 0.022),
    ),
    scaling_synapses=(1, 10, 100, 1000, 5000),
)

QUICK = Plan(
    quick=True,
    lanes=64,
    jaxley_lanes=16,
    lanes_per_core=1,
    window_ms=30.0,
    gate_lanes=4,
    gate_ms=100.0,
    rounds=3,
    at_least_s=0.2,
    cold=False,
    at_once=2,
    # The most expensive of the whole benchmark: XLA compiles a gradient for half a minute.
    without_gradient=("xla_f32", "xla_f64", "native_f64"),
    gradient_memory=None,
    scaled=("native_f32",),
    scaling_window_ms=25.0,
    scaling_lanes=(16, 256),
    scaling_trees=(Tree(DEFAULT_MORPHOLOGY, 1.0), Tree(DEFAULT_MORPHOLOGY, 0.1)),
    scaling_synapses=(1, 5000),
)
