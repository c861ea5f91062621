"""The overview table: none of its columns is cut off."""

from __future__ import annotations

import re
from pathlib import Path

from matplotlib.font_manager import FontProperties, findfont
from matplotlib.ft2font import FT2Font
from report_example import apply_document, fit_document
from report_reader import Page, write_page

from ketune.storage import write_json

REM = 16.0


def wide_page(folder: Path) -> Page:
    """Long names, numbers with many digits, and changes that are not determined, as real fits give them."""
    fit, applied = fit_document(name="cat_area17_unit_042_session_2026_with_a_long_name"), apply_document()
    fit["check"] |= {
        "correlation": 0.99899,
        "correlation_se": 0.00082,
        "rmse_fraction_of_range": 0.1319,
        "rmse_se": 0.0053,
        "fano_ratio_median": 0.98612,
        "fano_ratio_se": 0.00063,
    }
    for change in applied["changes"]:
        change |= {"best": -8.4, "low": -0.0276, "high": 0.0131, "determined": False}
    write_json(folder / "fit.json", fit, "ketune-fit/1")
    write_json(folder / "apply-ketamine-topical.json", applied, "ketune-apply/1")
    return write_page([folder, folder], folder)


def pixels(source: str, before: str) -> float:
    """The length in the style sheet that follows a pattern."""
    found = re.search(before + r" ?([\d.]+)rem", source)
    assert found, before
    return REM * float(found[1])


def widest_piece(html: str, *, px: float, bold: bool) -> float:
    """Width of the widest piece of a cell that no browser breaks, in a wide font (that of Linux browsers)."""
    font = FT2Font(findfont(FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")))
    font.set_size(px, 72)
    text = re.sub(r"<[^>]*>", " ", html).replace("&nbsp;", "\N{NO-BREAK SPACE}")

    def width(piece: str) -> float:
        font.set_text(piece, 0.0)
        return float(font.get_width_height()[0]) / 64

    return max((width(piece) for piece in re.split(r"[ \n]+|(?<=-)", text) if piece), default=0.0)


def test_the_overview_table_fits_into_the_page(tmp_path: Path) -> None:
    source = wide_page(tmp_path).source
    table = source[source.index('<table class="overview">') : source.index("</table>")]
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S) for row in table.split("<tr>")[1:]]
    assert [len(row) for row in rows] == [9, 9, 9]
    padding = pixels(source, r"\.overview th, \.overview td \{ padding-right:")
    px = pixels(source, r"\ntable \{[^}]*font-size:")
    # A name may be broken anywhere, so its column needs no more than its least width.
    least = pixels(source, r"\.overview tbody th \{ min-width:")
    assert re.search(r"\.overview tbody th \{[^}]*overflow-wrap: anywhere", source)
    needed = -padding
    for i, (heading, cell) in enumerate(zip(*rows[:2], strict=True)):
        of_cell = least - padding if i == 0 else widest_piece(cell, px=px, bold=False)
        needed += max(widest_piece(heading, px=px, bold=True), of_cell) + padding
    content = pixels(source, r"main, header, footer \{ max-width:") - 2 * pixels(
        source, r"main, header, footer \{[^}]*padding: 0"
    )
    assert 600 < needed < content
