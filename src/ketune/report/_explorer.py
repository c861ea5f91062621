"""The explorer of a fit for the page: its numbers in the form that the script reads, and the words around it."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import to_hex

from ketune.explorer import EXPLORER_FILE, Explorer, RouteGrid
from ketune.report import _style as s
from ketune.report._results import doubtful_numbers

COLOURS = 64
"""Steps of the colour map of block, as in ``explorer.js``."""

_ROUTES = {
    "topical": "on the cortex",
    "topical-constant": "on the cortex, kept wet",
    "bath": "bath",
    "ip": "intraperitoneal",
    "iv": "intravenous",
    "focal-pressure": "pressure pipette",
    "focal-iontophoresis": "iontophoresis",
}
_START_MIN = 30.0
_LOCAL_FULL = 65535


def explorer_section(directory: Path, identifier: str) -> dict[str, Any] | None:
    """What the template shows; None where the fit was not explored.

    Raises
    ------
    InputError
        The file is damaged, or another version of ketune wrote it.
    """
    if not (directory / EXPLORER_FILE).exists():
        return None
    explorer = Explorer.read(directory)
    accuracy, choices = explorer.accuracy, explorer.choices
    return {
        "id": f"{identifier}-explorer",
        "drug": explorer.drug,
        "settings": sum(len(grid.doses) for grid in explorer.routes) * len(explorer.times_min),
        "accuracy": accuracy,
        "within": accuracy.error_of_peak <= accuracy.tolerance,
        "switched_off": list(choices.get("switched_off", [])),
        "set_by_hand": [f"{name} = {value:g}" for name, value in choices.get("set", {}).items()],
        "block_model": choices.get("block_model", "equilibrium"),
        "doubtful": doubtful_numbers(explorer.cautions),
        "data": page_data(explorer),
    }


def page_data(explorer: Explorer) -> dict[str, Any]:
    """The explorer as the script takes it; see the head of ``explorer.js``."""
    tree = explorer.neuron
    return {
        "drug": explorer.drug,
        "orientation": explorer.orientation_deg,
        "times": explorer.times_min,
        "start": int(np.argmin(np.abs(np.array(explorer.times_min) - _START_MIN))),
        "soma": explorer.soma_depth_um,
        "error": explorer.accuracy.error_of_peak,
        "peakError": explorer.accuracy.quantity_error["peak_rate_hz"],
        "control": {"rate": explorer.control.rate_hz, **explorer.control.quantities},
        "tree": {
            "x": tree.x_um,
            "depth": tree.depth_um,
            "parent": tree.parent,
            "diam": tree.diam_um,
            "region": tree.region,
        },
        "routes": [_route(explorer, grid) for grid in explorer.routes],
    }


def _route(explorer: Explorer, grid: RouteGrid) -> dict[str, Any]:
    at = int(np.argmin(np.abs(np.array(explorer.times_min) - _START_MIN)))
    local = np.round(np.array(grid.local_block) * _LOCAL_FULL).astype("<u2")
    return {
        "route": grid.route,
        "name": _ROUTES.get(grid.route, grid.route),
        "doses": [text.replace("uM", "µM") for text in grid.dose_texts],
        # Where there is most to see: at the dose with a block nearest to a half.
        "start": int(np.argmin(np.abs(np.array(grid.nmda_block)[:, at] - 0.5))),
        "concentration": grid.concentration_uM,
        "block": grid.nmda_block,
        "pv": grid.pv_drive,
        "sst": grid.sst_drive,
        "rate": grid.rate_hz,
        "sd": grid.rate_error_hz,
        "quantities": grid.quantities,
        "remarks": [
            [explorer.remarks(grid, i, j) for j in range(len(explorer.times_min))]
            for i in range(len(grid.doses))
        ],
        "local": base64.b64encode(local.tobytes()).decode("ascii"),
    }


def page_parts() -> dict[str, Any]:
    """What a page with explorers has once: the script, and colours for its style sheet.

    ``source`` goes into the content security policy: this script alone may run, whatever a recording's name contains.
    """
    text = (resources.files("ketune.report") / "templates" / "explorer.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return {
        "script": text,
        "source": f"'sha256-{digest}'",
        "control": s.BEFORE,
        "drug": s.DURING,
        "block": _colours(dark=False),
        "block_dark": _colours(dark=True),
    }


def _colours(*, dark: bool) -> list[str]:
    """The map of block from 0 to 1, as in the other figures; on a dark screen its brighter part."""
    at = np.linspace(0.0, 1.0, COLOURS)
    return [to_hex(c) for c in (matplotlib.colormaps["plasma"](0.2 + 0.75 * at) if dark else s.BLOCK_MAP(at))]
