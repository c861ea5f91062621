"""Draws docs/figures/population.png and prints the tables of docs/population.md.

    python docs/scripts/population.py [--neurons 48] [--seeds 5] [--first 1]

Everything comes from the shipped response surface; nothing is simulated. Takes a minute.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from ketune.population import SPECIES, Population, draw_population, evoked_fano, mouse_units, unit_like
from ketune.report import _style as style

FIGURE = Path(__file__).parents[1] / "figures" / "population.png"
COLOUR = dict(zip(SPECIES, (style.PREDICTED, style.SPIKING), strict=True))
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def quantities(populations: list[Population]) -> dict[str, np.ndarray]:
    """Of all neurons together."""
    fits = [fit for p in populations for fit in p.statistics.fits]
    rate = np.concatenate([p.statistics.mean / p.window_s for p in populations])
    fano = np.concatenate([p.statistics.fano for p in populations])
    return {
        "sigma (deg)": np.array([f.sigma_deg for f in fits]),
        "HWHM (deg)": np.array([f.hwhm_deg for f in fits]),
        "OSI": np.array([f.osi for f in fits]),
        "peak (Hz)": rate[:, :-1].max(axis=1),
        "spontaneous (Hz)": rate[:, -1],
        "Fano, evoked": np.concatenate([evoked_fano(p) for p in populations]),
        "Fano at the peak": fano[np.arange(len(fano)), rate[:, :-1].argmax(axis=1)],
        "disparity, absolute (deg)": np.abs([n.disparity_deg for p in populations for n in p.neurons]),
    }


def report(species: str, populations: list[Population]) -> None:
    """Verdicts by seed, then quantiles over all neurons."""
    print(f"\n{species}")
    for p in populations:
        check, statistics = p.control_check(), p.statistics
        rows = "; ".join(f"{r.quantity} {r.value:.3f}{'' if r.met else ' MISSED'}" for r in check.rows)
        print(
            f"seed {p.seed}: T0 {'met' if check.met else 'missed'}, kept {statistics.share_kept:.2f}; {rows}"
        )
    refused = {
        k: sum(p.statistics.refused[k] for p in populations) for k in populations[0].statistics.refused
    }
    print(
        f"met in {sum(p.control_check().met for p in populations)} of {len(populations)}; refused {refused}"
    )
    print("| quantity | mean | " + " | ".join(f"{q:.0%}" for q in QUANTILES) + " |")
    for name, x in quantities(populations).items():
        print(
            f"| {name} | {x.mean():.3g} | " + " | ".join(f"{v:.3g}" for v in np.quantile(x, QUANTILES)) + " |"
        )
    statuses = [f.status for p in populations for f in p.statistics.fits]
    print("fits:", {s: statuses.count(s) for s in sorted(set(statuses))})
    if species == "mouse":
        units, found = mouse_units(), pooled_units(populations)
        at = [units.probability.index(q) for q in (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)]
        for name, x in found.items():
            data = np.array(getattr(units, name))[at]
            model = np.quantile(x, np.array(units.probability)[at])
            print(f"{name}: units {data.round(2)}, neurons ({x.size}) {model.round(2)}")


def pooled_units(populations: list[Population]) -> dict[str, np.ndarray]:
    """What the units' table holds, of all neurons together."""
    each = [unit_like(p) for p in populations]
    return {name: np.concatenate([e[name] for e in each]) for name in each[0]}


def draw(drawn: dict[str, list[Population]]) -> None:
    """Curves, widths and Fano factors of both species; the mouse-like one against the units."""
    units = mouse_units()
    with plt.rc_context(style.RC):
        figure, axes = plt.subplots(2, 3, figsize=(10.5, 6.2), layout="constrained")
        angle = np.linspace(-90.0, 90.0, 181)
        for row, species in enumerate(SPECIES):
            ax, colour = axes[row, 0], COLOUR[species]
            population = drawn[species][0]
            for fit in population.statistics.fits[:16]:
                ax.plot(
                    angle,
                    fit(angle + fit.preferred_deg) / population.window_s,
                    color=colour,
                    lw=0.8,
                    alpha=0.7,
                )
            ax.set(
                xlabel="orientation − preferred (deg)",
                ylabel="expected rate (Hz)",
                xticks=[-90, -45, 0, 45, 90],
            )
            ax.set_title(f"{species}-like: 16 neurons, fitted curves")
            ax.set_ylim(0, None)
        ax = axes[0, 1]
        bins = np.arange(9.0, 64.0, 2.0)  # the widest fit is at 60 deg
        for species in SPECIES:
            sigma = quantities(drawn[species])["sigma (deg)"]
            ax.hist(
                sigma,
                bins,
                color=COLOUR[species],
                histtype="step",
                lw=1.6,
                label=f"{species}-like",
                density=True,
            )
            ax.axvline(sigma.mean(), color=COLOUR[species], ls="--", lw=1.0)
        ax.axvspan(11.6, 17.6, color=style.FAINT, zorder=0, label="T0, cat: the mean")
        ax.set(xlabel="sigma of the Gaussian fit (deg)", ylabel="share of neurons per deg")
        ax.set_title("Width (dashed: means)")
        ax.legend()
        ax = axes[0, 2]
        for species in SPECIES:
            fano = quantities(drawn[species])["Fano, evoked"]
            ax.hist(
                fano, np.arange(0.8, 3.6, 0.1), color=COLOUR[species], histtype="step", lw=1.6, density=True
            )
            ax.axvline(fano.mean(), color=COLOUR[species], ls="--", lw=1.0)
        ax.axvspan(0.8, 2.0, color=style.FAINT, zorder=0)
        ax.set(xlabel="evoked Fano factor in 0.5 s", ylabel="share of neurons per unit")
        ax.set_title("Variability (grey: T0, the mean)")
        found = pooled_units(drawn["mouse"])
        for ax, names in ((axes[1, 1], ("gosi",)), (axes[1, 2], ("peak_hz", "spontaneous_hz"))):
            for name in names:
                x, line = np.sort(found[name]), "-" if name != "spontaneous_hz" else "--"
                ax.plot(x, np.arange(1, x.size + 1) / x.size, line, color=COLOUR["mouse"], label="neurons")
                marker = "o" if name != "spontaneous_hz" else "s"
                ax.plot(
                    getattr(units, name),
                    units.probability,
                    marker,
                    color=style.RECORDED,
                    ms=3.5,
                    label="units",
                )
            ax.set_ylabel("share below")
            ax.set_ylim(0, 1)
        ax = axes[1, 1]
        for share in (0.25, 0.5, 0.75):
            ax.hlines(share, *units.gosi_range(share, 48, together=3), color=style.MUTED, lw=5, alpha=0.4)
        ax.set(xlabel="gOSI at 0, 45, 90, 135 deg", xlim=(0, 1))
        ax.set_title(f"{units.n} mouse units (grey: range for 48)")
        ax.legend(loc="upper left")
        ax = axes[1, 2]
        ax.set(xlabel="rate (Hz)", xscale="log", xlim=(0.04, 40))
        ax.set_xticks([0.1, 1, 10], ["0.1", "1", "10"])
        ax.set_title("Spontaneous (dashed) and best rate")
        figure.savefig(FIGURE, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--neurons", type=int, default=48)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=1, help="seed of the first population")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.seeds)
    drawn = {s: [draw_population(s, options.neurons, seed) for seed in seeds] for s in SPECIES}
    for species, populations in drawn.items():
        report(species, populations)
    draw(drawn)


if __name__ == "__main__":
    main()
