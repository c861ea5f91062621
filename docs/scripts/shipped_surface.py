"""Build the response surface of the default cell that the package ships.

    python docs/scripts/shipped_surface.py

Simulates 24,576 trials (30,600 simulated seconds), trains, measures the error on placements that the training has not
seen, and writes src/ketune/data/surfaces/cat_v1_l23.npz. Finished trials stay in build/surface, so that an interrupted
build goes on where it was.
"""

from __future__ import annotations

from pathlib import Path

from ketune._progress_display import progress_display
from ketune.cell_model import default_cell
from ketune.surface import SurfaceEffort, build_surface, measured, surface_key
from ketune.surface._library import shipped


def main() -> None:
    cell, kept = default_cell(), Path("build/surface")
    kept.mkdir(parents=True, exist_ok=True)
    with progress_display() as progress:
        surface = build_surface(cell, SurfaceEffort(), kept=kept, progress=progress)
        surface = measured(surface, cell, progress=progress)
    surface.made["key"] = surface_key(cell)
    surface.save(shipped())
    print(surface.error)


if __name__ == "__main__":
    main()
