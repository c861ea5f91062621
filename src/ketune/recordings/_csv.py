"""Long tables as text: CSV files."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from ketune.errors import InputError
from ketune.recordings._columns import check_columns, understood
from ketune.recordings._layout import Layout
from ketune.recordings._trials import TableTrials, group_rows


def read_csv(path: Path, layout: Layout) -> TableTrials:
    """The trials of a CSV file; lines that begin with # are comments, `# source:` says where the counts come from.

    Raises:
        InputError: no such table; the message names the line.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file in UTF-8; save the table as CSV (UTF-8)") from None
    source = ""
    lines: list[tuple[int, str]] = []
    for number, line in enumerate(io.StringIO(text), start=1):
        if line.startswith("#"):
            key, _, value = line[1:].partition(":")
            if key.strip() == "source" and not source:
                source = value.strip()
        elif line.strip(" \t\r\n,"):
            lines.append((number, line))
    names = layout.columns()
    if not lines:
        raise InputError(
            f"{path}: empty; it needs a header line with {', '.join(list(names.values())[:3])} and one row a trial"
        )
    cells = [(number, next(csv.reader([line], skipinitialspace=True))) for number, line in lines]
    header = [name.strip() for name in cells[0][1]]
    hint = "; separate columns by commas" if len(header) == 1 else ""
    found = check_columns(f"{path}:{cells[0][0]}", header, layout, hint)
    if len(cells) == 1:
        raise InputError(f"{path}: no rows after the header; give one row a trial")
    for number, fields in cells[1:]:
        if len(fields) != len(header):
            raise InputError(
                f"{path}:{number}: {len(fields)} fields where the header has {len(header)}; "
                "write one value a column"
            )
    columns = {part: [fields[header.index(name)] for _, fields in cells[1:]] for part, name in found.items()}
    by_neuron = group_rows(columns, names, [str(number) for number, _ in cells[1:]], path, ":")
    return TableTrials(
        path=path,
        kind="CSV",
        neurons=tuple(by_neuron),
        understood=understood(found),
        source=source,
        by_neuron=by_neuron,
        other_columns={
            name: len({fields[index].strip() for _, fields in cells[1:]})
            for index, name in enumerate(header)
            if name not in found.values()
        },
        separator=":",
    )
