"""Results on disk: JSON documents written whole, and directories in which a result is complete or absent.

A result directory holds a manifest, ``ketune.json``, which lists the files of each kind of result in it ("fit",
"apply", ...). The manifest is how a result is recognised, and the only files that are ever replaced or removed are the
ones that it lists.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import Any

from ketune.errors import InputError

MANIFEST = "ketune.json"
_MANIFEST_FORMAT = "ketune-directory/1"
LARGEST_SEED = 2**32 - 1
"""That commands and configurations take: others are counted on from it, and results hold integers of 64 bits."""


def jsonable(value: Any) -> Any:
    """`value` in terms of dict, list, str, int, float, bool and None.

    Takes mappings, sequences, sets, dataclasses, enumerations, paths, and NumPy or JAX scalars and arrays. JSON has no
    NaN and no infinity: both become None.

    Raises OverflowError for an integer beyond 64 bits: what reads JSON makes a float of it without a word.
    """
    if isinstance(value, Enum):
        return jsonable(value.value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise OverflowError(f"{value} has no JSON form: integers there have 64 bits")
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(jsonable(item) for item in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: jsonable(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if hasattr(value, "tolist"):
        return jsonable(value.tolist())
    raise TypeError(f"{type(value).__name__} has no JSON form")


def slug(text: str) -> str:
    """A name of the user's as part of a file's name: small letters, digits, dots, and hyphens for all else."""
    return re.sub(r"[^a-z0-9._]+", "-", text.lower()).strip("-.")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Write a file in one step: a reader sees the old file or the whole new one, also after a crash.

    Yields the name to write under, in the same directory; when the block ends, that file takes the place of `path`;
    when it raises, nothing is left of it.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield unfinished
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step, as `whole_file`."""
    with whole_file(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def write_json(path: Path, document: Mapping[str, Any], format: str) -> None:
    """Write a document in one step, with its format as the first key.

    Parameters
    ----------
    path: where; its directory exists
    document: what; anything that `jsonable` takes
    format: name and version, such as "ketune-fit/1"; `read_json` asks for the same
    """
    text = json.dumps({"format": format, **jsonable(document)}, indent=2, allow_nan=False, ensure_ascii=False)
    write_text(path, text + "\n")


def read_json(path: Path, format: str) -> dict[str, Any]:
    """Read a document that `write_json` wrote.

    Raises InputError where the file is missing, is not JSON, or has another format or version than `format`.
    """
    wanted, _, version = format.partition("/")
    kind = wanted.removeprefix("ketune-")
    # Results are megabytes of numbers each, and a page of a batch reads thousands.
    import orjson

    try:
        document = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path.parent} holds no {kind}: {path.name} is not there") from None
    except (ValueError, IsADirectoryError, NotADirectoryError) as error:
        raise InputError(f"{path}: not a JSON file ({error}); make the {kind} again") from None
    found = document.get("format") if isinstance(document, dict) else None
    if not isinstance(found, str) or found.partition("/")[0] != wanted:
        raise InputError(f"{path}: not a {kind} of ketune (its 'format' is {found!r}, not {format!r})")
    if found != format:
        has = found.partition("/")[2]
        raise InputError(
            f"{path}: {kind} format {has}, this ketune reads {version}; use the ketune that wrote it, or make it again"
        )
    return document


def check_output_directory(
    directory: Path, kind: str, *, overwrite: bool = False, onto: str | None = None
) -> None:
    """Refuse a directory in which `result_directory` could not put a result. Changes nothing.

    Call it before long work. Parameters and errors as in `result_directory`.
    """
    _replaced(directory, kind, overwrite=overwrite, onto=onto)
    path = Path(directory).absolute()
    there = next(p for p in (path, *path.parents) if p.exists())
    try:
        # Tried, because permissions do not tell of file systems that take nothing.
        Path(tempfile.mkdtemp(prefix=".ketune-", dir=there)).rmdir()
    except OSError as error:
        raise InputError(
            f"{directory}: no result can be written there ({error.strerror}); choose another directory"
        ) from None


@contextmanager
def result_directory(
    directory: Path, kind: str, *, overwrite: bool = False, onto: str | None = None
) -> Iterator[Path]:
    """Put a result into a directory, wholly or not at all.

    Yields an empty directory to write into. When the block ends, its files take their places in `directory`; when the
    block raises, `directory` is as it was before, and so is the result that was to be replaced.

    Parameters
    ----------
    directory: where the result goes; made if need be
    kind: the result's kind in the manifest, such as "fit"
    overwrite: replace what is there. Files that ketune did not write stay
    onto: the kind of result that this one is added to: "fit" for a drug applied to a fit. It must be there, and stays;
        only an earlier result of the same `kind` is then in the way. Without it, any result in the directory is

    Raises
    ------
    InputError: the directory holds another result and `overwrite` is False; it holds no `onto`; it is a file, or
        nothing can be written there; a file
        that ketune did not write has the name of a new one (the new result is then kept, and the message says where)
    """
    directory = Path(directory)
    check_output_directory(directory, kind, overwrite=overwrite, onto=onto)
    made = [path for path in (directory, *directory.parents) if not path.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".ketune-", dir=directory))
    complete = False
    try:
        yield staging
        complete = True
        # What was read above may be out of date: another process may have finished here meanwhile.
        _publish(staging, directory, kind, overwrite=overwrite, onto=onto)
    except BaseException as error:
        if not (complete and isinstance(error, InputError)):
            shutil.rmtree(staging, ignore_errors=True)
        with suppress(OSError):
            for path in made:
                path.rmdir()
        raise


def _publish(staging: Path, directory: Path, kind: str, *, overwrite: bool, onto: str | None) -> None:
    try:
        replaced = _replaced(directory, kind, overwrite=overwrite, onto=onto)
    except InputError as error:
        raise InputError(f"{error} (the new result is kept in {staging})") from None
    new = sorted(path.relative_to(staging).as_posix() for path in staging.rglob("*") if path.is_file())
    for name in new:
        if name not in replaced and (directory / name).exists():
            raise InputError(
                f"{directory / name} is in the way, and ketune did not write it: move it; the result is in {staging}"
            )
    others = {name: files for name, files in _manifest(directory).items() if onto and name != kind}
    # Old and new files both belong to ketune while they change places, so a crash here leaves none behind unowned.
    _write_manifest(directory, {**others, kind: sorted({*new, *replaced})})
    for name in new:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(staging / name, directory / name)
    for name in replaced.difference(new):
        (directory / name).unlink(missing_ok=True)
        with suppress(OSError):
            for parent in PurePosixPath(name).parents[:-1]:
                (directory / parent).rmdir()
    shutil.rmtree(staging)
    _write_manifest(directory, {**others, kind: new})


def _replaced(directory: Path, kind: str, *, overwrite: bool, onto: str | None) -> frozenset[str]:
    """The files that a new result of this kind takes the place of; InputError where that is not allowed."""
    if directory.exists() and not directory.is_dir():
        raise InputError(f"{directory} is a file: give a directory for the {kind}")
    results = _manifest(directory)
    if onto is not None and onto not in results:
        raise InputError(f"{directory} holds no {onto}: give a directory that `ketune {onto}` wrote")
    in_the_way = [name for name in results if onto is None or name == kind]
    if in_the_way and not overwrite:
        raise InputError(
            f"{directory} already holds a result ({', '.join(in_the_way)}): "
            + (
                "add --overwrite to replace it"
                if onto
                else "choose another directory, or add --overwrite to replace it"
            )
        )
    return frozenset(name for key in in_the_way for name in results[key])


def _manifest(directory: Path) -> dict[str, list[str]]:
    path = directory / MANIFEST
    if not path.exists():
        return {}
    results = read_json(path, _MANIFEST_FORMAT).get("results")
    if not isinstance(results, dict) or not all(isinstance(files, list) for files in results.values()):
        raise InputError(f"{path}: 'results' is not a table of file lists; use another directory")
    for name in (name for files in results.values() for name in files):
        # These names get replaced and removed: none may lead out of the directory.
        if (
            not isinstance(name, str)
            or PurePosixPath(name).is_absolute()
            or ".." in PurePosixPath(name).parts
        ):
            raise InputError(f"{path}: lists {name!r}, which is outside the directory; use another directory")
    return results


def _write_manifest(directory: Path, results: Mapping[str, list[str]]) -> None:
    write_json(directory / MANIFEST, {"results": results}, _MANIFEST_FORMAT)
