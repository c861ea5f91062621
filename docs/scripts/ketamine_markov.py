"""Draws docs/figures/ketamine_markov.png and prints the tables of docs/nmda-ketamine.md.

    python docs/scripts/ketamine_markov.py

NMDA5.mod and NMDA10.mod run in NEURON under voltage clamp and are compared with measurements and with the same schemes
written a second time here, as rate matrices propagated by matrix exponentials. Takes about a minute.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.linalg import expm
from scipy.optimize import brentq, curve_fit

FIGURE = Path(__file__).parents[1] / "figures" / "ketamine_markov.png"
SCHEMES = ("NMDA5", "NMDA10")
GLU_PEAK_mM, TAU_GLU_ms = 1.0, 1.2
CELSIUS = 37.0
K_REF_uM, DELTA, V_REF_mV = 0.33, 0.79, -66.0
MACROSCOPIC_ON = 0.15e-3  # /uM/ms, Gilling 2009
K_ESC = 1.26e-6  # /ms, -ln(0.86)/120 s, Mealing 1999
GILLING_SCALE = 0.71 / (K_REF_uM * math.exp(DELTA * (-70.0 - V_REF_mV) / 26.73))

Array = np.ndarray
Rates = list[tuple[str, str, float]]

# ---- the schemes as rate matrices, written without the .mod files ----------------------------------------------------


@dataclass(frozen=True)
class Bath:
    """What the receptor sees: mV, mM, uM, and two constants of the schemes (/ms, mM)."""

    v: float = V_REF_mV
    mg: float = 0.0
    ket: float = 0.0
    k_esc: float = K_ESC
    k_mg: float = 3.57

    @property
    def k_ket(self) -> float:
        """Dissociation constant of ketamine at this voltage, uM."""
        vt = 8.314462618 * (CELSIUS + 273.15) / 96485.33212 * 1e3
        return K_REF_uM * math.exp(DELTA * (self.v - V_REF_mV) / vt)


def five_states(glu: float, bath: Bath, k_on: float) -> Rates:
    """Destexhe, Mainen and Sejnowski 1996, magnesium in equilibrium, and its twin with ketamine inside."""
    gating = [
        ("C0", "C1", 5.0 * glu),
        ("C1", "C0", 0.0129),
        ("C1", "C2", 5.0 * glu),
        ("C2", "C1", 0.0129),
        ("C2", "D", 0.0084),
        ("D", "C2", 0.0068),
        ("C2", "O", 0.0465),
        ("O", "C2", 0.0738),
    ]
    trapped = [(f"{a}B", f"{b}B", rate) for a, b, rate in gating]
    escape = [(f"{s}B", s, bath.k_esc) for s in ("C0", "C1", "C2", "D")]
    drug = [("O", "OB", k_on * bath.ket * free_pore(bath)), ("OB", "O", k_on * bath.k_ket)]
    return gating + trapped + escape + drug


def free_pore(bath: Bath) -> float:
    """Share of pores free of magnesium, Jahr and Stevens 1990."""
    return 1.0 / (1.0 + bath.mg / bath.k_mg * math.exp(-0.062 * bath.v))


def ten_states(glu: float, bath: Bath, k_on: float) -> Rates:
    """Kampa et al. 2004 at 37 degC (Branco et al. 2010), and the copy with ketamine in place of magnesium."""
    on = 1e3 * bath.mg * math.exp(-2 * 0.8 * (bath.v - 40.0) / 25.0)  # magnesium in uM
    off = math.exp(2 * 0.2 * (bath.v - 40.0) / 25.0)
    empty = _kampa(glu, 0.02016, (0.02266, 0.00736, 0.004429, 0.0023))
    blocked = _kampa(glu, 0.06156, (0.02163, 0.004002, 0.002678, 0.001932))
    magnesium = [("O", "OM", 5e-5 * on), ("OM", "O", 12.8 * off)]
    for state in ("U", "C", "D1", "D2"):
        magnesium += [(state, f"{state}M", 5e-8 * on), (f"{state}M", state, 0.06 * off)]
    escape = [(f"{s}B", s, bath.k_esc) for s in ("U", "C", "D1", "D2")]
    drug = [("O", "OB", k_on * bath.ket), ("OB", "O", k_on * bath.k_ket)]
    return (
        empty
        + [(f"{a}M", f"{b}M", rate) for a, b, rate in blocked]
        + [(f"{a}B", f"{b}B", rate) for a, b, rate in empty]
        + magnesium
        + escape
        + drug
    )


def _kampa(glu: float, unbind: float, desensitise: tuple[float, float, float, float]) -> Rates:
    rd1, rr1, rd2, rr2 = desensitise
    return [
        ("U", "C", 10.0 * glu),
        ("C", "U", unbind),
        ("C", "O", 0.0465),
        ("O", "C", 0.0916),
        ("C", "D1", rd1),
        ("D1", "C", rr1),
        ("D1", "D2", rd2),
        ("D2", "D1", rr2),
    ]


@dataclass(frozen=True)
class Scheme:
    """States and rates of a receptor; `visible` is the share of open receptors that conduct."""

    name: str
    states: tuple[str, ...]
    rates: Callable[[float, Bath, float], Rates]
    visible: Callable[[Bath], float]
    k_on: float  # /uM/ms, as shipped

    def matrix(self, glu: float, bath: Bath, k_on: float | None = None) -> Array:
        """Generator Q of dx/dt = Q x."""
        q = np.zeros((len(self.states), len(self.states)))
        for source, target, rate in self.rates(glu, bath, self.k_on if k_on is None else k_on):
            a, b = self.states.index(source), self.states.index(target)
            q[b, a] += rate
            q[a, a] -= rate
        return q

    def blocked(self, x: Array) -> Any:
        """Share of receptors that hold ketamine."""
        return x[..., [s.endswith("B") for s in self.states]].sum(axis=-1)

    def conducting(self, x: Array, bath: Bath) -> Any:
        """Share of receptors that conduct."""
        return x[..., self.states.index("O")] * self.visible(bath)

    def rest(self, bath: Bath, block: float = 0.0) -> Array:
        """Unbound receptors, in equilibrium with magnesium; a share of them holds ketamine."""
        x = np.zeros(len(self.states))
        x[0], x[[s.endswith("B") for s in self.states].index(True)] = 1.0 - block, block
        if "UM" in self.states:
            closed_on = 5e-5 * bath.mg * math.exp(-1.6 * (bath.v - 40.0) / 25.0)
            closed_off = 0.06 * math.exp(0.4 * (bath.v - 40.0) / 25.0)
            x[self.states.index("UM")] = (1.0 - block) * closed_on / (closed_on + closed_off)
            x[0] = (1.0 - block) * closed_off / (closed_on + closed_off)
        return x

    def steady(self, glu: float, bath: Bath) -> Array:
        """The state after all the time in the world."""
        return _null(self.matrix(glu, bath))


def _null(q: Array) -> Array:
    rows = np.vstack([q / np.abs(q).max(), np.ones(len(q))])
    return np.linalg.lstsq(rows, np.append(np.zeros(len(q)), 1.0), rcond=None)[0]


_FIVE = ("C0", "C1", "C2", "D", "O")
_TEN = ("U", "C", "O", "D1", "D2")
REFERENCE = {
    "NMDA5": Scheme("NMDA5", (*_FIVE, *(f"{s}B" for s in _FIVE)), five_states, free_pore, 6.8e-4),
    "NMDA10": Scheme(
        "NMDA10",
        (*_TEN, *(f"{s}M" for s in _TEN), *(f"{s}B" for s in _TEN)),
        ten_states,
        lambda bath: 1.0,
        3.1e-3,
    ),
}


def open_probability(scheme: Scheme) -> float:
    """Steady open probability with saturating glutamate, no magnesium and no drug."""
    bath = Bath(k_esc=1e-9)
    return float(scheme.conducting(scheme.steady(1.0, bath), bath))


def exact_ic50(scheme: Scheme, v: float, mg: float, k_esc: float = K_ESC) -> float:
    """Concentration that halves the steady current, uM."""
    control = Bath(v, mg, 0.0, k_esc)
    full = scheme.conducting(scheme.steady(1.0, control), control)

    def excess(log_ket: float) -> float:
        bath = Bath(v, mg, math.exp(log_ket), k_esc)
        return float(scheme.conducting(scheme.steady(1.0, bath), bath) / full - 0.5)

    return math.exp(brentq(excess, -7.0, 9.0))


def exact_drive(scheme: Scheme, rate_hz: float, bath: Bath, two_sites: bool = False) -> tuple[float, float]:
    """Steady block just before an event, and seconds to 63 % of it, when a synapse fires regularly.

    `two_sites` doubles the rates of binding to C0 and unbinding from C2, as for two equal sites, and makes the
    pulse of glutamate 1 ms long and square.
    """
    period, step, pulse = 1e3 / rate_hz, 0.02, 18.0

    def q(glu: float) -> Array:
        matrix = scheme.matrix(glu, bath)
        if two_sites:
            for arm in ("", "B"):
                for source, target in (("C0", "C1"), ("C2", "C1")):
                    a, b = scheme.states.index(source + arm), scheme.states.index(target + arm)
                    matrix[a, a] -= matrix[b, a]
                    matrix[b, a] *= 2.0
        return matrix

    if two_sites:
        over_period = expm(q(0.0) * (period - 1.0)) @ expm(q(1.0))
    else:
        over_period = np.eye(len(scheme.states))
        for k in range(round(pulse / step)):
            glu = GLU_PEAK_mM * math.exp(-(k + 0.5) * step / TAU_GLU_ms)
            over_period = expm(q(glu) * step) @ over_period
        over_period = expm(q(0.0) * (period - pulse)) @ over_period
    steady = float(scheme.blocked(_null(over_period - np.eye(len(over_period)))))
    x, course = scheme.rest(bath), [0.0]
    while course[-1] < steady * (1.0 - math.exp(-1.0)):
        x = over_period @ x
        course.append(float(scheme.blocked(x)))
    t63 = np.interp(steady * (1.0 - math.exp(-1.0)), course, np.arange(len(course)))
    return steady, float(t63) * period / 1e3


# ---- the .mod files in NEURON ----------------------------------------------------------------------------------------


class Clamped:
    """Receptors of one .mod file on one clamped compartment, one for each row of parameters.

    Steps are NEURON's fixed steps; any length goes, because the scheme is solved implicitly.
    """

    def __init__(self, name: str, v_mV: float, rows: Sequence[Mapping[str, float]]) -> None:
        from ketune import mechanisms

        mechanisms.load_into_neuron(SCHEMES)
        from neuron import h

        self._h, self.scheme = h, REFERENCE[name]
        self._section = h.Section(name=f"clamped_{name}")
        self._section.L = self._section.diam = 20.0
        centre = self._section(0.5)
        self._clamp = h.SEClamp(centre)
        self._clamp.rs, self._clamp.dur1, self._clamp.amp1 = 1e-3, 1e12, v_mV
        self.receptors = [getattr(h, name)(centre) for _ in rows]
        self._connections = [h.NetCon(None, receptor) for receptor in self.receptors]
        for connection in self._connections:
            connection.weight[0] = 1.0
        for receptor, values in zip(self.receptors, rows, strict=True):
            receptor.gmax = 1e-9  # so that the clamp has nothing to do
            for key, value in values.items():
                setattr(receptor, key, value)
        h.celsius, h.secondorder = CELSIUS, 0
        h.CVode().active(False)
        h.finitialize(v_mV)

    def set(self, v_mV: float | None = None, **values: float) -> None:
        """Change the voltage, a parameter or glutamate (``glu``) of every receptor."""
        if v_mV is not None:
            self._clamp.amp1 = v_mV
        for receptor in self.receptors:
            for key, value in values.items():
                setattr(receptor, key, value)

    def hold_glutamate(self, glu_mM: float) -> None:
        """Glutamate stays at this concentration."""
        self.set(glu=glu_mM, tau_glu=1e15)

    def advance(self, duration_ms: float, dt_ms: float) -> None:
        """Pass time."""
        self._h.dt = dt_ms
        for _ in range(round(duration_ms / dt_ms)):
            self._h.fadvance()

    def course(self, duration_ms: float, dt_ms: float, every: int = 1) -> tuple[Array, Array]:
        """Pass time: times (n,) from now on, and states (n, receptor, state)."""
        start, times, states = self._h.t, [0.0], [self.states()]
        for _ in range(round(duration_ms / (dt_ms * every))):
            self.advance(dt_ms * every, dt_ms)
            times.append(self._h.t - start)
            states.append(self.states())
        return np.array(times), np.array(states)

    def event(self) -> None:
        """One presynaptic event now, to every receptor."""
        for connection in self._connections:
            connection.event(self._h.t)

    def states(self) -> Array:
        """(receptor, state), in the order of the reference scheme."""
        return np.array([[getattr(r, s) for s in self.scheme.states] for r in self.receptors])

    def block(self) -> Array:
        """(receptor,) share that holds ketamine."""
        return self.scheme.blocked(self.states())


def dose_response(name: str, v: float, mg: float, doses_uM: Sequence[float]) -> Array:
    """Steady current over control with saturating glutamate, at each dose."""
    bench = Clamped(name, v, [{"mg": mg, "ket": dose} for dose in (0.0, *doses_uM)])
    bench.hold_glutamate(GLU_PEAK_mM)
    bench.advance(2e3, 1.0)
    bench.advance(4e6, 2e3)
    current = bench.states()[:, bench.scheme.states.index("O")]
    return current[1:] / current[0]


def hill_fit(doses_uM: Sequence[float], left: Array) -> tuple[float, float]:
    """Half-block concentration and Hill coefficient."""

    def law(log_dose: Array, log_half: float, n: float) -> Array:
        return 1.0 / (1.0 + np.exp(n * (log_dose - log_half)))

    (log_half, n), _ = curve_fit(law, np.log(doses_uM), left, p0=(0.0, 1.0))
    return float(np.exp(log_half)), float(n)


def onset(name: str, ket_uM: float, dt_ms: float) -> tuple[Array, Array, tuple[float, float, float]]:
    """Ketamine joins steady agonist at -66 mV, no Mg.

    Returns ms, current over control, and of the onset: the time constant of one fitted exponential in s, the root
    mean square of what that fit misses, and the mean relaxation time in s (equal to the first for one exponential).
    """
    bench = Clamped(name, V_REF_mV, [{"mg": 0.0}])
    bench.hold_glutamate(GLU_PEAK_mM)
    bench.advance(5e3, 1.0)
    bench.set(ket=ket_uM)
    duration = 50e3 if ket_uM < 5.0 else 10e3
    t, states = bench.course(duration, dt_ms, every=max(1, round(10.0 / dt_ms)))
    current = states[:, 0, bench.scheme.states.index("O")]
    current = current / current[0]

    def law(time: Array, tau: float, left: float) -> Array:
        return left + (1.0 - left) * np.exp(-time / tau)

    (tau, left), _ = curve_fit(law, t, current, p0=(2e3, 0.2))
    miss = float(np.sqrt(np.mean((law(t, tau, left) - current) ** 2)))
    mean = np.trapezoid(current - current[-1], t) / (current[0] - current[-1])
    return t, current, (float(tau) / 1e3, miss, float(mean) / 1e3)


def trap(name: str, dt_ms: float = 5.0, scale_ket: float = 1.0) -> tuple[Array, Array, float, float]:
    """Block by 10 uM at -66 mV without Mg, 120 s without agonist and drug, 50 s with agonist alone.

    Returns seconds, block over its value at the start, share kept after the first and share left after the second.
    """
    bench = Clamped(name, V_REF_mV, [{"mg": 0.0, "ket": 10.0, "scale_ket": scale_ket}])
    bench.hold_glutamate(GLU_PEAK_mM)
    bench.advance(2e3, 1.0)
    bench.advance(1e6, 1e3)
    first = bench.block()[0]
    times, course = [0.0], [1.0]
    bench.set(ket=0.0)
    for glu, duration in ((0.0, 120e3), (GLU_PEAK_mM, 50e3)):
        bench.hold_glutamate(glu)
        for part, dt in ((2e3, min(1.0, dt_ms)), (duration - 2e3, dt_ms)):
            t, states = bench.course(part, dt, every=round(1e3 / dt))
            times += list(times[-1] + t[1:] / 1e3)
            course += list(bench.scheme.blocked(states)[1:, 0] / first)
        if glu == 0.0:
            kept = course[-1]
    return np.array(times), np.array(course), kept, course[-1]


def drive(
    name: str, rate_hz: float, v: float, n_events: int = 40, dt_ms: float = 0.025, ket_uM: float = 4.0
) -> tuple[float, float]:
    """Steady block just before an event and seconds to 63 % of it, of a synapse that fires regularly, 1 mM Mg.

    From one event to the next the receptor is a linear map, so two runs, from no and from full block, tell the steady
    state early: their difference shrinks by the same factor at every event once the fast relaxations are over, here
    in the second half of `n_events`. The run then goes on to 63 %. Steps are short for 12 ms after an event and then at
    most 1 ms: backward Euler gets the time integral of a linear decay right at any step.
    """
    bench = Clamped(name, v, [{"mg": 1.0, "ket": ket_uM, "block0": block} for block in (0.0, 1.0)])
    period, trace = 1e3 / rate_hz, [bench.block()]

    def one_event() -> None:
        bench.event()
        bench.advance(12.0, dt_ms)
        bench.advance(period - 12.0, 1.0)
        trace.append(bench.block())

    for _ in range(n_events):
        one_event()
    (low_a, high_a), (low_b, high_b) = trace[n_events // 2], trace[-1]
    shrink = (high_b - low_b) / (high_a - low_a)
    steady = float((low_b - shrink * low_a) / (1.0 - shrink))
    aim = steady * (1.0 - math.exp(-1.0))
    while trace[-1][0] < aim:
        one_event()
    return steady, float(np.interp(aim, [low for low, _ in trace], np.arange(len(trace)))) * period / 1e3


def voltage_jump(name: str, dt_ms: float = 0.1) -> tuple[Array, Array, tuple[float, float, float]]:
    """From -70 to +50 mV with agonist and 10 uM ketamine, no Mg, as in Emnett et al. 2013.

    Returns ms since the jump, current over that of undrugged receptors, and of its two-exponential fit: share of the
    fast component, fast and slow time constant in ms.
    """
    bench = Clamped(name, -70.0, [{"mg": 0.0, "ket": ket} for ket in (0.0, 10.0)])
    bench.hold_glutamate(GLU_PEAK_mM)
    bench.advance(2e3, 1.0)
    bench.advance(1e6, 1e3)
    bench.set(v_mV=50.0)
    t, states = bench.course(2e3, dt_ms, every=10)
    current = states[:, :, bench.scheme.states.index("O")]
    left = current[:, 1] / current[:, 0]

    def law(time: Array, end: float, size: float, fast: float, quick: float, slow: float) -> Array:
        return end - size * (fast * np.exp(-time / quick) + (1.0 - fast) * np.exp(-time / slow))

    bounds = ([0.0, 0.0, 0.0, 0.5, 100.0], [1.0, 1.0, 1.0, 100.0, 2e3])
    (_, _, fast, quick, slow), _ = curve_fit(law, t, left, p0=(0.5, 0.4, 0.1, 10.0, 300.0), bounds=bounds)
    return t, left, (float(fast), float(quick), float(slow))


# ---- numbers and figure ----------------------------------------------------------------------------------------------

DOSES_uM = tuple(np.geomspace(0.03, 300.0, 13))
RATES_HZ, VOLTAGES_mV = (0.5, 2.0, 8.0), (-66.0, -30.0)
DRIVE_TARGET = {  # steady block, seconds to 63 %
    (0.5, -66.0): (0.33, 158.0),
    (2.0, -66.0): (0.40, 52.0),
    (8.0, -66.0): (0.41, 20.0),
    (0.5, -30.0): (0.58, 46.0),
    (2.0, -30.0): (0.60, 13.0),
    (8.0, -30.0): (0.61, 4.8),
}


def measure() -> dict[str, dict[str, Any]]:
    """Everything the page and the figure show, by scheme."""
    found: dict[str, dict[str, Any]] = {}
    for name in SCHEMES:
        scheme = REFERENCE[name]
        curves = {(v, mg): dose_response(name, v, mg, DOSES_uM) for v, mg in ((-66, 0), (-66, 1), (-70, 0))}
        found[name] = {
            "po": open_probability(scheme),
            "curves": curves,
            "fits": {key: hill_fit(DOSES_uM, left) for key, left in curves.items()},
            "at": {
                (mg, ket): dose_response(name, -66, mg, [ket])[0]
                for mg, ket in ((0, 0.1), (0, 1), (0, 10), (1, 10))
            },
            "onset": {ket: onset(name, ket, 1.0) for ket in (1.0, 10.0)},
            "onset_fine": {ket: onset(name, ket, 0.1)[2] for ket in (1.0, 10.0)},
            "trap": trap(name),
            "trap_fine": trap(name, dt_ms=1.0)[2:],
            "trap_gilling": trap(name, scale_ket=GILLING_SCALE)[2:],
            "drive": {(f, v): drive(name, f, v) for v in VOLTAGES_mV for f in RATES_HZ},
            "drive_dt": {dt: drive(name, 2.0, -66.0, 40, dt) for dt in (0.1, 0.05, 0.025, 0.0125)},
            "jump": voltage_jump(name),
            "jump_fine": voltage_jump(name, 0.025)[2],
            "open_time_ratio": {
                ket: _mean_open_time(scheme, ket) / _mean_open_time(scheme, 0.0) for ket in (0.0, 1.0)
            },
            "open_time": _mean_open_time(scheme, 0.0),
        }
    return found


def _mean_open_time(scheme: Scheme, ket: float) -> float:
    q = scheme.matrix(1.0, Bath(ket=ket))
    at = scheme.states.index("O")
    return float(-1.0 / q[at, at])


def report(found: Mapping[str, Mapping[str, Any]]) -> None:
    """Print the tables."""
    for name in SCHEMES:
        f, scheme = found[name], REFERENCE[name]
        print(f"\n{name}: Po {f['po']:.4f}, k_on from 0.15 /uM/s: {MACROSCOPIC_ON / f['po'] * 1e3:.3f} /uM/s")
        for (v, mg), (half, n) in f["fits"].items():
            exact = exact_ic50(scheme, v, mg)
            print(
                f"  IC50 {v} mV, {mg} mM Mg: {half:.3f} uM, Hill {n:.3f} (exact {exact:.3f}, "
                f"without escape {exact_ic50(scheme, v, mg, 0.0):.3f})"
            )
        for (mg, ket), left in f["at"].items():
            print(f"  current left, -66 mV, {mg} mM Mg, {ket} uM: {left:.3f}")
        for ket, (*_, (tau, miss, mean)) in f["onset"].items():
            print(
                f"  onset {ket} uM: {tau:.3f} s (fit misses {miss:.4f} rms), mean relaxation {mean:.3f} s; "
                f"dt 0.1 ms instead of 1: {f['onset_fine'][ket][0]:.3f} s"
            )
        for label in ("trap", "trap_fine", "trap_gilling"):
            kept, left = f[label][-2:]
            print(f"  {label}: kept after 120 s {kept:.4f}, left after 50 s with agonist {left:.4f}")
        for (rate, v), (steady, t63) in f["drive"].items():
            bath = Bath(v, 1.0, 4.0)
            exact, target = exact_drive(scheme, rate, bath), DRIVE_TARGET[rate, v]
            text = (
                f"  drive {rate} Hz {v} mV: {steady:.4f}, {t63:.2f} s; exact {exact[0]:.4f}, {exact[1]:.2f} s; "
                f"target {target[0]}, {target[1]} s"
            )
            if name == "NMDA5":
                two = exact_drive(scheme, rate, Bath(v, 1.0, 4.0, k_mg=3.95), two_sites=True)
                text += f"; two equal sites, square pulse, K_Mg(-66) 0.066 mM: {two[0]:.3f}, {two[1]:.1f} s"
            print(text)
        for dt, (steady, t63) in f["drive_dt"].items():
            print(f"  drive 2 Hz -66 mV, dt {dt} ms: {steady:.4f}, {t63:.2f} s")
        for label in ("jump", "jump_fine"):
            fast, quick, slow = f[label][-1] if label == "jump" else f[label]
            print(f"  {label}: fast {fast:.3f} of it in {quick:.1f} ms, slow {slow:.0f} ms")
        print(f"  mean open time {f['open_time']:.2f} ms; ratio at 1 uM {f['open_time_ratio'][1.0]:.3f}")
        print(f"  IC50 -30 mV, 1 mM Mg: {exact_ic50(scheme, -30.0, 1.0):.2f} uM")
        for v in VOLTAGES_mV:
            frozen = 4.0 / (4.0 + exact_ic50(scheme, v, 1.0, 0.0))
            free = [exact_drive(scheme, rate, Bath(v, 1.0, 4.0, 0.0))[0] for rate in RATES_HZ]
            print(f"  without escape, {v} mV: frozen law {frozen:.3f}; driven {np.round(free, 3)}")
        unbinding = f["po"] * scheme.k_on * Bath(-70.0).k_ket * 1e3
        print(f"  unbinding with agonist, -70 mV: {unbinding:.4f} /s")


def draw(found: Mapping[str, Mapping[str, Any]]) -> None:
    """The figure."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False})
    colour = {"NMDA5": "#20639b", "NMDA10": "#d1495b"}
    label = {"NMDA5": "five states", "NMDA10": "ten states"}
    figure, axes = plt.subplots(2, 3, figsize=(10.5, 6.2), layout="constrained")
    dose, rise, keep = axes[0]
    amount, speed, jump = axes[1]

    smooth = np.geomspace(0.03, 300.0, 80)
    for name in SCHEMES:
        scheme, f = REFERENCE[name], found[name]
        for mg, style, marker in ((0, "-", "o"), (1, "--", "s")):
            control = Bath(-66.0, mg)
            full = scheme.conducting(scheme.steady(1.0, control), control)
            baths = [Bath(-66.0, mg, ket) for ket in smooth]
            left = [scheme.conducting(scheme.steady(1.0, bath), bath) / full for bath in baths]
            dose.plot(smooth, left, style, color=colour[name], lw=1.2)
            dose.plot(DOSES_uM, f["curves"][-66, mg], marker, color=colour[name], ms=3.5, mfc="none")
    dose.plot((0.33, 5.35), (0.5, 0.5), "k*", ms=8, zorder=5)
    dose.plot([], [], "k-o", lw=1.2, ms=3.5, mfc="none", label="no Mg")
    dose.plot([], [], "k--s", lw=1.2, ms=3.5, mfc="none", label="1 mM Mg")
    dose.plot([], [], "k*", ms=7, label="measured IC50")
    dose.set(xscale="log", xlabel="ketamine (µM)", ylabel="steady current / control")
    dose.set(title="block at −66 mV")
    dose.legend(frameon=False, fontsize=7, loc="upper right")

    for name in SCHEMES:
        for ket, style in ((1.0, "-"), (10.0, "--")):
            t, current, (tau, *_) = found[name]["onset"][ket]
            rise.plot(
                t / 1e3,
                current,
                style,
                color=colour[name],
                lw=1.4,
                label=f"{label[name]}, {ket:.0f} µM: τ {tau:.2f} s",
            )
    rise.set(
        xlim=(0, 15),
        xlabel="time with ketamine (s)",
        ylabel="current / control",
        title="onset, −66 mV, no Mg",
    )
    rise.legend(frameon=False, fontsize=7, loc="upper right")

    for name in SCHEMES:
        t, course, *_ = found[name]["trap"]
        keep.plot(t, course, color=colour[name], lw=1.4, label=label[name])
    keep.errorbar(120, 0.86, 0.01, fmt="k*", ms=7, label="measured")
    keep.plot(170, 0.0, "k*", ms=7, clip_on=False)
    keep.axvspan(120, 170, color="0.92", zorder=0)
    keep.text(60, 0.06, "no agonist", ha="center", fontsize=7)
    keep.text(145, 1.0, "agonist", ha="center", fontsize=7)
    keep.set(xlabel="time after wash (s)", ylabel="block / block before wash", title="trapping and relief")
    keep.set(ylim=(-0.02, 1.05), xlim=(0, 172))
    keep.legend(frameon=False, fontsize=7, loc="lower left", bbox_to_anchor=(0.0, 0.12))

    for v, style in zip(VOLTAGES_mV, ("-o", "--s"), strict=True):
        for name in SCHEMES:
            values = [found[name]["drive"][f, v] for f in RATES_HZ]
            text = f"{label[name]}, {v:.0f} mV".replace("-", "−")
            amount.plot(RATES_HZ, [b for b, _ in values], style, color=colour[name], ms=4, label=text)
            speed.plot(RATES_HZ, [t for _, t in values], style, color=colour[name], ms=4)
        targets = [DRIVE_TARGET[f, v] for f in RATES_HZ]
        look = {"color": "k", "ms": 7, "mfc": "k" if style == "-o" else "w", "mew": 0.8}
        amount.plot(RATES_HZ, [b for b, _ in targets], "*", **look)
        speed.plot(
            RATES_HZ,
            [t for _, t in targets],
            "*",
            **look,
            label=f"earlier calculation, {v:.0f} mV".replace("-", "−"),
        )
    amount.set(ylim=(0, 0.8), ylabel="steady block", title="synapse with 4 µM, 1 mM Mg")
    amount.legend(frameon=False, fontsize=7, ncol=2, loc="lower center")
    speed.set(ylabel="time to 63 % (s)", yscale="log", title="approach to it")
    speed.legend(frameon=False, fontsize=7, loc="upper right")
    speed.set(ylim=(2, 300), yticks=(3, 10, 30, 100), yticklabels=("3", "10", "30", "100"))
    for axis in (amount, speed):
        axis.set(xscale="log", xlabel="events (Hz)", xticks=RATES_HZ, xticklabels=["0.5", "2", "8"])
        axis.minorticks_off()

    for name in SCHEMES:
        t, left, (fast, _, slow) = found[name]["jump"]
        text = f"{label[name]}: fast {100 * fast:.0f} %, slow {slow:.0f} ms"
        jump.plot(t, left, color=colour[name], lw=1.4, label=text)
    jump.set(
        xlim=(0, 1500),
        xlabel="time since jump (ms)",
        ylabel="current / control",
        title="−70 to +50 mV, 10 µM",
    )
    jump.set_ylim(0)
    jump.legend(frameon=False, fontsize=7, loc="lower right")
    for axis, letter in zip(axes.flat, "abcdef", strict=True):
        axis.set_title(letter, loc="left", fontweight="bold")
    figure.savefig(FIGURE, dpi=150)


def main() -> None:
    """Measure, print, draw."""
    found = measure()
    report(found)
    draw(found)


if __name__ == "__main__":
    main()
