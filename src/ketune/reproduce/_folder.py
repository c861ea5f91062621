"""The directory of a run: parts that are written the moment they are known, so that a run goes on where it stopped."""

from __future__ import annotations

import shutil
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from ketune.errors import InputError
from ketune.storage import check_output_directory, read_json, whole_file, write_json

KIND = "reproduce"
VERDICTS = "verdicts.json"
PAGE = "report.html"
_PARTS = "parts"
_SECONDS = "seconds.json"
_CONFIGURATION = "configuration.json"
_CONFIGURATION_FORMAT = "ketune-reproduce-configuration/1"
_PART_FORMAT = "ketune-reproduce-part/1"

Document = dict[str, Any]
Arrays = dict[str, np.ndarray]


class RunFolder:
    """Parts of one run under ``DIR/parts``, each whole or absent."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.parts = directory / _PARTS
        self._started = time.monotonic()

    def seconds(self) -> float:
        """Spent on this run so far, in this call and those before it."""
        file = self.known(_SECONDS)
        before = read_json(file, _PART_FORMAT)["seconds"] if file.exists() else 0.0
        return float(before + time.monotonic() - self._started)

    def keep_seconds(self) -> None:
        """Remember them for the call that goes on."""
        write_json(self.known(_SECONDS), {"seconds": self.seconds()}, _PART_FORMAT)
        self._started = time.monotonic()

    def known(self, name: str) -> Path:
        """Where a part stands or will stand."""
        return self.parts / name

    def document(self, name: str, make: Callable[[], Mapping[str, Any]]) -> Document:
        """A part as JSON, read if it is there and made otherwise; as it is read back in both cases."""
        file = self.known(f"{name}.json")
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            write_json(file, make(), _PART_FORMAT)
            self.keep_seconds()
        found = read_json(file, _PART_FORMAT)
        del found["format"]
        return found

    def arrays(self, name: str, make: Callable[[], Mapping[str, np.ndarray]]) -> Arrays:
        """A part as plain arrays."""
        file = self.known(f"{name}.npz")
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            made = make()
            with whole_file(file) as unfinished, unfinished.open("wb") as opened:
                np.savez_compressed(opened, allow_pickle=False, **made)
            self.keep_seconds()
        try:
            with np.load(file, allow_pickle=False) as opened:
                return {key: opened[key] for key in opened.files}
        except (ValueError, OSError, EOFError, zipfile.BadZipFile) as problem:
            raise InputError(f"{file}: is damaged ({problem}); remove it, it is made again") from None


@contextmanager
def run_folder(
    directory: Path, configuration: Mapping[str, Any], *, overwrite: bool = False
) -> Iterator[RunFolder]:
    """Open the directory of a run, alone.

    Parameters
    ----------
    configuration
        What an earlier run in this directory must agree with.
    overwrite
        Begin anew where it does not.

    Raises
    ------
    InputError
        The directory holds a run of another configuration or another result, cannot be written, or is in use.
    """
    import filelock

    check_output_directory(directory, KIND, overwrite=True, onto=None)
    folder = RunFolder(directory)
    folder.parts.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder.parts / ".lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise InputError(
            f"{directory}: another run is working there; wait for it or choose another"
        ) from None
    try:
        _same(folder, configuration, overwrite=overwrite)
        try:
            yield folder
        finally:
            with suppress(OSError):
                folder.keep_seconds()
    finally:
        lock.release()


def _same(folder: RunFolder, configuration: Mapping[str, Any], *, overwrite: bool) -> None:
    file = folder.known(_CONFIGURATION)
    if file.exists():
        found = read_json(file, _CONFIGURATION_FORMAT)
        differing = [key for key, value in configuration.items() if found.get(key) != value]
        if not differing:
            return
        if not overwrite:
            key = differing[0]
            raise InputError(
                f"{folder.directory}: holds a run of another configuration ({key.replace('_', ' ')}: "
                f"{found.get(key)!r} there, {configuration[key]!r} now); choose another directory, or add --overwrite"
            )
    for entry in folder.parts.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name != ".lock":
            entry.unlink()
    write_json(file, configuration, _CONFIGURATION_FORMAT)
