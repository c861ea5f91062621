"""The recordings that a configuration names: files, globs, tables and shipped ones, one neuron each."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path

from pydantic import ValidationError

from ketune import _toml, tuning
from ketune.batch._settings import RecordingSettings
from ketune.errors import InputError

_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False, "": False}


@dataclass(frozen=True)
class Source:
    """One neuron of one file.

    Attributes
    ----------
    where
        Of the configuration, for messages.
    settings
        With ``neuron`` None or one name.
    """

    path: Path
    name: str
    neuron: str | None
    settings: RecordingSettings
    where: str


def sources(settings: tuple[RecordingSettings, ...], base: Path) -> Iterator[Source]:
    """All neurons of all entries, in their order.

    Raises
    ------
    InputError
        A file is missing, a glob matches nothing, a table has a wrong column or row.
    """
    for number, entry in enumerate(settings, 1):
        yield from _entry(entry, base, f"recording {number}")


def _entry(entry: RecordingSettings, base: Path, where: str) -> Iterator[Source]:
    if entry.table is not None:
        yield from _table(entry, base, where)
        return
    for path in _paths(entry, base, where):
        name = entry.name or path.stem
        for neuron in _neurons(entry, path, where):
            yield Source(path, name, neuron, entry, where)


def _paths(entry: RecordingSettings, base: Path, where: str) -> list[Path]:
    if entry.shipped is not None:
        return [_shipped(entry.shipped, where)]
    assert entry.file is not None
    if not has_magic(entry.file) or (base / entry.file).exists():
        path = base / entry.file
        if not path.is_file():
            raise InputError(f"{where}: there is no file {path}; correct 'file' or remove the entry")
        return [path]
    found = sorted(Path(p) for p in glob(str(base / entry.file), recursive=True) if Path(p).is_file())
    if not found:
        raise InputError(
            f"{where}: '{entry.file}' matches no file in {base.resolve()}; correct the pattern or remove the entry"
        )
    if entry.name is not None and len(found) > 1:
        raise InputError(f"{where}: 'name' cannot be that of {len(found)} files; leave it out")
    return found


def _shipped(name: str, where: str) -> Path:
    try:
        return tuning.shipped_recording_file(name)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _neurons(entry: RecordingSettings, path: Path, where: str) -> tuple[str | None, ...]:
    if entry.neuron is None:
        return (None,)
    if entry.neuron != "*":
        return (entry.neuron,) if isinstance(entry.neuron, str) else entry.neuron
    try:
        return tuning.neurons_in(path, entry.layout)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _table(entry: RecordingSettings, base: Path, where: str) -> Iterator[Source]:
    assert entry.table is not None
    table = base / entry.table
    shared = entry.model_dump(by_alias=True, exclude={"table"}, exclude_defaults=True)
    try:
        with table.open(encoding="utf-8-sig", newline="") as opened:
            rows = list(csv.DictReader(line for line in opened if not line.startswith("#")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{where}: {table}: cannot be read as a CSV table ({error}); check the path"
        ) from None
    if not rows:
        raise InputError(f"{where}: {table}: has no rows; give one recording a row, with a column 'file'")
    for number, row in enumerate(rows, 2):
        place = f"{where}: {table}, row {number}"
        if None in row:
            raise InputError(f"{place}: has more cells than the table has columns; correct it")
        given = {key.strip(): value.strip() for key, value in row.items() if value and value.strip()}
        try:
            settings = RecordingSettings.model_validate(shared | _typed(given, place))
        except ValidationError as error:
            raise InputError(
                f"{place}: {_toml.complaint(error)}; correct the cell or the column's name"
            ) from None
        yield from _entry(settings, table.parent, place)


def _typed(given: dict[str, str], place: str) -> dict[str, object]:
    typed: dict[str, object] = dict(given)
    for key in ("fold", "radians"):
        if key in given:
            if given[key].lower() not in _FLAGS:
                raise InputError(f"{place}: {key}: '{given[key]}' is neither true nor false; correct it")
            typed[key] = _FLAGS[given[key].lower()]
    if "with" in given:
        typed["with"] = tuple(part.strip() for part in given["with"].split(";"))
    return typed
