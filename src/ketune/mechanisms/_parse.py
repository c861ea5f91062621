"""From NMODL text to :class:`._syntax.Source`, through the parser in NEURON's wheel."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ketune.errors import InputError
from ketune.mechanisms import _syntax as s
from ketune.mechanisms._flow import BUILTINS, RANDOM_CALLS, SPECIAL_CALLS
from ketune.mechanisms._quiet import captured_output, import_neuron
from ketune.mechanisms._statements import (
    IGNORED,
    UNSUPPORTED,
    Children,
    StatementReader,
    body,
    split,
    text,
)
from ketune.mechanisms._units import unit_constant

# what a NEURON block may hold that needs nothing done here, or is refused above
_DECLARED = {
    "name",
    "ThreadSafe",
    "OntologyStatement",
    "Pointer",
    "BbcorePointer",
    "External",
    "RandomVarList",
}
_NUMBERS = ("Double", "Integer", "Float")


def parse(path: Path) -> s.Source:
    """Parse one `.mod` file.

    Raises:
        InputError: the file cannot be read.
        TranslationError: a syntax error, or constructs that are not translated (all of them listed).
    """
    source, problems = examine(path)
    if problems:
        raise s.TranslationError(path, problems)
    return source


def examine(path: Path) -> tuple[s.Source, list[s.Problem]]:
    """What the file declares, and everything in it that is not translated.

    Raises:
        InputError: the file cannot be read.
        TranslationError: a syntax error.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot read this mechanism file ({error})") from None
    if b"\0" in content:
        raise InputError(f"{path}: this is no text file")
    try:
        code = content.decode("utf-8")
    except UnicodeDecodeError:  # comments in old files
        code = content.decode("latin-1")
    import_neuron()
    from neuron import nmodl

    try:
        with captured_output():
            driver = nmodl.NmodlDriver()
            tree = nmodl.to_json(driver.parse_string(_ascii(code)), True)
    except RuntimeError as error:
        raise s.TranslationError(path, [_syntax_problem(str(error), code)]) from None
    reader = _Reader(path, code)
    source = reader.source(json.loads(tree)["Program"])
    return source, reader.problems


def _ascii(code: str) -> str:
    """What the parser can read: outside ASCII are comments and titles, and NEURON skips what follows ENDCOMMENT."""
    code = code.replace("\r\n", "\n").encode("ascii", "replace").decode("ascii")
    return re.sub(r"(?m)^([ \t]*ENDCOMMENT)\b[^\n]*", r"\1", code)


def _syntax_problem(message: str, code: str) -> s.Problem:
    """The parser's complaint as one line."""
    place = re.search(r"\[Location : (\d+)", message)
    line = int(place.group(1)) if place else None
    reason = " ".join(message.split("[Location")[0].replace("NMODL Parser Error :", "").split())
    lines = code.splitlines()
    shown = f' in "{lines[line - 1].strip()}"' if line and line <= len(lines) else ""
    return s.Problem(line, "syntax", f"{reason.removeprefix('syntax error, ')}{shown}")


class _Reader(StatementReader):
    """Walks the parser's tree into a Source."""

    def __init__(self, path: Path, code: str) -> None:
        super().__init__(code)
        self.path = path
        self.name, self.kind = "", ""
        self.ions: list[s.Ion] = []
        self.nonspecific: list[str] = []
        self.electrode: list[str] = []
        self.ranges: set[str] = set()
        self.globals: set[str] = set()
        self.private: set[str] = set()
        self.parameters: dict[str, s.Parameter] = {}
        self.constants: dict[str, float] = {}
        self.units: dict[str, str] = {}
        self.arrays: dict[str, int] = {}
        self.tables: dict[str, tuple[str, ...]] = {}
        self.states: list[str] = []
        self.starts: dict[str, float] = {}
        self.assigned: list[str] = []

    def source(self, program: Children) -> s.Source:
        self._refuse_unsupported(program)
        bodies: dict[str, s.Body] = {"InitialBlock": (), "BreakpointBlock": ()}
        solved: dict[str, dict[str, s.Body]] = {"DerivativeBlock": {}, "KineticBlock": {}}
        routines: dict[str, dict[str, s.Routine]] = {"FunctionBlock": {}, "ProcedureBlock": {}}
        net_receive = None
        shown = {"Block": "", "InitialBlock": "INITIAL", "BreakpointBlock": "BREAKPOINT"}
        shown |= {"FunctionBlock": "FUNCTION", "ProcedureBlock": "PROCEDURE"}
        shown |= {"DerivativeBlock": "DERIVATIVE", "KineticBlock": "KINETIC"}
        for kind, children in map(split, program):
            if kind in IGNORED or kind in UNSUPPORTED:
                continue
            if kind in shown:
                self.note(shown[kind])
            if kind == "NeuronBlock":
                self._neuron(body(children))
            elif kind == "Define":
                self.note("DEFINE")
                self.defines[text(children[0])] = int(text(children[1]))
            elif kind == "UnitBlock":
                self._units(children)
            elif kind == "ParamBlock":
                self._parameters(children)
            elif kind == "ConstantBlock":
                self._constants(children)
            elif kind in ("StateBlock", "AssignedBlock"):
                self._declarations(kind, children)
            elif kind == "LocalListStatement":
                # outside the blocks LOCAL makes one variable for the whole file
                names = self._locals(children)
                self.assigned += names
                self.private.update(names)
            elif kind == "FunctionTableBlock":
                self.note("FUNCTION_TABLE")
                arguments = tuple(text(parts[0]) for k, parts in map(split, children) if k == "Argument")
                self.tables[text(children[0])] = arguments
                if len(arguments) != 1:
                    self.refuse("FUNCTION_TABLE", "only tables of one argument are translated")
            elif kind in bodies:
                bodies[kind] += self.statements(children)
            elif kind in solved:
                solved[kind][text(children[0])] = self.statements(children[1:])
            elif kind in routines:
                routines[kind][text(children[0])] = self.routine(children[1:])
            elif kind == "NetReceiveBlock":
                self.note("NET_RECEIVE")
                net_receive = self.routine(children)
            else:
                self.refuse(kind, "this block is not translated")
        self._refuse_unknown_calls({**routines["FunctionBlock"], **routines["ProcedureBlock"], **self.tables})
        if not self.name:
            self.refuse("NEURON", "no SUFFIX or POINT_PROCESS: this is not a mechanism")
        return s.Source(
            path=self.path,
            text=self.text,
            name=self.name,
            kind=self.kind or "density",
            ions=tuple(self.ions),
            nonspecific=tuple(self.nonspecific),
            electrode=tuple(self.electrode),
            conductances=dict(self.conductances),
            ranges=frozenset(self.ranges),
            globals=frozenset(self.globals),
            private=frozenset(self.private),
            parameters={
                name: s.Parameter(name, p.value, p.unit, p.low, p.high, is_range=name in self.ranges)
                for name, p in self.parameters.items()
            },
            constants=self.constants,
            states=tuple(self.states),
            starts=self.starts,
            assigned=tuple(self.assigned),
            initial=bodies["InitialBlock"],
            breakpoint=bodies["BreakpointBlock"],
            derivatives=solved["DerivativeBlock"],
            kinetics=solved["KineticBlock"],
            procedures=routines["ProcedureBlock"],
            functions=routines["FunctionBlock"],
            tables=self.tables,
            tabled=self.tabled,
            arrays=self.arrays,
            defines=self.defines,
            net_receive=net_receive,
            constructs=tuple(self.constructs),
        )

    def array_size(self, name: str, size: int) -> None:
        self.note("array")
        self.arrays[name] = size

    def _refuse_unsupported(self, program: Children) -> None:
        found: set[str] = set()

        def look(node: Any) -> None:
            if not isinstance(node, dict):
                return
            for kind, children in node.items():
                if kind in UNSUPPORTED:
                    found.add(kind)
                if isinstance(children, list):
                    for child in children:
                        look(child)

        for node in program:
            look(node)
        for kind in sorted(found):
            keyword, why = UNSUPPORTED[kind]
            self.refuse(keyword, why, rf"\b{keyword}\b|\b{keyword.lower()}\b")

    def _refuse_unknown_calls(self, own: Iterable[str]) -> None:
        for name in sorted(self.called - {*own} - BUILTINS - SPECIAL_CALLS):
            why = (
                "random numbers in the dynamics are not translated"
                if name in RANDOM_CALLS
                else "this function is not known"
            )
            self.refuse(name, why, rf"\b{name}\s*\(")

    def _neuron(self, statements: Children) -> None:
        for kind, children in map(split, statements):
            if kind == "Suffix":
                keyword, self.name = text(children[0]), text(children[1])
                kinds = {"SUFFIX": "density", "POINT_PROCESS": "point", "ARTIFICIAL_CELL": "artificial"}
                self.kind = kinds[keyword]
                if self.name == "nothing":
                    self.refuse("SUFFIX nothing", "only functions for HOC, no mechanism", r"\bnothing\b")
                self.note(keyword)
            elif kind == "Useion":
                self._ion(children)
            elif kind == "Nonspecific":
                self.note("NONSPECIFIC_CURRENT")
                self.nonspecific += [text(c) for c in children]
            elif kind == "ElectrodeCurrent":
                self.note("ELECTRODE_CURRENT")
                self.electrode += [text(c) for c in children]
            elif kind == "Range":
                self.ranges.update(text(c) for c in children)
            elif kind == "Global":
                self.globals.update(text(c) for c in children)
            elif kind not in _DECLARED:
                self.refuse(kind, "not translated in a NEURON block", r"\bNEURON\b")

    def _ion(self, children: Children) -> None:
        self.note("USEION")
        name = text(children[0])
        reads, writes = [], []
        valence = s.VALENCE.get(name)
        for kind, parts in map(split, children[1:]):
            if kind == "ReadIonVar":
                reads.append(text(parts[0]))
            elif kind == "WriteIonVar":
                writes.append(text(parts[0]))
            elif kind == "Valence":
                self.note("VALENCE")
                valence = float(text(parts[1]))
        ion = s.Ion(name, tuple(reads), tuple(writes), valence)
        known = {ion.current, ion.reversal, *ion.concentrations}
        for variable in [*reads, *writes]:
            if variable not in known:
                shown = ", ".join(sorted(known))
                self.refuse(
                    f"USEION {name}", f"{variable} is no variable of {name}: it has {shown}", r"\bUSEION\b"
                )
        if any(w in ion.concentrations for w in writes):
            self.note("USEION WRITE concentration")
        self.ions.append(ion)

    def _units(self, children: Children) -> None:
        for kind, parts in map(split, children):
            if kind == "UnitDef":
                self.units[text(parts[0])] = text(parts[1])
            if kind != "FactorDef":
                continue
            self.note("UNITS constant")
            name = text(parts[0])
            given = [text(part) for part in parts[1:] if "Unit" in part]
            numbers = [text(part) for part in parts[1:] if split(part)[0] in _NUMBERS]
            if numbers and len(given) < 2:
                self.constants[name] = float(numbers[0])
                continue
            source, target = given if len(given) == 2 else (given[0], "1")
            value = unit_constant(source, target, self.units)
            if value is None:
                self.refuse(
                    name,
                    f"({source}) cannot be expressed in ({target}): unknown or different units",
                    rf"\b{name}\s*=",
                )
            self.constants[name] = value or 0.0

    def _parameters(self, children: Children) -> None:
        self.note("PARAMETER")
        for _, parts in map(split, children):
            kind, inner = split(parts[0])
            name, value, unit = text(parts[0]), 0.0, ""
            if kind == "IndexedName":
                name = text(inner[0])
                self.array_size(name, self.whole_number(inner[1]))
            low: float | None = None
            high: float | None = None
            for part in parts[1:]:
                kind, inner = split(part)
                if kind in _NUMBERS:
                    shown = text(part)
                    value = float(self.defines.get(shown, 0)) if shown in self.defines else float(shown)
                elif kind == "Unit":
                    unit = text(part)
                elif kind == "Limits":
                    low, high = float(text(inner[0])), float(text(inner[1]))
            self.parameters[name] = s.Parameter(name, value, unit, low, high)

    def _constants(self, children: Children) -> None:
        self.note("CONSTANT")
        for _, statement in map(split, children):
            parts = split(statement[0])[1]
            self.constants[text(parts[0])] = float(text(parts[1]))

    def _declarations(self, kind: str, children: Children) -> None:
        names = self.states if kind == "StateBlock" else self.assigned
        self.note("STATE" if kind == "StateBlock" else "ASSIGNED")
        code = s.blank_comments(self.text)
        for _, parts in map(split, children):
            name = text(parts[0])
            names.append(name)
            size = re.search(rf"\b{name}\s*\[\s*(\w+)\s*\]", _block(code, kind))
            if size:  # the tree has sizes, ranges and starting values alike as bare numbers
                self.array_size(name, int(self.defines.get(size.group(1), 0) or size.group(1)))
            # between a name and its START may stand the size, the unit, the range and the tolerance
            between = r"(?:\s*(?:\[\w+\]|\([^)]*\)|<[^>]*>|FROM\s+\S+\s+TO\s+\S+))*"
            start = re.search(rf"\b{name}\b{between}\s*START\s+([-+\d.eE]+)", _block(code, kind))
            if start:
                self.note("START")
                self.starts[name] = float(start.group(1))


def _block(code: str, kind: str) -> str:
    """The text of the STATE or ASSIGNED blocks."""
    word = "STATE" if kind == "StateBlock" else "ASSIGNED"
    return " ".join(re.findall(rf"\b{word}\s*\{{([^}}]*)\}}", code))
