"""Which reader a file is for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ketune.errors import InputError
from ketune.recordings._csv import read_csv
from ketune.recordings._layout import Layout
from ketune.recordings._matlab import read_matlab
from ketune.recordings._nwb import open_nwb
from ketune.recordings._parquet import read_parquet
from ketune.recordings._trials import Trials

_CSV = (".csv", ".txt")
_TABLES = {
    **dict.fromkeys(_CSV, read_csv),
    **dict.fromkeys((".parquet", ".pq"), read_parquet),
    ".mat": read_matlab,
}


def is_csv(path: Path) -> bool:
    """Whether the file is read as CSV."""
    return path.suffix.lower() in _CSV


@contextmanager
def open_trials(path: Path, layout: Layout) -> Iterator[Trials]:
    """The trials of a file in any format, by its extension, for the duration of a ``with`` block.

    Args:
        path: .csv or .txt, .parquet or .pq, .mat, .nwb.
        layout: names of the file's columns, where they differ from the documented ones.

    Raises:
        InputError: the file cannot be read, has another extension, or another layout.
    """
    try:
        path.open("rb").close()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); give the path of a CSV, Parquet, MAT or NWB file"
        ) from None
    extension = path.suffix.lower()
    if extension == ".nwb":
        with open_nwb(path, layout) as trials:
            yield trials
    elif extension in _TABLES:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        yield replace(_TABLES[extension](path, layout), sha256=digest)
    else:
        raise InputError(
            f"{path}: what it holds is told by the extension, and {extension or 'none'} is unknown; "
            f"known are {', '.join([*_TABLES, '.nwb'])}"
        )
