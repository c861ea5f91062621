"""Recovery of known parameters from spikes of the spiking cell: coverage of intervals, errors, verdicts.

Synthetic neurons are drawn from the priors, each with synapses of its own that the analysis does not know. Their
control and drug recordings come from the spiking cell with independent seeds; NEURON replays one trial per orientation.

    python benchmarks/recovery.py --neurons 20 --output recovery.json [--replay]
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from ketune.afferents import Drive, Grating, hard_events, place_synapses
from ketune.cell_model import build_cell
from ketune.engines import create
from ketune.engines.jax_engine import JaxEngine
from ketune.fitting import synapse_overrides
from ketune.inference import (
    ACTIONS,
    ConditionCounts,
    JointModel,
    Trees,
    condition_drive,
    curvature,
    find_optimum,
    identify,
    identify_profile,
    profiles,
    sample_modes,
    simulate_condition,
)
from ketune.provenance import provenance
from ketune.surface import surface_of

ORIENTATION_DEG = (*np.arange(0.0, 180.0, 20.0), np.nan)
WINDOW_S, TRIALS, DT_MS = 0.5, 25, 0.05
LEVEL = 0.9
CHAINS, WARM_UP, DRAWS = 2, 60, 150
# A neuron that hardly fires, or that no cortical neuron outfires, is drawn again.
PEAK_COUNT = (2.0, 40.0)


def empty_conditions() -> tuple[ConditionCounts, ConditionCounts]:
    """Conditions without spikes, for models that only predict."""
    counts = tuple(np.zeros(TRIALS, int) for _ in ORIENTATION_DEG)
    return ConditionCounts("control", counts), ConditionCounts("ketamine", counts, ACTIONS)


class Bench:
    """The cell, its surface and its engine."""

    def __init__(self) -> None:
        self.cell = build_cell(None, None)
        self.engine = create(self.cell, "auto", dt_ms=DT_MS, dtype=np.float32)
        self.surface = surface_of(self.cell)
        apical = self.cell.table.region == "apical"
        self.trees = Trees.of([place_synapses(self.cell, seed=i) for i in range(8)], apical)
        self.apical = apical
        self.grating = Grating(ORIENTATION_DEG, window_ms=WINDOW_S * 1e3)

    def model(self, conditions: tuple[ConditionCounts, ...]) -> JointModel:
        return JointModel(self.surface, conditions, ORIENTATION_DEG, WINDOW_S, self.trees)

    def truth(self, seed: int) -> dict[str, float]:
        """Parameters of one synthetic neuron."""
        model, rng = self.model(empty_conditions()), np.random.default_rng([seed, 51])
        while True:
            x = model.prior_draws(1, rng)[0]
            mean = model.moments(x).mean
            if PEAK_COUNT[0] < mean[0].max() < PEAK_COUNT[1] and mean[1].max() > 0.5 * PEAK_COUNT[0]:
                return {n: float(v) for n, v in model.values(x).items()}

    def recorded(self, values: dict[str, float], seed: int) -> tuple[ConditionCounts, ...]:
        """Counts of control and drug from the spiking cell, with independent seeds."""
        layout, found = place_synapses(self.cell, seed=10_000 + seed), []
        for i, (label, actions) in enumerate((("control", ()), ("ketamine", ACTIONS))):
            counts = simulate_condition(
                self.engine,
                layout,
                self.grating,
                values,
                label,
                Drive(),
                trials=TRIALS,
                seed=1000 * seed + 500 * i + 7,
            ).counts
            found.append(ConditionCounts(label, tuple(counts), actions))
        return tuple(found)

    def replayed(self, values: dict[str, float], seed: int) -> bool:
        """Whether NEURON fires as often as the float64 twin in one trial of every orientation and condition."""
        from ketune.engines.neuron_engine import NeuronJob, run_in_processes

        layout = place_synapses(self.cell, seed=10_000 + seed)
        exact = JaxEngine(self.cell, dt_ms=DT_MS, dtype=np.float64, derivative="forward_difference")
        same = True
        for i, label in enumerate(("control", "ketamine")):
            drive, synapses = condition_drive(values, label, Drive())
            overrides = synapse_overrides(synapses)
            grating = replace(self.grating, orientation_deg=ORIENTATION_DEG[:-1])
            events = hard_events(
                layout, grating, drive, trials=range(1), seed=1000 * seed + 500 * i + 7, dt_ms=DT_MS
            )
            jobs = [NeuronJob(self.cell, events, lane, overrides=overrides) for lane in range(events.n_lanes)]
            twin = exact.run(events, overrides=overrides, keep_voltage=False).counts(
                from_ms=grating.warm_up_ms
            )
            for lane, result in enumerate(run_in_processes(jobs)):
                same &= result.run is not None and result.run.count(grating.warm_up_ms, np.inf) == twin[lane]
        return bool(same)


def excitation(values: dict[str, np.ndarray]) -> np.ndarray:
    """Mean strength of an excitatory synapse: charge of AMPA and, at -60 mV, of NMDA (arbitrary unit)."""
    return values["ampa_nS"] * 2.0 + values["nmda_nS"] * 0.1 * 80.0


def derived(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Products that counts determine better than their factors."""
    strength = excitation(values)
    return {
        "driven x strength": values["peak_rate_hz"] * strength,
        "background x strength": values["background_rate_hz"] * strength,
    }


def analysed(
    bench: Bench, values: dict[str, float], conditions: tuple[ConditionCounts, ...], seed: int
) -> dict:
    """Intervals of one neuron."""
    model, seconds = bench.model(conditions), {}

    def timed(name, work):
        begun = time.monotonic()
        result = work()
        seconds[name] = round(time.monotonic() - begun, 2)
        return result

    best = timed("optimum", lambda: find_optimum(model, seed=seed))
    covariance = timed("curvature", lambda: curvature(model, best.coordinates))
    profiled = timed("profiles", lambda: profiles(model, best.coordinates, covariance, level=LEVEL))
    draws = timed(
        "posterior",
        lambda: sample_modes(model, best.modes, seed=seed, chains=CHAINS, warm_up=WARM_UP, draws=DRAWS),
    )
    posterior, at_best = model.values(draws.coordinates), model.values(best.coordinates)
    rows, rng = {}, np.random.default_rng(seed)
    prior = model.values(model.prior_draws(4000, rng))
    prior |= derived(prior)
    scales = {p.name: p.scale for p in model.parameters}
    everything = {**posterior, **derived(posterior)}
    truth = {**values, **derived({n: np.asarray(v) for n, v in values.items()})}
    for name, x in everything.items():
        true = float(truth[name])
        if name.startswith("preferred"):
            true, x = true % 180.0, x % 180.0
            centre = np.rad2deg(np.angle(np.exp(2j * np.deg2rad(x)).mean())) / 2
            x, true = _around(x, centre), _around(true, centre)
        scale = scales.get(name, "log")
        how = (
            {"period": 180.0}
            if scale == "orientation"
            else {"to_normal": np.log}
            if scale == "log"
            else {"bounds": (0.0, 1.25)}
        )
        found = identify(name, x, prior[name], level=LEVEL, **how)
        low, median, high = np.quantile(x, [0.5 - LEVEL / 2, 0.5, 0.5 + LEVEL / 2])
        rows[name] = {
            "truth": true,
            "low": low,
            "median": median,
            "high": high,
            "covered": bool(low <= true <= high),
            "rank": float((x < true).mean()),
            "split_r_hat": _r_hat(x),
            "verdict": found.verdict,
            "contraction": found.contraction,
        }
    for p in profiled:
        angle = p.name.startswith("preferred")
        interval = identify_profile(
            p.name, p.values, p.log_likelihood, period=180.0 if angle else None, level=LEVEL
        )
        low, high = interval.low, interval.high
        true = _around(rows[p.name]["truth"], (low + high) / 2) if angle else rows[p.name]["truth"]
        rows[p.name] |= {
            "profile_low": low,
            "profile_high": high,
            "profile_covered": bool(low <= true <= high),
            "map": float(at_best[p.name]),
        }
    return {
        "parameters": rows,
        "seconds": seconds,
        "gradients": {
            "optimum": best.gradients,
            "profiles": sum(p.gradients for p in profiled),
            "posterior": draws.gradients,
        },
        "modes": len(best.modes),
        "status": best.status,
        "divergences": int(draws.diverging.sum()),
        "largest_r_hat": max(r["split_r_hat"] for r in rows.values()),
    }


def _around(angle, centre):
    return (angle - centre + 90.0) % 180.0 - 90.0 + centre


def _r_hat(x: np.ndarray) -> float:
    half = x.shape[1] // 2
    chains = np.concatenate([x[:, :half], x[:, half : 2 * half]])
    within = chains.var(axis=1, ddof=1).mean()
    return float(np.sqrt((within * (half - 1) / half + chains.mean(axis=1).var(ddof=1)) / within))


def summary(neurons: list[dict]) -> dict:
    """Pooled coverage and the errors by parameter."""
    names = list(neurons[0]["parameters"])
    table = {}
    for name in names:
        rows = [n["parameters"][name] for n in neurons]
        truth, median = (np.array([r[k] for r in rows]) for k in ("truth", "median"))
        table[name] = {
            "covered": float(np.mean([r["covered"] for r in rows])),
            "profile_covered": float(np.mean([r["profile_covered"] for r in rows]))
            if "profile_covered" in rows[0]
            else None,
            "median_absolute_error": float(np.median(np.abs(median - truth))),
            "median_relative_error": float(np.median(np.abs(median / truth - 1))),
            "identified": float(np.mean([r["verdict"] == "identified" for r in rows])),
            "median_contraction": float(np.median([r["contraction"] for r in rows])),
            "median_width": float(np.median([r["high"] - r["low"] for r in rows])),
        }
    own = [n for n in names if " x " not in n]
    return {
        "coverage": float(np.mean([table[n]["covered"] for n in own])),
        "profile_coverage": float(np.mean([table[n]["profile_covered"] for n in own])),
        "parameters": table,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--neurons", type=int, default=20)
    parser.add_argument("--first", type=int, default=1, help="seed of the first neuron")
    parser.add_argument("--replay", action="store_true", help="replay one trial per orientation in NEURON")
    parser.add_argument("--output", type=Path, default=Path("recovery.json"))
    arguments = parser.parse_args()
    bench, neurons = Bench(), []
    for seed in range(arguments.first, arguments.first + arguments.neurons):
        values = bench.truth(seed)
        begun = time.monotonic()
        conditions = bench.recorded(values, seed)
        simulated = time.monotonic() - begun
        result = analysed(bench, values, conditions, seed)
        result["mean"] = [[float(o.mean()) for o in c.counts] for c in conditions]
        result["seconds"]["simulated recording"] = round(simulated, 2)
        result["counts"] = [[o.tolist() for o in c.counts] for c in conditions]
        if arguments.replay:
            result["replay_identical"] = bench.replayed(values, seed)
        neurons.append({"seed": seed, **result})
        covered = np.mean([r["covered"] for n, r in result["parameters"].items() if " x " not in n])
        print(
            seed,
            f"covered {covered:.2f}",
            result["seconds"],
            result["status"],
            f"{result['largest_r_hat']:.3f}",
            flush=True,
        )
        document = {
            "summary": summary(neurons),
            "neurons": neurons,
            "provenance": provenance(seed=arguments.first),
        }
        arguments.output.write_text(json.dumps(document, indent=1, default=float))
    print(json.dumps(summary(neurons), indent=1))


if __name__ == "__main__":
    main()
