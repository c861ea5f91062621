"""Compiling `.mod` files for NEURON, once per version of everything that matters.

The compiled library lives in the user's cache under a key of the files' text, NEURON's version, Python's ABI and the
machine.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Any

from ketune._compiled import BUILD_LIMIT_S, built_once, cache_root, compiler
from ketune.errors import InputError
from ketune.mechanisms._mechanism import MOD_DIRECTORY, mod_path
from ketune.mechanisms._quiet import captured_output, import_neuron
from ketune.mechanisms._syntax import blank_comments

_INSTALL = "sudo apt-get install g++ make"
_SHOWN_LINES = 12
_LIBRARY = "libnrnmech"
CORENEURON_LIBRARY = "libcorenrnmech.so"

# mechanisms that this process has put into NEURON: suffix -> hash of the file's text
_loaded: dict[str, str] = {}


class CompilationError(InputError):
    """`nrnivmodl` did not accept the files; the message ends with the compiler's last lines."""


def cache_directory() -> Path:
    """Where compiled mechanisms are kept: $KETUNE_CACHE_DIR, or the user's cache directory."""
    return cache_root() / "mechanisms"


def cache_key(paths: Iterable[str | Path] | None = None) -> str:
    """The key under which :func:`library` keeps its result; changes with anything that changes the library."""
    files = _files(paths)
    parts = [f"{file.name}:{_sha256(file)}" for file in files]
    parts += [version("neuron"), sys.implementation.cache_tag or "", platform.system(), platform.machine()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def library(paths: Iterable[str | Path] | None = None, *, coreneuron: bool = False) -> Path:
    """The compiled library of the shipped mechanisms, or of the given files; built on first use.

    Args:
        paths: names or `.mod` files to compile together; None for every shipped mechanism.
        coreneuron: compile them for CoreNEURON too; its library lies beside the other (:data:`CORENEURON_LIBRARY`).

    Raises:
        InputError: no compiler, or the cache cannot be written.
        CompilationError: NEURON's translator or the C++ compiler refused a file.
    """
    files = _files(paths)

    def build(folder: Path) -> Path:
        _check_tools()
        return _build(files, folder, coreneuron)

    key = cache_key(files) + ("-coreneuron" if coreneuron else "")
    return built_once(cache_directory() / key, _find_library, build)


def built_in_names() -> frozenset[str]:
    """The mechanisms that NEURON has by itself, or that something else has put into it in this process."""
    h = import_neuron().h
    with captured_output():
        return frozenset(_mechanisms_in(h) - _loaded.keys())


def load_into_neuron(paths: Iterable[str | Path] | None = None) -> None:
    """Make the shipped mechanisms, or the given files, known to NEURON in this process.

    Doing it again is harmless: what is already loaded is skipped.

    Raises:
        InputError: NEURON already has another mechanism of one of these names, or the library cannot be loaded.
    """
    h = import_neuron().h
    with captured_output():
        present = _mechanisms_in(h)
    needed = []
    for file in _files(paths):
        name, sha256 = _suffix(file), _sha256(file)
        if _loaded.get(name) == sha256:
            continue
        if name in present:
            raise InputError(
                f"{file.name}: NEURON already has a mechanism {name!r}, built in, loaded from a compiled folder "
                f"such as ./{platform.machine()} in {Path.cwd()}, or loaded from another version of the file; rename "
                "it or start from another directory"
            )
        needed.append(file)
    if not needed:
        return
    path = library(None if needed == _files(None) else needed)
    with captured_output() as output:
        loaded = h.nrn_load_dll(str(path))
    if not loaded:
        detail = " ".join("".join(output).split())
        raise InputError(
            f"{path}: NEURON cannot load this library ({detail}); delete {path.parent} and try again"
        )
    _loaded.update({_suffix(file): _sha256(file) for file in needed})


def loading_order(path: Path) -> tuple[bool, str, str]:
    """Sorts files as NEURON gets to know them: the shipped ones first, each by name.

    It matters: in a step NEURON computes mechanisms in this order.
    """
    return path.parent != MOD_DIRECTORY, path.name, str(path)


def _files(paths: Iterable[str | Path] | None) -> list[Path]:
    chosen = MOD_DIRECTORY.glob("*.mod") if paths is None else {mod_path(path) for path in paths}
    return sorted(chosen, key=loading_order)


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _suffix(file: Path) -> str:
    found = re.search(
        r"\b(?:SUFFIX|POINT_PROCESS|ARTIFICIAL_CELL)\s+(\w+)",
        blank_comments(file.read_text(encoding="utf-8", errors="replace")),
    )
    if found is None:
        raise InputError(f"{file}: no SUFFIX or POINT_PROCESS; this is not a mechanism")
    return found.group(1)


def _mechanisms_in(h: Any) -> set[str]:
    """The names of all density mechanisms and point processes that NEURON has."""
    names = set()
    for kind in (0, 1):
        listing = h.MechanismType(kind)
        text = h.ref("")
        for index in range(int(listing.count())):
            listing.select(index)
            listing.selected(text)
            names.add(text[0])
    return names


def _find_library(entry: Path) -> Path | None:
    return next(entry.glob(f"{_LIBRARY}.*"), None)


def _check_tools() -> None:
    missing = [] if compiler() else ["a C++ compiler (g++)"]
    missing += [] if shutil.which("make") else ["make"]
    if missing:
        raise InputError(
            f"compiling the mechanisms for NEURON needs {' and '.join(missing)}, which this machine lacks: {_INSTALL}"
        )


def _nrnivmodl() -> str:
    """The script that NEURON's package installed, wherever that is; it need not be on the PATH."""
    listed = (entry.locate() for entry in distribution("neuron").files or [] if entry.name == "nrnivmodl")
    scripts = [
        str(path) for path in listed if Path(str(path)).parent.name == "bin" and os.access(path, os.X_OK)
    ]
    found = min(scripts, key=lambda path: ".data" in path, default=shutil.which("nrnivmodl"))
    if found is None:
        raise InputError("NEURON's compiler nrnivmodl is not installed beside Python: pip install neuron")
    return found


def _build(files: list[Path], folder: Path, coreneuron: bool) -> Path:
    """Compile in a temporary folder; the returned directory holds only what the cache keeps."""
    sources, result = folder / "mod", folder / "result"
    sources.mkdir()
    result.mkdir()
    copies = []
    for number, file in enumerate(files):
        # files of one name from several folders
        name = file.name if file.name not in copies else f"{file.stem}_{number}.mod"
        shutil.copyfile(file, sources / name)
        copies.append(name)
    environment = dict(os.environ, MAKEFLAGS=f"-j{min(4, os.cpu_count() or 1)}")
    environment["CXX"] = compiler() or "g++"
    # NEURON's parser, which read the files, leaves a path here where CoreNEURON's translator does not find its units.
    environment.pop("NMODLHOME", None)
    shown = ", ".join(file.name for file in files)
    # Each by its name, because of a folder the files' order depends on the language settings; for CoreNEURON nrnivmodl
    # takes only a folder.
    arguments = ["-coreneuron", "mod"] if coreneuron else [f"mod/{name}" for name in copies]
    try:
        done = subprocess.run(
            [_nrnivmodl(), *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=BUILD_LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        raise CompilationError(f"{shown}: nrnivmodl did not finish within {BUILD_LIMIT_S:.0f} s") from None
    built = next(folder.glob(f"*/{_LIBRARY}.*"), None)
    if done.returncode != 0 or built is None:
        raise CompilationError(
            f"{shown}: nrnivmodl refused (exit {done.returncode}):\n{_last_lines(done.stdout)}"
        )
    shutil.copy2(built, result / built.name)
    if coreneuron:
        shutil.copy2(built.with_name(CORENEURON_LIBRARY), result)
    return result


def _last_lines(output: str) -> str:
    """The last lines of the compiler's output, or those around its first error if that is further up."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", output).split("Traceback (most recent call last)")[0]
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    errors = [index for index, line in enumerate(lines) if re.search(r"\berror\b", line, re.IGNORECASE)]
    start = max(0, min([len(lines) - _SHOWN_LINES, *(index - 1 for index in errors)]))
    return "\n".join(f"  {line}" for line in lines[start : start + _SHOWN_LINES])
