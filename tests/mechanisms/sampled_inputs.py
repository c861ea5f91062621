"""Mechanisms with plausible numbers for everything that they read, many samples at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ketune import mechanisms
from ketune.mechanisms import Mechanism

MODS = Path(__file__).parent / "mods"
_X = np.arange(-100.0, 101.0)
TABLES = {
    "tabgate": {
        "tablim": (_X, 1 / (1 + np.exp(-(_X + 40) / 8))),
        "tabtau": (_X, 1 + 4 / (1 + np.exp((_X + 40) / 10))),
    }
}
SHIPPED = mechanisms.names()
OTHERS = tuple(sorted(path.stem for path in (*MODS.glob("*.mod"), *(MODS / "lab").glob("*.mod"))))
TRANSLATED = (*SHIPPED, *OTHERS)

# what the cell gives
_LIMITS = {
    "celsius": (6.0, 40.0),
    "t": (0.0, 200.0),
    "diam": (0.2, 20.0),
    "area": (10.0, 5000.0),
    "ena": (20.0, 90.0),
    "ek": (-120.0, -60.0),
    "eca": (60.0, 150.0),
    "ecl": (-90.0, -40.0),
    "nai": (5.0, 20.0),
    "nao": (100.0, 160.0),
    "ki": (80.0, 160.0),
    "ko": (2.0, 10.0),
    "cai": (2e-5, 2e-3),
    "cao": (1.0, 3.0),
    "cli": (3.0, 20.0),
    "clo": (100.0, 140.0),
}
# where a mechanism's own equations have no finite value or slope: parameters, and the nearest that is allowed
_SINGULAR = {
    # d x^np/dx is infinite at x = 0, where the state starts, for np < 1
    "ihca": {"np": (1.0, 2.0)},
    # tau_1/(tau_1 - tau_rec)
    "TsoMark": {"tau_1": (1.0, 10.0), "tau_rec": (20.0, 2000.0)},
}


def load(name: str) -> Mechanism:
    """A shipped mechanism or a test's one."""
    if name in SHIPPED:
        return mechanisms.load(name)
    path = next(path for path in (MODS / f"{name}.mod", MODS / "lab" / f"{name}.mod") if path.is_file())
    return mechanisms.load(path, tables=TABLES.get(name))


def given_limits(m: Mechanism, name: str) -> tuple[float, float]:
    """Usual values of something that the cell gives."""
    if name in _LIMITS:
        return _LIMITS[name]
    ion = next(ion for ion in m.ions if name in (ion.current, ion.reversal, *ion.concentrations))
    return {ion.current: (-0.01, 0.01), ion.reversal: (-100.0, 100.0)}.get(name, (0.5, 2.0))


def cell_inputs(m: Mechanism) -> tuple[str, ...]:
    """What the cell gives, with the ion variables that the mechanism itself writes; dt and t always."""
    return tuple(dict.fromkeys((*m.inputs, *m.ion_writes, "dt", "t")))


def default_inputs(m: Mechanism, **values: float) -> dict[str, Any]:
    """Default parameters and usual values of what the cell gives (not their middle: a current of 0 may be a kink)."""
    limits = {name: given_limits(m, name) for name in cell_inputs(m) if name != "dt"}
    usual = {name: low + 0.3 * (high - low) for name, (low, high) in limits.items()}
    return {**m.defaults(), **usual, "dt": 0.025, **values}


Samples = tuple[Array, dict[str, Array], dict[str, Array]]


def sweep(m: Mechanism, dtype: Any) -> Samples:
    """Default parameters at every whole voltage: that meets removable singularities (v, parameters, arguments)."""
    v = np.arange(-150.0, 101.0)
    p = {key: np.full(v.shape, x) for key, x in default_inputs(m).items()}
    c = {name: np.full(v.shape, 1e-3) for name in m.arguments}
    return _typed((v, p, c), dtype)


def random_samples(m: Mechanism, seed: int, n: int, dtype: Any) -> Samples:
    """Any voltage, parameters within their limits (those too), or within a factor of 2 where a file states none."""
    rng = np.random.default_rng(seed)
    p = {}
    for key, q in m.parameters.items():
        if key in _SINGULAR.get(m.name, {}):
            p[key] = rng.uniform(*_SINGULAR[m.name][key], n)
        elif q.low is None or q.high is None:
            p[key] = q.value * rng.uniform(0.5, 2.0, n)
        else:
            near = np.clip(q.value * rng.uniform(0.5, 2.0, n), q.low, q.high)
            choices = (near, rng.uniform(q.low, q.high, n), np.full(n, q.low), np.full(n, q.high))
            p[key] = np.choose(rng.choice(4, n, p=(0.4, 0.5, 0.05, 0.05)), choices)
    for key in cell_inputs(m):
        steps = rng.choice([0.005, 0.025, 0.1], n)
        p[key] = steps if key == "dt" else rng.uniform(*given_limits(m, key), n)
    c = {name: rng.uniform(0.0, 1e-2, n) for name in m.arguments}
    return _typed((rng.uniform(-150.0, 100.0, n), p, c), dtype)


def joined(*samples: Samples) -> Samples:
    """All samples one after the other."""
    together: Samples = jax.tree.map(lambda *x: jnp.concatenate(x), *samples)
    return together


def _typed(samples: Any, dtype: Any) -> Samples:
    typed: Samples = jax.tree.map(lambda x: jnp.asarray(x, dtype), samples)
    return typed


def outcome(m: Mechanism, v: Any, p: dict[str, Any], c: dict[str, Any], moved: dict[str, Any]) -> Any:
    """A number for each sample to which every function of the mechanism contributes: events, then two steps.

    `c` are the connection's arguments; `moved` is added to the initial states and written concentrations.
    """
    p = {**p, **m.derived(p)}
    s, p = _settle(m, {key: x + moved.get(key, 0.0) for key, x in m.init(v, p).items()}, p)
    total = 0.0 * v
    if m.init_sends is not None:
        total = total + sum(m.init_sends(v, p).values())
    if m.init_connection is not None:
        c = m.init_connection(v, s, c, p)
    if m.event_weight is not None:
        weight, _ = m.event_weight(c, p)
        total = total + weight * sum(m.event_jump(p).values())
    if m.net_receive is not None:
        for flag in (0.0, 1.0, 2.0) if m.moves or m.init_sends else (0.0,):
            new, c, sent = m.net_receive(v, s, c, {**p, "flag": flag})
            s, p = _settle(m, {**s, **new}, p)
            total = total + sum(on * (time + flag) for on, time, flag in sent)
    for _ in range(2):
        total = total + m.current(v, s, p)
        if m.conductance is not None:
            total = total + m.conductance(v, s, p)
        if m.remember is not None:
            s, p = _settle(m, {**s, **m.remember(v, s, p)}, p)
        s, p = _settle(m, {**s, **m.advance(v, s, p)}, {**p, "t": p["t"] + p["dt"]})
    return total + sum(s.values()) + sum(p[key] for key in m.ion_writes)


def _settle(m: Mechanism, new: dict[str, Any], p: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """States on their own, and what the mechanism writes among what the cell gives."""
    written = {key: new[key] for key in m.ion_writes if key in new}
    return {key: new[key] for key in m.states}, {**p, **written}


def value_and_slopes(m: Mechanism, samples: Samples) -> tuple[Array, dict[str, Array]]:
    """The outcome of each sample and its slope along everything.

    Not compiled: a few hundred samples at a time are faster than XLA's compilation.
    """
    v, p, c = samples
    moved = {key: jnp.zeros_like(v) for key in (*m.states, *m.ion_writes)}

    def summed(v: Any, p: Any, c: Any, moved: Any) -> Any:
        each = jnp.broadcast_to(outcome(m, v, p, c, moved), jnp.shape(v))
        return jnp.sum(each), each

    (_, each), (dv, dp, dc, ds) = jax.value_and_grad(summed, (0, 1, 2, 3), has_aux=True)(v, p, c, moved)
    slopes = {"v": dv, **dp}
    slopes |= {f"{key} (connection)": x for key, x in dc.items()}
    return each, slopes | {f"{key} (state)": x for key, x in ds.items()}
