"""The whole of `ketune translate`: load, compile, simulate and compare files."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ketune.errors import InputError
from ketune.mechanisms import Mechanism
from ketune.progress import NullProgress, Progress
from ketune.verify import CONTRACT_STATE, CONTRACT_mV
from ketune.verify_cases import DT_ms
from ketune.verify_files._bench import bench_of
from ketune.verify_files._comparison import CONTRACT_CURRENT, compare_all, too_large
from ketune.verify_files._entries import (
    check_compilation,
    check_names,
    compiled_together,
    loaded_file,
    new_entry,
)

TEMPERATURES_degC = (6.3, 23.0, 37.0)


def translate_files(
    files: Sequence[str | Path],
    *,
    tables: Mapping[str, tuple[Any, Any]] | None = None,
    duration_ms: float = 1000.0,
    temperatures_degC: Sequence[float] = TEMPERATURES_degC,
    together: bool = True,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Translate files, simulate them in both engines and compare.

    Args:
        files: `.mod` files, or names of shipped mechanisms.
        tables: values of each FUNCTION_TABLE, see :func:`ketune.mechanisms.load`.
        duration_ms: simulated time.
        together: also simulate all files on one cell.
        temperatures_degC: used for files that read the temperature; others run at the last one.

    Returns:
        dict: ``ok``; ``files``, each with ``file``, ``mechanism``, ``kind``, ``states``, ``constructs``, ``merging``,
        ``translated``, ``max_dv_mV``, ``max_di_rel``, ``max_dstate_rel`` (None where not simulated), ``worst`` (where
        the largest differences were), ``ok``, ``errors`` (each ``line``, ``construct``, ``message``), ``warnings``,
        ``too_large`` (which figures break the contract, and where) and ``source`` (the generated JAX);
        ``together``, the same figures for all files on one cell with ``ok`` and ``mechanisms``, or None; the
        contract; ``seconds``.

    Raises:
        InputError: no compiler.
    """
    progress = progress or NullProgress()
    begin = time.perf_counter()
    entries = [new_entry(Path(file).name) for file in files]
    loaded: dict[int, Mechanism] = {}
    with progress.task("translating", total=len(files)) as task:
        for index, file in enumerate(files):
            found = loaded_file(file, entries[index], tables or {})
            if found is not None:
                loaded[index] = found
            task.advance()
    unused = set(tables or ()) - {name for m in loaded.values() for name in m.tables}
    if unused and not any(entry["errors"] for entry in entries):
        raise InputError(f"--table {sorted(unused)[0]}: no file has a FUNCTION_TABLE of this name")
    check_names(loaded, entries)
    with progress.task("compiling for NEURON"):
        check_compilation(loaded, entries)
    groups: list[tuple[int, ...]] = [(index,) for index in loaded]
    if together and len(loaded) > 1:
        groups.append(tuple(loaded))
    compiled = compiled_together(loaded)
    benches = [bench_of(g, [loaded[i] for i in g], duration_ms, temperatures_degC) for g in groups]
    all_on_one: dict[str, Any] = {}
    compare_all(benches, compiled, entries, all_on_one, progress)
    for entry in entries:
        entry["ok"] = bool(entry["translated"] and not entry["errors"] and entry["agrees"])
        del entry["agrees"]
        entry["too_large"] = too_large(entry)
    ok = all(entry["ok"] for entry in entries) and all_on_one.get("ok", True)
    return {
        "ok": ok,
        "files": entries,
        "together": all_on_one or None,
        "contract": {"dv_mV": CONTRACT_mV, "dstate_rel": CONTRACT_STATE, "di_rel": CONTRACT_CURRENT},
        "duration_ms": duration_ms,
        "dt_ms": DT_ms,
        "seconds": time.perf_counter() - begin,
    }
