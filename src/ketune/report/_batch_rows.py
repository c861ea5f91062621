"""Fits of a batch as rows of a page: before and under a drug side by side, from the tidy table of `ketune collect`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ketune.report._row_table import Column, RowTable

if TYPE_CHECKING:
    import pandas as pd

QUANTITIES = {
    "preferred_deg": "preferred orientation (°)",
    "osi_fit": "OSI",
    "gosi": "gOSI",
    "fano_mean": "Fano factor",
    "peak_rate_hz": "peak rate (Hz)",
    "spontaneous_rate_hz": "spontaneous rate (Hz)",
}
"""Columns of the table that the page shows before and under the drug, with their names for people."""
_TEXTS = ("job", "recording", "neuron", "model", "hypothesis", "seed", "status")
_LOOK = ("application", "drug", "time_min")


def paired(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each fit and look under a drug, or for each fit where none was given.

    Columns: those of the fit (job, recording, ... status), the look (application, drug, ``time_min``, ``nmda_block``),
    ``shift_deg``, and every quantity of :data:`QUANTITIES` as ``NAME`` (before: the same application's control, or the
    fitted neuron's) and ``NAME_during``.
    """
    import pandas as pd

    table = table.reindex(
        columns=list(
            dict.fromkeys(
                [
                    *table.columns,
                    *_LOOK,
                    "nmda_block_basal",
                    "nmda_block_apical",
                    "shift_deg",
                ]
            )
        )
    )
    given = table["application"].notna()
    before = table[given & table["time_min"].isna()].drop_duplicates(["job", "application"])
    during = table[given & table["time_min"].notna()]
    looks = during.merge(
        before[["job", "application", *QUANTITIES]], on=["job", "application"], suffixes=("_during", "")
    )
    looks["nmda_block"] = looks[["nmda_block_basal", "nmda_block_apical"]].mean(axis=1)
    alone = table[(table["condition"] == "control") & ~table["job"].isin(looks["job"])]
    columns = [
        *_TEXTS,
        *_LOOK,
        "nmda_block",
        "shift_deg",
        *QUANTITIES,
        *(f"{name}_during" for name in QUANTITIES),
    ]
    parts = [part.reindex(columns=columns) for part in (looks, alone) if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def columns_of(rows: pd.DataFrame) -> list[Column]:
    """What the page shows: columns that are the same and empty everywhere are left out."""
    texts = {
        "recording": "recording",
        "neuron": "neuron",
        "model": "model",
        "hypothesis": "hypothesis",
        "seed": "seed",
        "status": "fit",
        "application": "application",
        "drug": "drug",
    }
    # A seed is a name: rounded as a number it would be another.
    found = [Column(name, title, False) for name, title in texts.items() if rows[name].notna().any()]
    if rows["drug"].notna().any():
        found += [
            Column("time_min", "time (min)", True),
            Column("nmda_block", "NMDA blocked", True),
            Column("shift_deg", "shift of preferred orientation (°)", True),
        ]
    for name, title in QUANTITIES.items():
        found.append(Column(name, title, True))
        if rows[f"{name}_during"].notna().any():
            found.append(Column(f"{name}_during", f"{title}, drug", True))
    return found


def table_of(rows: pd.DataFrame, links: Mapping[str, str], states: Sequence[str]) -> RowTable:
    """The rows as the page shows them.

    Parameters
    ----------
    links
        By job: where its own page or directory is.
    states
        Of fits, to choose by.
    """
    columns = columns_of(rows)
    values = [rows[c.key].astype(object).where(rows[c.key].notna(), None) for c in columns]
    return RowTable.of(columns, values, [links[job] for job in rows["job"]], "status", states)
