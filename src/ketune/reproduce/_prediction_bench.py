"""Virtual neurons on the bench: blocked, hyperpolarised or cut, each condition under the same afferent spikes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ketune.afferents import Drive, Grating, SynapseLayout, hard_events
from ketune.cell import Cell, Overrides
from ketune.engines import create
from ketune.engines.jax_engine import JaxEngine
from ketune.events import Events
from ketune.fitting import drive_at, synapse_overrides
from ketune.fitting._readout import silent_cell
from ketune.population import VirtualNeuron
from ketune.reproduce._without_dendrite import Remaining, dendrites, without

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

WINDOW_S = 0.5
HYPERPOLARISED_mV = 10.0
_WARM_UP_ms = 250.0
_SPIKING_DT_ms, _SILENT_DT_ms, _SAMPLE_ms = 0.05, 0.1, 1.0
_SETTLED_ms = 1000.0
# Events of so many lanes are held at a time: they are what takes memory.
_LANES_AT_A_TIME = 512
_FIRST_nA = -0.01


@dataclass(frozen=True)
class Condition:
    """What is done to the cell.

    Attributes
    ----------
    nmda, ampa
        Share of the cell's conductance that is left.
    hyperpolarised
        Whether a constant current into the soma lowers the resting potential by :data:`HYPERPOLARISED_mV`.
    """

    nmda: float = 1.0
    ampa: float = 1.0
    hyperpolarised: bool = False


CONTROL, NO_NMDA, NO_AMPA = Condition(), Condition(nmda=0.0), Condition(ampa=0.0)
HYPERPOLARISED = Condition(hyperpolarised=True)


@dataclass(eq=False)
class PredictionBench:
    """Neurons of one cell with its engines, which are compiled when first used.

    Attributes
    ----------
    seed
        Of the afferent spikes: those of neuron ``i`` follow from it, ``i`` and the name of the experiment.
    on_advance
        Called with simulated seconds as they accrue.
    """

    cell: Cell
    neurons: Sequence[VirtualNeuron]
    layouts: Sequence[SynapseLayout]
    engine: str
    seed: int
    on_advance: Callable[[float], None] | None = None
    _cut: dict[str, tuple[Remaining, JaxEngine]] = field(default_factory=dict)

    @cached_property
    def spiking(self) -> JaxEngine:
        """Of the intact cell."""
        return create(self.cell, self.engine, dt_ms=_SPIKING_DT_ms, dtype=np.float32)

    @cached_property
    def silent(self) -> JaxEngine:
        """Of the cell without the conductances of the action potential."""
        return create(silent_cell(self.cell), self.engine, dt_ms=_SILENT_DT_ms, dtype=np.float32)

    @cached_property
    def current_nA(self) -> float:
        """Somatic current that lowers the resting potential of the silent cell by :data:`HYPERPOLARISED_mV`."""
        first = self._resting_mV(np.array([0.0, _FIRST_nA]))
        linear = _FIRST_nA * HYPERPOLARISED_mV / (first[0] - first[1])
        # The cell rectifies, so the current is read off between tried ones.
        tried = linear * np.array([0.0, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0])
        v = self._resting_mV(tried)
        return float(np.interp(HYPERPOLARISED_mV, v[0] - v, tried))

    @cached_property
    def resting_mV(self) -> float:
        """Somatic potential of the silent cell without a synaptic event."""
        return float(self._resting_mV(np.zeros(1))[0])

    def _resting_mV(self, current_nA: FloatArray) -> FloatArray:
        silence = Events.none(
            n_lanes=len(current_nA), n_steps=round(_SETTLED_ms / _SILENT_DT_ms), dt_ms=_SILENT_DT_ms,
            port_names=tuple(self.cell.ports),
        )  # fmt: skip
        injected = np.broadcast_to(current_nA, (silence.n_steps, len(current_nA)))
        run = self.silent.run(silence, injected_nA=injected, stride=silence.n_steps)
        return np.asarray(run.v_mV[-1, 0], float)

    def counts(
        self,
        neurons: Sequence[int],
        experiment: str,
        stimuli: Sequence[Grating],
        conditions: Sequence[Condition],
        trials: int,
        *,
        cut: Sequence[Sequence[str]] = (),
    ) -> IntArray:
        """Spike counts ``(conditions + cut, neurons, stimuli, trials)``.

        Parameters
        ----------
        experiment
            Experiments of different names have independent events.
        stimuli
            Of each neuron, as many for all.
        cut
            Labels of the dendrite that each neuron loses, for every such condition; nothing else is done to the cell.
        """
        shape = (len(stimuli[0].orientation_deg), trials)
        found = np.zeros((len(conditions) + len(cut), len(neurons), *shape), np.int64)
        for batch in _batches(len(neurons), shape[0] * trials):
            events = self._events(neurons, experiment, stimuli, batch, trials, _SPIKING_DT_ms)
            own = [neurons[j] for j in batch]
            for row, condition in enumerate(conditions):
                found[row, batch] = self._count(self.spiking, own, Events.stack(events), condition, shape)
            for row, labels in enumerate(cut, start=len(conditions)):
                for label in sorted({labels[j] for j in batch}):
                    at = [b for b, j in enumerate(batch) if labels[j] == label]
                    remaining, engine = self._without(label)
                    left = Events.stack([remaining.events(events[b]) for b in at])
                    found[row, batch[at]] = self._count(engine, [own[b] for b in at], left, CONTROL, shape)
        return found

    def silent_mV(
        self,
        neurons: Sequence[int],
        experiment: str,
        stimuli: Sequence[Grating],
        conditions: Sequence[Condition],
        trials: int,
    ) -> FloatArray:
        """Mean somatic potential of the silent cell in the window, ``(conditions, neurons, stimuli, trials)``."""
        shape = (len(stimuli[0].orientation_deg), trials)
        found = np.zeros((len(conditions), len(neurons), *shape))
        for batch in _batches(len(neurons), shape[0] * trials):
            events = Events.stack(self._events(neurons, experiment, stimuli, batch, trials, _SILENT_DT_ms))
            own = [neurons[j] for j in batch]
            for row, condition in enumerate(conditions):
                current = np.full(events.n_steps, self.current_nA) if condition.hyperpolarised else None
                run = self.silent.run(
                    events,
                    overrides=self._overrides(self.silent, own, condition, events.n_lanes // len(own)),
                    injected_nA=current,
                    stride=round(_SAMPLE_ms / _SILENT_DT_ms),
                    on_advance=self.on_advance,
                )
                inside = run.v_mV[run.time_ms > _WARM_UP_ms, 0].astype(float)
                found[row, batch] = inside.mean(axis=0).reshape(len(own), *shape)
        return found

    def dendrites(self) -> dict[str, tuple[int, ...]]:
        """Sections of each dendrite by its label."""
        return dendrites(self.cell)

    def driven_on(self, i: int, label: str) -> int:
        """How many of the neuron's driven synapses a dendrite carries."""
        layout = self.layouts[i]
        where = self.cell.table.section[layout.compartment["exc"][layout.driven]]
        return int(np.isin(where, self.dendrites()[label]).sum())

    def _without(self, label: str) -> tuple[Remaining, JaxEngine]:
        if label not in self._cut:
            remaining = without(self.cell, label)
            engine = create(remaining.cell, self.engine, dt_ms=_SPIKING_DT_ms, dtype=np.float32)
            self._cut[label] = remaining, engine
        return self._cut[label]

    def _events(
        self,
        neurons: Sequence[int],
        experiment: str,
        stimuli: Sequence[Grating],
        batch: IntArray,
        trials: int,
        dt_ms: float,
    ) -> list[Events]:
        found = []
        for j in batch:
            i = neurons[j]
            key = np.random.SeedSequence([self.seed, i, *experiment.encode()])
            found.append(
                hard_events(
                    self.layouts[i],
                    stimuli[j],
                    drive_at(self.neurons[i].values, Drive()),
                    trials=range(trials),
                    seed=int(key.generate_state(1)[0]),
                    dt_ms=dt_ms,
                )
            )
        return found

    def _overrides(
        self, engine: JaxEngine, neurons: Sequence[int], condition: Condition, lanes: int
    ) -> Overrides:
        """Strengths of each neuron in its lanes: neurons differ in numbers only, so they run together."""
        rows: dict[tuple[str, str], list[float]] = {}
        for i in neurons:
            values = dict(self.neurons[i].values)
            values["nmda_nS"] *= condition.nmda
            values["ampa_nS"] *= condition.ampa
            for key, x in synapse_overrides(values).items():
                rows.setdefault(key, []).append(x)
        present = engine.twin.cell.by_label
        return {key: np.repeat(x, lanes)[None] for key, x in rows.items() if key[0] in present}

    def _count(
        self,
        engine: JaxEngine,
        neurons: Sequence[int],
        events: Events,
        condition: Condition,
        shape: tuple[int, int],
    ) -> IntArray:
        run = engine.run(
            events,
            overrides=self._overrides(engine, neurons, condition, shape[0] * shape[1]),
            keep_voltage=False,
            on_advance=self.on_advance,
        )
        return run.counts(from_ms=_WARM_UP_ms).reshape(len(neurons), *shape).astype(np.int64)


def gratings(orientation_deg: Sequence[float], contrast: Any = 1.0) -> Grating:
    """Stimuli of every experiment here: a window of :data:`WINDOW_S`, NaN for a blank."""
    return Grating(tuple(orientation_deg), WINDOW_S * 1e3, _WARM_UP_ms, contrast=contrast)


def simulated_s(stimuli: int, trials: int, conditions: int) -> float:
    """Simulated seconds of an experiment on one neuron."""
    return stimuli * trials * conditions * (WINDOW_S + 1e-3 * _WARM_UP_ms)


def _batches(neurons: int, lanes: int) -> list[IntArray]:
    """Neurons that are simulated together, each with so many lanes."""
    most = max(_LANES_AT_A_TIME // lanes, 1)
    return np.array_split(np.arange(neurons), -(-neurons // most))
