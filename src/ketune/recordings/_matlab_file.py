"""Variables of a MAT file, as MATLAB shows them: v4 to v7 through SciPy, v7.3 (which is HDF5) through h5py."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ketune.errors import InputError

# MATLAB's string arrays, tables and objects, and the name under which those of v7 appear.
OPAQUE, UNNAMED = "string array or object", "None"


def read_variables(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Numbers and text of a MAT file.

    Returns:
        Variables by name: numbers as matrices with MATLAB's shape, text (a char array or a cell array of it) as
        vectors of strings. And what cannot be used, by name: what it is, in MATLAB's words.

    Raises:
        InputError: no MAT file, or a damaged one.
    """
    import h5py

    try:
        return _from_hdf5(path) if h5py.is_hdf5(path) else _from_scipy(path)
    # Damaged files make these libraries raise whatever comes first, down to TypeError and UnicodeDecodeError.
    except Exception as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
        raise InputError(f"{path}: not a MAT file, or a damaged one ({reason}); save it again") from None


def _from_scipy(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    from scipy.io import loadmat
    from scipy.io.matlab import MatlabFunction, MatlabObject, MatlabOpaque

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of variables that are not needed here
        content = loadmat(path)
    variables: dict[str, np.ndarray] = {}
    others: dict[str, str] = {}
    for name, value in content.items():
        if name.startswith("__"):
            continue
        if isinstance(value, MatlabOpaque):
            # SciPy calls it "None" and keeps the last one only: it could be any variable that seems to be missing.
            others[UNNAMED] = OPAQUE
        elif isinstance(value, MatlabObject | MatlabFunction):
            others[name] = "object"
        elif not isinstance(value, np.ndarray):
            others[name] = "sparse matrix" if hasattr(value, "toarray") else "variable that cannot be read"
        elif value.dtype.names is not None:
            others[name] = "struct"
        elif value.dtype == object:
            cells = [_cell_text(cell) for cell in value.ravel(order="F")]
            _sort_in(name, None if None in cells else np.array(cells, dtype=np.str_), variables, others)
        elif value.dtype.kind == "U":
            variables[name] = np.char.rstrip(value.ravel())
        else:
            _sort_in(name, value, variables, others)
    return variables, others


def _cell_text(cell: Any) -> str | None:
    if isinstance(cell, np.ndarray) and cell.dtype.kind == "U" and cell.size <= 1:
        return str(cell.item()) if cell.size else ""
    return "" if isinstance(cell, np.ndarray) and cell.size == 0 else None


def _from_hdf5(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    import h5py

    variables: dict[str, np.ndarray] = {}
    others: dict[str, str] = {}
    with h5py.File(path, "r") as file:
        for name, item in file.items():
            if name.startswith("#"):  # where MATLAB keeps what cells and objects refer to
                continue
            kind = _matlab_class(item)
            if isinstance(item, h5py.Group):
                others[name] = "sparse matrix" if "MATLAB_sparse" in item.attrs else "struct"
            elif kind == "char":
                variables[name] = np.array(_text_rows(item), dtype=np.str_)
            elif kind == "cell":
                cells = [_referred_text(file, reference) for reference in item[()].ravel()]
                _sort_in(name, None if None in cells else np.array(cells, dtype=np.str_), variables, others)
            elif kind == "string" or "MATLAB_object_decode" in item.attrs:
                others[name] = OPAQUE
            elif "MATLAB_empty" in item.attrs:
                variables[name] = np.zeros((0, 0))
            else:
                _sort_in(name, np.atleast_2d(item[()]).T, variables, others)
    return variables, others


def _matlab_class(item: Any) -> str:
    kind = item.attrs.get("MATLAB_class", b"")
    return kind.decode() if isinstance(kind, bytes) else str(kind)


def _text_rows(item: Any) -> list[str]:
    """Rows of a char matrix: numbers of UTF-16, and the other way round than MATLAB shows it."""
    if "MATLAB_empty" in item.attrs:
        return [""]
    rows = np.atleast_2d(item[()]).T.astype("<u2")
    return [row.tobytes().decode("utf-16-le").rstrip() for row in rows]


def _referred_text(file: Any, reference: Any) -> str | None:
    item = file[reference]
    if "MATLAB_empty" in item.attrs:
        return ""
    if _matlab_class(item) != "char":
        return None
    rows = _text_rows(item)
    return rows[0] if len(rows) == 1 else None


def _sort_in(
    name: str, value: np.ndarray | None, variables: dict[str, np.ndarray], others: dict[str, str]
) -> None:
    if value is None:
        others[name] = "cell array of more than text"
    elif value.dtype.kind not in "biufU":
        others[name] = "complex matrix" if value.dtype.kind in "cV" else "variable that is no number"
    else:
        variables[name] = value
