"""Quantiles of mouse V1 units that the mouse-like population is held against: writes population/mouse_units.toml.

The file of units is not shipped; it was derived from shixnya/v1_functional_property (commit 300ec81) and has a row a
unit with mean rates at 0, 45, 90 and 135 degrees, the spontaneous rate, layer, waveform type and whether the unit
responded.

    python docs/scripts/mouse_units.py mouse_visp_units.csv
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

import ketune

TABLE = Path(ketune.__file__).parent / "population" / "mouse_units.toml"
ORIENTATION_DEG = (0.0, 45.0, 90.0, 135.0)
LEAST_PEAK_HZ, LEAST_GOSI = 2.0, 0.1
PROBABILITY = np.arange(1, 20) / 20

HEAD = """\
# Written by docs/scripts/mouse_units.py. Quantiles only; the file of units is not shipped. See data/SOURCES.md.
source = "Allen Institute, Visual Coding Neuropixels, through shixnya/v1_functional_property at commit 300ec81 \
(BSD-3); Allen Institute Terms of Use and citation policy"
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("units", type=Path, help="CSV with a row a unit")
    with parser.parse_args().units.open(newline="") as file:
        rows = [
            r
            for r in csv.DictReader(file)
            if r["cortical_layer"] == "2" and r["waveform_type"] == "RS" and r["is_responsive"] == "True"
        ]
    rate = np.array([[float(r[f"rate_{o:.0f}"]) for o in ORIENTATION_DEG] for r in rows])
    spontaneous, peak = np.array([float(r["spont_rate_hz"]) for r in rows]), rate.max(axis=1)
    gosi = np.abs(rate @ np.exp(2j * np.deg2rad(ORIENTATION_DEG))) / rate.sum(axis=1)
    kept = (peak >= LEAST_PEAK_HZ) & (gosi >= LEAST_GOSI)

    def listed(values: np.ndarray) -> str:
        return "[" + ", ".join(f"{v:.4g}" for v in values) + "]"

    responding = peak >= LEAST_PEAK_HZ
    selection = (
        f"layer 2/3, regular spiking, responsive ({len(rows)} units), of these {responding.sum()} with at least "
        f"{LEAST_PEAK_HZ:g} Hz at the best of the four orientations, of these {kept.sum()} with gOSI of at least "
        f"{LEAST_GOSI:g}; drifting gratings of 2 Hz, 75 trials of 2 s each"
    )
    lines = [
        f'selection = "{selection}"',
        f"orientation_deg = {list(ORIENTATION_DEG)}",
        f"least_peak_hz = {LEAST_PEAK_HZ}",
        f"least_gosi = {LEAST_GOSI}",
        f"n = {kept.sum()}",
        f"rank_correlation_of_rates = {spearmanr(peak[kept], spontaneous[kept]).statistic:.3f}",
        f"probability = {listed(PROBABILITY)}",
    ]
    for name, x in (("gosi", gosi), ("peak_hz", peak), ("spontaneous_hz", spontaneous)):
        lines.append(f"{name} = {listed(np.quantile(x[kept], PROBABILITY))}")
    TABLE.write_text(HEAD + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
