"""What translation costs: the time to translate a file, and a step of generated functions against hand-written ones.

The hand-written channels and synapse below are the same equations, written as one would write them in JAX. Before
anything is timed both must agree. A step is the current with its slope, and the states; many of them run in one
compiled loop, with the arrays of the twin (compartments x lanes), float32. Each pair is timed in turns, and the best
of several turns counts. Compilation is not in the times.

    python benchmarks/translation.py [--files FILE.mod ...] [--turns 7]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ketune import mechanisms
from ketune._jax import jax, jnp
from ketune.errors import InputError

COMPARTMENTS, LANES, STEPS = 200, 64, 400
Values = dict[str, Any]


def rate(u: Any, a: float, half: float, slope: float) -> Any:
    """A (u - half)/slope / (1 - exp(-(u - half)/slope)), by its series near 0/0."""
    x = (u - half) / slope
    small = jnp.abs(x) < 0.02
    safe = jnp.where(small, 1.0, x)
    series = 1.0 + x / 2.0 + x**2 / 12.0 - x**4 / 720.0
    return a * slope * jnp.where(small, series, safe / (1.0 - jnp.exp(-safe)))


def nav_advance(v: Any, s: Values, p: Values) -> Values:
    u = v + p["vshift"]
    a, b = rate(u, 0.182, -35.0, 9.0), rate(-u, 0.124, 35.0, 9.0)
    m = s["m"] + (1.0 - jnp.exp(-p["dt"] * p["tadj"] * (a + b))) * (a / (a + b) - s["m"])
    a, b = rate(u, 0.024, -50.0, 5.0), rate(-u, 0.0091, 75.0, 5.0)
    h_inf = 1.0 / (1.0 + jnp.exp((u + 65.0) / 6.2))
    h = s["h"] + (1.0 - jnp.exp(-p["dt"] * p["tadj"] * (a + b))) * (h_inf - s["h"])
    return {"m": m, "h": h}


def nav_current(v: Any, s: Values, p: Values) -> Any:
    return p["gbar"] * p["tadj"] * (1.0 - p["block"]) * s["m"] ** 3 * s["h"] * (v - p["ena"])


def nmda_advance(v: Any, s: Values, p: Values) -> Values:
    a = s["A"] * jnp.exp(-p["dt"] / p["tau_r"])
    b = s["B"] * jnp.exp(-p["dt"] / p["tau_decay"])
    return {"A": a, "B": b}


def nmda_current(v: Any, s: Values, p: Values) -> Any:
    unblocked = 1.0 / (1.0 + p["mg"] / p["k_mg"] * jnp.exp(-p["slope_mg"] * v))
    return p["gmax"] * (s["B"] - s["A"]) * (1.0 - p["block"]) * unblocked * (v - p["e"])


HAND = {"nav": (nav_advance, nav_current), "NMDA": (nmda_advance, nmda_current)}


def stepper(current: Callable[..., Any], advance: Callable[..., Values], p: Values) -> Callable[..., Any]:
    """Many steps at a voltage that swings, so that nothing can be left out."""

    def run(v: Any, s: Values) -> Any:
        def body(carry: Any, k: Any) -> Any:
            v, s = carry
            i, g = jax.jvp(lambda x: current(x, s, p), (v,), (jnp.ones_like(v),))
            v = v - 0.01 * i / (1.0 + g) + jnp.sin(k * 0.1)
            return (v, advance(v, s, p)), None

        return jax.lax.scan(body, (v, s), jnp.arange(STEPS, dtype=v.dtype))[0]

    return jax.jit(run)


def best_of(turns: int, runs: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Seconds of each, timed in turns."""
    times: dict[str, float] = {}
    for _ in range(turns):
        for name, run in runs.items():
            begin = time.perf_counter()
            jax.block_until_ready(run())
            took = time.perf_counter() - begin
            times[name] = min(took, times.get(name, took))
    return times


def compare(name: str, turns: int) -> None:
    mechanism = mechanisms.load(name)
    p: Values = {k: jnp.float32(x) for k, x in mechanism.defaults().items()}
    p |= {"celsius": jnp.float32(37.0), "dt": jnp.float32(0.025), "ena": jnp.float32(55.0)}
    p |= mechanism.derived(p)
    v = jnp.full((COMPARTMENTS, LANES), -60.0, jnp.float32)
    s = {k: x + 0.1 for k, x in mechanism.init(v, p).items()}
    advance, current = HAND[name]
    generated = stepper(mechanism.current, mechanism.advance, p)
    hand = stepper(current, advance, p)
    difference = float(jnp.max(jnp.abs(generated(v, s)[0] - hand(v, s)[0])))
    assert difference < 1e-2, difference
    times = best_of(turns, {"generated": lambda: generated(v, s), "hand": lambda: hand(v, s)})
    ratio = times["generated"] / times["hand"]
    per_step = {key: 1e6 * x / STEPS for key, x in times.items()}
    print(
        f"{name:6} generated {per_step['generated']:7.1f} us, by hand {per_step['hand']:7.1f} us a step: "
        f"{100 * (ratio - 1):+.1f} %"
    )


def translation_times(files: list[Path]) -> None:
    mechanisms.load("leak")  # loads the parser
    times = []
    for file in files:
        begin = time.perf_counter()
        try:
            mechanisms.load(file)
        except InputError:  # refused, or a table without values
            continue
        times.append((time.perf_counter() - begin, file.name))
    times.sort()
    slowest, median = times[-1], times[len(times) // 2]
    print(
        f"{len(times)} files: median {1e3 * median[0]:.0f} ms, slowest {1e3 * slowest[0]:.0f} ms ({slowest[1]})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", nargs="*", type=Path)
    parser.add_argument("--turns", type=int, default=7)
    options = parser.parse_args()
    translation_times(options.files or sorted(mechanisms.MOD_DIRECTORY.glob("*.mod")))
    for name in HAND:
        compare(name, options.turns)


if __name__ == "__main__":
    main()
