"""A made-up batch as the page takes it: its status, its tidy table and links."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

QUANTITIES = ("preferred_deg", "osi_fit", "gosi", "fano_mean", "peak_rate_hz", "spontaneous_rate_hz")
HOSTILE = "<script>alert('cell')</script>"


def table_of(n: int = 250) -> pd.DataFrame:
    """``n`` fits: recorded, control, and a drug before and at 5 and 30 min; the last fit was given no drug."""
    rng, rows = np.random.default_rng(1), []
    for i in range(n):
        common = {
            "job": f"{i:012x}",
            "recording": HOSTILE if i == 0 else f"cell {i}",
            "neuron": None,
            "model": "default",
            "hypothesis": None,
            "seed": 1,
            "status": "out_of_reach" if i % 5 == 4 else "converged",
        }

        def row(condition: str, common: dict[str, Any] = common, **more: Any) -> dict[str, Any]:
            return (
                common | {"condition": condition} | dict(zip(QUANTITIES, rng.random(6), strict=True)) | more
            )

        rows += [row("recorded"), row("control")]
        if i == n - 1:
            break
        given = {"application": "topical", "drug": "ketamine"}
        rows.append(row("before", **given, nmda_block_basal=0.0, nmda_block_apical=0.0))
        for time, block in ((5.0, 0.2), (30.0, 0.8)):
            rows.append(
                row(
                    f"{time:g} min",
                    **given,
                    time_min=time,
                    nmda_block_basal=block,
                    nmda_block_apical=block + 0.1,
                    shift_deg=rng.uniform(-90, 90),
                )
            )
    return pd.DataFrame(rows).convert_dtypes(dtype_backend="numpy_nullable")


def status_of(n: int = 250) -> dict[str, Any]:
    """Of a batch that is not finished."""
    return {
        "name": "made up",
        "directory": "runs/made up",
        "jobs": n + 3,
        "done": n,
        "running": 1,
        "missing": 1,
        "failed": [
            {
                "job": "abc",
                "label": HOSTILE,
                "kind": "time limit",
                "reason": "took longer than 90 s",
                "attempts": 2,
                "log": "logs/abc.log",
            }
        ],
        "others": 0,
    }
