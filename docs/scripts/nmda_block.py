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

P = load_drug("ketamine").values()
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
        # the exponential midpoint rule at four points is exact to 1e-5 here
        step, total = TICK_ms / 4, np.eye(10)
        for k in range(4):
            glu = math.exp(level - (k + 0.5) * step / reference.TAU_GLU_ms)
            total = expm(self._receptor.matrix(glu) * step) @ total
        return total

    def _walk(self, x: Array, level: float, ticks: int) -> tuple[Array, float]:
        for _ in range(ticks):
            k = round((level - self._lowest) / self._ratio)
            x = self._ticks[min(max(k, 0), len(self._ticks) - 1)] @ x
            level -= self._ratio
        return x, level

    def run(self, train_ms: Array, end_ms: float, start: float = 0.0, rate_hz: float | None = None) -> Array:
        """States (events + 1, 10) just before each event and at the end.

        Starts with a share of bound receptors, gating stationary for events at `rate_hz`, else without glutamate.
        """
        gating = np.eye(5)[0] if rate_hz is None else mean_gating(rate_hz)
        x = np.concatenate([(1.0 - start) * gating, start * gating])
        waits = np.diff([0.0, *train_ms, end_ms])
        x, level = expm(self._rest * waits[0]) @ x, -np.inf
        before = [x]
        for gap in waits[1:]:
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
    ends = [
        float(bound(exact.run(poisson_train(rate_hz, end, rng), end, rate_hz=rate_hz))[-1]) for _ in range(n)
    ]
    return float(np.mean(ends)), float(np.std(ends, ddof=1) / math.sqrt(n))


# ---- numbers and figure ----------------------------------------------------------------------------------------------


def synapses_of_the_default_cell(c: float, v: float) -> dict[str, Any]:
    """Event rates of its compartments, and block at the compartment's mean rate against that of its events."""
    from ketune.afferents import Drive, Grating, compartment_rate_hz, excitatory_rate_hz, place_synapses
    from ketune.cell_model import build_cell

    cell = build_cell()
    layout = place_synapses(cell, seed=1)
    grating = Grating((*np.arange(0.0, 180.0, 20.0), np.nan), 1000.0)
    each = excitatory_rate_hz(layout, grating, Drive())
    mean = compartment_rate_hz(layout, grating, Drive(), cell.table.n)
    where, n = layout.compartment["exc"], cell.table.n
    used = np.bincount(where, minlength=n) > 0
    block = equilibrium_block(c, v, each, P, SHARES)
    events = np.bincount(where, each, n)[used]
    per_event = np.bincount(where, each * block, n)[used] / events
    at_mean = equilibrium_block(c, v, mean[used], P, SHARES)
    driven = np.zeros(each.size, bool)
    driven[layout.driven] = True
    return {
        "compartment_hz": (mean[used].min(), float(np.median(mean[used])), mean[used].max()),
        "driven_hz": (each[driven].min(), each[driven].mean(), each[driven].max()),
        "at_mean": float(at_mean @ events / events.sum()),
        "per_event": float(per_event @ events / events.sum()),
        "largest": float(np.abs(per_event - at_mean).max()),
    }


def report() -> None:
    """Print the tables."""
    c, v, r = grid()
    levels = settled(c, v, r)
    print("largest differences on the grid (first minus second), where (uM, mV, Hz)")
    for one, other in (
        ("naive", "markov"),
        ("independent", "markov"),
        ("equilibrium", "markov"),
        ("kinetic", "markov"),
        ("conductance", "markov"),
    ):
        apart = levels[one] - levels[other]
        k = int(np.argmax(np.abs(apart)))
        print(f"  {one} - {other}: {apart[k]:+.5f} at {c[k]:g}, {v[k]:g}, {r[k]:g}")
    print("  naive - markov by rate:")
    for rate in RATES_HZ:
        at = r == rate
        print(f"    {rate:g} Hz: up to {np.abs(levels['naive'] - levels['markov'])[at].max():.4f}")
    for what, apart in zip(("at any time", "from 1 s on"), worst_course(c, v, r), strict=True):
        k = int(np.argmax(apart))
        print(f"  onset, kinetic - markov, {what}: {apart[k]:.4f} at {c[k]:g}, {v[k]:g}, {r[k]:g}")
    more = np.array([regular_block(*at) for at in zip(c, v, r, strict=True)]) - levels["markov"]
    k = int(np.argmax(np.abs(more)))
    print(f"  regular - Poisson events: {more[k]:+.4f} at {c[k]:g}, {v[k]:g}, {r[k]:g}")
    print("open probability, excess open time (ms), wait for an opening (s); regular events")
    for rate in (*RATES_HZ, 32.0):
        po, excess = float(mean_open_probability(rate)), float(excess_open_time_s(rate))
        text = f"  {rate:g} Hz: {po:.4f}, {1e3 * excess:.1f}, {excess / po:.2f}"
        print(f"{text}; {regular_open_probability(rate):.4f} ({regular_open_probability(rate) / po:.2f})")
    print("4 uM: naive, equilibrium, kinetic, markov, conductance; t63 kinetic, markov; evidence")
    for voltage in (-66.0, -30.0):
        for rate in RATES_HZ:
            x = {name: value[0] for name, value in settled(4.0, voltage, rate).items()}
            row = ", ".join(
                f"{x[n]:.3f}" for n in ("naive", "equilibrium", "kinetic", "markov", "conductance")
            )
            t63 = [time_to_63(4.0, voltage, rate, level) for level in (kinetic_block, markov_block)]
            print(
                f"  {rate:g} Hz, {voltage:g} mV: {row}; {t63[0]:.1f}, {t63[1]:.1f} s; {EARLIER.get((rate, voltage))}"
            )
    print("single Poisson trains from no block: mean, standard error; kinetic, markov")
    for conc, voltage, rate, duration, n in TRAINS:
        mean, error = mean_of_trains(Receptor(voltage, conc), rate, duration, n, seed=1)
        course = ([0.0, duration / 60.0], np.full((2, 1), conc), voltage, rate, P, SHARES)
        two, three = (float(level(*course)[-1, 0]) for level in (kinetic_block, markov_block))
        text = f"  {conc:g} uM, {voltage:g} mV, {rate:g} Hz, {duration:g} s, {n} trains"
        print(f"{text}: {mean:.4f} +- {error:.4f}; {two:.4f}, {three:.4f}")
    for v_clamp, ket in ((-66.0, 4.0), (-30.0, 1.0)):
        receptor, end = Receptor(v_clamp, ket, faster=20.0), 400e3
        train = poisson_train(4.0, end, np.random.default_rng(8))
        block = bound(in_neuron([receptor], train, end))[40:, 0]
        parts = np.array([part.mean() for part in np.array_split(block, 12)])
        level = settled(ket, v_clamp, 4.0, receptor.drug())["markov"][0]
        error = parts.std(ddof=1) / math.sqrt(parts.size)
        print(
            f"NEURON, 4 Hz Poisson, {v_clamp:g} mV, {ket:g} uM: {parts.mean():.4f} +- {error:.4f}; markov {level:.4f}"
        )
    print("the default cell at 4 uM, -66 mV:", synapses_of_the_default_cell(4.0, -66.0))
    print("the default cell at 10 uM, -80 mV:", synapses_of_the_default_cell(10.0, -80.0))


TRAINS = (
    (4.0, -66.0, 0.1, 300.0, 100),
    (4.0, -66.0, 2.0, 20.0, 200),
    (100.0, -20.0, 0.1, 20.0, 400),
    (30.0, -40.0, 8.0, 0.5, 400),
)


def draw() -> None:
    """The figure."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False})
    colours = dict(zip(RATES_HZ, ("#1b4965", "#3a86a8", "#e09f3e", "#9e2a2b"), strict=True))
    figure, axes = plt.subplots(2, 2, figsize=(8.2, 6.4), layout="constrained")
    dose, rate_axis, onset, apart = axes.flat

    smooth = np.geomspace(0.05, 200.0, 60)
    naive = settled(smooth, -66.0, 1.0)["naive"]
    dose.plot(smooth, naive, color="0.6", lw=1.2, ls="--", label="without rates")
    for rate, colour in colours.items():
        dose.plot(
            smooth, settled(smooth, -66.0, rate)["equilibrium"], color=colour, lw=1.3, label=f"{rate:g} Hz"
        )
        marks = np.array(CONCENTRATIONS_uM)
        dose.plot(marks, settled(marks, -66.0, rate)["markov"], "o", color=colour, ms=4, mfc="none")
    dose.plot([], [], "ko", ms=4, mfc="none", label="Markov")
    dose.set(xscale="log", xlabel="ketamine (µM)", ylabel="steady block", title="−66 mV, 1 mM Mg")
    dose.legend(frameon=False, fontsize=7)

    rates = np.geomspace(0.02, 20.0, 60)
    for v, colour in zip(
        (-80.0, -66.0, -50.0, -30.0), ("#1b4965", "#3a86a8", "#e09f3e", "#9e2a2b"), strict=True
    ):
        x = settled(4.0, v, rates)
        rate_axis.plot(rates, x["equilibrium"], color=colour, lw=1.3, label=f"{v:g} mV".replace("-", "−"))
        rate_axis.axhline(x["naive"][0], color=colour, lw=0.9, ls="--")
        rate_axis.plot(
            RATES_HZ, settled(4.0, v, np.array(RATES_HZ))["markov"], "o", color=colour, ms=4, mfc="none"
        )
    rate_axis.set(xscale="log", xlabel="events per synapse (Hz)", ylabel="steady block", title="4 µM")
    rate_axis.set(ylim=(0, 0.8))
    rate_axis.plot([], [], "k--", lw=0.9, label="without rates")
    rate_axis.legend(frameon=False, fontsize=7, loc="upper left", ncol=3)

    seconds = np.linspace(0.0, 400.0, 201)
    held = np.full((seconds.size, 1), 4.0)
    for rate, colour in colours.items():
        course = (seconds / 60.0, held, -66.0, rate, P, SHARES)
        onset.plot(seconds, kinetic_block(*course)[:, 0], color=colour, lw=1.3)
        onset.plot(seconds[::12], markov_block(*course)[::12, 0], "o", color=colour, ms=4, mfc="none")
    exact, rng = EventByEvent(Receptor(-66.0, 4.0)), np.random.default_rng(4)
    for k in range(3):
        train = poisson_train(0.5, 400e3, rng)
        times = np.concatenate([[0.0], train[1:], [400e3]]) * 1e-3
        course = bound(exact.run(train, 400e3, rate_hz=0.5))
        onset.plot(
            times, course, color=colours[0.5], lw=0.6, alpha=0.6, label="" if k else "single trains, 0.5 Hz"
        )
    onset.set(
        xlabel="time with 4 µM (s)", ylabel="block", title="onset, −66 mV", ylim=(0, 0.5), xlim=(0, 400)
    )
    onset.plot([], [], "k-", lw=1.3, label="kinetic")
    onset.plot([], [], "ko", ms=4, mfc="none", label="Markov")
    onset.legend(frameon=False, fontsize=7, loc="lower right", ncol=3)

    c, v, r = (
        x.ravel() for x in np.meshgrid(np.geomspace(0.1, 100.0, 19), VOLTAGES_mV, RATES_HZ, indexing="ij")
    )
    x = settled(c, v, r)
    for name, text, colour in (
        ("naive", "without rates", "0.5"),
        ("conductance", "lost conductance", "#e09f3e"),
        ("independent", "without Z", "#3a86a8"),
        ("equilibrium", "equilibrium", "#9e2a2b"),
    ):
        largest = np.abs(x[name] - x["markov"]).reshape(19, -1).max(axis=1)
        apart.plot(np.unique(c), largest, color=colour, lw=1.3, label=text)
    apart.axhline(0.03, color="k", lw=0.8, ls=":")
    apart.text(0.1, 0.033, "bound", fontsize=7)
    apart.set(xscale="log", yscale="log", xlabel="ketamine (µM)", ylabel="largest difference from Markov")
    apart.set(title="−80 to −20 mV, 0.1 to 8 Hz", ylim=(1e-7, 1))
    apart.legend(frameon=False, fontsize=7, loc="lower center", ncol=2)
    for axis, letter in zip(axes.flat, "abcd", strict=True):
        axis.set_title(letter, loc="left", fontweight="bold")
    figure.savefig(FIGURE, dpi=150)


def main() -> None:
    """Measure, print, draw."""
    report()
    draw()


if __name__ == "__main__":
    main()
