"""Draws docs/figures/gradient_*.png and prints the tables of docs/gradients.md from what the benchmarks measured.

python benchmarks/gradient_estimators.py --json DIR/gradients.json
python benchmarks/gradient_estimators.py --part descent --json DIR/descent.json
python benchmarks/optimisers.py --json DIR/optimisers.json
python benchmarks/gradient_free.py --json DIR/gradient_free.json
python docs/scripts/gradients.py DIR
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

FIGURES = Path(__file__).parents[1] / "figures"
_SETS = {"near": "near the recording", "far": "far from it"}


def estimators_table(document: dict[str, Any], label: str) -> None:
    """One parameter set of `gradients`."""
    print(
        "\n| estimator | cosine | length | bias | SD of one | cosine of one | simulated s | wall s |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    for name, f in document["sets"][label]["estimators"].items():
        rest = "" if f["n_told"] == 11 else f" ({f['n_told']} of 11)"
        print(
            f"| {name}{rest} | {f['cosine']:.3f} | {f['norm']:.2f} | {f['bias']:.2f} (noise {f['bias_noise']:.2f}) | "
            f"{f['sd']:.2f} | {f['cosine_of_one']:.2f} | {f['simulated_s']:.0f} | {f['wall_s']:.1f} |"
        )


def draw_estimators(document: dict[str, Any]) -> None:
    """Each estimator's mean against the reference, parameter by parameter, and its spread."""
    names = list(document["sets"]["far"]["estimators"])
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.6), sharey=True, layout="constrained")
    at = np.arange(len(names))
    for axis, (label, words) in zip(axes, _SETS.items(), strict=True):
        found = document["sets"][label]["estimators"]
        each = [found[name] for name in names]
        axis.barh(
            at + 0.2, [f["sd"] for f in each], 0.38, color="0.75", label="standard deviation of one estimate"
        )
        axis.barh(at - 0.2, [f["bias"] for f in each], 0.38, color="C3", label="bias")
        axis.errorbar(
            [f["bias"] for f in each],
            at - 0.2,
            xerr=[f["bias_noise"] for f in each],
            fmt="none",
            color="k",
            lw=1,
        )
        axis.set_xscale("symlog", linthresh=1.0)
        axis.set_xlim(0, 7)
        axis.set_xticks([0, 0.5, 1, 2, 5], ["0", "0.5", "1", "2", "5"])
        axis.set_yticks(at, names)
        axis.set_xlabel("relative to the gradient's length")
        axis.set_title(
            f"{words} ({100 * document['sets'][label]['reference']['relative_error']:.0f} % error of reference)"
        )
        axis.axvline(1, color="0.4", lw=0.8, ls=":")
    axes[0].invert_yaxis()
    axes[1].legend(frameon=False, loc="upper right", fontsize=8)
    figure.savefig(FIGURES / "gradient_estimators.png", dpi=150)


def draw_descents(document: dict[str, Any], optimisers: dict[str, Any], free: dict[str, Any]) -> None:
    """Loss and log-likelihood against simulated seconds."""
    figure, axes = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
    for k, (name, way) in enumerate(document["ways"]["far"].items()):
        trace = way["trace"]
        axes[0].plot(
            [t["simulated_s"] for t in trace], [max(t["loss"], 0.3) for t in trace], marker="osD^vPX"[k % 7], ms=3.5,
            lw=1.2, label=name,
        )  # fmt: skip
    axes[0].axhline(document["reached"], color="0.4", lw=0.8, ls=":")
    axes[0].set(
        yscale="log",
        xlabel="simulated s",
        ylabel="loss of the spiking cell",
        title="Adam with each estimator",
    )
    best = optimisers["summary"]["far"]["best"]
    for k, (name, run) in enumerate(optimisers["runs"]["far"].items()):
        short = np.maximum(best - np.array(run["value"]), 0.03)
        axes[1].step(
            run["simulated_s"], short, where="post", lw=1.4, ls=("-", "--")[k // 4], color=f"C{k}", label=name
        )
    axes[1].set(yscale="log", xlabel="simulated s", ylabel="log-posterior below the best", title="optimisers")
    for k, (name, trace) in enumerate(free["runs"]["far"].items()):
        axes[2].plot(
            [t["simulated_s"] for t in trace],
            [max(t["loss"], 0.3) for t in trace],
            marker="osD"[k],
            ms=4,
            label=name,
        )
    axes[2].axhline(free["reached"], color="0.4", lw=0.8, ls=":")
    axes[2].set(
        yscale="log",
        xlabel="simulated s",
        ylabel="loss of the spiking cell",
        title="with and without gradients",
    )
    for axis in axes:
        axis.legend(frameon=False, fontsize=7)
    figure.savefig(FIGURES / "gradient_descents.png", dpi=150)


def descent_tables(document: dict[str, Any], optimisers: dict[str, Any], free: dict[str, Any]) -> None:
    """Cost to the same loss."""
    starts = list(document["ways"])
    print("\n| estimator | " + " | ".join(f"{s}: simulated s | wall s | last loss" for s in starts) + " |")
    print("|---|" + "---|---|---|" * len(starts))
    for name in document["ways"][starts[0]]:
        cells = []
        for start in starts:
            way = document["ways"][start][name]
            there, last = way["reached"], way["trace"][-1]["loss"]
            cells.append(
                f"never | | {last:.1f}"
                if there is None
                else f"{there['simulated_s']:.0f} | {there['wall_s']:.0f} | {last:.1f}"
            )
        print(f"| {name} | " + " | ".join(cells) + " |")
    starts = list(optimisers["summary"])
    print("\n| optimiser | " + " | ".join(f"{s}: within 5 | within 1 | end" for s in starts) + " |")
    print("|---|" + "---|---|---|" * len(starts))
    for name in optimisers["runs"][starts[0]]:
        cells = []
        for start in starts:
            own = optimisers["summary"][start]
            within = [
                "never" if c is None else f"{c['simulated_s']:.0f} s ({c['wall_s']:.0f} s)"
                for c in own["within"][name].values()
            ]
            end = optimisers["runs"][start][name]["value"][-1] - own["best"]
            cells.append(" | ".join([*within, f"{end:.1f}"]))
        print(f"| {name} | " + " | ".join(cells) + " |")
    print("\n| start | way | reached at | simulated s | wall s | last loss |\n|---|---|---|---|---|---|")
    for start, ways in free["runs"].items():
        for name, trace in ways.items():
            there = next((t for t in trace if t["loss"] <= free["reached"]), None)
            words = (
                f"never in {trace[-1]['simulated_s']:.0f} s | | "
                if there is None
                else f"{there['stage']} | {there['simulated_s']:.0f} | {there['wall_s']:.0f}"
            )
            print(f"| {start} | {name} | {words} | {trace[-1]['loss']:.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", type=Path)
    directory = parser.parse_args().directory
    gradients, descent, optimisers, free = (
        json.loads((directory / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("gradients", "descent", "optimisers", "gradient_free")
    )
    for label in _SETS:
        estimators_table(gradients, label)
    descent_tables(descent, optimisers, free)
    draw_estimators(gradients)
    draw_descents(descent, optimisers, free)


if __name__ == "__main__":
    main()
