"""TOML files that users write: read, and complained about in one line that names file, key, what and how to mend it."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ketune.errors import InputError

# What pydantic says of these is for programmers; what mends them.
_PLAINER = {"missing": "missing", "extra_forbidden": "unknown key", "model_type": "not a table of keys"}
_MEND = {
    "missing": "; add it",
    "extra_forbidden": "; correct its spelling or leave it out",
    "model_type": "; write it as { key = value, ... }",
}
_LONGEST = 60


def read(path: str | Path, what: str) -> dict[str, Any]:
    """The content of a TOML file.

    Parameters
    ----------
    what
        What the file should be, for the message: "protocol".

    Raises
    ------
    InputError
        It cannot be read, or is no TOML.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: cannot read the {what} ({error.strerror}); give the path of a TOML file"
        ) from None
    try:
        text = content.decode("utf-8-sig")  # editors on Windows put a byte order mark in front
    except UnicodeDecodeError:
        raise InputError(f"{path}: the {what} is not text in UTF-8; save it as that") from None
    return parse(text, str(path))


def parse(text: str, source: str) -> dict[str, Any]:
    """The content of TOML text; ``source`` opens the message.

    Raises
    ------
    InputError
        No TOML.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{source}: not valid TOML: {error}; correct it there") from None
    except (
        ValueError
    ):  # of what is not TOML there is a line above; this is Python's limit to the digits of a number
        raise InputError(f"{source}: not valid TOML: a number has too many digits; shorten it") from None
    except RecursionError:
        raise InputError(f"{source}: not valid TOML: brackets are nested too deeply; close them") from None


@contextmanager
def checking(source: str | Path, *, unnamed: Collection[str] = ()) -> Iterator[None]:
    """Turn what pydantic finds wrong inside the block into an InputError that ``source`` opens.

    Parameters
    ----------
    unnamed
        Fields of the model that are no keys of the file.
    """
    try:
        yield
    except ValidationError as error:
        mend = _MEND.get(error.errors()[0]["type"], "")
        raise InputError(f"{source}: {complaint(error, unnamed)}{mend}") from None


def complaint(error: ValidationError, unnamed: Collection[str] = ()) -> str:
    """The first thing that pydantic found, as "key: what", entries of lists counted from 1."""
    first = error.errors()[0]
    parts = (part for part in first["loc"] if part not in unnamed)
    where = ".".join(str(part + 1 if isinstance(part, int) else part) for part in parts)
    what = _PLAINER.get(first["type"]) or first["msg"].removeprefix("Value error, ")
    given = first["input"]
    if first["type"] not in (*_PLAINER, "value_error") and isinstance(given, str | int | float):
        shown = repr(given)
        what += f"; it is {shown if len(shown) <= _LONGEST else shown[:_LONGEST] + '...'}"
    return " ".join(f"{where + ': ' if where else ''}{what}".split())
