"""How every figure looks, and its way into the page: colours, sizes, and a picture with the words that stand for it."""

from __future__ import annotations

import base64
import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from ketune.report._origin import Origin

INK = "#1b1f24"
MUTED = "#6b7280"
FAINT = "#d5d9e0"

# Okabe and Ito 2008: told apart with every common form of colour blindness. Markers and line styles differ as well.
RECORDED = INK
HELD_OUT = "#8a8f98"
# The neuron without a drug, under it, and after it: the same colours in every figure.
BEFORE = SPIKING = "#0072B2"
DURING = "#D55E00"
RECOVERY = "#009E73"
PREDICTED = "#56B4E9"
OTHERS = ("#E69F00", "#CC79A7", "#56B4E9", "#8a6d3b")
SOMA, DENDRITE = INK, "#E69F00"
CAUTION = "#D55E00"
EXCITATORY, PV, SST = "#E69F00", "#CC79A7", "#56B4E9"
MAP = "cividis"
BLOCK_MAP = LinearSegmentedColormap.from_list(
    "block", matplotlib.colormaps["plasma"](np.linspace(0.0, 0.86, 128))
)
"""Perceptually even and safe for colour-blind readers; without plasma's yellow, which is lost on white paper."""

PANEL = (4.7, 3.3)
"""Width and height of a panel in inches: as wide as a phone, two abreast on a desk."""

_DPI = 200  # of maps, the only parts of a figure that are no lines

RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9.0,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "lines.linewidth": 1.6,
    "lines.markersize": 5.0,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    "svg.hashsalt": "ketune",
    "pdf.fonttype": 42,  # text that a drawing program can edit
    # Names of recordings and conditions are the user's: a dollar sign in one is a dollar sign.
    "text.parse_math": False,
}


YES, NO, OPEN = "#00664b", "#a33c00", "#6b5200"
"""Of verdicts, beside their marks; as in the style sheet."""

# Colours on paper and on a dark screen: the same hues, lighter.
_ON_DARK = {
    "#ffffff": "#14171c",
    INK: "#e8eaee",
    MUTED: "#a3abb8",
    FAINT: "#3b424d",
    HELD_OUT: "#a3abb8",
    BEFORE: "#5fb3ec",
    DURING: "#ff8a3d",
    RECOVERY: "#2fc79b",
    PREDICTED: "#a9d8f5",
    OTHERS[3]: "#c9a86a",
    YES: "#4fd1a8",
    NO: "#ff9a66",
    OPEN: "#e3c25a",
}
_DARK_STYLE = (
    "<style>@media screen and (prefers-color-scheme: dark) {"
    + "".join(
        f'[style*="{part}: {light.lower()}"]{{{part}:{dark} !important}}'
        for light, dark in _ON_DARK.items()
        for part in ("fill", "stroke")
    )
    + "}</style>"
).encode("ascii")


# A hundredth of a point is more than a screen or printer shows; what is beyond it is an eighth of the page. Scales of
# letters are left as they are.
_PLACES = re.compile(rb'\b(?:d|x|y)="[^"]*"')
_DECIMALS = re.compile(rb"(\d\.\d\d)\d+")


@dataclass(frozen=True)
class Picture:
    """A figure for the page: its data, what it shows in words (alt) and its caption.

    ``name`` tells it from the others of its section and names its file where it is written alone (:meth:`save`);
    ``origin`` says where its numbers come from.
    """

    name: str
    figure: Figure
    uri: str
    alt: str
    caption: str
    width: int
    height: int
    origin: tuple[Origin, ...] = ("fit",)
    wide: bool = False

    def save(self, path: Path) -> None:
        """Write it alone, as SVG or PDF by the file's ending; within :func:`style`, as it was drawn."""
        # A date in the file would make two files of one figure differ.
        undated = {"Date": None} if path.suffix == ".svg" else {"CreationDate": None}
        self.figure.savefig(path, dpi=_DPI, metadata={**undated, "Creator": None})


@contextmanager
def style() -> Iterator[None]:
    """Draw within this block."""
    with matplotlib.rc_context(RC), warnings.catch_warnings():
        # A name in a script that the font lacks is drawn with boxes; that is no news for the user.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def figure(width: float = PANEL[0], height: float = PANEL[1]) -> Figure:
    """An empty figure, sizes in inches. Nothing of pyplot's global state is touched."""
    return Figure(figsize=(width, height), layout="constrained")


def picture(
    fig: Figure,
    *,
    name: str,
    alt: str,
    caption: str,
    origin: tuple[Origin, ...] = ("fit",),
    wide: bool = False,
    adaptive: bool = True,
) -> Picture:
    """The figure as scalable graphics within an address, so that the page needs no other file.

    An ``adaptive`` figure turns dark where the reader's screen is; one with a colour map stays on white.
    """
    buffer = io.BytesIO()
    fig.savefig(buffer, format="svg", dpi=_DPI, metadata={"Date": None, "Creator": None})
    drawn = _PLACES.sub(lambda places: _DECIMALS.sub(rb"\1", places[0]), buffer.getvalue())
    if adaptive:
        head, tag, rest = drawn.partition(b"<defs>")
        drawn = head + _DARK_STYLE + tag + rest
    uri = "data:image/svg+xml;base64," + base64.b64encode(drawn).decode("ascii")
    width, height = (round(96 * inches) for inches in fig.get_size_inches())
    return Picture(name, fig, uri, alt, caption, width, height, origin, wide)


def legend_above(axes: Axes, **options: Any) -> None:
    """A legend over the axes, where it hides no data."""
    n = len(axes.get_legend_handles_labels()[1])
    if n:
        axes.legend(
            loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=min(n, options.pop("ncols", 2)), borderaxespad=0.2,
            handlelength=1.8, columnspacing=1.2, **options,
        )  # fmt: skip
