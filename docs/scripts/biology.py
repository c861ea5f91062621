"""Draws docs/figures/biology.png and prints the numbers of docs/biology.md.

    python docs/scripts/biology.py [--shipped]

``--shipped`` measures the shipped cell under the default drive instead, with few trials and no figure. Takes about
three minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ketune.afferents import Drive
from ketune.biology import Reference, Trials, describe, run_biology
from ketune.biology._figure import draw
from ketune.cell_model import default_cell
from ketune.storage import jsonable

FIGURE = Path(__file__).parents[1] / "figures" / "biology.png"
STRENGTHS = {"ampa_nS": "ampa", "nmda_nS": "nmda", "pv_nS": "gaba_pv", "sst_nS": "gaba_sst"}


def shipped() -> Reference:
    """The default cell and drive as they are: what the calibration started from."""
    cell = default_cell()
    gmax = {name: float(cell.placement(label).parameters["gmax"][0]) for name, label in STRENGTHS.items()}
    strengths_nS = {name: 1e3 * value for name, value in gmax.items()}
    return Reference(Drive(), strengths_nS, nmda={}, hcn1_density=1.0, placement_seed=1)


def main() -> None:
    """Run, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shipped", action="store_true")
    if parser.parse_args().shipped:
        few = Trials(tuning=8, contrast=8, subthreshold=4, ablation=4)
        result = run_biology(parameters=shipped(), trials=few, disparities_deg=())
    else:
        result = run_biology()
        FIGURE.parent.mkdir(exist_ok=True)
        draw(result, FIGURE)
    print("\n".join(describe(result)))
    print(json.dumps(jsonable({c["name"]: c["details"] for c in result["checks"] if c["details"]}), indent=1))
    print(json.dumps(jsonable(result["control"]), indent=1))
    for disparity, shift, se in zip(
        *(result["curves"]["ablation"][key] for key in ("disparity_deg", "shift_deg", "se_deg")), strict=True
    ):
        print(
            f"{disparity:5.0f} deg",
            "  ".join(f"{x:6.1f} +/- {e:3.1f}" for x, e in zip(shift, se, strict=True)),
        )
    print(f"{result['seconds']:.0f} s")


if __name__ == "__main__":
    main()
