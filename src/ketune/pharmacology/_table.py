"""Concentration as a user measured or simulated it: a table over time and depth."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ketune.errors import InputError

Array = NDArray[np.float64]

COLUMNS = ("time_min", "depth_um", "concentration_uM")
MOST_uM = 1e8
"""No solution is stronger than 100 M."""


@dataclass(frozen=True, eq=False)
class Table:
    """Free drug on a full grid: ``time_min`` (t,) and ``depth_um`` (d,) rising, ``concentration_uM`` (t, d).

    Between the grid's points it is bilinear; before the first time there is no drug. Nothing is known beyond the last
    time or outside the depths: to ask for it is an error.
    """

    time_min: Array
    depth_um: Array
    concentration_uM: Any
    source: str


def read_table(path: str | Path) -> Table:
    """Read a CSV file with the columns time_min, depth_um and concentration_uM, one row for each point of a full grid.

    Rows may have any order; a table with one depth or one time is refused by what asks for more of it.

    Raises:
        InputError: no such file, missing column, a row that is not three numbers, a negative concentration, a depth
            above the pia, a point given twice or missing.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; --table needs a CSV file") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file; --table needs a CSV file") from None
    points: dict[tuple[float, float], float] = {}
    for line, (time, depth, value) in _rows(path, text):
        where = f"{path}, line {line}"
        if value > MOST_uM:
            raise InputError(
                f"{where}: concentration of {value:g} uM is above {MOST_uM:g} uM; check the unit"
            )
        if value < 0:
            raise InputError(f"{where}: concentration of {value:g} uM is negative; give zero or more")
        if depth < 0:
            raise InputError(f"{where}: depth of {depth:g} um lies above the pia; give zero or more")
        if (time, depth) in points:
            raise InputError(f"{where}: {time:g} min, {depth:g} um is there twice; keep one of the two rows")
        points[time, depth] = value
    if not points:
        raise InputError(f"{path}: no rows below the header; give one for each time and depth")
    times, depths = sorted({t for t, _ in points}), sorted({d for _, d in points})
    for t in times:
        for d in depths:
            if (t, d) not in points:
                raise InputError(
                    f"{path}: no row for {t:g} min, {d:g} um; every time needs the same {len(depths)} depths"
                )
    grid = np.array([[points[t, d] for d in depths] for t in times])
    return Table(np.array(times), np.array(depths), grid, str(path))


def _rows(path: Path, text: str) -> Iterator[tuple[int, tuple[float, ...]]]:
    """The three numbers of each row, with its line."""
    reader = csv.reader(text.splitlines(), skipinitialspace=True)
    header: list[str] | None = None
    try:
        for row in reader:
            cells, line = [cell.strip() for cell in row], reader.line_num
            while cells and not cells[-1]:
                cells.pop()
            if header is None:
                header = cells
                for column in COLUMNS:
                    if header.count(column) != 1:
                        wrong = f"no column '{column}'" if column not in header else f"two columns '{column}'"
                        raise InputError(f"{path}: {wrong}; the first line must be {','.join(COLUMNS)}")
            elif len(cells) > len(header):
                raise InputError(
                    f"{path}, line {line}: {len(cells)} numbers under {len(header)} columns; write decimal points"
                )
            elif cells:
                given = dict(zip(header, cells, strict=False))
                yield line, tuple(_number(given.get(c), f"{path}, line {line}, {c}") for c in COLUMNS)
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: {error}; --table needs a CSV file") from None
    if header is None:
        raise InputError(f"{path}: no column '{COLUMNS[0]}'; the first line must be {','.join(COLUMNS)}")


def interpolated(table: Table, depth_um: Array, times_min: Array, xp: Any = np) -> Any:
    """Concentration (t, n), bilinear.

    Raises:
        InputError: a depth outside the table or a time after its last one.
    """
    shallow, deep = table.depth_um[0], table.depth_um[-1]
    outside = (depth_um < shallow) | (depth_um > deep)
    if outside.any():
        raise InputError(
            f"{table.source}: covers depths of {shallow:g} to {deep:g} um, and {depth_um[outside][0]:g} um is needed; "
            "add rows for it"
        )
    last = table.time_min[-1]
    if (times_min > last).any():
        raise InputError(
            f"{table.source}: ends at {last:g} min, and {times_min.max():g} min is needed; add rows for it"
        )
    i, u = _between(table.time_min, times_min)
    j, v = _between(table.depth_um, depth_um)
    c = xp.asarray(table.concentration_uM)
    i2, j2 = np.minimum(i + 1, table.time_min.size - 1), np.minimum(j + 1, table.depth_um.size - 1)
    before = c[i][:, j] * (1.0 - v) + c[i][:, j2] * v
    after = c[i2][:, j] * (1.0 - v) + c[i2][:, j2] * v
    value = before * (1.0 - u)[:, None] + after * u[:, None]
    return xp.where((times_min < table.time_min[0])[:, None], 0.0, value)


def _between(nodes: Array, at: Array) -> tuple[NDArray[np.intp], Array]:
    """Index of the node below each point and the share of the way to the next."""
    if nodes.size == 1:
        return np.zeros(at.shape, dtype=np.intp), np.zeros(at.shape)
    i = np.clip(np.searchsorted(nodes, at, side="right") - 1, 0, nodes.size - 2)
    return i, np.clip((at - nodes[i]) / (nodes[i + 1] - nodes[i]), 0.0, 1.0)


def _number(text: str | None, where: str) -> float:
    try:
        value = float(text or "")
    except (ValueError, TypeError):
        raise InputError(f"{where}: '{text or ''}' is not a number") from None
    if not math.isfinite(value):
        raise InputError(f"{where}: '{text}' is not a finite number")
    return value
