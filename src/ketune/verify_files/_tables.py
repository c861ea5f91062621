"""Values of FUNCTION_TABLEs from the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ketune.errors import InputError


def read_tables(options: Sequence[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The values of FUNCTION_TABLEs from options `NAME=FILE.csv`: two columns, argument and value, no header needed.

    Raises:
        InputError: an option of another form, or a file without two columns of numbers.
    """
    tables = {}
    for option in options:
        name, separator, file = option.partition("=")
        if not (separator and name and file):
            raise InputError(f"--table {option}: write NAME=FILE.csv, with the name of the FUNCTION_TABLE")
        tables[name] = _read_points(Path(file))
    return tables


def _read_points(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot read this table ({error})") from None
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            x, y = map(float, line.split(","))
        except ValueError:
            if number == 1:  # a header
                continue
            raise InputError(f"{path}:{number}: {line.strip()!r} is not two numbers with a comma") from None
        rows.append((x, y))
    if len(rows) < 2:
        raise InputError(f"{path}: a table needs at least two rows of argument, value")
    columns = np.array(rows).T
    return columns[0], columns[1]
