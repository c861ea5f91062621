"""From NMODL text to :class:`._syntax.Source`, through the parser in NEURON's wheel."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ketune.errors import InputError
from ketune.mechanisms import _syntax as s
from ketune.mechanisms._quiet import captured_output, import_neuron

# nodes that are refused wherever they occur: AST type -> (keyword to find its line, why)
_FOREIGN = "it is foreign code, which has no derivative"
_UNSUPPORTED = {
    "Verbatim": ("VERBATIM", _FOREIGN),
    "PointerVar": ("POINTER", "values behind pointers cannot be followed"),
    "BbcorePointerVar": ("BBCOREPOINTER", "values behind pointers cannot be followed"),
    "KineticBlock": ("KINETIC", "kinetic schemes are not translated"),
    "LinearBlock": ("LINEAR", "systems of linear equations are not translated"),
    "NonLinearBlock": ("NONLINEAR", "systems of nonlinear equations are not translated"),
    "DiscreteBlock": ("DISCRETE", "discrete updates are not translated"),
    "TableStatement": ("TABLE", "tables interpolate; remove the TABLE line to have the function itself"),
    "FunctionTableBlock": ("FUNCTION_TABLE", "tables filled from HOC are not translated"),
    "ElectrodeCurVar": ("ELECTRODE_CURRENT", "electrode currents are not translated"),
    "WhileStatement": ("WHILE", "loops are not translated"),
    "FromStatement": ("FROM", "loops are not translated"),
    "WatchStatement": ("WATCH", "threshold events are not translated"),
    "ForNetcon": ("FOR_NETCONS", "loops over connections are not translated"),
    "BeforeBlock": ("BEFORE", "blocks outside the simulation loop are not translated"),
    "AfterBlock": ("AFTER", "blocks outside the simulation loop are not translated"),
    "ConstructorBlock": ("CONSTRUCTOR", "blocks outside the simulation loop are not translated"),
    "DestructorBlock": ("DESTRUCTOR", "blocks outside the simulation loop are not translated"),
    "RandomVar": ("RANDOM", "random numbers in the dynamics are not translated"),
    "IndexedName": ("array", "arrays are not translated"),
    "Include": ("INCLUDE", "included files are not translated; paste the text"),
    "Define": ("DEFINE", "DEFINE is not translated; write the number"),
    "ConductanceHint": (
        "CONDUCTANCE",
        "NEURON then linearises with this value instead of the current's slope; remove the line",
    ),
    "LagStatement": ("LAG", "delayed values are not translated"),
    "LonDiffuse": ("LONGITUDINAL_DIFFUSION", "diffusion is not translated"),
    "ExternVar": ("EXTERNAL", "variables of other mechanisms are not translated"),
    "MutexLock": ("MUTEXLOCK", "locks are not translated"),
}
_IGNORED = {"Model", "LineComment", "BlockComment", "IndependentBlock", "UnitState"}

# NEURON's values (CODATA 2018, as in its nrnunits.lib) of the constants that UNITS blocks name
_UNIT_CONSTANTS = {
    ("faraday", "coulomb"): float.fromhex("0x1.78e555060882cp+16"),
    ("faraday", "coulombs"): float.fromhex("0x1.78e555060882cp+16"),
    ("faraday", "kilocoulombs"): float.fromhex("0x1.78e555060882cp+16") / 1000.0,
    ("k-mole", "joule/degC"): float.fromhex("0x1.0a1013e8990bep+3"),
    ("k-mole", "joule/kelvin"): float.fromhex("0x1.0a1013e8990bep+3"),
    ("k-mole", "joule/degK"): float.fromhex("0x1.0a1013e8990bep+3"),
    ("pi", "1"): 3.14159265358979323846,
}

Children = list[Any]


def parse(path: Path) -> s.Source:
    """Parse one `.mod` file.

    Raises:
        InputError: the file cannot be read.
        TranslationError: a syntax error, or constructs that are not translated (all of them listed).
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot read this mechanism file ({error})") from None
    import_neuron()
    from neuron import nmodl

    try:
        with captured_output():
            driver = nmodl.NmodlDriver()
            tree = nmodl.to_json(driver.parse_string(text), True)
    except RuntimeError as error:
        raise s.TranslationError(path, [_syntax_problem(str(error), text)]) from None
    return _Reader(path, text).source(json.loads(tree)["Program"])


def _syntax_problem(message: str, text: str) -> s.Problem:
    """The parser's complaint as one line."""
    place = re.search(r"\[Location : (\d+)", message)
    line = int(place.group(1)) if place else None
    reason = message.split("[Location")[0].replace("NMODL Parser Error :", "").strip()
    lines = text.splitlines()
    shown = f' in "{lines[line - 1].strip()}"' if line and line <= len(lines) else ""
    return s.Problem(line, "syntax", f"{reason.removeprefix('syntax error, ')}{shown}")


class _Reader:
    """Walks the parser's tree (as JSON: one-key dictionaries of node type to children) into a Source."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.text = text
        self.constructs: list[str] = []

    def line(self, pattern: str) -> int | None:
        return s.find_line(self.text, pattern)

    def error(self, construct: str, message: str, pattern: str | None = None) -> s.TranslationError:
        line = self.line(pattern or rf"\b{re.escape(construct)}\b")
        return s.TranslationError(self.path, [s.Problem(line, construct, message)])

    def note(self, construct: str) -> None:
        if construct not in self.constructs:
            self.constructs.append(construct)

    # the file

    def source(self, program: Children) -> s.Source:
        self._refuse_unsupported(program)
        self.name, self.kind = "", ""
        self.ions: list[s.Ion] = []
        self.nonspecific: list[str] = []
        self.ranges: set[str] = set()
        self.globals: set[str] = set()
        self.parameters: dict[str, s.Parameter] = {}
        self.constants: dict[str, float] = {}
        self.states: list[str] = []
        self.assigned: list[str] = []
        bodies: dict[str, s.Body] = {"InitialBlock": (), "BreakpointBlock": ()}
        derivatives: dict[str, s.Body] = {}
        routines: dict[str, dict[str, s.Routine]] = {"FunctionBlock": {}, "ProcedureBlock": {}}
        net_receive = None
        for kind, children in map(_split, program):
            if kind in _IGNORED:
                continue
            if kind == "NeuronBlock":
                self._neuron(_body(children))
            elif kind == "UnitBlock":
                self._units(children)
            elif kind == "ParamBlock":
                self._parameters(children)
            elif kind == "ConstantBlock":
                self._constants(children)
            elif kind in ("StateBlock", "AssignedBlock"):
                self._declarations(kind, children)
            elif (
                kind == "LocalListStatement"
            ):  # outside the blocks LOCAL makes one variable for the whole file
                self.assigned += [_name(part) for part in children]
                self.globals.update(_name(part) for part in children)
            elif kind in bodies:
                self.note({"InitialBlock": "INITIAL", "BreakpointBlock": "BREAKPOINT"}[kind])
                bodies[kind] += self._statements(children)
            elif kind == "DerivativeBlock":
                derivatives[_name(children[0])] = self._statements(children[1:])
            elif kind in routines:
                self.note({"FunctionBlock": "FUNCTION", "ProcedureBlock": "PROCEDURE"}[kind])
                routines[kind][_name(children[0])] = self._routine(children[1:])
            elif kind == "NetReceiveBlock":
                self.note("NET_RECEIVE")
                net_receive = self._routine(children)
            else:
                raise s.TranslationError(self.path, [s.Problem(None, kind, "this block is not translated")])
        if not self.name:
            raise self.error("NEURON", "no SUFFIX or POINT_PROCESS: this is not a mechanism")
        if not self.kind:
            raise self.error("ARTIFICIAL_CELL", "artificial cells have no current and are not translated")
        for parameter in self.parameters.values():
            if parameter.name not in self.ranges:
                self.parameters[parameter.name] = s.Parameter(
                    parameter.name,
                    parameter.value,
                    parameter.unit,
                    parameter.low,
                    parameter.high,
                    is_range=False,
                )
        return s.Source(
            path=self.path,
            text=self.text,
            name=self.name,
            kind=self.kind,
            ions=tuple(self.ions),
            nonspecific=tuple(self.nonspecific),
            ranges=frozenset(self.ranges),
            globals=frozenset(self.globals),
            parameters=self.parameters,
            constants=self.constants,
            states=tuple(self.states),
            assigned=tuple(self.assigned),
            initial=bodies["InitialBlock"],
            breakpoint=bodies["BreakpointBlock"],
            derivatives=derivatives,
            procedures=routines["ProcedureBlock"],
            functions=routines["FunctionBlock"],
            net_receive=net_receive,
            constructs=tuple(self.constructs),
        )

    def _refuse_unsupported(self, program: Children) -> None:
        found: dict[str, s.Problem] = {}

        def look(node: Any) -> None:
            if not isinstance(node, dict):
                return
            for kind, children in node.items():
                if kind in _UNSUPPORTED and kind not in found:
                    keyword, why = _UNSUPPORTED[kind]
                    pattern = r"\w\s*\[" if keyword == "array" else rf"\b{keyword}\b|\b{keyword.lower()}\b"
                    found[kind] = s.Problem(self.line(pattern), keyword, why)
                if isinstance(children, list):
                    for child in children:
                        look(child)

        for node in program:
            look(node)
        if found:
            raise s.TranslationError(self.path, list(found.values()))

    def _neuron(self, statements: Children) -> None:
        for kind, children in map(_split, statements):
            if kind == "Suffix":
                keyword, self.name = _name(children[0]), _name(children[1])
                self.kind = {"SUFFIX": "density", "POINT_PROCESS": "point"}.get(keyword, "")
                self.note(keyword)
            elif kind == "Useion":
                self._ion(children)
            elif kind == "Nonspecific":
                self.note("NONSPECIFIC_CURRENT")
                self.nonspecific += [_name(c) for c in children]
            elif kind == "Range":
                self.ranges.update(_name(c) for c in children)
            elif kind == "Global":
                self.globals.update(_name(c) for c in children)
            elif kind not in ("ThreadSafe", "OntologyStatement"):
                raise s.TranslationError(
                    self.path, [s.Problem(self.line(r"\bNEURON\b"), kind, "not translated in a NEURON block")]
                )

    def _ion(self, children: Children) -> None:
        self.note("USEION")
        name = _name(children[0])
        reads, writes = [], []
        for kind, parts in map(_split, children[1:]):
            if kind == "ReadIonVar":
                reads.append(_name(parts[0]))
            elif kind == "WriteIonVar":
                writes.append(_name(parts[0]))
        line = rf"\bUSEION\s+{name}\b"
        if f"i{name}" in reads:
            raise self.error(f"USEION {name} READ i{name}", "reading a total current is not translated", line)
        for variable in writes:
            if variable != f"i{name}":
                raise self.error(f"USEION {name} WRITE {variable}", "only currents can be written", line)
        self.ions.append(s.Ion(name, tuple(reads), tuple(writes)))

    def _units(self, children: Children) -> None:
        for kind, parts in map(_split, children):
            if kind != "FactorDef":
                continue
            self.note("UNITS constant")
            name = _name(parts[0])
            key = tuple(_text(part) for part in parts[1:] if "Unit" in part)
            numbers = [part for part in parts[1:] if _split(part)[0] in ("Double", "Integer")]
            if numbers:
                self.constants[name] = float(_text(numbers[0]))
            elif key in _UNIT_CONSTANTS:
                self.constants[name] = _UNIT_CONSTANTS[key]
            else:
                shown = " ".join(f"({unit})" for unit in key)
                raise self.error(name, f"{shown} is not among the known constants; write it under CONSTANT")

    def _parameters(self, children: Children) -> None:
        self.note("PARAMETER")
        for _, parts in map(_split, children):
            name, value, unit = _name(parts[0]), 0.0, ""
            low: float | None = None
            high: float | None = None
            for part in parts[1:]:
                kind, inner = _split(part)
                if kind in ("Double", "Integer", "Float"):
                    value = float(_text(part))
                elif kind == "Unit":
                    unit = _text(part)
                elif kind == "Limits":
                    low, high = float(_text(inner[0])), float(_text(inner[1]))
            self.parameters[name] = s.Parameter(name, value, unit, low, high)

    def _constants(self, children: Children) -> None:
        self.note("CONSTANT")
        for _, statement in map(_split, children):
            parts = _split(statement[0])[1]
            self.constants[_name(parts[0])] = float(_text(parts[1]))

    def _declarations(self, kind: str, children: Children) -> None:
        names = self.states if kind == "StateBlock" else self.assigned
        self.note("STATE" if kind == "StateBlock" else "ASSIGNED")
        for _, parts in map(_split, children):
            name = _name(parts[0])
            numbers = [part for part in parts[1:] if _split(part)[0] in ("Integer", "Double", "Float")]
            if kind == "StateBlock" and len(numbers) % 2:  # FROM and TO come in pairs and only guide the user
                raise self.error("START", "is not translated; set the state in INITIAL")
            if kind == "AssignedBlock" and any(_split(p)[0] == "Integer" for p in parts[1:]):
                raise self.error(f"{name}[]", "arrays are not translated", rf"\b{name}\s*\[")
            names.append(name)

    # blocks

    def _routine(self, children: Children) -> s.Routine:
        arguments = tuple(_name(parts[0]) for kind, parts in map(_split, children) if kind == "Argument")
        return s.Routine(arguments, self._statements(children))

    def _statements(self, children: Children) -> s.Body:
        """The statements of the StatementBlock among the children."""
        statements: list[s.Statement] = []
        for kind, parts in map(_split, _body(children)):
            if kind in _IGNORED:
                continue
            if kind == "ProtectStatement":
                kind, parts = "ExpressionStatement", [{"BinaryExpression": parts[0]["BinaryExpression"]}]
            if kind == "LocalListStatement":
                self.note("LOCAL")
                statements.append(s.Local(tuple(_name(part) for part in parts)))
            elif kind == "IfStatement":
                self.note("IF")
                statements.append(self._if(parts))
            elif kind == "ExpressionStatement":
                statements.append(self._simple(parts[0]))
            else:
                raise s.TranslationError(
                    self.path, [s.Problem(None, kind, "this statement is not translated")]
                )
        return tuple(statements)

    def _simple(self, node: dict[str, Any]) -> s.Statement:
        kind, parts = _split(node)
        if kind == "WrappedExpression":
            return self._simple(parts[0])
        if kind == "DiffEqExpression":
            _, (left, _, right) = _split(parts[0])
            state = _name(_split(left)[1][0])
            return s.DiffEq(state, self._expression(right))
        if kind == "SolveBlock":
            names = [_name(part) for part in parts if "Name" in part]
            method = names[1] if len(names) > 1 else ""
            self.note(f"SOLVE METHOD {method}".strip())
            return s.Solve(names[0], method)
        if kind == "FunctionCall":
            call = self._expression(node)
            assert isinstance(call, s.Call)
            return s.CallStatement(call)
        if kind == "BinaryExpression" and _text(parts[1]) == "=":
            left_kind, left = _split(parts[0])
            if left_kind == "VarName" and "PrimeName" not in left[0]:
                return s.Assign(_name(parts[0]), self._expression(parts[2]))
        if kind == "InitialBlock":
            raise self.error("INITIAL", "INITIAL inside NET_RECEIVE is not translated", r"NET_RECEIVE")
        raise s.TranslationError(self.path, [s.Problem(None, kind, "this statement is not translated")])

    def _if(self, parts: Children) -> s.If:
        test, then = self._expression(parts[0]), self._statements(parts[1:2])
        rest = parts[2:]
        otherwise: s.Body = ()
        if rest:
            kind, inner = _split(rest[0])
            chained = kind == "ElseIfStatement"
            otherwise = (self._if([*inner, *rest[1:]]),) if chained else self._statements(inner)
        return s.If(test, then, otherwise)

    def _expression(self, node: dict[str, Any]) -> s.Expr:
        kind, parts = _split(node)
        if kind in ("WrappedExpression", "ParenExpression", "DoubleUnit"):
            return self._expression(parts[0])
        if kind in ("Double", "Integer", "Float"):
            return s.Num(float(_text(node)), _text(node))
        if kind == "VarName":
            if len(parts) > 1:
                raise self.error("@", "values at another time are not translated", "@")
            return s.Var(_name(parts[0]))
        if kind == "Name":
            return s.Var(_name(node))
        if kind == "UnaryExpression":
            operand = self._expression(parts[1])
            return s.Neg(operand) if _text(parts[0]) == "-" else s.Not(operand)
        if kind == "BinaryExpression":
            return s.Bin(_text(parts[1]), self._expression(parts[0]), self._expression(parts[2]))
        if kind == "FunctionCall":
            return s.Call(_name(parts[0]), tuple(self._expression(part) for part in parts[1:]))
        raise s.TranslationError(self.path, [s.Problem(None, kind, "this expression is not translated")])


def _split(node: dict[str, Any]) -> tuple[str, Children]:
    ((kind, children),) = node.items()
    return kind, children


def _body(children: Children) -> Children:
    """The contents of the StatementBlock among the children."""
    for kind, parts in map(_split, children):
        if kind == "StatementBlock":
            return parts
    return []


def _text(node: dict[str, Any]) -> str:
    """The text of a leaf: a name, a number, a unit, an operator."""
    kind, children = _split(node)
    while kind != "name":
        kind, children = _split(children[0])
    return str(children)


_name = _text
