"""The page of a batch: how far it is, its fits before and under drugs, and what failed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ketune.report import _batch_figures as figures
from ketune.report import _words as w
from ketune.report._batch_rows import QUANTITIES, paired, table_of
from ketune.report._population import Population
from ketune.report._rendering import rendered, write_whole
from ketune.report._reproduce_page import verdict_parts
from ketune.report._row_table import row_script
from ketune.report._style import Picture, figure, picture, style
from ketune.reproduce._document import read_document

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = ("gosi", "fano_mean", "peak_rate_hz", "spontaneous_rate_hz")
_USED = "converged"


def write_page(
    status: Mapping[str, Any],
    table: pd.DataFrame | None,
    links: Mapping[str, str],
    output: Path,
    population: Population | None = None,
) -> Path:
    """See `ketune.report.write_batch`."""
    rows = None if table is None else paired(table)
    statuses = [] if rows is None else _statuses(rows)
    page = rendered(
        "batch.html.j2",
        status=status,
        statuses=statuses,
        table=None if rows is None else table_of(rows, links, [name for name, _ in statuses]),
        applications=[] if rows is None else _applications(rows),
        population=population,
        **({} if population is None else verdict_parts(read_document(population.document))),
        script=row_script(),
    )
    return write_whole(output, page)


def _statuses(rows: pd.DataFrame) -> list[tuple[str, int]]:
    """How many fits ended how."""
    counts = rows.drop_duplicates("job")["status"].value_counts()
    return [(str(name), int(n)) for name, n in counts.items()]


def _applications(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Pictures and sentences of each application, at the look with most NMDA block."""
    found = []
    for name, group in rows[rows["application"].notna()].groupby("application", sort=True):
        block = group.groupby("time_min")["nmda_block"].median()
        time_min = float(block.idxmax()) if block.notna().any() else float(block.index[0])
        look = group[group["time_min"] == time_min]
        used = look[look["status"] == _USED]
        drug = str(look["drug"].iloc[0])
        found.append(
            {
                "name": name,
                "drug": drug,
                "time": w.exact(time_min),
                "n": len(used),
                "left_out": len(look) - len(used),
                "recordings": used["recording"].nunique(),
                "changes": [_change(used, quantity) for quantity in _SHOWN] + [_shift(used)],
                "pictures": _pictures(str(name), used, drug),
            }
        )
    return found


def _column(rows: pd.DataFrame, name: str) -> np.ndarray:
    return rows[name].to_numpy(dtype=float, na_value=np.nan)


def _change(rows: pd.DataFrame, quantity: str) -> dict[str, Any]:
    before, during = _column(rows, quantity), _column(rows, f"{quantity}_during")
    both = np.isfinite(before) & np.isfinite(during)
    return {
        "name": QUANTITIES[quantity],
        "n": int(both.sum()),
        "before": _quartiles(before[both]),
        "during": _quartiles(during[both]),
        "difference": _quartiles((during - before)[both], sign=True),
        "lower": int((during < before)[both].sum()),
    }


def _shift(rows: pd.DataFrame) -> dict[str, Any]:
    shift = _column(rows, "shift_deg")
    known = shift[np.isfinite(shift)]
    return {
        "name": "size of the shift of preferred orientation (°)",
        "n": len(known),
        "before": "–",
        "during": _quartiles(np.abs(known)),
        "difference": "–",
        "lower": "–",
    }


def _quartiles(values: np.ndarray, *, sign: bool = False) -> str:
    if not len(values):
        return "–"
    low, middle, high = (f"{v:{'+' if sign else ''}.3g}" for v in np.quantile(values, (0.25, 0.5, 0.75)))
    return f"{middle} ({low} to {high})".replace("-", "−")


def _pictures(name: str, rows: pd.DataFrame, drug: str) -> list[Picture]:
    if not len(rows):
        return []
    fits = f"n = {w.counted(len(rows), 'fit')} of {w.counted(rows['recording'].nunique(), 'recording')}"
    pictures = []
    with style():
        for quantity in _SHOWN:
            title, fig = QUANTITIES[quantity], figure(3.6, 3.6)
            figures.paired_values(
                fig.subplots(), _column(rows, quantity), _column(rows, f"{quantity}_during"), title, drug
            )
            words = f"{title}: {drug} against before, each dot a fit"
            caption = f"{words[0].upper()}{words[1:]}; {fits}. Diamond: medians. Dashed: no change."
            pictures.append(picture(fig, name=f"{name}-{quantity}", alt=caption, caption=caption))
        fig = figure(3.6, 3.6)
        figures.shifts(fig.subplots(), _column(rows, "shift_deg"), drug)
        caption = f"Shifts of preferred orientation in classes of 5°; {fits}. −90° and 90° are the same."
        pictures.append(picture(fig, name=f"{name}-shift", alt=caption, caption=caption))
    return pictures
