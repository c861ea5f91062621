"""What is known of each file: its mechanism, or why it cannot be used."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ketune import mechanisms
from ketune.errors import InputError
from ketune.mechanisms import CompilationError, Mechanism, TranslationError
from ketune.verify_files._bench import CLAMP


def new_entry(name: str) -> dict[str, Any]:
    return {
        "file": name,
        "mechanism": None,
        "kind": None,
        "states": [],
        "constructs": [],
        "merging": None,
        "translated": False,
        "max_dv_mV": None,
        "max_di_rel": None,
        "max_dstate_rel": None,
        "worst": {},
        "errors": [],
        "warnings": [],
        "source": None,
        "agrees": False,
    }


def fail(entry: dict[str, Any], message: str, *, line: int | None = None, construct: str = "") -> None:
    entry["errors"].append({"line": line, "construct": construct, "message": message})


def loaded_file(
    file: str | Path, entry: dict[str, Any], tables: Mapping[str, tuple[Any, Any]]
) -> Mechanism | None:
    """The mechanism, with what it is in the entry; None where that holds errors."""
    try:
        path = mechanisms.mod_path(file)
        entry["file"] = str(file) if isinstance(file, str) and file.endswith(".mod") else str(path)
        wanted = mechanisms.function_tables(path) if tables else ()
        own = {name: x for name, x in tables.items() if name in wanted}
        mechanism = mechanisms.load(path, tables=own)
    except TranslationError as error:
        for problem in error.problems:
            fail(entry, problem.message, line=problem.line, construct=problem.construct)
        _describe_untranslated(file, entry)
        return None
    except InputError as error:
        fail(entry, str(error))
        return None
    entry |= {
        "mechanism": mechanism.name,
        "kind": mechanism.kind,
        "states": list(mechanism.states),
        "constructs": list(mechanism.constructs),
        "merging": mechanism.merging,
        "translated": True,
        "source": mechanism.source,
    }
    if complaint := mechanisms.unit_complaint(mechanism.path):
        entry["warnings"].append(complaint)
    return mechanism


def _describe_untranslated(file: str | Path, entry: dict[str, Any]) -> None:
    """What can be told of a file that NEURON may still run."""
    try:
        mechanism = mechanisms.load(file, neuron_only=True)
    except InputError:
        return
    entry |= {
        "mechanism": mechanism.name,
        "kind": mechanism.kind,
        "states": list(mechanism.states),
        "constructs": list(mechanism.constructs),
    }
    entry["warnings"].append("can still be simulated by NEURON alone, without gradients (neuron_only)")


def check_names(loaded: dict[int, Mechanism], entries: list[dict[str, Any]]) -> None:
    """Two mechanisms of one name cannot be in NEURON together."""
    built_in = mechanisms.built_in_names()
    seen: dict[str, int] = {}
    for index, mechanism in list(loaded.items()):
        name = mechanism.name
        if name in built_in:
            fail(
                entries[index],
                f"NEURON has a mechanism {name} of its own; choose another name",
                construct=f"SUFFIX {name}" if mechanism.kind == "density" else f"POINT_PROCESS {name}",
                line=mechanisms.find_line(mechanism.path.read_text(errors="replace"), rf"\b{name}\b"),
            )
            del loaded[index]
        elif name in seen:
            other = entries[seen[name]]["file"]
            fail(entries[index], f"{other} defines {name} too; choose another name", construct=name)
            del loaded[index]
        else:
            seen[name] = index


def check_compilation(loaded: dict[int, Mechanism], entries: list[dict[str, Any]]) -> None:
    """Compile everything at once; only where that fails each file alone, to find the one that NEURON refuses."""
    if not loaded:
        return
    if shared := compiled_together(loaded):
        try:
            mechanisms.library(shared)
            return
        except CompilationError:
            pass
    for index, mechanism in list(loaded.items()):
        try:
            mechanisms.library([mechanism.path])
        except CompilationError as error:
            fail(entries[index], str(error), construct="NEURON")
            del loaded[index]


def compiled_together(loaded: Mapping[int, Mechanism]) -> tuple[Path, ...]:
    """Everything that is simulated, compiled once for all of it.

    But for files that differ in an ion's charge, or bring their own leak: these NEURON cannot have together.
    """
    charges: dict[str, set[float]] = {}
    for ion in (ion for mechanism in loaded.values() for ion in mechanism.ions if ion.valence is not None):
        charges.setdefault(ion.name, set()).add(float(ion.valence or 0.0))
    if any(len(values) > 1 for values in charges.values()):
        return ()
    leak = mechanisms.mod_path("leak")
    if any(mechanism.name == "leak" and mechanism.path != leak for mechanism in loaded.values()):
        return ()
    return (CLAMP, leak, *(mechanism.path for mechanism in loaded.values()))
