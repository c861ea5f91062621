"""Draws docs/figures/nmda_block.png and prints the tables of docs/nmda-block.md.

    python docs/scripts/nmda_block.py

The three levels of NMDA block against each other, and the averaged scheme of the third against single trains of events:
in NEURON, and event by event with matrix exponentials of the scheme written a second time (ketamine_markov.py). Takes
about two minutes.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.linalg import expm

from ketune.pharmacology import (
    equilibrium_block,
    kinetic_block,
    load_drug,
    markov_block,
    mean_open_probability,
)
from ketune.pharmacology._block import drug_rates
from ketune.pharmacology._gating import excess_open_time_s, mean_gating, scheme

sys.path.insert(0, str(Path(__file__).parent))
import ketamine_markov as reference

FIGURE = Path(__file__).parents[1] / "figures" / "nmda_block.png"
Array = np.ndarray

P = {**load_drug("ketamine").values(), "nmda.k_on": 0.68, "nmda.k_esc": 1.26e-3}
NAIVE = {name: value for name, value in P.items() if name not in {"nmda.k_on", "nmda.k_esc"}}
SHARES = {"2A": 1.0}
CONCENTRATIONS_uM = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
VOLTAGES_mV = (-80.0, -70.0, -60.0, -50.0, -40.0, -30.0, -20.0)
RATES_HZ = (0.1, 0.5, 2.0, 8.0)
SETTLED_MIN = 1e4
EARLIER = {  # evidence: steady block, seconds to 63 %
    (0.5, -66.0): (0.33, 158.0),
    (2.0, -66.0): (0.40, 52.0),
    (8.0, -66.0): (0.41, 20.0),
    (0.5, -30.0): (0.58, 46.0),
    (2.0, -30.0): (0.60, 13.0),
    (8.0, -30.0): (0.61, 4.8),
}

# ---- the levels on a grid --------------------------------------------------------------------------------------------


def grid() -> tuple[Array, Array, Array]:
    """Concentration, voltage and rate of every point of the agreement grid, (n,) each."""
    c, v, r = np.meshgrid(CONCENTRATIONS_uM, VOLTAGES_mV, RATES_HZ, indexing="ij")
    return c.ravel(), v.ravel(), r.ravel()


def settled(
    c: Array, v: Array, r: Array, p: Any = P, shares: Any = SHARES, **kwargs: Any
) -> dict[str, Array]:
    """Steady block by every level, and the variants that the page compares; (n,) each."""
    c, v, r = (np.array(x, dtype=float, ndmin=1) for x in np.broadcast_arrays(c, v, r))
    course = ([0.0, SETTLED_MIN], np.array([c, c]), v, r, p, shares)
    unknown = {name: value for name, value in p.items() if name not in {"nmda.k_on", "nmda.k_esc"}}
    binding, unbinding = drug_rates("2A", c, v, p, 1.0, np)
    po = mean_open_probability(r)
    return {
        "naive": equilibrium_block(c, v, r, unknown, shares, **kwargs),
        "independent": po * binding / (po * (binding + unbinding) + p["nmda.k_esc"] * (1.0 - po)),
        "equilibrium": equilibrium_block(c, v, r, p, shares, **kwargs),
        "kinetic": kinetic_block(*course, substeps=1, **kwargs)[-1],
        "markov": markov_block(*course, substeps=1, **kwargs)[-1],
        "conductance": markov_block(*course, substeps=1, measure="conductance", **kwargs)[-1],
    }


def regular_block(c: float, v: float, rate_hz: float, p: Any = P) -> float:
    """Time-averaged share of bound receptors when a synapse fires regularly instead of at random."""
    s = scheme()
    binding, unbinding = drug_rates("2A", c, v, p, 1.0, np)
    q = s.rest + float(binding) * s.binding + float(unbinding) * s.unbinding + p["nmda.k_esc"] * s.escape
    n, period = len(q), 1.0 / rate_hz
    both = expm(np.block([[q, np.eye(n)], [np.zeros((n, 2 * n))]]) * period)
    after, integral = both[:n, :n], both[:n, n:]
    x = s.event @ _steady(after @ s.event)
    return float((integral @ x)[s.n :].sum() / period)


def regular_open_probability(rate_hz: float) -> float:
    """Mean open probability without drug when a synapse fires regularly."""
    s = scheme()
    q, kick, period = s.rest[: s.n, : s.n], s.event[: s.n, : s.n], 1.0 / rate_hz
    both = expm(np.block([[q, np.eye(s.n)], [np.zeros((s.n, 2 * s.n))]]) * period)
    x = kick @ _steady(both[: s.n, : s.n] @ kick)
    return float((both[: s.n, s.n :] @ x)[s.open] / period)


def _steady(step: Array) -> Array:
    n = len(step)
    rows = np.vstack([step - np.eye(n), np.ones(n)])
    return np.linalg.lstsq(rows, np.append(np.zeros(n), 1.0), rcond=None)[0]


def time_to_63(c: float, v: float, rate_hz: float, level: Any) -> float:
    """Seconds from none to 63 % of the steady block."""
    seconds = np.concatenate([[0.0], np.geomspace(0.02, 3e4, 1500)])
    course = level(seconds / 60.0, np.full((seconds.size, 1), c), v, rate_hz, P, SHARES, substeps=1)[:, 0]
    return float(np.interp(course[-1] * (1.0 - math.exp(-1.0)), course, seconds))


def worst_course(c: Array, v: Array, r: Array, p: Any = P) -> tuple[Array, Array]:
    """Largest difference of kinetic and markov at any time of the onset, and from 1 s on; (n,)."""
    seconds = np.concatenate([[0.0], np.geomspace(1e-3, 3e4, 90)])
    held = np.broadcast_to(c, (seconds.size, c.size))
    both = [
        level(seconds / 60.0, held, v, r, p, SHARES, substeps=1) for level in (kinetic_block, markov_block)
    ]
    apart = np.abs(both[0] - both[1])
    return apart.max(axis=0), apart[seconds >= 1.0].max(axis=0)


# ---- single trains ---------------------------------------------------------------------------------------------------

TICK_ms = 0.1  # events lie on this grid
PULSE_ms = 24.0


def poisson_train(rate_hz: float, duration_ms: float, rng: np.random.Generator) -> Array:
    """Event times (ms) on the grid of ticks."""
    n = rng.poisson(rate_hz * duration_ms * 1e-3)
    return np.unique(np.round(np.sort(rng.uniform(0.0, duration_ms, n)) / TICK_ms)) * TICK_ms


def regular_train(rate_hz: float, duration_ms: float) -> Array:
    """Event times (ms), the first after half a period."""
    period = 1e3 / rate_hz
    return np.round(np.arange(0.5 * period, duration_ms, period) / TICK_ms) * TICK_ms


@dataclass(frozen=True)
class Receptor:
    """A receptor of the five-state scheme as ketamine_markov.py writes it: GluN1/2A at a voltage, with ketamine."""

    v: float
    ket: float
    faster: float = 1.0  # factor on k_on and k_esc

    @property
    def bath(self) -> Any:
        """Its surroundings, with the drug file's Mg affinity instead of that of Jahr and Stevens."""
        k_mg = P["nmda.k_mg_2A"] * math.exp(66.0 * P["nmda.mg_slope"])
        k_esc = self.faster * P["nmda.k_esc"] * 1e-3
        return reference.Bath(self.v, P["nmda.mg"], self.ket, k_esc, k_mg)

    @property
    def k_on(self) -> float:
        """Rate of binding, /uM/ms."""
        return self.faster * P["nmda.k_on"] * 1e-3

    def matrix(self, glu: float) -> Array:
        """Generator, /ms."""
        return reference.REFERENCE["NMDA5"].matrix(glu, self.bath, self.k_on)

    def parameters(self) -> dict[str, float]:
        """The same for NMDA5.mod."""
        bath = self.bath
        return {"mg": bath.mg, "k_mg": bath.k_mg, "ket": bath.ket, "k_esc": bath.k_esc, "k_on": self.k_on}

    def drug(self) -> dict[str, float]:
        """The same for the levels."""
        return {**P, "nmda.k_on": self.faster * P["nmda.k_on"], "nmda.k_esc": self.faster * P["nmda.k_esc"]}


class EventByEvent:
    """Exact propagation of one receptor through trains of events, overlapping pulses of glutamate included."""

    def __init__(self, receptor: Receptor) -> None:
        self._receptor, self._ratio = receptor, TICK_ms / reference.TAU_GLU_ms
        self._lowest = math.log(1e-8)
        levels = np.arange(self._lowest, math.log(6.0), self._ratio)
        self._ticks = np.array([self._tick(level) for level in levels])
        self._pulse = self._walk(np.eye(10), 0.0, round(PULSE_ms / TICK_ms))[0]
        self._rest = receptor.matrix(0.0)

    def _tick(self, level: float) -> Array:
        # the exponential midpoint rule at ten points is exact to 1e-6 here
        step, total = TICK_ms / 10, np.eye(10)
        for k in range(10):
            glu = math.exp(level - (k + 0.5) * step / reference.TAU_GLU_ms)
            total = expm(self._receptor.matrix(glu) * step) @ total
        return total

    def _walk(self, x: Array, level: float, ticks: int) -> tuple[Array, float]:
        for _ in range(ticks):
            k = round((level - self._lowest) / self._ratio)
            x = self._ticks[min(max(k, 0), len(self._ticks) - 1)] @ x
            level -= self._ratio
        return x, level

    def run(self, train_ms: Array, end_ms: float, start: float = 0.0, settle: bool = True) -> Array:
        """States (events + 1, 10) just before each event and at the end.

        Starts with a share of bound receptors, gating stationary without drug where `settle`, else unbound.
        """
        gating = np.eye(5)[0]
        if settle and len(train_ms):
            gating = mean_gating(1e3 * len(train_ms) / end_ms)
        x = np.concatenate([(1.0 - start) * gating, start * gating])
        x, level = expm(self._rest * train_ms[0]) @ x if len(train_ms) else x, -np.inf
        before = [x]
        for gap in np.diff(np.append(train_ms, end_ms)):
            glu = math.exp(level) + reference.GLU_PEAK_mM
            if gap >= PULSE_ms:
                full = (
                    self._pulse @ x
                    if glu < 1.0 + 1e-6
                    else self._walk(x, math.log(glu), round(PULSE_ms / TICK_ms))[0]
                )
                x, level = expm(self._rest * (gap - PULSE_ms)) @ full, -np.inf
            else:
                x, level = self._walk(x, math.log(glu), round(gap / TICK_ms))
            before.append(x)
        return np.array(before)


def bound(states: Array) -> Array:
    """Share of receptors that hold the drug."""
    return states[..., 5:].sum(axis=-1)


def in_neuron(receptors: Sequence[Receptor], train_ms: Array, end_ms: float, dt_ms: float = 0.025) -> Array:
    """States (events + 1, receptor, 10) of NMDA5.mod just before each event and at the end; unbound at the start.

    All receptors at the first one's voltage. Steps are short for 12 ms after an event and then at most 1 ms.
    """
    bench = reference.Clamped("NMDA5", receptors[0].v, [r.parameters() for r in receptors])

    def wait(duration: float) -> None:
        bench.advance(math.floor(duration + 1e-6), 1.0)
        bench.advance(duration - math.floor(duration + 1e-6), TICK_ms)

    wait(float(train_ms[0]))
    before = [bench.states()]
    for gap in np.diff(np.append(train_ms, end_ms)):
        bench.event()
        near = min(12.0, float(gap))
        bench.advance(near, dt_ms)
        wait(float(gap) - near)
        before.append(bench.states())
    return np.array(before)


def mean_of_trains(
    receptor: Receptor, rate_hz: float, duration_s: float, n: int, seed: int
) -> tuple[float, float]:
    """Block at the end of n Poisson trains, from none: mean and its standard error."""
    rng, exact = np.random.default_rng(seed), EventByEvent(receptor)
    end = duration_s * 1e3
    ends = [float(bound(exact.run(poisson_train(rate_hz, end, rng), end))[-1]) for _ in range(n)]
    return float(np.mean(ends)), float(np.std(ends, ddof=1) / math.sqrt(n))
