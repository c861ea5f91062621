"""Writes the tables of docs/drugs.md: keys of a drug file, what each shipped drug acts on, all their numbers and gaps.

    python docs/scripts/drug_tables.py

Run it after every change of a drug file or of the schema; a test compares the page with the files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ketune.pharmacology import Drug, Quantity, known_drugs, load_drug
from ketune.pharmacology._schema import DRUG_KEYS, LAWS, TARGET_GROUPS

PAGE = Path(__file__).parents[1] / "drugs.md"


def keys() -> Iterator[str]:
    """Every key that a drug file may give."""
    yield from head("key", "unit", "may be", "meaning", "left out")
    bounds = {"positive": "> 0", "zero": "≥ 0", "fraction": "0 to 1", "signed": "any"}
    for name, key in DRUG_KEYS.items():
        left_out = "" if key.neutral is None else f"{key.neutral:g}"
        yield row(f"`{name}`", key.unit, bounds[key.bound], key.meaning, left_out)


def laws() -> Iterator[str]:
    """Groups of targets, their laws and what each needs."""
    yield from head("group", "law", "needs")
    for group, of_group in LAWS.items():
        for law, needs in of_group.items():
            yield row(
                f"`[{group}]`", law, " and ".join(" or ".join(f"`{k}`" for k in line) for line in needs)
            )


def overview() -> Iterator[str]:
    """Which drug acts on what."""
    yield from head("drug", *(f"`{group}`" for group in TARGET_GROUPS))
    for drug in drugs():
        yield row(f"[{drug.name}](#{drug.name})", *(drug.laws.get(group, "") for group in TARGET_GROUPS))


def numbers() -> Iterator[str]:
    """Every number of every shipped drug."""
    yield from head("drug", "key", "value", "95 % range", "tags", "source")
    for drug in drugs():
        for name, q in drug.own().items():
            yield row(drug.name, f"`{name}`", amount(q), span(q), tags(q), q.source)


def gaps() -> Iterator[str]:
    """Per drug, what it is and what is not known of it."""
    for drug in drugs():
        yield f"### {drug.name}"
        yield ""
        also = f" Also: {', '.join(drug.synonyms)}." if drug.synonyms else ""
        yield f"{drug.description[0].upper()}{drug.description[1:]}.{also}"
        yield ""
        absent = [f"`{group}`" for group in TARGET_GROUPS if group not in drug.laws]
        yield f"- no section for, and leaves alone: {', '.join(absent) or 'nothing'}"
        yield from (f"- {gap}" for gap in drug.gaps)
        yield ""


TABLES = {"keys": keys, "laws": laws, "overview": overview, "numbers": numbers, "gaps": gaps}


def drugs() -> list[Drug]:
    return [load_drug(name) for name in known_drugs()]


def amount(q: Quantity) -> str:
    return f"{q.value:g}" + ("" if q.unit == "1" else f" {q.unit}")


def span(q: Quantity) -> str:
    between = "fixed" if q.spread == "fixed" else f"{q.low:g} to {q.high:g}"
    return between + "".join(f"; stress {value:g}" for value in q.stress)


def tags(q: Quantity) -> str:
    return ", ".join(q.confidence) + (", **placeholder**" if q.placeholder else "")


def head(*names: str) -> Iterator[str]:
    yield row(*names)
    yield "|" + "---|" * len(names)


def row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def filled(page: str) -> str:
    """The page with every block between ``<!-- name -->`` and ``<!-- /name -->`` written anew."""
    for name, table in TABLES.items():
        block = block_of(name, table())
        page, n = re.subn(
            rf"<!-- {name} -->.*?<!-- /{name} -->", lambda _, new=block: new, page, flags=re.DOTALL
        )
        if n != 1:
            raise SystemExit(f"{PAGE}: {n} blocks named '{name}', not one")
    return page


def block_of(name: str, lines: Iterable[str]) -> str:
    return f"<!-- {name} -->\n" + "\n".join(lines).rstrip() + f"\n<!-- /{name} -->"


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
