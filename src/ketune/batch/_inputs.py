"""Files that a batch reads, copied beside its results: what is fitted cannot change under it, and it can be moved."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from ketune import _toml
from ketune.batch._job import InputFile
from ketune.errors import InputError
from ketune.storage import whole_file

INPUTS = "inputs"
_HASH_DIGITS = 16


class Inputs:
    """Collects files while a configuration is read; writes them when everything has been found good."""

    def __init__(self) -> None:
        self._sources: dict[str, Path] = {}

    def add(self, path: Path, what: str) -> InputFile:
        """A file with those that it refers to (mechanisms of a model, tables of a protocol).

        Raises
        ------
        InputError
            One cannot be read, or lies outside the file's directory.
        """
        files = (path, *_companions(path, what))
        digest = hashlib.sha256()
        for file in files:
            digest.update(_relative(file, path, what).as_posix().encode() + b"\0")
            digest.update(_sha256(file, what))
        sha256 = digest.hexdigest()
        place = f"{INPUTS}/{sha256[:_HASH_DIGITS]}"
        for file in files:
            self._sources[f"{place}/{_relative(file, path, what).as_posix()}"] = file
        return InputFile(path=f"{place}/{path.name}", sha256=sha256, original=str(path.resolve()))

    def source(self, file: InputFile) -> Path:
        """Where it lies now."""
        return self._sources[file.path]

    def copy_to(self, root: Path) -> None:
        """Write those that are not there yet."""
        for name, source in self._sources.items():
            target = root / name
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                with whole_file(target) as unfinished:
                    shutil.copyfile(source, unfinished)


def _companions(path: Path, what: str) -> Iterator[Path]:
    if path.suffix != ".toml":
        return
    content = _toml.read(path, what)
    for table, key in (("density", "mechanism"), ("synapse", "mechanism"), ("dose", "table")):
        for entry in content.get(table, ()):
            name = entry.get(key) if isinstance(entry, dict) else None
            if isinstance(name, str) and (key == "table" or name.endswith(".mod")):
                yield path.parent / name


def _relative(file: Path, main: Path, what: str) -> Path:
    try:
        return file.resolve().relative_to(main.resolve().parent)
    except ValueError:
        raise InputError(
            f"{main}: the {what} refers to {file}, which is not beside or below it; move it there"
        ) from None


@cache
def _sha256_of(path: Path, size: int, modified_ns: int) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


def _sha256(path: Path, what: str) -> bytes:
    try:
        state = path.stat()
        return _sha256_of(path, state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise InputError(f"{path}: cannot read the {what} ({error.strerror}); check the path") from None
