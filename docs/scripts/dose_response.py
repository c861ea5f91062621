"""Draws docs/figures/dose_response_*.png from what `benchmarks/dose_response.py --json FILE` measured.

python benchmarks/dose_response.py FIT_DIRECTORY --json FILE
python docs/scripts/dose_response.py FILE
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ketune.report import _dose_figures as figures
from ketune.report import _style as s

FIGURES = Path(__file__).parents[1] / "figures"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    document = json.loads(parser.parse_args().file.read_text(encoding="utf-8"))
    with s.style():
        drawn = {
            "curves": (figures.curves_figure, figures.curves_picture, document["response"]),
            "emulator": (figures.emulator_figure, figures.emulator_picture, document["response"]),
            "attribution": (figures.attribution_figure, figures.attribution_picture, document["attribution"]),
        }
        for name, (figure, picture, part) in drawn.items():
            path = FIGURES / f"dose_response_{name}.png"
            figure(part).savefig(path, dpi=150)
            print(f"{path.name}: {picture(part, 'ketamine').caption}")


if __name__ == "__main__":
    main()
