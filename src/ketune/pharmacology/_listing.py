"""Drugs for people to read: what each acts on, every number with what is known about it, and what is not known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ketune.pharmacology._drug import Drug, Quantity, known_drugs, load_drug
from ketune.pharmacology._schema import TARGET_GROUPS


def list_drugs() -> dict[str, Any]:
    """Every shipped drug with its names and the laws of its targets, ready for JSON."""
    return {"drugs": [_head(load_drug(name)) for name in known_drugs()]}


def show_drug(name: str | Path) -> dict[str, Any]:
    """All that a drug's file says, ready for JSON.

    Parameters
    ----------
    name
        A shipped drug or a synonym, or the path of a drug file.

    Returns
    -------
    dict
        ``parameters`` are the drug's own numbers by dotted name; ``not_given`` are those that its laws read but the
        file leaves out, with the neutral value that stands in; ``left_alone`` are the targets it has no section for;
        ``gaps`` say what is not known.

    Raises
    ------
    InputError
        No such drug, or the file cannot be used.
    """
    drug = load_drug(name)
    return _head(drug) | {
        "parameters": {key: _number(quantity) for key, quantity in drug.own().items()},
        "not_given": _stand_ins(drug),
        "left_alone": [group for group in TARGET_GROUPS if group not in drug.laws],
        "gaps": list(drug.gaps),
    }


def describe_list(result: Mapping[str, Any]) -> Iterator[str]:
    """:func:`list_drugs` in lines."""
    width = max(len(entry["name"]) for entry in result["drugs"])
    for entry in result["drugs"]:
        yield f"{entry['name']:{width}}  {entry['description']}"
        yield f"{'':{width}}  acts on {_acts_on(entry)}"


def describe_drug(result: Mapping[str, Any]) -> Iterator[str]:
    """:func:`show_drug` in lines."""
    yield f"{result['name']}: {result['description']}"
    yield f"acts on {_acts_on(result)}"
    if result["left_alone"]:
        yield f"has no section for, and leaves alone: {', '.join(result['left_alone'])}"
    for name, number in result["parameters"].items():
        yield f"{name} = {_amount(number)}"
        yield f"    {', '.join(number['confidence'])}: {number['source']}"
    if result["not_given"]:
        stand_in = ", ".join(f"{name} {value:g}" for name, value in result["not_given"].items())
        yield f"not given, neutral values stand in: {stand_in}"
    for gap in result["gaps"]:
        yield f"not known: {gap}"


def _head(drug: Drug) -> dict[str, Any]:
    return {
        "name": drug.name,
        "synonyms": list(drug.synonyms),
        "description": drug.description,
        "laws": drug.laws,
        "targets": sorted(drug.targets),
    }


# Keys that another law of the group reads, and this one does not.
_UNREAD: dict[tuple[str, str], frozenset[str]] = {
    ("nmda", "open-channel"): frozenset({"block_max"}),
    ("nmda", "hill"): frozenset({"affinity_scale", "delta"}),
    ("gabaa", "block"): frozenset({"gain_max", "decay_max"}),
    ("gabaa", "modulator"): frozenset({"block_max"}),
    ("gabatonic", "block"): frozenset({"gain_max"}),
    ("gabatonic", "modulator"): frozenset({"block_max"}),
    ("gabatonic", "linear"): frozenset({"hill", "block_max", "gain_max"}),
}


def _stand_ins(drug: Drug) -> dict[str, float]:
    """Neutral values of the keys that the drug's laws read and its file leaves out."""
    out = {}
    for name, value in drug.values().items():
        group, key = name.split(".")
        if name not in drug.parameters and key not in _UNREAD.get((group, drug.laws[group]), ()):
            out[name] = value
    return out


def _acts_on(entry: Mapping[str, Any]) -> str:
    direct = ", ".join(f"{group} ({law})" for group, law in entry["laws"].items())
    through = [target for target in entry["targets"] if target not in entry["laws"]]
    return direct + (f"; through them on {', '.join(through)}" if through else "")


def _number(quantity: Quantity) -> dict[str, Any]:
    return quantity.model_dump(mode="json")


def _amount(number: Mapping[str, Any]) -> str:
    unit = "" if number["unit"] == "1" else f" {number['unit']}"
    span = (
        "fixed"
        if number["spread"] == "fixed"
        else f"95 % range {number['low']:g} to {number['high']:g}{unit}"
    )
    stress = "".join(f", stress test {value:g}{unit}" for value in number["stress"])
    doubt = ", PLACEHOLDER until the paper is opened" if number["placeholder"] else ""
    return f"{number['value']:g}{unit} ({span}{stress}{doubt})"
