"""The table of reported effects as `ketune evidence` shows it: as data, and as lines for people."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from ketune.evidence._read import EffectRows, extended, read_effects, reported_effects
from ketune.evidence._rules import Window
from ketune.evidence._table import EffectTable, ReportedEffect, Target

_LEVELS = {
    "A": "a reported direction, mandatory",
    "A-weak": "a reported direction of little weight",
    "B": "a reported number with tolerance, mandatory",
    "C": "ours",
    "optional": "not needed",
    "none": "not judged",
}
_CONFIDENCE = {
    "R": "read in the source",
    "R*": "read through another source",
    "MH": "recalled, fairly sure",
    "ML": "recalled, unsure",
    "D": "derived from cited values",
    "ASSUMP": "assumed",
    "unknown": "not stated",
}
_NARROWEST, _WIDEST = 72, 160


def show_effects(identifier: str | None = None, file: str | Path | None = None) -> dict[str, Any]:
    """The shipped table, with a user's rows if a ``file`` is given, or one row of it in full.

    Returns:
        ``file``; ``effects``, ``targets`` and ``sources``, each a list of rows. With an ``identifier`` only that row,
        the effects it rests on and the sources of these. Every row and window says whether it is of the file
        (``from_file``); every window whether it ``decides`` a verdict or stands beside it, and whether it is ``ours``.

    Raises:
        InputError: the file cannot be used, or there is no such row.
    """
    extra = EffectRows("") if file is None else read_effects(file)
    table = extended(reported_effects(), extra)
    effects, targets = list(table.effect), list(table.target)
    if identifier is not None:
        row = table.find(identifier)
        effects = [row] if isinstance(row, ReportedEffect) else [e for e in effects if e.id in row.effects]
        targets = [row] if isinstance(row, Target) else []
    cited = {e.source for e in effects} | {source for t in targets for _, source in t.sources()}
    return {
        "id": identifier,
        "file": None if file is None else str(file),
        "effects": [_effect(e, table, extra) for e in effects],
        "targets": [_target(t, table, extra) for t in targets],
        "sources": [
            {**s.model_dump(mode="json"), "from_file": s.id in {x.id for x in extra.source}}
            for s in table.source
            if s.id in cited
        ],
    }


def describe_effects(result: Mapping[str, Any]) -> Iterator[str]:
    """:func:`show_effects` in lines, as wide as the terminal."""
    width = min(max(shutil.get_terminal_size((120, 24)).columns, _NARROWEST), _WIDEST)
    if result["id"] is None:
        yield from _table_of(result["effects"], width)
        yield ""
        for target in result["targets"]:
            yield from _target_lines(target, width)
        yield ""
        yield from _key("level", _LEVELS, [t["level"] for t in result["targets"]], width)
        yield from _key(
            "conf. (confidence)", _CONFIDENCE, [e["confidence"] for e in result["effects"]], width
        )
        yield from _wrapped(
            "ours: chosen by this project; no paper gives it. unknown: no number was found.", width
        )
        if result["file"] is not None:
            yield from _wrapped(f"*: from {result['file']}", width)
        yield ""
        for source in result["sources"]:
            yield from _wrapped(f"{source['id']}{_star(source)}  {_citation(source)}", width, "    ")
    else:
        for target in result["targets"]:
            yield from _target_lines(target, width, in_full=True)
        for effect in result["effects"]:
            yield from _effect_lines(effect, width)
        if result["file"] is not None:
            yield from _wrapped(f"*: from {result['file']}", width)


def _effect(effect: ReportedEffect, table: EffectTable, extra: EffectRows) -> dict[str, Any]:
    return {
        **effect.model_dump(mode="json"),
        "size_known": effect.size_known,
        "citation": table.citation(effect),
        "targets": [t.id for t in table.target if effect.id in t.effects],
        "from_file": effect in extra.effect,
    }


def _target(target: Target, table: EffectTable, extra: EffectRows) -> dict[str, Any]:
    from_file = target.id in {t.id for t in extra.target}
    return {
        **target.model_dump(mode="json", exclude={"window", "rule"}),
        "citation": table.citation(target),
        "judged": target.rule is not None,
        "rule": None if target.rule is None else target.rule.model_dump(mode="json"),
        "rule_in_words": target.rule_in_words,
        "windows": [
            {**_window(target.id, window, table, extra), "decides": window in target.deciding}
            for window in target.window
        ],
        "decided_by": [
            {"target": i, **_window(i, window, table, extra)} for i, window in table.deciding(target)
        ],
        "window_is_ours": target.window_is_ours,
        "decided_by_our_window": table.decided_by_our_window(target),
        "from_file": from_file,
    }


def _window(target: str, window: Window, table: EffectTable, extra: EffectRows) -> dict[str, Any]:
    replaced = {(w.target, w.quantity) for w in extra.window}
    return {
        **window.model_dump(mode="json"),
        "citation": table.citation(window),
        "words": window.words,
        "from_file": target in {t.id for t in extra.target} or (target, window.quantity) in replaced,
    }


# --- for people -------------------------------------------------------------------------------------------------------


def _table_of(effects: Sequence[Mapping[str, Any]], width: int) -> Iterator[str]:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="")
    table.add_column("id", no_wrap=True)
    for heading, share in (("quantity", 4), ("direction", 3), ("size", 3)):
        table.add_column(heading, ratio=share, overflow="fold")
    table.add_column("n", width=10, overflow="fold")
    table.add_column("conf.", no_wrap=True)
    table.add_column("source", min_width=12, overflow="fold")
    table.expand = True
    for e in effects:
        row = (
            e["id"] + _star(e),
            *(e[key] for key in ("quantity", "direction", "size", "n", "confidence", "source")),
        )
        table.add_row(*row)
    text = StringIO()
    Console(file=text, width=width, color_system=None, markup=False, emoji=False, highlight=False).print(
        table
    )
    yield from (line.rstrip() for line in text.getvalue().splitlines())


def _effect_lines(effect: Mapping[str, Any], width: int) -> Iterator[str]:
    yield from _wrapped(f"{effect['id']}{_star(effect)}  {effect['quantity']}: {effect['direction']}", width)
    for key in ("size", "n", "preparation", "dose", "route"):
        yield from _wrapped(f"    {key}: {effect[key]}", width, "        ")
    yield from _wrapped(f"    confidence: {effect['confidence']}, {_CONFIDENCE[effect['confidence']]}", width)
    yield from _wrapped(f"    source: {effect['citation']}", width, "        ")
    if effect["targets"]:
        yield from _wrapped(f"    targets that rest on it: {', '.join(effect['targets'])}", width, "        ")


def _target_lines(target: Mapping[str, Any], width: int, in_full: bool = False) -> Iterator[str]:
    level = f"level {target['level']}" + (f", {_LEVELS[target['level']]}" if in_full else "")
    effects = f"; rests on {', '.join(target['effects'])}" if target["effects"] else ""
    yield from _wrapped(
        f"{target['id']}{_star(target)}  {target['statement']} ({level}{effects})", width, "    "
    )
    rule = target["rule"]
    by = "" if rule is None else f"rule ({_given_by(rule, target['from_file'])}): "
    yield from _wrapped(f"    {by}{target['rule_in_words']}", width, "        ")
    if in_full:
        yield from _wrapped(f"    in a sentence: {target['pass_rule']}", width, "        ")
    for window in target["windows"]:
        role = "decides" if window["decides"] else "stands beside the verdict"
        note = f"; {window['note']}" if window["note"] else ""
        given = (
            window["citation"] if in_full and not window["ours"] else _given_by(window, window["from_file"])
        )
        words = f"    window{_star(window)} ({given}; {role}): {window['words']}{note}"
        yield from _wrapped(words, width, "        ")
    if rule is not None and rule["kind"] == "together":
        for window in target["decided_by"]:
            by = f"{window['target']} ({_given_by(window, window['from_file'])})"
            words = f"    decided by the window{_star(window)} of {by}: {window['words']}"
            yield from _wrapped(words, width, "        ")
    if in_full:
        yield from _wrapped(f"    source: {target['citation']}", width, "        ")


def _given_by(numbers: Mapping[str, Any], from_file: bool) -> str:
    if not numbers["ours"]:
        return str(numbers["source"])
    return "chosen in the file" if from_file else "ours"


def _star(row: Mapping[str, Any]) -> str:
    return "*" if row["from_file"] else ""


def _citation(source: Mapping[str, Any]) -> str:
    doi = f", doi:{source['doi']}" if source["doi"] else ""
    return f"{source['citation']}{doi} ({source['read']} read)"


def _key(what: str, meanings: Mapping[str, str], used: Sequence[str], width: int) -> Iterator[str]:
    shown = "; ".join(f"{name} {meaning}" for name, meaning in meanings.items() if name in used)
    yield from _wrapped(f"{what}: {shown}", width, "    ")


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False)
