"""Draws docs/figures/assay.png and prints the numbers of docs/assay.md.

    python docs/scripts/assay.py

Takes a few seconds.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from ketune.pharmacology import assay_overrides, fit_assay, load_drug, nmda_block, read_assay

DOCS = Path(__file__).parents[1]
EXAMPLE = DOCS / "examples" / "assay_synthetic.csv"
FIGURE = DOCS / "figures" / "assay.png"
MV = -66.0


def main() -> None:
    drug = load_drug()
    assay = read_assay(EXAMPLE)
    for target in assay.targets(drug):
        found = fit_assay(assay, target, drug)
        print(found.describe())
        print(
            f"  noise {found.noise_sd:.3f}, between preparations a factor of {np.exp(found.between_sd):.2f}"
        )
        for condition in found.conditions:
            print(
                f"  {condition.condition}: IC50 {condition.ic50_uM} uM, x {condition.to_tissue} to 1 mM Mg at -66 mV"
            )
        for line in found.cautions:
            print(f"  caution: {line}")

    found = fit_assay(assay, "nmda", drug)
    draws = assay_overrides(found, 300, seed=1)
    concentrations = np.geomspace(0.03, 300.0, 80)
    block = {
        mg: np.array([nmda_block(concentrations, MV, drug, overrides={**o, "nmda.mg": mg}) for o in draws])
        for mg in (0.0, 1.0)
    }
    for c in (1.0, 3.0, 10.0):
        said = []
        for mg in (0.0, 1.0):
            at = [float(nmda_block(c, MV, drug, overrides={**o, "nmda.mg": mg})) for o in draws]
            low, middle, high = np.quantile(at, [0.025, 0.5, 0.975])
            said.append(f"{mg:g} mM Mg {middle:.2f} ({low:.2f} to {high:.2f})")
        print(f"block at {c:g} uM: {', '.join(said)}")

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    rows = assay.select(drug, "nmda")
    for marker, cell in zip("osD^v", dict.fromkeys(row.preparation for row in rows), strict=True):
        own = [row for row in rows if row.preparation == cell]
        left.plot(
            [row.concentration_uM for row in own],
            [100 * row.block for row in own],
            marker,
            color="k",
            mfc="none",
            ms=5,
            label="cells, 0 Mg (synthetic)" if marker == "o" else None,
        )
    named = {0.0: ("C3", "0 Mg, as measured: wrong in tissue"), 1.0: ("C0", "1 mM Mg, corrected")}
    for mg, (colour, label) in named.items():
        for width, alpha in ((0.9, 0.18), (0.5, 0.35)):
            low, high = np.quantile(100 * block[mg], [0.5 - width / 2, 0.5 + width / 2], axis=0)
            left.fill_between(concentrations, low, high, color=colour, alpha=alpha, lw=0)
        left.plot(concentrations, np.median(100 * block[mg], axis=0), color=colour, label=label)
    left.set_xscale("log")
    left.set_xlabel("free ketamine (µM)")
    left.set_ylabel("NMDA block at −66 mV (%)")
    left.legend(frameon=False, fontsize=8, loc="upper left")
    left.set_ylim(-3, 125)
    left.set_yticks([0, 25, 50, 75, 100])

    shown = slice(None, None, 8)
    assert found.tissue_ic50_uM is not None
    right.plot(found.ic50_uM[shown], found.hill[shown], ".", color="C3", ms=3, label="0 Mg, −66 mV")
    right.plot(found.tissue_ic50_uM[shown], found.hill[shown], ".", color="C0", ms=3, label="1 mM Mg, −66 mV")
    for truth in (2.0 * 0.322, 2.0 * 0.322 * 16.2):
        right.plot(truth, 0.9, "k+", ms=10, mew=1.5, label="truth" if truth < 1 else None)
    right.set_xscale("log")
    right.set_xlabel("IC50 (µM)")
    right.set_ylabel("Hill coefficient")
    right.set_xlim(0.06, 60.0)
    right.legend(frameon=False, fontsize=8, loc="lower left")
    figure.savefig(FIGURE, dpi=150)


if __name__ == "__main__":
    main()
