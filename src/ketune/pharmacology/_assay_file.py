"""Reading a user's own assay data: block of a target at known concentrations. The format is in docs/assay.md."""

from __future__ import annotations

import csv
import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ketune.errors import InputError
from ketune.pharmacology._drug import Drug, load_drug
from ketune.units import parse_concentration

REQUIRED = ("drug", "concentration", "unit", "target", "block_percent")
OPTIONAL = ("mg_mM", "holding_mV", "temperature_C", "preparation")
ASSAY_TARGETS = (
    *("nmda", "nmda_2A", "nmda_2B", "nmda_2C", "nmda_2D"),
    *("ampa", "hcn1", "nav", "kv", "cal", "gabaa", "gabatonic"),
)
"""What a row may name as its target; ``nmda`` is a whole cell's mixture of subtypes."""

LOWEST_PERCENT = -20.0
"""Block below this is no noise of an assay without block (an assumption)."""

_WHY_MG = (
    "Mg competes with the drug for the open pore, and an IC50 without Mg can be 16-fold below that in tissue"
)
_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
# "1,250" may be 1.25 or 1250; "0,250" can only be a decimal comma.
_AMBIGUOUS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")


@dataclass(frozen=True)
class AssayRow:
    """One measurement; ``None`` where the file says nothing.

    Attributes:
        line: line of the file, from 1.
        drug: name as written, in lower case.
        concentration_uM: free drug.
        target: one of ``ASSAY_TARGETS``.
        block: share of the current or response that is lost; noise may put it below 0.
        mg_mM: free Mg outside.
        holding_mV: membrane potential at which the block was read.
        temperature_C: temperature.
        preparation: the cell, animal or experiment that rows share.
    """

    line: int
    drug: str
    concentration_uM: float
    target: str
    block: float
    mg_mM: float | None = None
    holding_mV: float | None = None
    temperature_C: float | None = None
    preparation: str | None = None


@dataclass(frozen=True)
class Assay:
    """A file of measurements: its path, rows and SHA-256."""

    source: str
    rows: tuple[AssayRow, ...]
    sha256: str

    def drugs(self) -> tuple[str, ...]:
        """Names of the drugs, in the file's order."""
        return tuple(dict.fromkeys(row.drug for row in self.rows))

    def targets(self, drug: Drug) -> tuple[str, ...]:
        """Targets on which the drug was measured, in the file's order; empty when it was not."""
        return tuple(dict.fromkeys(row.target for row in self.rows if row.drug in _names(drug)))

    def select(self, drug: Drug, target: str) -> tuple[AssayRow, ...]:
        """The rows of a drug on a target.

        Raises:
            InputError: there are none.
        """
        rows = tuple(row for row in self.rows if row.drug in _names(drug) and row.target == target)
        if not rows:
            has = ", ".join(dict.fromkeys(f"{row.drug} on {row.target}" for row in self.rows))
            raise InputError(f"{self.source}: no rows of {drug.name} on {target}; it has {has}")
        return rows


def read_assay(path: str | Path, drug: Drug | None = None, *, as_base: bool = False) -> Assay:
    """Read block measurements from a CSV file, one row a measurement.

    Columns, in any case and order: ``drug``, ``concentration``, ``unit``, ``target``, ``block_percent``; optional
    ``mg_mM`` and ``holding_mV`` (required for NMDA receptors), ``temperature_C``, ``preparation``. Columns may be
    separated by commas, semicolons or tabs; with the latter two, numbers may have decimal commas. Lines that begin
    with # are comments; other columns are ignored.

    Args:
        path: the file.
        drug: a drug that is not shipped, for the molar mass of concentrations by mass.
        as_base: masses are of the free base instead of the salt.

    Raises:
        InputError: one line with file, row and column for anything that cannot be read or is ambiguous.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the path of a CSV file") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file in UTF-8; save the table as CSV (UTF-8)") from None
    table = _Table.read(path, text)
    rows = tuple(_row(table, number, cells, drug, as_base) for number, cells in table.rows)
    _refuse_fractions(path, rows)
    return Assay(str(path), rows, hashlib.sha256(content).hexdigest())


@dataclass(frozen=True)
class _Table:
    """Cells by column, with what is needed to point at one of them."""

    path: Path
    rows: tuple[tuple[int, Mapping[str, str]], ...]
    decimal_comma: bool

    @classmethod
    def read(cls, path: Path, text: str) -> _Table:
        lines = [
            (number, line)
            for number, line in enumerate(text.splitlines(), start=1)
            if line.strip(" \t,;") and not line.lstrip().startswith("#")
        ]
        if not lines:
            raise InputError(f"{path}: empty; it needs a header line with {', '.join(REQUIRED)}")
        separator = max(",;\t", key=lines[0][1].count)
        fields = [
            (number, [cell.strip() for cell in next(csv.reader([line], delimiter=separator))])
            for number, line in lines
        ]
        header_line, written = fields[0]
        while written and not written[-1]:
            written.pop()
        spelled = {name.lower(): name for name in REQUIRED + OPTIONAL}
        header = [spelled.get(name.lower(), name) for name in written]
        if missing := [name for name in REQUIRED if name not in header]:
            raise InputError(
                f"{path}:{header_line}: missing column {', '.join(missing)}; the header has {', '.join(written)}; "
                f"it needs {', '.join(REQUIRED)}"
            )
        if repeated := [name for name in spelled.values() if header.count(name) > 1]:
            raise InputError(f"{path}:{header_line}: column {repeated[0]} appears twice; keep one")
        if len(fields) == 1:
            raise InputError(f"{path}: no rows after the header; give one row a measurement")
        rows = []
        for number, cells in fields[1:]:
            while len(cells) > len(header) and not cells[-1]:
                cells.pop()
            if len(cells) != len(header):
                hint = "; with decimal commas separate columns by semicolons" if separator == "," else ""
                raise InputError(
                    f"{path}:{number}: {len(cells)} fields where the header has {len(header)}; "
                    f"write one value a column{hint}"
                )
            rows.append((number, dict(zip(header, cells, strict=True))))
        return cls(path, tuple(rows), decimal_comma=separator != ",")

    def number(self, line: int, column: str, text: str, low: float, high: float, why: str) -> float:
        """A number of a cell between bounds; ``why`` says how to mend one that lies outside."""
        where = f"{self.path}:{line}: {column}"
        if _AMBIGUOUS.fullmatch(text):
            raise InputError(
                f"{where} is '{text}', which may be {text.replace(',', '.')} or {text.replace(',', '')}; "
                "write it with a decimal point or without the comma"
            )
        plain = text.replace(",", ".") if self.decimal_comma and "." not in text else text
        if not _PLAIN.fullmatch(plain):
            raise InputError(f"{where} is '{text}', not a number; write for example 12.5")
        value = float(plain)
        if not low <= value <= high:
            raise InputError(f"{where} is {text}; {why}")
        return value


def _row(table: _Table, line: int, cells: Mapping[str, str], drug: Drug | None, as_base: bool) -> AssayRow:
    where = f"{table.path}:{line}"
    for name in REQUIRED:
        if not cells[name]:
            raise InputError(
                f"{where}: {name} is empty; fill it in, or remove the row if it was not measured"
            )
    name = cells["drug"].lower()
    known = {target.lower(): target for target in ASSAY_TARGETS}
    target = known.get(cells["target"].lower())
    if target is None:
        raise InputError(f"{where}: unknown target '{cells['target']}'; known: {', '.join(ASSAY_TARGETS)}")
    concentration = _concentration(table, line, cells, _molar_mass(name, drug, as_base))
    percent = table.number(
        *(line, "block_percent", cells["block_percent"].removesuffix("%").rstrip(), LOWEST_PERCENT, 100.0),
        f"block lies between 0 and 100 % (noise down to {LOWEST_PERCENT:g} % is accepted), "
        "the share of the control response that is lost",
    )

    def optional(column: str, low: float, high: float, why: str) -> float | None:
        text = cells.get(column, "")
        return table.number(line, column, text, low, high, why) if text else None

    mg = optional("mg_mM", 0.0, 50.0, "give the free Mg outside in mM (0 for a Mg-free solution)")
    holding = optional("holding_mV", -200.0, 200.0, "give a membrane potential in mV")
    if holding is not None and 0.0 < abs(holding) < 1.0:
        raise InputError(f"{where}: holding_mV is {holding:g}, which looks like volts; write it in mV")
    if target.startswith("nmda"):
        for column, value in (("mg_mM", mg), ("holding_mV", holding)):
            if value is None:
                what = f"{column} is empty" if column in cells else f"missing column {column}"
                mend = "0 for a Mg-free solution" if column == "mg_mM" else "the potential that was held"
                raise InputError(f"{where}: {what}, needed for {target} ({_WHY_MG}); write {mend}")
    preparation = cells.get("preparation")
    if preparation == "":
        raise InputError(f"{where}: preparation is empty; name it in every row, or leave out the column")
    return AssayRow(
        line=line,
        drug=name,
        concentration_uM=concentration,
        target=target,
        block=percent / 100.0,
        mg_mM=mg,
        holding_mV=holding,
        temperature_C=optional("temperature_C", 0.0, 50.0, "give degrees Celsius between 0 and 50"),
        preparation=preparation,
    )


def _concentration(
    table: _Table, line: int, cells: Mapping[str, str], molar_mass_g_mol: float | None
) -> float:
    text = cells["concentration"]
    value = table.number(
        line, "concentration", text, 0.0, math.inf, "a concentration is zero or more; correct the sign"
    )
    return parse_concentration(
        f"{value!r} {cells['unit']}", molar_mass_g_mol, f"{table.path}:{line}: concentration and unit"
    )


def _molar_mass(name: str, drug: Drug | None, as_base: bool) -> float | None:
    if drug is None or name not in _names(drug):
        try:
            drug = load_drug(name)
        except InputError:
            return None
    quantity = drug.parameters.get("molar_mass.base" if as_base else "molar_mass.salt")
    return None if quantity is None else quantity.value


def _names(drug: Drug) -> frozenset[str]:
    return frozenset({drug.name.lower(), *(name.lower() for name in drug.synonyms)})


def _refuse_fractions(path: Path, rows: tuple[AssayRow, ...]) -> None:
    percent = [100.0 * row.block for row in rows]
    if min(percent) >= 0.0 and 0.05 <= max(percent) <= 1.0:
        raise InputError(
            f"{path}:{rows[0].line}: block_percent never exceeds {max(percent):g}, so it looks like a fraction; "
            "write percent (50, not 0.5)"
        )
