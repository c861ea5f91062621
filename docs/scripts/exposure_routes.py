"""Writes docs/figures/exposure_routes.png and prints the numbers of docs/exposure.md on routes at equal effect.

python docs/scripts/exposure_routes.py
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from ketune.workflow import describe_exposure, run_exposure

FIGURE = Path(__file__).parents[1] / "figures" / "exposure_routes.png"


def main() -> None:
    """Measure, print, draw."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "routes"
        result = run_exposure(route="topical", dose="0.5 mg/ml", compare=True, output=output)
        print("\n".join(describe_exposure(result)))
        shutil.copyfile(output / "exposure.png", FIGURE)


if __name__ == "__main__":
    main()
